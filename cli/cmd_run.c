/*
 * init, start, stop, restart, status: the running of it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

enum { STOP_MS = 10000, GONE_MS = 2000 };

static int
no_more(int argc, char **argv)
{
	return argc > 1 ? usage("%s: what is \"%s\"?", argv[0], argv[1]) : EXIT_GOOD;
}

int
cmd_init(struct cli *cli, int argc, char **argv)
{
	char key[65] = "", msg[600];
	int rc = no_more(argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	umask(077);
	if (!cli_locate(cli, true))
		return EXIT_FAILED;
	if (config_file_init(&cli->paths, key, msg, sizeof(msg)) != ERR_OK)
		return complain(EXIT_FAILED, "%s", msg);
	if (cli->json) {
		SCOPED_BUF b = BUF_INIT(65536);
		struct jw w = JW_INIT(&b);

		jw_object(&w, NULL);
		jw_str(&w, "home", cli->paths.home);
		jw_str(&w, "config", cli->paths.config);
		jw_bool(&w, "created", key[0] != '\0');
		jw_end(&w);
		printf("%s\n", b.failed ? "{}" : b.p);
	} else if (key[0] != '\0') {
		printf("Made %s; the api_key is in it.\n", cli->paths.config);
	} else {
		printf("%s is there already; nothing changed.\n", cli->paths.config);
	}
	zero_bytes(key, sizeof(key));
	return EXIT_GOOD;
}

static bool
good_listen(const char *s)
{
	const char *colon = strrchr(s, ':');
	char *end;
	long port;

	if (colon == NULL || colon == s)
		return false;
	port = strtol(colon + 1, &end, 10);
	return colon[1] >= '0' && colon[1] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

static int
start_options(struct cli *cli, int argc, char **argv, struct start_options *o)
{
	const char *workers;
	char *end;

	o->home = cli->home;
	o->json = cli->json;
	o->foreground = option_flag(&argc, argv, "--foreground");
	o->listen = option_value(&argc, argv, "--listen");
	workers = option_value(&argc, argv, "--workers");
	if (o->listen != NULL && !good_listen(o->listen))
		return usage("--listen: HOST:PORT is expected, as 127.0.0.1:4545 or [::1]:4545");
	if (workers != NULL) {
		unsigned long n = strtoul(workers, &end, 10);

		if (workers[0] < '0' || workers[0] > '9' || *end != '\0' || n < 1 || n > POOL_MAX)
			return usage("--workers: a number from 1 to %d is expected", POOL_MAX);
		o->workers = (unsigned)n;
	}
	return no_more(argc, argv);
}

int
cmd_start(struct cli *cli, int argc, char **argv)
{
	struct start_options o = { 0 };
	int rc = start_options(cli, argc, argv, &o);

	return rc != EXIT_GOOD ? rc : sup_start(&o);
}

/* Wait until the process has ended; false: it has not, after that time. */
static bool
ended(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* The watcher of a killed supervisor holds the lock until the rest is gone. */
static bool
all_gone(const struct run_paths *p)
{
	SCOPED_FD fd = open(p->lock, O_RDWR | O_CLOEXEC);

	return fd < 0 || lock_within(fd, GONE_MS) == 0;
}

static int
stop(struct cli *cli)
{
	SCOPED_FD fd = -1;
	pid_t pid;

	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	pid = sup_running(&cli->paths);
	if (pid == 0)
		return EXIT_DOWN;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return errno == ESRCH ? EXIT_DOWN : complain(EXIT_FAILED, "cannot watch process %d", (int)pid);
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) != 0)
		return complain(EXIT_FAILED, "cannot stop process %d: %s", (int)pid, strerror(errno));
	if (!ended(fd, STOP_MS)) {
		complain(EXIT_GOOD, "it does not end; killing it");
		(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);  /* it may just have ended */
		if (!ended(fd, GONE_MS))
			return complain(EXIT_FAILED, "process %d cannot be killed", (int)pid);
	}
	return all_gone(&cli->paths) ? EXIT_GOOD :
	    complain(EXIT_FAILED, "some of its processes are still there");
}

static void
say_status(const struct cli *cli, const char *status, const char *text)
{
	if (cli->json)
		printf("{\"status\":\"%s\"}\n", status);
	else
		printf("%s\n", text);
}

int
cmd_stop(struct cli *cli, int argc, char **argv)
{
	int rc = no_more(argc, argv);

	if (rc == EXIT_GOOD)
		rc = stop(cli);
	if (rc == EXIT_GOOD)
		say_status(cli, "stopped", "Stopped.");
	if (rc == EXIT_DOWN)
		say_status(cli, "not_running", "LibreFang does not run here.");
	return rc;
}

int
cmd_restart(struct cli *cli, int argc, char **argv)
{
	struct start_options o = { 0 };
	int rc = start_options(cli, argc, argv, &o);

	if (rc == EXIT_GOOD)
		rc = stop(cli);
	return rc == EXIT_GOOD || rc == EXIT_DOWN ? sup_start(&o) : rc;
}

static void
duration(int64_t s, char *out, size_t cap)
{
	if (s >= 86400)
		snprintf(out, cap, "%lld d %lld h", (long long)s / 86400, (long long)s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, cap, "%lld h %lld min", (long long)s / 3600, (long long)s % 3600 / 60);
	else
		snprintf(out, cap, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
}

static void
show_status(const struct cli *cli, struct json_object *j, pid_t pid)
{
	char url[400], up[64], number[32];
	struct table t;

	sup_url(&cli->paths, url, sizeof(url));
	duration(js_i64(j, "uptime_seconds", 0), up, sizeof(up));
	table_begin(&t, 2, NULL);
	table_cell(&t, "status");
	table_cell(&t, js_str_or(j, "status", "unknown"));
	table_cell(&t, "address");
	table_cell(&t, url);
	table_cell(&t, "home");
	table_cell(&t, cli->paths.home);
	table_cell(&t, "version");
	table_cell(&t, js_str_or(j, "version", ""));
	table_cell(&t, "pid");
	snprintf(number, sizeof(number), "%d", (int)pid);
	table_cell(&t, number);
	table_cell(&t, "up");
	table_cell(&t, up);
	table_cell(&t, "model");
	table_cell(&t, js_str_or(j, "default_model", ""));
	table_cell(&t, "agents");
	snprintf(number, sizeof(number), "%lld", (long long)js_i64(j, "agent_count", 0));
	table_cell(&t, number);
	table_print(&t, cli->tty);
}

int
cmd_status(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	int rc = no_more(argc, argv);
	pid_t pid;

	if (rc != EXIT_GOOD)
		return rc;
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	pid = sup_running(&cli->paths);
	if (pid == 0) {
		say_status(cli, "not_running", "LibreFang does not run here.");
		return EXIT_DOWN;
	}
	rc = call(cli, "GET", "/api/status", NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	show_status(cli, a.json, pid);
	return EXIT_GOOD;
}

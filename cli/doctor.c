/*
 * doctor: does everything hold that LibreFang stands on? Each check says ok,
 * warn or fail, and what to do; a fail makes the exit code 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

enum { SNAPSHOT_MAX = 16 << 20, DISK_LEAST = 100 << 20, NFS_MAGIC = 0x6969, YEAR_2024_S = 1704067200 };

enum level { GOOD, WARN, BAD };

struct doctor {
	struct cli *cli;
	struct table t;                 /* for people */
	struct buf json;
	struct jw w;
	bool failed;
	pid_t pid;                      /* of a running supervisor */
	struct config *cfg;             /* NULL: not readable */
};

static void PRINTF(4, 5)
found(struct doctor *d, enum level level, const char *check, const char *fmt, ...)
{
	static const char *const names[] = { "ok", "warn", "fail" };
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->failed = d->failed || level == BAD;
	table_cell(&d->t, names[level]);
	table_cell(&d->t, check);
	table_cell(&d->t, text);
	jw_object(&d->w, NULL);
	jw_str(&d->w, "name", check);
	jw_str(&d->w, "status", names[level]);
	jw_str(&d->w, "message", text);
	jw_end(&d->w);
}

static bool
check_home(struct doctor *d)
{
	const char *home = d->cli->paths.home;
	struct statfs fs;
	struct stat st;

	if (stat(home, &st) != 0) {
		found(d, BAD, "home", "%s is not there; \"librefang init\" makes it", home);
		return false;
	}
	if ((st.st_mode & 077) != 0)
		found(d, BAD, "home", "%s is open to other users (mode %o); chmod 700 it", home, st.st_mode & 0777);
	else if (access(home, W_OK | X_OK) != 0)
		found(d, BAD, "home", "%s cannot be written", home);
	else
		found(d, GOOD, "home", "%s", home);
	if (statfs(home, &fs) == 0 && fs.f_type == NFS_MAGIC)
		found(d, BAD, "file system", "the home is on NFS, where the store cannot work safely");
	return true;
}

static void
check_config(struct doctor *d)
{
	SCOPED_BUF out = BUF_INIT(SNAPSHOT_MAX);
	struct config_over over = { .listen = getenv("LIBREFANG_LISTEN") };
	const struct run_paths *p = &d->cli->paths;
	char msg[600];
	struct stat st;

	if (config_file_snapshot(p, &over, 0, &out, msg, sizeof(msg)) != ERR_OK) {
		found(d, BAD, "config", "%s", msg);
		return;
	}
	if (config_load(out.p, out.len, &d->cfg) != ERR_OK) {
		found(d, BAD, "config", "no snapshot can be made of it");
		return;
	}
	if (stat(p->config, &st) != 0)
		found(d, WARN, "config", "%s is not there; the first start makes it", p->config);
	else if ((st.st_mode & 077) != 0)
		found(d, BAD, "config", "%s can be read by other users; chmod 600 it", p->config);
	else
		found(d, GOOD, "config", "%s", p->config);
	if (d->cfg->open_mode && d->cfg->config_exists)
		found(d, WARN, "api_key", "none is set: whoever can connect is the owner");
	for (size_t i = 0; d->cfg->warnings != NULL && i < json_object_array_length(d->cfg->warnings); i++)
		found(d, WARN, "config", "%s",
		    json_object_get_string(json_object_array_get_idx(d->cfg->warnings, i)));
}

/* Free, if the supervisor could listen there now. */
static bool
port_free(const struct config *cfg)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *all;
	char port[16];
	bool free_here = false;

	snprintf(port, sizeof(port), "%d", cfg->listen_port);
	if (getaddrinfo(cfg->listen_host, port, &want, &all) != 0)
		return false;
	if (all != NULL) {
		SCOPED_FD fd = socket(all->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int on = 1;

		free_here = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		    bind(fd, all->ai_addr, all->ai_addrlen) == 0 && listen(fd, 1) == 0;
	}
	freeaddrinfo(all);
	return free_here;
}

static void
check_port(struct doctor *d)
{
	char url[400];

	sup_url(&d->cli->paths, url, sizeof(url));
	if (d->pid != 0)
		found(d, GOOD, "port", "ours: %s", url);
	else if (d->cfg != NULL && port_free(d->cfg))
		found(d, GOOD, "port", "%s is free", d->cfg->listen);
	else if (d->cfg != NULL)
		found(d, BAD, "port", "cannot listen on %s: in use by another program, or not ours", d->cfg->listen);
}

static void
check_programs(struct doctor *d)
{
	if (d->cli->set.nginx[0] == '\0' || access(d->cli->set.nginx, X_OK) != 0)
		found(d, BAD, "nginx", "not installed (on Debian: apt-get install nginx-light)");
	else
		found(d, GOOD, "nginx", "%s", d->cli->set.nginx);
}

static void
check_running(struct doctor *d)
{
	const struct run_paths *p = &d->cli->paths;
	SCOPED_ANSWER a = { 0 };
	struct cli plain = *d->cli;
	char path[4352];

	snprintf(path, sizeof(path), "%s/daemon.json", p->home);
	if (d->pid == 0 && access(path, F_OK) == 0)
		found(d, WARN, "running", "no; %s is left from a crash, the next start replaces it", path);
	else if (d->pid == 0)
		found(d, GOOD, "running", "no");
	if (d->pid == 0)
		return;
	plain.json = false;
	if (call(&plain, "GET", "/api/health", NULL, 5000, &a) != EXIT_GOOD)
		found(d, BAD, "running", "process %d is there, but the daemon does not answer", (int)d->pid);
	else
		found(d, strcmp(js_str_or(a.json, "status", ""), "ok") == 0 ? GOOD : WARN, "running",
		    "process %d, health %s", (int)d->pid, js_str_or(a.json, "status", "unknown"));
}

static void
check_store(struct doctor *d)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)], path[4352];
	SCOPED_FD fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "%s", d->cfg != NULL ? d->cfg->db_path : "");
	if (path[0] == '\0')
		snprintf(path, sizeof(path), "%s/data/librefang-c.db", d->cli->paths.home);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		found(d, GOOD, "store", "not there yet; the first start makes it");
		return;
	}
	if (fd < 0 || fstat(fd, &st) != 0 || read(fd, head, sizeof(head)) != (ssize_t)sizeof(head))
		found(d, BAD, "store", "%s cannot be read", path);
	else if (memcmp(head, magic, sizeof(magic)) != 0)
		found(d, BAD, "store", "%s is no SQLite database; restore a backup", path);
	else if ((st.st_mode & 077) != 0)
		found(d, WARN, "store", "%s can be read by other users; chmod 600 it", path);
	else
		found(d, GOOD, "store", "%s, %lld KiB", path, (long long)st.st_size / 1024);
}

static void
check_machine(struct doctor *d)
{
	struct statvfs v;
	unsigned long long left;

	if (statvfs(d->cli->paths.home, &v) == 0) {
		left = (unsigned long long)v.f_bavail * v.f_frsize;
		found(d, left < DISK_LEAST ? BAD : GOOD, "disk", "%llu MiB free", left >> 20);
	}
	if (clock_ms() / 1000 < YEAR_2024_S)
		found(d, BAD, "clock", "it is set to a time long past; certificates will be refused");
	else
		found(d, GOOD, "clock", "plausible");
}

static void
check_kernel(struct doctor *d)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));
	struct utsname u;

	if (uname(&u) != 0)
		u.release[0] = '\0';
	if (abi > 0)
		found(d, GOOD, "landlock", "ABI %ld", abi);
	else
		found(d, WARN, "landlock", "not in this kernel (%s): foreign code is held by less", u.release);
	if (fd >= 0)
		close((int)fd);
	found(d, fd >= 0 ? GOOD : WARN, "openat2", "%s", fd >= 0 ? "there" :
	    "not in this kernel: workspaces are guarded step by step");
}

static void
check_all(struct doctor *d)
{
	d->pid = sup_running(&d->cli->paths);
	if (check_home(d)) {
		check_config(d);
		check_store(d);
	}
	check_port(d);
	check_programs(d);
	check_running(d);
	check_machine(d);
	check_kernel(d);
}

int
cmd_doctor(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "", "CHECK", "" };
	struct doctor d = { .cli = cli, .json = BUF_INIT(1 << 20) };

	if (argc > 1)
		return usage("doctor: what is \"%s\"?", argv[1]);
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	d.w = (struct jw)JW_INIT(&d.json);
	table_begin(&d.t, 3, heads);
	jw_object(&d.w, NULL);
	jw_array(&d.w, "checks");
	check_all(&d);
	jw_end(&d.w);
	jw_bool(&d.w, "all_ok", !d.failed);
	jw_end(&d.w);
	if (cli->json) {
		printf("%s\n", d.json.failed ? "{}" : d.json.p);
		buf_done(&d.t.cells);
	} else {
		table_print(&d.t, cli->tty);
	}
	buf_done(&d.json);
	config_free(d.cfg);
	return d.failed ? EXIT_FAILED : EXIT_GOOD;
}

/*
 * doctor: does everything hold that LibreFang stands on? Each check says ok,
 * warn or fail, and what to do; a fail makes the exit code 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config_file.h"

enum { SNAPSHOT_MAX = 16 << 20, DISK_LEAST = 100 << 20, SHM_LEAST = 4 << 20, CONNECT_MS = 5000, YEAR_2024_S = 1704067200 };

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
	const char *fs = path_network_fs(home);
	char pending[4352];
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
	if (fs != NULL)
		found(d, BAD, "file system", "the home is on %s, where the store cannot work safely", fs);
	snprintf(pending, sizeof(pending), "%s/restore.pending", home);
	if (access(pending, F_OK) == 0)
		found(d, BAD, "restore", "one was interrupted; run \"librefang restore FILE\" again");
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

/* Every page and every index of it are looked at. */
static void
check_inside(struct doctor *d, const char *path, const struct stat *st)
{
	SCOPED_BUF out = BUF_INIT(65536);
	int rc = helper_run((const char *const[]){ "librefang-backup", "check", path, NULL }, &out);
	struct json_object *j = out.p != NULL ? json_parse(out.p, out.len) : NULL;
	const char *fault = js_str_or(j, "fault", "");

	if (j == NULL)
		found(d, WARN, "store", "%s, not looked into: librefang-backup cannot be run", path);
	else if (rc != 0)
		found(d, BAD, "store", "%s is damaged: %s; restore a backup", path, fault[0] != '\0' ? fault : "it cannot be opened");
	else if (js_i64(j, "min_reader", 0) > js_i64(j, "newest", 0))
		found(d, BAD, "store", "%s was written by a newer version", path);
	else if ((st->st_mode & 077) != 0)
		found(d, WARN, "store", "%s can be read by other users; chmod 600 it", path);
	else
		found(d, GOOD, "store", "%s, whole, %lld KiB", path, (long long)st->st_size / 1024);
	json_object_put(j);
}

static void
check_store(struct doctor *d)
{
	char path[4352];
	struct stat st;

	store_path(&d->cli->paths, path, sizeof(path));
	if (stat(path, &st) == 0)
		check_inside(d, path, &st);
	else if (errno == ENOENT)
		found(d, GOOD, "store", "not there yet; the first start makes it");
	else
		found(d, BAD, "store", "%s: %s", path, strerror(errno));
}

/* --- the provider --------------------------------------------------------------------- */

/* NULL: somebody listens there; else why not. */
static const char *
connect_to(const char *host, const char *port)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	const char *why = "no address answers";
	int rc = getaddrinfo(host, port, &want, &all);

	if (rc != 0)
		return gai_strerror(rc);
	for (struct addrinfo *a = all; a != NULL && why != NULL; a = a->ai_next) {
		SCOPED_FD fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int err = 0;
		socklen_t n = sizeof(err);

		if (fd < 0 || (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS))
			continue;
		if (poll(&p, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == 0)
			why = NULL;
	}
	freeaddrinfo(all);
	return why;
}

/* "https://host:port/..." to its parts. */
static bool
host_of(const char *url, char host[static 256], char port[static 16])
{
	const char *p = strstr(url, "://"), *end, *colon;
	size_t n;

	if (p == NULL)
		return false;
	snprintf(port, 16, "%s", strncmp(url, "https", 5) == 0 ? "443" : "80");
	p += 3;
	n = strcspn(p, "/?#");
	if (memchr(p, '@', n) != NULL)
		return false;
	end = p + n;
	colon = memrchr(p, ':', n);
	if (colon != NULL && memchr(colon, ']', (size_t)(end - colon)) == NULL) {
		snprintf(port, 16, "%.*s", (int)(end - colon - 1), colon + 1);
		end = colon;
	}
	if (*p == '[' && end > p + 1 && end[-1] == ']') {
		p++;
		end--;
	}
	snprintf(host, 256, "%.*s", (int)(end - p), p);
	return host[0] != '\0';
}

/* Where turns of the default model go: is there a key, and does anybody listen? */
static void
check_provider(struct doctor *d)
{
	const struct config *cfg = d->cfg;
	const struct provider *p = catalog_provider_alias(cfg->provider);
	const char *status = catalog_auth_status(cfg, cfg->provider), *why;
	const char *url = cfg->base_url != NULL ? cfg->base_url : js_str(cfg->provider_urls, cfg->provider);
	char host[256], port[16], env[128], vault[4352];

	snprintf(vault, sizeof(vault), "%s/vault.enc", d->cli->paths.home);
	if (strcmp(cfg->provider, "offline") == 0) {
		found(d, GOOD, "provider", "offline, built in; it is no language model");
		return;
	}
	if (p != NULL && p->cli) {
		found(d, auth_available(status) ? GOOD : BAD, "provider", auth_available(status) ? "%s: the program %s is installed" :
		    "%s: the program %s is not in PATH", cfg->provider, catalog_program(p->api_format));
		return;
	}
	if (p != NULL && p->key_required && !auth_available(status))
		found(d, access(vault, F_OK) == 0 ? GOOD : BAD, "provider", access(vault, F_OK) == 0 ?
		    "%s: %s is not in the environment; \"librefang provider show\" tells whether the vault has it" :
		    "%s: no key; set %s where the server is started, or \"librefang provider set-key\"", cfg->provider,
		    cfg->api_key_env != NULL ? cfg->api_key_env : catalog_key_env(cfg, cfg->provider, env));
	if (url == NULL && p != NULL)
		url = p->base_url;
	if (url == NULL || !host_of(url, host, port)) {
		found(d, BAD, "provider", "%s: no address is known; set default_model.base_url", cfg->provider);
		return;
	}
	why = connect_to(host, port);
	found(d, why == NULL ? GOOD : BAD, "provider", "%s at %s:%s %s%s", cfg->provider, host, port,
	    why == NULL ? "can be reached" : "cannot be reached: ", why == NULL ? "" : why);
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
check_shm(struct doctor *d)
{
	struct statvfs v;

	if (access("/dev/shm", W_OK | X_OK) != 0)
		found(d, BAD, "shared memory", "/dev/shm: %s; a tmpfs of mode 1777 is expected there", strerror(errno));
	else if (statvfs("/dev/shm", &v) == 0 && v.f_blocks > 0 && (unsigned long long)v.f_bavail * v.f_frsize < SHM_LEAST && d->pid == 0)
		found(d, BAD, "shared memory", "/dev/shm is full");
	else
		found(d, GOOD, "shared memory", "/dev/shm");
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
	if (d->cfg != NULL)
		check_provider(d);
	check_machine(d);
	check_shm(d);
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

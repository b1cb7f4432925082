/*
 * From "librefang start" to the supervisor, and back with its answer.
 *
 * The lock on the home is taken before the process goes to the background, so two
 * starts cannot both believe they are the first; the lock's file holds the pid.
 * The command then waits on a pipe until everything answers, or says why it does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

enum { LOCK_TRIES = 200, ALIVE_TRIES = 4, TAIL_BYTES = 4096 };

/* --- the lock --------------------------------------------------------------------- */

static pid_t
pid_in(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	pid = strtol(text, NULL, 10);
	return pid_alive((pid_t)pid) ? (pid_t)pid : 0;
}

pid_t
sup_running(const struct run_paths *p)
{
	SCOPED_FD fd = open(p->lock, O_RDWR | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return pid_in(fd);
}

/*
 * 0: ours. Else the pid that holds it, or -1 for other troubles. A supervisor that was killed leaves the lock
 * with its watcher for a moment; that is worth waiting for.
 */
static pid_t
take_lock(const struct run_paths *p, int *ret)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	SCOPED_FD fd = fd_high(open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	if (fd < 0)
		return -1;
	for (int i = 0, seen = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		pid_t pid = errno == EWOULDBLOCK ? pid_in(fd) : -1;

		seen = pid > 0 ? seen + 1 : 0;          /* one that dies just now is not running */
		if (pid < 0 || seen == ALIVE_TRIES || i == LOCK_TRIES)
			return pid != 0 ? pid : -1;
		nanosleep(&nap, NULL);
	}
	if (ftruncate(fd, 0) != 0)
		return -1;
	*ret = TAKE_FD(fd);
	return 0;
}

void
sup_url(const struct run_paths *p, char *out, size_t cap)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct json_object *j;
	const char *addr;
	char path[4352];

	out[0] = '\0';
	snprintf(path, sizeof(path), "%s/daemon.json", p->home);
	if (buf_read_file(&b, path) != ERR_OK || json_check(b.p, b.len, 8, NULL) != ERR_OK)
		return;
	j = json_parse(b.p, b.len);
	addr = js_str(j, "listen_addr");
	if (addr != NULL)
		snprintf(out, cap, "http://%s", addr);
	json_object_put(j);
}

/* --- finding things --------------------------------------------------------------------------- */

static bool
has_programs(const char *dir)
{
	char path[4352];

	snprintf(path, sizeof(path), "%s/librefang-fcgi", dir);
	if (access(path, X_OK) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/librefangd", dir);
	return access(path, X_OK) == 0;
}

/* Beside this program, or where an installation puts what is not for users. */
bool
sup_programs(char *out, size_t cap)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	snprintf(out, cap, "%s", self);
	if (has_programs(out))
		return true;
	snprintf(out, cap, "%.4000s/../libexec/librefang", self);
	return has_programs(out);
}

/* A restore was interrupted while it exchanged names: what is here is of two times. */
static bool
half_restored(const struct run_paths *p, char *msg, size_t cap)
{
	char path[4352];

	snprintf(path, sizeof(path), "%s/restore.pending", p->home);
	if (access(path, F_OK) != 0)
		return false;
	snprintf(msg, cap, "a restore was interrupted: run \"librefang restore FILE\" again (what was there is in %.300s/backups)",
	    p->home);
	return true;
}

static enum err
make_home(const struct run_paths *p, char *msg, size_t cap)
{
	static const char *const dirs[] = { "data", "logs", "workspaces", "workspaces/agents", "backups" };
	char path[4352];

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->home, dirs[i]);
		if (!dir_make(path, 0700)) {
			snprintf(msg, cap, "cannot make %.400s: %s", path, strerror(errno));
			return ERR_IO;
		}
	}
	return ERR_OK;
}

/* LibreFang's own command reads the log under this name. What is there already stays; without it only that command is blind. */
static void
second_name(const struct run_paths *p)
{
	char path[4352];

	snprintf(path, sizeof(path), "%s/logs/daemon.log", p->home);
	if (symlink("librefang.log", path) != 0 && errno != EEXIST)
		fprintf(stderr, "librefang: cannot make %s: %s\n", path, strerror(errno));
}

/* What writers who were killed left. Who writes config.toml or the vault meanwhile has this lock. */
static void
sweep(const struct run_paths *p, int64_t before_ms)
{
	SCOPED_FD home = open(p->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char backups[4352];

	snprintf(backups, sizeof(backups), "%s/backups", p->home);
	while (home >= 0 && flock(home, LOCK_EX) != 0)
		if (errno != EINTR)
			return;
	(void)files_sweep(p->home, before_ms);
	(void)files_sweep(backups, before_ms);
	(void)files_sweep(p->run, before_ms);
}

/* --- waiting for the answer ------------------------------------------------------------------------ */

static long
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : 0;
}

/* What was said since the start, by nginx as well. */
static void
show_tail(const char *path, long from)
{
	char text[TAIL_BYTES + 1];
	SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	long end = size_of(path);
	ssize_t n;

	if (fd < 0 || end <= from)
		return;
	if (end - from > TAIL_BYTES)
		from = end - TAIL_BYTES;
	n = pread(fd, text, TAIL_BYTES, from);
	if (n > 0)
		fprintf(stderr, "%.*s%s", (int)n, text, text[n - 1] == '\n' ? "" : "\n");
}

struct told { int code; char text[800]; };

static void
hear(int fd, struct told *t)
{
	char in[sizeof(t->text)];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(in) - 1 && ((got = read(fd, in + n, sizeof(in) - 1 - n)) > 0 ||
	    (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	in[n] = '\0';
	t->code = n > 0 ? in[0] - '0' : 1;
	snprintf(t->text, sizeof(t->text), "%s", n > 2 ? in + 2 : n > 0 ? "" : "the supervisor died");
}

static int
wait_for(struct sup *s, int fd, const struct start_options *o, bool first)
{
	long from = size_of(s->log_path);
	char url[400], link[512];
	struct told t;

	hear(fd, &t);
	if (t.code != 0) {
		fprintf(stderr, "librefang: not started: %s\n", t.text);
		show_tail(s->log_path, from);
		return EXIT_FAILED;
	}
	sup_url(&s->paths, url, sizeof(url));
	if (!s->set.private_nginx && !o->json)
		printf("LibreFang runs; a front server finds it at the sockets in %s\n", s->paths.run);
	if (o->json) {
		printf("{\"status\":\"running\",\"url\":\"%s\",\"pid\":%d}\n", url,
		    (int)sup_running(&s->paths));
		return EXIT_GOOD;
	}
	if (s->set.private_nginx)
		printf("LibreFang runs on %s\n", url);
	if (first)
		printf("The api_key is in %s\n", s->paths.config);
	if (first && s->set.private_nginx && login_link(&s->paths, link, sizeof(link)) == ERR_OK)
		printf("Open this link in a browser; it works once, for 15 minutes (\"librefang login\" makes another):\n%s\n", link);
	if (t.text[0] != '\0')
		fprintf(stderr, "librefang: warning: %s\n", t.text);
	return EXIT_GOOD;
}

/* --- the start --------------------------------------------------------------------------------------- */

bool
sup_write_pid(const struct sup *s)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return pwrite(s->fd_lock, text, (size_t)n, 0) == n;
}

static bool
to_log(const struct sup *s)
{
	SCOPED_FD null = fd_high(open("/dev/null", O_RDWR | O_CLOEXEC));
	SCOPED_FD log = fd_high(open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));

	return null >= 0 && log >= 0 && dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2;
}

static int
background(struct sup *s, const struct start_options *o, bool first)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		fprintf(stderr, "librefang: cannot fork: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	if (pid > 0) {
		close(p[1]);
		close(s->fd_lock);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return wait_for(s, p[0], o, first);
	}
	close(p[0]);
	if (setsid() < 0 || (pid = fork()) < 0)
		_exit(1);
	if (pid > 0)
		_exit(0);
	p[1] = fd_high(p[1]);
	if (!to_log(s) || chdir(s->paths.home) != 0) {
		dprintf(p[1], "1 cannot open %s: %s", s->log_path, strerror(errno));
		_exit(1);
	}
	_exit(sup_run(s, p[1]));
}

static int
refuse(const char *msg)
{
	fprintf(stderr, "librefang: not started: %s\n", msg);
	return EXIT_FAILED;
}

static int
already(const struct run_paths *p, pid_t pid)
{
	char url[400];

	sup_url(p, url, sizeof(url));
	if (pid < 0)
		fprintf(stderr, "librefang: cannot lock %s: %s\n", p->lock, strerror(errno));
	else
		fprintf(stderr, "librefang: already running (pid %d)%s%s\n", (int)pid,
		    url[0] != '\0' ? " on " : "", url);
	return EXIT_FAILED;
}

int
sup_start(const struct start_options *o)
{
	static struct sup s = {
		.fd_lock = -1, .fd_fcgi = -1, .fd_front = -1, .fd_control = -1, .fd_signal = -1,
		.fd_watch = -1, .fd_ready = -1, .fd_ollama = -1, .fd_conf = -1, .listen_over = NULL,
	};
	char msg[600] = "", key[65] = "";
	int64_t begun_ms = clock_ms();
	pid_t holder;

	umask(077);
	secret_process();
	log_open("supervisor", LOG_INFO);
	if (settings_load(&s.set, &s.paths, o->home, true, msg, sizeof(msg)) != ERR_OK)
		return refuse(msg);
	if (o->workers != 0)
		s.set.pool_size = s.workers_over = o->workers;
	s.listen_over = o->listen;
	holder = take_lock(&s.paths, &s.fd_lock);
	if (holder != 0)
		return already(&s.paths, holder);
	if (s.set.private_nginx && s.set.nginx[0] == '\0')
		return refuse("nginx is not installed (on Debian: apt-get install nginx-light)");
	if (!sup_programs(s.bin_dir, sizeof(s.bin_dir)))
		return refuse("librefangd and librefang-fcgi are not where this program is");
	if (half_restored(&s.paths, msg, sizeof(msg)))
		return refuse(msg);
	sweep(&s.paths, begun_ms);
	if (make_home(&s.paths, msg, sizeof(msg)) != ERR_OK ||
	    config_file_init(&s.paths, key, msg, sizeof(msg)) != ERR_OK)
		return refuse(msg);
	if (o->foreground) {
		zero_bytes(key, sizeof(key));
		return sup_run(&s, -1) == 0 ? EXIT_GOOD : EXIT_FAILED;
	}
	snprintf(s.log_path, sizeof(s.log_path), "%s/logs/librefang.log", s.paths.home);
	second_name(&s.paths);
	return background(&s, o, key[0] != '\0');
}

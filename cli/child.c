/*
 * Making a child: what it inherits, and nothing else.
 *
 * A worker has its listening socket as 0 (FastCGI's convention); the daemon
 * front.sock as 3, control.sock as 4 and a pipe as 5 on which it says that it is ready;
 * nginx gets its sockets by the variable that it uses for its own upgrades. All
 * share one process group; pool and nginx get no keys of providers.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/sup.h"
#include "lib/base/util.h"

extern char **environ;

enum { ENV_MAX = 1024, FD_TCP_FIRST = 3 };

const char *
slot_name(int slot)
{
	return slot < POOL_MAX ? "worker" : slot == SLOT_DAEMON ? "daemon" :
	    slot == SLOT_NGINX ? "front server (nginx)" : slot == SLOT_WATCHER ? "watcher" : "retired";
}

/* --- environment ----------------------------------------------------------------- */

static bool
ends_with(const char *s, size_t n, const char *end)
{
	size_t en = strlen(end);

	return n >= en && memcmp(s + n - en, end, en) == 0;
}

static bool
is_secret(const char *var)
{
	static const char *const ends[] = {
		"_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_PASS", "_CREDENTIALS", "_WEBHOOK_URL",
	};
	size_t n = strcspn(var, "=");

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends_with(var, n, ends[i]))
			return true;
	return false;
}

/* Ours, made anew for each child; systemd's, meant for the supervisor alone. */
static bool
is_private(const char *var)
{
	static const char *const names[] = {
		"LF_HOME=", "LF_RUN=", "LF_LOG=", "LF_SHM=", "LF_SNAPSHOT=", "LF_READY_FD=", "LF_SUPERVISOR_PID=", "NGINX=",
		"NOTIFY_SOCKET=", "LISTEN_FDS=", "LISTEN_PID=", "LIBREFANG_HOME=",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(var, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

struct env {
	char *var[ENV_MAX + 1];
	size_t n;
	char text[32768];
	size_t used;
};

static void
env_add(struct env *e, const char *name, const char *value)
{
	int n = snprintf(e->text + e->used, sizeof(e->text) - e->used, "%s=%s", name, value);

	if (n < 0 || (size_t)n >= sizeof(e->text) - e->used || e->n == ENV_MAX)
		return;
	e->var[e->n++] = e->text + e->used;
	e->used += (size_t)n + 1;
}

static void
env_make(struct env *e, const struct sup *s, int slot)
{
	for (char **v = environ; *v != NULL && e->n < ENV_MAX - 16; v++)
		if (!is_private(*v) && (slot == SLOT_DAEMON ||
		    (slot != SLOT_NGINX && !is_secret(*v)) || strncmp(*v, "TZ=", 3) == 0))
			e->var[e->n++] = *v;
	if (slot == SLOT_NGINX) {
		char fds[64];
		size_t n = 0;

		for (unsigned i = 0; i < s->n_tcp; i++)
			n += (size_t)snprintf(fds + n, sizeof(fds) - n, "%u;", FD_TCP_FIRST + i);
		env_add(e, "NGINX", fds);
		/* each map is built in a megabyte and a half, which a threshold that rises by itself leaves in the heap */
		if (getenv("GLIBC_TUNABLES") == NULL)
			env_add(e, "GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=131072");
		return;
	}
	env_add(e, "LIBREFANG_HOME", s->paths.home);
	env_add(e, "LF_HOME", s->paths.home);
	env_add(e, "LF_RUN", s->paths.run);
	env_add(e, "LF_SHM", s->paths.shm);
	env_add(e, "LF_SNAPSHOT", s->paths.snapshot);
	if (s->log_path[0] != '\0')
		env_add(e, "LF_LOG", s->log_path);
	if (slot == SLOT_DAEMON) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)getppid());
		env_add(e, "LF_SUPERVISOR_PID", pid);
		env_add(e, "LF_READY_FD", "5");
		/* a thread that waits for a model would keep what it has freed for itself, times a thousand */
		if (getenv("GLIBC_TUNABLES") == NULL)
			env_add(e, "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.pthread.stack_cache_size=2097152");
	}
}

/* --- in the child -------------------------------------------------------------------- */

static void
place(int from, int to)
{
	if (from >= 0 && dup2(from, to) < 0)
		_exit(126);
}

/* All descriptors that are passed on stand at 20 or above, so nothing is overwritten. */
static unsigned
place_fds(const struct sup *s, int slot, int ready)
{
	unsigned next = 3;

	place(slot < POOL_MAX ? s->fd_fcgi : fd_high(open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
	place(STDERR_FILENO, STDOUT_FILENO);
	if (slot == SLOT_DAEMON) {
		place(s->fd_front, 3);
		place(s->fd_control, 4);
		place(ready, 5);
		next = 6;
	}
	if (slot == SLOT_NGINX)
		for (unsigned i = 0; i < s->n_tcp; i++)
			place(s->fd_tcp[i], (int)next++);
	return next;
}

static void
exec_child(const struct sup *s, int slot, char **env)
{
	char path[4352], conf[256], prefix[256], errlog[4352];

	if (slot == SLOT_NGINX) {
		snprintf(conf, sizeof(conf), "%s/nginx.conf", s->paths.run);
		snprintf(prefix, sizeof(prefix), "%s/", s->paths.run);
		snprintf(errlog, sizeof(errlog), "%s/logs/nginx-error.log", s->paths.home);
		execve(s->set.nginx, (char *[]){ "nginx", "-c", conf, "-p", prefix, "-e", errlog, NULL }, env);
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", s->bin_dir, slot == SLOT_DAEMON ? "librefangd" : "librefang-fcgi");
	execve(path, (char *[]){ slot == SLOT_DAEMON ? "librefangd" : "librefang-fcgi", NULL }, env);
}

static void __attribute__((noreturn))
become(const struct sup *s, int slot, int ready, pid_t parent)
{
	static struct env env;
	sigset_t none;
	unsigned next;

	if (s->pgid == 0 || setpgid(0, s->pgid) != 0)
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, slot == SLOT_NGINX ? SIGTERM : SIGKILL);
	if (getppid() != parent)
		_exit(0);
	env_make(&env, s, slot);
	next = place_fds(s, slot, ready);
	(void)close_range(next, ~0U, 0);        /* they are close-on-exec as well */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	exec_child(s, slot, env.var);
	log_line(LOG_ERROR, "msg=\"cannot run %s\" errno=%d", slot_name(slot), errno);
	_exit(127);
}

/* --- in the supervisor ------------------------------------------------------------------ */

/* The group lives as long as one member does; else the child has made a new one. */
static void
note_group(struct sup *s, pid_t pid)
{
	pid_t group;

	if (s->pgid == 0 || setpgid(pid, s->pgid) != 0)
		(void)setpgid(pid, pid);        /* fails when it has done so itself and runs already */
	group = getpgid(pid);
	if (group <= 1 || group == s->pgid || group == getpgrp())
		return;
	s->pgid = group;
	watcher_tell(s);
}

bool
child_start(struct sup *s, int slot)
{
	struct child *ch = &s->child[slot];
	int ready[2] = { -1, -1 };
	pid_t self = getpid(), pid;

	ch->due_us = 0;
	if (slot == SLOT_DAEMON) {
		if (pipe2(ready, O_CLOEXEC) != 0)
			return false;
		ready[0] = fd_high(ready[0]);
		ready[1] = fd_high(ready[1]);
	}
	pid = fork();
	if (pid == 0)
		become(s, slot, ready[1], self);
	if (ready[1] >= 0)
		close(ready[1]);
	if (pid < 0) {
		if (ready[0] >= 0)
			close(ready[0]);
		log_line(LOG_ERROR, "msg=\"cannot fork\" errno=%d", errno);
		return false;
	}
	if (slot == SLOT_DAEMON) {
		if (s->fd_ready >= 0)
			close(s->fd_ready);
		s->fd_ready = ready[0];
		s->daemon_ready = false;
	}
	ch->pid = pid;
	ch->started_us = clock_mono_us();
	note_group(s, pid);
	return true;
}

bool
sup_knows(const struct sup *s, pid_t pid)
{
	for (size_t i = 0; i < CHILD_MAX; i++)
		if (s->child[i].pid == pid)
			return true;
	return false;
}

/*
 * One program, its input a file, its output a pipe. It is a process group of its own, which is killed
 * whole; and it dies with the thread that waits for it.
 *
 * Between fork and exec only calls that are safe there: other threads may have held any lock.
 */
#include "lib/agent/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/net/http.h"

enum { LOOK_MS = 10, CPU_S = 20, MEMORY_BYTES = 1 << 30, FILES = 64 };

const char *
program_find(struct ctx *c, const char *name)
{
	char path[4096];

	return path_find(name, path, sizeof(path)) ? ctx_strdup(c, path) : NULL;
}

static void
limit(int what, rlim_t n)
{
	struct rlimit r = { n, n };

	(void)setrlimit(what, &r);      /* one that is lower already stays */
}

static void
child(const char *path, char *const argv[], int in, int out)
{
	char lang[] = "LC_ALL=C.UTF-8", where[] = "PATH=/usr/bin:/bin", *const env[] = { lang, where, NULL };
	sigset_t none;
	int null = open("/dev/null", O_WRONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CPU, CPU_S);
	limit(RLIMIT_AS, MEMORY_BYTES);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FILES);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0 || close_range(3, ~0U, 0) != 0)
		_exit(127);
	execve(path, argv, env);
	_exit(127);
}

/* Read until its end, the deadline, a cancel, or as much as is wanted. */
static enum err
gather(struct ctx *c, int fd, int64_t until_us, const struct cancel_watch *k, struct buf *out, bool *cut)
{
	char part[16384];

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = k->fd, .events = POLLIN } };
		ssize_t n;

		if (cancelled(k->k))
			return fail(c, ERR_CANCELLED, "Cancelled");
		if (clock_mono_us() >= until_us)
			return fail(c, ERR_TIMEOUT, "The program was not done in time");
		if (poll(p, 2, cancel_watch_ms(k, until_us)) <= 0 || p[0].revents == 0)
			continue;
		n = read(fd, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? ERR_OK : fail(c, ERR_UPSTREAM, "The program's output cannot be read");
		if ((size_t)n > out->max - out->len) {
			buf_add(out, part, out->max - out->len);
			*cut = true;
			return ERR_OK;
		}
		buf_add(out, part, (size_t)n);
		if (out->failed)
			return fail(c, ERR_NOMEM, "out of memory");
	}
}

/* It has closed its output; soon it should be gone. */
static enum err
wait_end(struct ctx *c, pid_t pid, int64_t until_us, const struct cancel_watch *k)
{
	SCOPED_FD fd = pidfd_open(pid, 0);
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = k->fd, .events = POLLIN } };
	siginfo_t si = { 0 };

	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT | WNOHANG) == 0 && si.si_pid == 0) {
		if (cancelled(k->k))
			return fail(c, ERR_CANCELLED, "Cancelled");
		if (clock_mono_us() >= until_us)
			return fail(c, ERR_TIMEOUT, "The program was not done in time");
		(void)poll(p, 2, fd >= 0 ? cancel_watch_ms(k, until_us) : LOOK_MS);
	}
	return ERR_OK;
}

enum err
program_output(struct ctx *c, const char *path, char *const argv[], int input_fd, unsigned timeout_ms, struct cancel *k,
    struct buf *out, bool *ret_cut)
{
	int64_t until = clock_mono_us() + (int64_t)timeout_ms * 1000;
	struct cancel_watch watch;
	SCOPED_FD from = -1;
	SCOPED_FD to = -1;
	int ends[2], status = 0;
	enum err e;
	pid_t pid;

	*ret_cut = false;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail(c, ERR_UNAVAILABLE, "no pipe for a program");
	from = ends[0];
	to = ends[1];
	pid = fork();
	if (pid == 0)
		child(path, argv, input_fd, to);
	if (pid < 0)
		return fail(c, ERR_UNAVAILABLE, "no process for a program");
	(void)setpgid(pid, pid);
	scoped_fd_close(&to);
	to = -1;
	cancel_watch(&watch, k);
	e = gather(c, from, until, &watch, out, ret_cut);
	if (e == ERR_OK && !*ret_cut)
		e = wait_end(c, pid, until, &watch);
	cancel_unwatch(&watch);
	(void)kill(-pid, SIGKILL);      /* also what it may have left behind; its id is taken until we have waited */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (e == ERR_OK && !*ret_cut && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return fail(c, ERR_UPSTREAM, "The program failed");
	return e;
}

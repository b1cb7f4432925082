/*
 * Running a program: three pipes, one loop.
 *
 * Between fork and exec only calls that are safe there: other threads may have held any lock. The child's
 * id is not given back before its group is killed, so that no stranger is.
 */
#include "lib/llm/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/util.h"

enum { LOOK_MS = 10, END_MS = 2000, PART = 16384 };

extern char **environ;

struct pipes { int in, out, err; };     /* our ends; -1: closed */

static bool
is_given(const char *var, const char *prefix)
{
	static const char *const names[] = { "HOME=", "USER=", "LOGNAME=", "PATH=", "LANG=", "LC_", "TZ=", "TMPDIR=", "XDG_",
		"SSL_CERT_", "HTTPS_PROXY=", "HTTP_PROXY=", "NO_PROXY=", "https_proxy=", "http_proxy=", "no_proxy=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(var, names[i], strlen(names[i])) == 0)
			return true;
	return strncmp(var, prefix, strlen(prefix)) == 0;
}

void
child_env(struct child_env *e, const char *prefix)
{
	e->n = 0;
	for (char **v = environ; v != NULL && *v != NULL && e->n < CHILD_ENV_MAX; v++)
		if (is_given(*v, prefix))
			e->v[e->n++] = *v;
	e->v[e->n] = NULL;
}

static void
become(const struct child *c, int in, int out, int err)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || close_range(3, ~0U, 0) != 0 || chdir(c->dir) != 0)
		_exit(127);
	execve(c->path, (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)c->envp);
	_exit(127);
}

static enum err
start(const struct child *c, struct pipes *p, pid_t *pid)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) != 0)
		return ERR_UNAVAILABLE;
	if (pipe2(out, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return ERR_UNAVAILABLE;
	}
	if (pipe2(err, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		return ERR_UNAVAILABLE;
	}
	*pid = fork();
	if (*pid == 0)
		become(c, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*p = (struct pipes){ in[1], out[0], err[0] };
	if (*pid < 0)
		return ERR_UNAVAILABLE;
	(void)setpgid(*pid, *pid);
	(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
	return ERR_OK;
}

/* More of the input, if it takes any; closed at its end, or when it is not wanted. */
static void
give(const struct child *c, struct pipes *p, size_t *at)
{
	ssize_t n = *at < c->input_bytes ? write(p->in, c->input + *at, c->input_bytes - *at) : -1;

	if (n > 0)
		*at += (size_t)n;
	if (*at < c->input_bytes && (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))))
		return;
	scoped_fd_close(&p->in);
	p->in = -1;
}

static void
note(struct child *c, struct pipes *p)
{
	char part[1024];
	ssize_t n = read(p->err, part, sizeof(part));

	if (n > 0) {
		if (c->said.len + (size_t)n > CHILD_ERR_MAX)
			buf_eat(&c->said, c->said.len < (size_t)n ? c->said.len : (size_t)n);
		buf_add(&c->said, part, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		scoped_fd_close(&p->err);
		p->err = -1;
	}
}

/* *more: go on. */
static enum err
hear(struct child *c, struct pipes *p, size_t *got, bool *more)
{
	char part[PART];
	ssize_t n = read(p->out, part, sizeof(part));

	*more = n > 0 || (n < 0 && errno == EINTR);
	if (n <= 0)
		return ERR_OK;
	*got += (size_t)n;
	if (*got > c->max_bytes)
		return ERR_TOO_LARGE;
	*more = c->on_bytes(c->arg, part, (size_t)n);
	return ERR_OK;
}

/* Who has said nothing for a while is told of, once. */
static bool
tells_quiet(const struct child *c, int64_t last_us, int64_t told_us)
{
	return c->on_quiet != NULL && c->quiet_ms > 0 && told_us != last_us;
}

static enum err
talk(struct child *c, struct pipes *p, const struct cancel_watch *k, int64_t until_us)
{
	int64_t last_us = clock_mono_us(), told_us = 0;
	size_t given = 0, got = 0;
	bool more = true;
	enum err e = ERR_OK;

	while (more && e == ERR_OK) {
		struct pollfd f[4] = { { .fd = p->out, .events = POLLIN }, { .fd = p->err, .events = POLLIN }, { .fd = p->in, .events = POLLOUT },
			{ .fd = k->fd, .events = POLLIN } };
		bool tells = tells_quiet(c, last_us, told_us);
		int64_t quiet_us = last_us + (int64_t)c->quiet_ms * 1000;
		int n = poll(f, 4, cancel_watch_ms(k, tells && quiet_us < until_us ? quiet_us : until_us));

		if (cancelled(c->cancel))
			return ERR_CANCELLED;
		if (clock_mono_us() >= until_us)
			return ERR_TIMEOUT;
		if (n > 0 && f[2].revents != 0)
			give(c, p, &given);
		if (n > 0 && f[1].revents != 0)
			note(c, p);
		if (n > 0 && f[0].revents != 0) {
			e = hear(c, p, &got, &more);
			last_us = clock_mono_us();
		} else if (tells && clock_mono_us() >= quiet_us) {
			told_us = last_us;
			c->on_quiet(c->arg);
		}
	}
	return e;
}

/* It has closed its output: soon it should be gone, and what it still has to say is worth hearing. */
static void
farewell(struct child *c, struct pipes *p, pid_t pid, const struct cancel_watch *k, int64_t until_us)
{
	SCOPED_FD fd = pidfd_open(pid, 0);      /* readable at its end; without one it is looked after */
	siginfo_t si = { 0 };

	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT | WNOHANG) == 0 && si.si_pid == 0 && clock_mono_us() < until_us &&
	    !cancelled(c->cancel)) {
		struct pollfd f[3] = { { .fd = p->err, .events = POLLIN }, { .fd = fd, .events = POLLIN }, { .fd = k->fd, .events = POLLIN } };

		if (poll(f, 3, fd >= 0 ? cancel_watch_ms(k, until_us) : LOOK_MS) > 0 && f[0].revents != 0)
			note(c, p);
	}
	for (int i = 0; i < 8 && p->err >= 0; i++) {
		struct pollfd f = { .fd = p->err, .events = POLLIN };

		if (poll(&f, 1, 0) <= 0)
			break;
		note(c, p);
	}
}

enum err
child_run(struct child *c)
{
	int64_t until = clock_mono_us() + (int64_t)c->timeout_ms * 1000, soon;
	struct pipes p = { -1, -1, -1 };
	struct cancel_watch watch;
	int status = 0;
	pid_t pid = -1;
	enum err e;

	c->said = (struct buf)BUF_INIT(CHILD_ERR_MAX + 1024);
	c->exit_code = -1;
	e = start(c, &p, &pid);
	if (e == ERR_OK) {
		cancel_watch(&watch, c->cancel);
		e = talk(c, &p, &watch, until);
		soon = clock_mono_us() + END_MS * 1000;
		if (e == ERR_OK)
			farewell(c, &p, pid, &watch, soon < until ? soon : until);
		cancel_unwatch(&watch);
		(void)kill(-pid, SIGKILL);      /* also what it may have left behind */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		c->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	scoped_fd_close(&p.in);
	scoped_fd_close(&p.out);
	scoped_fd_close(&p.err);
	return e;
}

/*
 * The watcher: a tiny process that holds the other end of a pipe from the supervisor.
 *
 * When the supervisor is killed, the pipe ends; the watcher kills the
 * process group of all children, waits until they are gone, and only then lets go of the
 * home's lock, so that the next start finds a free port. The pool and the daemon also die
 * by PDEATHSIG; nginx's workers are nobody's children then, hence this.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/sup.h"
#include "lib/base/util.h"

enum { GONE_TRIES = 250 };              /* of 2 ms each */

static void
take_down(pid_t group)
{
	const struct timespec nap = { .tv_nsec = 2000000 };

	kill(-group, SIGKILL);
	for (int i = 0; i < GONE_TRIES && group_alive(group); i++)
		nanosleep(&nap, NULL);
}

static void __attribute__((noreturn))
watch(int pipe_fd, int lock_fd, pid_t group)
{
	sigset_t none;

	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "librefang-watch");
	/* 0: pipe, 1: lock; everything else is not ours */
	if (dup2(pipe_fd, 0) < 0 || dup2(lock_fd, 1) < 0 || close_range(2, ~0U, 0) != 0)
		_exit(1);
	for (;;) {
		pid_t told;
		ssize_t n = read(0, &told, sizeof(told));

		if (n == (ssize_t)sizeof(told))
			group = told;
		else if (n >= 0 || errno != EINTR)
			break;
	}
	if (group > 1)
		take_down(group);
	_exit(0);
}

void
watcher_start(struct sup *s)
{
	struct child *ch = &s->child[SLOT_WATCHER];
	int p[2];

	if (s->fd_watch >= 0)
		close(s->fd_watch);
	s->fd_watch = -1;
	if (pipe2(p, O_CLOEXEC) != 0)
		return;
	s->fd_watch = fd_high(p[1]);
	ch->pid = fork();
	if (ch->pid == 0) {
		close(s->fd_watch);
		setpgid(0, 0);
		watch(p[0], s->fd_lock, s->pgid);
	}
	close(p[0]);
	if (ch->pid < 0) {
		ch->pid = 0;
		log_line(LOG_ERROR, "msg=\"no watcher\" errno=%d", errno);
		return;
	}
	setpgid(ch->pid, ch->pid);
	ch->started_us = clock_mono_us();
	ch->due_us = 0;
}

void
watcher_tell(struct sup *s)
{
	if (s->fd_watch >= 0 && write(s->fd_watch, &s->pgid, sizeof(s->pgid)) != (ssize_t)sizeof(s->pgid))
		log_line(LOG_WARN, "msg=\"the watcher does not listen\"");      /* its death is noticed soon */
}

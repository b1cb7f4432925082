/*
 * The FastCGI backend: accept, one request, close, again.
 *
 * We accept ourselves and give libfcgi the connected socket. The library's
 * own accept has a window in which a signal is missed, and a worker that is asked
 * to go must neither hang there nor break off a request: the signals are blocked but
 * while it sleeps (and for a moment now and then, should it never come to
 * sleep). Sleeping is exclusive: a connection wakes one worker.
 *
 * Before it sleeps a worker lets others run once. Under load the front server makes its next
 * connections in that moment; to wake a sleeper for each of them costs both
 * sides more than most answers do.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/worker.h"
#include "lib/base/util.h"

enum { LISTEN_FD = 0, LOOK_EVERY = 64, REST_MS = 5000 };

static volatile sig_atomic_t stopping;

static void
on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

/* ret: the mask to sleep with. */
static void
catch_signals(sigset_t *ret)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGUSR2);
	sigprocmask(SIG_BLOCK, &stops, ret);
	sigdelset(ret, SIGTERM);
	sigdelset(ret, SIGUSR2);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR2, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
}

/* The next connection; -1 when it is time to go. Who has slept for a while gives back what is of use to the busy. */
static int
next_connection(struct worker *w, int ep, const sigset_t *asleep)
{
	static unsigned n;
	bool let_run = false, rests = false;

	while (!stopping) {
		struct epoll_event ev;
		int fd = -1;

		if (++n % LOOK_EVERY == 0)
			(void)epoll_pwait(ep, &ev, 1, 0, asleep);       /* only lets signals in */
		else
			fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (n % LOOK_EVERY == 0 || errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			log_line(LOG_ERROR, "msg=\"accept failed\" errno=%d", errno);
			return -1;
		}
		if (!let_run) {
			let_run = true;
			(void)sched_yield();            /* it cannot fail */
			continue;
		}
		if (epoll_pwait(ep, &ev, 1, rests ? -1 : REST_MS, asleep) == 0) {      /* EINTR: look at the flag */
			rests = true;
			worker_rest(w);
		}
	}
	return -1;
}

static ssize_t
stream_read(struct backend *b, void *out, size_t n)
{
	FCGX_Request *rq = b->from;
	int got = FCGX_GetStr(out, n > 1 << 20 ? 1 << 20 : (int)n, rq->in);

	return got == 0 && FCGX_GetError(rq->in) != 0 ? -1 : got;
}

static bool
stream_write(struct backend *b, const void *bytes, size_t n)
{
	FCGX_Request *rq = b->from;
	const char *p = bytes;

	while (n > 0) {
		int part = n > 1 << 20 ? 1 << 20 : (int)n;

		if (FCGX_PutStr(p, part, rq->out) != part)
			return false;
		p += part;
		n -= (size_t)part;
	}
	return true;
}

/*
 * The library lingers at each close, lest unread input makes the kernel drop our answer.
 * Where the input was read to its end there is nothing to wait for.
 */
static void
finish(FCGX_Request *rq)
{
	if (FCGX_GetChar(rq->in) == EOF && FCGX_GetError(rq->in) == 0)
		(void)FCGX_Detach(rq);          /* "detached" is its word for a plain close; it cannot fail */
	FCGX_Finish_r(rq);
}

static int
watch(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int flags = fcntl(LISTEN_FD, F_GETFL);

	if (ep < 0 || flags < 0 || fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, LISTEN_FD, &ev) != 0)
		return -1;
	return ep;
}

int
fcgi_loop(struct worker *w)
{
	SCOPED_FD ep = watch();
	FCGX_Request rq;
	sigset_t asleep;
	int fd;

	/* No listening socket for the library: it must never accept by itself. */
	if (ep < 0 || FCGX_Init() != 0 || FCGX_InitRequest(&rq, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
		log_line(LOG_ERROR, "msg=\"cannot serve on the listening socket\" errno=%d", errno);
		return 1;
	}
	catch_signals(&asleep);
	while ((fd = next_connection(w, ep, &asleep)) >= 0) {
		struct backend b = { .from = &rq, .read = stream_read, .write = stream_write };

		rq.ipcFd = fd;
		rq.keepConnection = 1;          /* or the library closes it as left from before; the request says anew */
		if (FCGX_Accept_r(&rq) != 0)
			continue;               /* not FastCGI, or gone already; the library closed it */
		b.envp = rq.envp;
		(void)worker_serve(w, &b);      /* a client that is gone is no failure of ours */
		finish(&rq);
		FCGX_Free(&rq, 1);              /* also where the front server would keep it: one request each */
	}
	return stopping ? 0 : 1;
}

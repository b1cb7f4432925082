/*
 * The pool of threads. A stack of idle threads, each with a condition of its
 * own: handing a job over wakes exactly one thread, and no idle thread ever
 * looks whether there is work. A job never waits in line: it runs now or is refused.
 */
#include "daemon/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Never freed: whoever handed a job over may signal late, when its thread has ended already. */
struct worker {
	struct worker *below;           /* in the stack of idle ones, or of those without a thread */
	pthread_cond_t wake;
	void (*fn)(void *);
	void *arg;
};

static struct {
	pthread_mutex_t mu;
	pthread_cond_t fewer;           /* a thread ended; waits by the wall clock */
	struct worker *idle, *spare;
	unsigned n, n_idle, cap;
	bool stopping;
} pool = { .mu = PTHREAD_MUTEX_INITIALIZER, .fewer = PTHREAD_COND_INITIALIZER, .cap = 64 };

static void
deadline_in(struct timespec *ts, clockid_t clock, unsigned ms)
{
	clock_gettime(clock, ts);
	ts->tv_sec += ms / 1000;
	ts->tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_nsec -= 1000000000;
		ts->tv_sec++;
	}
}

static void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &a);
	pthread_condattr_destroy(&a);
}

static void
unstack(struct worker *w)
{
	struct worker **at = &pool.idle;

	while (*at != w)
		at = &(*at)->below;
	*at = w->below;
	pool.n_idle--;
}

/* Wait on the stack for a job. false: enough waited, end. Called with the lock. */
static bool
next_job(struct worker *w)
{
	struct timespec until;

	if (pool.stopping)
		return false;
	w->below = pool.idle;
	pool.idle = w;
	pool.n_idle++;
	deadline_in(&until, CLOCK_MONOTONIC, THREADS_IDLE_MS);
	while (w->fn == NULL) {
		int rc = pool.n <= THREADS_KEPT ? pthread_cond_wait(&w->wake, &pool.mu)
		    : pthread_cond_timedwait(&w->wake, &pool.mu, &until);

		if (w->fn != NULL)
			break;          /* the giver took us off the stack */
		if (pool.stopping || (rc == ETIMEDOUT && pool.n > THREADS_KEPT)) {
			unstack(w);
			return false;
		}
	}
	return true;
}

/* With the lock. */
static void
thread_ended(struct worker *w)
{
	w->fn = NULL;
	w->below = pool.spare;
	pool.spare = w;
	pool.n--;
	pthread_cond_broadcast(&pool.fewer);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	pthread_setname_np(pthread_self(), "lf-job");
	pthread_mutex_lock(&pool.mu);
	do {
		void (*fn)(void *) = w->fn;
		void *what = w->arg;

		pthread_mutex_unlock(&pool.mu);
		fn(what);
		pthread_mutex_lock(&pool.mu);
		w->fn = NULL;
	} while (next_job(w));
	thread_ended(w);
	pthread_mutex_unlock(&pool.mu);
	return NULL;
}

static struct worker *
worker_new(void)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w != NULL)
		cond_init(&w->wake);
	return w;
}

/* Called without the lock; the caller has counted the thread already. */
static int
spawn(struct worker *w, void (*fn)(void *), void *arg)
{
	pthread_attr_t a;
	pthread_t id;
	int rc;

	if (w == NULL && (w = worker_new()) == NULL)
		return -1;
	w->fn = fn;
	w->arg = arg;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&a, THREAD_STACK_BYTES);
	rc = pthread_create(&id, &a, worker_main, w);
	pthread_attr_destroy(&a);
	if (rc == 0)
		return 0;
	pthread_mutex_lock(&pool.mu);
	w->fn = NULL;
	w->below = pool.spare;
	pool.spare = w;
	pthread_mutex_unlock(&pool.mu);
	return -1;
}

void
threads_init(unsigned cap)
{
	pthread_mutex_lock(&pool.mu);
	pool.cap = cap + THREADS_RESERVE;
	pool.stopping = false;
	pthread_mutex_unlock(&pool.mu);
}

int
threads_run(void (*fn)(void *), void *arg)
{
	struct worker *w;

	pthread_mutex_lock(&pool.mu);
	w = pool.idle;
	if (w != NULL) {
		pool.idle = w->below;
		pool.n_idle--;
		w->fn = fn;
		w->arg = arg;
		pthread_mutex_unlock(&pool.mu);
		pthread_cond_signal(&w->wake);  /* now, so that it finds the lock free */
		return 0;
	}
	if (pool.stopping || pool.n >= pool.cap) {
		pthread_mutex_unlock(&pool.mu);
		return -1;
	}
	pool.n++;
	w = pool.spare;
	if (w != NULL)
		pool.spare = w->below;
	pthread_mutex_unlock(&pool.mu);
	if (spawn(w, fn, arg) == 0)
		return 0;
	pthread_mutex_lock(&pool.mu);
	pool.n--;
	pthread_cond_broadcast(&pool.fewer);
	pthread_mutex_unlock(&pool.mu);
	return -1;
}

unsigned
threads_busy(void)
{
	unsigned n;

	pthread_mutex_lock(&pool.mu);
	n = pool.n - pool.n_idle;
	pthread_mutex_unlock(&pool.mu);
	return n;
}

unsigned
threads_count(void)
{
	unsigned n;

	pthread_mutex_lock(&pool.mu);
	n = pool.n;
	pthread_mutex_unlock(&pool.mu);
	return n;
}

bool
threads_stop(unsigned timeout_ms)
{
	struct timespec until;
	bool none;

	deadline_in(&until, CLOCK_REALTIME, timeout_ms);
	pthread_mutex_lock(&pool.mu);
	pool.stopping = true;
	for (struct worker *w = pool.idle; w != NULL; w = w->below)
		pthread_cond_signal(&w->wake);
	while (pool.n > 0)
		if (pthread_cond_timedwait(&pool.fewer, &pool.mu, &until) == ETIMEDOUT)
			break;
	none = pool.n == 0;
	pthread_mutex_unlock(&pool.mu);
	return none;
}

/*
 * The pool of threads. A stack of idle threads, each with a condition of its
 * own: handing a job over wakes exactly one thread, and no idle thread ever
 * looks whether there is work.
 *
 * The difficult thing is a crowd. A thousand jobs that begin at once would share two
 * processors, each with its half-made request in memory, and be done in any order. So only a few
 * are at their beginning at a time, the others stand in line without a thread; a job that has come to where it
 * waits for somebody else says so (threads_rest) and the next begins. Who forgets to say it holds the
 * line up for STALL_MS and no longer.
 */
#include "daemon/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/util.h"
#include "lib/svc/catalog.h"

enum {
	AT_ONCE = 16,                    /* jobs at their beginning */
	STALL_MS = 100,                 /* who has not ended nor rested in this time does wait for somebody */
	RETRY_MS = 25,                  /* when no thread could be made */
	CROWD = 64,                     /* so many threads or jobs in line leave something to clean up */
};

/* Never freed: whoever handed a job over may signal late, when its thread has ended already. */
struct worker {
	struct worker *below;           /* in the stack of idle ones, or of those without a thread */
	pthread_cond_t wake;
	void (*fn)(void *);
	void *arg;
	bool fresh;                     /* its job is at its beginning */
	int64_t since_us;
};

struct waiting {
	struct waiting *next;
	void (*fn)(void *);
	void *arg;
};

static struct {
	pthread_mutex_t mu;
	pthread_cond_t fewer;           /* a thread ended; waits by the wall clock */
	struct worker *idle, *spare;
	unsigned n, n_idle, cap, most;  /* most: threads since there were few */
	bool stopping;
	struct worker *fresh[AT_ONCE];
	unsigned n_fresh;
	struct waiting *head, **end;    /* the line */
	unsigned n_line, longest;       /* longest: since it is watched */
	bool watched;                   /* a thread looks after the line */
	pthread_cond_t no_line;         /* for that one: nobody stands in it any more */
	void (*on_quiet)(void);
} pool = { .mu = PTHREAD_MUTEX_INITIALIZER, .fewer = PTHREAD_COND_INITIALIZER, .no_line = PTHREAD_COND_INITIALIZER, .cap = 64,
	.end = &pool.head };

static _Thread_local struct worker *me;

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

/* With the lock. true: of a crowd of threads only the usual few are left. */
static bool
thread_ended(struct worker *w)
{
	bool quiet;

	w->fn = NULL;
	w->below = pool.spare;
	pool.spare = w;
	pool.n--;
	quiet = pool.n <= THREADS_KEPT && pool.most >= CROWD && !pool.stopping;
	if (quiet)
		pool.most = 0;
	pthread_cond_broadcast(&pool.fewer);
	return quiet;
}

/* --- the line: all with the lock --------------------------------------------------- */

static void
fresh_add(struct worker *w)
{
	w->fresh = true;
	w->since_us = clock_mono_us();
	pool.fresh[pool.n_fresh++] = w;
}

static void
fresh_drop(struct worker *w)
{
	if (!w->fresh)
		return;
	w->fresh = false;
	for (unsigned i = 0; i < pool.n_fresh; i++)
		if (pool.fresh[i] == w)
			pool.fresh[i] = pool.fresh[--pool.n_fresh];
}

static bool
line_add(void (*fn)(void *), void *arg)
{
	struct waiting *x = malloc(sizeof(*x));

	if (x == NULL)
		return false;
	*x = (struct waiting){ .fn = fn, .arg = arg };
	*pool.end = x;
	pool.end = &x->next;
	if (++pool.n_line > pool.longest)
		pool.longest = pool.n_line;
	return true;
}

/* The one who came first, if a job may begin; else NULL. */
static struct waiting *
line_next(void)
{
	struct waiting *x = pool.head;

	if (x == NULL || pool.n_fresh == AT_ONCE)
		return NULL;
	pool.head = x->next;
	if (pool.head == NULL)
		pool.end = &pool.head;
	if (--pool.n_line == 0 && pool.watched)
		pthread_cond_signal(&pool.no_line);
	return x;
}

static void
line_put_back(struct waiting *x)
{
	x->next = pool.head;
	if (pool.head == NULL)
		pool.end = &x->next;
	pool.head = x;
	pool.n_line++;
}

/* --- threads ------------------------------------------------------------------------- */

/* Its next job: who stands in line goes before who comes anew. */
static bool
job_from_line(struct worker *w)
{
	struct waiting *x = line_next();

	if (x == NULL)
		return false;
	w->fn = x->fn;
	w->arg = x->arg;
	free(x);
	fresh_add(w);
	return true;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	void (*on_quiet)(void);

	me = w;
	pthread_setname_np(pthread_self(), "lf-job");
	pthread_mutex_lock(&pool.mu);
	do {
		void (*fn)(void *) = w->fn;
		void *what = w->arg;

		pthread_mutex_unlock(&pool.mu);
		catalog_enter();
		memory_short = false;
		fn(what);
		catalog_leave();
		pthread_mutex_lock(&pool.mu);
		w->fn = NULL;
		fresh_drop(w);
	} while (job_from_line(w) || next_job(w));
	on_quiet = thread_ended(w) ? pool.on_quiet : NULL;
	pthread_mutex_unlock(&pool.mu);
	if (on_quiet != NULL)
		on_quiet();
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

static int
spawn(struct worker *w)
{
	pthread_attr_t a;
	pthread_t id;
	int rc;

	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&a, THREAD_STACK_BYTES);
	rc = pthread_create(&id, &a, worker_main, w);
	pthread_attr_destroy(&a);
	return rc == 0 ? 0 : -1;
}

/* With the lock: an idle thread's worker, or one that has no thread yet. NULL: no memory. */
static struct worker *
worker_take(bool *idle)
{
	struct worker *w = pool.idle;

	*idle = w != NULL;
	if (w != NULL) {
		pool.idle = w->below;
		pool.n_idle--;
		return w;
	}
	w = pool.spare;
	if (w != NULL)
		pool.spare = w->below;
	else
		w = worker_new();
	if (w != NULL && ++pool.n > pool.most)
		pool.most = pool.n;
	return w;
}

/* Called with the lock, returns without. -1: no thread can be made. */
static int
begin_and_unlock(void (*fn)(void *), void *arg, bool fresh)
{
	bool idle;
	struct worker *w = worker_take(&idle);

	if (w != NULL) {
		w->fn = fn;
		w->arg = arg;
		if (fresh)
			fresh_add(w);
	}
	pthread_mutex_unlock(&pool.mu);
	if (idle)
		pthread_cond_signal(&w->wake);  /* now, so that it finds the lock free */
	if (idle || (w != NULL && spawn(w) == 0))
		return 0;
	if (w == NULL)
		return -1;
	pthread_mutex_lock(&pool.mu);
	fresh_drop(w);
	(void)thread_ended(w);
	pthread_mutex_unlock(&pool.mu);
	return -1;
}

/* Let begin who may. Without a thread for it a job stays first in line, until a busy one ends. */
static void
move_line(void)
{
	struct waiting *x;

	for (;;) {
		pthread_mutex_lock(&pool.mu);
		x = line_next();
		if (x == NULL)
			break;
		if (begin_and_unlock(x->fn, x->arg, true) != 0) {
			pthread_mutex_lock(&pool.mu);
			line_put_back(x);
			break;
		}
		free(x);
	}
	pthread_mutex_unlock(&pool.mu);
}

static void
drop_stalled(void)
{
	int64_t before_us = clock_mono_us() - STALL_MS * 1000;

	for (unsigned i = pool.n_fresh; i > 0; i--)
		if (pool.fresh[i - 1]->since_us <= before_us)
			fresh_drop(pool.fresh[i - 1]);
}

/* With the lock: when the first of those at their beginning will hold the line up. */
static int64_t
line_due_us(void)
{
	int64_t due = INT64_MAX;

	if (pool.n_fresh < AT_ONCE)
		return clock_mono_us() + RETRY_MS * 1000;
	for (unsigned i = 0; i < pool.n_fresh; i++)
		if (pool.fresh[i]->since_us < due)
			due = pool.fresh[i]->since_us;
	return due + STALL_MS * 1000;
}

/* A thread of its own while there is a line: looks for those who hold it up. */
static void
watch_line(void *unused)
{
	void (*on_quiet)(void);

	(void)unused;
	pthread_mutex_lock(&pool.mu);
	while (pool.n_line > 0) {
		struct timespec until = timespec_of_us(line_due_us());

		pthread_cond_clockwait(&pool.no_line, &pool.mu, CLOCK_MONOTONIC, &until);
		drop_stalled();
		pthread_mutex_unlock(&pool.mu);
		move_line();
		pthread_mutex_lock(&pool.mu);
	}
	pool.watched = false;
	on_quiet = pool.longest >= CROWD ? pool.on_quiet : NULL;
	pool.longest = 0;
	pthread_mutex_unlock(&pool.mu);
	if (on_quiet != NULL)
		on_quiet();
}

/* --- for everybody ------------------------------------------------------------------- */

void
threads_init(unsigned cap)
{
	pthread_mutex_lock(&pool.mu);
	pool.cap = cap + THREADS_RESERVE;
	pool.stopping = false;
	pthread_mutex_unlock(&pool.mu);
}

void
threads_on_quiet(void (*fn)(void))
{
	pthread_mutex_lock(&pool.mu);
	pool.on_quiet = fn;
	pthread_mutex_unlock(&pool.mu);
}

/* With the lock. */
static unsigned
busy(void)
{
	return pool.n - pool.n_idle - (pool.watched ? 1 : 0) + pool.n_line;
}

/* Called with the lock, returns without. */
static int
stand_in_line(void (*fn)(void *), void *arg)
{
	bool added = line_add(fn, arg), watch = added && !pool.watched;

	if (!watch) {
		pthread_mutex_unlock(&pool.mu);
		return added ? 0 : -1;
	}
	pool.watched = true;
	if (begin_and_unlock(watch_line, NULL, false) != 0) {
		pthread_mutex_lock(&pool.mu);
		pool.watched = false;           /* the line moves as others end or rest */
		pthread_mutex_unlock(&pool.mu);
	}
	return 0;
}

int
threads_run(void (*fn)(void *), void *arg)
{
	pthread_mutex_lock(&pool.mu);
	if (pool.stopping || busy() >= pool.cap) {
		pthread_mutex_unlock(&pool.mu);
		return -1;
	}
	if (pool.n_fresh == AT_ONCE || pool.n_line > 0)
		return stand_in_line(fn, arg);
	return begin_and_unlock(fn, arg, true);
}

int
threads_run_now(void (*fn)(void *), void *arg)
{
	pthread_mutex_lock(&pool.mu);
	if (!pool.stopping && busy() < pool.cap)
		return begin_and_unlock(fn, arg, false);
	pthread_mutex_unlock(&pool.mu);
	return -1;
}

void
threads_rest(void)
{
	bool next;

	if (me == NULL)
		return;
	pthread_mutex_lock(&pool.mu);
	next = me->fresh && pool.n_line > 0;
	fresh_drop(me);
	pthread_mutex_unlock(&pool.mu);
	if (next)
		move_line();
}

unsigned
threads_busy(void)
{
	unsigned n;

	pthread_mutex_lock(&pool.mu);
	n = busy();
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

	deadline_in(&until, CLOCK_MONOTONIC, timeout_ms);
	pthread_mutex_lock(&pool.mu);
	pool.stopping = true;
	for (struct worker *w = pool.idle; w != NULL; w = w->below)
		pthread_cond_signal(&w->wake);
	while (pool.n > 0)
		if (pthread_cond_clockwait(&pool.fewer, &pool.mu, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	none = pool.n == 0;
	pthread_mutex_unlock(&pool.mu);
	return none;
}

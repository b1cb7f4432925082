/* Threads: reused, capped, in order, ended. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "daemon/threads.h"
#include "lib/base/util.h"
#include "t/tap.h"

static _Atomic int ran;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uintptr_t last_thread;

static void
quick(void *arg)
{
	(void)arg;
	atomic_store(&last_thread, (uintptr_t)pthread_self());
	atomic_fetch_add(&ran, 1);
}

static void
held(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	atomic_fetch_add(&ran, 1);
}

static bool
soon(bool (*what)(void))
{
	for (int i = 0; i < 30000; i++) {
		if (what())
			return true;
		usleep(1000);
	}
	return false;
}

static bool all_idle(void) { return threads_busy() == 0; }

/* --- a crowd --------------------------------------------------------------------------- */

enum { CROWD = 400 };

static _Atomic int begun, quiets;
static int place[CROWD];

static void
numbered(void *arg)
{
	int64_t until = clock_mono_us() + 2000;

	*(int *)arg = atomic_fetch_add(&begun, 1);
	while (clock_mono_us() < until)
		;
	atomic_fetch_add(&ran, 1);
}

static void
rests(void *arg)
{
	atomic_fetch_add(&begun, 1);
	threads_rest();
	held(arg);
}

static void
says_quiet(void)
{
	atomic_fetch_add(&quiets, 1);
}

static bool all_begun(void) { return atomic_load(&begun) == CROWD; }
static bool one_ran(void) { return atomic_load(&ran) == 1; }
static bool two_ran(void) { return atomic_load(&ran) == 2; }
static bool was_quiet(void) { return atomic_load(&quiets) > 0; }

static void
test_order(void)
{
	int taken = 0, out = 0;

	atomic_store(&begun, 0);
	threads_on_quiet(says_quiet);
	for (int i = 0; i < CROWD; i++)
		taken += threads_run(numbered, &place[i]) == 0;
	is_int(taken, CROWD, "a crowd is taken");
	ok(soon(all_idle), "and served");
	for (int i = 0; i < CROWD; i++)
		out += place[i] > i + 32 || place[i] < i - 32;
	ok(out < CROWD / 2, "in the order in which it came, as far as the machine runs what was begun (%d far off)", out);
	ok(soon(was_quiet), "whoever cleans up is told when it has gone");
}

static void
test_rest(void)
{
	int64_t took = 3000000;

	for (int tries = 0; tries < 5 && took > 2000000; tries++) {     /* without rest, all stall: three seconds at least */
		took = -clock_mono_us();
		atomic_store(&begun, 0);
		pthread_mutex_lock(&gate);
		for (int i = 0; i < CROWD; i++)
			(void)!(threads_run(rests, NULL));
		(void)soon(all_begun);
		took += clock_mono_us();
		pthread_mutex_unlock(&gate);
		(void)soon(all_idle);
	}
	ok(all_begun() && took < 2000000, "who waits for others lets the next begin");
	ok(all_idle(), "and all end");
}

static void
test_stall(void)
{
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 16; i++)
		(void)!(threads_run(held, NULL));
	atomic_store(&ran, 0);
	(void)!(threads_run(quick, NULL));
	ok(soon(one_ran), "who waits without saying so does not hold up the line for long");
	(void)!(threads_run_now(quick, NULL));
	ok(soon(two_ran), "what must not wait does not");
	pthread_mutex_unlock(&gate);
	ok(soon(all_idle), "and all end");
}

int
main(void)
{
	int64_t began;
	int taken = 0, n = 0;
	uintptr_t first;

	threads_init(36);       /* and the reserve: a hundred */
	is_int(threads_run(quick, NULL), 0, "a job is taken");
	ok(soon(all_idle), "and done");
	first = atomic_load(&last_thread);
	is_int(threads_run(quick, NULL), 0, "the next job");
	ok(soon(all_idle) && atomic_load(&last_thread) == first, "runs on the thread that is warm");

	pthread_mutex_lock(&gate);
	atomic_store(&ran, 0);
	while (threads_run(held, NULL) == 0)
		taken++;
	is_int(taken, 100, "as many run at once as the cap and its reserve");
	is_int(threads_busy(), 100, "and all of them are busy");
	pthread_mutex_unlock(&gate);
	ok(soon(all_idle), "all of them end");
	is_int(atomic_load(&ran), 100, "each has run once");

	atomic_store(&ran, 0);
	began = clock_mono_us();
	for (; n < 20000; n++)
		if (threads_run(quick, NULL) != 0)
			usleep(10);
	ok(soon(all_idle), "twenty thousand short jobs end");
	printf("# %.2f us each\n", (double)(clock_mono_us() - began) / n);

	threads_init(CROWD);
	test_order();
	test_rest();
	test_stall();

	ok(threads_stop(60000), "all threads end when told");
	is_int(threads_count(), 0, "none is left");
	ok(threads_run(quick, NULL) == -1, "and no job is taken any more");
	return done();
}

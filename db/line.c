/*
 * The writers' line: who wants to write stands here, in whichever process.
 *
 * The engine's own lock knows no line. Who finds it taken has to look again and again,
 * reads the store's first page anew each time, and may be overtaken for ever. A mutex in the shared
 * segment wakes the next one instead. It decides nothing: the engine's lock is the truth, and who has
 * no segment (or is a foreign program) waits at that one. A holder that is killed leaves the line to the next.
 *
 * A short write ends before a sleeper is awake, so a newcomer first lets others run for a moment.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "db/db_internal.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum { LOOKS = 2 };

static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

static int
wait_in_line(pthread_mutex_t *m, int64_t wait_us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_us / 1000000;
	until.tv_nsec += (long)(wait_us % 1000000) * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until);
}

pthread_mutex_t *
line_enter(int64_t wait_us, int64_t *ret_since_us)
{
	pthread_mutex_t *m = shm != NULL ? &shm->writers : &own;
	int64_t since_us = 0;
	int rc = EBUSY;

	for (int i = 0; i < LOOKS && (rc = pthread_mutex_trylock(m)) == EBUSY; i++)
		(void)sched_yield();            /* it cannot fail */
	if (rc == EBUSY) {
		since_us = clock_mono_us();
		rc = wait_in_line(m, wait_us);
	}
	if (ret_since_us != NULL)
		*ret_since_us = since_us;
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(m);       /* it guards no data of its own */
	return rc == 0 ? m : NULL;
}

void
line_leave(pthread_mutex_t **at)
{
	pthread_mutex_t *m = *at;

	*at = NULL;                     /* before, as it may be in what the next one gets */
	if (m != NULL)
		pthread_mutex_unlock(m);
}

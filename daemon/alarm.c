/*
 * The timer of the wall clock.
 *
 * A timerfd that counts by CLOCK_REALTIME, so that it is right after the machine slept, and that the kernel
 * cancels when the clock is set: whatever was planned by the old time is planned anew.
 */
#include "daemon/alarm.h"

#include <errno.h>
#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/threads.h"
#include "lib/base/util.h"

enum { BUSY_MS = 1000, FAR_S = 366 * 86400 };

static struct {
	pthread_mutex_t mu;
	struct alarm *all;
	struct source timer;
	int fd;
	bool open;
} alarms = { .mu = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* With the lock. */
static void
arm(void)
{
	int64_t first = ALARM_NEVER, now = clock_ms();
	struct itimerspec when = { 0 };

	for (const struct alarm *a = alarms.all; a != NULL; a = a->next)
		if (!a->running && a->due_ms < first)
			first = a->due_ms;
	if (first > now + (int64_t)FAR_S * 1000)        /* armed all the same: the kernel then tells of a new clock */
		first = now + (int64_t)FAR_S * 1000;
	if (first < 1)
		first = 1;
	when.it_value.tv_sec = (time_t)(first / 1000);
	when.it_value.tv_nsec = (long)(first % 1000) * 1000000;
	if (alarms.open && timerfd_settime(alarms.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) != 0 &&
	    errno != ECANCELED)
		log_line(LOG_ERROR, "what=alarm errno=%d", errno);
}

static void
ring(void *arg)
{
	struct alarm *a = arg;
	bool again;

	do {
		int64_t due = a->ring();

		pthread_mutex_lock(&alarms.mu);
		again = a->again && alarms.open;
		a->again = false;
		if (!again) {
			a->running = false;
			a->due_ms = due;
			arm();
		}
		pthread_mutex_unlock(&alarms.mu);
	} while (again);
}

/* With the lock. */
static void
start(struct alarm *a)
{
	if (a->running) {
		a->again = true;
		return;
	}
	a->running = true;
	a->due_ms = ALARM_NEVER;
	if (threads_run_now(ring, a) == 0)
		return;
	a->running = false;
	a->due_ms = clock_ms() + BUSY_MS;
}

void
alarm_now(struct alarm *a)
{
	pthread_mutex_lock(&alarms.mu);
	if (alarms.open) {
		if (!a->known) {
			a->known = true;
			a->next = alarms.all;
			alarms.all = a;
		}
		start(a);
		arm();
	}
	pthread_mutex_unlock(&alarms.mu);
}

void
alarms_all(void)
{
	pthread_mutex_lock(&alarms.mu);
	for (struct alarm *a = alarms.all; a != NULL && alarms.open; a = a->next)
		start(a);
	arm();
	pthread_mutex_unlock(&alarms.mu);
}

void
alarm_fired(void)
{
	uint64_t times;
	int64_t now;

	if (read(alarms.fd, &times, sizeof(times)) < 0 && errno == ECANCELED) {
		alarms_all();
		return;
	}
	now = clock_ms();
	pthread_mutex_lock(&alarms.mu);
	for (struct alarm *a = alarms.all; a != NULL && alarms.open; a = a->next)
		if (!a->running && a->due_ms <= now)
			start(a);
	arm();
	pthread_mutex_unlock(&alarms.mu);
}

bool
alarms_open(void)
{
	alarms.fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	alarms.open = alarms.fd >= 0 && loop_watch(&alarms.timer, SRC_ALARM, alarms.fd) != NULL;
	return alarms.open;
}

void
alarms_stop(void)
{
	pthread_mutex_lock(&alarms.mu);
	alarms.open = false;
	pthread_mutex_unlock(&alarms.mu);
}

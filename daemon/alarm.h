/*
 * What is to be done at a time of the wall clock: one timer for all of it, set to the earliest moment. Nobody looks in between;
 * when the clock is set, everybody is asked anew.
 */
#ifndef LF_ALARM_H
#define LF_ALARM_H
#include "lib/base/base.h"

#define ALARM_NEVER INT64_MAX

/* Static storage. Everything but ring belongs to alarm.c. */
struct alarm {
	int64_t (*ring)(void);          /* on a thread, never twice at once; returns when it wants to be called again, Unix ms */
	int64_t due_ms;
	bool known, running, again;
	struct alarm *next;
};

/* After loop_open(). false: no timer can be had. */
bool alarms_open(void);
/* No more calls from now on; one that runs is not waited for. */
void alarms_stop(void);
/* Any thread: call it as soon as may be; once more if it runs at this moment. */
void alarm_now(struct alarm *);
/* The clock was set: ask all of them. */
void alarms_all(void);
#endif

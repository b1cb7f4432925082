/*
 * How much may go on at once of what nobody waits for: agents that act by themselves, what agents hand to each other,
 * answers to events. Turns that somebody asked for take no permit; the cap on threads bounds them.
 */
#ifndef LF_LANES_H
#define LF_LANES_H
#include "lib/base/base.h"
#include "lib/net/http.h"

enum lane {
	LANE_NONE,              /* somebody waits: no bound here */
	LANE_MAIN,              /* continuous agents, and answers that come back: queue.concurrency.main_lane, 3 */
	LANE_CRON,              /* periodic agents: cron_lane, 2 */
	LANE_SUBAGENT,          /* what an agent handed to another: subagent_lane, 3 */
	LANE_TRIGGER,           /* proactive agents: trigger_lane, 8 */
	LANE_MODEL,             /* model calls of all of them: 5 */
	LANES
};

/* Take a permit if there is one. LANE_NONE: always. */
bool lane_try(enum lane, const struct config *) MUST_CHECK;
/* Wait for one; deadline_us of the monotonic clock, 0: as long as it takes. false: cancelled or too late. */
bool lane_take(enum lane, const struct config *, const struct cancel *, int64_t deadline_us) MUST_CHECK;
/* One more than there may be, for who will give one back. */
void lane_force(enum lane);
void lane_give(enum lane);
/* Called, on any thread, when a permit is given back after lane_try() found none. */
void lanes_on_free(void (*fn)(void));
/* Somebody was cancelled: those who wait look at their cancel. */
void lanes_look(void);
/* Going down: nobody gets one any more. */
void lanes_stop(void);
#endif

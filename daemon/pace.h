/*
 * How many tools each agent called within the last minute: [resources] max_tool_calls_per_minute.
 *
 * Kept by second in the memory of the daemon, where all tools run; a start takes the last minute from the rows of calls.
 */
#ifndef LF_PACE_H
#define LF_PACE_H
#include <stdint.h>

/*
 * Take one call of the limit for this agent. 0: it may run, and is counted. Else nothing is counted, and it is
 * the seconds until the next one may. A limit of 0 or less is none. now_s: of the monotonic clock.
 */
unsigned pace_take(const char *agent_id, int64_t limit, int64_t now_s);
/* So many calls of that agent age_s seconds ago, before any is taken. */
void pace_before(const char *agent_id, int64_t n, int64_t age_s, int64_t now_s);
#endif

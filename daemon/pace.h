/*
 * How many tools each agent called within the last minute: [resources] max_tool_calls_per_minute.
 *
 * Kept by second in the memory of the daemon, where all tools run; a restart begins with nothing.
 */
#ifndef LF_PACE_H
#define LF_PACE_H
#include <stdint.h>

/*
 * Take one call of the limit for this agent. 0: it may run, and is counted. Else nothing is counted, and it is
 * the seconds until the next one may. A limit of 0 or less is none. now_s: of the monotonic clock.
 */
unsigned pace_take(const char *agent_id, int64_t limit, int64_t now_s);
#endif

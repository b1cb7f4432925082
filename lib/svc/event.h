/*
 * Events: what has happened, as rows that are written where it happens and read by the daemon, which wakes proactive agents. Only
 * kinds that somebody waits for are written; shared memory says which.
 */
#ifndef LF_EVENT_H
#define LF_EVENT_H
#include "lib/base/json.h"

enum event_kind { EVENT_SPAWNED, EVENT_TERMINATED, EVENT_LIFECYCLE, EVENT_MEMORY, EVENT_SYSTEM, EVENT_CUSTOM, EVENT_KINDS };
enum { EVENT_DEPTH_MAX = 5, EVENT_DETAIL_MAX = 1024, EVENTS_KEPT = 1000, EVENT_COOLDOWN_MS = 5000 };

/*
 * It has happened: in the transaction of what happened, where there is one. detail (n bytes, cut at EVENT_DETAIL_MAX): a name, a
 * state, a key. depth: how many agents were woken in a row until it came to this; 0: people did it.
 */
enum err event_publish(struct ctx *, enum event_kind, const char *agent_id, const char *detail, size_t n, unsigned depth) MUST_CHECK;

/* The kinds that conditions of a proactive schedule wait for, as bits; words that are no condition count as none. */
uint32_t event_mask(struct json_object *conditions);
/* Which kinds any proactive agent waits for, into shared memory. The daemon's. */
enum err event_refresh(struct ctx *) MUST_CHECK;
/*
 * Hand the next events on to those who wait for them: to each at most one wake-up in EVENT_COOLDOWN_MS, which tells all that came until then; none of
 * its own doing, none beyond EVENT_DEPTH_MAX. Inside the caller's transaction. *ret_more: there are further ones.
 */
enum err event_deliver(struct ctx *, bool *ret_more, int64_t *ret_woken) MUST_CHECK;
/* Something was published since the last time that this was asked? */
bool event_posted(void);
#endif

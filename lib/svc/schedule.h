/*
 * Agents that act by themselves: a manifest's `schedule` as a plan, and the row that says when it is due.
 *
 * Each slot is claimed once, in the transaction that accepts its turn: what was claimed has a turn, which outlives
 * a crash; what was not is still due.
 */
#ifndef LF_SCHEDULE_H
#define LF_SCHEDULE_H
#include "lib/base/cron.h"
#include "lib/base/json.h"

enum plan_kind { PLAN_NONE, PLAN_PERIODIC, PLAN_CONTINUOUS, PLAN_PROACTIVE };

struct plan {
	enum plan_kind kind;
	struct cron when;               /* PERIODIC; CONTINUOUS: an interval */
	const struct zone *zone;
	const char *text;               /* of PERIODIC, as written */
	const char *quiet;              /* HH:MM-HH:MM of UTC, or NULL */
	struct json_object *conditions; /* of PROACTIVE */
};

/* Strings are the manifest's. What cannot be read is PLAN_NONE. */
struct plan plan_of(struct json_object *manifest);
/* NULL: the schedule, zone and quiet hours of that manifest can be read. Else what is wrong, a constant. */
const char *plan_fault(struct json_object *manifest);
/* The next slot after that moment, none in quiet hours; -1: never. */
int64_t plan_next(const struct plan *, int64_t after_ms);

/*
 * The row follows the manifest: made, planned anew, or dropped. enabled: the agent is Running. Intervals begin after a random part of
 * themselves. Inside the caller's transaction.
 */
enum err schedule_sync(struct ctx *, const char *agent_id, struct json_object *manifest, bool enabled) MUST_CHECK;
/* The same for all agents, at boot. *ret_planned: how many act by themselves. */
enum err schedule_sync_all(struct ctx *, int64_t *ret_planned) MUST_CHECK;
/* The clock was set, or nobody looked for a while: slots that were missed are passed over, others brought near. *ret_missed: those passed over. */
enum err schedule_replan(struct ctx *, int64_t *ret_missed) MUST_CHECK;

struct due {
	const char *agent_id, *lane;
	int64_t due_ms;
};
/* What is due, longest first; at most max. */
enum err schedule_due(struct ctx *, struct due *ret, size_t max, size_t *ret_n) MUST_CHECK;
/* The first slot that is not due yet; INT64_MAX: none. */
enum err schedule_first(struct ctx *, int64_t *ret_ms) MUST_CHECK;

struct slot {
	int64_t due_ms, limited, depth;
	const char *said;               /* or NULL */
};
/* NOT_FOUND: the agent has no loop, or its next slot is another one. */
enum err schedule_load(struct ctx *, const char *agent_id, int64_t due_ms, struct slot *ret) MUST_CHECK;
/*
 * The slot is done with, by a turn (inside the transaction that accepts it) or without; next_ms: -1: none. CONFLICT: it is not there
 * any more, or more was said.
 */
enum err schedule_claim(struct ctx *, const char *agent_id, const struct slot *, int64_t next_ms) MUST_CHECK;
/* An agent was busy in its slot. */
enum err schedule_pass(struct ctx *, const char *agent_id, const struct slot *, int64_t next_ms) MUST_CHECK;
/* How many slots in a row the provider has refused; stop: there is no next one. not_before_ms: the next one is no earlier. */
enum err schedule_limited(struct ctx *, const char *agent_id, int64_t n, bool stop, int64_t not_before_ms) MUST_CHECK;
#endif

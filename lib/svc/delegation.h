/*
 * Tasks that one agent has handed to another and does not wait for: a row from the moment it is handed over until the answer has reached the
 * asker's session. Each step of it is part of the transaction that it belongs to, so that nothing of it is lost or done twice.
 */
#ifndef LF_DELEGATION_H
#define LF_DELEGATION_H
#include "lib/base/json.h"

enum { DELEGATIONS_MAX = 50, DELEGATION_RESULT_MAX = 32768 };

struct delegation {
	const char *id, *agent_id, *session_id;
	const char *to_id, *to_name, *message, *to_session;
	const char *state, *result;
	bool is_error;
	int64_t depth, event_depth;
};

/* Hand over. RATE_LIMITED: DELEGATIONS_MAX of that agent's are under way. ret_id receives its id. */
enum err delegation_put(struct ctx *, const struct delegation *, char ret_id[static 37]) MUST_CHECK;
/* Those in that state ("pending", "answered") whose asker is awake, oldest first; at most max. */
enum err delegations_in(struct ctx *, const char *state, const char **ret_ids, size_t max, size_t *ret_n) MUST_CHECK;
enum err delegation_load(struct ctx *, const char *id, struct delegation *ret) MUST_CHECK;
/* A turn works on it: in the transaction that accepts the turn. CONFLICT: it is not pending any more. */
enum err delegation_begin(struct ctx *, const char *id, const char *turn_id) MUST_CHECK;
/* That turn has ended: in the transaction that ends it. */
enum err delegation_answer(struct ctx *, const char *turn_id, const char *text, bool is_error) MUST_CHECK;
/* There will be no turn for it. */
enum err delegation_refuse(struct ctx *, const char *id, const char *why) MUST_CHECK;
/* The answer has reached its session: in the transaction that puts it there. CONFLICT: it was there already. */
enum err delegation_end(struct ctx *, const char *id) MUST_CHECK;
/* It was said into a running turn as its injection n; taken back if the turn did not take it. */
enum err delegation_told(struct ctx *, const char *id, const char *turn_id, int64_t n) MUST_CHECK;
enum err delegation_untold(struct ctx *, const char *id) MUST_CHECK;
/* Boot, after open turns were taken over: what an earlier life left between two steps. */
enum err delegations_boot(struct ctx *) MUST_CHECK;
#endif

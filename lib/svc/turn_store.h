/*
 * Turns and their steps in the store. Every write is conditional on the
 * turn's epoch: a daemon that has been replaced can change nothing.
 */
#ifndef LF_TURN_STORE_H
#define LF_TURN_STORE_H
#include "lib/base/json.h"

struct turn_row {
	const char *id, *agent_id, *session_id, *state, *origin, *caller;
	const char *input;              /* JSON text */
	int64_t epoch, started_ms;
};

struct step_row {
	int64_t n;
	const char *kind, *name, *call_id, *input, *state, *result;
};

/* One of ours no longer: CONFLICT turn_lost (the agent was deleted, or another daemon took it over). */
enum err turn_insert(struct ctx *, const struct turn_row *) MUST_CHECK;
enum err turn_set_state(struct ctx *, const char *id, int64_t epoch, const char *state) MUST_CHECK;
/* State done, failed or cancelled, with result JSON or error. */
enum err turn_end(struct ctx *, const char *id, int64_t epoch, const char *state, const char *result,
    const char *code, const char *error) MUST_CHECK;
/* Open turns of earlier epochs become ours; ids in order of age, as an array kept by c. */
enum err turns_take_over(struct ctx *, int64_t epoch, struct json_object **ret_ids) MUST_CHECK;
enum err turn_load(struct ctx *, const char *id, struct turn_row *ret) MUST_CHECK;
/* How a turn of that session stands: its state, and of one that is done its figures, JSON. Both NULL: there is none. */
enum err turn_standing(struct ctx *, const char *id, const char *session_id, const char **ret_state,
    const char **ret_result) MUST_CHECK;

enum err step_start(struct ctx *, const char *turn_id, int64_t epoch, int64_t n, const char *kind,
    const char *name, const char *call_id, const char *input) MUST_CHECK;
enum err step_end(struct ctx *, const char *turn_id, int64_t epoch, int64_t n, const char *state,
    const char *result, size_t result_n) MUST_CHECK;
/* Steps from number `from` on, ordered. *ret in c's arena. */
enum err steps_load(struct ctx *, const char *turn_id, int64_t from, struct step_row **ret, size_t *ret_n) MUST_CHECK;
/*
 * Tool calls that began since then, of turns that are not older than a day: how many of which agent in which second of Unix time. Calls that
 * were not let through are none.
 */
enum err steps_lately(struct ctx *, int64_t since_ms, void (*each)(void *arg, const char *agent_id, int64_t second, int64_t n), void *arg) MUST_CHECK;
/* The waiting turn that asked for this call, and the step; NOT_FOUND. */
enum err turn_of_call(struct ctx *, const char *agent_id, const char *call_id, const char **ret_turn) MUST_CHECK;

/*
 * What is said into a running turn waits here until the model is asked the next time. put: *ret_n is its number, 0:
 * there is no room. take: the texts, oldest first; inside the caller's transaction.
 */
enum { INJECTIONS_MAX = 8 };
enum err injection_put(struct ctx *, const char *turn_id, const char *text, size_t n, int64_t *ret_n) MUST_CHECK;
enum err injection_drop(struct ctx *, const char *turn_id, int64_t n, bool *ret_was) MUST_CHECK;
enum err injection_any(struct ctx *, const char *turn_id, bool *ret) MUST_CHECK;
enum err injections_take(struct ctx *, const char *turn_id, const char *ret[static INJECTIONS_MAX], size_t *ret_n) MUST_CHECK;

/* A new epoch: one more than the last daemon's. */
enum err epoch_next(struct ctx *, int64_t *ret) MUST_CHECK;
#endif

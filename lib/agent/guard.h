/*
 * The loop guard: notices a model that calls the same tools over and over.
 *
 * One guard per turn, made in the turn's arena, used by its one thread. Two
 * calls are the same when name and parameters are (members in any order).
 * Warnings are sentences for the model, to be appended to the tool's
 * result; a block is a soft error for the model; GUARD_BREAK ends the turn.
 */
#ifndef LF_LOOP_GUARD_H
#define LF_LOOP_GUARD_H
#include "lib/base/json.h"

enum guard_verdict { GUARD_OK, GUARD_WARN, GUARD_BLOCK, GUARD_BREAK };

struct loop_guard;

/* max_iterations: of the turn; above 30 it widens the limit of calls to three times itself. NULL: no memory. */
struct loop_guard *loop_guard_new(struct ctx *, unsigned max_iterations);
/* Before a call. *ret_advice: the sentence (static or arena); NULL for GUARD_OK, save to one that polls: how long to wait. */
enum guard_verdict loop_guard_check(struct loop_guard *, const char *name, struct json_object *input,
    const char **ret_advice);
/* After a call: warns of the same result again (the call is blocked after the third); NULL: nothing to say. */
const char *loop_guard_result(struct loop_guard *, const char *name, struct json_object *input,
    const char *result, size_t n);
unsigned loop_guard_calls(const struct loop_guard *);
#endif

/*
 * Questions of our own to a model: summaries, titles. They go to the models that [llm.auxiliary] names for their task, behind
 * those to where the agent's own questions go, each with all of its keys; whoever rests is passed over. Every call is held by the budgets before it, and in
 * the ledger after it.
 */
#ifndef LF_SIDE_H
#define LF_SIDE_H
#include "daemon/turn.h"

struct side {
	struct ctx *c;
	const struct agent *a;          /* whose budget it is on */
	const char *task;               /* a key of [llm.auxiliary]: compression fold title session_summary; or for the log alone */
	const char *channel;            /* for the ledger */
	const char *session_id;         /* or NULL */
	struct cancel *cancel;          /* or NULL */
	int64_t deadline_us;            /* monotonic; 0: none */
	struct model_route *ways; size_t n, at;         /* at: the one that is asked */
	size_t own_from;                /* the first of the agent's own */
};

/*
 * Find the ways. own: those of a turn, NULL: as the agent's manifest and the configuration have them. PRECONDITION
 * provider_auth_missing: there is none.
 */
enum err side_ways(struct side *, const struct model_route *own, size_t n) MUST_CHECK;
/* Only the models that [llm.auxiliary] names; n may be 0 then. */
enum err side_ways_named(struct side *) MUST_CHECK;
/* Only that one, named as they are there; n may be 0 then. */
enum err side_ways_to(struct side *, const char *name) MUST_CHECK;
/*
 * Ask. *ret: the text that it said, with something in it. Gives c->db back while the model writes, and takes one again. Errors: CANCELLED,
 * RATE_LIMITED, INTERNAL with the class of an llm_error.
 */
enum err side_ask(struct side *, const char *system, const struct buf *text, size_t tokens, double temperature, const char **ret) MUST_CHECK;
/* Is it a model that can be asked, and not the rules of the provider `offline`? */
bool side_is_model(const struct side *);
#endif

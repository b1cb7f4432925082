/*
 * What a call of a model takes: before it an upper bound for the budget, after it a line for the ledger.
 */
#ifndef LF_METER_H
#define LF_METER_H
#include "lib/llm/llm.h"
#include "lib/svc/agent.h"
#include "lib/svc/budget.h"

/* How long a question is, in bytes of text; an image counts as what it may take. Any may be NULL. */
int64_t meter_asked(const char *system, const struct history *, struct json_object *tools);
int64_t meter_bytes(struct json_object *);

/*
 * b->nanousd and b->tokens: what the call takes at most. Two bytes are taken for a token of the question, which
 * is more than words of any language take; the answer has max_tokens, or the model's limit when that is 0.
 */
void meter_bound(const struct config *, struct budget_call *b, const char *provider, const char *model, int64_t asked_bytes,
    int64_t max_tokens);

/*
 * The line for a call that ended with e: provider and model are set before. By the provider's figures; those that it did not name, or
 * that are 0 and cannot be, by what was sent and heard (estimated). A call of which nothing was heard took nothing.
 */
void meter_call(const struct config *, struct usage *, enum err e, const struct llm_answer *, int64_t asked_bytes,
    int64_t heard_bytes, int64_t since_us);

/*
 * A call that belongs to no turn. open: what it may cost is put aside, RATE_LIMITED budget_exceeded; no transaction when
 * there is no cap. a: whose it is, or NULL: nobody's. usage has provider, model and whatever else is to be in the ledger.
 * close: it ended with e. Each in a transaction of its own, which gives c->db back: job_db_acquire() before the
 * store is used again.
 */
struct metered {
	struct usage usage;
	int64_t asked, heard, max_tokens;       /* bytes; heard: grows as the answer comes */
	int64_t since_us;
	struct budget_call budget;
	char id[37];
};
enum err meter_open(struct ctx *, struct metered *, const struct agent *a) MUST_CHECK;
enum err meter_close(struct ctx *, struct metered *, enum err e, const struct llm_answer *) MUST_CHECK;
#endif

/*
 * Budgets as the API shows them: each writes one JSON object. Limits are those of c->cfg unless another is given.
 */
#ifndef LF_BUDGET_SHOW_H
#define LF_BUDGET_SHOW_H
#include "lib/svc/agent.h"
#include "lib/svc/budget.h"

enum err budget_write_status(struct ctx *, const struct config *, struct jw *) MUST_CHECK;
/* Those that cost something today; all: the others too, up to 1,000. */
enum err budget_write_agents(struct ctx *, bool all, struct jw *) MUST_CHECK;
enum err budget_write_agent(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
/* Does a provider rest, and for how long (-1: for good)? What exhausted it, else NULL. */
typedef const char *budget_rests(struct ctx *, const char *provider, int64_t *left_ms);
enum err budget_write_providers(struct ctx *, budget_rests *, struct jw *) MUST_CHECK;
enum err budget_write_users(struct ctx *, int64_t limit, struct jw *) MUST_CHECK;
/* NOT_FOUND: nobody of that name or id in [[users]]. */
enum err budget_write_user(struct ctx *, const char *name_or_id, struct jw *) MUST_CHECK;
void budget_write_user_limits(const struct config *, const char *name, struct jw *);
const struct config_user *budget_user_find(const struct config *, const char *name_or_id);
#endif

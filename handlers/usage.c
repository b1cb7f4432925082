/*
 * What was used and what may be: figures from the ledger's sums.
 */
#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/svc/budget_show.h"
#include "lib/svc/usage.h"

enum { USERS_DFLT = 25, USERS_MAX = 1000 };

static struct reply
shown(struct ctx *c, enum err (*write)(struct ctx *, struct jw *))
{
	struct jw *w = reply_open(c);

	if (w == NULL)
		return reply_json(c, 200, w);
	return write(c, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

#define SHOWS(name, write) \
	struct reply \
	name(struct ctx *c, const struct request *rq) \
	{ \
		(void)rq; \
		return shown(c, write); \
	}

static enum err
models(struct ctx *c, struct jw *w)
{
	return usage_write_models(c, false, w);
}

static enum err
performance(struct ctx *c, struct jw *w)
{
	return usage_write_models(c, true, w);
}

static enum err
status(struct ctx *c, struct jw *w)
{
	return budget_write_status(c, c->cfg, w);
}

SHOWS(usage_agents, usage_write_agents)
SHOWS(usage_summary, usage_write_summary)
SHOWS(usage_models, models)
SHOWS(usage_performance, performance)
SHOWS(usage_days, usage_write_days)
SHOWS(budget_show, status)

struct reply
budget_agents(struct ctx *c, const struct request *rq)
{
	const struct all_query *q = rq->query;
	struct jw *w = reply_open(c);

	if (w == NULL)
		return reply_json(c, 200, w);
	return budget_write_agents(c, q->all, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_agent(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (w == NULL)
		return reply_json(c, 200, w);
	if (request_agent(c, rq, &a) != ERR_OK || budget_write_agent(c, &a, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
budget_users(struct ctx *c, const struct request *rq)
{
	const struct limit_query *q = rq->query;
	struct jw *w = reply_open(c);
	char *end;
	long long n = q->limit != NULL ? strtoll(q->limit, &end, 10) : USERS_DFLT;

	if (w == NULL)
		return reply_json(c, 200, w);
	if (q->limit != NULL && (*end != '\0' || end == q->limit))
		n = USERS_DFLT;
	n = n < 1 ? 1 : n > USERS_MAX ? USERS_MAX : n;
	return budget_write_users(c, n, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_user(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	if (w == NULL)
		return reply_json(c, 200, w);
	return budget_write_user(c, path_arg(rq, "user_id"), w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

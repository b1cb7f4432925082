/*
 * What was used and what may be: figures from the ledger's sums.
 */
#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/svc/budget_show.h"
#include "lib/svc/usage.h"

enum { USERS_DFLT = 25, USERS_MAX = 1000, DAYS_DFLT = 7, DAYS_MAX = 366 };

static struct reply
shown(struct ctx *c, const struct usage_query *q, enum err (*write)(struct ctx *, const struct usage_range *, struct jw *))
{
	struct usage_range r;
	struct jw *w = reply_open(c);

	if (usage_range_of(c, q->start_date, q->end_date, &r) != ERR_OK || write(c, &r, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

#define SHOWS(name, write) \
	struct reply \
	name(struct ctx *c, const struct request *rq) \
	{ \
		return shown(c, rq->query, write); \
	}

static enum err
models(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	return usage_write_models(c, r, false, w);
}

static enum err
performance(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	return usage_write_models(c, r, true, w);
}

SHOWS(usage_agents, usage_write_agents)
SHOWS(usage_summary, usage_write_summary)
SHOWS(usage_models, models)
SHOWS(usage_performance, performance)

struct reply
usage_days(struct ctx *c, const struct request *rq)
{
	const struct days_query *q = rq->query;
	struct usage_range r;
	struct jw *w = reply_open(c);
	enum err e;

	e = usage_range_of(c, q->start_date, q->end_date, &r);
	if (e == ERR_OK && q->has_days && (q->days < 1 || q->days > DAYS_MAX))
		e = fail(c, ERR_BAD_REQUEST, "days: 1 to %d", DAYS_MAX);
	else if (e == ERR_OK && q->has_days && !usage_is_all(&r))
		e = fail(c, ERR_BAD_REQUEST, "days and dates exclude each other");
	else if (e == ERR_OK && usage_is_all(&r))
		r = usage_last_days(c->now_ms, q->has_days ? q->days : DAYS_DFLT);
	if (e == ERR_OK)
		e = usage_write_days(c, &r, w);
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_show(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	return budget_write_status(c, c->cfg, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_agents(struct ctx *c, const struct request *rq)
{
	const struct all_query *q = rq->query;
	struct jw *w = reply_open(c);

	return budget_write_agents(c, q->all, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_agent(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct agent a;

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

	if (q->limit != NULL && (*end != '\0' || end == q->limit))
		n = USERS_DFLT;
	n = n < 1 ? 1 : n > USERS_MAX ? USERS_MAX : n;
	return budget_write_users(c, n, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_user(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	return budget_write_user(c, path_arg(rq, "user_id"), w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

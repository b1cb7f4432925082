/*
 * What agents have done and are doing, and the registry of their names.
 */
#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/svc/agent_stats.h"
#include "lib/svc/agent_write.h"

enum { EVENTS = 30, EVENTS_MAX = 200 };

static struct reply
shown(struct ctx *c, const struct request *rq, enum err (*write)(struct ctx *, const struct agent *, struct jw *))
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK || write(c, &a, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
agents_metrics(struct ctx *c, const struct request *rq)
{
	return shown(c, rq, agent_write_metrics);
}

struct reply
agents_stats(struct ctx *c, const struct request *rq)
{
	return shown(c, rq, agent_write_stats);
}

struct reply
agents_traces(struct ctx *c, const struct request *rq)
{
	return shown(c, rq, agent_write_traces);
}

struct reply
agents_runtime(struct ctx *c, const struct request *rq)
{
	return shown(c, rq, agent_write_runtime);
}

struct reply
agents_events(struct ctx *c, const struct request *rq)
{
	const struct events_query *q = rq->query;
	struct jw *w = reply_open(c);
	struct agent a;
	int64_t limit = q->limit < 0 ? EVENTS : q->limit > EVENTS_MAX ? EVENTS_MAX : q->limit;

	if (request_agent(c, rq, &a) != ERR_OK || agent_write_events(c, &a, limit, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
agents_identities(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	jw_array(w, NULL);
	if (agent_identities_write(c, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_identity_reset(struct ctx *c, const struct request *rq)
{
	const struct confirm_query *q = rq->query;
	const char *name = path_arg(rq, "name"), *id;
	enum err e = q->confirm ? ERR_OK : fail_code(c, ERR_CONFLICT, "reset_identity_unconfirmed",
	    "The name's sessions and memory would not be found again: repeat the request with ?confirm=true");

	if (e == ERR_OK)
		e = agent_identity_forget(c, name, &id);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "reset", "name", name, "previous_canonical_uuid", id, NULL);
}

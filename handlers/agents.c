/*
 * Agents, the reading rows: the list, one agent, its sessions.
 */
#include "handlers/cached.h"
#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/svc/agent.h"
#include "lib/svc/session_show.h"


static enum err
make_page(struct ctx *c, const struct request *rq, struct jw *w)
{
	const struct agents_query *q = rq->query;
	struct agent_filter f = {
		.q = q->q, .status = q->status, .owner = q->owner, .sort = q->sort, .order = q->order,
		.limit = q->limit, .offset = q->offset, .include_hands = q->include_hands,
	};

	return agent_write_page(c, &f, w);
}

struct reply
agents_list(struct ctx *c, const struct request *rq)
{
	static struct cached_rows pages;

	return cached_rows_reply(c, rq, &pages, make_page);
}

struct reply
agents_show(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	agent_write_detail(c, &a, w);
	return reply_json(c, 200, w);
}

struct reply
agents_session(struct ctx *c, const struct request *rq)
{
	const struct history_query *q = rq->query;
	const struct session_part part = { .limit = q->limit, .before = q->before };
	struct jw *w = reply_open(c);
	struct agent a;
	char id[37];

	if (q->session_id != NULL && session_id_of(c, q->session_id, id) != ERR_OK)
		return reply_fail(c);
	if (request_agent(c, rq, &a) != ERR_OK ||
	    session_write_history(c, &a, q->session_id != NULL ? id : NULL, &part, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
agents_sessions(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "sessions");
	if (session_write_list(c, &a, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- what is assigned ------------------------------------------------------------------- */

static struct reply
assigned(struct ctx *c, const struct request *rq, void (*write)(struct json_object *, struct jw *))
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	write(a.manifest, w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_tools(struct ctx *c, const struct request *rq)
{
	return assigned(c, rq, agent_write_tools);
}

struct reply
agents_skills(struct ctx *c, const struct request *rq)
{
	return assigned(c, rq, agent_write_skills);
}

struct reply
agents_servers(struct ctx *c, const struct request *rq)
{
	return assigned(c, rq, agent_write_servers);
}

struct reply
agents_channels(struct ctx *c, const struct request *rq)
{
	return assigned(c, rq, agent_write_channels);
}

/*
 * A turn and other agents.
 *
 * Who waits for whom is a chain that each turn knows: an agent that would be asked while it waits itself would never answer, so it is
 * refused at once. A turn that waits for another gives its permit back, and the other one takes one of its own.
 */
#include "daemon/turn_agents.h"

#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/delegate.h"
#include "daemon/spawn.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/incoming.h"
#include "lib/base/util.h"
#include "lib/svc/agent_family.h"
#include "lib/svc/config.h"
#include "lib/svc/conversation.h"
#include "lib/svc/delegation.h"

enum { DEPTH_DEFAULT = 5, SUBAGENT_DEPTH = 10, ABOUT_MAX = 200, QUESTION_MAX = 1000 };

#define KEY_NAMESPACE "5f0c7a52-3b7e-4f83-8c0e-6f7b2f3c9a17"

static unsigned
deepest(const struct config *cfg)
{
	return cfg->max_agent_call_depth > 0 ? cfg->max_agent_call_depth : DEPTH_DEFAULT;
}

static const char *
name_of(struct ctx *c, const char *id)
{
	struct agent a;

	return agent_load(c, id, &a) == ERR_OK ? a.name : id;
}

/* Does that agent wait for this turn? Then the fault names who waits for whom. */
static enum err
not_in_chain(struct turn *t, struct ctx *c, const struct agent *other)
{
	const char *words = NULL;

	for (const char *const *p = t->ask->chain; p != NULL && *p != NULL; p++) {
		if (words == NULL && strcmp(*p, other->id) != 0)
			continue;
		words = words == NULL ? other->name : ctx_printf(c, "%s → %s", words, name_of(c, *p));
		if (words == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	if (words == NULL)
		return ERR_OK;
	return fail(c, ERR_CONFLICT, "%s waits for this answer itself: %s → %s → %s", other->name, words, t->agent.name, other->name);
}

/* The conversation that two agents have under that key. */
static const char *
side_session(struct ctx *c, const struct turn *t, const struct agent *other, const char *key)
{
	const char *name = key == NULL ? NULL : ctx_printf(c, "%s:%s:%s", other->id, t->agent.id, key);
	char *id = name == NULL ? NULL : ctx_alloc(c, 37);

	if (id != NULL)
		uuid5(KEY_NAMESPACE, name, strlen(name), id);
	return id;
}

/* What people or a clock said last in a session; "" when there is nothing. */
static const char *
last_question(struct ctx *c, const char *session_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT content FROM message WHERE session_id = ? AND role = 'user' ORDER BY seq DESC LIMIT 40"));

	bind_text(st, session_id);
	while (db_step(st)) {
		size_t n;
		const char *json = col_textn(c, st, "content", &n), *text;
		bool results;

		text = json != NULL ? content_said(c, json, n, &results) : NULL;
		if (text != NULL && !results && text[0] != '\0')
			return text;
	}
	return "";
}

const char *
turn_parent_context(struct ctx *c, const struct agent *asker, const char *session_id, const char *question, const struct agent *other)
{
	const char *about = asker->description != NULL ? asker->description : "", *name;

	if (other->parent_id == NULL || strcmp(other->parent_id, asker->id) != 0 || !js_bool(other->manifest, "inherit_parent_context", true))
		return NULL;
	if (question == NULL)
		question = last_question(c, session_id);
	if ((name = incoming_name(c, asker->name)) == NULL)
		return NULL;
	return ctx_printf(c, "[You work for the agent %s, which made you%s%.*s. It was asked: %.*s]", name, about[0] != '\0' ? ": " : "",
	    (int)utf8_cut(about, strlen(about), ABOUT_MAX), about, (int)utf8_cut(question, strlen(question), QUESTION_MAX), question);
}

static enum err
hand_over(struct tool_env *env, const struct agent *other, const struct agent_question *q, struct buf *out)
{
	struct turn *t = env->turn;
	struct ctx *c = env->c;
	struct delegation d = {
		.agent_id = t->agent.id, .session_id = t->session_id, .to_id = other->id, .to_name = other->name, .message = q->message,
		.to_session = side_session(c, t, other, q->key), .depth = env->depth, .event_depth = env->event_depth,
	};
	char id[37];
	enum err e = t->keep ? delegation_put(c, &d, id)
	    : fail(c, ERR_FORBIDDEN, "a side question has no conversation that an answer could come back to; ask with async false");

	if (e != ERR_OK)
		return e;
	delegate_look();
	buf_printf(out, "{\"task_id\":\"%s\",\"status\":\"delegated\",\"note\":\"%s works on it; the answer will come as a message. "
	    "Go on, or end your turn.\"}", id, "The other agent");
	return ERR_OK;
}

static enum err
wait_for(struct tool_env *env, const struct agent *other, const struct agent_question *q, struct buf *out)
{
	struct turn *t = env->turn;
	struct ctx *c = env->c;
	enum lane mine = t->ask->lane, its = mine == LANE_NONE ? LANE_NONE : LANE_SUBAGENT;
	const char **chain = ctx_alloc(c, (env->depth + 3) * sizeof(*chain));
	struct turn_answer a = { 0 };
	size_t n = 0;
	enum err e;

	if (chain == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (const char *const *p = t->ask->chain; p != NULL && *p != NULL; p++)
		chain[n++] = *p;
	chain[n++] = t->agent.id;

	struct turn_ask ask = {
		.agent_id = other->id, .text = q->message, .session_id = side_session(c, t, other, q->key), .origin = "agent", .channel = "agent",
		.parent_context = turn_parent_context(c, &t->agent, t->session_id, t->ask->text, other),
		.depth = env->depth + 1, .event_depth = t->ask->event_depth, .chain = chain, .lane = its, .cancel = t->ask->cancel,
		.incognito = !t->record, .deadline_us = env->deadline_us, .traceparent = trace_from(c, t->ask->traceparent, t->id), .tracestate = t->ask->tracestate,
	};

	job_db_release(c);
	lane_give(mine);
	if (!lane_take(its, c->cfg, t->ask->cancel, env->deadline_us)) {
		e = fail(c, ERR_TIMEOUT, "no agent was free to answer in time");
	} else {
		job_db_acquire(c);
		e = turn_run(c, &ask, &a);
		job_db_release(c);
		lane_give(its);
	}
	if (!lane_take(mine, c->cfg, t->ask->cancel, 0))
		lane_force(mine);       /* stopped: it has only to end */
	if (e == ERR_OK)
		buf_str(out, a.text);
	return e;
}

enum err
turn_ask_agent(struct tool_env *env, const struct agent_question *q, struct buf *out)
{
	struct turn *t = env->turn;
	struct ctx *c = env->c;
	struct agent other = { 0 };
	enum err e;

	job_db_acquire(c);
	e = agent_load(c, q->agent_id, &other);
	if (e == ERR_OK && strcmp(other.id, t->agent.id) == 0)
		e = fail(c, ERR_CONFLICT, "an agent cannot ask itself");
	if (e == ERR_OK && !q->async)
		e = not_in_chain(t, c, &other);
	if (e == ERR_OK && env->depth + 1 > deepest(c->cfg))
		e = fail(c, ERR_CONFLICT, "agents may not call each other deeper than %u", deepest(c->cfg));
	if (e == ERR_OK)
		e = q->async ? hand_over(env, &other, q, out) : wait_for(env, &other, q, out);
	job_db_release(c);
	if (e != ERR_OK)
		buf_str(out, c->fault.msg != NULL ? c->fault.msg : "it failed");
	return e;
}

/* --- children ------------------------------------------------------------------------------ */

static int64_t
leaf_depth(const struct config *cfg)
{
	int64_t n = js_i64(js_obj(cfg->raw, "tool_policy"), "subagent_max_depth", SUBAGENT_DEPTH);

	return n < 1 ? 1 : n;
}

enum err
turn_spawn_agent(struct tool_env *env, const char *toml, struct buf *out)
{
	struct ctx *c = env->c;
	struct spawn s = { .toml = toml, .toml_n = strlen(toml), .parent_id = env->agent_id, .depth = env->event_depth };
	const char *name = NULL;
	char id[37];
	enum err e;

	job_db_acquire(c);
	e = env->depth + 1 >= leaf_depth(c->cfg) ? fail(c, ERR_FORBIDDEN, "no agents are made %u calls deep", env->depth)
	    : agent_spawn(c, &s, id, &name);
	job_db_release(c);
	if (e != ERR_OK) {
		buf_str(out, c->fault.msg != NULL ? c->fault.msg : "it failed");
		return e == ERR_BAD_REQUEST ? ERR_INVALID : e;
	}
	buf_printf(out, "Agent %s is there, with the id %s. Talk to it with agent_send; end it with agent_kill when it is done.", name, id);
	return ERR_OK;
}

enum err
turn_end_agent(struct tool_env *env, const char *id, struct buf *out)
{
	struct turn *t = env->turn;
	struct ctx *c = env->c;
	struct agent a;
	bool was = false, own = false;
	enum err e;

	job_db_acquire(c);
	e = agent_load(c, id, &a);
	if (e == ERR_OK)
		e = agent_descends(c, id, env->agent_id, &own);
	if (e == ERR_OK && !own)
		e = fail(c, ERR_FORBIDDEN, "%s was not made by you; only agents that you made can be ended", a.name);
	if (e == ERR_OK && env->depth + 1 >= leaf_depth(c->cfg))
		e = fail(c, ERR_FORBIDDEN, "no agents are ended %u calls deep", env->depth);
	if (e == ERR_OK)
		e = not_in_chain(t, c, &a);
	if (e == ERR_OK)
		e = agent_end(c, id, false, &was);
	job_db_release(c);
	if (e != ERR_OK)
		buf_str(out, c->fault.msg != NULL ? c->fault.msg : "it failed");
	else
		buf_printf(out, "Agent %s is ended.", a.name);
	return e;
}

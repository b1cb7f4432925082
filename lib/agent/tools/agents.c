/*
 * agent_list and agent_send: the other agents.
 *
 * A question to another agent is a turn of that agent: beside the asking one, which hears of its answer later, or
 * while that one waits. Who waits for whom is watched by the turns themselves, here only the
 * plain mistakes are found. Secrets do not travel from agent to agent.
 */
#include <string.h>

#include "lib/agent/capability.h"
#include "lib/agent/taint.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"
#include "lib/svc/config.h"

enum { ROWS_MAX = 4 << 20, DEPTH_DEFAULT = 5, KEY_MAX = 256 };

enum err
tool_agent_list(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(ROWS_MAX);
	struct jw w = JW_INIT(&b);
	struct json_object *rows;
	int64_t all = 0, running = 0;
	enum err e = tool_db_take(env, out);

	(void)input;
	if (e != ERR_OK)
		return e;
	jw_array(&w, NULL);
	e = agent_write_status_rows(env->c, &w, &all, &running);
	jw_end(&w);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	rows = b.failed ? NULL : json_stored(env->c, b.p);
	if (rows == NULL)
		return tool_say(out, ERR_TOO_LARGE, "there are too many agents to list");
	buf_clear(out);
	for (size_t i = 0, n = json_object_array_length(rows); i < n; i++) {
		struct json_object *r = json_object_array_get_idx(rows, i);
		const char *id = js_str_or(r, "id", "");

		buf_printf(out, "%s (%s) %s %s:%s%s\n", js_str_or(r, "name", "?"), id, js_str_or(r, "state", "?"),
		    js_str_or(r, "model_provider", "?"), js_str_or(r, "model_name", "?"),
		    strcmp(id, env->agent_id) == 0 ? " (you)" : "");
	}
	if (all > (int64_t)json_object_array_length(rows))
		buf_printf(out, "(%jd agents in all)\n", (intmax_t)all);
	return ERR_OK;
}

enum err
tool_agent_meant(struct tool_env *env, const char *who, const char **ret_id, const char **ret_name, struct buf *out)
{
	struct agent a;
	char id[37];
	enum err e = tool_db_take(env, out);

	if (e != ERR_OK)
		return e;
	e = uuid_parse(who, id) ? agent_load(env->c, id, &a) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		e = agent_load_by_name(env->c, who, &a);
	tool_db_give(env);
	if (e == ERR_NOT_FOUND)
		return tool_say(out, e, "there is no agent '%.*s'; agent_list shows who is here",
		    (int)utf8_cut(who, strlen(who), 200), who);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	*ret_id = a.id;
	if (ret_name != NULL)
		*ret_name = a.name;
	return ERR_OK;
}

static enum err
read_question(struct json_object *input, struct agent_question *q, struct buf *out)
{
	size_t n = 0;
	const char *rule;
	enum err e = tool_text(input, "agent_id", &q->agent_id, NULL, out);

	if (e == ERR_OK)
		e = tool_text(input, "message", &q->message, NULL, out);
	if (e == ERR_OK)
		e = tool_text_opt(input, "conversation_key", &q->key, &n, out);
	if (e != ERR_OK)
		return e;
	q->async = js_bool(input, "async", true);
	if (q->message[strspn(q->message, " \t\r\n")] == '\0')
		return tool_say(out, ERR_INVALID, "parameter message is empty");
	if (q->key != NULL && (n == 0 || n > KEY_MAX || memchr(q->key, '\0', n) != NULL))
		return tool_say(out, ERR_INVALID, "parameter conversation_key: 1 to %d bytes are expected", KEY_MAX);
	rule = taint_find(q->message, strlen(q->message), TAINT_SECRET);
	if (rule != NULL)
		return tool_say(out, ERR_FORBIDDEN, "the message looks as if it held a secret (%s); it was not sent", rule);
	return ERR_OK;
}

/* capabilities.agent_message of who asks. */
static enum err
may_message(struct tool_env *env, const char *id, const char *name, struct buf *out)
{
	struct agent me;
	enum err e = tool_db_take(env, out);

	if (e != ERR_OK)
		return e;
	e = agent_load(env->c, env->agent_id, &me);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	return caps_may_message(me.manifest, name, id) ? ERR_OK : tool_say(out, ERR_FORBIDDEN, "you may not write to %s", name);
}

enum err
tool_agent_send(struct tool_env *env, struct json_object *input, struct buf *out)
{
	unsigned deepest = env->c->cfg != NULL && env->c->cfg->max_agent_call_depth > 0
	    ? env->c->cfg->max_agent_call_depth : DEPTH_DEFAULT;
	struct agent_question q = { 0 };
	const char *name = NULL;
	enum err e = read_question(input, &q, out);

	if (e != ERR_OK)
		return e;
	if (env->ask_agent == NULL)
		return tool_say(out, ERR_FORBIDDEN, "no other agent can be asked from here");
	if (env->depth >= deepest)
		return tool_say(out, ERR_FORBIDDEN, "agents already wait for one another %u deep; no further question is sent",
		    env->depth);
	e = tool_agent_meant(env, q.agent_id, &q.agent_id, &name, out);
	if (e != ERR_OK)
		return e;
	if (strcmp(q.agent_id, env->agent_id) == 0)
		return tool_say(out, ERR_FORBIDDEN, "an agent cannot send a message to itself");
	if ((e = may_message(env, q.agent_id, name, out)) != ERR_OK)
		return e;
	buf_clear(out);
	return env->ask_agent(env, &q, out);
}

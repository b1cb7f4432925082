/*
 * What is asked of a turn: as it is heard, as its row keeps it, as the session does; and of whom, in which session.
 */
#include <string.h>

#include "daemon/turn_state.h"
#include "lib/agent/incoming.h"
#include "lib/base/trace.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { ITERATIONS_DEFAULT = 50, ITERATIONS_MAX = 100000 };

#define SENDER_NAMESPACE "a34e7c01-8f2b-4d6a-915c-d73ef40ab852"

/* --- what was asked, as the row keeps it -------------------------------------------- */

const char *
turn_ask_json(struct turn *t)
{
	const struct turn_ask *a = t->ask;
	struct jw *w = ctx_alloc(t->c, sizeof(*w));
	struct buf b = BUF_INIT(16 << 20);
	char *s;

	if (w == NULL)
		return NULL;
	w->b = &b;
	jw_object(w, NULL);
	if (t->record) {
		jw_str(w, "text", a->text);
		if (t->blocks != NULL)
			jw_json(w, "blocks", t->blocks);
		if (a->outer_tools != NULL)
			jw_json(w, "outer_tools", a->outer_tools);
		if (a->extra != NULL)
			jw_json(w, "extra", a->extra);
		if (trace_ok(a->traceparent))
			jw_str(w, "traceparent", a->traceparent);
	}
	jw_bool(w, "keep", t->keep);
	jw_i64(w, "max_tokens", a->max_tokens);
	if (a->has_temperature)
		jw_f64(w, "temperature", a->temperature);
	if (a->think != THINK_AS_SET)
		jw_i64(w, "think", a->think);
	jw_i64(w, "depth", a->depth);
	jw_i64(w, "event_depth", a->event_depth);
	jw_i64(w, "lane", a->lane);
	jw_str(w, "channel", a->channel);
	if (a->parent_context != NULL && t->record)
		jw_str(w, "parent_context", a->parent_context);
	if (a->sender_id != NULL) {
		jw_str(w, "sender_id", a->sender_id);
		jw_str(w, "sender_name", a->sender_name);
	}
	jw_end(w);
	s = b.failed ? NULL : ctx_strndup(t->c, b.p, b.len);
	buf_done(&b);
	return s;
}

const char *
turn_user_content(struct turn *t, size_t *n)
{
	const struct turn_ask *a = t->ask;
	struct buf b = BUF_INIT(16 << 20);
	struct jw w = JW_INIT(&b);
	char *s;

	if (t->blocks != NULL)
		jw_json(&w, NULL, t->blocks);
	else if (a->sender_name != NULL && a->sender_name[0] != '\0')
		jw_str(&w, NULL, ctx_printf(t->c, "[%s]: %s", a->sender_name, a->text));
	else
		jw_str(&w, NULL, a->text);
	*n = b.len;
	s = b.failed ? NULL : ctx_strndup(t->c, b.p, b.len);
	buf_done(&b);
	return s;
}

/* What people say goes through the filters once; what another agent or a clock says does not. */
enum err
turn_hear(struct turn *t)
{
	static const char *const people[] = { "api", "stream", "ws", "openai" };
	struct turn_ask *own = &t->heard_ask;
	bool by_people = false;

	for (size_t i = 0; i < ARRAY_LEN(people); i++)
		by_people |= strcmp(t->ask->origin, people[i]) == 0;
	if (!by_people)
		return ERR_OK;
	*own = *t->ask;
	if (own->text != NULL)
		own->text = incoming_text(t->c, own->text);
	if (own->blocks != NULL)
		own->blocks = incoming_blocks(t->c, own->blocks);
	if (own->sender_name != NULL && (own->sender_name = incoming_name(t->c, own->sender_name)) == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if ((t->ask->text != NULL && own->text == NULL) || (t->ask->blocks != NULL && own->blocks == NULL))
		return fail(t->c, ERR_NOMEM, "out of memory");
	t->ask = own;
	return ERR_OK;
}

/* --- before ------------------------------------------------------------------------------ */

static enum err
mismatch(struct ctx *c)
{
	return fail_code(c, ERR_BAD_REQUEST, "session_agent_mismatch", "That session belongs to another agent");
}

/* The session of this turn: named, the sender's, a fresh one, or the agent's current one. */
static enum err
choose_session(struct turn *t)
{
	const struct turn_ask *a = t->ask;
	struct session s;
	enum err e;

	if (a->session_id != NULL) {
		memcpy(t->session_id, a->session_id, 37);
	} else if (a->sender_id != NULL) {
		char *scope = ctx_printf(t->c, "%s:%s", t->agent.id, a->channel != NULL ? a->channel : "api");

		if (scope == NULL)
			return fail(t->c, ERR_NOMEM, "out of memory");
		for (char *s = scope; *s != '\0'; s++)
			if (*s >= 'A' && *s <= 'Z')
				*s |= 32;
		uuid5(SENDER_NAMESPACE, scope, strlen(scope), t->session_id);
	} else if (strcmp(js_str_or(t->agent.manifest, "session_mode", ""), "new") == 0) {
		uuid4(t->session_id);
	} else {
		memcpy(t->session_id, t->agent.session_id, 37);
		t->own_model = t->agent.session_model;
		return t->keep ? turn_reset(t) : ERR_OK;
	}
	e = session_load(t->c, t->session_id, &s);
	t->own_model = e == ERR_OK ? s.model_override : NULL;
	t->session_is_new = e == ERR_NOT_FOUND;
	if (e == ERR_OK && strcmp(s.agent_id, t->agent.id) != 0)
		return mismatch(t->c);
	return t->session_is_new ? ERR_OK : e;
}

enum err
turn_prepare(struct turn *t)
{
	const struct config *cfg = t->c->cfg;
	struct json_object *mm, *autonomous;
	enum err e = ERR_OK;
	int64_t most;

	if (t->ask->agent != NULL)
		t->agent = *t->ask->agent;
	else
		e = agent_load(t->c, t->ask->agent_id, &t->agent);
	if (e != ERR_OK)
		return e;
	t->keep = !t->ask->ephemeral && !t->ask->incognito;
	t->record = !t->ask->incognito;
	mm = js_obj(t->agent.manifest, "model");
	autonomous = js_obj(t->agent.manifest, "autonomous");
	t->max_tokens = t->ask->max_tokens > 0 ? t->ask->max_tokens : js_i64(mm, "max_tokens", 4096);
	most = js_i64(autonomous, "max_iterations", cfg->agent_max_iterations > 0 ? cfg->agent_max_iterations : ITERATIONS_DEFAULT);
	t->max_iterations = most < 1 ? 1 : most > ITERATIONS_MAX ? ITERATIONS_MAX : (unsigned)most;
	turn_pace(t, t->agent.manifest);
	e = choose_session(t);
	return e == ERR_OK ? turn_routes(t) : e;
}

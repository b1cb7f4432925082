/*
 * One batch of tool calls.
 *
 * A row "started" is committed before each call; the row of the call before
 * it is ended in the same transaction. The assistant message and all its
 * results enter the history together, later, so that the history never holds a call
 * without its result. After a crash the rows tell what was done: a call
 * that had begun and has no result is run again only if its tool just reads.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/tool.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/series.h"

enum { RESULT_MAX = 512 << 10, PREVIEW_MAX = 300, SUMMARY_MAX = 200 };

static void
free_buf(void *b)
{
	buf_done(b);
}

/* --- what the model asked for -------------------------------------------------- */

static bool
is_outer(struct turn *t, const char *name)
{
	struct json_object *outer = t->ask->outer_tools;

	for (size_t i = 0, n = outer == NULL ? 0 : json_object_array_length(outer); i < n; i++)
		if (strcmp(js_str_or(json_object_array_get_idx(outer, i), "name", ""), name) == 0)
			return true;
	return false;
}

static void
call_result(struct call *k, const char *status, bool is_error, const char *text, size_t n)
{
	k->done = true;
	k->status = status;
	k->is_error = is_error;
	k->result = text;
	k->result_n = n;
}

static void
from_row(struct turn *t, struct call *k, const struct step_row *row)
{
	struct json_object *r = json_stored(t->c, row->result);
	const struct tool *tool = tool_find(k->name);
	static const char unknown[] = "The server was interrupted while this ran: the outcome is unknown. "
	    "Check before doing it again.";

	k->step = row->n;
	if (strcmp(row->state, "done") == 0 && r != NULL) {
		const char *text = js_str_or(r, "content", "");

		call_result(k, js_str_or(r, "status", "completed"), js_bool(r, "is_error", false), text, strlen(text));
		k->ended = true;
	} else if (!k->outer && (tool == NULL || !tool->read_only)) {
		call_result(k, "error", true, unknown, sizeof(unknown) - 1);
	}
}

/* Results that rows of this batch already hold. */
static enum err
known_results(struct turn *t, int64_t model_step)
{
	struct step_row *rows = NULL;
	size_t n = 0;
	enum err e = steps_load(t->c, t->id, model_step + 1, &rows, &n);

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		for (size_t k = 0; k < t->n_calls; k++)
			if (rows[i].call_id != NULL && strcmp(rows[i].call_id, t->calls[k].id) == 0) {
				from_row(t, &t->calls[k], &rows[i]);
				if (rows[i].n > t->step)
					t->step = rows[i].n;
			}
	return e;
}

static void
outer_results(struct turn *t)
{
	for (size_t k = 0; k < t->n_calls; k++) {
		const char *text = t->calls[k].outer && !t->calls[k].done && t->ask->outer_results != NULL
		    ? js_str(t->ask->outer_results, t->calls[k].id) : NULL;

		if (text != NULL)
			call_result(&t->calls[k], "completed", false, text, strlen(text));
	}
}

enum err
calls_gather(struct turn *t)
{
	size_t blocks = json_object_array_length(t->content);

	t->n_calls = 0;
	t->calls = ctx_alloc(t->c, (blocks < CALLS_MAX ? blocks : CALLS_MAX) * sizeof(*t->calls));
	if (t->calls == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < blocks; i++) {
		struct json_object *b = json_object_array_get_idx(t->content, i);
		struct call *k = &t->calls[t->n_calls];

		if (strcmp(js_str_or(b, "type", ""), "tool_use") != 0)
			continue;
		if (t->n_calls == CALLS_MAX)
			return fail_code(t->c, ERR_INTERNAL, "format_error", "The model asked for too many tools at once");
		*k = (struct call){ .id = js_str_or(b, "id", ""), .name = js_str_or(b, "name", ""), .input = js_get(b, "input") };
		k->outer = is_outer(t, k->name);
		t->n_calls++;
	}
	if (t->resumed) {
		enum err e = known_results(t, t->step);

		if (e != ERR_OK)
			return e;
		outer_results(t);
	}
	return ERR_OK;
}

/* --- running one ----------------------------------------------------------------- */

static struct db *
env_db_get(struct tool_env *env)
{
	job_db_acquire(env->c);
	return env->c->db;
}

static void
env_db_put(struct tool_env *env, struct db *db)
{
	(void)db;
	job_db_release(env->c);
}

static bool
in_chain(const struct turn_ask *ask, const char *id)
{
	for (const char *const *p = ask->chain; p != NULL && *p != NULL; p++)
		if (strcmp(*p, id) == 0)
			return true;
	return false;
}

/* agent_send: a turn of the other agent on this thread, under this turn's cancel. */
static enum err
ask_agent(struct tool_env *env, const char *who, const char *message, struct buf *out)
{
	struct turn *t = env->turn;
	struct ctx *c = env->c;
	struct agent other = { 0 };
	struct turn_answer a = { 0 };
	const char **chain = ctx_alloc(c, (env->depth + 3) * sizeof(*chain));
	size_t n = 0;
	char id[37];
	enum err e;

	job_db_acquire(c);
	e = uuid_parse(who, id) ? agent_load(c, id, &other) : agent_load_by_name(c, who, &other);
	for (const char *const *p = t->ask->chain; p != NULL && *p != NULL; p++)
		chain[n++] = *p;
	chain[n++] = t->agent.id;
	if (e == ERR_OK && (strcmp(other.id, t->agent.id) == 0 || in_chain(t->ask, other.id)))
		e = fail(c, ERR_CONFLICT, "%s waits for this answer itself", other.name);
	if (e == ERR_OK && env->depth + 1 > (c->cfg->max_agent_call_depth > 0 ? c->cfg->max_agent_call_depth : 5))
		e = fail(c, ERR_CONFLICT, "agents may not call each other deeper than that");
	if (e == ERR_OK) {
		struct turn_ask ask = {
			.agent_id = other.id, .text = message, .origin = "agent", .channel = "agent",
			.depth = env->depth + 1, .chain = chain, .cancel = t->ask->cancel, .deadline_us = env->deadline_us,
		};

		e = turn_run(c, &ask, &a);
	}
	job_db_release(c);
	buf_str(out, e == ERR_OK ? a.text : c->fault.msg != NULL ? c->fault.msg : "it failed");
	return e;
}

bool
turn_has_tool(struct turn *t, const char *name)
{
	for (size_t i = 0, n = t->tools == NULL ? 0 : json_object_array_length(t->tools); i < n; i++)
		if (strcmp(js_str_or(json_object_array_get_idx(t->tools, i), "name", ""), name) == 0)
			return true;
	return false;
}

static const char *
why_not(struct turn *t, struct call *k, const char **advice, bool *end_turn)
{
	enum guard_verdict v;

	*advice = NULL;
	if (tool_find(k->name) == NULL || !turn_has_tool(t, k->name))
		return ctx_printf(t->c, "There is no tool named '%s' for this agent.", k->name);
	if (js_bool(k->input, "__args_truncated", false))
		return "The arguments were cut off. Try again with a smaller call.";
	v = loop_guard_check(t->guard, k->name, k->input, advice);
	*end_turn = v == GUARD_BREAK;
	return v == GUARD_BLOCK || v == GUARD_BREAK ? *advice : NULL;
}

static void
count_tool(const struct turn *t, const char *tool, enum err e, int64_t us)
{
	const char *agent = t->agent.name;

	series_add(SERIES_TOOL_CALL, (const char *const[]){ agent, tool, e == ERR_OK ? "success" : "failure",
		e == ERR_OK ? "" : err_code(e) }, 0);
	series_add(SERIES_TOOL_SECONDS, (const char *const[]){ agent, tool }, us);
}

/* A word of the guard stands behind the result. */
static void
advise(struct turn *t, struct call *k, const char *advice)
{
	char *s = advice != NULL ? ctx_alloc(t->c, k->result_n + strlen(advice) + 3) : NULL;

	if (s == NULL)
		return;
	memcpy(s, k->result, k->result_n);
	memcpy(s + k->result_n, "\n\n", 2);
	strcpy(s + k->result_n + 2, advice);
	k->result = s;
	k->result_n += strlen(advice) + 2;
}

static void
run_one(struct turn *t, struct call *k, const char *advice)
{
	const struct tool *tool = tool_find(k->name);
	struct buf *out = ctx_alloc(t->c, sizeof(*out));
	struct tool_env env = {
		.c = t->c, .agent_id = t->agent.id, .agent_name = t->agent.name, .session_id = t->session_id,
		.turn_id = t->id, .workspace = t->workspace, .depth = t->ask->depth, .cancel = t->ask->cancel,
		.turn = t, .db_get = env_db_get, .db_put = env_db_put, .ask_agent = ask_agent,
	};
	int64_t since = clock_mono_us(), until = t->ask->deadline_us;
	const char *more;
	enum err e;

	if (out == NULL || (out->max = RESULT_MAX, arena_defer(t->c->arena, free_buf, out)) != 0) {
		call_result(k, "error", true, "out of memory", 13);
		return;
	}
	t->c->fault = (struct fault){ 0 };
	env.deadline_us = since + (int64_t)tool_timeout(t->c->cfg, tool->name) * 1000000;
	if (until != 0 && until < env.deadline_us)
		env.deadline_us = until;
	e = tool->run(&env, k->input, out);
	k->ms = (clock_mono_us() - since) / 1000;
	if (e != ERR_OK && clock_mono_us() + 2000 >= env.deadline_us) {     /* clients count in milliseconds */
		buf_clear(out);
		buf_printf(out, "%s was not done after %" PRId64 " s and was ended", tool->name,
		    (env.deadline_us - since + 500000) / 1000000);
	}
	if (out->len == 0)
		buf_str(out, e == ERR_OK ? "(no output)" : t->c->fault.msg != NULL ? t->c->fault.msg : "the tool failed");
	more = loop_guard_result(t->guard, k->name, k->input, out->p != NULL ? out->p : "", out->len);
	t->tool_calls++;
	count_tool(t, tool->name, e, clock_mono_us() - since);
	call_result(k, e == ERR_OK ? "completed" : "error", e != ERR_OK, out->p != NULL ? out->p : "", out->len);
	turn_spill(t, k);
	advise(t, k, advice);
	advise(t, k, more);
	if (e != ERR_OK && e != ERR_INVALID && e != ERR_FORBIDDEN && e != ERR_NOT_FOUND)
		k->status = "hard_error";
}

/* --- rows -------------------------------------------------------------------------- */

static const char *
result_json(struct turn *t, const struct call *k, size_t *n)
{
	struct jw *w = ctx_alloc(t->c, sizeof(*w));
	struct buf *b = ctx_alloc(t->c, sizeof(*b));

	*n = 0;
	if (w == NULL || b == NULL || (b->max = RESULT_MAX * 7, arena_defer(t->c->arena, free_buf, b)) != 0)
		return NULL;
	w->b = b;
	jw_object(w, NULL);
	jw_str(w, "status", k->status);
	jw_bool(w, "is_error", k->is_error);
	jw_strn(w, "content", t->record ? k->result : "", t->record ? k->result_n : 0);
	jw_end(w);
	*n = b->len;
	return b->failed ? NULL : b->p;
}

static enum err
row_end(struct turn *t, struct call *k)
{
	size_t n;
	const char *json;
	enum err e;

	if (k->step == 0 || k->ended)
		return ERR_OK;
	json = result_json(t, k, &n);
	e = step_end(t->c, t->id, t->epoch, k->step, "done", json, n);
	k->ended = e == ERR_OK;
	return e;
}

enum err
calls_end_rows(struct turn *t)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < t->n_calls; i++)
		if (t->calls[i].done)
			e = row_end(t, &t->calls[i]);
	return e;
}

void
calls_give_up(struct turn *t, const char *why)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (!t->calls[i].done)
			call_result(&t->calls[i], "skipped", true, why, strlen(why));
}

static enum err
row_start(struct turn *t, struct call *k)
{
	size_t n;
	const char *in = t->record ? content_json(t->c, k->input, &n) : NULL;
	enum err e = step_start(t->c, t->id, t->epoch, t->step + 1, "tool", k->name, k->id, in);

	if (e == ERR_OK)
		k->step = ++t->step;
	return e;
}

/* One commit: the model's step ends, the call before ends, this call begins. */
static enum err
before(struct turn *t, struct call *k)
{
	SCOPED_TX tx = { 0 };
	enum err e = turn_tx(t, &tx);

	if (e == ERR_OK && !t->model_ended) {
		size_t n = 2;
		const char *json = t->record ? content_json(t->c, t->content, &n) : "[]";

		e = step_end(t->c, t->id, t->epoch, t->step, "done", json, n);
	}
	if (e == ERR_OK)
		e = calls_end_rows(t);
	if (e == ERR_OK && k != NULL && k->step == 0)
		e = row_start(t, k);
	if (e == ERR_OK)
		e = tx_commit(t->c, &tx);
	t->model_ended |= e == ERR_OK;
	return e;
}

static void
tell(struct turn *t, const struct call *k)
{
	turn_emit(t, TURN_TOOL_RESULT, k->id, k->name, k->result, utf8_cut(k->result, k->result_n, PREVIEW_MAX), k->is_error);
}

static void
trace(struct turn *t, const struct call *k)
{
	struct json_object *o = json_object_new_object();
	char ts[25];

	if (t->out->traces == NULL)
		t->out->traces = json_keep(t->c, json_object_new_array());
	time_rfc3339(clock_ms(), ts);
	json_object_object_add(o, "tool_use_id", json_object_new_string(k->id));
	json_object_object_add(o, "tool_name", json_object_new_string(k->name));
	json_object_object_add(o, "input", json_object_get(k->input));
	json_object_object_add(o, "rationale", NULL);
	json_object_object_add(o, "recovered_from_text", json_object_new_boolean(0));
	json_object_object_add(o, "execution_ms", json_object_new_int64(k->ms));
	json_object_object_add(o, "is_error", json_object_new_boolean(k->is_error));
	json_object_object_add(o, "output_summary", json_object_new_string_len(k->result,
	    (int)utf8_cut(k->result, k->result_n, SUMMARY_MAX)));
	json_object_object_add(o, "iteration", json_object_new_int64(t->out->iterations));
	json_object_object_add(o, "timestamp", json_object_new_string(ts));
	json_object_array_add(t->out->traces, o);
	if (strcmp(k->name, "memory_store") == 0 && !k->is_error) {
		if (t->out->memories_saved == NULL)
			t->out->memories_saved = json_keep(t->c, json_object_new_array());
		json_object_array_add(t->out->memories_saved, json_object_new_string(js_str_or(k->input, "key", "")));
	}
}

/* The call itself, without a database connection in hand. */
static enum err
perform(struct turn *t, struct call *k, bool skip)
{
	const char *advice = NULL, *no = t->injected ? "Skipped: the user said something meanwhile."
	    : skip ? "Skipped: an earlier call of this batch failed." : NULL;
	bool end_turn = false;

	turn_emit(t, TURN_PHASE, "tool_use", k->name, NULL, 0, false);
	if (no == NULL)
		no = why_not(t, k, &advice, &end_turn);
	job_db_release(t->c);
	if (no != NULL)
		call_result(k, "skipped", true, no, strlen(no));
	else
		run_one(t, k, advice);
	tell(t, k);
	trace(t, k);
	if (cancelled(t->ask->cancel))
		return fail(t->c, ERR_CANCELLED, "Cancelled");
	return end_turn ? fail_code(t->c, ERR_INTERNAL, "circuit_break", "%s", no) : ERR_OK;
}

enum err
calls_run(struct turn *t, bool *ret_wait)
{
	bool skip = false, begun = false;

	*ret_wait = false;
	for (size_t i = 0; i < t->n_calls; i++) {
		struct call *k = &t->calls[i];
		enum err e;

		if (k->done) {
			trace(t, k);
			continue;
		}
		e = turn_was_told(t, false);
		if (e == ERR_OK)
			e = before(t, k);
		if (e == ERR_OK && k->outer) {
			*ret_wait = true;
			continue;
		}
		if (e == ERR_OK)
			e = perform(t, k, skip);
		if (e != ERR_OK)
			return e;
		skip |= strcmp(k->status, "hard_error") == 0;
		begun = true;
	}
	return *ret_wait && begun ? before(t, NULL) : ERR_OK;
}

const char *
calls_message(struct turn *t, size_t *n)
{
	struct buf *b = ctx_alloc(t->c, sizeof(*b));
	struct jw w = { 0 };

	*n = 0;
	turn_spill_batch(t);
	if (b == NULL || (b->max = (size_t)RESULT_MAX * 16, arena_defer(t->c->arena, free_buf, b)) != 0)
		return NULL;
	w.b = b;
	jw_array(&w, NULL);
	for (size_t i = 0; i < t->n_calls; i++) {
		const struct call *k = &t->calls[i];

		jw_object(&w, NULL);
		jw_str(&w, "type", "tool_result");
		jw_str(&w, "tool_use_id", k->id);
		jw_str(&w, "tool_name", k->name);
		jw_strn(&w, "content", k->result, k->result_n);
		jw_bool(&w, "is_error", k->is_error);
		jw_str(&w, "status", strcmp(k->status, "hard_error") == 0 ? "error" : k->status);
		jw_end(&w);
	}
	jw_end(&w);
	*n = b->len;
	return b->failed ? NULL : b->p;
}

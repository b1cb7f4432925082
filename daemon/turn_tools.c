/*
 * One batch of tool calls.
 *
 * A row "started" is committed before each call; the row of the call before
 * it is ended in the same transaction. The assistant message and all its
 * results enter the history together, later, so that the history never holds a call
 * without its result. After a crash the rows tell what was done: a call
 * that had begun and has no result is run again only if its tool just reads.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/tool.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/config.h"
#include "lib/svc/series.h"

enum { RESULT_MAX = 512 << 10 };

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

void
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
	k->counted = true;
	if (strcmp(row->state, "done") == 0 && r != NULL) {
		const char *text = js_str_or(r, "content", "");

		call_result(k, js_str_or(r, "status", "completed"), js_bool(r, "is_error", false), text, strlen(text));
		k->ended = true;
		t->tool_calls += t->retell && strcmp(k->status, "skipped") != 0;        /* the row of its call does not have it yet */
	} else if (!k->outer && (tool == NULL || !tool->read_only)) {
		call_result(k, "error", true, unknown, sizeof(unknown) - 1);
		t->tool_calls += t->retell;
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
	if (e == ERR_OK)
		e = audit_append(t->c, &(struct audit){ .agent_id = t->agent.id, .action = "ToolInvoke", .detail = k->name,
		    .outcome = k->is_error ? ctx_printf(t->c, "error: %s", k->status) : "ok", .channel = t->ask->channel });
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

struct begun { struct turn *t; struct call *k; size_t n; const char *said; size_t said_n; bool bill; };

static enum err
write_begun(void *arg)
{
	const struct begun *b = arg;
	struct turn *t = b->t;
	enum err e = t->model_ended ? ERR_OK : step_end(t->c, t->id, t->epoch, t->step, "done", b->said, b->said_n);

	if (e == ERR_OK)
		e = calls_end_rows(t);
	for (size_t i = 0; e == ERR_OK && i < b->n; i++)
		if (b->k[i].step == 0)
			e = row_start(t, &b->k[i]);
	if (e == ERR_OK)
		e = turn_touch(t);              /* the heartbeat listens */
	return e == ERR_OK && b->bill ? turn_settle(t, false) : e;
}

/* One commit: the model's step ends and what it took is in the ledger, the calls before end, these begin. */
enum err
calls_begin(struct turn *t, struct call *k, size_t n)
{
	struct begun b = { t, k, n, "[]", 2, t->n_owed > 0 };
	enum err e;

	if (t->record && !t->model_ended)
		b.said = content_json(t->c, t->content, &b.said_n);
	if ((e = turn_write(t, write_begun, &b)) != ERR_OK)
		return e;
	t->model_ended = true;
	if (b.bill)
		turn_settled(t);
	return ERR_OK;
}

/* How to go on after that: for the model, behind the last result that it is about. */
static const char *
guidance(const struct turn *t, const struct call *k)
{
	static const char *const words[] = {
		[ADVICE_MEND] = "\n\n[Read what was wrong, mend the parameters, and call again; or do without it.]",
		[ADVICE_REFUSED] = "\n\n[That was refused and stays so. Do not look for a way around; do without it, or tell the user.]",
		[ADVICE_FAILED] = "\n\n[That failed. Do not repeat it unchanged; try another way, or tell the user what failed.]",
	};

	for (const struct call *later = k + 1; later < t->calls + t->n_calls; later++)
		if (later->advice == k->advice)
			return "";
	return k->advice == ADVICE_NONE ? "" : words[k->advice];
}

static void
write_content(struct turn *t, const struct call *k, struct jw *w)
{
	const char *more = guidance(t, k);
	size_t n = strlen(more);
	char *all = n > 0 ? ctx_alloc(t->c, k->result_n + n + 1) : NULL;

	if (all == NULL) {
		jw_strn(w, "content", k->result, k->result_n);
		return;
	}
	memcpy(all, k->result, k->result_n);
	memcpy(all + k->result_n, more, n);
	jw_strn(w, "content", all, k->result_n + n);
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
		write_content(t, k, &w);
		jw_bool(&w, "is_error", k->is_error);
		jw_str(&w, "status", strcmp(k->status, "hard_error") == 0 ? "error" : k->status);
		jw_end(&w);
	}
	jw_end(&w);
	*n = b->len;
	return b->failed ? NULL : b->p;
}

/*
 * Before each question: does it fit the model's window?
 *
 * A glance at the bytes tells nearly always that it does. Otherwise, one after the other until it fits: old results
 * are cut, the middle is told in short by the model, the oldest is left out, all results are cut. What the user asked last always stays.
 * Nothing of this touches the store.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/summary.h"
#include "daemon/turn_state.h"
#include "lib/agent/fit.h"
#include "lib/agent/repair.h"
#include "lib/agent/tokens.h"
#include "lib/agent/tool.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum {
	TOLD_MAX = 6,           /* questions for summaries in a turn */
	FIRST_KEPT = 3, LAST_KEPT = 10, LAST_FEW = 4, STUB_CHARS = 200, STUB_KEEP = 5, TOOL_TOKENS = 400,
};

static const double full = 0.7, brim = 0.9;

int64_t
turn_window(struct turn *t)
{
	bool of_manifest = t->route_at == 0 && t->own_model == NULL;
	const char *source;

	if (t->window == 0)
		t->window = fit_window(of_manifest ? js_obj(t->agent.manifest, "model") : NULL, t->route.provider,
		    t->route.model, &source);
	return t->window;
}

static int64_t
around(struct turn *t)
{
	if (t->around == 0)
		t->around = 1 + tokens_of_text(t->system, strlen(t->system)) + tools_tokens(t->tools);
	return t->around;
}

int64_t
turn_tokens(struct turn *t)
{
	return around(t) + tokens_of_history(&t->history);
}

/* A token is never less than two bytes. */
bool
turn_surely_within(struct turn *t, double part)
{
	size_t tools = t->tools != NULL ? json_object_array_length(t->tools) : 0;

	return (int64_t)(history_bytes(&t->history) + strlen(t->system)) / 2 + (int64_t)tools * TOOL_TOKENS <= (int64_t)(part * (double)turn_window(t));
}

/* Repaired once for each state of the history. */
const struct history *
turn_wire(struct turn *t)
{
	if (t->wire == NULL || t->wire_of.v != t->history.v || t->wire_of.n != t->history.n) {
		t->wire = session_repair(t->c, &t->history, NULL);
		t->wire_of = t->history;
	}
	return t->wire;
}

/* --- the stages ----------------------------------------------------------------------------- */

static bool
over(struct turn *t, double ratio)
{
	return (double)turn_tokens(t) > ratio * (double)turn_window(t);
}

static void
warn(struct turn *t, const char *what)
{
	if (!t->warned)
		turn_emit(t, TURN_PHASE, "context_warning", what, NULL, 0, false);
	t->warned = true;
}

static enum err
take(struct turn *t, const struct history *h)
{
	if (h == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if (h != &t->history)
		t->history = *h;
	return ERR_OK;
}

/* How many of the newest messages make that many tokens, but no fewer than least. */
static size_t
newest(struct turn *t, double tokens, size_t least)
{
	int64_t left = (int64_t)tokens - around(t);
	size_t n = 0;

	while (n < t->history.n && (left -= tokens_of_message(&t->history.v[t->history.n - 1 - n])) >= 0)
		n++;
	return n > least ? n : least;
}

/* [gateway_compression]: old results become stubs, then the oldest messages go. */
static enum err
compress(struct turn *t)
{
	struct json_object *o = js_obj(t->c->cfg->raw, "gateway_compression");
	double ratio = js_f64(o, "threshold_ratio", 0.85);
	int64_t chars = js_i64(o, "max_tool_result_chars", STUB_CHARS), keep = js_i64(o, "keep_recent_messages", STUB_KEEP);
	enum err e;

	ratio = ratio < 0.7 ? 0.7 : ratio > 0.99 ? 0.99 : ratio;
	keep = keep < 1 ? 1 : keep;
	if (!js_bool(o, "enabled", true) || !over(t, ratio))
		return ERR_OK;
	e = take(t, fit_results(t->c, &t->history, chars < STUB_CHARS ? STUB_CHARS : (size_t)chars, (size_t)keep));
	if (e == ERR_OK && over(t, ratio))
		e = take(t, fit_tail(t->c, &t->history, newest(t, ratio * (double)turn_window(t), (size_t)keep), NULL));
	return e;
}

/* The middle as the model tells it; it may fail, then the next stage must do. */
static enum err
tell_middle(struct turn *t, size_t last)
{
	struct summary told = { 0 };
	struct fault f = t->c->fault;
	size_t from, to;
	enum err e;

	if (!fit_middle(&t->history, FIRST_KEPT, last, &from, &to))
		return ERR_OK;
	job_db_acquire(t->c);
	e = turn_summary(t, "compression", &told);
	told.deadline_us = t->ask->deadline_us;
	told.calls_max = TOLD_MAX - t->told;
	if (e == ERR_OK)
		e = summary_tell(&told, &t->history, from, to);
	t->told += (unsigned)told.calls;
	job_db_acquire(t->c);
	if (e == ERR_OK)
		e = take(t, fit_told(t->c, &t->history, from, to, told.text));
	if (e != ERR_OK && !cancelled(t->ask->cancel)) {
		log_line(LOG_WARN, "rid=%s turn=%s what=\"the middle could not be told\" err=%s", t->c->rid, t->id, err_code(e));
		t->told = TOLD_MAX;
		t->c->fault = f;
		return ERR_OK;
	}
	return e;
}

static enum err
tell_in_short(struct turn *t)
{
	enum err e = ERR_OK;

	for (size_t last = LAST_KEPT; e == ERR_OK && last >= LAST_FEW && t->told < TOLD_MAX && over(t, turn_full_ratio(t)); last -= 3)
		e = tell_middle(t, last);
	return e;
}

static enum err
leave_out(struct turn *t, double most)
{
	static const char notice[] = "[The beginning of this conversation was left out: it no longer fitted.]";
	enum err e = take(t, fit_tail(t->c, &t->history, LAST_KEPT, NULL));

	if (e == ERR_OK && over(t, most))
		e = take(t, fit_tail(t->c, &t->history, LAST_FEW, notice));
	if (e == ERR_OK && over(t, brim))
		e = take(t, fit_results(t->c, &t->history, FIT_RESULT_MIN, 0));
	if (e == ERR_OK && over(t, brim))
		warn(t, "The conversation hardly fits the model's window. Compact or reset the session.");
	return e;
}

enum err
turn_fit(struct turn *t)
{
	double ratio = turn_full_ratio(t), most = ratio > full ? ratio : full;
	bool stubs = !t->fitted;
	enum err e = ERR_OK;

	t->fitted = true;
	if (turn_surely_within(t, ratio < 0.5 ? ratio : 0.5))   /* the results that the guard cuts make as much at least */
		return ERR_OK;
	if (stubs)
		e = compress(t);
	if (e == ERR_OK && over(t, ratio)) {
		warn(t, "The conversation fills most of the model's window; older parts are told in short.");
		e = tell_in_short(t);
		if (e == ERR_OK && over(t, most))
			e = leave_out(t, most);
	}
	return e == ERR_OK ? take(t, fit_guard(t->c, &t->history, turn_window(t))) : e;
}

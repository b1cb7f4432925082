/*
 * The loop of a turn: ask the model, run what it asks for, ask again, until
 * it has an answer.
 *
 * Reads as the story it tells. Every commit between two effects is one
 * transaction: what came back from the last effect, and that the next one begins.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/hub.h"
#include "daemon/journal.h"
#include "daemon/retell.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/base/util.h"

enum { CUTS_MAX = 5, BAD_BATCHES_MAX = 3, BLOCKED_BATCHES = 2 };

void
turn_emit(struct turn *t, enum turn_event_kind kind, const char *a, const char *b, const char *s, size_t n, bool is_error)
{
	struct turn_event ev = { kind, a, b, s, n, is_error, NULL };
	bool last = kind == TURN_PHASE && (strcmp(a, "done") == 0 || strcmp(a, "error") == 0);  /* tell_end() says so */
	bool text = kind == TURN_TEXT, watched;
	SCOPED_BUF data = BUF_INIT(16 << 20);
	const char *name = text ? "chunk" : turn_event_text(&ev, &data);
	char id[EVENT_ID_MAX];
	uint64_t place = 0;

	if (t->keep && !last && name != NULL && !data.failed)
		place = journal_add(t->journal, &ev, name, &data);
	if (place > 0) {
		event_id(t->id, place, id);
		ev.id = id;
	}
	if (t->ask->sink.on != NULL)
		t->ask->sink.on(t->ask->sink.arg, &ev);
	watched = t->keep && !last && hub_watched(t->session_id);      /* after the journal: who joins reads one or hears the other */
	if (watched && text)
		(void)turn_event_text(&ev, &data);
	if (watched && name != NULL && !data.failed)
		hub_tell(t->session_id, t->id, place, name, &data);
}

/* --- history ------------------------------------------------------------------------- */

static enum err
remember(struct turn *t, struct message m)
{
	return history_add(t->c, &t->history, m) ? ERR_OK : fail(t->c, ERR_NOMEM, "out of memory");
}

static enum err
begin_model_step(struct turn *t)
{
	enum err e = step_start(t->c, t->id, t->epoch, t->step + 1, "model", t->route.model, NULL, NULL);

	t->step += e == ERR_OK;
	return e;
}

/* The store decides: a word of it may come twice. */
enum err
turn_was_told(struct turn *t, bool last)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && !t->injected && running_nudged(&t->run, last)) {
		job_db_acquire(t->c);
		e = injection_any(t->c, t->id, &t->injected);
	}
	return e;
}

/* What was said into the turn becomes messages of the user. */
static enum err
take_injected(struct turn *t, const char *texts[static INJECTIONS_MAX], size_t *n)
{
	enum err e = ERR_OK;

	*n = 0;
	if (running_nudged(&t->run, false) || t->injected)
		e = injections_take(t->c, t->id, texts, n);
	for (size_t i = 0; e == ERR_OK && t->keep && i < *n; i++)
		e = message_append(t->c, t->session_id, "user", texts[i], strlen(texts[i]), t->id);
	return e;
}

struct batch {
	struct turn *t;
	const char *said, *answered;
	size_t said_n, answered_n;
	bool goes_on, pin;
	enum err held;                  /* what the budget says to its next call */
};

/* What another agent answered is worth more than other results: it stays in sight. */
static bool
has_answer_of_agent(const struct turn *t)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (!t->calls[i].is_error && strcmp(t->calls[i].name, "agent_send") == 0 && !js_bool(t->calls[i].input, "async", true))
			return true;
	return false;
}

static enum err
store_batch(const struct batch *b, const char *texts[static INJECTIONS_MAX], size_t *n)
{
	struct turn *t = b->t;
	enum err e = t->model_ended ? ERR_OK : step_end(t->c, t->id, t->epoch, t->step, "done", "[]", 2);

	if (e == ERR_OK)
		e = calls_end_rows(t);
	if (e == ERR_OK && t->keep)
		e = message_append(t->c, t->session_id, "assistant", b->said, b->said_n, t->id);
	if (e == ERR_OK && t->keep && b->answered_n > 0)
		e = message_append(t->c, t->session_id, "user", b->answered, b->answered_n, t->id);
	if (e == ERR_OK && t->keep && b->pin)
		e = message_pin(t->c, t->session_id);
	return e == ERR_OK ? take_injected(t, texts, n) : e;
}

static enum err
write_batch(void *arg)
{
	struct batch *b = arg;
	struct turn *t = b->t;
	const char *texts[INJECTIONS_MAX];
	size_t n = 0;
	enum err e = store_batch(b, texts, &n);

	if (e == ERR_OK)
		e = remember(t, message_of(t->c, BY_ASSISTANT, b->said, b->said_n));
	if (e == ERR_OK && b->answered_n > 0)
		e = remember(t, message_of(t->c, BY_USER, b->answered, b->answered_n));
	if (e == ERR_OK && b->answered_n > 0)
		t->history.v[t->history.n - 1].pinned = b->pin;
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = remember(t, message_of(t->c, BY_USER, texts[i], strlen(texts[i])));
	if (e == ERR_OK)
		e = turn_settle(t, true);
	if (e != ERR_OK || !b->goes_on)
		return e;
	b->held = turn_hold(t);
	if (b->held == ERR_RATE_LIMITED)        /* what was done stays; only the next question is too much */
		return ERR_OK;
	if (b->held == ERR_OK)
		b->held = turn_touch(t);        /* it is at work, however long it takes */
	return b->held == ERR_OK ? begin_model_step(t) : b->held;
}

/* What the model said, and what its tools and the user say to that, enters the history whole, and its next call begins. */
static enum err
commit_batch(struct turn *t, bool goes_on)
{
	struct batch b = { .t = t, .goes_on = goes_on, .pin = has_answer_of_agent(t), .answered = "" };
	enum err e;

	b.said = content_json(t->c, t->content, &b.said_n);
	if (t->n_calls > 0)
		b.answered = calls_message(t, &b.answered_n);
	e = b.said == NULL || b.answered == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : turn_write(t, write_batch, &b);
	if (e == ERR_OK) {
		turn_settled(t);
		e = b.held;
	}
	t->n_calls = 0;
	t->resumed = false;
	t->recovered = false;
	t->injected = false;
	return e;
}

static bool
says_nothing(const struct turn *t)
{
	const char *text = content_text(t->c, t->content, "text", "text");

	return text[strspn(text, " \t\r\n")] == '\0';
}

/* Nothing but hard errors, and what was skipped for one. */
static bool
all_hard(const struct turn *t)
{
	bool any = false;

	for (size_t i = 0; i < t->n_calls; i++) {
		bool hard = strcmp(t->calls[i].status, "hard_error") == 0;

		if (!hard && strcmp(t->calls[i].status, "skipped") != 0)
			return false;
		any |= hard;
	}
	return any;
}

/* Nothing but calls that the guard refused, and not a word to the user. */
static bool
all_blocked(const struct turn *t)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (!t->calls[i].blocked)
			return false;
	return t->n_calls > 0 && says_nothing(t);
}

static void
count_batch(struct turn *t)
{
	int64_t most = js_i64(js_obj(t->agent.manifest, "autonomous"), "block_stall_degrade_after", BLOCKED_BATCHES);

	t->bad_batches = all_hard(t) ? t->bad_batches + 1 : 0;
	t->blocked_batches = all_blocked(t) ? t->blocked_batches + 1 : 0;
	if (most > 0 && t->blocked_batches >= most) {
		t->withhold = true;
		t->blocked_batches = 0;
	}
}

static void
report_outer(struct turn *t)
{
	struct json_object *all = json_keep(t->c, json_object_new_array());

	for (size_t i = 0; i < t->n_calls; i++) {
		struct json_object *o;

		if (!t->calls[i].outer || t->calls[i].done)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "id", json_object_new_string(t->calls[i].id));
		json_object_object_add(o, "name", json_object_new_string(t->calls[i].name));
		json_object_object_add(o, "input", json_object_get(t->calls[i].input));
		json_object_array_add(all, o);
	}
	t->out->outer_calls = all;
}

static enum err
write_waiting(void *arg)
{
	struct turn *t = arg;
	enum err e = turn_set_state(t->c, t->id, t->epoch, "waiting");

	return e == ERR_OK ? turn_settle(t, false) : e;
}

/* For results of its caller. */
static enum err
begin_waiting(struct turn *t)
{
	enum err e = turn_write(t, write_waiting, t);

	report_outer(t);
	if (e == ERR_OK)
		turn_settled(t);
	return e;
}

/* The tools of one answer. *ret_wait: the caller must run some of them. */
static enum err
tools(struct turn *t, bool *ret_wait)
{
	enum err e = calls_gather(t);

	buf_str(&t->said, content_text(t->c, t->content, "text", "text"));
	if (e == ERR_OK)
		e = calls_run(t, ret_wait);
	if (e == ERR_OK && *ret_wait)
		return begin_waiting(t);
	if ((e == ERR_CANCELLED || e == ERR_INTERNAL) && atomic_load(&t->ask->cancel->why) != CANCEL_SHUTDOWN) {
		struct fault f = t->c->fault;
		enum err kept;

		calls_give_up(t, e == ERR_CANCELLED ? "Cancelled by the user." : "The turn was ended.");
		kept = commit_batch(t, false);  /* what did run must be known next time */
		t->c->fault = f;
		return kept == ERR_OK ? e : kept;
	}
	if (e != ERR_OK)
		return e;
	count_batch(t);
	if (t->bad_batches >= BAD_BATCHES_MAX) {
		e = commit_batch(t, false);
		return e != ERR_OK ? e : fail_code(t->c, ERR_INTERNAL, "repeated_tool_failures",
		    "The tools failed %d times in a row", BAD_BATCHES_MAX);
	}
	return commit_batch(t, true);
}

/* --- once more ------------------------------------------------------------------------ */

static enum err
write_nudged(void *arg)
{
	struct turn *t = arg;
	enum err e = step_end(t->c, t->id, t->epoch, t->step, "done", "[]", 2);

	if (e == ERR_OK)
		e = turn_settle(t, true);
	if (e == ERR_OK)
		e = turn_hold(t);
	return e == ERR_OK ? begin_model_step(t) : e;
}

/* An answer that is none: ask once more. Neither is part of the session. */
static enum err
nudge(struct turn *t, const char *why)
{
	const char *please = ctx_printf(t->c, "\"%s\"", why), *said;
	size_t n;
	enum err e = ERR_OK;

	t->nudged = true;
	said = content_json(t->c, t->content, &n);
	if (please == NULL || said == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if (!says_nothing(t))
		e = remember(t, message_of(t->c, BY_ASSISTANT, said, n));
	if (e == ERR_OK)
		e = remember(t, message_of(t->c, BY_USER, please, strlen(please)));
	if (e == ERR_OK)
		e = turn_write(t, write_nudged, t);
	if (e == ERR_OK)
		turn_settled(t);
	return e;
}

/* Tools were asked for; a call whose arguments were cut off says so itself. */
static bool
wants_tools(struct turn *t, unsigned *cuts)
{
	if (t->answer.stop == LLM_TOOL_USE)
		return true;
	if (t->answer.stop == LLM_MAX_TOKENS)
		return content_text(t->c, t->content, "tool_use", "id")[0] != '\0' && ++*cuts <= CUTS_MAX;
	return answer_recover(t);
}

/* It was still speaking when the user said more. */
static enum err
speak_on(struct turn *t)
{
	buf_str(&t->said, content_text(t->c, t->content, "text", "text"));
	return commit_batch(t, true);
}

/* What was said before the provider withheld the rest. */
enum err
turn_keep_partial(struct turn *t)
{
	t->n_calls = 0;
	return commit_batch(t, false);
}

static void
say_again(void *arg, const struct turn_event *ev)
{
	turn_emit(arg, ev->kind, ev->a, ev->b, ev->s, ev->n, false);
}

/* What is said from now on has a journal, which begins with what was said before a crash. */
static enum err
speak_up(struct turn *t)
{
	if (!t->keep)
		return ERR_OK;
	t->journal = journal_open(t->id, t->session_id);
	return t->retell ? turn_retell(t->c, t->id, say_again, t) : ERR_OK;
}

enum err
turn_loop(struct turn *t)
{
	unsigned cuts = 0;
	bool wait = false;
	const char *why;
	enum err e = speak_up(t);

	if (e != ERR_OK)
		return e;
	if (t->resumed && t->content != NULL) {
		e = tools(t, &wait);
		if (e != ERR_OK || wait)
			return e;
	} else if ((e = turn_compact(t)) != ERR_OK) {
		return e;
	}
	turn_recall(t);
	for (t->out->iterations++;; t->out->iterations++) {
		if (t->out->iterations > t->max_iterations)
			return fail_code(t->c, ERR_INTERNAL, "max_iterations", "Max iterations exceeded: %u", t->max_iterations);
		turn_emit(t, TURN_PHASE, t->out->iterations == 1 ? "streaming" : "thinking", NULL, NULL, 0, false);
		if ((e = turn_model(t)) != ERR_OK)
			return e;
		if (wants_tools(t, &cuts))
			e = tools(t, &wait);
		else if ((why = answer_nudge(t)) != NULL)
			e = nudge(t, why);
		else if ((e = turn_was_told(t, true)) == ERR_OK && t->injected)
			e = speak_on(t);
		else
			return e == ERR_OK ? answer_record(t) : e;
		if (e != ERR_OK || wait)
			return e;
	}
}

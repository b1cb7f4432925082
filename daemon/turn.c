/*
 * A turn from the question to its row "done".
 *
 * The difficult thing is the first transaction: when the session is free, the turn's
 * row, the user's message and the first step are one commit; when it is
 * not, the row alone is committed (nothing accepted is lost) and the turn waits in line.
 */
#include "daemon/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/hub.h"
#include "daemon/journal.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/shared.h"
#include "lib/agent/tool.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"
#include "lib/svc/series.h"

enum { SAID_MAX = 4 << 20 };

static int64_t epoch;

int64_t
turns_epoch(void)
{
	return epoch;
}

void
turns_set_epoch(int64_t e)
{
	epoch = e;
}

/* The agent's own list is everybody's: the caller's tools go into a copy of it. */
static enum err
add_outer_tools(struct turn *t)
{
	struct json_object *all = NULL;

	if (t->tools == NULL)
		all = json_object_new_array();
	else if (json_object_deep_copy(t->tools, &all, NULL) != 0)
		all = NULL;
	if (json_keep(t->c, all) == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	for (size_t i = 0, n = json_object_array_length(t->ask->outer_tools); i < n; i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(t->ask->outer_tools, i)));
	t->tools = all;
	return ERR_OK;
}

/* The tools that are sent, and those that the caller brought. */
static enum err
choose_tools(struct turn *t)
{
	struct toolset set = { NULL, NULL };

	if (!t->ask->ephemeral)
		set = tools_of(t->c, t->agent.manifest, t->agent.mode, strcmp(t->route.format, "offline") != 0, t->loaded);
	t->granted = set.granted;
	t->tools = set.sent;
	return t->ask->outer_tools != NULL ? add_outer_tools(t) : ERR_OK;
}

void
turn_load_tool(struct turn *t, const char *name)
{
	struct fault f = t->c->fault;

	t->loaded |= tool_bit(name);
	if (choose_tools(t) != ERR_OK)
		t->c->fault = f;                /* it can be called all the same */
	t->around = 0;
}

/* What the model is shown; after the session is ours. */
static enum err
assemble(struct turn *t)
{
	struct buf prompt = BUF_INIT(1 << 20);
	enum err e;

	t->workspace = manifest_workspace(t->c, t->agent.manifest, t->agent.id);
	t->n_shared = shared_dirs(t->c, t->agent.manifest, &t->shared);
	t->guard = loop_guard_new(t->c, t->max_iterations);
	if ((e = choose_tools(t)) != ERR_OK)
		return e;
	e = prompt_system(t->c, &t->agent, t->workspace, t->ask->depth, t->ask->sender_id != NULL, t->granted, &prompt);
	t->system = e == ERR_OK && prompt.p != NULL ? ctx_strndup(t->c, prompt.p, prompt.len) : "";
	buf_done(&prompt);
	if (e == ERR_OK && t->guard == NULL)
		e = fail(t->c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK && turn_may_recall(t))
		e = memory_any(t->c, t->agent.id, &t->has_memories);
	if (e == ERR_OK)
		e = turn_history(t);
	if (e == ERR_OK)
		turn_elsewhere(t);
	return e;
}

/* --- the first transaction ------------------------------------------------------------------ */

/* Its row was refused: because the agent went away since it was loaded, or for another reason, which stands. */
static enum err
agent_gone(struct turn *t, enum err e)
{
	struct fault f = t->c->fault;
	struct agent now;

	if (agent_load(t->c, t->agent.id, &now) == ERR_NOT_FOUND)
		return ERR_NOT_FOUND;
	t->c->fault = f;
	return e;
}

static enum err
insert_row(struct turn *t, const char *state)
{
	struct turn_row row = {
		.id = t->id, .agent_id = t->agent.id, .session_id = t->session_id, .state = state,
		.origin = t->ask->origin, .caller = t->c->who != NULL ? t->c->who->name : "system",
		.input = turn_ask_json(t), .epoch = t->epoch, .started_ms = t->c->now_ms,
	};
	enum err e = row.input == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : turn_insert(t->c, &row);

	if (e == ERR_CONFLICT || e == ERR_DB)
		return agent_gone(t, e);
	return e == ERR_OK && t->ask->claim != NULL ? t->ask->claim(t->c, t->ask->claim_arg, t->id) : e;
}

static enum err
begin(struct turn *t)
{
	size_t n;
	const char *content = turn_user_content(t, &n);
	char unused[37];
	enum err e = content == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : ERR_OK;

	if (e == ERR_OK && t->session_is_new && t->keep)
		e = session_create(t->c, t->agent.id, t->session_id, NULL, unused);
	if (e == ERR_OK && t->session_is_new && t->keep && t->ask->sender_id != NULL)
		e = session_set_peer(t->c, t->session_id, t->ask->sender_id);
	if (e == ERR_OK && t->keep)
		e = message_append(t->c, t->session_id, "user", content, n, t->id);
	if (e == ERR_OK && (t->ask->depth == 0 || t->ask->parent_context != NULL))
		e = turn_context(t);
	if (e == ERR_OK && !history_add(t->c, &t->history, message_of(t->c, BY_USER, content, n)))
		e = fail(t->c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = turn_hold(t);
	if (e == ERR_OK)
		e = step_start(t->c, t->id, t->epoch, t->step + 1, "model", t->route.model, NULL, NULL);
	t->step += e == ERR_OK;
	if (e == ERR_OK && t->ask->lane == LANE_NONE)   /* from who acts by itself the heartbeat wants more than a beginning */
		e = turn_touch(t);
	return e;
}

/* Whoever stands in line to write keeps no connection from those who read. */
enum err
turn_write(struct turn *t, enum err (*work)(void *), void *arg)
{
	enum err e;

	job_db_release(t->c);
	e = tx_shared(t->c, work, arg);
	return e == ERR_OK && t->c->cfg->durability_power ? db_flush(t->c) : e;
}

static enum err
write_accepted(void *arg)
{
	enum err e = insert_row(arg, "running");

	return e == ERR_OK ? begin(arg) : e;
}

static enum err
write_queued(void *arg)
{
	return insert_row(arg, "queued");
}

static enum err
write_begun(void *arg)
{
	struct turn *t = arg;
	enum err e = turn_set_state(t->c, t->id, t->epoch, "running");

	return e == ERR_OK ? begin(t) : e;
}

static enum err
accept_turn(struct turn *t, enum err (*rows)(void *))
{
	enum err e = turn_write(t, rows, t);

	t->accepted = e == ERR_OK;
	if (t->accepted && t->ask->claimed != NULL)
		t->ask->claimed(t->ask->claim_arg);
	return e;
}

static enum err
begin_queued(struct turn *t)
{
	struct session s;

	if (t->session_is_new)          /* another of the line may have made it */
		t->session_is_new = session_load(t->c, t->session_id, &s) == ERR_NOT_FOUND;
	return turn_write(t, write_begun, t);
}

static enum err
stand_in_line(struct turn *t)
{
	bool ours;

	job_db_release(t->c);
	ours = running_wait(&t->run);
	job_db_acquire(t->c);
	t->entered = ours;
	if (!ours && !cancelled(t->ask->cancel))
		return fail(t->c, ERR_TIMEOUT, "The session was not free in time");
	return ours ? ERR_OK : fail(t->c, ERR_CANCELLED, "Cancelled");
}

static void
register_run(struct turn *t)
{
	memcpy(t->run.agent_id, t->agent.id, 37);
	memcpy(t->run.session_id, t->session_id, 37);
	if (!t->keep)                   /* a side question waits for nobody */
		memcpy(t->run.session_id, t->id, 37);
	memcpy(t->run.turn_id, t->id, 37);
	t->run.cancel = t->ask->cancel;
	t->run.until_us = t->ask->deadline_us;
}

/* Own the session; the row and, as soon as it is ours, the first step are committed. */
static enum err
enter(struct turn *t)
{
	enum err e;

	register_run(t);
	t->entered = running_try(&t->run);
	if (t->entered)
		return (e = assemble(t)) != ERR_OK ? e : accept_turn(t, write_accepted);
	if ((e = accept_turn(t, write_queued)) != ERR_OK)
		return e;
	e = stand_in_line(t);
	if (e == ERR_OK)
		e = assemble(t);
	return e == ERR_OK ? begin_queued(t) : e;
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void
leave(struct turn *t)
{
	if (t->journal != NULL)
		journal_end(t->journal, NULL, NULL);
	if (t->entered)
		running_leave(&t->run);
	llm_answer_done(&t->answer);
	speech_done(&t->speech);
	buf_done(&t->said);
	buf_done(&t->thought);
}

static void
count_end(const struct turn *t, enum err e)
{
	static const char *const own[] = { "max_iterations", "repeated_tool_failures", "content_filtered", "circuit_break" };
	const char *why = e == ERR_OK ? "completed" : e == ERR_CANCELLED ? "cancelled" : "error";

	for (size_t i = 0; e != ERR_OK && i < ARRAY_LEN(own); i++)
		if (t->c->fault.code != NULL && strcmp(t->c->fault.code, own[i]) == 0)
			why = own[i];
	series_add(SERIES_LOOP_EXIT, (const char *const[]){ t->agent.name, why }, 0);
}

static void
tell_end(struct turn *t, enum err e)
{
	SCOPED_BUF b = BUF_INIT(4096);
	const char *name = turn_end_text(e == ERR_OK, t->out->input_tokens, t->out->output_tokens, &b);

	if (b.failed)
		return;
	journal_end(t->journal, name, &b);
	t->journal = NULL;
	if (t->entered)                 /* who only stood in line is no end of what runs */
		hub_end(t->session_id, t->id, name, &b);
}

/* Whoever reads along is shown what others get as a whole; a program that asks for a completion is not: an empty one is an answer. */
static void
tell_notice(struct turn *t)
{
	const char *notice = t->out->silent || t->out->text[0] != '\0' || strcmp(t->ask->origin, "openai") == 0 ? NULL
	    : turn_answer_shown(t->c, t->out);

	if (notice != NULL)
		turn_emit(t, TURN_TEXT, NULL, NULL, notice, strlen(notice), false);
}

static enum err
finish_or_give_up(struct turn *t, enum err e)
{
	if (!t->accepted)
		return e;               /* refused before there was a turn */
	if (e == ERR_OK && t->out->outer_calls != NULL)
		return e;
	if (e == ERR_OK && memory_short)
		e = fail(t->c, ERR_NOMEM, "out of memory");     /* the answer may not be whole */
	if (e == ERR_OK)
		e = turn_finish(t);
	else
		e = turn_give_up(t, e);
	if (e == ERR_OK && t->out->silent && t->keep && strcmp(t->ask->origin, "autonomous") == 0)
		turn_prune(t);
	count_end(t, e);
	if (e == ERR_OK)
		tell_notice(t);
	turn_emit(t, TURN_PHASE, e == ERR_OK ? "done" : "error", NULL, NULL, 0, false);
	if (t->keep)
		tell_end(t, e);
	return e;
}

static bool
is_suspended(const struct turn *t)
{
	return strcmp(t->agent.state, "Suspended") == 0;
}

static bool
suspended(struct turn *t)
{
	if (!is_suspended(t))
		return false;
	t->out->text = "";
	t->out->session_id = t->session_is_new ? NULL : t->session_id;
	return true;
}

/* What no model answers for: foreign code, for which there is no sandbox yet. */
static enum err
runs_here(struct turn *t)
{
	const char *module = js_str_or(t->agent.manifest, "module", "builtin:chat");

	return strncmp(module, "builtin:", 8) == 0 ? ERR_OK
	    : fail_code(t->c, ERR_NOT_IMPLEMENTED, "module_not_supported", "The agent's module %s cannot be run by this server", module);
}

static struct turn *
turn_new(struct ctx *c, const struct turn_ask *ask, struct turn_answer *out)
{
	struct turn *t = ctx_alloc(c, sizeof(*t));

	*out = (struct turn_answer){ .text = "" };
	if (t == NULL)
		return NULL;
	t->c = c;
	t->ask = ask;
	t->blocks = ask->blocks;
	t->out = out;
	t->epoch = epoch;
	t->said.max = SAID_MAX;
	t->thought.max = SAID_MAX;
	t->started_us = clock_mono_us();
	t->started_ms = c->now_ms;
	turn_paid_by(t, c->who != NULL ? c->who->name : NULL);
	return t;
}

static void
report(struct turn *t)
{
	t->out->turn_id = t->id;
	t->out->session_id = t->session_id;
	t->out->provider = t->route.provider;
	t->out->model = t->route.model;
	t->out->cost_nanousd = t->cost_nanousd;
}

/* --- a turn that waited for results of its caller, or was interrupted ----------------------------- */

/* Where it stood: the newest model step and what it said. */
static enum err
stand(struct turn *t)
{
	struct step_row *rows = NULL;
	size_t n = 0, at = 0;
	enum err e = steps_load(t->c, t->id, 0, &rows, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].kind, "model") == 0) {
			at = i;
			t->out->iterations++;
		}
	if (e != ERR_OK || n == 0)
		return e;
	t->step = rows[at].n;
	t->resumed = true;
	t->model_ended = strcmp(rows[at].state, "started") != 0;
	if (t->model_ended && rows[at].result != NULL)
		t->content = json_stored(t->c, rows[at].result);
	if (t->content != NULL)
		return ERR_OK;
	t->resumed = false;             /* the model's answer never came: ask it again */
	t->out->iterations -= t->out->iterations > 0;
	if ((e = step_end(t->c, t->id, t->epoch, t->step, "failed", NULL, 0)) != ERR_OK)
		return e;
	if ((e = turn_hold_alone(t)) != ERR_OK)
		return e;
	return step_start(t->c, t->id, t->epoch, ++t->step, "model", t->route.model, NULL, NULL);
}

static enum err
resume(struct turn *t)
{
	enum err e;

	register_run(t);
	if (!(t->entered = running_try(&t->run)) && (e = stand_in_line(t)) != ERR_OK)
		return e;
	if ((e = assemble(t)) != ERR_OK)
		return e;
	if ((e = turn_set_state(t->c, t->id, t->epoch, "running")) != ERR_OK)
		return e;
	return stand(t);
}

enum err
turn_take_up(struct ctx *c, const struct turn_row *row, const struct turn_ask *ask, struct turn_answer *out)
{
	struct turn *t = turn_new(c, ask, out);
	enum err e;

	if (t == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	memcpy(t->id, row->id, 37);
	t->started_ms = row->started_ms;
	if (c->who == NULL)
		turn_paid_by(t, row->caller);
	t->accepted = true;
	e = turn_prepare(t);
	memcpy(t->session_id, row->session_id, 37);
	if (e == ERR_OK && ask->resume_turn != NULL && suspended(t))
		return ERR_OK;                  /* it waits on */
	if (e == ERR_OK && is_suspended(t))
		e = fail(c, ERR_CANCELLED, "The agent is at rest");
	if (e == ERR_OK)
		e = injection_any(c, t->id, &t->injected);
	if (e == ERR_OK && strcmp(row->state, "queued") == 0) {
		register_run(t);
		if (!(t->entered = running_try(&t->run)))
			e = stand_in_line(t);
		if (e == ERR_OK)
			e = assemble(t);
		if (e == ERR_OK)
			e = begin_queued(t);
	} else if (e == ERR_OK) {
		t->retell = ask->resume_turn == NULL;
		e = t->retell ? turn_spent_before(t) : ERR_OK;
		if (e == ERR_OK)
			e = resume(t);
	}
	if (e == ERR_OK)
		e = turn_loop(t);
	e = finish_or_give_up(t, e);
	report(t);
	leave(t);
	return e;
}

/*
 * The server goes down while somebody outside waits. What the next start takes up must not be said again, all else may be.
 */
static enum err
interrupted(struct turn *t, enum err e)
{
	if (e == ERR_OK || atomic_load(&t->ask->cancel->why) != CANCEL_SHUTDOWN || t->ask->lane != LANE_NONE || t->ask->chain != NULL)
		return e;
	if (!t->accepted || !t->keep || strcmp(t->ask->origin, "openai") == 0)
		return fail_code(t->c, ERR_UNAVAILABLE, "shutting_down", "The server is going down");
	return fail_code(t->c, ERR_UPSTREAM, "outcome_unknown",
	    "The server is going down: what was said is kept, and answered after the next start");
}

static enum err
answer_waiting(struct ctx *c, const struct turn_ask *ask, struct turn_answer *out)
{
	struct turn_row row;
	enum err e = turn_load(c, ask->resume_turn, &row);

	if (e == ERR_OK)
		e = turn_take_up(c, &row, ask, out);
	return e != ERR_OK && atomic_load(&ask->cancel->why) == CANCEL_SHUTDOWN ?
	    fail_code(c, ERR_UNAVAILABLE, "shutting_down", "The server is going down") : e;
}

/* [turn] max_threads: what is left of the threads serves those who look, and stop. */
static enum err
take_place(struct turn *t)
{
	t->placed = t->ask->lane == LANE_NONE && t->ask->chain == NULL;
	if (!t->placed || running_place(t->c->cfg->turn_threads))
		return ERR_OK;
	ignore_err(fail_code(t->c, ERR_UNAVAILABLE, "overloaded", "Too many turns run at once"));
	t->c->fault.retry_after_s = 2;
	return ERR_UNAVAILABLE;
}

enum err
turn_run(struct ctx *c, const struct turn_ask *ask, struct turn_answer *out)
{
	struct turn *t;
	enum err e;

	if (ask->resume_turn != NULL)
		return answer_waiting(c, ask, out);
	t = turn_new(c, ask, out);
	if (t == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	uuid7(t->id);
	if ((e = turn_hear(t)) != ERR_OK || (e = turn_prepare(t)) != ERR_OK || suspended(t) || (e = runs_here(t)) != ERR_OK ||
	    (e = turn_files(t)) != ERR_OK)
		return e;
	if ((e = take_place(t)) != ERR_OK)
		return e;
	e = enter(t);
	if (shm != NULL)
		atomic_fetch_add(&shm->turns_running, 1);
	if (e == ERR_OK)
		e = turn_loop(t);
	e = finish_or_give_up(t, e);
	if (t->placed)
		running_place_back();
	if (shm != NULL)
		atomic_fetch_sub(&shm->turns_running, 1);
	report(t);
	leave(t);
	return interrupted(t, e);
}

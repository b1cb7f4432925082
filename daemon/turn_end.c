/*
 * How a turn ends: its answer in the session, its row closed, what it spent
 * in the ledger, in one transaction.
 */
#include <string.h>
#include <time.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/caller.h"
#include "lib/svc/delegation.h"

enum { FINISH_TRIES = 6 };

enum err
turn_touch(struct turn *t)
{
	SCOPED_STMT st = db_prepare(t->c->db, SQL("UPDATE agent SET last_active_ms = ?1, has_processed = 1 WHERE id = ?2"
	    " AND (last_active_ms < ?1 - 250 OR has_processed = 0)"));      /* its row is a page of its own */

	bind_i64(st, clock_ms());
	bind_text(st, t->agent.id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(t->c, st);
}

/* One row of the audit log for each turn. */
static enum err
note_end(struct turn *t, const char *outcome)
{
	const char *detail = ctx_printf(t->c, "model=%s tokens_in=%lld tokens_out=%lld iterations=%lld", t->route.model,
	    (long long)t->out->input_tokens, (long long)t->out->output_tokens, (long long)t->out->iterations);

	if (detail == NULL || outcome == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	return audit_append(t->c, &(struct audit){ .agent_id = t->agent.id, .action = "AgentMessage", .detail = detail,
	    .outcome = outcome, .channel = t->ask->channel });
}

static const char *
result_json(struct turn *t)
{
	struct buf b = BUF_INIT(16 << 20);
	struct jw w = JW_INIT(&b);
	char *s;

	jw_object(&w, NULL);
	jw_i64(&w, "input_tokens", t->out->input_tokens);
	jw_i64(&w, "output_tokens", t->out->output_tokens);
	jw_i64(&w, "iterations", t->out->iterations);
	jw_usd(&w, "cost_usd", t->cost_nanousd);
	jw_bool(&w, "silent", t->out->silent);
	if (t->out->directives != NULL)
		jw_raw(&w, "directives", t->out->directives, strlen(t->out->directives));
	jw_end(&w);
	s = b.failed ? NULL : ctx_strndup(t->c, b.p, b.len);
	buf_done(&b);
	return s;
}

struct finish { struct turn *t; const char *said, *result; size_t n; };

static enum err
write_finish(void *arg)
{
	const struct finish *f = arg;
	struct turn *t = f->t;
	enum err e = step_end(t->c, t->id, t->epoch, t->step, "done", NULL, 0);

	if (e == ERR_OK && t->keep && json_object_array_length(t->content) > 0)
		e = message_append(t->c, t->session_id, "assistant", f->said, f->n, t->id);
	if (e == ERR_OK)
		e = turn_end(t->c, t->id, t->epoch, "done", f->result, NULL, NULL);
	if (e == ERR_OK && strcmp(t->ask->origin, "delegated") == 0)
		e = delegation_answer(t->c, t->id, t->out->text, false);
	if (e == ERR_OK && t->n_recalled > 0)
		e = memory_used(t->c, t->recalled, t->n_recalled);
	if (e == ERR_OK)
		e = turn_touch(t);
	if (e == ERR_OK)
		e = note_end(t, "ok");
	return e == ERR_OK ? turn_settle(t, false) : e;
}

static enum err
finish(struct turn *t)
{
	struct finish f = { .t = t, .result = result_json(t) };
	enum err e;

	f.said = message_json(t->c, t->content, &f.n);
	if (f.said == NULL || f.result == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if ((e = turn_write(t, write_finish, &f)) == ERR_OK)
		turn_settled(t);
	return e;
}

/* A second without a connection; true: worth another try. stop: of these reasons to stop none came. */
static bool
may_try_again(struct turn *t, enum err e, unsigned tries, bool (*stop)(const struct turn *))
{
	/* DB too: a disk that cannot be read for a moment looks like a broken file to the engine */
	if ((e != ERR_BUSY && e != ERR_UNAVAILABLE && e != ERR_NOMEM && e != ERR_DB) || tries >= FINISH_TRIES)
		return false;
	log_line(LOG_WARN, "rid=%s turn=%s err=%s what=\"the turn is over and that cannot be written yet\"",
	    t->c->rid, t->id, err_code(e));
	memory_short = false;           /* all of it is made anew */
	job_db_release(t->c);
	for (int i = 0; i < 10 && !stop(t); i++)
		nanosleep(&(struct timespec){ 0, 100 * 1000 * 1000 }, NULL);
	return !stop(t);
}

static bool
was_cancelled(const struct turn *t)
{
	return cancelled(t->ask->cancel);
}

/* The next daemon takes it up. */
static bool
goes_down(const struct turn *t)
{
	return atomic_load(&t->ask->cancel->why) == CANCEL_SHUTDOWN;
}

/* An answer that was paid for is not thrown away because the store is busy or the disk full for a moment. */
enum err
turn_finish(struct turn *t)
{
	unsigned tries = 1;
	enum err e;

	while ((e = finish(t)) != ERR_OK && may_try_again(t, e, tries, was_cancelled))
		tries++;
	return e;
}

static enum err
write_bill(void *arg)
{
	return turn_settle(arg, false);
}

enum err
turn_spent_before(struct turn *t)
{
	SCOPED_STMT st = db_prepare(t->c->db, SQL("SELECT coalesce(sum(input_tokens), 0) AS i, coalesce(sum(output_tokens), 0) AS o,"
	    " coalesce(sum(cost_nanousd), 0) AS cost FROM usage_event WHERE agent_id = ? AND ts_ms >= ? AND turn_id = ?"));

	bind_text(st, t->agent.id);
	bind_i64(st, t->started_ms);
	bind_text(st, t->id);
	if (!db_step(st))
		return fail_db(t->c, st);
	t->out->input_tokens = col_i64(st, "i");
	t->out->output_tokens = col_i64(st, "o");
	t->cost_nanousd = col_i64(st, "cost");
	return ERR_OK;
}

/* For a turn whose row says nothing of it. */
static void
bill_alone(struct turn *t)
{
	if ((t->n_owed > 0 || t->budget.held) && turn_write(t, write_bill, t) == ERR_OK)
		turn_settled(t);                /* else what is put aside stays so until the next start, which is more than it took */
}

struct failure { struct turn *t; enum err why; const char *code, *msg; };

static enum err
write_failure(void *arg)
{
	const struct failure *f = arg;
	struct turn *t = f->t;
	enum err e = turn_end(t->c, t->id, t->epoch, f->why == ERR_CANCELLED ? "cancelled" : "failed", NULL, f->code, f->msg);

	if (e == ERR_OK)
		e = note_end(t, ctx_printf(t->c, "error: %s", f->code));
	if (e == ERR_OK && strcmp(t->ask->origin, "delegated") == 0)
		e = delegation_answer(t->c, t->id, f->msg != NULL ? f->msg : "The task failed.", true);
	return e == ERR_OK ? turn_settle(t, false) : e;
}

/* The row of a turn that failed or was cancelled; what was spent is billed. */
enum err
turn_give_up(struct turn *t, enum err why)
{
	struct fault f = t->c->fault;
	unsigned tries = 1;
	enum err e;

	memory_short = false;           /* that is told now */
	if (goes_down(t)) {
		bill_alone(t);          /* the row stays open: the next daemon takes it up */
		t->c->fault = f;
		return why;
	}
	while ((e = turn_write(t, write_failure, &(struct failure){ t, why, f.code != NULL ? f.code : err_code(why), f.msg })) != ERR_OK &&
	    may_try_again(t, e, tries, goes_down))
		tries++;
	if (e == ERR_OK)
		turn_settled(t);
	if (e == ERR_CONFLICT)
		bill_alone(t);          /* the agent is gone; what it spent is spent */
	else if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s turn=%s err=%s what=\"the end of a turn could not be written\"",
		    t->c->rid, t->id, err_code(e));
	t->c->fault = f;
	return why;
}

/* Delegations: their SQL. */
#include "lib/svc/delegation.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/base/util.h"

static enum err
done(struct ctx *c, struct stmt *st)
{
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
one(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) == 1 ? ERR_OK : fail_code(c, ERR_CONFLICT, "task_taken", "That task is no more");
}

enum err
delegation_put(struct ctx *c, const struct delegation *d, char ret_id[static 37])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO delegation (id, agent_id, session_id, to_id, to_name, message, to_session,"
	    " depth, event_depth, state, created_ms) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'pending', ?10"
	    " WHERE (SELECT count(*) FROM delegation WHERE agent_id = ?2) < ?11"));

	uuid7(ret_id);
	bind_text(st, ret_id);
	bind_text(st, d->agent_id);
	bind_text(st, d->session_id);
	bind_text(st, d->to_id);
	bind_text(st, d->to_name);
	bind_text(st, d->message);
	bind_text(st, d->to_session);
	bind_i64(st, d->depth);
	bind_i64(st, d->event_depth);
	bind_i64(st, clock_ms());
	bind_i64(st, DELEGATIONS_MAX);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) == 1 ? ERR_OK : fail(c, ERR_RATE_LIMITED, "%d tasks are under way already; wait for their answers", DELEGATIONS_MAX);
}

enum err
delegations_in(struct ctx *c, const char *state, const char **ret_ids, size_t max, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT d.id AS id FROM delegation d JOIN agent a ON a.id = d.agent_id"
	    " WHERE d.state = ? AND a.state = 'Running' ORDER BY d.created_ms, d.id LIMIT ?"));

	bind_text(st, state);
	bind_i64(st, (int64_t)max);
	for (*ret_n = 0; *ret_n < max && db_step(st); ++*ret_n)
		if ((ret_ids[*ret_n] = col_text(c, st, "id")) == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	return *ret_n == max || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
delegation_load(struct ctx *c, const char *id, struct delegation *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, agent_id, session_id, to_id, to_name, message, to_session, depth, event_depth,"
	    " state, result, is_error FROM delegation WHERE id = ?"));

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "No such task") : fail_db(c, st);
	*ret = (struct delegation){
		.id = col_text(c, st, "id"), .agent_id = col_text(c, st, "agent_id"), .session_id = col_text(c, st, "session_id"),
		.to_id = col_text(c, st, "to_id"), .to_name = col_text(c, st, "to_name"), .message = col_text(c, st, "message"),
		.to_session = col_text(c, st, "to_session"), .state = col_text(c, st, "state"), .result = col_text(c, st, "result"),
		.is_error = col_i64(st, "is_error") != 0, .depth = col_i64(st, "depth"), .event_depth = col_i64(st, "event_depth"),
	};
	return ret->id == NULL || ret->message == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err
delegation_begin(struct ctx *c, const char *id, const char *turn_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'running', turn_id = ? WHERE id = ? AND state = 'pending'"));

	bind_text(st, turn_id);
	bind_text(st, id);
	return one(c, st);
}

enum err
delegation_answer(struct ctx *c, const char *turn_id, const char *text, bool is_error)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'answered', result = ?, is_error = ?"
	    " WHERE turn_id = ? AND state = 'running'"));
	size_t n = strlen(text);

	bind_textn(st, text, utf8_cut(text, n, DELEGATION_RESULT_MAX));
	bind_i64(st, is_error);
	bind_text(st, turn_id);
	return done(c, st);
}

enum err
delegation_refuse(struct ctx *c, const char *id, const char *why)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'answered', result = ?, is_error = 1"
	    " WHERE id = ? AND state IN ('pending', 'running')"));

	bind_text(st, why);
	bind_text(st, id);
	return done(c, st);
}

enum err
delegation_end(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM delegation WHERE id = ? AND state IN ('answered', 'told')"));

	bind_text(st, id);
	return one(c, st);
}

enum err
delegation_told(struct ctx *c, const char *id, const char *turn_id, int64_t n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'told', turn_id = ?, n = ? WHERE id = ? AND state = 'answered'"));

	bind_text(st, turn_id);
	bind_i64(st, n);
	bind_text(st, id);
	return one(c, st);
}

enum err
delegation_untold(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'answered', turn_id = NULL, n = NULL WHERE id = ?"));

	bind_text(st, id);
	return done(c, st);
}

/* An injection that its turn never took stays behind when the turn has ended. */
static enum err
untold_at_boot(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'answered', turn_id = NULL, n = NULL WHERE state = 'told'"
	    " AND EXISTS (SELECT 1 FROM injection i WHERE i.turn_id = delegation.turn_id AND i.n = delegation.n)"
	    " AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.id = delegation.turn_id AND t.state IN ('queued', 'running', 'waiting'))"));
	SCOPED_STMT old = db_prepare(c->db, SQL("DELETE FROM injection WHERE NOT EXISTS (SELECT 1 FROM turn t"
	    " WHERE t.id = injection.turn_id AND t.state IN ('queued', 'running', 'waiting'))"));
	SCOPED_STMT told = db_prepare(c->db, SQL("DELETE FROM delegation WHERE state = 'told'"));
	enum err e = done(c, st);

	if (e == ERR_OK)
		e = done(c, old);
	return e == ERR_OK ? done(c, told) : e;
}

enum err
delegations_boot(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE delegation SET state = 'answered', is_error = 1, result = 'The task was interrupted.'"
	    " WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.id = delegation.turn_id"
	    " AND t.state IN ('queued', 'running', 'waiting'))"));
	enum err e = done(c, st);

	return e == ERR_OK ? untold_at_boot(c) : e;
}

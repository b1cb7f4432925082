/*
 * Turns and steps: their SQL.
 */
#include "lib/svc/turn_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/db.h"
#include "lib/base/util.h"

enum { DAY_MS = 86400000 };

static enum err
ours(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (db_changes(st) == 0)
		return fail_code(c, ERR_CONFLICT, "turn_lost", "The agent was deleted while it was answering");
	return ERR_OK;
}

enum err
turn_insert(struct ctx *c, const struct turn_row *t)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO turn (id, agent_id, session_id, epoch, state, origin,"
	    " caller, input, started_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));

	bind_text(st, t->id);
	bind_text(st, t->agent_id);
	bind_text(st, t->session_id);
	bind_i64(st, t->epoch);
	bind_text(st, t->state);
	bind_text(st, t->origin);
	bind_text(st, t->caller);
	bind_text(st, t->input);
	bind_i64(st, t->started_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
turn_set_state(struct ctx *c, const char *id, int64_t epoch, const char *state)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE turn SET state = ?, epoch = ? WHERE id = ? AND epoch = ?"));

	bind_text(st, state);
	bind_i64(st, epoch);
	bind_text(st, id);
	bind_i64(st, epoch);
	return ours(c, st);
}

enum err
turn_end(struct ctx *c, const char *id, int64_t epoch, const char *state, const char *result,
    const char *code, const char *error)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE turn SET state = ?, result = ?, error_code = ?, error = ?,"
	    " ended_ms = ? WHERE id = ? AND epoch = ? AND ended_ms IS NULL"));

	bind_text(st, state);
	bind_text(st, result);
	bind_text(st, code);
	bind_text(st, error);
	bind_i64(st, clock_ms());
	bind_text(st, id);
	bind_i64(st, epoch);
	return ours(c, st);
}

enum err
turns_take_over(struct ctx *c, int64_t epoch, struct json_object **ret_ids)
{
	SCOPED_STMT take = db_prepare(c->db, SQL("UPDATE turn SET epoch = ? WHERE epoch < ?"
	    " AND ended_ms IS NULL"));
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id FROM turn WHERE ended_ms IS NULL AND state IN ('queued', 'running')"
	    " AND epoch = ? ORDER BY started_ms, id"));
	struct json_object *ids = json_keep(c, json_object_new_array());

	bind_i64(take, epoch);
	bind_i64(take, epoch);
	if (db_exec(take) != ERR_OK)
		return fail_db(c, take);
	bind_i64(st, epoch);
	while (db_step(st))
		json_object_array_add(ids, json_object_new_string(col_text(c, st, "id")));
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret_ids = ids;
	return ERR_OK;
}

enum err
turn_load(struct ctx *c, const char *id, struct turn_row *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, agent_id, session_id, state, origin, caller, input,"
	    " epoch, started_ms FROM turn WHERE id = ?"));

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "No such turn") : fail_db(c, st);
	*ret = (struct turn_row){
		.id = col_text(c, st, "id"), .agent_id = col_text(c, st, "agent_id"),
		.session_id = col_text(c, st, "session_id"), .state = col_text(c, st, "state"),
		.origin = col_text(c, st, "origin"), .caller = col_text(c, st, "caller"),
		.input = col_text(c, st, "input"), .epoch = col_i64(st, "epoch"),
		.started_ms = col_i64(st, "started_ms"),
	};
	return ERR_OK;
}

enum err
turn_standing(struct ctx *c, const char *id, const char *session_id, const char **ret_state, const char **ret_result)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT state, result FROM turn WHERE id = ? AND session_id = ?"));

	*ret_state = *ret_result = NULL;
	bind_text(st, id);
	bind_text(st, session_id);
	if (db_step(st)) {
		*ret_state = col_text(c, st, "state");
		*ret_result = col_text(c, st, "result");
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
step_start(struct ctx *c, const char *turn_id, int64_t epoch, int64_t n, const char *kind,
    const char *name, const char *call_id, const char *input)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO turn_step (turn_id, n, kind, name, call_id, input, state,"
	    " started_ms) SELECT id, ?, ?, ?, ?, ?, 'started', ? FROM turn WHERE id = ? AND epoch = ?"));

	bind_i64(st, n);
	bind_text(st, kind);
	bind_text(st, name);
	bind_text(st, call_id);
	bind_text(st, input);
	bind_i64(st, clock_ms());
	bind_text(st, turn_id);
	bind_i64(st, epoch);
	return ours(c, st);
}

enum err
step_end(struct ctx *c, const char *turn_id, int64_t epoch, int64_t n, const char *state,
    const char *result, size_t result_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE turn_step SET state = ?, result = ?, ended_ms = ?"
	    " WHERE turn_id = ? AND n = ? AND EXISTS (SELECT 1 FROM turn WHERE id = turn_id AND epoch = ?)"));

	bind_text(st, state);
	bind_textn(st, result, result_n);
	bind_i64(st, clock_ms());
	bind_text(st, turn_id);
	bind_i64(st, n);
	bind_i64(st, epoch);
	return ours(c, st);
}

enum err
steps_load(struct ctx *c, const char *turn_id, int64_t from, struct step_row **ret, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, kind, name, call_id, input, state, result FROM turn_step"
	    " WHERE turn_id = ? AND n >= ? ORDER BY n LIMIT 10000"));
	struct step_row *rows = NULL;
	size_t n = 0, cap = 0;

	bind_text(st, turn_id);
	bind_i64(st, from);
	while (db_step(st)) {
		if (n == cap) {
			struct step_row *more = ctx_alloc(c, (cap = cap * 2 + 16) * sizeof(*more));

			if (more == NULL)
				return fail(c, ERR_NOMEM, "out of memory");
			if (n > 0)
				memcpy(more, rows, n * sizeof(*rows));
			rows = more;
		}
		rows[n++] = (struct step_row){
			.n = col_i64(st, "n"), .kind = col_text(c, st, "kind"), .name = col_text(c, st, "name"),
			.call_id = col_text(c, st, "call_id"), .input = col_text(c, st, "input"),
			.state = col_text(c, st, "state"), .result = col_text(c, st, "result"),
		};
	}
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret = rows;
	*ret_n = n;
	return ERR_OK;
}

/* The least id of a turn of that time (RFC 9562): the first digits are its milliseconds. */
static void
id_of_time(int64_t ms, char out[static 14])
{
	unsigned long long t = ms > 0 ? (unsigned long long)ms & 0xffffffffffffULL : 0;

	snprintf(out, 14, "%08llx-%04llx", t >> 16, t & 0xffff);
}

enum err
steps_lately(struct ctx *c, int64_t since_ms, void (*each)(void *arg, const char *agent_id, int64_t second, int64_t n), void *arg)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT t.agent_id AS agent_id, s.started_ms / 1000 AS second, count(*) AS n"
	    " FROM turn t JOIN turn_step s ON s.turn_id = t.id WHERE t.id >= ? AND (t.ended_ms IS NULL OR t.ended_ms >= ?)"
	    " AND s.kind = 'tool' AND s.started_ms >= ? AND (s.result IS NULL OR s.result NOT LIKE '{\"status\":\"skipped\"%')"
	    " GROUP BY t.agent_id, s.started_ms / 1000"));
	char id[14];

	id_of_time(since_ms - DAY_MS, id);
	bind_text(st, id);
	bind_i64(st, since_ms);
	bind_i64(st, since_ms);
	while (db_step(st))
		each(arg, col_text(c, st, "agent_id"), col_i64(st, "second"), col_i64(st, "n"));
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
turn_of_call(struct ctx *c, const char *agent_id, const char *call_id, const char **ret_turn)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT t.id AS id FROM turn_step s JOIN turn t ON t.id = s.turn_id"
	    " WHERE s.call_id = ? AND s.state = 'started' AND t.state = 'waiting' AND t.agent_id = ?"
	    " ORDER BY s.started_ms DESC LIMIT 1"));

	bind_text(st, call_id);
	bind_text(st, agent_id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "No turn waits for that tool call") : fail_db(c, st);
	*ret_turn = col_text(c, st, "id");
	return ERR_OK;
}

enum err
epoch_next(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('epoch', '1')"
	    " ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT) RETURNING value"));

	if (!db_step(st))
		return fail_db(c, st);
	*ret = strtoll(col_text(c, st, "value"), NULL, 10);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- what is said into a running turn ---------------------------------------------- */

enum err
injection_put(struct ctx *c, const char *turn_id, const char *text, size_t n, int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO injection (turn_id, n, text)"
	    " SELECT ?1, coalesce(max(n), 0) + 1, ?2 FROM injection WHERE turn_id = ?1 HAVING count(*) < 8 RETURNING n"));

	bind_text(st, turn_id);
	bind_textn(st, text, n);
	*ret_n = db_step(st) ? col_i64(st, "n") : 0;
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
injection_drop(struct ctx *c, const char *turn_id, int64_t n, bool *ret_was)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM injection WHERE turn_id = ? AND n = ?"));

	bind_text(st, turn_id);
	bind_i64(st, n);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*ret_was = db_changes(st) > 0;
	return ERR_OK;
}

enum err
injection_any(struct ctx *c, const char *turn_id, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM injection WHERE turn_id = ? LIMIT 1"));

	bind_text(st, turn_id);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
injections_take(struct ctx *c, const char *turn_id, const char *ret[static INJECTIONS_MAX], size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT text FROM injection WHERE turn_id = ? ORDER BY n LIMIT 8"));
	SCOPED_STMT gone = db_prepare(c->db, SQL("DELETE FROM injection WHERE turn_id = ?"));

	bind_text(st, turn_id);
	for (*ret_n = 0; *ret_n < INJECTIONS_MAX && db_step(st); ++*ret_n)
		if ((ret[*ret_n] = col_text(c, st, "text")) == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	if (*ret_n < INJECTIONS_MAX && db_end(st) != ERR_OK)
		return fail_db(c, st);
	bind_text(gone, turn_id);
	return db_exec(gone) == ERR_OK ? ERR_OK : fail_db(c, gone);
}

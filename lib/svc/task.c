/* Tasks: their SQL. */
#include "lib/svc/task.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"

enum { KEEP_DAYS = 7, DAYS_MAX = 36500, DAY_MS = 86400000, CLAIM_S = 600 };

static enum err
done(struct ctx *c, struct stmt *st)
{
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* Claims that are too old are given up; finished tasks forgotten. Whoever looks does it first. */
static enum err
tidy(struct ctx *c)
{
	SCOPED_STMT back = db_prepare(c->db, SQL("UPDATE task SET retry_count = retry_count + 1, claimed_ms = NULL, assigned_to = '',"
	    " status = CASE WHEN ?1 > 0 AND retry_count + 1 > ?1 THEN 'failed' ELSE 'pending' END,"
	    " completed_ms = CASE WHEN ?1 > 0 AND retry_count + 1 > ?1 THEN ?2 END WHERE status = 'in_progress' AND claimed_ms < ?3"));
	SCOPED_STMT old = db_prepare(c->db, SQL("DELETE FROM task WHERE status IN ('completed', 'failed', 'cancelled') AND completed_ms < ?"));
	struct json_object *board = c->cfg == NULL ? NULL : js_obj(c->cfg->raw, "task_board");
	int64_t now = clock_ms(), ttl = js_i64(board, "claim_ttl_secs", CLAIM_S);
	int64_t days = c->cfg == NULL ? KEEP_DAYS : js_i64(js_obj(c->cfg->raw, "queue"), "task_queue_retention_days", KEEP_DAYS);
	enum err e;

	bind_i64(back, js_i64(board, "max_retries", 0));
	bind_i64(back, now);
	bind_i64(back, now - (ttl < 1 ? CLAIM_S : ttl) * 1000);
	bind_i64(old, now - (days < DAYS_MAX ? days : DAYS_MAX) * DAY_MS);
	e = done(c, back);
	return e == ERR_OK && days > 0 ? done(c, old) : e;
}

enum err
task_post(struct ctx *c, const char *created_by, const char *title, const char *description, const char *assigned_to,
    unsigned depth, char ret_id[static 37])
{
	enum err e = tidy(c);
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO task (id, title, description, status, assigned_to, created_by, created_ms,"
	    " depth, wake_ms) SELECT ?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?8, CASE WHEN ?4 <> '' THEN ?6 END WHERE (SELECT count(*) FROM task WHERE created_by = ?5"
	    " AND status IN ('pending', 'in_progress')) < ?7"));

	uuid4(ret_id);
	bind_text(st, ret_id);
	bind_text(st, title);
	bind_text(st, description);
	bind_text(st, assigned_to);
	bind_text(st, created_by);
	bind_i64(st, clock_ms());
	bind_i64(st, TASKS_OPEN_MAX);
	bind_i64(st, depth);
	if (e == ERR_OK)
		e = done(c, st);
	return e == ERR_OK && db_changes(st) == 0 ? fail(c, ERR_RATE_LIMITED, "%d of your tasks are open already", TASKS_OPEN_MAX) : e;
}

static void
add_text(struct ctx *c, struct json_object *o, struct stmt *st, const char *key)
{
	const char *s = col_text(c, st, key);

	json_object_object_add(o, key, s == NULL ? NULL : json_object_new_string(s));
}

enum err
task_claim(struct ctx *c, const char *agent_id, const char *name, struct json_object **ret)
{
	enum err e = tidy(c);
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE task SET status = 'in_progress', assigned_to = ?1, claimed_ms = ?2, wake_ms = NULL WHERE id ="
	    " (SELECT t.id FROM task t JOIN agent a ON a.id = t.created_by WHERE t.status = 'pending' AND t.assigned_to IN ('', ?1, ?3)"
	    " AND lower(a.author) = lower(coalesce(?4, a.author)) ORDER BY t.priority DESC, t.created_ms, t.id LIMIT 1)"
	    " RETURNING id, title, description, created_by"));

	*ret = NULL;
	bind_text(st, agent_id);
	bind_i64(st, clock_ms());
	bind_text(st, name);
	bind_text(st, caller_scope(c));
	if (e != ERR_OK)
		return e;
	if (db_step(st)) {
		struct json_object *o = json_keep(c, json_object_new_object());

		if (o == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		add_text(c, o, st, "id");
		add_text(c, o, st, "title");
		add_text(c, o, st, "description");
		add_text(c, o, st, "created_by");
		*ret = o;
	}
	return done(c, st);
}

enum err
task_complete(struct ctx *c, const char *id, const char *agent_id, const char *result)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE task SET status = 'completed', result = ?, completed_ms = ?"
	    " WHERE id = ? AND status = 'in_progress' AND assigned_to = ?"));
	SCOPED_STMT is = db_prepare(c->db, SQL("SELECT status FROM task WHERE id = ?"));
	enum err e;

	bind_text(st, result);
	bind_i64(st, clock_ms());
	bind_text(st, id);
	bind_text(st, agent_id);
	if ((e = done(c, st)) != ERR_OK || db_changes(st) == 1)
		return e;
	bind_text(is, id);
	if (!db_step(is))
		return db_end(is) == ERR_OK ? fail(c, ERR_NOT_FOUND, "Task not found") : fail_db(c, is);
	return fail(c, ERR_CONFLICT, "That task is not yours at this moment; take one with task_claim");
}

static void
write_row(struct ctx *c, struct stmt *st, struct jw *w)
{
	jw_object(w, NULL);
	jw_str(w, "id", col_text(c, st, "id"));
	jw_str(w, "title", col_text(c, st, "title"));
	jw_str(w, "description", col_text(c, st, "description"));
	jw_str(w, "status", col_text(c, st, "status"));
	jw_str(w, "assigned_to", col_text(c, st, "assigned_to"));
	jw_str(w, "created_by", col_text(c, st, "created_by"));
	jw_str(w, "result", col_text(c, st, "result"));
	jw_time(w, "created_at", col_i64(st, "created_ms"));
	if (col_is_null(st, "completed_ms"))
		jw_null(w, "completed_at");
	else
		jw_time(w, "completed_at", col_i64(st, "completed_ms"));
	jw_end(w);
}

enum err
task_write_list(struct ctx *c, const char *status, int64_t limit, struct jw *w)
{
	enum err e = tidy(c);
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT t.id AS id, t.title AS title, t.description AS description, t.status AS status,"
	    " t.assigned_to AS assigned_to, t.created_by AS created_by, t.result AS result, t.created_ms AS created_ms,"
	    " t.completed_ms AS completed_ms FROM task t JOIN agent a ON a.id = t.created_by WHERE t.status = coalesce(?, t.status)"
	    " AND lower(a.author) = lower(coalesce(?, a.author)) ORDER BY t.created_ms DESC, t.id LIMIT ?"));

	bind_text(st, status);
	bind_text(st, caller_scope(c));
	bind_i64(st, limit);
	while (e == ERR_OK && db_step(st))
		write_row(c, st, w);
	return e != ERR_OK ? e : db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
task_write(struct ctx *c, const char *id, struct jw *w)
{
	enum err e = tidy(c);
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT t.id AS id, t.title AS title, t.description AS description, t.status AS status,"
	    " t.assigned_to AS assigned_to, t.created_by AS created_by, t.result AS result, t.created_ms AS created_ms,"
	    " t.completed_ms AS completed_ms FROM task t JOIN agent a ON a.id = t.created_by WHERE t.id = ?"
	    " AND lower(a.author) = lower(coalesce(?, a.author))"));

	bind_text(st, id);
	bind_text(st, caller_scope(c));
	if (e != ERR_OK)
		return e;
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "Task not found") : fail_db(c, st);
	write_row(c, st, w);
	return ERR_OK;
}

/*
 * When whoever was given a task is woken for it: at once, then a minute later, then after twice as long each time. A task that is taken,
 * or is nobody's any more, wakes nobody.
 */
#include "lib/svc/task.h"

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { GRACE_S = 60, BACKOFF_MAX_S = 900, DAY_S = 86400 };

static enum err
done(struct ctx *c, struct stmt *st)
{
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static int64_t
seconds(struct json_object *board, const char *key, int64_t dflt)
{
	int64_t s = js_i64(board, key, dflt);

	return s < 1 ? 1 : s > DAY_S ? DAY_S : s;
}

int64_t
task_wake_after(const struct config *cfg, int64_t wakes, int64_t now_ms)
{
	struct json_object *board = cfg == NULL ? NULL : js_obj(cfg->raw, "task_board");
	int64_t wait = seconds(board, "pending_grace_secs", GRACE_S), most = seconds(board, "wake_backoff_max_secs", BACKOFF_MAX_S);

	if (wakes >= TASK_WAKES_MAX)
		return -1;
	for (int64_t i = 1; i < wakes && wait < most; i++)
		wait *= 2;
	return now_ms + (wakes > 1 && wait > most ? most : wait) * 1000;
}

enum err
tasks_to_wake(struct ctx *c, int64_t now_ms, struct task_wake *ret, size_t max, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, wake_ms FROM task WHERE wake_ms <= ? ORDER BY wake_ms, id LIMIT ?"));

	bind_i64(st, now_ms);
	bind_i64(st, (int64_t)max);
	for (*ret_n = 0; *ret_n < max && db_step(st); ++*ret_n) {
		ret[*ret_n] = (struct task_wake){ .id = col_text(c, st, "id"), .wake_ms = col_i64(st, "wake_ms") };
		if (ret[*ret_n].id == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	return *ret_n == max || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
task_wake_first(struct ctx *c, int64_t after_ms, int64_t *ret_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT min(wake_ms) AS ms FROM task WHERE wake_ms > ?"));

	bind_i64(st, after_ms);
	if (!db_step(st))
		return fail_db(c, st);
	*ret_ms = col_is_null(st, "ms") ? INT64_MAX : col_i64(st, "ms");
	return ERR_OK;
}

enum err
task_wake_load(struct ctx *c, const char *id, int64_t wake_ms, struct task_wake *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, title, assigned_to, wake_ms, wakes, depth FROM task WHERE id = ? AND wake_ms = ?"
	    " AND status = 'pending'"));

	bind_text(st, id);
	bind_i64(st, wake_ms);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "Nobody is to be woken for that task") : fail_db(c, st);
	*ret = (struct task_wake){ .id = col_text(c, st, "id"), .title = col_text(c, st, "title"), .assigned_to = col_text(c, st, "assigned_to"),
		.wake_ms = col_i64(st, "wake_ms"), .wakes = col_i64(st, "wakes"), .depth = col_i64(st, "depth") };
	return ret->id == NULL || ret->title == NULL || ret->assigned_to == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err
task_wake_set(struct ctx *c, const struct task_wake *w, bool woken, int64_t next_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE task SET wakes = wakes + ?, wake_ms = ? WHERE id = ? AND wake_ms = ? AND status = 'pending'"));

	bind_i64(st, woken);
	if (next_ms < 0)
		bind_null(st);
	else
		bind_i64(st, next_ms);
	bind_text(st, w->id);
	bind_i64(st, w->wake_ms);
	if (done(c, st) != ERR_OK)
		return c->fault.err;
	return db_changes(st) == 1 ? ERR_OK : fail_code(c, ERR_CONFLICT, "task_taken", "That task is taken");
}

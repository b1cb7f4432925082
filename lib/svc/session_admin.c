/*
 * Sessions of all agents.
 *
 * What a session holds and has cost are sums that its row keeps, so that a page of the list reads no message but the first.
 */
#include "lib/svc/session_admin.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/session_show.h"

enum { PAGE_MAX = 500 };

/* --- finding -------------------------------------------------------------------------- */

static enum err
not_found(struct ctx *c)
{
	return fail_code(c, ERR_NOT_FOUND, "session_not_found", "Session not found");
}

enum err
session_seen(struct ctx *c, const char *id, struct session *ret)
{
	struct agent a;
	enum err e = session_load(c, id, ret);

	if (e == ERR_OK && caller_scope(c) != NULL && agent_load(c, ret->agent_id, &a) != ERR_OK)
		e = not_found(c);
	return e;
}

enum err
session_of(struct ctx *c, const struct agent *a, const char *id, struct session *ret)
{
	enum err e = session_load(c, id, ret);

	return e == ERR_OK && strcmp(ret->agent_id, a->id) != 0 ? not_found(c) : e;
}

enum err
session_to_watch(struct ctx *c, const struct agent *a, const char *id, struct session *ret)
{
	enum err e = session_of(c, a, id, ret);

	return e == ERR_NOT_FOUND ? fail_code(c, e, "session_agent_mismatch", "session not found for this agent") : e;
}

enum err
session_by_label(struct ctx *c, const struct agent *a, const char *label, struct session *ret)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id FROM session WHERE agent_id = ? AND label = ? ORDER BY created_ms DESC, id DESC LIMIT 1"));
	const char *id;

	bind_text(st, a->id);
	bind_text(st, label);
	id = db_step(st) ? col_text(c, st, "id") : NULL;
	if (id == NULL)
		return db_end(st) != ERR_OK ? fail_db(c, st)
		    : fail_code(c, ERR_NOT_FOUND, "session_not_found", "No session found with that label");
	return session_load(c, id, ret);
}

/* --- showing --------------------------------------------------------------------------- */

/* The members that list and single session share, into the open object. */
static enum err
write_summary(struct ctx *c, const char *id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.agent_id, s.label, s.created_ms, s.message_count, s.bytes, s.cost_nanousd, s.tokens,"
	    " (SELECT created_ms FROM message m WHERE m.session_id = s.id AND m.seq = 1) AS first_ms,"
	    " (SELECT created_ms FROM message m WHERE m.session_id = s.id AND m.seq = s.message_count) AS last_ms,"
	    " CASE WHEN s.label IS NULL THEN (SELECT content FROM message m WHERE m.session_id = s.id"
	    " AND m.role = 'user' ORDER BY m.seq LIMIT 1) END AS first_said,"
	    " CASE WHEN EXISTS (SELECT 1 FROM turn t WHERE t.session_id = s.id AND t.ended_ms IS NULL AND t.state = 'running')"
	    " THEN 1 ELSE 0 END AS active FROM session s WHERE s.id = ?"));
	int64_t first, last;
	const char *label;

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) != ERR_OK ? fail_db(c, st) : not_found(c);
	first = col_i64(st, "first_ms");
	last = col_i64(st, "last_ms");
	label = col_text(c, st, "label");
	jw_str(w, "session_id", id);
	jw_str(w, "agent_id", col_text(c, st, "agent_id"));
	jw_i64(w, "message_count", col_i64(st, "message_count"));
	jw_i64(w, "context_window_tokens", (col_i64(st, "bytes") + 3) / 4);
	jw_time(w, "created_at", col_i64(st, "created_ms"));
	jw_str(w, "label", label != NULL ? label : session_title(c, col_text(c, st, "first_said")));
	if (col_i64(st, "message_count") < 2 || first == 0 || last < first)
		jw_null(w, "duration_ms");
	else
		jw_i64(w, "duration_ms", last - first);
	jw_usd(w, "cost_usd", col_i64(st, "cost_nanousd"));
	jw_i64(w, "total_tokens", col_i64(st, "tokens"));
	jw_bool(w, "active", col_i64(st, "active") != 0);
	return ERR_OK;
}

static enum err
count_all(struct ctx *c, const char *author, const char *agent, int64_t *ret)
{
	SCOPED_STMT all = db_prepare(c->db, SQL("SELECT count(*) AS n FROM session"));
	SCOPED_STMT some = db_prepare(c->db, SQL("SELECT count(*) AS n FROM session s JOIN agent a ON a.id = s.agent_id"
	    " WHERE lower(a.author) = lower(coalesce(?, a.author)) AND coalesce(?, a.name) IN (a.id, a.name)"));
	struct stmt *st = author != NULL || agent != NULL ? some : all;

	if (st == some) {
		bind_text(st, author);
		bind_text(st, agent);
	}
	*ret = db_step(st) ? col_i64(st, "n") : 0;
	return db_end(st) == ERR_OK || db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
sessions_write_page(struct ctx *c, const char *agent, int64_t limit, int64_t offset, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.id FROM session s JOIN agent a ON a.id = s.agent_id"
	    " WHERE lower(a.author) = lower(coalesce(?, a.author)) AND coalesce(?, a.name) IN (a.id, a.name)"
	    " ORDER BY s.created_ms DESC, s.id DESC LIMIT ? OFFSET ?"));
	const char *author = caller_scope(c);
	int64_t total;
	size_t from;
	enum err e = count_all(c, author, agent, &total);

	limit = limit < 0 ? 0 : limit > PAGE_MAX ? PAGE_MAX : limit;
	offset = offset < 0 ? 0 : offset;
	if (e != ERR_OK)
		return e;
	bind_text(st, author);
	bind_text(st, agent);
	bind_i64(st, limit);
	bind_i64(st, offset);
	jw_object(w, NULL);
	jw_array(w, "items");
	from = w->b->len - 1;
	while (e == ERR_OK && db_step(st)) {
		jw_object(w, NULL);
		e = write_summary(c, col_text(c, st, "id"), w);
		jw_end(w);
	}
	if (e != ERR_OK)
		return e;
	jw_end(w);
	jw_again(w, "sessions", from);
	jw_i64(w, "total", total);
	jw_i64(w, "offset", offset);
	jw_i64(w, "limit", limit);
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_write_raw(struct ctx *c, const struct session *s, struct jw *w)
{
	enum err e;

	jw_object(w, NULL);
	e = write_summary(c, s->id, w);
	jw_str(w, "model_override", s->model_override);
	jw_array(w, "messages");
	if (e == ERR_OK)
		e = session_write_messages(c, s->id, false, w);
	jw_end(w);
	jw_end(w);
	return e;
}

/* --- changing --------------------------------------------------------------------------- */

static enum err
one_row(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? ERR_OK : not_found(c);
}

enum err
session_set_label(struct ctx *c, const char *id, const char *label)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET label = ? WHERE id = ?"));

	bind_text(st, label);
	bind_text(st, id);
	return one_row(c, st);
}

enum err
session_set_model(struct ctx *c, const char *id, const char *model)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET model_override = ? WHERE id = ?"));

	bind_text(st, model);
	bind_text(st, id);
	return one_row(c, st);
}

static enum err
drop(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM session WHERE id = ?"));
	SCOPED_STMT pictures = db_prepare(c->db, SQL("DELETE FROM upload WHERE session_id = ?"));

	bind_text(pictures, id);        /* another session may get the id */
	if (db_exec(pictures) != ERR_OK)
		return fail_db(c, pictures);
	bind_text(st, id);
	return one_row(c, st);
}

static enum err
is_current(struct ctx *c, const struct session *s, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM agent WHERE id = ? AND session_id = ?"));

	bind_text(st, s->agent_id);
	bind_text(st, s->id);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_remove(struct ctx *c, const char *id)
{
	SCOPED_TX tx = { 0 };
	struct session s;
	bool current = false;
	char unused[37];
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = session_load(c, id, &s);
	if (e == ERR_OK)
		e = is_current(c, &s, &current);
	if (e == ERR_OK)
		e = drop(c, id);
	if (e == ERR_OK && current)
		e = session_create(c, s.agent_id, s.id, NULL, unused);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

enum err
sessions_cleanup(struct ctx *c, int64_t days, int64_t most, int64_t *ret)
{
	SCOPED_STMT old = db_prepare(c->db, SQL("DELETE FROM session WHERE updated_ms < ?"
	    " AND NOT EXISTS (SELECT 1 FROM agent a WHERE a.session_id = session.id) AND NOT EXISTS (SELECT 1 FROM turn t"
	    " WHERE t.session_id = session.id AND t.ended_ms IS NULL)"));
	SCOPED_STMT many = db_prepare(c->db, SQL("DELETE FROM session WHERE (SELECT count(*) FROM session n"
	    " WHERE n.agent_id = session.agent_id AND (n.updated_ms > session.updated_ms"
	    " OR (n.updated_ms = session.updated_ms AND n.id > session.id))) >= ?"
	    " AND NOT EXISTS (SELECT 1 FROM agent a WHERE a.session_id = session.id) AND NOT EXISTS (SELECT 1 FROM turn t"
	    " WHERE t.session_id = session.id AND t.ended_ms IS NULL)"));

	*ret = 0;
	if (days > 0) {
		bind_i64(old, c->now_ms - (days < 36500 ? days : 36500) * INT64_C(86400000));
		if (db_exec(old) != ERR_OK)
			return fail_db(c, old);
		*ret += db_changes(old);
	}
	if (most > 0) {
		bind_i64(many, most);
		if (db_exec(many) != ERR_OK)
			return fail_db(c, many);
		*ret += db_changes(many);
	}
	return ERR_OK;
}

/*
 * Sessions and messages, the writing side.
 *
 * Messages of a session are numbered without gaps; the session row counts
 * them, so the next number is read and written in the same transaction.
 */
#include "lib/svc/history.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/memory.h"

enum { LABEL_MAX = 128 };

static enum err
no_session(struct ctx *c)
{
	return fail_code(c, ERR_NOT_FOUND, "session_not_found", "Session not found");
}

enum err
session_load(struct ctx *c, const char *id, struct session *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, agent_id, label, model_override, message_count"
	    " FROM session WHERE id = ?"));

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? no_session(c) : fail_db(c, st);
	*ret = (struct session){
		.id = col_text(c, st, "id"),
		.agent_id = col_text(c, st, "agent_id"),
		.label = col_text(c, st, "label"),
		.model_override = col_text(c, st, "model_override"),
		.message_count = col_i64(st, "message_count"),
	};
	return ERR_OK;
}

enum err
session_create(struct ctx *c, const char *agent_id, const char *id, const char *label, char ret_id[static 37])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO session (id, agent_id, label, created_ms, updated_ms)"
	    " SELECT ?1, ?2, ?3, ?4, ?4 WHERE EXISTS (SELECT 1 FROM agent WHERE id = ?2)"));

	if (id != NULL)
		memmove(ret_id, id, 37);
	else
		uuid4(ret_id);
	bind_text(st, ret_id);
	bind_text(st, agent_id);
	bind_text(st, label);
	bind_i64(st, c->now_ms);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? ERR_OK : fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
}

enum err
session_set_peer(struct ctx *c, const char *id, const char *peer_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET peer_id = ? WHERE id = ?"));

	bind_text(st, peer_id);
	bind_text(st, id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_make_current(struct ctx *c, const char *agent_id, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET session_id = ? WHERE id = ?"));

	bind_text(st, id);
	bind_text(st, agent_id);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (db_changes(st) == 0)
		return fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
	return ERR_OK;
}

enum err
session_last_said(struct ctx *c, const char *id, int64_t *ret_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT updated_ms FROM session WHERE id = ? AND message_count > 0"));

	bind_text(st, id);
	*ret_ms = db_step(st) ? col_i64(st, "updated_ms") : 0;
	return *ret_ms != 0 || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
is_current(struct ctx *c, const char *agent_id, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM agent WHERE id = ? AND session_id = ?"));

	bind_text(st, agent_id);
	bind_text(st, id);
	if (db_step(st))
		return ERR_OK;
	return db_end(st) == ERR_OK ? fail(c, ERR_CONFLICT, "That is not the agent's current session") : fail_db(c, st);
}

enum err
session_replace(struct ctx *c, const char *agent_id, const char *old, char ret_id[static 37])
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = is_current(c, agent_id, old);
	if (e == ERR_OK)
		e = session_create(c, agent_id, NULL, NULL, ret_id);
	if (e == ERR_OK)
		e = session_make_current(c, agent_id, ret_id);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
drop_sessions(struct ctx *c, const char *agent_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM session WHERE agent_id = ?"));

	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
history_clear(struct ctx *c, const char *agent_id, const struct parting *p, char ret_id[static 37])
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK && p != NULL)
		e = sessions_remember(c, agent_id, p);
	if (e == ERR_OK && p != NULL)
		e = memory_keep_all(c, agent_id);
	if (e == ERR_OK)
		e = drop_sessions(c, agent_id);
	if (e == ERR_OK)
		e = session_create(c, agent_id, NULL, NULL, ret_id);
	if (e == ERR_OK)
		e = session_make_current(c, agent_id, ret_id);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* Letters of any script, digits, blanks, '-' and '_': every byte of a longer character counts as a letter. */
static bool
label_byte(unsigned char ch)
{
	return ch >= 0x80 || (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') ||
	    ch == ' ' || ch == '-' || ch == '_';
}

enum err
session_label(struct ctx *c, const char *raw, const char **ret)
{
	size_t n, chars = 0;

	*ret = NULL;
	if (raw == NULL)
		return ERR_OK;
	raw += strspn(raw, " ");
	n = strlen(raw);
	while (n > 0 && raw[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++) {
		chars += ((unsigned char)raw[i] & 0xC0) != 0x80;
		if (!label_byte((unsigned char)raw[i]))
			return fail(c, ERR_BAD_REQUEST, "label: only letters, digits, blanks, '-' and '_' are allowed");
	}
	if (chars == 0 || chars > LABEL_MAX)
		return fail(c, ERR_BAD_REQUEST, "label: 1 to %d characters are expected", LABEL_MAX);
	*ret = ctx_strndup(c, raw, n);
	return ERR_OK;
}

static enum err
count_one_more(struct ctx *c, const char *session_id, size_t bytes)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET message_count = message_count + 1,"
	    " bytes = bytes + ?, updated_ms = ? WHERE id = ?"));

	bind_i64(st, (int64_t)bytes);
	bind_i64(st, clock_ms());
	bind_text(st, session_id);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? ERR_OK : no_session(c);
}

/* Its number is read where it is used: RETURNING would make a table of its own for it. */
enum err
message_append(struct ctx *c, const char *session_id, const char *role, const char *content, size_t n,
    const char *turn_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO message"
	    " (session_id, seq, role, content, turn_id, created_ms)"
	    " SELECT id, message_count, ?, ?, ?, ? FROM session WHERE id = ?"));
	enum err e = count_one_more(c, session_id, n);

	if (e != ERR_OK)
		return e;
	bind_text(st, role);
	bind_textn(st, content, n);
	bind_text(st, turn_id);
	bind_i64(st, clock_ms());
	bind_text(st, session_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
message_pin(struct ctx *c, const char *session_id)
{
	SCOPED_STMT pin = db_prepare(c->db, SQL("UPDATE message SET pinned = 1 WHERE session_id = ?1"
	    " AND seq = (SELECT message_count FROM session WHERE id = ?1)"));
	SCOPED_STMT old = db_prepare(c->db, SQL("UPDATE message SET pinned = 0 WHERE session_id = ?1 AND seq IN (SELECT seq FROM message"
	    " WHERE session_id = ?1 AND pinned = 1 AND content LIKE '%\"tool_name\":\"agent_send\"%' ORDER BY seq DESC LIMIT -1 OFFSET ?2)"));

	bind_text(pin, session_id);
	if (db_exec(pin) != ERR_OK)
		return fail_db(c, pin);
	bind_text(old, session_id);
	bind_i64(old, PINNED_MAX);
	return db_exec(old) == ERR_OK ? ERR_OK : fail_db(c, old);
}

/* --- reading ---------------------------------------------------------------- */

static enum said_by
said_by_of(const char *s)
{
	return strcmp(s, "assistant") == 0 ? BY_ASSISTANT : strcmp(s, "system") == 0 ? BY_SYSTEM : BY_USER;
}

enum err
message_of_turn(struct ctx *c, const char *session_id, const char *turn_id, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT content FROM message WHERE session_id = ? AND turn_id = ?"
	    " AND role = 'assistant' ORDER BY seq DESC LIMIT 1"));

	*ret = NULL;
	bind_text(st, session_id);
	bind_text(st, turn_id);
	if (db_step(st))
		*ret = col_text(c, st, "content");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
read_all(struct ctx *c, struct stmt *st, struct history *ret)
{
	while (db_step(st)) {
		size_t rn, n;
		const char *role = col_peek(st, "role", &rn), *json = col_textn(c, st, "content", &n);
		struct message m;

		if (role == NULL || json == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		m = message_of(c, said_by_of(role), json, n);
		m.pinned = col_i64(st, "pinned") != 0;
		m.seq = col_i64(st, "seq");
		if (!history_add(c, ret, m))
			return fail(c, ERR_NOMEM, "out of memory");
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
messages_load(struct ctx *c, const char *session_id, int64_t limit, struct history *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, role, content, pinned FROM message WHERE session_id = ?1"
	    " AND seq > (SELECT message_count FROM session WHERE id = ?1) - ?2 ORDER BY seq"));

	*ret = (struct history){ 0 };
	bind_text(st, session_id);
	bind_i64(st, limit);
	return read_all(c, st, ret);
}

enum err
messages_load_pinned(struct ctx *c, const char *session_id, struct history *h)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT * FROM (SELECT seq, role, content, pinned FROM message WHERE session_id = ?1"
	    " AND pinned = 1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3) ORDER BY seq"));
	struct history all = { 0 };
	enum err e;

	if (h->n == 0 || h->v[0].seq <= 1)
		return ERR_OK;
	bind_text(st, session_id);
	bind_i64(st, h->v[0].seq);
	bind_i64(st, PINNED_MAX);
	e = read_all(c, st, &all);
	if (e != ERR_OK || all.n == 0)
		return e;
	for (size_t i = 0; i < h->n; i++)
		if (!history_add(c, &all, h->v[i]))
			return fail(c, ERR_NOMEM, "out of memory");
	*h = all;
	return ERR_OK;
}

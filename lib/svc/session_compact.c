/*
 * Shortening a session in the store. Messages are numbered without gaps, so what stays is numbered anew.
 */
#include "lib/svc/session_compact.h"

#include <string.h>

#include "db/db.h"

/* A question, and no answer of a tool. */
static bool
is_question(const struct message *m)
{
	if (m->role != BY_USER)
		return false;
	for (size_t i = 0; m->blocks != NULL && i < json_object_array_length(m->blocks); i++)
		if (strcmp(js_str_or(json_object_array_get_idx(m->blocks, i), "type", ""), "tool_result") == 0)
			return false;
	return true;
}

size_t
compact_cut(const struct history *h, size_t keep)
{
	size_t cut = h->n > keep ? h->n - keep : 0;

	while (cut > 0 && !is_question(&h->v[cut]))
		cut--;
	return cut;
}

static enum err
as_it_was(struct ctx *c, const char *id, size_t before)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT message_count FROM session WHERE id = ?"));
	int64_t n;

	bind_text(st, id);
	n = db_step(st) ? col_i64(st, "message_count") : -1;
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return n == (int64_t)before ? ERR_OK : fail(c, ERR_CONFLICT, "The session has changed meanwhile");
}

static enum err
drop_first(struct ctx *c, const char *id, size_t cut)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM message WHERE session_id = ? AND seq <= ? AND pinned = 0"));

	bind_text(st, id);
	bind_i64(st, (int64_t)cut);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The lowest number from `from` on; 0: there is none. */
static enum err
next_number(struct ctx *c, const char *id, int64_t from, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT min(seq) AS seq FROM message WHERE session_id = ? AND seq >= ?"));

	bind_text(st, id);
	bind_i64(st, from);
	*ret = db_step(st) ? col_i64(st, "seq") : 0;
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
renumber(struct ctx *c, const char *id, int64_t from, int64_t to)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE message SET seq = ? WHERE session_id = ? AND seq = ?"));

	bind_i64(st, to);
	bind_text(st, id);
	bind_i64(st, from);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The lowest first: its new number is never taken. */
static enum err
number_anew(struct ctx *c, const char *id, int64_t *ret_n)
{
	int64_t seq = 0;
	enum err e = next_number(c, id, 1, &seq);

	for (*ret_n = 0; e == ERR_OK && seq != 0;) {
		++*ret_n;
		if (seq != *ret_n)
			e = renumber(c, id, seq, *ret_n);
		if (e == ERR_OK)
			e = next_number(c, id, *ret_n + 1, &seq);
	}
	return e;
}

static enum err
store_summary(struct ctx *c, const char *id, const char *summary, int64_t n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET summary = ?1, message_count = ?2,"
	    " searched = CASE WHEN searched > message_count - ?2 THEN searched - (message_count - ?2) ELSE 0 END,"
	    " remembered = CASE WHEN remembered > message_count - ?2 THEN remembered - (message_count - ?2) ELSE 0 END,"
	    " learnt = CASE WHEN learnt > message_count - ?2 THEN learnt - (message_count - ?2) ELSE 0 END,"
	    " bytes = (SELECT coalesce(sum(length(content)), 0) FROM message WHERE session_id = ?3) WHERE id = ?3"));

	bind_text(st, summary);
	bind_i64(st, n);
	bind_text(st, id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

struct shorten { struct ctx *c; const char *id, *summary; size_t before, cut; int64_t kept; };

static enum err
write_short(void *arg)
{
	struct shorten *s = arg;
	enum err e = as_it_was(s->c, s->id, s->before);

	if (e == ERR_OK)
		e = drop_first(s->c, s->id, s->cut);
	if (e == ERR_OK)
		e = number_anew(s->c, s->id, &s->kept);
	return e == ERR_OK ? store_summary(s->c, s->id, s->summary, s->kept) : e;
}

enum err
session_shorten(struct ctx *c, const char *id, size_t before, size_t cut, const char *summary, int64_t *ret_kept)
{
	struct shorten s = { .c = c, .id = id, .summary = summary, .before = before, .cut = cut };
	enum err e = tx_shared(c, write_short, &s);

	*ret_kept = e == ERR_OK ? s.kept : 0;
	return e;
}

static enum err
drop_one(struct ctx *c, const char *id, int64_t seq)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM message WHERE session_id = ? AND seq = ?"));

	bind_text(st, id);
	bind_i64(st, seq);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* It counts what it has, and what of it is searchable and remembered. */
static enum err
one_less(struct ctx *c, const char *id, int64_t seq)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET message_count = message_count - 1, searched = searched - (searched >= ?1),"
	    " remembered = remembered - (remembered >= ?1), learnt = learnt - (learnt >= ?1),"
	    " bytes = bytes - (SELECT length(content) FROM message WHERE session_id = ?2 AND seq = ?1) WHERE id = ?2"));

	bind_i64(st, seq);
	bind_text(st, id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_drop(struct ctx *c, const char *id, size_t before, const int64_t *seqs, size_t n)
{
	SCOPED_TX tx = { 0 };
	int64_t kept;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = as_it_was(c, id, before);
	for (size_t i = n; e == ERR_OK && i > 0; i--)           /* the last first: the numbers of the others still hold */
		if ((e = one_less(c, id, seqs[i - 1])) == ERR_OK)
			e = drop_one(c, id, seqs[i - 1]);
	if (e == ERR_OK)
		e = number_anew(c, id, &kept);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

enum err
session_summary(struct ctx *c, const char *id, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT summary FROM session WHERE id = ? AND summary <> ''"));

	bind_text(st, id);
	*ret = db_step(st) ? col_text(c, st, "summary") : NULL;
	return *ret != NULL || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
message_rewrite(struct ctx *c, const char *session_id, int64_t seq, const char *content, size_t n)
{
	SCOPED_STMT size = db_prepare(c->db, SQL("UPDATE session SET bytes = bytes + ? -"
	    " (SELECT length(content) FROM message WHERE session_id = session.id AND seq = ?) WHERE id = ?"));
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE message SET content = ? WHERE session_id = ? AND seq = ?"));

	bind_i64(size, (int64_t)n);
	bind_i64(size, seq);
	bind_text(size, session_id);
	if (db_exec(size) != ERR_OK)
		return fail_db(c, size);
	bind_textn(st, content, n);
	bind_text(st, session_id);
	bind_i64(st, seq);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? ERR_OK : fail(c, ERR_CONFLICT, "The session has changed meanwhile");
}

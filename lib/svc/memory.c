/*
 * Memories: rows and the words in them.
 */
#include "lib/svc/memory.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"

enum { HITS = 24 };

enum err
memory_any(struct ctx *c, const char *agent_id, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM memory WHERE agent_id = ? LIMIT 1"));

	bind_text(st, agent_id);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The engine's index is no part of the rows: what goes is marked first, then taken out of all three. */
enum err
memory_sweep(struct ctx *c, int64_t until_ms)
{
	SCOPED_STMT words = db_prepare(c->db, SQL("DELETE FROM memory_text WHERE rowid IN (SELECT n FROM memory WHERE deleted_ms <= ?)"));
	SCOPED_STMT vectors = db_prepare(c->db, SQL("DELETE FROM memory_vector WHERE memory IN (SELECT n FROM memory WHERE deleted_ms <= ?)"));
	SCOPED_STMT rows = db_prepare(c->db, SQL("DELETE FROM memory WHERE deleted_ms <= ?"));
	struct stmt *each[] = { words, vectors, rows };

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		bind_i64(each[i], until_ms);
		if (db_exec(each[i]) != ERR_OK)
			return fail_db(c, each[i]);
	}
	return ERR_OK;
}

/* Marked by that statement. */
static enum err
remove_marked(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? memory_sweep(c, 0) : ERR_OK;
}

enum err
memory_remove(struct ctx *c, const char *agent_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = 0, key = NULL WHERE agent_id = ?"));

	bind_text(st, agent_id);
	return remove_marked(c, st);
}

enum err
memory_keep_all(struct ctx *c, const char *agent_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET remembered = 0, learnt = 0 WHERE agent_id = ? AND remembered + learnt > 0"));

	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_any_gone(struct ctx *c, int64_t until_ms, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM memory WHERE deleted_ms <= ? LIMIT 1"));

	bind_i64(st, until_ms);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
drop_key(struct ctx *c, const char *agent_id, const char *key)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = 0, key = NULL WHERE agent_id = ? AND key = ?"));

	bind_text(st, agent_id);
	bind_text(st, key);
	return remove_marked(c, st);
}

static enum err
add_row(struct ctx *c, const struct memory *m, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO memory (id, agent_id, content, source, scope, confidence, metadata,"
	    " peer_id, chat, session_id, key, created_ms, accessed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));

	bind_text(st, id);
	bind_text(st, m->agent_id);
	bind_text(st, m->content);
	bind_text(st, m->source);
	bind_text(st, m->scope);
	bind_f64(st, m->confidence > 0 ? m->confidence : 1);
	bind_text(st, m->metadata != NULL ? m->metadata : "{}");
	bind_text(st, m->peer_id);
	bind_text(st, m->chat);
	bind_text(st, m->session_id);
	bind_text(st, m->key);
	bind_i64(st, m->created_ms);
	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* An agent's id as one word of the index. */
static void
agent_word(const char *agent_id, char out[static 33])
{
	size_t n = 0;

	for (; *agent_id != '\0' && n < 32; agent_id++)
		if (*agent_id != '-')
			out[n++] = *agent_id;
	out[n] = '\0';
}

enum err
memory_add(struct ctx *c, const struct memory *m)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO memory_text (rowid, agent, content) VALUES (last_insert_rowid(), ?, ?)"));
	char id[37], agent[33];
	enum err e = m->key != NULL ? drop_key(c, m->agent_id, m->key) : ERR_OK;

	uuid4(id);
	agent_word(m->agent_id, agent);
	if (e == ERR_OK)
		e = add_row(c, m, m->id != NULL ? m->id : id);
	if (e != ERR_OK)
		return e;
	bind_text(st, agent);
	bind_text(st, m->content);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_used(struct ctx *c, const struct memory *m, size_t n)
{
	SCOPED_STMT st = NULL;

	for (size_t i = 0; i < n; i++) {
		db_stmt_done(&st);
		st = db_prepare(c->db, SQL("UPDATE memory SET accessed_ms = ?, access_count = access_count + 1 WHERE n = ?"));
		bind_i64(st, clock_ms());
		bind_i64(st, m[i].n);
		if (db_exec(st) != ERR_OK)
			return fail_db(c, st);
	}
	return ERR_OK;
}

enum err
memory_cap(struct ctx *c, const char *agent_id, int64_t most)
{
	SCOPED_STMT count = db_prepare(c->db, SQL("SELECT count(*) AS n FROM memory WHERE agent_id = ? AND deleted_ms IS NULL"));
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = 0, key = NULL WHERE n IN (SELECT n FROM memory WHERE agent_id = ?"
	    " AND deleted_ms IS NULL ORDER BY confidence, created_ms LIMIT ?)"));
	int64_t n;

	bind_text(count, agent_id);
	n = db_step(count) ? col_i64(count, "n") : 0;
	if (db_exec(count) != ERR_OK)
		return fail_db(c, count);
	if (most <= 0 || n <= most)
		return ERR_OK;
	bind_text(st, agent_id);
	bind_i64(st, n - most);
	return remove_marked(c, st);
}

/* --- looking ------------------------------------------------------------------------------------- */

/* The engine's query: the agent, and any of the words. */
static const char *
query_of(struct ctx *c, const char *agent_id, const char *const *words, size_t n)
{
	SCOPED_BUF b = BUF_INIT(8192);
	char agent[33];

	agent_word(agent_id, agent);
	buf_printf(&b, "agent : \"%s\" AND content : (", agent);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\"%s\"", i > 0 ? " OR " : "", words[i]);
	buf_ch(&b, ')');
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

/* A word alone is enough for a short question; a longer one must share two. */
static bool
fits(const char *const *words, size_t n, const char *content)
{
	return n <= 2 || memory_matches(words, n, content) >= 2;
}

enum err
memory_by_words(struct ctx *c, const struct memory_scope *s, const char *text, struct memory *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT m.n, m.id, m.content, m.scope FROM memory_text t JOIN memory m ON m.n = t.rowid"
	    " WHERE memory_text MATCH ?1 AND m.deleted_ms IS NULL"
	    " AND (m.peer_id = ?2 OR (m.peer_id IS NULL AND ?2 IS NULL))"
	    " AND (m.chat IS NULL OR ?3 IS NULL OR m.chat = ?3 OR m.scope = 'user_memory')"
	    " AND (m.session_id IS NULL OR m.session_id <> ?4 OR m.created_ms < (SELECT created_ms FROM message WHERE session_id = ?4"
	    "  AND seq > (SELECT message_count FROM session WHERE id = ?4) - ?5 ORDER BY seq LIMIT 1))"
	    " AND (m.key IS NULL OR EXISTS (SELECT 1 FROM kv WHERE agent_id = m.agent_id AND key = m.key AND updated_ms = m.created_ms))"
	    " ORDER BY rank LIMIT ?6"));
	const char *words[MEMORY_WORDS], *query;
	size_t n_words = memory_words(c, text, words), most = *n;

	*n = 0;
	if (n_words == 0)
		return ERR_OK;
	if ((query = query_of(c, s->agent_id, words, n_words)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, query);
	bind_text(st, s->peer_id);
	bind_text(st, s->chat);
	bind_text(st, s->session_id);
	bind_i64(st, s->visible);
	bind_i64(st, HITS);
	while (*n < most && db_step(st)) {
		struct memory m = { .n = col_i64(st, "n"), .id = col_text(c, st, "id"), .content = col_text(c, st, "content"),
			.scope = col_text(c, st, "scope") };

		if (m.id == NULL || m.content == NULL || m.scope == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		if (fits(words, n_words, m.content))
			ret[(*n)++] = m;
	}
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

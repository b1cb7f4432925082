/*
 * The search index: kept, and asked.
 *
 * A message is one row of the engine's full-text table, whose numbers search_doc ties to sessions. A hit is looked up
 * in its session's row, so one that has gone is never shown, whenever its words are taken out.
 */
#include "lib/svc/search.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"

enum { BATCH = 400, SEARCH_ADDS = 5000, PAGE_MAX = 500, OFFSET_MAX = 5000, HITS_MAX = 2000, COMMON = 30000 };

/* --- the words of a message ------------------------------------------------------------- */

/* A text that needs no decoding is nearly every one. */
static const char *
plain(const char *json, size_t n, size_t *ret_n)
{
	if (n < 2 || json[0] != '"' || memchr(json, '\\', n) != NULL)
		return NULL;
	*ret_n = n - 2;
	return json + 1;
}

static const char *
text_of(struct ctx *c, const char *json, size_t n, size_t *ret_n)
{
	const char *s = plain(json, n, ret_n);
	struct json_object *o = s == NULL ? json_stored(c, json) : NULL;
	struct buf b = BUF_INIT(16 << 20);

	if (s != NULL)
		return s;
	if (json_object_is_type(o, json_type_string)) {
		*ret_n = (size_t)json_object_get_string_len(o);
		return json_object_get_string(o);
	}
	for (size_t i = 0; json_object_is_type(o, json_type_array) && i < json_object_array_length(o); i++) {
		const char *part = js_str(json_object_array_get_idx(o, i), "text");

		if (part != NULL) {
			buf_str(&b, part);
			buf_ch(&b, '\n');
		}
	}
	*ret_n = b.failed ? 0 : b.len;
	s = ctx_strndup(c, b.p != NULL ? b.p : "", *ret_n);
	buf_done(&b);
	return s;
}

/* --- keeping it ---------------------------------------------------------------------------- */

static enum err
add_words(struct ctx *c, const char *session_id, const char *s, size_t n)
{
	SCOPED_STMT doc = db_prepare(c->db, SQL("INSERT INTO search_doc (session_id) VALUES (?)"));
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO search_text (rowid, content) VALUES (last_insert_rowid(), ?)"));

	bind_text(doc, session_id);
	if (db_exec(doc) != ERR_OK)
		return fail_db(c, doc);
	bind_textn(st, s, n);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
note(struct ctx *c, const char *session_id, int64_t searched)   /* 0: there were no rows */
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET searched = coalesce(?, message_count) WHERE id = ?"));

	if (searched > 0)
		bind_i64(st, searched);
	else
		bind_null(st);
	bind_text(st, session_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* What a session has beyond number `from`; *n counts down. */
static enum err
add_session(struct ctx *c, const char *id, int64_t from, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, content FROM message WHERE session_id = ? AND seq > ?"
	    " ORDER BY seq LIMIT ?"));
	int64_t last = 0;
	enum err e = ERR_OK;

	bind_text(st, id);
	bind_i64(st, from);
	bind_i64(st, (int64_t)*n);
	while (e == ERR_OK && db_step(st)) {
		size_t json_n, text_n;
		const char *json = col_textn(c, st, "content", &json_n), *s = json != NULL ? text_of(c, json, json_n, &text_n) : NULL;

		if (s == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		last = col_i64(st, "seq");
		--*n;
		if (text_n > 0)
			e = add_words(c, id, s, text_n);
	}
	if (e != ERR_OK)
		return e;
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	return note(c, id, last);
}

struct due { const char *id; int64_t searched; };

static enum err
find_due(struct ctx *c, struct due *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, searched FROM session WHERE message_count > searched"
	    " ORDER BY updated_ms DESC LIMIT ?"));
	size_t most = *n;

	bind_i64(st, (int64_t)most);
	for (*n = 0; *n < most && db_step(st); ++*n)
		ret[*n] = (struct due){ col_text(c, st, "id"), col_i64(st, "searched") };
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
forget(struct ctx *c, bool *ret_any)
{
	SCOPED_STMT one = db_prepare(c->db, SQL("SELECT session_id FROM search_gone LIMIT 1"));
	SCOPED_STMT words = db_prepare(c->db, SQL("DELETE FROM search_text WHERE rowid IN"
	    " (SELECT id FROM search_doc WHERE session_id = ? LIMIT ?)"));
	SCOPED_STMT docs = db_prepare(c->db, SQL("DELETE FROM search_doc WHERE id IN"
	    " (SELECT id FROM search_doc WHERE session_id = ? LIMIT ?)"));
	SCOPED_STMT done = db_prepare(c->db, SQL("DELETE FROM search_gone WHERE session_id = ?1"
	    " AND NOT EXISTS (SELECT 1 FROM search_doc WHERE session_id = ?1)"));
	struct stmt *each[] = { words, docs, done };
	const char *id = db_step(one) ? col_text(c, one, "session_id") : NULL;

	*ret_any = id != NULL;
	if (id == NULL)
		return db_end(one) == ERR_OK ? ERR_OK : fail_db(c, one);
	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		bind_text(each[i], id);
		if (each[i] != done)
			bind_i64(each[i], BATCH);
		if (db_exec(each[i]) != ERR_OK)
			return fail_db(c, each[i]);
	}
	return ERR_OK;
}

/* One transaction; *n: how many it may add, then how many it did not. */
static enum err
add_batch(struct ctx *c, size_t *n, bool *ret_more)
{
	SCOPED_TX tx = { 0 };
	struct due due[64];
	size_t n_due = ARRAY_LEN(due);
	bool gone = false;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = forget(c, &gone);
	if (e == ERR_OK && !gone)       /* first, as one of the same id may have taken its place */
		e = find_due(c, due, &n_due);
	for (size_t i = 0; e == ERR_OK && !gone && i < n_due && *n > 0; i++)
		e = add_session(c, due[i].id, due[i].searched, n);
	*ret_more = gone || n_due > 0;
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
anything_due(struct ctx *c, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM session WHERE message_count > searched"
	    " UNION ALL SELECT 1 FROM search_gone LIMIT 1"));

	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
search_catch_up(struct ctx *c, size_t most, bool *ret_more)
{
	struct arena *own = c->arena, *mine = arena_new(16 * 1024);
	enum err e = mine == NULL ? fail(c, ERR_NOMEM, "out of memory") : anything_due(c, ret_more);

	while (e == ERR_OK && *ret_more && most > 0) {
		size_t n = most < BATCH ? most : BATCH;

		most -= n;
		c->arena = mine;                /* texts that are not to live as long as the job */
		e = add_batch(c, &n, ret_more);
		c->arena = own;
		arena_reset(mine);
	}
	arena_free(mine);
	return e;
}

/* --- asking it ----------------------------------------------------------------------------- */

/* Around the match, and whether a turn runs there. */
static enum err
write_rest(struct ctx *c, const char *words, int64_t id, const char *session_id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT snippet(search_text, 0, '', '', '\xe2\x80\xa6', 24) AS snippet"
	    " FROM search_text WHERE search_text MATCH ? AND rowid = ?"));
	SCOPED_STMT turn = db_prepare(c->db, SQL("SELECT 1 FROM turn WHERE session_id = ? AND ended_ms IS NULL"
	    " AND state = 'running' LIMIT 1"));

	bind_text(st, words);
	bind_i64(st, id);
	jw_str(w, "snippet", db_step(st) ? col_text(c, st, "snippet") : "");
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	bind_text(turn, session_id);
	jw_bool(w, "active", db_step(turn));
	return db_exec(turn) == ERR_OK ? ERR_OK : fail_db(c, turn);
}

struct hit { const char *session_id, *agent_id; };

/* Whose words they are; nobody's when the session has gone. */
static enum err
look_up(struct ctx *c, int64_t id, struct hit *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.id, s.agent_id FROM search_doc d JOIN session s ON s.id = d.session_id"
	    " WHERE d.id = ?"));

	bind_i64(st, id);
	*ret = (struct hit){ 0 };
	if (db_step(st))
		*ret = (struct hit){ col_text(c, st, "id"), col_text(c, st, "agent_id") };
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* A session is shown once, by its best message. */
static bool
seen(const char **ids, size_t n, const char *id)
{
	for (size_t i = n; i > 0; i--)
		if (strcmp(ids[i - 1], id) == 0)
			return true;
	return false;
}

/*
 * To rank, the engine counts all messages that have a word. Of many hits the newest are enough, and words that are
 * everywhere are not worth the count.
 */
static bool
is_common(struct ctx *c, const struct search_ask *a)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM (SELECT rowid FROM search_text"
	    " WHERE search_text MATCH ? LIMIT ?)"));

	bind_text(st, a->words);
	bind_i64(st, COMMON);
	return db_step(st) && col_i64(st, "n") == COMMON;
}

/* By: of some sessions alone; common. */
static const char *const hits[2][2] = {
	{
		SQL("SELECT id, best FROM (SELECT rowid AS id, rank AS best FROM search_text"
		    " WHERE search_text MATCH ?1 ORDER BY rowid DESC LIMIT ?2) ORDER BY best, id DESC"),
		SQL("SELECT rowid AS id, 0.0 AS best FROM search_text WHERE search_text MATCH ?1 ORDER BY rowid DESC LIMIT ?2"),
	},
	{
		SQL("SELECT id, best FROM (SELECT t.rowid AS id, t.rank AS best FROM search_text t"
		    " JOIN search_doc d ON d.id = t.rowid JOIN session s ON s.id = d.session_id JOIN agent g ON g.id = s.agent_id"
		    " WHERE search_text MATCH ?1 AND s.agent_id = coalesce(?3, s.agent_id)"
		    " AND lower(g.author) = lower(coalesce(?4, g.author)) ORDER BY t.rowid DESC LIMIT ?2) ORDER BY best, id DESC"),
		SQL("SELECT t.rowid AS id, 0.0 AS best FROM search_text t"
		    " JOIN search_doc d ON d.id = t.rowid JOIN session s ON s.id = d.session_id JOIN agent g ON g.id = s.agent_id"
		    " WHERE search_text MATCH ?1 AND s.agent_id = coalesce(?3, s.agent_id)"
		    " AND lower(g.author) = lower(coalesce(?4, g.author)) ORDER BY t.rowid DESC LIMIT ?2"),
	},
};

static struct stmt *
hits_of(struct ctx *c, const struct search_ask *a)
{
	const char *author = caller_scope(c);
	bool some = a->agent_id != NULL || author != NULL;
	struct stmt *st = db_prepare(c->db, hits[some][is_common(c, a)]);

	bind_text(st, a->words);
	bind_i64(st, HITS_MAX);
	if (some) {
		bind_text(st, a->agent_id);
		bind_text(st, author);
	}
	return st;
}

static enum err
write_hits(struct ctx *c, const struct search_ask *a, struct jw *w, size_t *ret_seen)
{
	SCOPED_STMT st = hits_of(c, a);
	size_t most = (size_t)(a->limit + a->offset), n = 0;
	const char **ids = ctx_alloc(c, (most + 1) * sizeof(*ids));
	enum err e = ids == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;

	while (e == ERR_OK && n <= most && db_step(st)) {
		struct hit h;

		e = look_up(c, col_i64(st, "id"), &h);
		if (e != ERR_OK || h.session_id == NULL || seen(ids, n < most ? n : most, h.session_id))
			continue;
		if (n < most)
			ids[n] = h.session_id;
		if (n++ < (size_t)a->offset || n > most)
			continue;
		jw_object(w, NULL);
		jw_str(w, "session_id", h.session_id);
		jw_str(w, "agent_id", h.agent_id);
		jw_f64(w, "rank", col_f64(st, "best"));
		e = write_rest(c, a->words, col_i64(st, "id"), h.session_id, w);
		jw_end(w);
	}
	*ret_seen = n;
	if (e != ERR_OK || n > most || db_end(st) == ERR_OK || db_end(st) == ERR_DB)
		return e;               /* ERR_DB: words that the engine cannot read find nothing */
	return fail_db(c, st);
}

enum err
search_write_page(struct ctx *c, const struct search_ask *ask, struct jw *w)
{
	struct search_ask a = *ask;
	size_t n = 0;
	bool more;
	enum err e = search_catch_up(c, SEARCH_ADDS, &more);

	if (e == ERR_BUSY)              /* somebody writes for long: what is there already is better than nothing */
		c->fault = (struct fault){ 0 };
	else if (e != ERR_OK)
		return e;
	a.limit = a.limit < 0 ? 0 : a.limit > PAGE_MAX ? PAGE_MAX : a.limit;
	a.offset = a.offset < 0 ? 0 : a.offset > OFFSET_MAX ? OFFSET_MAX : a.offset;
	jw_object(w, NULL);
	jw_array(w, "items");
	if ((e = write_hits(c, &a, w, &n)) != ERR_OK)
		return e;
	jw_end(w);
	jw_i64(w, "total", (int64_t)n);
	jw_i64(w, "offset", a.offset);
	jw_i64(w, "limit", a.limit);
	jw_end(w);
	return ERR_OK;
}

/*
 * Memories shown to people.
 */
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/memory_item.h"

enum { TEXT_MAX = 4096 };

/* By: of one agent; ranked. */
static const char *const pages[2][2] = {
	{
		SQL("SELECT n, id, agent_id, content, source, scope, category, confidence, metadata, created_ms, accessed_ms, access_count"
		    " FROM memory WHERE deleted_ms IS NULL AND ?1 IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory' THEN 'user'"
		    " WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\') ORDER BY created_ms DESC, n DESC LIMIT ?5 OFFSET ?6"),
		SQL("SELECT n, id, agent_id, content, source, scope, category, confidence, metadata, created_ms, accessed_ms, access_count"
		    " FROM memory WHERE deleted_ms IS NULL AND ?1 IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory' THEN 'user'"
		    " WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\') ORDER BY confidence DESC, accessed_ms DESC, access_count DESC, n DESC"
		    " LIMIT ?5 OFFSET ?6"),
	},
	{
		SQL("SELECT n, id, agent_id, content, source, scope, category, confidence, metadata, created_ms, accessed_ms, access_count"
		    " FROM memory WHERE agent_id = ?1 AND deleted_ms IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory' THEN 'user'"
		    " WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\') ORDER BY created_ms DESC, n DESC LIMIT ?5 OFFSET ?6"),
		SQL("SELECT n, id, agent_id, content, source, scope, category, confidence, metadata, created_ms, accessed_ms, access_count"
		    " FROM memory WHERE agent_id = ?1 AND deleted_ms IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory' THEN 'user'"
		    " WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\') ORDER BY confidence DESC, accessed_ms DESC, access_count DESC, n DESC"
		    " LIMIT ?5 OFFSET ?6"),
	},
};

enum err
memory_may(struct ctx *c, enum memory_right right)
{
	const struct caller *w = c->who;
	const char *no = w != NULL && strcmp(w->user_id, CALLER_ROOT_ID) != 0 ? user_memory_denies(c, w->name, right, "proactive") : NULL;

	return no == NULL ? ERR_OK : fail_code(c, ERR_FORBIDDEN, "capability_denied", "%s", no);
}

static const char *
level_of(const char *scope)
{
	return strcmp(scope, "user_memory") == 0 ? "user" : strcmp(scope, "agent_memory") == 0 ? "agent" : "session";
}

/* "%text%", with what LIKE would read taken as it stands. */
static const char *
like(struct ctx *c, const char *q)
{
	SCOPED_BUF b = BUF_INIT(4 * TEXT_MAX);

	buf_ch(&b, '%');
	for (; *q != '\0'; q++) {
		if (strchr("%_\\", *q) != NULL)
			buf_ch(&b, '\\');
		buf_ch(&b, *q);
	}
	buf_ch(&b, '%');
	return b.failed ? "%" : ctx_strndup(c, b.p, b.len);
}

static void
write_time(struct jw *w, const char *name, int64_t ms)
{
	char text[25];

	time_rfc3339(ms, text);
	jw_str(w, name, text);
}

static void
write_raw(struct jw *w, const char *name, struct stmt *st)
{
	size_t n;
	const char *s = col_peek(st, name, &n);

	jw_raw(w, name, s != NULL ? s : "{}", s != NULL ? n : 2);
}

static enum err
write_item(struct ctx *c, struct stmt *st, struct jw *w)
{
	const char *scope = col_text(c, st, "scope"), *content = col_text(c, st, "content"), *level;

	if (scope == NULL || content == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	level = level_of(scope);
	jw_object(w, NULL);
	jw_str(w, "id", col_text(c, st, "id"));
	jw_str(w, "content", content);
	jw_str(w, "level", level);
	jw_str(w, "category", col_text(c, st, "category"));
	write_raw(w, "metadata", st);
	write_time(w, "created_at", col_i64(st, "created_ms"));
	jw_str(w, "source", col_text(c, st, "source"));
	jw_f64(w, "confidence", col_f64(st, "confidence"));
	write_time(w, "accessed_at", col_i64(st, "accessed_ms"));
	jw_i64(w, "access_count", col_i64(st, "access_count"));
	jw_str(w, "agent_id", col_text(c, st, "agent_id"));
	jw_str(w, "scope", ctx_printf(c, "%s_memory", level));
	jw_end(w);
	return ERR_OK;
}

static void
bind_filter(struct ctx *c, struct stmt *st, const struct memory_filter *f)
{
	bind_text(st, f->agent_id);
	bind_text(st, f->level);
	bind_text(st, f->category);
	bind_text(st, f->q != NULL ? like(c, f->q) : NULL);
}

/* Found by a search: they were of use. */
static enum err
count_use(struct ctx *c, const struct memory *v, size_t n)
{
	SCOPED_TX tx = { 0 };
	enum err e = n > 0 ? tx_begin(c, &tx) : ERR_OK;

	if (n == 0)
		return ERR_OK;
	if (e == ERR_OK)
		e = memory_used(c, v, n);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
write_page(struct ctx *c, const struct memory_filter *f, struct memory *used, size_t *n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, pages[f->agent_id != NULL][f->ranked]);

	bind_filter(c, st, f);
	bind_i64(st, f->limit);
	bind_i64(st, f->offset);
	while (db_step(st)) {
		enum err e = write_item(c, st, w);

		if (e != ERR_OK)
			return e;
		if (*n < MEMORY_PAGE_MAX)
			used[(*n)++].n = col_i64(st, "n");
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_write_items(struct ctx *c, const struct memory_filter *f, struct jw *w)
{
	struct memory *used = ctx_alloc(c, MEMORY_PAGE_MAX * sizeof(*used));
	size_t n = 0;
	enum err e = used == NULL ? fail(c, ERR_NOMEM, "out of memory") : write_page(c, f, used, &n, w);

	if (e != ERR_OK || !f->ranked)
		return e;
	if (count_use(c, used, n) != ERR_OK)
		c->fault = (struct fault){ 0 };         /* what was found is found */
	return ERR_OK;
}

enum err
memory_total(struct ctx *c, const struct memory_filter *f, int64_t *ret)
{
	static const char *const totals[2] = {
		SQL("SELECT count(*) AS n FROM memory WHERE deleted_ms IS NULL AND ?1 IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory'"
		    " THEN 'user' WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\')"),
		SQL("SELECT count(*) AS n FROM memory WHERE agent_id = ?1 AND deleted_ms IS NULL AND (?2 IS NULL OR CASE scope WHEN 'user_memory'"
		    " THEN 'user' WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?2) AND (?3 IS NULL OR category = ?3)"
		    " AND (?4 IS NULL OR content LIKE ?4 ESCAPE '\\')"),
	};
	SCOPED_STMT st = db_prepare(c->db, totals[f->agent_id != NULL]);

	bind_filter(c, st, f);
	*ret = db_step(st) ? col_i64(st, "n") : 0;
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- to be given away --------------------------------------------------------------------------- */

enum err
memory_write_export(struct ctx *c, const char *agent_id, struct jw *w, int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT content, scope, category, confidence, metadata, created_ms FROM memory"
	    " WHERE agent_id = ? AND deleted_ms IS NULL ORDER BY created_ms DESC, n DESC LIMIT ?"));

	*ret_n = 0;
	bind_text(st, agent_id);
	bind_i64(st, MEMORY_EXPORT_MAX);
	while (db_step(st)) {
		const char *scope = col_text(c, st, "scope"), *category = col_text(c, st, "category"), *level;
		struct json_object *meta = json_stored(c, col_text(c, st, "metadata"));

		if (scope == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		level = level_of(scope);
		jw_object(w, NULL);
		jw_str(w, "content", col_text(c, st, "content"));
		jw_str(w, "level", level[0] == 'u' ? "User" : level[0] == 'a' ? "Agent" : "Session");
		jw_str(w, "category", category != NULL ? category : "");
		jw_f64(w, "confidence", col_f64(st, "confidence"));
		write_time(w, "created_at", col_i64(st, "created_ms"));
		jw_str(w, "updated_at", js_str(meta, "updated_at"));
		write_raw(w, "metadata", st);
		jw_end(w);
		++*ret_n;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- figures --------------------------------------------------------------------------------------- */

static enum err
write_levels(struct ctx *c, const char *agent_id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS total, coalesce(sum(scope = 'user_memory'), 0) AS users,"
	    " coalesce(sum(scope = 'agent_memory'), 0) AS agents FROM memory WHERE deleted_ms IS NULL AND (?1 IS NULL OR agent_id = ?1)"));
	int64_t total = 0, users = 0, agents = 0;

	bind_text(st, agent_id);
	if (db_step(st)) {
		total = col_i64(st, "total");
		users = col_i64(st, "users");
		agents = col_i64(st, "agents");
	}
	jw_i64(w, "total", total);
	jw_i64(w, "user_count", users);
	jw_i64(w, "session_count", total - users - agents);
	jw_i64(w, "agent_count", agents);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
write_counts(struct ctx *c, struct stmt *st, struct jw *w)
{
	while (db_step(st)) {
		const char *name = col_text(c, st, "name");

		if (name == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		jw_i64(w, name, col_i64(st, "k"));
	}
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_write_stats(struct ctx *c, const char *agent_id, struct jw *w)
{
	SCOPED_STMT categories = db_prepare(c->db, SQL("SELECT category AS name, count(*) AS k FROM memory WHERE deleted_ms IS NULL"
	    " AND category IS NOT NULL AND (?1 IS NULL OR agent_id = ?1) GROUP BY category ORDER BY category LIMIT 1000"));
	SCOPED_STMT agents = db_prepare(c->db, SQL("SELECT agent_id AS name, count(*) AS k FROM memory WHERE deleted_ms IS NULL"
	    " GROUP BY agent_id ORDER BY agent_id LIMIT 10000"));
	enum err e = write_levels(c, agent_id, w);

	if (e != ERR_OK)
		return e;
	bind_text(categories, agent_id);
	jw_object(w, "categories");
	e = write_counts(c, categories, w);
	if (e != ERR_OK || agent_id != NULL)
		return e;
	jw_object(w, "by_agent");
	return write_counts(c, agents, w);
}

/* --- one --------------------------------------------------------------------------------------------- */

enum err
memory_write_versions(struct ctx *c, const char *id, struct jw *w, int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT metadata FROM memory WHERE id = ? AND deleted_ms IS NULL"));
	struct json_object *all;

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "Memory not found") : fail_db(c, st);
	all = js_arr(json_stored(c, col_text(c, st, "metadata")), "version_history");
	*ret_n = all != NULL ? (int64_t)json_object_array_length(all) : 0;
	for (int64_t i = *ret_n; i > 0; i--)
		jw_json(w, NULL, json_object_array_get_idx(all, (size_t)i - 1));
	return ERR_OK;
}

static enum err
write_one(struct ctx *c, int64_t n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, id, agent_id, content, source, scope, category, confidence, metadata, created_ms,"
	    " accessed_ms, access_count FROM memory WHERE n = ?"));

	bind_i64(st, n);
	if (db_step(st))
		return write_item(c, st, w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_write_groups(struct ctx *c, const char *agent_id, struct jw *w, int64_t *ret_n)
{
	struct memory_group *v;
	unsigned groups;
	size_t n;
	enum err e = memory_groups(c, agent_id, &v, &n, &groups);

	*ret_n = groups;
	for (unsigned g = 1; e == ERR_OK && g <= groups; g++) {
		jw_array(w, NULL);
		for (size_t i = 0; e == ERR_OK && i < n; i++)
			if (v[i].group == g)
				e = write_one(c, v[i].n, w);
		jw_end(w);
	}
	return e;
}

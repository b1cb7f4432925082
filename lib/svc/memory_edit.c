/*
 * Memories changed by people.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/memory_item.h"

enum { GROUPED = 100, WORDS_MAX = 256, DAY_MS = 86400000, IMPORT_MAX = 10000 };

/* --- how much alike ------------------------------------------------------------------------------ */

struct word { const char *s; size_t n; };

static size_t
words_of(const char *s, struct word v[static WORDS_MAX])
{
	size_t n = 0;

	while (n < WORDS_MAX) {
		size_t k;
		bool known = false;

		s += strspn(s, " \t\r\n");
		if ((k = strcspn(s, " \t\r\n")) == 0)
			break;
		for (size_t i = 0; i < n && !known; i++)
			known = v[i].n == k && strncasecmp(v[i].s, s, k) == 0;
		if (!known)
			v[n++] = (struct word){ s, k };
		s += k;
	}
	return n;
}

double
memory_likeness(const char *a, const char *b)
{
	struct word x[WORDS_MAX] = { 0 }, y[WORDS_MAX] = { 0 };
	size_t nx = words_of(a, x), ny = words_of(b, y), both = 0;

	for (size_t i = 0; i < nx; i++)
		for (size_t k = 0; k < ny; k++)
			if (x[i].n == y[k].n && strncasecmp(x[i].s, y[k].s, x[i].n) == 0) {
				both++;
				break;
			}
	return nx + ny == both ? 0 : (double)both / (double)(nx + ny - both);
}

static bool
same(const char *a, const char *b, double threshold)
{
	return strcasestr(a, b) != NULL || strcasestr(b, a) != NULL || memory_likeness(a, b) > threshold;
}

enum err
memory_groups(struct ctx *c, const char *agent_id, struct memory_group **ret, size_t *ret_n, unsigned *ret_groups)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, id, content FROM memory WHERE agent_id = ? AND deleted_ms IS NULL"
	    " ORDER BY created_ms DESC, n DESC LIMIT ?"));
	struct memory_group *v = ctx_alloc(c, GROUPED * sizeof(*v));
	double threshold = js_f64(js_obj(c->cfg->raw, "proactive_memory"), "duplicate_threshold", 0.85);
	size_t n = 0;

	*ret_groups = 0;
	if (v == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, agent_id);
	bind_i64(st, GROUPED);
	for (; n < GROUPED && db_step(st); n++) {
		v[n] = (struct memory_group){ .n = col_i64(st, "n"), .id = col_text(c, st, "id"), .content = col_text(c, st, "content") };
		if (v[n].id == NULL || v[n].content == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	if (n < GROUPED && db_end(st) != ERR_OK)
		return fail_db(c, st);
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			if (v[k].group != 0 || (v[i].group != 0 && !v[i].seed) || !same(v[i].content, v[k].content, threshold))
				continue;
			if (v[i].group == 0)
				v[i].group = ++*ret_groups;
			v[i].seed = true;
			v[k].group = v[i].group;
		}
	*ret = v;
	*ret_n = n;
	return ERR_OK;
}

/* --- forgetting ------------------------------------------------------------------------------------ */

static enum err
forget_one(struct ctx *c, const char *id, bool *ret_was)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = ?, key = NULL WHERE id = ? AND deleted_ms IS NULL"));

	bind_i64(st, c->now_ms);
	bind_text(st, id);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*ret_was = db_changes(st) > 0;
	return ERR_OK;
}

enum err
memory_forget(struct ctx *c, const char *id)
{
	bool was = false;
	enum err e = forget_one(c, id, &was);

	return e != ERR_OK || was ? e : fail(c, ERR_NOT_FOUND, "Memory not found");
}

enum err
memory_forget_all(struct ctx *c, const char *agent_id, const char *level)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = ?1, key = NULL WHERE agent_id = ?2 AND deleted_ms IS NULL"
	    " AND (?3 IS NULL OR CASE scope WHEN 'user_memory' THEN 'user' WHEN 'agent_memory' THEN 'agent' ELSE 'session' END = ?3)"));

	bind_i64(st, c->now_ms);
	bind_text(st, agent_id);
	bind_text(st, level);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_merge(struct ctx *c, const char *agent_id, int64_t *ret_gone)
{
	SCOPED_TX tx = { 0 };
	struct memory_group *v = NULL;
	unsigned groups = 0, seen = 0;
	size_t n = 0;
	enum err e = tx_begin(c, &tx);

	*ret_gone = 0;
	if (e == ERR_OK)
		e = memory_groups(c, agent_id, &v, &n, &groups);
	for (unsigned g = 1; e == ERR_OK && g <= groups; g++) {
		seen = 0;
		for (size_t i = 0; e == ERR_OK && i < n; i++) {
			bool was = false;

			if (v[i].group != g || seen++ == 0)     /* the newest comes first, and stays */
				continue;
			e = forget_one(c, v[i].id, &was);
			*ret_gone += was;
		}
	}
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

enum err
memory_expire(struct ctx *c, int64_t before_ms, int64_t *ret_gone)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET deleted_ms = ? WHERE deleted_ms IS NULL AND scope = 'session_memory'"
	    " AND created_ms < ?"));

	bind_i64(st, c->now_ms);
	bind_i64(st, before_ms);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*ret_gone = db_changes(st);
	return ERR_OK;
}

/* --- less and less sure ------------------------------------------------------------------------------ */

struct faded { int64_t n; double confidence; };

static enum err
set_confidence(struct ctx *c, const struct faded *f)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET confidence = ? WHERE n = ?"));

	bind_f64(st, f->confidence);
	bind_i64(st, f->n);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The day since it was of use, and how often it was: what was used often fades up to four times as slowly. */
static double
faded(double confidence, double rate, int64_t used, double days)
{
	double boost = 1 + log2(used > 1 ? (double)used : 1), v;

	v = confidence * exp(-(rate / (boost > 4 ? 4 : boost)) * days);
	return v < 0 ? 0 : v > 1 ? 1 : v;
}

enum err
memory_fade(struct ctx *c, double rate)
{
	enum { AT_ONCE = 500 };
	struct faded *v = ctx_alloc(c, AT_ONCE * sizeof(*v));
	int64_t last = 0;
	size_t n = AT_ONCE;
	enum err e = v == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;

	while (e == ERR_OK && n == AT_ONCE && rate > 0) {
		SCOPED_TX tx = { 0 };

		if ((e = tx_begin(c, &tx)) != ERR_OK)
			return e;
		SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, confidence, access_count, accessed_ms FROM memory WHERE deleted_ms IS NULL"
		    " AND n > ? AND accessed_ms < ? ORDER BY n LIMIT ?"));

		bind_i64(st, last);
		bind_i64(st, c->now_ms - DAY_MS);
		bind_i64(st, AT_ONCE);
		for (n = 0; n < AT_ONCE && db_step(st); n++) {
			double days = (double)(c->now_ms - col_i64(st, "accessed_ms")) / DAY_MS;

			v[n] = (struct faded){ col_i64(st, "n"), faded(col_f64(st, "confidence"), rate, col_i64(st, "access_count"), days) };
			last = v[n].n;
		}
		if (n < AT_ONCE && db_end(st) != ERR_OK)
			return fail_db(c, st);
		for (size_t i = 0; e == ERR_OK && i < n; i++)
			e = set_confidence(c, &v[i]);
		db_stmt_done(&st);
		st = NULL;
		if (e == ERR_OK)
			e = tx_commit(c, &tx);
	}
	return e;
}

/* --- another text -------------------------------------------------------------------------------------- */

static struct json_object *
with_version(struct ctx *c, const char *metadata, const char *old)
{
	struct json_object *m = json_stored(c, metadata), *all, *one = json_object_new_object();
	char now[25];

	time_rfc3339(c->now_ms, now);
	if (!json_object_is_type(m, json_type_object))
		m = json_keep(c, json_object_new_object());
	all = js_arr(m, "version_history");
	if (all == NULL && (all = json_object_new_array()) != NULL)
		json_object_object_add(m, "version_history", all);
	if (m == NULL || all == NULL || one == NULL) {
		json_object_put(one);
		return NULL;
	}
	json_object_object_add(one, "content", json_object_new_string(old));
	json_object_object_add(one, "replaced_at", json_object_new_string(now));
	json_object_array_add(all, one);
	json_object_object_add(m, "previous_content", json_object_new_string(old));
	json_object_object_add(m, "updated_at", json_object_new_string(now));
	return m;
}

static enum err
write_text(struct ctx *c, int64_t n, const char *content, const char *metadata)
{
	SCOPED_STMT row = db_prepare(c->db, SQL("UPDATE memory SET content = ?, metadata = ?, key = NULL WHERE n = ?"));
	SCOPED_STMT words = db_prepare(c->db, SQL("UPDATE memory_text SET content = ? WHERE rowid = ?"));
	SCOPED_STMT vector = db_prepare(c->db, SQL("DELETE FROM memory_vector WHERE memory = ?"));

	bind_text(row, content);
	bind_text(row, metadata);
	bind_i64(row, n);
	if (db_exec(row) != ERR_OK)
		return fail_db(c, row);
	bind_text(words, content);
	bind_i64(words, n);
	if (db_exec(words) != ERR_OK)
		return fail_db(c, words);
	bind_i64(vector, n);
	return db_exec(vector) == ERR_OK ? ERR_OK : fail_db(c, vector);
}

enum err
memory_retell(struct ctx *c, int64_t n, const char *old, const char *metadata, const char *content, const char *from, bool conflict)
{
	struct json_object *m = with_version(c, metadata, old);
	const char *text;

	if (m != NULL && from != NULL)
		json_object_object_add(m, "updated_from", json_object_new_string(from));
	if (m != NULL && conflict)
		json_object_object_add(m, "conflict_detected", json_object_new_boolean(true));
	text = m != NULL ? ctx_strdup(c, json_object_to_json_string_ext(m, JSON_C_TO_STRING_PLAIN)) : NULL;
	return text != NULL ? write_text(c, n, content, text) : fail(c, ERR_NOMEM, "out of memory");
}

enum err
memory_replace(struct ctx *c, const char *id, const char *content)
{
	SCOPED_TX tx = { 0 };
	const char *old = NULL, *metadata = NULL;
	int64_t n = 0;
	enum err e = tx_begin(c, &tx);

	if (e != ERR_OK)
		return e;
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, content, metadata FROM memory WHERE id = ? AND deleted_ms IS NULL"));

	bind_text(st, id);
	if (db_step(st)) {
		n = col_i64(st, "n");
		old = col_text(c, st, "content");
		metadata = col_text(c, st, "metadata");
	}
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (n == 0)
		return fail(c, ERR_NOT_FOUND, "Memory not found");
	if (old == NULL || metadata == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	db_stmt_done(&st);
	st = NULL;
	e = memory_retell(c, n, old, metadata, content, NULL, false);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* --- taking in -------------------------------------------------------------------------------------------- */

static enum err
bad(struct ctx *c, size_t i, const char *what)
{
	return fail(c, ERR_INVALID, "item %zu: %s", i, what);
}

static enum err
read_item(struct ctx *c, struct json_object *o, size_t i, struct memory *ret, const char **ret_category)
{
	const char *content = js_str(o, "content"), *level = js_str(o, "level"), *category = js_str(o, "category"), *at = js_str(o, "created_at");
	struct json_object *meta = js_obj(o, "metadata"), *copy = NULL, *conf = js_get(o, "confidence"), *updated = js_get(o, "updated_at");
	int64_t ms;

	if (content == NULL || level == NULL || category == NULL || at == NULL)
		return bad(c, i, "content, level, category and created_at are texts");
	if (meta == NULL || conf == NULL || !(json_object_is_type(conf, json_type_double) || json_object_is_type(conf, json_type_int)))
		return bad(c, i, "metadata is an object, confidence a number");
	if (content[strspn(content, " \t\r\n")] == '\0' || strlen(content) > MEMORY_TEXT_MAX)
		return bad(c, i, "content: 1 to 65536 bytes are expected");
	if (json_object_deep_copy(meta, &copy, NULL) != 0 || json_keep(c, copy) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	json_object_object_add(copy, "imported", json_object_new_boolean(true));
	json_object_object_add(copy, "category", json_object_new_string(category));
	if (updated != NULL)
		json_object_object_add(copy, "original_updated_at", json_object_get(updated));
	ms = time_parse(at);
	*ret_category = category[0] != '\0' ? category : NULL;
	*ret = (struct memory){ .content = content, .source = "system", .confidence = json_object_get_double(conf),
		.scope = strcasecmp(level, "user") == 0 ? "user_memory" : strcasecmp(level, "agent") == 0 ? "agent_memory" : "session_memory",
		.metadata = ctx_strdup(c, json_object_to_json_string_ext(copy, JSON_C_TO_STRING_PLAIN)), .created_ms = ms >= 0 ? ms : c->now_ms };
	if (!(ret->confidence > 0))
		ret->confidence = 0.001;
	if (ret->confidence > 1)
		ret->confidence = 1;
	return ret->metadata != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* Is there one that says the same, nearly word for word? */
static enum err
is_there(struct ctx *c, const char *agent_id, const char *content, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT content FROM memory WHERE agent_id = ? AND deleted_ms IS NULL"));

	*ret = false;
	bind_text(st, agent_id);
	while (!*ret && db_step(st)) {
		size_t n;
		const char *s = col_peek(st, "content", &n);

		*ret = s != NULL && (strcasecmp(s, content) == 0 || memory_likeness(s, content) >= 0.95);
	}
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_set_category(struct ctx *c, const char *id, const char *category)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE memory SET category = ? WHERE id = ?"));

	bind_text(st, category);
	bind_text(st, id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_import(struct ctx *c, const char *agent_id, struct json_object *items, int64_t *ret_n)
{
	SCOPED_TX tx = { 0 };
	size_t n = json_object_array_length(items);
	enum err e = n > IMPORT_MAX ? fail(c, ERR_INVALID, "at most %d items are taken at once", IMPORT_MAX) : tx_begin(c, &tx);

	*ret_n = 0;
	for (size_t i = 0; e == ERR_OK && i < n; i++) {
		const char *category = NULL;
		struct memory m;
		bool known = false;
		char id[37];

		e = read_item(c, json_object_array_get_idx(items, i), i, &m, &category);
		if (e == ERR_OK)
			e = is_there(c, agent_id, m.content, &known);
		if (e != ERR_OK || known)
			continue;
		uuid4(id);
		m.id = id;
		m.agent_id = agent_id;
		if ((e = memory_add(c, &m)) == ERR_OK && category != NULL)
			e = memory_set_category(c, id, category);
		*ret_n += e == ERR_OK;
	}
	if (e == ERR_OK)
		e = memory_cap(c, agent_id, js_i64(js_obj(c->cfg->raw, "proactive_memory"), "max_memories_per_agent", 1000));
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

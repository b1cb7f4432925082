/*
 * Key/value memory of agents: a table of JSON texts.
 *
 * A value is never parsed here: its text goes in compacted and comes out
 * unchanged, so that 0.7 stays 0.7 and a large number keeps its digits.
 */
#include "lib/svc/kv.h"

#include <string.h>

#include "db/db.h"
#include "lib/svc/caller.h"

static enum err
by_entry(struct ctx *c, const char *agent_id, enum memory_right right)
{
	const struct caller *w = c->who;
	const char *no = NULL;

	if (w != NULL && strcmp(w->user_id, CALLER_ROOT_ID) != 0)
		no = user_memory_denies(c, w->name, right, ctx_printf(c, "kv:%s", agent_id));
	return no == NULL ? ERR_OK : fail_code(c, ERR_FORBIDDEN, "capability_denied", "%s", no);
}

enum err
kv_may(struct ctx *c, const char *agent_id, enum memory_right right)
{
	const char *author = caller_scope(c);
	bool own = false;

	if (author == NULL)
		return by_entry(c, agent_id, right);

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT 1 FROM agent WHERE id = ? AND lower(author) = lower(?)"));

	bind_text(st, agent_id);
	bind_text(st, author);
	while (db_step(st))
		own = true;
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	if (!own)
		return fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
	return by_entry(c, agent_id, right);
}

const char *
kv_key_of(struct ctx *c, const char *peer, const char *key, size_t n, size_t *ret_n)
{
	SCOPED_BUF b = BUF_INIT(KV_KEY_MAX * 4);

	if (peer == NULL || peer[0] == '\0') {
		*ret_n = n;
		return key;
	}
	buf_str(&b, KV_PEER);
	for (; *peer != '\0'; peer++) {
		if (*peer == '%' || *peer == ':')
			buf_str(&b, *peer == '%' ? "%25" : "%3A");
		else
			buf_ch(&b, *peer);
	}
	buf_ch(&b, ':');
	buf_add(&b, key, n);
	*ret_n = b.len;
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

enum err
kv_write_all(struct ctx *c, const char *agent_id, struct jw *w)
{
	const char *s;
	size_t n;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT key, value FROM kv WHERE agent_id = ? ORDER BY key LIMIT 100000"));

	bind_text(st, agent_id);
	while (db_step(st)) {
		jw_object(w, NULL);
		s = col_peek(st, "key", &n);
		jw_strn(w, "key", s, n);
		s = col_peek(st, "value", &n);
		jw_raw(w, "value", s, n);
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
kv_write_members(struct ctx *c, const char *agent_id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT key, value FROM kv WHERE agent_id = ? ORDER BY key LIMIT 100000"));

	bind_text(st, agent_id);
	while (db_step(st)) {
		const char *key = col_text(c, st, "key"), *s;
		size_t n;

		if (key == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		s = col_peek(st, "value", &n);
		jw_raw(w, key, s, n);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
kv_get(struct ctx *c, const char *agent_id, const char *key, size_t n, const char **json,
    size_t *json_n)
{
	const char *found = NULL;
	size_t found_n = 0;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT value FROM kv WHERE agent_id = ? AND key = ?"));

	bind_text(st, agent_id);
	bind_textn(st, key, n);
	if (db_step(st))
		found = col_textn(c, st, "value", &found_n);
	if (found == NULL) {
		if (db_end(st) != ERR_OK)
			return fail_db(c, st);
		n = utf8_cut(key, strnlen(key, n), 200);
		return fail(c, ERR_NOT_FOUND, "Key '%.*s' not found", (int)n, key);
	}
	*json = found;
	*json_n = found_n;
	return ERR_OK;
}

enum err
kv_put(struct ctx *c, const char *agent_id, const char *key, size_t n, const char *json,
    size_t json_n)
{
	char *text;

	if (n == 0 || n > KV_KEY_MAX)
		return fail(c, ERR_BAD_REQUEST, "A key has 1 to %d bytes", KV_KEY_MAX);
	text = ctx_alloc(c, json_n + 1);
	if (text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	json_n = json_compact(json, json_n, text);
	if (json_n > KV_VALUE_MAX)
		return fail(c, ERR_TOO_LARGE, "The value has %zu bytes of JSON, at most %d are kept",
		    json_n, KV_VALUE_MAX);

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("INSERT INTO kv (agent_id, key, value, updated_ms) VALUES (?, ?, ?, ?) "
	    "ON CONFLICT (agent_id, key) DO UPDATE SET value = excluded.value, "
	    "updated_ms = excluded.updated_ms"));

	bind_text(st, agent_id);
	bind_textn(st, key, n);
	bind_textn(st, text, json_n);
	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
kv_delete(struct ctx *c, const char *agent_id, const char *key, size_t n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM kv WHERE agent_id = ? AND key = ?"));

	bind_text(st, agent_id);
	bind_textn(st, key, n);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
kv_count(struct ctx *c, const char *agent_id, int64_t *ret)
{
	int64_t n = 0;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT count(*) AS n FROM kv WHERE agent_id = ?"));

	bind_text(st, agent_id);
	while (db_step(st))
		n = col_i64(st, "n");
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret = n;
	return ERR_OK;
}

static enum err
clear_all(struct ctx *c, const char *agent_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM kv WHERE agent_id = ?"));

	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
kv_import(struct ctx *c, const char *agent_id, const char *kv, size_t n, bool clear, int64_t *ret,
    struct json_object *failed)
{
	SCOPED_TX tx = { 0 };
	struct json_member m;
	enum err e = tx_begin(c, &tx);

	*ret = 0;
	if (e == ERR_OK && clear)
		e = clear_all(c, agent_id);
	for (size_t at = 0, key_n; e == ERR_OK && json_next_member(kv, n, &at, &m); ) {
		const char *key = json_text(c, m.name, m.name_n, &key_n);

		if (key == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		e = kv_put(c, agent_id, key, key_n, m.value, m.value_n);
		*ret += e == ERR_OK;
		if (e != ERR_BAD_REQUEST && e != ERR_TOO_LARGE)
			continue;
		json_object_array_add(failed, json_object_new_string_len(key, (int)utf8_cut(key, key_n, 200)));
		e = ERR_OK;
		c->fault = (struct fault){ 0 };
	}
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

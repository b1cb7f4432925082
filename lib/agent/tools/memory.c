/*
 * memory_store, memory_recall, memory_list: the agent's lasting memory, which
 * is its key/value table.
 *
 * A value that reads as JSON is stored as such, anything else as a JSON string; a
 * string is unwrapped again when it is recalled, so that text comes back as it went.
 * What somebody says who is named (sender_id) is kept for them alone: neither others nor those who name nobody see it.
 * Work on many values happens in an arena of its own, for the turn's lives long.
 */
#include <string.h>

#include "db/db.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "lib/svc/event.h"
#include "lib/svc/kv.h"
#include "lib/svc/memory.h"

enum { TOOL_KEY_MAX = 256, RECALL_MAX = 64 << 10, LIST_BYTES_MAX = 64 << 20, LIST_LIMIT = 100, LIST_LIMIT_MAX = 1000, TOLD_MAX = 2000 };

static enum err
key_param(struct json_object *input, const char **key, size_t *n, struct buf *out)
{
	enum err e = tool_text(input, "key", key, n, out);

	if (e != ERR_OK)
		return e;
	if (*n == 0 || *n > TOOL_KEY_MAX)
		return tool_say(out, ERR_INVALID, "parameter key: 1 to %d bytes are expected", TOOL_KEY_MAX);
	if (memchr(*key, '\0', *n) != NULL)
		return tool_say(out, ERR_INVALID, "parameter key holds a NUL character");
	if (strncmp(*key, KV_PEER, strlen(KV_PEER)) == 0)
		return tool_say(out, ERR_INVALID, "parameter key: names that begin with " KV_PEER " are taken");
	return ERR_OK;
}

/* As it stands in the table. */
static enum err
kept_key(struct tool_env *env, const char *key, size_t n, const char **ret, size_t *ret_n, struct buf *out)
{
	*ret = kv_key_of(env->c, env->sender_id, key, n, ret_n);
	return *ret != NULL ? ERR_OK : tool_say(out, ERR_NOMEM, "out of memory");
}

/* The value as JSON text. */
static void
value_json(struct json_object *v, struct buf *json)
{
	struct jw w = JW_INIT(json);
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
	size_t n = s != NULL ? (size_t)json_object_get_string_len(v) : 0;

	if (n > 0 && json_check(s, n, JSON_DEPTH_MAX, NULL) == ERR_OK)
		buf_add(json, s, n);
	else
		jw_json(&w, NULL, v);
}

/* The value, and as a memory what it says, so that it comes to mind when somebody speaks of it. */
static enum err
store(struct tool_env *env, const char *key, size_t n, const char *kept, size_t kept_n, const struct buf *json, struct json_object *v)
{
	const char *text = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : json->p;
	const char *words = ctx_printf(env->c, "%.*s: %.*s", (int)n, key, (int)utf8_cut(text, strlen(text), TOLD_MAX), text);
	SCOPED_TX tx = { 0 };
	enum err e = words == NULL ? fail(env->c, ERR_NOMEM, "out of memory") : tx_begin(env->c, &tx);

	if (e == ERR_OK)
		e = kv_put(env->c, env->agent_id, kept, kept_n, json->p, json->len);
	if (e == ERR_OK && memory_wanted(env->c->cfg, NULL, "auto_memorize"))
		e = memory_add(env->c, &(struct memory){ .agent_id = env->agent_id, .content = words, .source = "observation",
		    .scope = "agent_memory", .peer_id = env->sender_id, .key = ctx_strndup(env->c, kept, kept_n), .confidence = 1, .created_ms = env->c->now_ms });
	if (e == ERR_OK)
		e = event_publish(env->c, EVENT_MEMORY, env->agent_id, key, n, env->event_depth);
	return e == ERR_OK ? tx_commit(env->c, &tx) : e;
}

enum err
tool_memory_store(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF json = BUF_INIT(KV_VALUE_MAX * 6 + 16);
	struct json_object *v = js_get(input, "value");
	const char *key, *kept;
	size_t n, kept_n;
	enum err e = key_param(input, &key, &n, out);

	if (e == ERR_OK)
		e = kept_key(env, key, n, &kept, &kept_n, out);
	if (e != ERR_OK)
		return e;
	if (v == NULL)
		return tool_say(out, ERR_INVALID, "missing parameter: value");
	value_json(v, &json);
	if (json.failed)
		return tool_say(out, ERR_INVALID, "parameter value: at most %d bytes are kept", KV_VALUE_MAX);
	if (env->incognito)             /* the model need not know */
		return tool_say(out, ERR_OK, "Stored under '%.*s'.", (int)n, key);
	e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	e = store(env, key, n, kept, kept_n, &json, v);
	tool_db_give(env);
	if (e == ERR_TOO_LARGE || e == ERR_BAD_REQUEST) {
		(void)tool_fault(env, e, out);
		return ERR_INVALID;
	}
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	return tool_say(out, ERR_OK, "Stored under '%.*s'.", (int)n, key);
}

/* Stored JSON as text for the model. */
static void
add_value(struct ctx *c, const char *json, size_t n, struct buf *out)
{
	struct json_object *v = n > 0 && json[0] == '"' ? json_stored(c, json) : NULL;
	const char *s = json;
	size_t k;

	if (json_object_is_type(v, json_type_string)) {
		s = json_object_get_string(v);
		n = (size_t)json_object_get_string_len(v);
	}
	k = utf8_cut(s, n, RECALL_MAX);
	buf_add(out, s, k);
	if (k < n)
		buf_printf(out, "\n[%zu bytes cut]", n - k);
}

/* A context like the turn's with memory of its own; NULL arena: none left. */
static struct ctx
side_ctx(struct tool_env *env)
{
	struct ctx c = *env->c;

	c.arena = arena_new(65536);
	return c;
}

/* Report through the side context's fault before its arena ends. */
static enum err
side_end(struct tool_env *env, struct ctx *side, enum err e, struct buf *out)
{
	struct ctx *mine = env->c;

	if (e != ERR_OK) {
		env->c = side;
		(void)tool_fault(env, e, out);
		env->c = mine;
	}
	arena_free(side->arena);
	return e;
}

enum err
tool_memory_recall(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *key, *kept, *json;
	size_t n, kept_n, json_n;
	struct ctx side;
	enum err e = key_param(input, &key, &n, out);

	if (e == ERR_OK)
		e = kept_key(env, key, n, &kept, &kept_n, out);
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	side = side_ctx(env);
	buf_clear(out);
	if (side.arena == NULL) {
		tool_db_give(env);
		return tool_say(out, ERR_NOMEM, "out of memory");
	}
	e = kv_get(&side, env->agent_id, kept, kept_n, &json, &json_n);
	tool_db_give(env);
	if (e == ERR_OK)
		add_value(&side, json, json_n, out);
	else if (e == ERR_NOT_FOUND)
		(void)fail(&side, e, "Key '%.*s' not found", (int)n, key);
	return side_end(env, &side, e, out);
}

/* A key of the table as who is spoken with knows it; NULL: it is not theirs. */
static const char *
own_key(const char *key, const char *before)
{
	if (before[0] == '\0')
		return strncmp(key, KV_PEER, strlen(KV_PEER)) == 0 ? NULL : key;
	return strncmp(key, before, strlen(before)) == 0 ? key + strlen(before) : NULL;
}

static enum err
write_keys(struct ctx *c, const char *agent_id, const char *peer, int64_t offset, int64_t limit, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(LIST_BYTES_MAX);
	struct jw w = JW_INIT(&b);
	struct json_object *all;
	size_t before_n;
	const char *before = kv_key_of(c, peer, "", 0, &before_n), *key;
	int64_t n = 0;
	enum err e;

	if (before == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	jw_array(&w, NULL);
	e = kv_write_all(c, agent_id, &w);
	jw_end(&w);
	if (e != ERR_OK)
		return e;
	all = b.failed ? NULL : json_stored(c, b.p);
	if (all == NULL)
		return fail(c, ERR_TOO_LARGE, "the memory is too large to be listed");
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		key = own_key(js_str_or(json_object_array_get_idx(all, i), "key", ""), before);
		if (key != NULL && n >= offset && n - offset < limit)
			buf_printf(out, "%s\n", key);
		n += key != NULL;
	}
	buf_printf(out, "(%jd keys in all)", (intmax_t)n);
	return ERR_OK;
}

enum err
tool_memory_list(struct tool_env *env, struct json_object *input, struct buf *out)
{
	int64_t limit, offset;
	struct ctx side;
	enum err e = tool_count(input, "limit", LIST_LIMIT, 1, LIST_LIMIT_MAX, &limit, out);

	if (e == ERR_OK)
		e = tool_count(input, "offset", 0, 0, INT32_MAX, &offset, out);
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	side = side_ctx(env);
	buf_clear(out);
	if (side.arena == NULL) {
		tool_db_give(env);
		return tool_say(out, ERR_NOMEM, "out of memory");
	}
	e = write_keys(&side, env->agent_id, env->sender_id, offset, limit, out);
	tool_db_give(env);
	return side_end(env, &side, e, out);
}

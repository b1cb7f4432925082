/*
 * Writing manifests: the JSON form back to TOML that a person can read.
 *
 * Plain values come before tables (TOML wants it so), known members in the order of the
 * table of members, others after them. What is the default anyway is left out,
 * except the name.
 */
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/manifest_keys.h"
#include "lib/toml/toml.h"

enum { TOML_MAX = 4 << 20, DEPTH_MAX = 32 };

struct writing {
	struct buf *out;
	char path[2048];                /* of the table at hand, as in its header */
	unsigned depth;
};

static void
add_key(struct buf *b, const char *key)
{
	size_t n = strlen(key);

	if (n > 0 && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n)
		buf_add(b, key, n);
	else
		toml_quote(b, key);
}

static bool
is_table(struct json_object *v)
{
	return json_object_is_type(v, json_type_object);
}

/* A list with tables only becomes [[...]]. */
static bool
is_tables(struct json_object *v)
{
	if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
		return false;
	for (size_t i = 0, n = json_object_array_length(v); i < n; i++)
		if (!is_table(json_object_array_get_idx(v, i)))
			return false;
	return true;
}

static void
add_string(struct buf *b, struct json_object *v)
{
	const char *s = json_object_get_string(v);
	struct jw w = JW_INIT(b);

	/* toml_quote() takes C strings; JSON's escapes of the rest mean the same in TOML */
	if (strlen(s) == (size_t)json_object_get_string_len(v))
		toml_quote(b, s);
	else
		jw_strn(&w, NULL, s, (size_t)json_object_get_string_len(v));
}

static void
add_inline(struct buf *b, struct json_object *v, unsigned depth)
{
	struct jw w = JW_INIT(b);
	bool more = false;

	if (depth > DEPTH_MAX) {
		b->failed = true;
	} else if (json_object_is_type(v, json_type_array)) {
		buf_ch(b, '[');
		for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
			if (json_object_array_get_idx(v, i) == NULL)
				continue;
			if (more)
				buf_str(b, ", ");
			add_inline(b, json_object_array_get_idx(v, i), depth + 1);
			more = true;
		}
		buf_ch(b, ']');
	} else if (is_table(v)) {
		buf_str(b, "{");
		json_object_object_foreach(v, key, item) {
			if (item == NULL)
				continue;
			buf_str(b, more ? ", " : " ");
			add_key(b, key);
			buf_str(b, " = ");
			add_inline(b, item, depth + 1);
			more = true;
		}
		buf_str(b, " }");
	} else if (json_object_is_type(v, json_type_string)) {
		add_string(b, v);
	} else {
		jw_json(&w, NULL, v);
	}
}

/* Is this what reading would fill in? */
static bool
is_default(const struct mkey *k, struct json_object *v)
{
	struct json_object *d = k != NULL && k->kind != MK_TABLE ? mkey_default(k) : NULL;
	bool same;

	if (d == NULL || strcmp(k->name, "name") == 0) {
		json_object_put(d);
		return false;
	}
	same = k->kind == MK_NUM ? json_object_get_double(d) == json_object_get_double(v) : json_object_equal(d, v);
	json_object_put(d);
	return same;
}

static void
add_pair(struct writing *w, const struct mkey *k, const char *key, struct json_object *v)
{
	if (v == NULL || is_table(v) || is_tables(v) || is_default(k, v))
		return;
	add_key(w->out, key);
	buf_str(w->out, " = ");
	add_inline(w->out, v, 0);
	buf_ch(w->out, '\n');
}

static void write_body(struct writing *, const struct mkey *, struct json_object *);

/* Anything to say in a table that is always there? */
static bool
says_something(const struct mkey *keys, struct json_object *o)
{
	json_object_object_foreach(o, key, v)
		if (v != NULL && !is_default(mkey_find(keys, key), v))
			return true;
	return false;
}

static void
write_header(struct writing *w, const char *key, const char *open, const char *close, size_t was)
{
	SCOPED_BUF b = BUF_INIT(sizeof(w->path) - 1);

	buf_add(&b, w->path, was);
	if (was > 0)
		buf_ch(&b, '.');
	add_key(&b, key);
	if (b.failed) {
		w->out->failed = true;
		return;
	}
	memcpy(w->path, b.p, b.len + 1);
	buf_ch(w->out, '\n');
	buf_str(w->out, open);
	buf_str(w->out, w->path);
	buf_str(w->out, close);
}

static void
write_tables(struct writing *w, const struct mkey *k, const char *key, struct json_object *v)
{
	const struct mkey *keys = k != NULL ? k->keys : NULL;
	size_t was = strlen(w->path), n = is_table(v) ? 1 : json_object_array_length(v);

	if (k != NULL && k->kind == MK_TABLE && k->dflt != NULL && !says_something(keys, v))
		return;
	if (++w->depth > DEPTH_MAX)
		w->out->failed = true;
	for (size_t i = 0; i < n && !w->out->failed; i++) {
		write_header(w, key, is_table(v) ? "[" : "[[", is_table(v) ? "]\n" : "]]\n", was);
		write_body(w, keys, is_table(v) ? v : json_object_array_get_idx(v, i));
		w->path[was] = '\0';
	}
	w->depth--;
}

/* First the pairs, then the tables; known members first. */
static void
write_body(struct writing *w, const struct mkey *keys, struct json_object *o)
{
	for (const struct mkey *k = keys; k != NULL && k->name != NULL; k++)
		add_pair(w, k, k->name, js_get(o, k->name));
	json_object_object_foreach(o, key, v)
		if (mkey_find(keys, key) == NULL)
			add_pair(w, NULL, key, v);
	for (const struct mkey *k = keys; k != NULL && k->name != NULL; k++)
		if (is_table(js_get(o, k->name)) || is_tables(js_get(o, k->name)))
			write_tables(w, k, k->name, js_get(o, k->name));
	json_object_object_foreach(o, other, t)
		if (mkey_find(keys, other) == NULL && (is_table(t) || is_tables(t)))
			write_tables(w, NULL, other, t);
}

char *
manifest_to_toml(struct ctx *c, struct json_object *manifest)
{
	SCOPED_BUF b = BUF_INIT(TOML_MAX);
	struct writing w = { .out = &b };

	if (!is_table(manifest))
		return NULL;
	write_body(&w, manifest_keys, manifest);
	return b.failed ? NULL : ctx_strndup(c, b.p != NULL ? b.p : "", b.len);
}

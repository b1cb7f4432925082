/*
 * Reading JSON: the gate, then json-c; and lookups that miss softly.
 *
 * Repeated keys are compared as they are written: "a" and "\u0061" pass as two
 * names, of which json-c keeps the last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"

static void
put_object(void *o)
{
	json_object_put(o);
}

struct json_object *
json_keep(struct ctx *c, struct json_object *o)
{
	if (o != NULL && arena_defer(c->arena, put_object, o) != 0)
		return NULL;
	return o;
}

/* --- putting together ----------------------------------------------------------------------- */

/* json-c 0.16 does not look whether it could copy the name, and compares with it later. */
int
json_member_add(struct json_object *o, const char *key, struct json_object *v)
{
	struct lh_table *t;

	if (o == NULL) {
		json_object_put(v);
		return json_joined(-1);
	}
	if ((json_object_object_add)(o, key, v) != 0)
		return json_joined(-1);
	t = json_object_get_object(o);
	if (t->tail == NULL || lh_entry_k(t->tail) != NULL)
		return 0;
	(void)json_object_get(v);       /* it stays the caller's */
	(void)lh_table_delete_entry(t, t->tail);        /* it is there */
	return json_joined(-1);
}

static int
copied(struct json_object *from, struct json_object **ret)
{
	int rc = 0;

	*ret = NULL;
	if (from == NULL)
		return 0;
	if (json_object_is_type(from, json_type_object)) {
		*ret = json_object_new_object();
		json_object_object_foreach(from, key, v) {
			struct json_object *copy;

			rc = *ret == NULL ? -1 : copied(v, &copy);
			if (rc == 0 && (rc = json_object_object_add(*ret, key, copy)) != 0)
				json_object_put(copy);
			if (rc != 0)
				break;
		}
	} else if (json_object_is_type(from, json_type_array)) {
		*ret = json_object_new_array();
		for (size_t i = 0, n = json_object_array_length(from); i < n && rc == 0; i++) {
			struct json_object *copy;

			rc = *ret == NULL ? -1 : copied(json_object_array_get_idx(from, i), &copy);
			if (rc == 0 && (rc = json_object_array_add(*ret, copy)) != 0)
				json_object_put(copy);
		}
	} else {
		return (json_object_deep_copy)(from, ret, NULL);
	}
	if (rc == 0 && *ret != NULL)
		return 0;
	json_object_put(*ret);
	*ret = NULL;
	return -1;
}

int
json_copied(struct json_object *from, struct json_object **ret)
{
	return json_joined(from == NULL ? -1 : copied(from, ret));
}

/* --- is all there? ------------------------------------------------------------------------ */

struct tally { size_t members, escaped, nulls; };

/* What a text has. escaped: members whose names are written with escapes, of which two may be the same. */
static struct tally
written(const char *p, size_t n)
{
	const char *end = p + n;
	struct tally t = { 0 };
	bool escaped = false;

	for (; p < end; p++) {
		if (*p == '"') {
			escaped = false;        /* the last string before a colon is a name */
			for (p++; p < end && *p != '"'; p++)
				if (*p == '\\') {
					escaped = true;
					p++;
				}
		} else if (*p == ':') {
			t.members++;
			t.escaped += escaped;
		} else if (*p == 'n') {
			t.nulls++;
		}
	}
	return t;
}

static void
count(struct json_object *o, struct tally *t)
{
	if (o == NULL) {
		t->nulls++;
	} else if (json_object_is_type(o, json_type_object)) {
		t->members += (size_t)json_object_object_length(o);
		json_object_object_foreach(o, key, v) {
			(void)key;
			count(v, t);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
			count(json_object_array_get_idx(o, i), t);
	}
}

bool
json_whole(struct json_object *o, const char *text, size_t n)
{
	struct tally want = written(text, n), have = { 0 };

	count(o, &have);
	if (have.nulls <= want.nulls && have.members <= want.members && have.members + want.escaped >= want.members)
		return true;
	memory_short = true;
	return false;
}

const char *
json_written(struct json_object *o, int how)
{
	size_t n = 0;
	const char *s = json_object_to_json_string_length(o, how, &n);

	if (s != NULL && json_whole(o, s, n))
		return s;
	memory_short = true;
	return "null";
}

/*
 * json-c makes the largest integer it knows of whatever is larger: a number in the text, which would be another one. Such a
 * one is read as a double.
 */
static bool
fits(const char *s)
{
	errno = 0;
	if (*s == '-')
		(void)strtoll(s, NULL, 10);
	else
		(void)strtoull(s, NULL, 10);
	return errno == 0;
}

static const char *
widened(struct ctx *c, const char *text, size_t *n)
{
	static const char part[] = "0123456789+-.eE";
	struct buf b = BUF_INIT(*n + *n / 8 + 64);
	char t[24];
	const char *s;

	for (size_t i = 0, end; i < *n; i = end) {
		end = i + 1;
		if (text[i] == '"') {
			while (end < *n && text[end] != '"')
				end += text[end] == '\\' ? 2 : 1;
			end++;
		} else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			while (end < *n && strchr(part, text[end]) != NULL && text[end] != '\0')
				end++;
		}
		buf_add(&b, text + i, end - i);
		if (end - i < 19 || text[i] == '"' || memchr(text + i, '.', end - i) != NULL || memchr(text + i, 'e', end - i) != NULL ||
		    memchr(text + i, 'E', end - i) != NULL)
			continue;
		snprintf(t, sizeof(t), "%.*s", (int)(end - i < 23 ? end - i : 23), text + i);
		if (!fits(t))
			buf_str(&b, ".0");
	}
	s = b.failed ? NULL : ctx_strndup(c, b.p, b.len);
	*n = b.len;
	buf_done(&b);
	return s;
}

enum err
json_read(struct ctx *c, const char *text, size_t n, struct json_object **ret)
{
	struct json_fault f;
	struct json_object *o;

	if (json_check(text, n, JSON_DEPTH_MAX, &f) != ERR_OK) {
		if (f.too_deep)
			return fail(c, ERR_VALIDATION, "JSON nesting depth exceeds maximum of %d",
			    JSON_DEPTH_MAX);
		return fail(c, ERR_BAD_REQUEST, "Malformed JSON: %s at byte %zu", f.why, f.at);
	}
	if (f.wide && (text = widened(c, text, &n)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!json_build(text, n, &o, NULL))
		return fail(c, ERR_NOMEM, "out of memory");
	if (o != NULL && json_keep(c, o) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	*ret = o;
	return ERR_OK;
}

struct json_object *
json_try(struct ctx *c, const char *text, size_t n)
{
	struct fault before = c->fault;
	struct json_object *o = NULL;

	if (json_read(c, text, n, &o) != ERR_OK)
		fault_forget(c, before);
	return o;
}

struct json_object *
json_parse(const char *text, size_t n)
{
	struct json_object *o;

	return json_build(text, n, &o, NULL) ? o : NULL;
}

struct json_object *
json_stored(struct ctx *c, const char *text)
{
	return text == NULL ? NULL : json_keep(c, json_parse(text, strlen(text)));
}

const char *
json_text(struct ctx *c, const char *json, size_t n, size_t *ret_n)
{
	struct json_object *o;

	*ret_n = 0;
	if (n < 2 || json[0] != '"' || json[n - 1] != '"')
		return NULL;
	if (memchr(json, '\\', n) == NULL) {
		*ret_n = n - 2;
		return ctx_strndup(c, json + 1, n - 2);
	}
	o = json_keep(c, json_parse(json, n));
	if (!json_object_is_type(o, json_type_string))
		return NULL;
	*ret_n = (size_t)json_object_get_string_len(o);
	return json_object_get_string(o);
}

struct json_object *
js_get(const struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		(void)json_object_object_get_ex(o, key, &v);    /* a miss leaves NULL */
	return v;
}

const char *
js_str_or(const struct json_object *o, const char *key, const char *dflt)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : dflt;
}

const char *
js_str(const struct json_object *o, const char *key)
{
	return js_str_or(o, key, NULL);
}

const char *
js_item(const struct json_object *array, size_t i)
{
	struct json_object *v = json_object_array_get_idx(array, i);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

int64_t
js_i64(const struct json_object *o, const char *key, int64_t dflt)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : dflt;
}

double
js_f64(const struct json_object *o, const char *key, double dflt)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double)
	    ? json_object_get_double(v) : dflt;
}

bool
js_bool(const struct json_object *o, const char *key, bool dflt)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v) : dflt;
}

struct json_object *
js_obj(const struct json_object *o, const char *key)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_object) ? v : NULL;
}

struct json_object *
js_arr(const struct json_object *o, const char *key)
{
	struct json_object *v = js_get(o, key);

	return json_object_is_type(v, json_type_array) ? v : NULL;
}

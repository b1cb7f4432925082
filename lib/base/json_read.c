/*
 * Reading JSON: the gate, then json-c; and lookups that miss softly.
 *
 * Repeated keys are compared as they are written: "a" and "\u0061" pass as two
 * names, of which json-c keeps the last.
 */
#include <errno.h>
#include <pthread.h>
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

/* --- tokeners: four kilobytes each, so a few are shared among all threads ---------------- */

enum { TOKENERS_KEPT = 8 };

static struct {
	pthread_mutex_t mu;
	struct json_tokener *all[TOKENERS_KEPT];
	unsigned n;
} tokeners = { .mu = PTHREAD_MUTEX_INITIALIZER };

static struct json_tokener *
tokener_take(void)
{
	struct json_tokener *t = NULL;

	pthread_mutex_lock(&tokeners.mu);
	if (tokeners.n > 0)
		t = tokeners.all[--tokeners.n];
	pthread_mutex_unlock(&tokeners.mu);
	if (t == NULL)
		return json_tokener_new_ex(JSON_DEPTH_MAX + 100);
	json_tokener_reset(t);
	return t;
}

static void
tokener_give(struct json_tokener *t)
{
	pthread_mutex_lock(&tokeners.mu);
	if (tokeners.n < TOKENERS_KEPT) {
		tokeners.all[tokeners.n++] = t;
		t = NULL;
	}
	pthread_mutex_unlock(&tokeners.mu);
	if (t != NULL)
		json_tokener_free(t);
}

/*
 * Where memory ends the parser just stops, with what it has and without an error: so it is looked at whether it
 * came to the end of the text, which is known to be JSON.
 */
static struct json_object *
parse(const char *text, size_t n, bool *good)
{
	static const char blank[] = " \t\r\n";
	struct json_tokener *t = n > INT32_MAX ? NULL : tokener_take();
	struct json_object *o;
	size_t at = 0;

	*good = false;
	if (t == NULL)
		return NULL;
	while (n > 0 && strchr(blank, text[n - 1]) != NULL)
		n--;
	while (at < n && strchr(blank, text[at]) != NULL)
		at++;
	o = json_tokener_parse_ex(t, text, (int)n);
	*good = json_tokener_get_error(t) == json_tokener_success && json_tokener_get_parse_end(t) >= n;
	if (json_tokener_get_error(t) == json_tokener_continue) {
		o = json_tokener_parse_ex(t, " ", 1);   /* a bare number ends here */
		*good = json_tokener_get_error(t) == json_tokener_success;
	}
	if (o == NULL && at < n && text[at] != 'n')
		*good = false;
	if (!*good && o != NULL) {
		json_object_put(o);
		o = NULL;
	}
	tokener_give(t);
	return o;
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
	bool good;

	if (json_check(text, n, JSON_DEPTH_MAX, &f) != ERR_OK) {
		if (f.too_deep)
			return fail(c, ERR_VALIDATION, "JSON nesting depth exceeds maximum of %d",
			    JSON_DEPTH_MAX);
		return fail(c, ERR_BAD_REQUEST, "Malformed JSON: %s at byte %zu", f.why, f.at);
	}
	if (f.wide && (text = widened(c, text, &n)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	o = parse(text, n, &good);
	if (!good)
		return fail(c, ERR_NOMEM, "out of memory");
	if (o != NULL && json_keep(c, o) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	*ret = o;
	return ERR_OK;
}

struct json_object *
json_stored(struct ctx *c, const char *text)
{
	bool good;

	if (text == NULL)
		return NULL;
	return json_keep(c, parse(text, strlen(text), &good));
}

const char *
json_text(struct ctx *c, const char *json, size_t n, size_t *ret_n)
{
	struct json_object *o;
	bool good;

	*ret_n = 0;
	if (n < 2 || json[0] != '"' || json[n - 1] != '"')
		return NULL;
	if (memchr(json, '\\', n) == NULL) {
		*ret_n = n - 2;
		return ctx_strndup(c, json + 1, n - 2);
	}
	o = json_keep(c, parse(json, n, &good));
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

/*
 * Reading JSON: the gate, then json-c; and lookups that miss softly.
 *
 * Repeated keys are compared as they are written: "a" and "\u0061" pass as two
 * names, of which json-c keeps the last.
 */
#include <pthread.h>
#include <string.h>

#include "lib/base/arena.h"
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

/* A tokener is four kilobytes: each thread keeps one. */
static pthread_key_t tokeners;

static void
free_tokener(void *t)
{
	json_tokener_free(t);
}

static void
make_key(void)
{
	(void)pthread_key_create(&tokeners, free_tokener);
}

static struct json_tokener *
tokener(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_tokener *t;

	pthread_once(&once, make_key);
	t = pthread_getspecific(tokeners);
	if (t != NULL) {
		json_tokener_reset(t);
		return t;
	}
	t = json_tokener_new_ex(JSON_DEPTH_MAX + 100);
	if (t != NULL && pthread_setspecific(tokeners, t) != 0) {
		json_tokener_free(t);
		return NULL;
	}
	return t;
}

static struct json_object *
parse(const char *text, size_t n, bool *good)
{
	struct json_tokener *t = n > INT32_MAX ? NULL : tokener();
	struct json_object *o;

	*good = false;
	if (t == NULL)
		return NULL;
	o = json_tokener_parse_ex(t, text, (int)n);
	if (json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, " ", 1);   /* a bare number ends here */
	*good = json_tokener_get_error(t) == json_tokener_success;
	if (!*good && o != NULL) {
		json_object_put(o);
		o = NULL;
	}
	return o;
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

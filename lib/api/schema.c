/*
 * From JSON or a query string into a request's struct, by its table of fields.
 *
 * Every refusal names the member, so that the caller can mend the request
 * without reading the manual.
 */
#include "lib/api/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/util.h"

#define AT(base, off, type) ((type *)(void *)((char *)(base) + (off)))

enum { STRING_MAX = 65536, QUERY_MAX = 64 };

static void
mark_sent(void *out, const struct field *f)
{
	if (f->has_off != 0)
		*AT(out, f->has_off, bool) = true;
}

static void
defaults(void *out, const struct field *f)
{
	switch (f->type) {
	case FT_STRING:
		*AT(out, f->off, const char *) = f->dflt_s;
		break;
	case FT_INT:
		*AT(out, f->off, int64_t) = f->dflt;
		break;
	case FT_NUMBER:
		*AT(out, f->off, double) = (double)f->dflt;
		break;
	case FT_BOOL:
		*AT(out, f->off, bool) = f->dflt != 0;
		break;
	default:
		break;
	}
}

static enum err
wrong(struct ctx *c, const struct field *f, const char *what)
{
	return fail(c, ERR_INVALID, "%s: %s is expected", f->name, what);
}

static const char *
list_values(struct ctx *c, const char *const *values)
{
	const char *all = values[0];

	for (size_t i = 1; all != NULL && values[i] != NULL; i++)
		all = ctx_printf(c, "%s, %s", all, values[i]);
	return all != NULL ? all : "";
}

static enum err
check_text(struct ctx *c, const struct field *f, const char *s, size_t n)
{
	size_t max = f->max > 0 ? (size_t)f->max : STRING_MAX;

	if (memchr(s, '\0', n) != NULL)
		return fail(c, ERR_INVALID, "%s: a NUL character is not allowed", f->name);
	if (n > max)
		return fail(c, ERR_INVALID, "%s: at most %zu bytes are allowed", f->name, max);
	if ((int64_t)n < f->min)
		return fail(c, ERR_INVALID, "%s: at least %" PRId64 " bytes are expected", f->name, f->min);
	if (f->values == NULL)
		return ERR_OK;
	for (size_t i = 0; f->values[i] != NULL; i++)
		if ((f->fold ? strcasecmp : strcmp)(f->values[i], s) == 0)
			return ERR_OK;
	return fail(c, ERR_INVALID, "%s: one of %s is expected", f->name, list_values(c, f->values));
}

static enum err
take_text(struct ctx *c, const struct field *f, const char *s, size_t n, void *out)
{
	enum err e = check_text(c, f, s, n);

	if (e == ERR_OK)
		*AT(out, f->off, const char *) = s;
	return e;
}

static enum err
take_uuid(struct ctx *c, const struct field *f, const char *s, void *out)
{
	char id[37];

	if (!uuid_parse(s, id))
		return wrong(c, f, "a UUID");
	*AT(out, f->off, const char *) = ctx_strdup(c, id);
	return ERR_OK;
}

static enum err
take_int(struct ctx *c, const struct field *f, int64_t v, void *out)
{
	if ((f->min != 0 || f->max != 0) && (v < f->min || (f->max != 0 && v > f->max)))
		return f->max != 0
		    ? fail(c, ERR_INVALID, "%s: a number from %" PRId64 " to %" PRId64 " is expected",
		          f->name, f->min, f->max)
		    : fail(c, ERR_INVALID, "%s: a number of at least %" PRId64 " is expected", f->name, f->min);
	*AT(out, f->off, int64_t) = v;
	return ERR_OK;
}

static enum err
take_number(struct ctx *c, const struct field *f, double v, void *out)
{
	if (!isfinite(v))
		return wrong(c, f, "a number that a computer can hold");
	if ((f->min != 0 || f->max != 0) && (v < (double)f->min || v > (double)f->max))
		return fail(c, ERR_INVALID, "%s: a number from %" PRId64 " to %" PRId64 " is expected",
		    f->name, f->min, f->max);
	*AT(out, f->off, double) = v;
	return ERR_OK;
}

/* An integer that 64 bits do not hold: json_read() made a double of it. */
static enum err
too_wide(struct ctx *c, const struct field *f, double v, void *out)
{
	return f->min != 0 || f->max != 0 ? take_int(c, f, v < 0 ? INT64_MIN : INT64_MAX, out)
	    : wrong(c, f, "a whole number of 64 bits");
}

static bool
is_kind(struct json_object *v, enum ftype t)
{
	enum json_type k = json_object_get_type(v);

	switch (t) {
	case FT_STRING: case FT_UUID: case FT_TIME: return k == json_type_string;
	case FT_INT: return k == json_type_int;
	case FT_NUMBER: return k == json_type_int || k == json_type_double;
	case FT_BOOL: return k == json_type_boolean;
	case FT_OBJECT: case FT_MAP: return k == json_type_object;
	case FT_ARRAY: return k == json_type_array;
	case FT_STRING_OR_ARRAY: return k == json_type_string || k == json_type_array;
	case FT_ANY: return true;
	}
	return false;
}

static const char *
kind_word(enum ftype t)
{
	switch (t) {
	case FT_STRING: case FT_UUID: case FT_TIME: return "a string";
	case FT_INT: return "a whole number";
	case FT_NUMBER: return "a number";
	case FT_BOOL: return "true or false";
	case FT_OBJECT: case FT_MAP: return "an object";
	case FT_ARRAY: return "an array";
	case FT_STRING_OR_ARRAY: return "a string or an array";
	default: return "a value";
	}
}

/* One value of an array or a map. The sentence begins without its name. */
static enum err
check_item(struct ctx *c, const struct field *f, struct json_object *v)
{
	void *unused;

	if (f->of != NULL)
		return schema_decode(c, f->of, v, &unused);
	if (!is_kind(v, f->item))
		return fail(c, ERR_INVALID, "%s is expected", kind_word(f->item));
	return ERR_OK;
}

static enum err
take_array(struct ctx *c, const struct field *f, struct json_object *v, void *out)
{
	size_t n = json_object_array_length(v);

	if ((int64_t)n < f->min)
		return fail(c, ERR_INVALID, "%s: at least %" PRId64 " elements are expected", f->name, f->min);
	if (f->max > 0 && n > (size_t)f->max)
		return fail(c, ERR_INVALID, "%s: at most %" PRId64 " elements are allowed", f->name, f->max);
	for (size_t i = 0; i < n; i++) {
		enum err e = check_item(c, f, json_object_array_get_idx(v, i));

		if (e != ERR_OK)
			return fail(c, e, "%s[%zu]: %s", f->name, i, c->fault.msg);
	}
	*AT(out, f->off, struct json_object *) = v;
	return ERR_OK;
}

static enum err
take_map(struct ctx *c, const struct field *f, struct json_object *v, void *out)
{
	json_object_object_foreach(v, key, val) {
		enum err e = check_item(c, f, val);

		if (e != ERR_OK)
			return fail(c, e, "%s.%.*s: %s", f->name, (int)utf8_cut(key, strlen(key), 64), key,
			    c->fault.msg);
	}
	*AT(out, f->off, struct json_object *) = v;
	return ERR_OK;
}

static enum err
take_nested(struct ctx *c, const struct field *f, struct json_object *v, void *out)
{
	void *in;
	enum err e = schema_decode(c, f->of, v, &in);

	if (e != ERR_OK)
		return fail(c, e, "%s.%s", f->name, c->fault.msg);
	*AT(out, f->off, void *) = in;
	return ERR_OK;
}

static enum err
take(struct ctx *c, const struct field *f, struct json_object *v, void *out)
{
	if (f->type == FT_INT && json_object_is_type(v, json_type_double) && fabs(json_object_get_double(v)) >= 0x1p63)
		return too_wide(c, f, json_object_get_double(v), out);
	if (!is_kind(v, f->type))
		return wrong(c, f, kind_word(f->type));
	switch (f->type) {
	case FT_STRING: case FT_TIME:
		return take_text(c, f, json_object_get_string(v), (size_t)json_object_get_string_len(v), out);
	case FT_UUID:
		return take_uuid(c, f, json_object_get_string(v), out);
	case FT_INT:
		return take_int(c, f, json_object_get_int64(v), out);
	case FT_NUMBER:
		return take_number(c, f, json_object_get_double(v), out);
	case FT_BOOL:
		*AT(out, f->off, bool) = json_object_get_boolean(v);
		return ERR_OK;
	case FT_ARRAY:
		return take_array(c, f, v, out);
	case FT_MAP:
		return take_map(c, f, v, out);
	case FT_OBJECT:
		return take_nested(c, f, v, out);
	default:
		*AT(out, f->off, struct json_object *) = v;
		return ERR_OK;
	}
}

static enum err
unknown_members(struct ctx *c, const struct schema *s, struct json_object *obj)
{
	json_object_object_foreach(obj, key, val) {
		const struct field *f;

		(void)val;
		for (f = s->fields; f != NULL && f->name != NULL; f++)
			if (strcmp(f->name, key) == 0)
				break;
		if (f == NULL || f->name == NULL)
			return fail(c, ERR_INVALID, "unknown member '%s'", ctx_strndup(c, key,
			    utf8_cut(key, strlen(key), 64)));
	}
	return ERR_OK;
}

enum err
schema_decode(struct ctx *c, const struct schema *s, struct json_object *obj, void **ret)
{
	void *out = ctx_alloc(c, s->bytes > 0 ? s->bytes : 1);
	enum err e;

	if (out == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!json_object_is_type(obj, json_type_object))
		return fail(c, ERR_INVALID, "a JSON object is expected");
	if ((s->flags & SF_STRICT) != 0 && (e = unknown_members(c, s, obj)) != ERR_OK)
		return e;
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++) {
		struct json_object *v = NULL;
		bool there = json_object_object_get_ex(obj, f->name, &v);

		defaults(out, f);
		if (there && v == NULL && (f->flags & FF_NULLABLE) != 0)
			there = false;
		if (!there && (f->flags & FF_REQUIRED) != 0)
			return fail(c, ERR_INVALID, "%s is missing", f->name);
		if (!there)
			continue;
		if ((e = take(c, f, v, out)) != ERR_OK)
			return e;
		mark_sent(out, f);
	}
	*ret = out;
	return ERR_OK;
}

/* --- queries -------------------------------------------------------------- */

static enum err
take_param(struct ctx *c, const struct field *f, const char *s, size_t n, void *out)
{
	char *end;

	switch (f->type) {
	case FT_STRING:
		return take_text(c, f, s, n, out);
	case FT_UUID:
		return take_uuid(c, f, s, out);
	case FT_BOOL:
		if (strcmp(s, "true") == 0 || strcmp(s, "True") == 0)         /* True: as Python writes it */
			*AT(out, f->off, bool) = true;
		else if (strcmp(s, "false") == 0 || strcmp(s, "False") == 0)
			*AT(out, f->off, bool) = false;
		else
			return wrong(c, f, "true or false");
		return ERR_OK;
	case FT_INT:
		errno = 0;
		if ((s[0] < '0' || s[0] > '9') && (s[0] != '-' || s[1] < '0' || s[1] > '9'))
			return wrong(c, f, "a whole number");
		*AT(out, f->off, int64_t) = strtoll(s, &end, 10);
		if (*end != '\0' || (size_t)(end - s) != n)
			return wrong(c, f, "a whole number");
		if (errno == ERANGE && s[0] == '-')
			return wrong(c, f, "a number that is not below zero");
		if (f->min >= 0 && s[0] == '-')
			return wrong(c, f, "a number that is not below zero");
		return ERR_OK;
	default:
		return wrong(c, f, "another type");
	}
}

static enum err
one_param(struct ctx *c, const struct schema *s, char *name, size_t nn, char *val, size_t vn, void *out,
    uint64_t *seen)
{
	if (!pct_decode(name, &nn, true) || !pct_decode(val, &vn, true) ||
	    !utf8_ok(name, nn) || !utf8_ok(val, vn) ||
	    memchr(name, '\0', nn) != NULL || memchr(val, '\0', vn) != NULL)
		return fail(c, ERR_BAD_REQUEST, "the query string is not well-formed");
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		mark_sent(out, f);
		if (f - s->fields < QUERY_MAX)
			*seen |= UINT64_C(1) << (f - s->fields);
		return take_param(c, f, val, vn, out);
	}
	return ERR_OK;
}

enum err
query_decode(struct ctx *c, const struct schema *s, const char *raw, void **ret)
{
	void *out = ctx_alloc(c, s->bytes > 0 ? s->bytes : 1);
	char *q = ctx_strdup(c, raw != NULL ? raw : "");
	enum err e = ERR_OK;
	uint64_t seen = 0;

	if (out == NULL || q == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++)
		defaults(out, f);
	for (char *p = q; *p != '\0' && e == ERR_OK;) {
		size_t n = strcspn(p, "&"), eq;
		bool more = p[n] == '&';

		p[n] = '\0';
		eq = strcspn(p, "=");
		if (eq < n) {
			p[eq] = '\0';
			e = one_param(c, s, p, eq, p + eq + 1, n - eq - 1, out, &seen);
		} else if (n > 0) {
			e = one_param(c, s, p, n, p + n, 0, out, &seen);
		}
		p += n + (more ? 1 : 0);
	}
	if (e != ERR_OK) {
		c->fault.err = ERR_BAD_REQUEST;
		return ERR_BAD_REQUEST;
	}
	for (const struct field *f = s->fields; f != NULL && f->name != NULL; f++)
		if ((f->flags & FF_REQUIRED) != 0 && f - s->fields < QUERY_MAX &&
		    (seen & UINT64_C(1) << (f - s->fields)) == 0)
			return fail(c, ERR_BAD_REQUEST, "the query parameter %s is missing", f->name);
	*ret = out;
	return ERR_OK;
}

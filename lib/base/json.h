/*
 * JSON in and out.
 *
 * In: json_check() is the gate for bytes from outside (RFC 8259, UTF-8
 * strictly, bounded depth, no duplicate keys, no NUL in keys); only text that passed it
 * reaches json-c. Out: struct jw writes straight into a buffer.
 */
#ifndef LF_JSON_H
#define LF_JSON_H
#include <json-c/json.h>
#include "lib/base/base.h"
#include "lib/base/buf.h"

enum { JSON_DEPTH_MAX = 32 };

/*
 * json-c leaves out what it has no memory for, and null takes its place. So making a thing, and putting one into another,
 * notes it in memory_short (base.h).
 */
static inline struct json_object *
json_made(struct json_object *o)
{
	if (o == NULL)
		memory_short = true;
	return o;
}

static inline int
json_joined(int rc)
{
	if (rc != 0)
		memory_short = true;
	return rc;
}

/* Into nothing: v goes with it. */
int json_member_add(struct json_object *, const char *key, struct json_object *v);

static inline int
json_element_add(struct json_object *o, struct json_object *v)
{
	if (o != NULL)
		return json_joined(json_object_array_add(o, v));
	json_object_put(v);
	return json_joined(-1);
}

/* What has no length for want of memory has none, and no members: json-c ends the process. */
static inline size_t
json_length(const struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

static inline int
json_members(const struct json_object *o)
{
	return json_object_is_type(o, json_type_object) ? json_object_object_length(o) : 0;
}

static inline struct json_object *
json_element(const struct json_object *o, size_t i)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_get_idx(o, i) : NULL;
}

static inline struct lh_entry *
json_first(const struct json_object *o)
{
	struct lh_table *t = json_object_get_object(o);

	return t != NULL ? lh_table_head(t) : NULL;
}

/* All that it holds is copied too. *ret is NULL before; without memory it stays so, and -1 is returned. */
int json_copied(struct json_object *, struct json_object **ret);

#define json_object_array_length(o) json_length(o)
#define json_object_array_get_idx(o, i) json_element(o, i)
#define json_object_object_length(o) json_members(o)
#undef json_object_object_foreach
#define json_object_object_foreach(o, key, val) \
	char *key = NULL; \
	struct json_object *val __attribute__((unused)) = NULL; \
	for (struct lh_entry *at_##key = json_first(o), *next_##key = NULL; \
	    at_##key != NULL && (key = (char *)lh_entry_k(at_##key), val = (struct json_object *)lh_entry_v(at_##key), \
	    next_##key = lh_entry_next(at_##key), true); \
	    at_##key = next_##key)

#define json_object_new_object() json_made(json_object_new_object())
#define json_object_new_array() json_made(json_object_new_array())
#define json_object_new_string(s) json_made(json_object_new_string(s))
#define json_object_new_string_len(s, n) json_made(json_object_new_string_len(s, n))
#define json_object_new_boolean(b) json_made(json_object_new_boolean(b))
#define json_object_new_int(n) json_made(json_object_new_int(n))
#define json_object_new_int64(n) json_made(json_object_new_int64(n))
#define json_object_new_uint64(n) json_made(json_object_new_uint64(n))
#define json_object_new_double(n) json_made(json_object_new_double(n))
#define json_object_object_add(o, key, v) json_member_add(o, key, v)
#define json_object_array_add(o, v) json_element_add(o, v)
#define json_object_deep_copy(from, to, fn) json_copied(from, to)
#define json_object_to_json_string_ext(o, how) json_written(o, how)

/* Is all that the text says in what was made of it, or the other way? false: memory_short is set. */
bool json_whole(struct json_object *, const char *text, size_t n);
/* The text of an object, which keeps it; never NULL: where memory ends it is "null", and noted. */
const char *json_written(struct json_object *, int how);

struct json_fault {
	const char *why;        /* static text */
	size_t at;              /* byte offset */
	bool too_deep;
	bool wide;              /* of good text too: it has an integer of 19 digits or more */
};

/* ERR_OK, or ERR_BAD_REQUEST with *f filled (f may be NULL). A number too large for a double is none. Allocates nothing for ordinary texts. */
enum err json_check(const char *text, size_t n, unsigned max_depth, struct json_fault *f) MUST_CHECK;
/* Is this valid UTF-8 (RFC 3629: no overlong forms, no surrogates)? */
bool utf8_ok(const char *, size_t n);
/* Length (<= n) of the longest prefix of s that has at most max bytes and ends at a character. */
size_t utf8_cut(const char *s, size_t n, size_t max);
/* Length of the longest start with at most max characters. */
size_t utf8_first(const char *s, size_t n, size_t max);

/*
 * Check and parse; the object lives as long as c's arena. Errors:
 * BAD_REQUEST "Malformed JSON: ..." or VALIDATION "JSON nesting depth exceeds maximum of 32".
 */
enum err json_read(struct ctx *, const char *text, size_t n, struct json_object **ret) MUST_CHECK;
/* The same of what need not be JSON: NULL then, and no fault; where memory ends NULL too, and memory_short is set. */
struct json_object *json_try(struct ctx *, const char *text, size_t n);
/*
 * What text holds, for text that the gate let through, or that we wrote; safe with any bytes. *ret is the caller's to put, NULL for
 * null. ret_used: more may follow the value, which ends there; NULL: nothing may. false: no JSON, or memory_short.
 */
bool json_build(const char *text, size_t n, struct json_object **ret, size_t *ret_used) MUST_CHECK;
/* For text that is known to be JSON: parse only; the caller puts it. NULL if it is broken, or null, or memory_short. */
struct json_object *json_parse(const char *text, size_t n);
/* For text that we wrote ourselves (from the store): parse only; NULL if it is broken. */
struct json_object *json_stored(struct ctx *, const char *text);
/*
 * The same for a text that is read often: many threads share one document. It is only
 * for reading: no json_object_get() of its parts, no change; a copy is yours.
 */
struct json_object *json_shared(struct ctx *, const char *text);
void json_shared_forget(void);                  /* when it has been quiet, and before an orderly end: what is lent lives on */
/* The text of a JSON string that we wrote ourselves, quotes included, in c's arena; NULL: no string, or no memory. */
const char *json_text(struct ctx *, const char *json, size_t n, size_t *ret_n);
/* Keep a new json-c object until c's arena ends. */
struct json_object *json_keep(struct ctx *, struct json_object *);

struct json_member { const char *name, *value; size_t name_n, value_n; };      /* the name with its quotes */
/* The members of the object that checked JSON text holds, one after the other; *at is 0 before the first. */
bool json_next_member(const char *text, size_t n, size_t *at, struct json_member *ret);
/*
 * The text of a member of the object that checked JSON text holds, without
 * the blanks around it, so that numbers stay as they were written. false: text is no object, or has no such member.
 */
bool json_member_span(const char *text, size_t n, const char *name, const char **ret, size_t *ret_n);
/* Checked JSON text without blanks between its tokens; out has room for n bytes and may be text. Returns the new length. */
size_t json_compact(const char *text, size_t n, char *out);

/* Lookups that miss softly: NULL/default if absent or of another type. */
struct json_object *js_get(const struct json_object *, const char *key);
const char *js_str(const struct json_object *, const char *key);      /* NULL */
const char *js_str_or(const struct json_object *, const char *key, const char *dflt);
const char *js_item(const struct json_object *array, size_t i);         /* that text of it; "": another thing */
int64_t js_i64(const struct json_object *, const char *key, int64_t dflt);
double js_f64(const struct json_object *, const char *key, double dflt);
bool js_bool(const struct json_object *, const char *key, bool dflt);
struct json_object *js_obj(const struct json_object *, const char *key);  /* NULL unless object */
struct json_object *js_arr(const struct json_object *, const char *key);  /* NULL unless array */

/* The writer. key is NULL inside arrays and at the top. */
struct jw {
	struct buf *b;
	unsigned depth;
	bool comma;
	char close[64];
};

#define JW_INIT(buf) { .b = (buf) }
void jw_object(struct jw *, const char *key);
void jw_array(struct jw *, const char *key);
void jw_end(struct jw *);                                  /* the innermost open one */
void jw_str(struct jw *, const char *key, const char *);   /* NULL writes null */
void jw_strn(struct jw *, const char *key, const char *, size_t);
void jw_i64(struct jw *, const char *key, int64_t);
void jw_f64(struct jw *, const char *key, double);         /* shortest form that reads back the same; not finite: null */
void jw_usd(struct jw *, const char *key, int64_t nanousd); /* dollars, exact */
void jw_bool(struct jw *, const char *key, bool);
void jw_null(struct jw *, const char *key);
void jw_raw(struct jw *, const char *key, const char *json, size_t n); /* already JSON */
void jw_again(struct jw *, const char *key, size_t from);  /* what stands in b from there to its end, a value, once more */
void jw_json(struct jw *, const char *key, struct json_object *);      /* NULL writes null; doubles by our rule */
void jw_time(struct jw *, const char *key, int64_t ms);    /* RFC 3339 UTC with milliseconds; 0 writes null */
/* Quote into b, with the quotes. */
void json_quote(struct buf *b, const char *s, size_t n);
#endif

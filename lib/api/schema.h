/*
 * Shapes of JSON: what a query or body must look like, and what a reply looks
 * like. One table serves decoding, refusal and the OpenAPI document.
 *
 * A request schema names the struct it fills (offsets); a reply schema has
 * none. Decoded strings are NUL-terminated, valid UTF-8 and live in c's arena.
 */
#ifndef LF_SCHEMA_H
#define LF_SCHEMA_H
#include "lib/base/base.h"
#include "lib/base/json.h"

enum ftype {
	FT_STRING,      /* const char *; min/max in bytes */
	FT_UUID,        /* const char *, canonical lower case */
	FT_TIME,        /* RFC 3339 text (replies) */
	FT_INT,         /* int64_t; min/max values */
	FT_NUMBER,      /* double; fmin/fmax via min/max (whole numbers) */
	FT_BOOL,        /* bool */
	FT_OBJECT,      /* of: its schema; requests: pointer to the decoded struct */
	FT_MAP,         /* object with free keys; of or item describe the values; requests: struct json_object * */
	FT_ARRAY,       /* of (objects) or item (scalars); requests: struct json_object *, checked; min/max items */
	FT_ANY,         /* any JSON; struct json_object * (NULL for null or absent) */
	FT_STRING_OR_ARRAY, /* string or array: OpenAI content; struct json_object * */
};

enum fflags {
	FF_REQUIRED = 1,
	FF_NULLABLE = 2,   /* JSON null counts as absent (requests) or may stand (replies) */
	FF_SECRET = 4,     /* writeOnly in OpenAPI */
};

struct schema;

struct field {
	const char *name;
	enum ftype type;
	unsigned flags;
	int64_t min, max;               /* 0,0: no bound. FT_STRING: max 0 means 65536 */
	int64_t dflt;                   /* FT_INT, FT_NUMBER, FT_BOOL when absent */
	const char *dflt_s;             /* FT_STRING when absent */
	const char *const *values;      /* enumeration, NULL-ended */
	bool fold;                      /* enumeration: letter case does not matter */
	const struct schema *of;
	enum ftype item;
	size_t off;                     /* where the value goes */
	size_t has_off;                 /* where a bool "was sent" goes, 0: nowhere (so never first in a struct) */
	const char *doc;
};

enum sflags {
	SF_STRICT = 1,      /* an unknown member is refused */
	SF_ARRAY = 2,       /* reply: a bare array of this */
	SF_OPEN = 4,        /* reply: further members may come */
	SF_ANY = 8,         /* any JSON value: no fields */
	SF_TEXT = 16,       /* reply is not JSON: media names its type */
	SF_STREAM = 32,     /* reply is an event stream (or may be: with fields, JSON too) */
	SF_EMPTY = 64,      /* 204, no body */
	SF_RAW = 128,       /* request: checked but not parsed; the handler reads the bytes */
};

struct schema {
	const char *name;               /* component name in OpenAPI, CamelCase */
	const struct field *fields;     /* ends with name == NULL; may be NULL */
	unsigned flags;
	size_t bytes;                   /* of the struct, requests only */
	int status;                     /* reply: success status, 0 = 200 */
	const char *media;              /* SF_TEXT */
};

#define F_END { .name = NULL }
/* Request fields: F_STR(struct x, member, .flags = FF_REQUIRED, .max = 64) */
#define F_STR(s, m, ...)  { .name = #m, .type = FT_STRING, .off = offsetof(s, m), __VA_ARGS__ }
#define F_ID(s, m, ...)   { .name = #m, .type = FT_UUID,   .off = offsetof(s, m), __VA_ARGS__ }
#define F_I64(s, m, ...)  { .name = #m, .type = FT_INT,    .off = offsetof(s, m), __VA_ARGS__ }
#define F_NUM(s, m, ...)  { .name = #m, .type = FT_NUMBER, .off = offsetof(s, m), __VA_ARGS__ }
#define F_BOOL(s, m, ...) { .name = #m, .type = FT_BOOL,   .off = offsetof(s, m), __VA_ARGS__ }
#define F_OBJ(s, m, o, ...) { .name = #m, .type = FT_OBJECT, .of = (o), .off = offsetof(s, m), __VA_ARGS__ }
#define F_ARR(s, m, ...)  { .name = #m, .type = FT_ARRAY,  .off = offsetof(s, m), __VA_ARGS__ }
#define F_ANY(s, m, ...)  { .name = #m, .type = FT_ANY,    .off = offsetof(s, m), __VA_ARGS__ }
/* Reply fields: R_(STRING, "name"), R_(ARRAY, "items", .of = &agent_item) */
#define R_(t, n, ...) { .name = n, .type = FT_##t, .flags = FF_REQUIRED, __VA_ARGS__ }
#define R_OPT(t, n, ...) { .name = n, .type = FT_##t, __VA_ARGS__ }
#define R_NULL(t, n, ...) { .name = n, .type = FT_##t, .flags = FF_REQUIRED | FF_NULLABLE, __VA_ARGS__ }

/*
 * Decode obj by the schema into a new struct of schema->bytes.
 * Errors: INVALID, the sentence names the member: "model: a string is expected".
 */
enum err schema_decode(struct ctx *, const struct schema *, struct json_object *obj, void **ret) MUST_CHECK;
/* The same for a query string (raw, after '?'). Unknown parameters are ignored. Errors: BAD_REQUEST. */
enum err query_decode(struct ctx *, const struct schema *, const char *raw, void **ret) MUST_CHECK;
#endif

/*
 * TOML 1.0 in, through toml++; the only C++ behind it. Never linked into
 * the pool. Writing is editing text in place, so that comments survive.
 */
#ifndef LF_TOML_H
#define LF_TOML_H
#include <json-c/json.h>
#include "lib/base/base.h"
#include "lib/base/buf.h"
#ifdef __cplusplus
extern "C" {
#endif

struct toml_fault { char why[256]; int line, column; };

/*
 * Parse to JSON objects: tables, arrays, strings, integers (int64), floats (double), booleans; dates
 * and times become their text. *ret is owned by the caller (json_object_put). BAD_REQUEST with *f.
 * lines: when not NULL, receives a JSON object "dotted.path" → line number
 * (arrays: "path[0].key"; keys that are not bare stand in quotes), owned by the caller.
 * Limits: 1 MiB, 24 levels, 16 parts in a key, 1,024 bytes in a path; nan and inf are refused.
 */
enum err toml_parse(const char *text, size_t n, struct json_object **ret,
    struct json_object **lines, struct toml_fault *f) MUST_CHECK;

/*
 * Set a.b.c to a TOML literal in the text: replaces the value at its place,
 * or adds the key to its table, or a new table at the end. The result is
 * parsed again before it is returned. INVALID, BAD_REQUEST with *f.
 */
enum err toml_set(const char *text, size_t n, const char *dotted, const char *literal,
    struct buf *out, struct toml_fault *f) MUST_CHECK;
/* Remove a key's line. NOT_FOUND. */
enum err toml_unset(const char *text, size_t n, const char *dotted, struct buf *out, struct toml_fault *f) MUST_CHECK;
/*
 * One of several edits: as toml_set() and toml_unset(), of a text that toml_parse() took or that one of these made. What comes
 * out is not parsed: whoever has made the last edit does that, and looks whether all is in it. INVALID, NOT_FOUND, TOO_LARGE.
 */
enum err toml_put(const char *text, size_t n, const char *dotted, const char *literal, struct buf *out, struct toml_fault *f) MUST_CHECK;
enum err toml_cut(const char *text, size_t n, const char *dotted, struct buf *out, struct toml_fault *f) MUST_CHECK;
/* One more table for the array of tables of that name, which may be new: with these members, each a bare key and a TOML literal. */
struct toml_member { const char *key, *literal; };
enum err toml_append(const char *text, size_t n, const char *name, const struct toml_member *, size_t n_members,
    struct buf *out, struct toml_fault *f) MUST_CHECK;
/*
 * Where the headers [[name]] stand, into at[cap]; how many there are. Each is a text of its own up to the next one, with that table as
 * its first element, for the edits above. 0: also where the array is written in brackets.
 */
size_t toml_tables(const char *text, size_t n, const char *name, size_t *at, size_t cap);
/* A literal alone: it must be one value. *ret is the caller's. INVALID. */
enum err toml_value(const char *literal, struct json_object **ret, struct toml_fault *f) MUST_CHECK;
/* Quote a string as a TOML basic string. */
void toml_quote(struct buf *out, const char *s);
/* The value at a.b[0]."c.d" in a parsed document, borrowed; NULL: none, or no path. */
struct json_object *toml_at(struct json_object *, const char *dotted);
#ifdef __cplusplus
}
#endif
#endif

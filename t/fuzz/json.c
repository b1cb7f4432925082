/*
 * Fuzz: JSON from outside. What the gate lets through must parse, be
 * written, pass the gate again and come out the same a second time.
 * sources: lib/base/*.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void
write_json(struct buf *out, struct json_object *o)
{
	struct jw w = JW_INIT(out);

	jw_json(&w, NULL, o);
	MUST(!out->failed && w.depth == 0);
}

static void
round_trip(struct ctx *c, struct json_object *o)
{
	struct buf once = BUF_INIT(64 << 20), twice = BUF_INIT(64 << 20);
	struct json_object *again = NULL;

	write_json(&once, o);
	MUST(json_read(c, once.p, once.len, &again) == ERR_OK);
	write_json(&twice, again);
	MUST(once.len == twice.len && memcmp(once.p, twice.p, once.len) == 0);
	buf_done(&once);
	buf_done(&twice);
}

static void
spans(struct ctx *c, const char *s, size_t n, struct json_object *o)
{
	char *small = ctx_alloc(c, n + 1);
	struct json_object *v = NULL, *part = NULL;
	const char *p;
	size_t k;
	bool there = json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, "value", &v);

	MUST(json_member_span(s, n, "value", &p, &k) == there);
	if (there)
		MUST(json_read(c, p, k, &part) == ERR_OK && json_object_equal(part, v));
	k = json_compact(s, n, small);
	MUST(k <= n && json_read(c, small, k, &part) == ERR_OK && json_object_equal(part, o));
}

/* Nineteen digits in a row: perhaps a number beyond 64 bits, of which json-c makes the largest. */
static bool
has_wide(const char *s, size_t n)
{
	for (size_t i = 0, digits = 0; i < n; i++)
		if ((digits = s[i] >= '0' && s[i] <= '9' ? digits + 1 : 0) >= 19)
			return true;
	return false;
}

/* json-c's own parser makes the same of it. */
static void
as_json_c(const char *s, size_t n, struct json_object *o)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	struct json_object *want = json_tokener_parse_ex(t, s, (int)n);

	if (json_tokener_get_error(t) == json_tokener_continue)
		want = json_tokener_parse_ex(t, " ", 1);
	if (json_tokener_get_error(t) == json_tokener_success && !has_wide(s, n))
		MUST(json_object_equal(o, want) && strcmp(json_written(o, 0), json_written(want, 0)) == 0);
	json_object_put(want);
	json_tokener_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_object *any;
	struct ctx c = { .arena = arena_new(4096) };
	struct json_object *o = NULL;
	struct json_fault f = { 0 };
	const char *s = (const char *)data;

	if (utf8_ok(s, n))
		MUST(utf8_ok(s, utf8_cut(s, n, n / 2)));
	if (json_check(s, n, JSON_DEPTH_MAX, &f) != ERR_OK) {
		MUST(f.why != NULL && f.at <= n);
		MUST(json_read(&c, s, n, &o) != ERR_OK && c.fault.msg != NULL);
	} else {
		MUST(json_read(&c, s, n, &o) == ERR_OK);
		round_trip(&c, o);
		spans(&c, s, n, o);
		as_json_c(s, n, o);
	}
	if (json_build(s, n, &any, n > 0 && s[0] == '[' ? &f.at : NULL))        /* any bytes */
		json_object_put(any);
	arena_free(c.arena);
	return 0;
}

/*
 * From JSON and from query strings into structs: what is taken, what is
 * refused, and the sentence that names the member at fault.
 */
#include "lib/api/schema.h"
#include "lib/base/arena.h"
#include "t/tap.h"

static const char *const colours[] = { "red", "green", NULL };

struct inner { const char *id; int64_t n; };

static const struct field inner_fields[] = {
	F_ID(struct inner, id, .flags = FF_REQUIRED),
	F_I64(struct inner, n, .min = 1, .max = 9, .dflt = 5),
	F_END
};
static const struct schema inner = { .name = "Inner", .fields = inner_fields, .flags = SF_STRICT, .bytes = sizeof(struct inner) };

struct all {
	const char *name, *colour, *mode, *short_text;
	int64_t count, free_count;
	double ratio, any_ratio;
	bool flag, has_flag, on;
	struct inner *inner;
	struct json_object *list, *numbers, *map, *any, *content;
};

static const struct field all_fields[] = {
	F_STR(struct all, name, .flags = FF_REQUIRED, .min = 1, .max = 8),
	F_STR(struct all, colour, .values = colours, .dflt_s = "red"),
	F_STR(struct all, mode, .values = colours, .fold = true, .flags = FF_NULLABLE),
	F_STR(struct all, short_text, .dflt_s = "none"),
	F_I64(struct all, count, .min = -5, .max = 100, .dflt = 7),
	F_I64(struct all, free_count),
	F_NUM(struct all, ratio, .min = 0, .max = 2, .dflt = 1),
	F_NUM(struct all, any_ratio),
	F_BOOL(struct all, flag, .flags = FF_NULLABLE, .has_off = offsetof(struct all, has_flag)),
	F_BOOL(struct all, on, .dflt = 1),
	F_OBJ(struct all, inner, &inner),
	F_ARR(struct all, list, .of = &inner, .min = 1, .max = 2),
	F_ARR(struct all, numbers, .item = FT_NUMBER),
	{ .name = "map", .type = FT_MAP, .item = FT_STRING, .off = offsetof(struct all, map) },
	F_ANY(struct all, any),
	{ .name = "content", .type = FT_STRING_OR_ARRAY, .off = offsetof(struct all, content) },
	F_END
};
static const struct schema all = { .name = "All", .fields = all_fields, .bytes = sizeof(struct all) };
static const struct schema strict = { .name = "Strict", .fields = all_fields, .flags = SF_STRICT, .bytes = sizeof(struct all) };

static enum err
decode(struct ctx *c, const struct schema *s, const char *text, struct all **ret)
{
	struct json_object *o = NULL;
	void *out = NULL;
	enum err e = json_read(c, text, strlen(text), &o);

	if (e == ERR_OK)
		e = schema_decode(c, s, o, &out);
	*ret = out;
	return e;
}

static void
refused(struct ctx *c, const char *text, const char *why)
{
	struct all *a;

	if (!ok(decode(c, &strict, text, &a) == ERR_INVALID && strcmp(c->fault.msg, why) == 0, "%s is refused", text))
		printf("#   %s\n#   %s\n", c->fault.msg, why);
}

static void
test_defaults(struct ctx *c)
{
	struct all *a = NULL;

	is_int(decode(c, &all, "{\"name\":\"x\",\"unknown\":[]}", &a), ERR_OK, "the least that is asked for will do");
	if (a == NULL)
		return;
	is_str(a->name, "x", "it is taken");
	is_str(a->colour, "red", "an absent text has its default");
	is_str(a->mode, NULL, "or is absent");
	is_int(a->count, 7, "so has a number");
	ok(a->ratio == 1 && a->on && !a->flag && !a->has_flag, "a fraction and a truth value");
	ok(a->inner == NULL && a->list == NULL && a->map == NULL && a->any == NULL, "what is composed is absent");
}

static void
test_taken(struct ctx *c)
{
	struct all *a = NULL;

	is_int(decode(c, &strict, "{\"name\":\"12345678\",\"colour\":\"green\",\"mode\":\"ReD\",\"count\":-5,\"free_count\":9007199254740993,"
	    "\"ratio\":0.5,\"any_ratio\":-1e10,\"flag\":false,\"on\":false,"
	    "\"inner\":{\"id\":\"6BA7B8109DAD11D180B400C04FD430C8\"},\"list\":[{\"id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"n\":9}],"
	    "\"numbers\":[1,2.5],\"map\":{\"k\":\"v\"},\"any\":{\"deep\":[]},\"content\":[\"x\"]}", &a), ERR_OK, "everything at once is taken");
	if (a == NULL)
		return;
	is_str(a->colour, "green", "a word of a list");
	is_str(a->mode, "ReD", "in any letter case where that does not matter");
	is_int(a->count, -5, "a number at its edge");
	is_int(a->free_count, 9007199254740993, "a number that no double holds");
	ok(a->ratio == 0.5 && a->any_ratio == -1e10, "fractions");
	ok(!a->flag && a->has_flag && !a->on, "false is told from absent");
	is_str(a->inner->id, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a UUID in canonical form");
	is_int(a->inner->n, 5, "defaults inside of objects");
	is_int(json_object_array_length(a->list), 1, "an array");
	ok(json_object_is_type(a->content, json_type_array) && a->any != NULL && a->map != NULL, "and the rest");
	is_int(decode(c, &strict, "{\"name\":\"a\",\"mode\":null,\"flag\":null,\"any\":null,\"content\":\"text\"}", &a), ERR_OK,
	    "null counts as absent where that is said");
	ok(a != NULL && a->mode == NULL && !a->has_flag && a->any == NULL, "and leaves the default");
}

static void
test_refused(struct ctx *c)
{
	char big[70000] = "{\"name\":\"a\",\"short_text\":\"";

	refused(c, "[]", "a JSON object is expected");
	refused(c, "null", "a JSON object is expected");
	refused(c, "{}", "name is missing");
	refused(c, "{\"name\":null}", "name: a string is expected");
	refused(c, "{\"name\":7}", "name: a string is expected");
	refused(c, "{\"name\":\"\"}", "name: at least 1 bytes are expected");
	refused(c, "{\"name\":\"123456789\"}", "name: at most 8 bytes are allowed");
	refused(c, "{\"name\":\"a\\u0000b\"}", "name: a NUL character is not allowed");
	refused(c, "{\"name\":\"a\",\"nam\":1}", "unknown member 'nam'");
	refused(c, "{\"name\":\"a\",\"colour\":\"Green\"}", "colour: one of red, green is expected");
	refused(c, "{\"name\":\"a\",\"colour\":null}", "colour: a string is expected");
	refused(c, "{\"name\":\"a\",\"count\":\"7\"}", "count: a whole number is expected");
	refused(c, "{\"name\":\"a\",\"count\":7.5}", "count: a whole number is expected");
	refused(c, "{\"name\":\"a\",\"count\":-6}", "count: a number from -5 to 100 is expected");
	refused(c, "{\"name\":\"a\",\"count\":99999999999999999999}", "count: a number from -5 to 100 is expected");
	refused(c, "{\"name\":\"a\",\"ratio\":2.01}", "ratio: a number from 0 to 2 is expected");
	refused(c, "{\"name\":\"a\",\"ratio\":true}", "ratio: a number is expected");
	refused(c, "{\"name\":\"a\",\"free_count\":99999999999999999999}", "free_count: a whole number of 64 bits is expected");
	refused(c, "{\"name\":\"a\",\"on\":1}", "on: true or false is expected");
	refused(c, "{\"name\":\"a\",\"inner\":[]}", "inner: an object is expected");
	refused(c, "{\"name\":\"a\",\"inner\":{}}", "inner.id is missing");
	refused(c, "{\"name\":\"a\",\"inner\":{\"id\":\"x\"}}", "inner.id: a UUID is expected");
	refused(c, "{\"name\":\"a\",\"inner\":{\"id\":\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"x\":1}}", "inner.unknown member 'x'");
	refused(c, "{\"name\":\"a\",\"list\":[]}", "list: at least 1 elements are expected");
	refused(c, "{\"name\":\"a\",\"list\":[1,2,3]}", "list: at most 2 elements are allowed");
	refused(c, "{\"name\":\"a\",\"list\":[1]}", "list[0]: a JSON object is expected");
	refused(c, "{\"name\":\"a\",\"numbers\":[1,null]}", "numbers[1]: a number is expected");
	refused(c, "{\"name\":\"a\",\"map\":{\"k\":1}}", "map.k: a string is expected");
	refused(c, "{\"name\":\"a\",\"map\":[]}", "map: an object is expected");
	refused(c, "{\"name\":\"a\",\"content\":{}}", "content: a string or an array is expected");
	memset(big + strlen(big), 'x', 65537);
	memcpy(big + strlen(big), "\"}", 3);
	refused(c, big, "short_text: at most 65536 bytes are allowed");
}

struct query { const char *q, *id; int64_t limit, floor; bool deep, has_deep; };

static const struct field query_fields[] = {
	F_STR(struct query, q, .max = 16),
	F_ID(struct query, id),
	F_I64(struct query, limit, .dflt = 50),
	F_I64(struct query, floor, .min = -10),
	F_BOOL(struct query, deep, .has_off = offsetof(struct query, has_deep)),
	F_END
};
static const struct schema query = { .name = "Query", .fields = query_fields, .bytes = sizeof(struct query) };

static const struct field need_fields[] = { F_BOOL(struct query, deep, .flags = FF_REQUIRED), F_END };
static const struct schema need = { .name = "Need", .fields = need_fields, .bytes = sizeof(struct query) };

static void
query_refused(struct ctx *c, const char *raw, const char *why)
{
	void *out;

	if (!ok(query_decode(c, &query, raw, &out) == ERR_BAD_REQUEST && c->fault.err == ERR_BAD_REQUEST &&
	    strcmp(c->fault.msg, why) == 0, "?%s is refused", raw))
		printf("#   %s\n#   %s\n", c->fault.msg, why);
}

static void
test_query(struct ctx *c)
{
	void *out = NULL;
	struct query *q;

	is_int(query_decode(c, &query, "q=a%20b+c%2B&deep=true&limit=0&unknown=%e2%82%ac&floor=-3", &out), ERR_OK, "a query is read");
	q = out;
	is_str(q->q, "a b c+", "its text is decoded");
	ok(q->deep && q->has_deep && q->limit == 0 && q->floor == -3 && q->id == NULL, "its values are taken");
	is_int(query_decode(c, &query, "deep=True", &out), ERR_OK, "a boolean may come as Python writes it");
	q = out;
	ok(q->deep && q->has_deep, "and is true");
	is_int(query_decode(c, &query, "deep=False", &out), ERR_OK, "or false");
	q = out;
	ok(!q->deep && q->has_deep, "as it was sent");
	is_int(query_decode(c, &query, "", &out), ERR_OK, "an empty query is one");
	q = out;
	ok(q->limit == 50 && q->q == NULL && !q->has_deep, "with the defaults");
	is_int(query_decode(c, &query, "&&q=&&=x&limit=99999999999999999999&q", &out), ERR_OK, "odd ampersands do no harm");
	q = out;
	ok(q->q != NULL && q->q[0] == '\0' && q->limit == INT64_MAX, "an empty value is one, a huge number the largest");
	is_int(query_decode(c, &query, NULL, &out), ERR_OK, "so is an absent query");
	query_refused(c, "limit=x", "limit: a whole number is expected");
	query_refused(c, "limit=", "limit: a whole number is expected");
	query_refused(c, "limit=5x", "limit: a whole number is expected");
	query_refused(c, "limit=+5", "limit: a whole number is expected");
	query_refused(c, "limit=-1", "limit: a number that is not below zero is expected");
	query_refused(c, "limit=1%00", "the query string is not well-formed");
	query_refused(c, "limit%00x=1", "the query string is not well-formed");
	query_refused(c, "deep=maybe", "deep: true or false is expected");
	query_refused(c, "deep=1", "deep: true or false is expected");
	query_refused(c, "deep=TRUE", "deep: true or false is expected");
	query_refused(c, "deep", "deep: true or false is expected");
	query_refused(c, "id=abc", "id: a UUID is expected");
	query_refused(c, "q=%zz", "the query string is not well-formed");
	query_refused(c, "q=%ff", "the query string is not well-formed");
	query_refused(c, "q=12345678901234567", "q: at most 16 bytes are allowed");
	is_int(query_decode(c, &need, "deep=false", &out), ERR_OK, "a parameter that must be there may be false");
	is_int(query_decode(c, &need, "other=1", &out), ERR_BAD_REQUEST, "but not absent");
	is_str(c->fault.msg, "the query parameter deep is missing", "which is said");
}

int
main(void)
{
	struct ctx c = { .arena = arena_new(4096) };

	test_defaults(&c);
	test_taken(&c);
	test_refused(&c);
	test_query(&c);
	arena_free(c.arena);
	return done();
}

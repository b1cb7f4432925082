/* The loop guard: when it warns, blocks, and ends a turn. */
#include "lib/agent/guard.h"
#include "lib/base/arena.h"
#include "t/tap.h"

static struct ctx ctx;

static enum guard_verdict
call(struct loop_guard *g, const char *name, const char *json)
{
	const char *advice;
	struct json_object *o = json_tokener_parse(json);
	enum guard_verdict v = loop_guard_check(g, name, o, &advice);

	if ((v == GUARD_OK) != (advice == NULL) && (v != GUARD_OK || strstr(advice, "Not again at once") == NULL))
		v = 99;
	json_object_put(o);
	return v;
}

static const char *
result(struct loop_guard *g, const char *json, const char *text)
{
	struct json_object *o = json_tokener_parse(json);
	const char *s = loop_guard_result(g, "t", o, text, strlen(text));

	json_object_put(o);
	return s;
}

static void
same_calls(void)
{
	struct loop_guard *g = loop_guard_new(&ctx, 50);
	static const enum guard_verdict want[] = { GUARD_OK, GUARD_OK, GUARD_WARN, GUARD_WARN, GUARD_BLOCK, GUARD_BLOCK };

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		is_int(call(g, "t", i % 2 ? "{\"a\":1,\"b\":[1,{\"x\":0,\"y\":1}]}" :
		    "{\"b\":[1,{\"y\":1,\"x\":0}],\"a\":1}"), want[i], "identical call %zu, members in any order", i + 1);
	is_int(call(g, "t", "{\"a\":2}"), GUARD_OK, "other parameters are another call");
	is_int(call(g, "u", "{\"a\":1,\"b\":[1,{\"x\":0,\"y\":1}]}"), GUARD_OK, "so is another tool");
}

static void
polling(void)
{
	struct loop_guard *g = loop_guard_new(&ctx, 50), *p = loop_guard_new(&ctx, 50);
	struct json_object *o = json_tokener_parse("{\"poll\":true}");
	const char *advice;

	for (unsigned i = 1; i <= 6; i++) {
		static const char *const wait[] = { NULL, NULL, " 5 seconds", " 10 seconds", " 30 seconds", " 60 seconds", " 60 seconds" };

		(void)loop_guard_check(p, "t", o, &advice);
		ok(wait[i] == NULL ? advice == NULL : advice != NULL && strstr(advice, wait[i]) != NULL, "poll %u is told to wait", i);
	}
	json_object_put(o);

	int warned = 0, blocked = 0;

	for (int i = 1; i <= 15; i++) {
		enum guard_verdict v = call(g, "t", "{\"poll\":true}");

		if (v == GUARD_WARN && warned == 0)
			warned = i;
		if (v == GUARD_BLOCK && blocked == 0)
			blocked = i;
	}
	is_int(warned, 9, "a polling call may be repeated three times as often before the warning");
	is_int(blocked, 12, "and three warnings make a block");
}

static void
limits(void)
{
	struct loop_guard *g = loop_guard_new(&ctx, 20), *wide = loop_guard_new(&ctx, 50);
	char json[32];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(json, sizeof(json), "{\"i\":%d}", i);
		if (call(g, "t", json) == GUARD_BREAK)
			break;
	}
	is_int(i, 30, "a turn has 30 calls");
	for (i = 0; i < 200; i++) {
		snprintf(json, sizeof(json), "{\"i\":%d}", i);
		if (call(wide, "t", json) == GUARD_BREAK)
			break;
	}
	is_int(i, 150, "or three for each of more than 30 iterations");
	is_int(loop_guard_calls(wide), 151, "all are counted");
}

static void
patterns(void)
{
	static const char *const three[] = { "{\"k\":1}", "{\"k\":2}", "{\"k\":3}" };
	struct loop_guard *g = loop_guard_new(&ctx, 50);
	enum guard_verdict v[9];

	for (int i = 0; i < 6; i++)
		v[i] = call(g, "t", three[i % 2]);
	ok(v[0] == GUARD_OK && v[2] == GUARD_OK, "two calls in turn are fine");
	is_int(v[3], GUARD_WARN, "twice is worth a warning");
	is_int(v[5], GUARD_BLOCK, "three times is a block");
	g = loop_guard_new(&ctx, 50);
	for (int i = 0; i < 9; i++)
		v[i] = call(g, "t", three[i % 3]);
	ok(v[3] == GUARD_OK && v[5] == GUARD_WARN && v[8] == GUARD_BLOCK, "three calls in turn are seen as well");
}

static void
results(void)
{
	struct loop_guard *g = loop_guard_new(&ctx, 50);
	char a[1200], b[1200];

	ok(result(g, "{}", "x") == NULL, "a first result says nothing");
	ok(result(g, "{}", "x") != NULL, "the same again is a warning");
	ok(result(g, "{}", "y") == NULL, "another one begins anew");
	(void)!result(g, "{}", "y");
	is_int(call(g, "t", "{}"), GUARD_OK, "twice the same does not block");
	ok(result(g, "{}", "y") != NULL, "three times");
	is_int(call(g, "t", "{}"), GUARD_BLOCK, "does");
	memset(a, 'a', sizeof(a));
	memcpy(b, a, sizeof(b));
	a[1199] = b[1199] = '\0';
	b[1100] = 'b';
	ok(result(g, "{\"z\":1}", a) == NULL && result(g, "{\"z\":1}", b) != NULL, "only the first 1000 characters are compared");
}

int
main(void)
{
	ctx.arena = arena_new(4096);
	same_calls();
	polling();
	limits();
	patterns();
	results();
	is_int(call(loop_guard_new(&ctx, 5), "t", "null"), GUARD_OK, "a call without parameters is one too");
	arena_free(ctx.arena);
	return done();
}

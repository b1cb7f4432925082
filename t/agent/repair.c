/* Session repair, rule by rule; and the history that goes to a model. */
#include "lib/agent/clean.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"
#include "t/history.h"
#include "t/tap.h"

static struct ctx ctx;

#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define A(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define S(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define UB(blocks) "{\"role\":\"user\",\"content\":[" blocks "]}"
#define AB(blocks) "{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define TEXT(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define USE(id) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"n\",\"input\":{}}"
#define RES(id, t) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":\"" t "\",\"status\":\"completed\"}"
#define WAIT(id) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":\"w\",\"status\":\"waiting_approval\"}"

static struct repair_stats st;

static const struct history *
parse(const char *json)
{
	struct json_object *o = json_keep(&ctx, json_tokener_parse(json));

	if (o == NULL)
		abort();
	return history_of(&ctx, o);
}

/* A short picture: "u:text a:+use u:=res(text)". */
static const char *
picture(const struct history *h)
{
	static struct buf b = BUF_INIT(100000);
	struct json_object *m = json_keep(&ctx, history_json(h));

	buf_clear(&b);
	for (size_t i = 0, n = json_object_array_length(m); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m, i), *blocks = js_arr(o, "content");

		buf_printf(&b, "%s%c:", i > 0 ? " " : "", js_str_or(o, "role", "?")[0]);
		if (blocks == NULL)
			buf_str(&b, js_str_or(o, "content", "?"));
		for (size_t k = 0, nb = blocks != NULL ? json_object_array_length(blocks) : 0; k < nb; k++) {
			struct json_object *x = json_object_array_get_idx(blocks, k);
			const char *t = js_str_or(x, "type", "?");

			if (k > 0)
				buf_ch(&b, ',');
			if (strcmp(t, "tool_use") == 0)
				buf_printf(&b, "+%s", js_str_or(x, "id", "?"));
			else if (strcmp(t, "tool_result") == 0)
				buf_printf(&b, "=%s(%s)", js_str_or(x, "tool_use_id", "?"),
				    js_bool(x, "is_error", false) ? "!" : js_str_or(x, "content", "?"));
			else
				buf_printf(&b, "%s", js_str_or(x, t, "?"));
		}
	}
	return b.len > 0 ? b.p : "";
}

static void
check(const char *json, const char *want, const char *what)
{
	const struct history *in = parse(json), *out, *again;
	char *copy = strdup(picture(in));

	out = session_repair(&ctx, in, &st);
	if (out == NULL) {
		ok(false, "%s", what);
		free(copy);
		return;
	}
	is_str(picture(out), want, "%s", what);
	again = session_repair(&ctx, out, NULL);
	ok(again == out && strcmp(copy, picture(in)) == 0,
	    "... and nothing is left to do, nor was the input touched");
	free(copy);
}

static void
sound(void)
{
	const struct history *o = parse("[" U("q") "," AB(TEXT("t") "," USE("1") "," USE("2")) ","
	    UB(RES("2", "b") "," RES("1", "a") "," TEXT("hint")) "," A("done") "," U("more") "]");

	ok(session_repair(&ctx, o, &st) == o, "a sound history comes back as it is, not copied");
	o = parse("[]");
	ok(session_repair(&ctx, o, &st) == o, "so does an empty one");
	o = parse("[" U("q") "," AB(USE("c")) "," UB(RES("c", "1")) "," AB(USE("c")) "," UB(RES("c", "2")) "]");
	ok(session_repair(&ctx, o, &st) == o, "ids that a model uses again are no fault");
}

static void
rules(void)
{
	check("[" U("q") "," UB(RES("x", "r")) "," A("a") "]", "u:q a:a", "2: a result without a call is dropped");
	is_int(st.orphaned, 1, "and counted");
	check("[" U("q") "," A("") "," A("a") "," U("  ") "]", "u:q a:a", "2: empty messages are dropped");
	is_int(st.empty, 2, "and counted");
	check("[" U("q") "," AB(USE("1") "," RES("1", "r")) "," U("next") "]", "u:q a:+1 u:=1(r) u:next",
	    "2a: a result in the assistant's message moves behind it");
	is_int(st.rescued, 1, "and is counted");
	check("[" U("q") "," AB(USE("1") "," USE("2")) "," UB(RES("1", "r")) "," A("a") "]", "u:q a:+1,+2 u:=1(r),=2(!) a:a",
	    "2a1: the next message answers every call");
	ok(st.positional == 1 && st.synthetic == 1, "the missing one as an error");
	check("[" U("q") "," AB(USE("1")) "," U("hm") "," A("a") "," UB(RES("1", "late")) "]",
	    "u:q a:+1 u:=1(late) u:hm a:a", "2b: a misplaced result moves to its call");
	ok(st.reordered == 1 && st.positional == 1, "and is counted");
	check("[" U("q") "," UB(RES("1", "early")) "," AB(USE("1")) "," U("hm") "]",
	    "u:q a:+1 u:=1(early) u:hm", "2b: also one that came before");
	check("[" U("q") "," AB(USE("1")) "," UB(TEXT("hint") "," RES("1", "r")) "]", "u:q a:+1 u:=1(r),hint", "2b: results come before what is said beside them");
	check("[" U("q") "," AB(USE("1")) "]", "u:q a:+1 u:=1(!)", "2c: a call that nothing answers gets an error");
	ok(st.synthetic == 1 && st.positional == 0, "and is counted");
	check("[" U("q") "," AB(USE("1")) "," UB(WAIT("1") "," RES("1", "r") "," RES("1", "again")) "]",
	    "u:q a:+1 u:=1(r)", "2d: an outcome beats waiting, the first of equals stays");
	is_int(st.duplicates, 2, "the others are counted");
	check("[" U("q") "," AB(USE("1")) "," UB(RES("1", "r")) "," A("a") "," UB(RES("1", "r2") "," TEXT("t")) "]",
	    "u:q a:+1 u:=1(r) a:a u:t", "2d: a second result later goes, what stood with it stays");
	check("[" U("q") "," AB(TEXT("")) "," U("r") "]", "u:q\n\nr", "2e: an empty assistant message goes");
	check("[" U("a") "," U("b") "," A("c") "," AB(TEXT("d") "," TEXT("e")) "]", "u:a\n\nb a:c\n\nd\n\ne",
	    "3: neighbours of one role become one, with one text");
	is_int(st.merged, 2, "and are counted");
	check("[" U("q") "," AB(USE("1")) "," UB(RES("1", "r")) "," U("x") "," U("y") "]", "u:q a:+1 u:=1(r) u:x\n\ny",
	    "3: but not across tool blocks");
}

static void
odd(void)
{
	check("[" U("q") "," AB(USE("c")) "," UB(RES("c", "1")) "," AB(USE("c")) "," U("hm") "]",
	    "u:q a:+c u:=c(1) a:+c u:=c(!) u:hm", "a used-again id does not take another call's result");
	check("[" U("q") "," AB(USE("c")) "," AB(USE("c")) "," UB(RES("c", "2")) "]",
	    "u:q a:+c u:=c(!) a:+c u:=c(2)", "the nearest call gets the result");
	check("[" U("q") "," AB(USE("1") "," USE("1")) "," UB(RES("1", "r")) "]", "u:q a:+1 u:=1(r)", "a call twice in one message is one");
	check("[" U("q") "," AB(USE("1")) "," S("note") "," UB(RES("1", "r") "," TEXT("t")) "]",
	    "u:q a:+1 u:=1(r) s:note u:t", "a system message between call and result is stepped over");
	check("[null,5,{\"role\":\"user\"},{\"role\":\"user\",\"content\":[7,null,{}]}," U("q") "]", "u:q", "what is no message goes");
	check("[" UB(USE("1") "," TEXT("t")) "," AB(TEXT("a") ",{\"type\":\"tool_use\",\"name\":\"n\"}") "]", "u:t a:a",
	    "calls by users and calls without an id go");
	check("[" U("q") "," AB("{\"type\":\"thinking\",\"thinking\":\"hm\"}") "," A("a") "]", "u:q a:a",
	    "thinking alone is no answer");
	check("[" U("q") "," AB("{\"type\":\"odd\",\"odd\":\"kept\"}") "]", "u:q a:kept", "unknown kinds of blocks are left alone");
	is_int((int64_t)session_repair(&ctx, parse("[{\"role\":\"assistant\",\"content\":[]}]"), NULL)->n, 0,
	    "nothing may be left");
}

static void
big(void)
{
	SCOPED_BUF b = BUF_INIT(64 << 20);
	const struct history *o;

	buf_str(&b, "[" U("q") ",{\"role\":\"assistant\",\"content\":[");
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "%s{\"type\":\"tool_use\",\"id\":\"i%d\",\"name\":\"n\"}", i ? "," : "", i);
	buf_str(&b, "]},{\"role\":\"user\",\"content\":[");
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "%s{\"type\":\"tool_result\",\"tool_use_id\":\"i%d\",\"content\":\"r\"}", i ? "," : "", 20000 - i);
	buf_str(&b, "]}]");
	o = session_repair(&ctx, parse(b.p), &st);
	ok(o != NULL && json_object_array_length(o->v[1].blocks) == 512,
	    "twenty thousand calls at once are cut to 512, soon");
	ok(session_repair(&ctx, o, NULL) == o, "and that is sound");
}

static void
cleaning(void)
{
	SCOPED_BUF b = BUF_INIT(400000);
	char *s = malloc(300001);

	check("[" U("q") "," AB(USE("1")) "," UB(RES("1", "a<|im_start|>b[System]c<<sys>>d")) "]", "u:q a:+1 u:=1(abcd)",
	    "template markers are taken out of results, in any letters");
	is_int(st.cleaned, 1, "and counted");
	result_clean(&b, "<|im_<|im_end|>start|>x", 23);
	is_str(b.p, "x", "also those that arise by taking one out");
	buf_clear(&b);
	memset(s, 'A', 3000);
	for (int i = 0; i < 3000; i += 7)
		s[i] = 'b';
	memcpy(s + 1500, " ", 1);
	result_clean(&b, s, 1500 + 101);
	ok(strncmp(b.p, "[1500 characters of base64 left out] ", 37) == 0 && b.len == 37 + 100, "long base64 is named, short stays");
	memset(s, 'x', 300000);
	ok(result_is_clean(s, 200000) && !result_is_clean(s, 300000), "one letter over and over is no base64; too long is too long");
	free(s);
}

static void
history(void)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	const struct history *o, *r;

	buf_str(&b, "[" S("s") "," "{\"role\":\"user\",\"content\":\"keep me\",\"pinned\":true}" "," A("ok"));
	for (int i = 0; i < 20; i++)
		buf_printf(&b, "," U("q%d") "," AB(USE("c%d")) "," UB(RES("c%d", "r")) "," A("a%d"), i, i, i, i);
	buf_str(&b, "]");
	o = parse(b.p);
	r = history_for_model(&ctx, o, 10);
	is_str(picture(r), "u:keep me\n\nq18 a:+c18 u:=c18(r) a:a18 u:q19 a:+c19 u:=c19(r) a:a19",
	    "a long history is cut at a question, what is pinned stays");
	r = history_for_model(&ctx, o, 500);
	is_int((int64_t)r->n, 82, "a short enough one only loses system messages");
	o = parse("[" A("hello") "," U("q") "]");
	is_str(picture(history_for_model(&ctx, o, 0)), "u:q", "it begins with the user");
	o = parse("[" U("q") "," A("a") "]");
	ok(history_for_model(&ctx, o, 60) == o, "nothing to do: the same object");
	o = parse("[" U("1") "," AB(USE("c")) "," UB(RES("c", "r")) "," AB(USE("d")) "," UB(RES("d", "r")) "," AB(USE("e")) ","
	    UB(RES("e", "r")) "]");
	is_int((int64_t)history_for_model(&ctx, o, 4)->n, 7, "a single long turn is never cut in its middle");
	o = parse("[{\"role\":\"user\",\"pinned\":true,\"content\":[" RES("gone", "forty-two") "]}," U("q") "," A("a") "]");
	is_str(picture(history_for_model(&ctx, o, 60)), "u:[earlier result of a tool]\nforty-two\n\n\nq a:a", "a pinned result whose call has gone stands alone");
	o = parse("[" U("1") "," AB(USE("c")) ",{\"role\":\"user\",\"pinned\":true,\"content\":[" RES("c", "r") "]}," A("a") "]");
	ok(history_for_model(&ctx, o, 60) == o, "one with its call stays as it is");
}

/* Histories put together by chance: whatever comes out is sound. */
static void
chance(void)
{
	static const char *const blocks[] = { USE("1"), USE("2"), RES("1", "a"), RES("2", "b"), WAIT("1"), TEXT("t"), TEXT(""),
		"{\"type\":\"thinking\",\"thinking\":\"h\"}", "{\"type\":\"odd\"}", "null" };
	static const char *const roles[] = { "user", "assistant", "system", "user", "assistant" };
	struct arena *mine = ctx.arena;
	unsigned seed = 7, bad = 0;

	for (int round = 0; round < 20000; round++) {
		SCOPED_BUF b = BUF_INIT(1 << 16);
		const struct history *o, *r;

		ctx.arena = arena_new(4096);
		buf_ch(&b, '[');
		for (int i = 0, n = 1 + (int)((seed = seed * 1103515245 + 12345) >> 16) % 8; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			buf_printf(&b, "%s{\"role\":\"%s\",\"content\":", i ? "," : "", roles[(seed >> 16) % 5]);
			if ((seed >> 24) % 4 == 0) {
				buf_str(&b, "\"s\"}");
				continue;
			}
			buf_ch(&b, '[');
			for (int k = 0, nk = (int)(seed >> 20) % 4; k < nk; k++) {
				seed = seed * 1103515245 + 12345;
				buf_printf(&b, "%s%s", k ? "," : "", blocks[(seed >> 16) % ARRAY_LEN(blocks)]);
			}
			buf_str(&b, "]}");
		}
		buf_ch(&b, ']');
		o = parse(b.p);
		r = session_repair(&ctx, o, NULL);
		bad += r == NULL || session_repair(&ctx, r, NULL) != r;
		r = history_for_model(&ctx, o, 4);
		bad += r == NULL || session_repair(&ctx, r, NULL) != r || (r->n > 0 &&
		    !message_is_question(&r->v[0]));
		if (bad == 1)
			printf("# %s\n# %s\n", b.p, picture(r));
		bad += bad == 1;
		arena_free(ctx.arena);
	}
	ctx.arena = mine;
	is_int(bad, 0, "twenty thousand histories of chance come out sound");
}

int
main(void)
{
	ctx.arena = arena_new(4096);
	sound();
	rules();
	odd();
	big();
	cleaning();
	history();
	chance();
	arena_free(ctx.arena);
	return done();
}

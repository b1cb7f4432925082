/*
 * JSON from outside: what the gate lets through, what it refuses and where,
 * and what becomes of the values behind it.
 */
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "t/tap.h"

static void
good(const char *text, const char *what)
{
	struct json_fault f = { 0 };
	enum err e = json_check(text, strlen(text), JSON_DEPTH_MAX, &f);

	if (!ok(e == ERR_OK, "%s is JSON", what))
		printf("#   %s at %zu\n", f.why, f.at);
}

static void
bad_n(const char *text, size_t n, const char *why, const char *what)
{
	struct json_fault f = { 0 };
	enum err e = json_check(text, n, JSON_DEPTH_MAX, &f);

	ok(e == ERR_BAD_REQUEST, "%s is refused", what);
	is_str(f.why, why, "and the reason is told");
	ok(f.at <= n, "with a place inside the text");
}

static void
bad(const char *text, const char *why, const char *what)
{
	bad_n(text, strlen(text), why, what);
}

static void
test_words(void)
{
	good("null", "null");
	good(" \t\r\n true \n", "a word among blanks");
	good("[false,true,null]", "an array of words");
	bad("", "a value is expected", "an empty text");
	bad("  ", "a value is expected", "a text of blanks");
	bad("NaN", "a value is expected", "NaN");
	bad("Infinity", "a value is expected", "Infinity");
	bad("nul", "unknown word", "half a word");
	bad("truefalse", "something follows the value", "a word behind a word");
	bad("[1] 2", "something follows the value", "a second value");
	bad_n("[1]\0", 4, "something follows the value", "a NUL behind the value");
	bad("/* x */ 1", "a value is expected", "a comment");
	bad("\xEF\xBB\xBF{}", "a value is expected", "a byte order mark");
	bad("'a'", "a value is expected", "a single-quoted string");
	bad("[1,]", "a value is expected", "a comma before the end of an array");
	bad("[1 2]", "',' or ']' is expected", "an array without a comma");
	bad("[1", "unfinished array", "an array without an end");
	bad("{\"a\":1,}", "a member name is expected", "a comma before the end of an object");
	bad("{\"a\" 1}", "':' is expected", "a member without a colon");
	bad("{\"a\":1", "unfinished object", "an object without an end");
	bad("{a:1}", "a member name is expected", "a bare member name");
	bad("{\"a\":}", "a value is expected", "a member without a value");
	bad("]", "a value is expected", "a closing bracket alone");
}

static void
test_numbers(void)
{
	good("[0,-0,1,-1,10,0.5,-0.5,1e5,1E+5,1e-5,1.25e10]", "every form of number");
	good("12345678901234567890123", "a very large number");
	good("[1e308,-1e308,1e-400]", "the largest and the smallest");
	bad("[1e309]", "number out of range", "what no double holds");
	bad("[-123456789e400]", "number out of range", "nor below zero");
	bad("01", "something follows the value", "a leading zero");
	bad("-", "bad number", "a minus alone");
	bad("1.", "bad number", "a point without digits");
	bad(".5", "a value is expected", "a number that begins with a point");
	bad("1e", "bad number", "an exponent without digits");
	bad("1e+", "bad number", "an exponent with a sign alone");
	bad("+1", "a value is expected", "a plus sign");
	bad("0x10", "something follows the value", "a hexadecimal number");
}

/* Integers that are too large for 64 bits are other numbers than the largest of 64 bits. */
static void
test_wide(void)
{
	static const struct { const char *text, *want; } v[] = {
		{ "[9223372036854775807,-9223372036854775808,18446744073709551615]", "[9223372036854775807,-9223372036854775808,18446744073709551615]" },
		{ "[18446744073709551616]", "[1.8446744073709552e+19]" }, { "[-9223372036854775809,7]", "[-9.223372036854776e+18,7]" },
		{ "{\"12345678901234567890123\":\"-12345678901234567890123\\\"\",\"a\":12345678901234567890123}",
		    "{\"12345678901234567890123\":\"-12345678901234567890123\\\"\",\"a\":1.2345678901234568e+22}" },
		{ "12345678901234567890123", "1.2345678901234568e+22" }, { "[1234567890123456789.5,12345678901234567890123e2]", "[1.2345678901234568e+18,1.2345678901234568e+24]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct ctx c = { .arena = arena_new(4096) };
		struct buf b = BUF_INIT(1 << 20);
		struct jw w = JW_INIT(&b);
		struct json_object *o = NULL;

		ok(json_read(&c, v[i].text, strlen(v[i].text), &o) == ERR_OK, "%s is read", v[i].text);
		jw_json(&w, NULL, o);
		is_str(b.p, v[i].want, "as the number it is, or the nearest");
		buf_done(&b);
		arena_free(c.arena);
	}
}

static void
test_strings(void)
{
	good("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"", "a string with every escape");
	good("\"\\ud83d\\ude00\"", "a surrogate pair");
	good("\"\xF0\x9F\x98\x80 \xC3\xA4 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF\"", "UTF-8 up to its edges");
	good("\"\\u0000\"", "a NUL in a value");
	bad("\"a", "unfinished string", "a string without an end");
	bad("\"a\\", "unfinished string", "a backslash at the end");
	bad("\"\\x41\"", "bad escape", "an unknown escape");
	bad("\"\\u12\"", "bad \\u escape", "a short \\u escape");
	bad("\"\\u12g4\"", "bad \\u escape", "a \\u escape with a letter");
	bad("\"\\ud83d\"", "lone surrogate", "a high surrogate alone");
	bad("\"\\ud83dx\"", "lone surrogate", "a high surrogate before a letter");
	bad("\"\\ud83d\\u0041\"", "lone surrogate", "a high surrogate before another escape");
	bad("\"\\ude00\"", "lone surrogate", "a low surrogate alone");
	bad("\"a\nb\"", "control character in a string", "a raw newline in a string");
	bad_n("\"a\0b\"", 5, "control character in a string", "a raw NUL in a string");
	bad("\"\xFF\"", "not UTF-8", "a byte that is never UTF-8");
	bad("\"\xC0\xAF\"", "not UTF-8", "an overlong slash");
	bad("\"\xE0\x80\xAF\"", "not UTF-8", "an overlong slash in three bytes");
	bad("\"\xED\xA0\x80\"", "not UTF-8", "a surrogate in UTF-8");
	bad("\"\xF4\x90\x80\x80\"", "not UTF-8", "a character beyond the last one");
	bad("\"\xE2\x82\"", "not UTF-8", "a character cut short");
	bad("\"\x80\"", "not UTF-8", "a continuation byte alone");
}

static void
test_members(void)
{
	struct buf b = BUF_INIT(1 << 20);

	good("{\"\":1}", "an empty member name");
	good("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}", "one name in several objects");
	bad("{\"a\":1,\"a\":2}", "repeated member", "a repeated member");
	bad("[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "repeated member", "a repeated member deep inside");
	bad("{\"a\\u0000b\":1}", "NUL in a member name", "a NUL in a member name");
	buf_ch(&b, '{');
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, "%s\"k%d\":{\"k%d\":%d}", i > 0 ? "," : "", i, i, i);
	buf_ch(&b, '}');
	good(b.p, "an object of two thousand members");
	b.len--;
	buf_str(&b, ",\"k31\":0}");
	bad(b.p, "repeated member", "the same with an early name repeated at its end");
	b.len -= strlen("\"k31\":0}");
	buf_str(&b, "\"k1999\":0}");
	bad(b.p, "repeated member", "the same with a late name repeated");
	buf_done(&b);
}

static void
nest(struct buf *b, int depth, const char *open, const char *core, const char *close)
{
	buf_clear(b);
	for (int i = 0; i < depth; i++)
		buf_str(b, open);
	buf_str(b, core);
	for (int i = 0; i < depth; i++)
		buf_str(b, close);
}

static void
test_depth(void)
{
	struct buf b = BUF_INIT(1 << 22);
	struct json_fault f;

	nest(&b, 32, "[", "1", "]");
	good(b.p, "nesting of 32");
	nest(&b, 33, "[", "1", "]");
	is_int(json_check(b.p, b.len, JSON_DEPTH_MAX, &f), ERR_BAD_REQUEST, "nesting of 33 is refused");
	ok(f.too_deep, "as too deep");
	nest(&b, 33, "{\"a\":", "1", "}");
	is_int(json_check(b.p, b.len, JSON_DEPTH_MAX, &f), ERR_BAD_REQUEST, "so is that of objects");
	nest(&b, 1000000, "[", "", "");
	is_int(json_check(b.p, b.len, 1000000, &f), ERR_BAD_REQUEST,
	    "a million brackets are refused even when the caller allows them");
	is_int(json_check("[[]]", 4, 1, NULL), ERR_BAD_REQUEST, "the reason need not be asked for");
	buf_done(&b);
}

static void
test_utf8(void)
{
	const char *s = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";

	ok(utf8_ok("", 0), "an empty text is UTF-8");
	ok(utf8_ok(s, strlen(s)), "a text of all lengths is UTF-8");
	ok(!utf8_ok(s, strlen(s) - 1), "a text cut in a character is not");
	is_int(utf8_cut(s, strlen(s), 100), (long long)strlen(s), "a short text is not cut");
	is_int(utf8_cut(s, strlen(s), 2), 1, "a cut falls before a character that does not fit");
	is_int(utf8_cut(s, strlen(s), 3), 3, "and behind one that does");
	is_int(utf8_cut(s, strlen(s), 9), 6, "also with four bytes");
	is_int(utf8_cut(s, strlen(s), 0), 0, "to nothing at all");
}

static void
test_read(struct ctx *c)
{
	struct json_object *o = NULL, *v;
	static const char text[] = "{\"s\":\"x\\u0000y\",\"i\":-7,\"d\":0.7,\"b\":true,\"n\":null,\"o\":{\"k\":1},\"a\":[1,2]}";

	is_int(json_read(c, text, sizeof(text) - 1, &o), ERR_OK, "an object is read");
	is_int(js_i64(o, "i", 0), -7, "a number of it is found");
	is_int(js_i64(o, "s", 5), 5, "a member of another type counts as absent");
	is_int(js_i64(o, "zz", 6), 6, "an absent one too");
	ok(js_f64(o, "d", 0) == 0.7 && js_f64(o, "i", 0) == -7, "a fraction and a whole number read as a double");
	ok(js_bool(o, "b", false) && js_bool(o, "s", true), "a truth value is found, or the default");
	is_str(js_str_or(o, "i", "dflt"), "dflt", "a text that is none gives the default");
	is_str(js_str(o, "n"), NULL, "null is no text");
	ok(js_obj(o, "o") != NULL && js_obj(o, "a") == NULL, "an object is told from an array");
	ok(js_arr(o, "a") != NULL && js_arr(o, "o") == NULL, "and an array from an object");
	ok(js_get(NULL, "a") == NULL && js_get(js_arr(o, "a"), "a") == NULL, "looking into what is no object finds nothing");
	v = js_get(o, "s");
	is_int(json_object_get_string_len(v), 3, "a NUL inside a text is kept");
	is_int(json_read(c, "null", 4, &v), ERR_OK, "null is a document");
	ok(v == NULL, "and reads as nothing");
	is_int(json_read(c, "17", 2, &v), ERR_OK, "so is a bare number");
	is_int(json_object_get_int(v), 17, "with its value");
	is_int(json_read(c, "{\"a\":}", 6, &v), ERR_BAD_REQUEST, "a broken text is refused");
	is_str(c->fault.msg, "Malformed JSON: a value is expected at byte 5", "with reason and place");
	is_int(json_read(c, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 40, &v), ERR_VALIDATION, "a deep one is a fault of its own");
	is_str(c->fault.msg, "JSON nesting depth exceeds maximum of 32", "in the words that clients know");
	ok(json_stored(c, "{\"a\":1}") != NULL, "stored text is parsed");
	ok(json_stored(c, "{\"a\":") == NULL && json_stored(c, NULL) == NULL, "broken or absent stored text is nothing");
}

static void
test_span(void)
{
	static const char t[] = " { \"x\" : [1, {\"value\":0}] , \"va\\u006cue\" : 1.50e3 , \"s\":\"a}\\\"b\" } ";
	const char *p;
	size_t n;
	char out[sizeof(t)];

	ok(json_member_span(t, sizeof(t) - 1, "value", &p, &n), "a member is found by what its name means");
	ok(n == 6 && memcmp(p, "1.50e3", 6) == 0, "and its number stays as it was written");
	ok(json_member_span(t, sizeof(t) - 1, "s", &p, &n) && n == 7, "brackets in a string count for nothing");
	ok(!json_member_span(t, sizeof(t) - 1, "valu", &p, &n), "half a name finds nothing");
	ok(!json_member_span("[1]", 3, "value", &p, &n), "an array has no members");
	n = json_compact(t, sizeof(t) - 1, out);
	out[n] = '\0';
	is_str(out, "{\"x\":[1,{\"value\":0}],\"va\\u006cue\":1.50e3,\"s\":\"a}\\\"b\"}", "a text loses its blanks, not its strings'");
}

int
main(void)
{
	struct ctx c = { .arena = arena_new(4096) };

	test_words();
	test_numbers();
	test_wide();
	test_strings();
	test_members();
	test_depth();
	test_utf8();
	test_read(&c);
	test_span();
	arena_free(c.arena);
	return done();
}

/*
 * JSON out: the writer puts the commas, quotes what must be quoted, and
 * numbers read back as they were.
 */
#include <math.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "t/tap.h"

static void
test_shape(void)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_str(&w, "a", "x");
	jw_array(&w, "l");
	jw_i64(&w, NULL, 1);
	jw_object(&w, NULL);
	jw_end(&w);
	jw_array(&w, NULL);
	jw_end(&w);
	jw_bool(&w, NULL, false);
	jw_end(&w);
	jw_null(&w, "n");
	jw_str(&w, "none", NULL);
	jw_raw(&w, "raw", "[1]", 3);
	jw_end(&w);
	is_str(b.p, "{\"a\":\"x\",\"l\":[1,{},[],false],\"n\":null,\"none\":null,\"raw\":[1]}", "commas stand where they must");
	ok(!b.failed && w.depth == 0, "and everything is closed");
	jw_end(&w);
	ok(b.failed, "closing what is not open is a failure");
}

/* What was written goes out once more, also when the buffer must move for it. */
static void
test_again(void)
{
	SCOPED_BUF b = BUF_INIT(4096), small = BUF_INIT(700);
	struct jw w = JW_INIT(&b), tight = JW_INIT(&small);
	size_t from;

	jw_object(&w, NULL);
	jw_array(&w, "a");
	from = b.len - 1;
	for (int i = 0; i < 100; i++)
		jw_i64(&w, NULL, 1);
	jw_end(&w);
	jw_again(&w, "b", from);
	jw_end(&w);
	ok(!b.failed && b.len == 2 * 201 + 2 * 4 + 3 && memcmp(b.p + 5, b.p + 5 + 201 + 5, 201) == 0, "a value is written once more");
	ok(b.p[b.len] == '\0' && b.p[b.len - 1] == '}' && b.p[b.len - 2] == ']', "and ends where it should");
	jw_array(&tight, NULL);
	for (int i = 0; i < 200; i++)
		jw_i64(&tight, NULL, 1);
	jw_end(&tight);
	jw_again(&tight, NULL, 0);
	ok(small.failed, "beyond the buffer's most it fails");
	jw_again(&tight, NULL, 5000);
	ok(small.failed, "from behind the end as well");
}

static void
test_quote(void)
{
	SCOPED_BUF b = BUF_INIT(4096);

	json_quote(&b, "a\"b\\c\n\r\t\x01\x1f\x7f/\xC3\xA4", 14);
	is_str(b.p, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\\u007f/\xC3\xA4\"", "control characters and quotes are escaped");
	buf_clear(&b);
	json_quote(&b, "x\0y", 3);
	is_str(b.p, "\"x\\u0000y\"", "a NUL too");
	buf_clear(&b);
	json_quote(&b, "", 0);
	is_str(b.p, "\"\"", "an empty text is two quotes");
}

/* Each byte at each place of texts around eight bytes: the reader gives back what was written, and nothing raw is left. */
static void
test_each_byte(void)
{
	unsigned lost = 0, raw = 0;

	for (size_t n = 1; n <= 24; n++)
		for (size_t at = 0; at < n; at++)
			for (unsigned ch = 0; ch < 128; ch++) {
				SCOPED_BUF b = BUF_INIT(4096);
				struct json_object *o;
				char s[24];

				memset(s, "a ~"[n % 3], n);
				s[at] = (char)ch;
				json_quote(&b, s, n);
				o = json_tokener_parse(b.p);
				lost += o == NULL || (size_t)json_object_get_string_len(o) != n || memcmp(json_object_get_string(o), s, n) != 0;
				json_object_put(o);
				for (size_t i = 1; i + 1 < b.len; i++)
					raw += (unsigned char)b.p[i] < 0x20 || b.p[i] == 0x7f;
			}
	is_int(lost, 0, "every ASCII byte at every place comes back");
	is_int(raw, 0, "and no control character is written as it is");
}

static const char *
whole(struct buf *b, int64_t v)
{
	struct jw w = JW_INIT(b);

	buf_clear(b);
	jw_i64(&w, NULL, v);
	return b->p;
}

static void
test_whole(void)
{
	SCOPED_BUF b = BUF_INIT(4096);

	is_str(whole(&b, 0), "0", "nought");
	is_str(whole(&b, -10), "-10", "a negative number");
	is_str(whole(&b, INT64_MAX), "9223372036854775807", "the largest number");
	is_str(whole(&b, INT64_MIN), "-9223372036854775808", "and the smallest");
}

static const char *
number(struct buf *b, double v)
{
	struct jw w = JW_INIT(b);

	buf_clear(b);
	jw_f64(&w, NULL, v);
	return b->p;
}

static const char *
dollars(struct buf *b, int64_t v)
{
	struct jw w = JW_INIT(b);

	buf_clear(b);
	jw_usd(&w, NULL, v);
	return b->p;
}

static void
test_numbers(void)
{
	static const double all[] = { 0.1, 1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, -123.456, 4503599627370497.5 };
	SCOPED_BUF b = BUF_INIT(4096);

	is_str(number(&b, 0.7), "0.7", "0.7 is written as 0.7");
	is_str(number(&b, 3), "3.0", "a whole double keeps its point");
	is_str(number(&b, NAN), "null", "what is no number is null");
	is_str(number(&b, -INFINITY), "null", "infinity too");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		ok(strtod(number(&b, all[i]), NULL) == all[i], "%s reads back as the same", b.p);
	is_str(dollars(&b, 0), "0.0", "no money");
	is_str(dollars(&b, 1), "0.000000001", "one nano-dollar");
	is_str(dollars(&b, 1500000000), "1.5", "a dollar and a half");
	is_str(dollars(&b, -250000000), "-0.25", "a debt");
	is_str(dollars(&b, INT64_MIN), "-9223372036.854775808", "the largest debt");
}

static void
test_json(struct ctx *c)
{
	static const char text[] = "{\"a\":[1,-2,0.7,\"x\\u0000\\n\",null,true],\"o\":{},\"big\":18446744073709551615,"
	    "\"min\":-9223372036854775808}";
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);
	struct json_object *o = NULL;

	is_int(json_read(c, text, sizeof(text) - 1, &o), ERR_OK, "a document is read");
	jw_json(&w, NULL, o);
	is_str(b.p, text, "and written as it came");
}

static void
test_limits(void)
{
	SCOPED_BUF b = BUF_INIT(4096), small = BUF_INIT(8);
	struct jw w = JW_INIT(&b), x = JW_INIT(&small);

	for (int i = 0; i < 100; i++)
		jw_array(&w, NULL);
	ok(b.failed, "nesting beyond the writer's depth is a failure");
	jw_str(&x, NULL, "much too long for it");
	ok(small.failed && small.len <= 8, "a full buffer is a failure, and nothing is written beyond it");
}

static void
test_time(void)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);

	jw_array(&w, NULL);
	jw_time(&w, NULL, 0);
	jw_time(&w, NULL, 1767323045678);
	jw_end(&w);
	is_str(b.p, "[null,\"2026-01-02T03:04:05.678Z\"]", "a time is RFC 3339, none is null");
}

int
main(void)
{
	struct ctx c = { .arena = arena_new(4096) };

	test_shape();
	test_again();
	test_quote();
	test_each_byte();
	test_whole();
	test_numbers();
	test_json(&c);
	test_limits();
	test_time();
	arena_free(c.arena);
	return done();
}

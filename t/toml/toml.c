/* TOML in: what becomes of it, what is refused, and on which line. */
#include <string.h>

#include "lib/base/json.h"
#include "lib/toml/toml.h"
#include "t/tap.h"

static char *
repeat(const char *piece, size_t times, const char *end)
{
	size_t n = strlen(piece), m = strlen(end);
	char *p = malloc(n * times + m + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(p + i * n, piece, n);
	memcpy(p + n * times, end, m + 1);
	return p;
}

/* The document as JSON text, in a buffer that the next call reuses; NULL: refused. */
static const char *
as_json(const char *text, struct toml_fault *f)
{
	static struct buf b = BUF_INIT(1 << 20);
	struct json_object *doc = NULL;
	struct jw w = JW_INIT(&b);

	buf_clear(&b);
	if (text == NULL) {
		buf_done(&b);
		return NULL;
	}
	if (toml_parse(text, strlen(text), &doc, NULL, f) != ERR_OK)
		return NULL;
	jw_json(&w, NULL, doc);
	json_object_put(doc);
	return b.p;
}

static void
becomes(const char *text, const char *json, const char *what)
{
	struct toml_fault f;

	is_str(as_json(text, &f), json, "%s", what);
}

static void
refused(const char *text, int line, const char *what)
{
	struct toml_fault f;

	ok(as_json(text, &f) == NULL, "%s is refused", what);
	is_int(f.line, line, "... on line %d", line);
	ok(f.why[0] != '\0', "... with a reason");
}

static void
good_texts(void)
{
	becomes("", "{}", "an empty text is an empty table");
	becomes("a = 1\nb = -2.5\nc = true\nd = \"x\\ty\"\n",
	    "{\"a\":1,\"b\":-2.5,\"c\":true,\"d\":\"x\\ty\"}", "scalars keep their types");
	becomes("a = 9223372036854775807\n", "{\"a\":9223372036854775807}", "64-bit integers are whole");
	becomes("[a.b]\nc.d = [1, [2, \"x\"]]\n", "{\"a\":{\"b\":{\"c\":{\"d\":[1,[2,\"x\"]]}}}}",
	    "tables, dotted keys and arrays nest");
	becomes("[[u]]\nn = 1\n[[u]]\nn = 2\n", "{\"u\":[{\"n\":1},{\"n\":2}]}", "arrays of tables are arrays");
	becomes("d = 2026-01-02\nt = 03:04:05.5\ndt = 2026-01-02T03:04:05-07:30\nz = 2026-01-02T03:04:05Z\n",
	    "{\"d\":\"2026-01-02\",\"dt\":\"2026-01-02T03:04:05-07:30\",\"t\":\"03:04:05.5\","
	    "\"z\":\"2026-01-02T03:04:05Z\"}", "dates and times become their text");
	becomes("\xef\xbb\xbf" "a = 'p\\q'\r\nb = \"\"\"\n  l1\n  l2\"\"\"\r\n",
	    "{\"a\":\"p\\\\q\",\"b\":\"  l1\\n  l2\"}", "a byte order mark, CRLF and long strings are read");
	becomes("\"\xc3\xa9\" = '\xc3\xbc' # \xc2\xa9\n", "{\"\xc3\xa9\":\"\xc3\xbc\"}", "any letters may stand in quotes and comments");
	becomes("a = \"\"\"\\\n  \xc3\xa9\"\"\"\n", "{\"a\":\"\xc3\xa9\"}", "... also behind a line that goes on");
	becomes("a = \"....................................................\" # .................\n",
	    "{\"a\":\"....................................................\"}", "dots in a text are no key");
}

static void
bad_texts(void)
{
	char *deep = repeat("a.", 300000, "a = 1\n"), *nest = repeat("[", 5000, "");
	char *big = repeat("# comment\n", 110000, ""), *key = repeat("k", 2000, " = 1\n");

	refused("a = 1\nb = \n", 2, "a key without a value");
	refused("a = 1\na = 2\n", 2, "a key given twice");
	refused("[a]\nb = 1\n[a]\n", 3, "a table given twice");
	refused("x = \"\\q\"\n", 1, "an unknown escape");
	refused("\n\nx = nan\n", 3, "not a number");
	refused("x = [1, inf]\n", 1, "infinity");
	refused("a = 1\nx = \"a\\u0000b\"\n", 2, "a NUL in a text");
	refused("a = 1\n\"a\\u0000b\" = 1\n", 2, "a NUL in a key");
	refused("a = \"\xff\"\n", 1, "what is not UTF-8");
	refused("a = 1\n\xc3\xa9 = 2\n", 2, "a letter that is not ASCII in a bare key");
	refused("a = [2B'\xc6\xbf']\n", 1, "a quote behind a number");
	refused("a = 1.'\xc6\xbf'\n", 1, "... or behind its point");
	refused(deep, 1, "a key of a million parts");
	refused(nest, 1, "brackets without end");
	refused(key, 1, "a very long key");
	refused(big, 0, "more than a megabyte");
	refused("x = '''abc", 1, "a string that does not end");
	free(deep);
	free(nest);
	free(big);
	free(key);
}

static void
no_secret_in_faults(void)
{
	struct toml_fault f;

	ok(as_json("api_key = 999999999999999999999999999123\n", &f) == NULL, "a number too large is refused");
	ok(strstr(f.why, "9999999") == NULL, "... and the reason does not repeat it");
	ok(as_json("api_key = sk-secretsecret\n", &f) == NULL, "a text without quotes is refused");
	ok(strstr(f.why, "secret") == NULL, "... and the reason does not repeat it");
}

static void
line_map(void)
{
	static const char text[] = "a = 1\n\n[t]\nb = 2\n\"c d\" = { e = 5 }\n[[u]]\nn = 1\n[[u]]\n\nn = 2\n";
	struct json_object *doc = NULL, *lines = NULL;
	struct toml_fault f;

	is_int(toml_parse(text, strlen(text), &doc, &lines, &f), ERR_OK, "a text with all kinds of keys is read");
	is_int(js_i64(lines, "a", 0), 1, "the line of a key of the root is known");
	is_int(js_i64(lines, "t", 0), 3, "... of a table");
	is_int(js_i64(lines, "t.b", 0), 4, "... of a key in it");
	is_int(js_i64(lines, "t.\"c d\".e", 0), 5, "... of an inner key below a quoted one");
	is_int(js_i64(lines, "u[1].n", 0), 10, "... of a key in the second element");
	is_int(json_object_get_int(toml_at(doc, "u[1].n")), 2, "a path finds its value");
	is_int(json_object_get_int(toml_at(doc, "t.'c d'.e")), 5, "... with quotes of either kind");
	ok(toml_at(doc, "u[2].n") == NULL && toml_at(doc, "a.b") == NULL && toml_at(doc, "t..b") == NULL &&
	    toml_at(doc, "t.") == NULL && toml_at(doc, "u[x]") == NULL, "a path to nothing finds nothing");
	json_object_put(doc);
	json_object_put(lines);
}

int
main(void)
{
	good_texts();
	bad_texts();
	no_secret_in_faults();
	line_map();
	(void)as_json(NULL, NULL);      /* frees its buffer */
	return done();
}

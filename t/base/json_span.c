/* Spans of JSON text: finding a member, dropping blanks. */
#include "lib/base/json.h"
#include "t/tap.h"

static void
member(const char *text, const char *name, const char *want, const char *about)
{
	const char *at = NULL;
	char got[200] = "";
	size_t n = 0;

	if (json_check(text, strlen(text), JSON_DEPTH_MAX, NULL) != ERR_OK)
		ok(false, "the test's own text is JSON: %s", text);
	if (json_member_span(text, strlen(text), name, &at, &n))
		snprintf(got, sizeof(got), "%.*s", (int)n, at);
	is_str(at == NULL ? NULL : got, want, "%s", about);
}

static void
compact(const char *text, const char *want, const char *about)
{
	char out[200];

	snprintf(out, sizeof(out), "%s", text);
	out[json_compact(out, strlen(out), out)] = '\0';
	is_str(out, want, "%s", about);
}

int
main(void)
{
	member("{\"value\":0.7}", "value", "0.7", "a number is found as it was written");
	member(" { \"a\" : [1,{\"value\":2}] , \"value\" : 12345678901234567890123 } ", "value",
	    "12345678901234567890123", "a nested member of that name is passed over");
	member("{\"a\":\"}\\\",\\\"value\\\":1\",\"value\":null}", "value", "null", "brackets inside texts count for nothing");
	member("{\"v\\u0061lue\":true}", "value", "true", "an escaped name is the same name");
	member("{\"value\\\\\":1,\"valu\":2,\"values\":3}", "value", NULL, "similar names are other names");
	member("{\"value\":[ 1, \"]\" , {} ] , \"b\":1}", "value", "[ 1, \"]\" , {} ]", "an array is taken whole");
	member("{\"value\":{},\"b\":1}", "value", "{}", "an empty object too");
	member("{\"value\":\"\"}", "value", "\"\"", "and an empty text");
	member("[1]", "value", NULL, "an array has no members");
	member("\"value\"", "value", NULL, "nor has a text");
	member("{}", "value", NULL, "nor an empty object");
	compact(" [ 1 , \"a  \\\" b\" ,\t{ \"x\" : null }\n] ", "[1,\"a  \\\" b\",{\"x\":null}]",
	    "blanks between tokens go, those inside texts stay");
	compact("\"\\\\\" ", "\"\\\\\"", "a text that ends in a backslash ends there");
	compact("  12 ", "12", "a bare number loses its blanks");
	return done();
}

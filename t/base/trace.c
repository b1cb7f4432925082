/* W3C trace context, by the rules of the recommendation. */
#include "lib/base/trace.h"
#include "t/tap.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

int
main(void)
{
	static const char *const good[] = { "00-" ID "-" SPAN "-01", "00-" ID "-" SPAN "-00", "00-" ID "-" SPAN "-ff", "cc-" ID "-" SPAN "-01", "cc-" ID "-" SPAN "-01-what-will-be" };
	static const char *const bad[] = { "", "00", "ff-" ID "-" SPAN "-01", "00-" ID "-" SPAN "-1", "00-" ID "-" SPAN "-01-more", "00-" ID "-" SPAN "-01.", "cc-" ID "-" SPAN "-01.x",
		"00-00000000000000000000000000000000-" SPAN "-01", "00-" ID "-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
		"00-" ID "-" SPAN "-0g", "00_" ID "-" SPAN "-01", "00-" ID SPAN "--01", "0g-" ID "-" SPAN "-01" };
	char a[TRACEPARENT + 1], b[TRACEPARENT + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(trace_ok(good[i]), "good: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!trace_ok(bad[i]) && trace_child(bad[i], a) == NULL, "bad: \"%s\"", bad[i]);
	ok(!trace_ok(NULL), "and none");
	ok(trace_child("cc-" ID "-" SPAN "-a5-more", a) != NULL && strncmp(a, "00-" ID "-", 36) == 0 && strcmp(a + 52, "-a5") == 0, "a child has trace and flags");
	ok(trace_ok(a) && strstr(a, SPAN) == NULL, "and a span of its own");
	ok(trace_child(a, b) != NULL && strcmp(a, b) != 0, "each another");
	ok(trace_of_uuid("01a21e00-55a6-7bf7-8144-c6b0f9f8cd21", a) != NULL && strncmp(a, "00-01a21e0055a67bf78144c6b0f9f8cd21-", 36) == 0 && trace_ok(a), "a UUID is a trace");
	ok(trace_of_uuid("01a21e00-55a6", a) == NULL && trace_of_uuid("01a21e00-55a6-7bf7-8144-c6b0f9f8cd210", a) == NULL &&
	    trace_of_uuid("00000000-0000-0000-0000-000000000000", a) == NULL, "what is none is not");
	return done();
}

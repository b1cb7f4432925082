/*
 * Fuzz: moments, ids and percent escapes as texts. A moment that is read is written as one that is read as the same, and the C
 * library reads the same; an id is written as one that is itself.
 * sources: lib/base/*.c
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/base/trace.h"
#include "lib/base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void
moment(const char *s)
{
	int64_t ms = time_parse(s);
	struct tm tm = { 0 };
	const char *rest;
	char out[25];

	if (ms < 0)
		return;
	time_rfc3339(ms, out);
	MUST(time_parse(out) == ms || ms > 253402300799999);    /* the year 10000 has five digits */
	rest = strlen(s) == 20 && s[10] == 'T' && s[19] == 'Z' && s[17] < '6' ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (rest != NULL)
		MUST(strcmp(rest, "Z") == 0 && ms == (int64_t)timegm(&tm) * 1000);
}

static void
ids(const char *s)
{
	char a[37], b[37];

	if (uuid_parse(s, a))
		MUST(strlen(a) == 36 && uuid_parse(a, b) && strcmp(a, b) == 0);
	if (uuid_from_hex(s, a))
		MUST(a[14] == '4' && uuid_from_hex(a, b) && strcmp(a, b) == 0);
}

static void
trace(const char *s)
{
	char child[TRACEPARENT + 1];

	MUST((trace_child(s, child) != NULL) == trace_ok(s));
	if (trace_ok(s))
		MUST(trace_ok(child) && strlen(child) == TRACEPARENT && memcmp(child + 3, s + 3, 32) == 0);
	if (trace_of_uuid(s, child) != NULL)
		MUST(trace_ok(child));
}

static void
address(struct ctx *c, const char *s)
{
	struct address a, b;
	char text[ADDRESS_TEXT];

	if (address_of(s, &a)) {
		MUST(address_of(address_text(&a, text), &b) && memcmp(&a, &b, sizeof(a)) == 0);
		MUST(network_ok(text) && network_has(text, &a) && network_has("::/0", &a));
	}
	if (network_ok(s)) {
		MUST(address_of(ctx_strndup(c, s, strcspn(s, "/")), &a) && network_has(s, &a));
	}
}

/* What is escaped whole comes back. */
static void
escapes(struct ctx *c, const char *s, size_t n)
{
	char *all = ctx_alloc(c, 3 * n + 1), *any = ctx_strndup(c, s, n);
	size_t k = 3 * n, m = n;

	for (size_t i = 0; i < n; i++) {
		all[3 * i] = '%';
		hex_of(s + i, 1, all + 3 * i + 1);
	}
	MUST(pct_decode(all, &k, true) && k == n && memcmp(all, s, n) == 0);
	if (pct_decode(any, &m, n % 2 == 0))
		MUST(m <= n && any[m] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	const char *s = ctx_strndup(&c, (const char *)data, n);
	char quoted[64];

	moment(s);
	ids(s);
	trace(s);
	address(&c, s);
	escapes(&c, (const char *)data, n);
	MUST(strlen(log_quote(s, quoted, sizeof(quoted))) < sizeof(quoted) && strpbrk(quoted, "\r\n") == NULL);
	arena_free(c.arena);
	return 0;
}

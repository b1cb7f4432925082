/*
 * Fuzz: what AWS signs. Lines: the path, the query, headers; an empty line, the body. The order of parameters and headers, and blanks
 * around a value, are not signed; the body is.
 * sources: lib/base/*.c lib/net/sigv4.c
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/net/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

enum { HEADERS = 40 };

static enum err
sign(const struct sigv4 *s, struct buf *auth)
{
	char date[17];

	*auth = (struct buf)BUF_INIT(1 << 20);
	return sigv4_sign(s, auth, date);
}

static bool
same_sign(const struct sigv4 *s, const struct buf *auth)
{
	SCOPED_BUF other = BUF_INIT(0);

	return sign(s, &other) == ERR_OK && other.len == auth->len && memcmp(other.p, auth->p, auth->len) == 0;
}

/* Two of one name are signed in the order in which they come. */
static bool
all_different(const char *const *h)
{
	for (; *h != NULL; h++)
		for (const char *const *o = h + 1; *o != NULL; o++)
			if (strcspn(*h, ":") == strcspn(*o, ":") && strncasecmp(*h, *o, strcspn(*h, ":")) == 0)
				return false;
	return true;
}

/* Each of the list's parts, the last first. */
static const char *
backwards(struct ctx *c, const char *query)
{
	const char *s = "";

	for (const char *p = query; *p != '\0'; p += strcspn(p, "&"), p += strspn(p, "&"))
		s = ctx_printf(c, "%.*s&%s", (int)strcspn(p, "&"), p, s);
	return s;
}

static void
check(struct ctx *c, struct sigv4 *s, const char *const *headers, size_t n)
{
	SCOPED_BUF auth = BUF_INIT(0);
	SCOPED_BUF other = BUF_INIT(0);
	const char *turned[HEADERS + 1] = { NULL };
	struct sigv4 t = *s;

	if (sign(s, &auth) != ERR_OK)
		return;
	MUST(same_sign(s, &auth));
	for (size_t i = 0; i < n; i++) {
		size_t k = strcspn(headers[i], ":");

		turned[n - 1 - i] = ctx_printf(c, "%.*s: \t%s  ", (int)k, headers[i], headers[i] + k + 1);
	}
	t.headers = turned;
	t.query = backwards(c, s->query);
	if (all_different(headers))
		MUST(same_sign(&t, &auth));
	t = *s;
	t.body = "another";
	t.body_bytes = 7;
	MUST(sign(&t, &other) == ERR_OK && (s->body_bytes == 7 || !same_sign(&t, &auth)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *text = ctx_strndup(&c, (const char *)data, n), *next;
	const char *headers[HEADERS + 1] = { NULL };
	struct sigv4 s = { .method = "POST", .host = "h.example:8443", .path = "/", .query = "", .headers = headers, .body = "", .key_id = "AKID",
		.secret = "secret", .region = "eu-west-1", .service = "bedrock", .now_ms = 1700000000000 };
	size_t k = 0, at = 0;

	for (char *line = text; line != NULL; line = next, at++) {
		next = memchr(line, '\n', n - (size_t)(line - text));
		if (next != NULL)
			*next++ = '\0';
		if (at == 0) {
			s.path = line;
		} else if (at == 1) {
			s.query = line;
		} else if (*line == '\0' && next != NULL) {
			s.body = next;
			s.body_bytes = n - (size_t)(next - text);
			break;
		} else if (k < HEADERS && strchr(line, ':') != NULL) {
			headers[k++] = line;
		}
	}
	check(&c, &s, headers, k);
	arena_free(c.arena);
	return 0;
}

/*
 * Reading AWS's event stream. Every length is checked before it is believed: the prelude has a
 * checksum of its own.
 */
#include "lib/llm/aws_stream.h"

#include <stdio.h>
#include <string.h>

#include <zlib.h>

enum { PRELUDE = 12, TRAILER = 4 };

void
aws_stream_init(struct aws_stream *s, size_t max, bool (*on_message)(void *, const struct aws_message *), void *arg)
{
	*s = (struct aws_stream){ .in = BUF_INIT(max), .on_message = on_message, .arg = arg };
}

void
aws_stream_done(struct aws_stream *s)
{
	buf_done(&s->in);
}

static uint32_t
number(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
sum(const uint8_t *p, size_t n)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)n);
}

/* Bytes that a header value of this type has beside its length; -1: it says them itself; -2: no such type. */
static int
value_bytes(uint8_t type)
{
	static const int bytes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };

	return type < ARRAY_LEN(bytes) ? bytes[type] : -2;
}

static void
note(struct aws_message *m, const uint8_t *name, size_t nn, const uint8_t *value, size_t nv)
{
	static const char *const types[] = { ":event-type", ":exception-type", ":error-code" };

	if (nn == 13 && memcmp(name, ":message-type", 13) == 0) {
		snprintf(m->kind, sizeof(m->kind), "%.*s", (int)(nv < 31 ? nv : 31), (const char *)value);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strlen(types[i]) == nn && memcmp(types[i], name, nn) == 0)
			snprintf(m->type, sizeof(m->type), "%.*s", (int)(nv < 95 ? nv : 95), (const char *)value);
}

static bool
read_headers(const uint8_t *p, size_t n, struct aws_message *m)
{
	while (n > 0) {
		size_t nn = p[0], nv, at = 1 + nn + 1;
		int bytes;

		if (at > n || nn == 0)
			return false;
		bytes = value_bytes(p[1 + nn]);
		if (bytes == -2 || (bytes == -1 && at + 2 > n))
			return false;
		nv = bytes == -1 ? (size_t)p[at] << 8 | p[at + 1] : (size_t)bytes;
		at += bytes == -1 ? 2 : 0;
		if (at + nv > n)
			return false;
		if (p[1 + nn] == 7)
			note(m, p + 1, nn, p + at, nv);
		p += at + nv;
		n -= at + nv;
	}
	return true;
}

/* One message at p. 0: it is not all there; else its length. */
static size_t
take(struct aws_stream *s, const uint8_t *p, size_t n, bool *go_on)
{
	struct aws_message m = { .kind = "" };
	uint32_t all, headers;

	if (n < PRELUDE)
		return 0;
	all = number(p);
	headers = number(p + 4);
	if (number(p + 8) != sum(p, 8) || all < PRELUDE + TRAILER || headers > all - PRELUDE - TRAILER) {
		s->broken = true;
		return 0;
	}
	if (all > s->in.max)
		s->in.failed = true;
	if (n < all || s->in.failed)
		return 0;
	if (number(p + all - TRAILER) != sum(p, all - TRAILER) || !read_headers(p + PRELUDE, headers, &m)) {
		s->broken = true;
		return 0;
	}
	m.payload = (const char *)p + PRELUDE + headers;
	m.n = all - PRELUDE - TRAILER - headers;
	*go_on = s->on_message(s->arg, &m);
	return all;
}

bool
aws_stream_feed(struct aws_stream *s, const char *p, size_t n)
{
	bool waiting = s->in.len > 0, go_on = true;
	size_t at = 0, used = 0;

	if (waiting) {
		buf_add(&s->in, p, n);
		if (s->in.failed)
			return false;
		p = s->in.p;
		n = s->in.len;
	}
	while (go_on && (used = take(s, (const uint8_t *)p + at, n - at, &go_on)) > 0)
		at += used;
	if (!go_on || s->broken || s->in.failed)
		return false;
	if (waiting)
		buf_eat(&s->in, at);
	else if (at < n)
		buf_add(&s->in, p + at, n - at);
	return !s->in.failed;
}

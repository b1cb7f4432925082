/*
 * The parser of server-sent events. Whole lines are read where they lie; only what a
 * chunk leaves unfinished is copied.
 */
#include "lib/llm/sse.h"

#include <stdio.h>
#include <string.h>

void
sse_init(struct sse *s, size_t max, bool (*on_event)(void *, const char *, const char *, size_t), void *arg)
{
	*s = (struct sse){ .line = BUF_INIT(max), .data = BUF_INIT(max), .on_event = on_event, .arg = arg };
}

void
sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
}

static bool
dispatch(struct sse *s)
{
	bool go_on = true;

	if (s->any)
		go_on = s->on_event(s->arg, s->event, s->data.len > 0 ? s->data.p : "", s->data.len);
	buf_clear(&s->data);
	s->any = false;
	s->event[0] = '\0';
	return go_on;
}

static bool
add_data(struct sse *s, const char *v, size_t n)
{
	if (s->any)
		buf_ch(&s->data, '\n');
	buf_add(&s->data, v, n);
	s->any = true;
	return !s->data.failed;
}

static bool
take_line(struct sse *s, const char *p, size_t n)
{
	const char *colon, *v;
	size_t name, left;

	if (!s->begun) {
		s->begun = true;
		if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
			p += 3;
			n -= 3;
		}
	}
	if (n == 0)
		return dispatch(s);
	colon = memchr(p, ':', n);
	name = colon != NULL ? (size_t)(colon - p) : n;
	v = colon != NULL ? colon + 1 : p + n;
	left = (size_t)(p + n - v);
	if (left > 0 && *v == ' ') {
		v++;
		left--;
	}
	if (name == 4 && memcmp(p, "data", 4) == 0)
		return add_data(s, v, left);
	if (name == 5 && memcmp(p, "event", 5) == 0)
		snprintf(s->event, sizeof(s->event), "%.*s", (int)(left < sizeof(s->event) ? left : sizeof(s->event) - 1), v);
	return true;                    /* comments, ids, retry, and what nobody knows */
}

static const char *
line_end(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	const char *cr = memchr(p, '\r', lf != NULL ? (size_t)(lf - p) : n);

	return cr != NULL ? cr : lf;
}

bool
sse_feed(struct sse *s, const char *p, size_t n)
{
	while (n > 0) {
		const char *end;
		size_t len;
		bool go_on;

		if (s->after_cr && *p == '\n') {
			s->after_cr = false;
			p++;
			n--;
			continue;
		}
		s->after_cr = false;
		end = line_end(p, n);
		if (end == NULL) {
			buf_add(&s->line, p, n);
			return !s->line.failed;
		}
		len = (size_t)(end - p);
		s->after_cr = *end == '\r';
		if (s->line.len > 0) {
			buf_add(&s->line, p, len);
			go_on = !s->line.failed && take_line(s, s->line.p, s->line.len);
			s->line.len = 0;        /* not buf_clear: failed stays */
		} else {
			go_on = take_line(s, p, len);
		}
		if (!go_on)
			return false;
		p = end + 1;
		n -= len + 1;
	}
	return true;
}

bool
sse_end(struct sse *s)
{
	bool go_on = true;

	if (s->line.len > 0 && !s->line.failed)
		go_on = take_line(s, s->line.p, s->line.len);
	s->line.len = 0;
	return go_on && dispatch(s);
}

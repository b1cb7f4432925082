/*
 * Shortening one text so that its beginning and its end stay: what a program says last (an error, a sum) matters
 * as much as how it began.
 */
#include <string.h>

#include "lib/agent/fit.h"

enum { HEAD_TENTHS = 6, LINE_WITHIN = 200, GAP = 80 };

static bool
begins(char ch)
{
	return ((unsigned char)ch & 0xC0) != 0x80;
}

static size_t
count(const char *s, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += begins(s[i]);
	return k;
}

/* Bytes of the first max characters. */
static size_t
first(const char *s, size_t n, size_t max)
{
	size_t i = 0;

	for (; i < n; i++)
		if (begins(s[i]) && max-- == 0)
			break;
	return i;
}

/* Where the last max characters begin. */
static size_t
last(const char *s, size_t n, size_t max)
{
	size_t i = n;

	while (i > 0 && max > 0)
		max -= begins(s[--i]);
	return i;
}

/* Back to the end of a line, if one is near. */
static size_t
line_before(const char *s, size_t at)
{
	for (size_t i = at; i > 0 && at - i < LINE_WITHIN; i--)
		if (s[i - 1] == '\n')
			return i;
	return at;
}

/* On to the beginning of a line, if one is near. */
static size_t
line_after(const char *s, size_t n, size_t at)
{
	for (size_t i = at; i < n && i - at < LINE_WITHIN; i++)
		if (i > 0 && s[i - 1] == '\n')
			return i;
	return at;
}

const char *
text_squeeze(struct ctx *c, const char *s, size_t n, size_t max, size_t *ret_n)
{
	size_t chars, head, tail, gone, gap_n;
	const char *gap;
	char *out;

	*ret_n = n;
	if (n <= max || (chars = count(s, n)) <= max)
		return s;
	max = max > 2 * GAP ? max - GAP : max;  /* so that the result is not cut again */
	head = line_before(s, first(s, n, max * HEAD_TENTHS / 10));
	tail = line_after(s, n, last(s, n, max - max * HEAD_TENTHS / 10));
	gone = count(s + head, tail - head);
	gap = ctx_printf(c, "%s[%zu of %zu characters left out]\n", head > 0 && s[head - 1] != '\n' ? "\n" : "", gone, chars);
	gap_n = gap != NULL ? strlen(gap) : 0;
	out = gap != NULL ? ctx_alloc(c, head + gap_n + n - tail + 1) : NULL;
	if (out == NULL)
		return NULL;
	memcpy(out, s, head);
	memcpy(out + head, gap, gap_n);
	memcpy(out + head + gap_n, s + tail, n - tail);
	*ret_n = head + gap_n + n - tail;
	return out;
}

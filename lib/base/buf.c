/*
 * The growing buffer, and whole files through it.
 */
#include "lib/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/util.h"

void
buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void
buf_zero_done(struct buf *b)
{
	if (b->p != NULL)
		zero_bytes(b->p, b->cap);
	buf_done(b);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->failed)
		return NULL;
	if (n <= b->cap && b->len + n < b->cap)
		return b->p + b->len;
	if (n > b->max || b->len > b->max - n) {
		b->failed = b->full = true;
		return NULL;
	}
	for (cap = b->cap < 128 ? 256 : b->cap * 2; cap <= b->len + n; cap *= 2)
		;
	if (cap > b->max + 1)
		cap = b->max + 1;
	p = realloc(b->p, cap);
	if (p == NULL) {
		b->failed = memory_short = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->len;
}

void
buf_add(struct buf *b, const void *s, size_t n)
{
	char *p = buf_room(b, n);

	if (p == NULL)
		return;
	if (n > 0)
		memcpy(p, s, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_ch(struct buf *b, char ch)
{
	char *p = buf_room(b, 1);

	if (p == NULL)
		return;
	p[0] = ch;
	p[1] = '\0';
	b->len++;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char small[512], *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	p = buf_room(b, (size_t)n);
	if (p == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_eat(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
	b->p[b->len] = '\0';
}

enum err
buf_read_file(struct buf *b, const char *path)
{
	SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return ERR_OK;
		buf_add(b, chunk, (size_t)n);
		if (b->failed)
			return b->len + (size_t)n > b->max ? ERR_TOO_LARGE : ERR_NOMEM;
	}
}

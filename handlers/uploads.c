/*
 * Files that were sent for agents, given out again: in pieces, whole or a range of them
 * (RFC 9110, section 14).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "handlers/handlers.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/upload.h"

/* What a browser would take for a page of ours. */
static bool
is_page(const char *type)
{
	static const char *const pages[] = { "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", NULL };
	size_t n = strcspn(type, "; \t");

	for (size_t i = 0; pages[i] != NULL; i++)
		if (strlen(pages[i]) == n && strncasecmp(pages[i], type, n) == 0)
			return true;
	return false;
}

/* Digits to a number; false: none, or too many. */
static bool
number(const char **p, uint64_t *ret)
{
	size_t n = strspn(*p, "0123456789");

	if (n == 0 || n > 18)
		return false;
	*ret = strtoull(*p, NULL, 10);
	*p += n;
	return true;
}

enum range { WHOLE, PART, NONE_OF_IT };

/* One range of bytes; several, or what is none, count as the whole. */
static enum range
range_of(const char *h, uint64_t size, struct reply_file *f)
{
	uint64_t from, to;

	f->from = 0;
	f->n = size;
	if (h == NULL || strncasecmp(h, "bytes=", 6) != 0)
		return WHOLE;
	h += 6;
	if (*h == '-') {
		h++;
		if (!number(&h, &to) || *h != '\0')
			return WHOLE;
		if (to == 0)
			return NONE_OF_IT;
		f->n = to < size ? to : size;
		f->from = size - f->n;
		return PART;
	}
	if (!number(&h, &from) || *h++ != '-')
		return WHOLE;
	to = UINT64_MAX;
	if (*h != '\0' && (!number(&h, &to) || *h != '\0' || to < from))
		return WHOLE;
	if (from >= size)
		return NONE_OF_IT;
	f->from = from;
	f->n = to < size ? to - from + 1 : size - from;
	return PART;
}

static bool
has_tag(const char *list, const char *tag)
{
	return list != NULL && (strcmp(list, "*") == 0 || strstr(list, tag) != NULL);
}

static struct reply
not_in_it(struct ctx *c, uint64_t size)
{
	struct reply r;

	ignore_err(fail(c, ERR_BAD_REQUEST, "The range lies outside the file"));
	c->fault.status = 416;
	r = reply_fail(c);
	r.extra_headers = ctx_printf(c, "Content-Range: bytes */%" PRIu64 "\r\n", size);
	return r;
}

/* Nothing in it may run: not even what a browser shows by itself. */
static struct reply
given(struct ctx *c, const struct request *rq, const struct upload *u, int fd, uint64_t size)
{
	static const char fixed[] = "Content-Security-Policy: default-src 'none'; sandbox\r\nAccept-Ranges: bytes\r\n";
	struct reply_file *f = ctx_alloc(c, sizeof(*f));
	struct reply r = { .status = 200, .media = u->content_type, .file = f, .extra_headers = fixed };
	enum range part = WHOLE;

	r.etag = ctx_printf(c, "\"%s\"", u->id);        /* a file never changes */
	if (f == NULL || r.etag == NULL) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
		return reply_fail(c);
	}
	f->fd = fd;
	if (rq->h.if_range == NULL || strcmp(rq->h.if_range, r.etag) == 0)
		part = range_of(rq->h.range, size, f);
	else
		f->n = size;
	if (has_tag(rq->h.if_none_match, r.etag)) {
		r.status = 304;
	} else if (part == NONE_OF_IT) {
		return not_in_it(c, size);
	} else if (part == PART) {
		r.status = 206;
		r.extra_headers = ctx_printf(c, "%sContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", fixed,
		    f->from, f->from + f->n - 1, size);
	}
	if (is_page(u->content_type)) {
		r.media = "application/octet-stream";
		r.extra_headers = ctx_printf(c, "%sContent-Disposition: attachment\r\n", r.extra_headers);
	}
	return r;
}

static void
close_fd(void *fd)
{
	close(*(int *)fd);
}

/* The file stays open until the answer is out. */
static enum err
open_for_job(struct ctx *c, const char *id, int *ret_fd, uint64_t *ret_size)
{
	int *fd = ctx_alloc(c, sizeof(*fd));
	enum err e = fd == NULL ? fail(c, ERR_NOMEM, "out of memory") : upload_open(c, id, fd, ret_size);

	if (e != ERR_OK)
		return e;
	*ret_fd = *fd;
	return arena_defer(c->arena, close_fd, fd) == 0 ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

struct reply
uploads_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *a = path_arg_n(rq, "file_id");
	struct upload u;
	uint64_t size;
	char id[37];
	int fd;

	if (a == NULL || strlen(a->value) != a->n || !uuid_parse(a->value, id)) {
		ignore_err(fail(c, ERR_BAD_REQUEST, "Invalid file ID"));
		return reply_fail(c);
	}
	if (upload_load(c, id, &u) != ERR_OK || open_for_job(c, id, &fd, &size) != ERR_OK)
		return reply_fail(c);
	return given(c, rq, &u, fd, size);
}

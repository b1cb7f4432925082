/*
 * multipart/form-data (RFC 7578, RFC 2046), read as it comes: whatever the size of a
 * part, only a boundary's length of it is kept.
 */
#ifndef LF_MULTIPART_H
#define LF_MULTIPART_H
#include "lib/base/base.h"

enum { MULTIPART_BOUNDARY_MAX = 70, MULTIPART_HEAD_MAX = 8192 };

/* What is read is told here. false from begin or data: stop (ERR_CANCELLED). */
struct multipart_sink {
	void *arg;
	/* A part begins. name, filename (NULL: none), type (NULL: none); valid during the call. */
	bool (*begin)(void *arg, const char *name, const char *filename, const char *type);
	bool (*data)(void *arg, const char *, size_t);
};

struct multipart {
	const struct multipart_sink *sink;
	char mark[4 + MULTIPART_BOUNDARY_MAX + 1];      /* CR LF - - boundary */
	size_t mark_n, matched;         /* of the mark, seen at the end of what came */
	size_t border[4 + MULTIPART_BOUNDARY_MAX + 1];  /* of each of its beginnings: how much of it is one again */
	int state;
	size_t head_n;
	char head[MULTIPART_HEAD_MAX + 1];
	unsigned parts;
};

/* The boundary out of a Content-Type. false: it is not multipart/form-data, or has no usable boundary. */
bool multipart_boundary(const char *content_type, char ret[static MULTIPART_BOUNDARY_MAX + 1]);
void multipart_init(struct multipart *, const char *boundary, const struct multipart_sink *);
/* ERR_BAD_REQUEST: it is malformed; ERR_CANCELLED: the sink said stop. */
enum err multipart_feed(struct multipart *, const char *, size_t) MUST_CHECK;
/* Has the closing boundary come? */
bool multipart_done(const struct multipart *);
#endif

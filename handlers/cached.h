/*
 * Bodies that stay the same until the configuration changes: made once per
 * process, compressed once, answered with 304 to whoever has them.
 */
#ifndef LF_CACHED_H
#define LF_CACHED_H
#include "lib/api/api.h"

struct cached_body {
	bool made;
	uint32_t generation, catalog;   /* of configuration and catalog it was made under */
	struct buf text, gz;
	char etag[24], etag_gz[28];     /* with their quotes */
};

/*
 * The reply to rq, from *cb, which make() fills first when need be: it
 * writes the whole body into the empty buffer. media: NULL is application/json. *cb is
 * static; one thread.
 */
struct reply cached_reply(struct ctx *, const struct request *rq, struct cached_body *cb,
    const char *media, enum err (*make)(struct ctx *, struct buf *));
/*
 * Answers made of rows, kept while nothing was committed: for a list that many ask for
 * again and again. An answer lives for the second it was made in, so that
 * ages and windows in it stay true. What is asked is told apart by the raw query and by
 * whose agents the caller may see.
 */
enum { ROWS_KEPT = 8, ROWS_KEY = 256 };

struct cached_rows {
	struct {
		char key[ROWS_KEY];
		uint32_t generation;
		int64_t mark, second;
		struct buf text;
	} slot[ROWS_KEPT];
	unsigned next;
};

/* The reply from *cr or from make(), which writes one JSON value. One thread. */
struct reply cached_rows_reply(struct ctx *, const struct request *rq, struct cached_rows *cr,
    enum err (*make)(struct ctx *, const struct request *, struct jw *));
#endif

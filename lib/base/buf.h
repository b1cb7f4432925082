/*
 * Growing byte buffer with a maximum given at birth.
 *
 * After a failure (maximum passed or no memory) further additions do nothing
 * and `failed` stays set, so one check at the end suffices. `p` is always
 * NUL-terminated once anything was added; p is NULL for an empty buffer.
 */
#ifndef LF_BUF_H
#define LF_BUF_H
#include "lib/base/base.h"

struct buf {
	char *p;
	size_t len, cap, max;
	bool failed, full;              /* full: it failed for its maximum, not for want of memory */
};

#define BUF_INIT(max_bytes) { .max = (max_bytes) }
#define SCOPED_BUF __attribute__((cleanup(buf_done))) struct buf

void buf_done(struct buf *);                    /* frees; may be used again */
void buf_clear(struct buf *);                   /* length 0, memory kept, failed reset */
void buf_add(struct buf *, const void *, size_t);
void buf_str(struct buf *, const char *);
void buf_ch(struct buf *, char);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_eat(struct buf *, size_t n);           /* drop the first n bytes */
char *buf_room(struct buf *, size_t n);         /* at least n writable bytes at the end, or NULL; then add to len */
void buf_zero_done(struct buf *);               /* as buf_done, wiped first: for secrets */
/* Whole file into b (b->max rules). ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO, ERR_NOMEM. */
enum err buf_read_file(struct buf *b, const char *path) MUST_CHECK;
#endif

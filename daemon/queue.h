/*
 * What waits to be written to one connection: a list of chunks with a bound
 * on its bytes. Threads add at the end, the loop takes from the front.
 * The caller locks; only queue_bytes() may be asked without.
 */
#ifndef LF_QUEUE_H
#define LF_QUEUE_H
#include <stdatomic.h>
#include "lib/base/base.h"

enum {
	QUEUE_ROOM = 16,        /* bytes before a chunk's own: a frame's head is written there */
	QUEUE_CHUNK = 2048,     /* small pieces of a stream share a chunk of so much */
};

struct chunk {
	struct chunk *next;
	size_t len, at, cap;            /* bytes, of them written, room */
	bool whole;                     /* one message: nothing is joined to it */
	int close_code;                 /* not 0: no bytes to send but a farewell; the bytes are its reason */
	unsigned char room[QUEUE_ROOM];
	unsigned char bytes[];
};

struct queue {
	struct chunk *head, **end;
	_Atomic size_t bytes;           /* added and not yet eaten */
	size_t max;
};

void queue_init(struct queue *, size_t max_bytes);
void queue_done(struct queue *);
/* Add to a stream. false: over the bound or no memory; nothing was added. */
bool queue_add(struct queue *, const void *, size_t n) MUST_CHECK;
/* Add one message, or a farewell (close_code not 0). force: the bound does not count. */
bool queue_add_whole(struct queue *, const void *, size_t n, int close_code, bool force) MUST_CHECK;
/* Take all chunks; the caller owns the list and says queue_eaten() as it writes. */
struct chunk *queue_take(struct queue *);
void queue_eaten(struct queue *, size_t n);
size_t queue_bytes(const struct queue *);
void chunks_free(struct chunk *);
#endif

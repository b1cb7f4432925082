/*
 * Bytes on their way from threads to the loop. A burst of small pieces ends
 * up in few chunks, so a fast model costs few writes; an idle stream holds no chunk at all.
 */
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

void
queue_init(struct queue *q, size_t max_bytes)
{
	*q = (struct queue){ .max = max_bytes };
	q->end = &q->head;
}

void
chunks_free(struct chunk *k)
{
	while (k != NULL) {
		struct chunk *next = k->next;

		free(k);
		k = next;
	}
}

void
queue_done(struct queue *q)
{
	chunks_free(q->head);
	queue_init(q, q->max);
}

size_t
queue_bytes(const struct queue *q)
{
	return atomic_load_explicit(&q->bytes, memory_order_relaxed);
}

void
queue_eaten(struct queue *q, size_t n)
{
	atomic_fetch_sub_explicit(&q->bytes, n, memory_order_relaxed);
}

static bool
fits(const struct queue *q, size_t n)
{
	size_t had = queue_bytes(q);

	return had <= q->max && n <= q->max - had;
}

static struct chunk *
chunk_new(struct queue *q, size_t cap)
{
	struct chunk *k;

	if (cap > SIZE_MAX - sizeof(*k))
		return NULL;
	k = malloc(sizeof(*k) + cap);
	if (k == NULL)
		return NULL;
	memset(k, 0, sizeof(*k));
	k->cap = cap;
	*q->end = k;
	q->end = &k->next;
	return k;
}

static struct chunk *
tail(struct queue *q)
{
	return q->head == NULL ? NULL
	    : (struct chunk *)((char *)q->end - offsetof(struct chunk, next));
}

static void
put(struct queue *q, struct chunk *k, const void *p, size_t n)
{
	if (n > 0)
		memcpy(k->bytes + k->len, p, n);
	k->len += n;
	atomic_fetch_add_explicit(&q->bytes, n, memory_order_relaxed);
}

bool
queue_add(struct queue *q, const void *p, size_t n)
{
	struct chunk *k = tail(q);

	if (!fits(q, n))
		return false;
	if (k == NULL || k->whole || k->cap - k->len < n)
		k = chunk_new(q, n > QUEUE_CHUNK ? n : QUEUE_CHUNK);
	if (k == NULL)
		return false;
	put(q, k, p, n);
	return true;
}

bool
queue_add_whole(struct queue *q, const void *p, size_t n, int close_code, bool force)
{
	struct chunk *k;

	if (!force && !fits(q, n))
		return false;
	k = chunk_new(q, n);
	if (k == NULL)
		return false;
	k->whole = true;
	k->close_code = close_code;
	put(q, k, p, n);
	return true;
}

struct chunk *
queue_take(struct queue *q)
{
	struct chunk *k = q->head;

	q->head = NULL;
	q->end = &q->head;
	return k;
}

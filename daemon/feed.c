/*
 * A body that its handler reads as it comes: the loop puts pieces in, the
 * handler's thread takes them out, and the connection is not read while more lies there than
 * FEED_MAX. So memory stays the same however large the body is, and the loop writes to no disk.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/conn.h"
#include "daemon/threads.h"

enum { FEED_MAX = 256 * 1024 };

struct feed {
	pthread_cond_t more;
	struct queue q;
	struct chunk *taken;            /* the reader's own */
	bool whole;                     /* all of it is here */
	bool closed;                    /* nobody reads any more */
};

bool
feed_open(struct live *l)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return false;
	pthread_cond_init(&f->more, NULL);
	queue_init(&f->q, SIZE_MAX);
	l->feed = f;
	return true;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	queue_done(&f->q);
	chunks_free(f->taken);
	pthread_cond_destroy(&f->more);
	free(f);
}

/* --- the loop's end ------------------------------------------------------------- */

bool
feed_put(struct live *l, const void *p, size_t n, bool *ret_full)
{
	struct feed *f = l->feed;
	bool put;

	pthread_mutex_lock(&l->mu);
	put = f->closed || queue_add_whole(&f->q, p, n, 0, true);
	*ret_full = !f->closed && queue_bytes(&f->q) > FEED_MAX;
	pthread_cond_signal(&f->more);
	pthread_mutex_unlock(&l->mu);
	return put;
}

void
feed_end(struct live *l)
{
	pthread_mutex_lock(&l->mu);
	l->feed->whole = true;
	pthread_cond_signal(&l->feed->more);
	pthread_mutex_unlock(&l->mu);
}

bool
feed_wants(struct live *l)
{
	bool wants;

	pthread_mutex_lock(&l->mu);
	wants = l->feed->closed || queue_bytes(&l->feed->q) < FEED_MAX / 2;
	pthread_mutex_unlock(&l->mu);
	return wants;
}

/* --- the thread's end ------------------------------------------------------------- */

/* With l->mu. */
void
feed_cut(struct live *l)
{
	if (l->feed != NULL)
		pthread_cond_signal(&l->feed->more);
}

/* With l->mu. Returns whether all of the body had come. */
bool
feed_close(struct live *l)
{
	if (l->feed == NULL)
		return true;
	l->feed->closed = true;
	queue_done(&l->feed->q);
	return l->feed->whole;
}

static struct chunk *
next_chunk(struct live *l)
{
	struct feed *f = l->feed;

	if (f->taken != NULL)
		return f->taken;
	pthread_mutex_lock(&l->mu);
	while (f->q.head == NULL && !f->whole && !l->gone)
		pthread_cond_wait(&f->more, &l->mu);
	if (!l->gone)
		f->taken = queue_take(&f->q);
	pthread_mutex_unlock(&l->mu);
	return f->taken;
}

ssize_t
live_read(struct live *l, void *out, size_t cap)
{
	struct feed *f = l->feed;
	struct chunk *k;
	size_t n;

	if (f == NULL)
		return 0;               /* a request without a body */
	threads_rest();
	k = next_chunk(l);
	if (k == NULL)
		return live_gone(l) ? -1 : 0;
	n = k->len - k->at < cap ? k->len - k->at : cap;
	memcpy(out, k->bytes + k->at, n);
	k->at += n;
	if (k->at == k->len) {
		f->taken = k->next;
		k->next = NULL;
		chunks_free(k);
	}
	pthread_mutex_lock(&l->mu);
	queue_eaten(&f->q, n);
	if (f->taken == NULL && !f->whole)
		live_wake(l);           /* it may be read again */
	pthread_mutex_unlock(&l->mu);
	return (ssize_t)n;
}

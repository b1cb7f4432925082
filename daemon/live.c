/*
 * The thread's end of a connection. Everything here takes the handle's lock,
 * changes a queue or a flag, and wakes the loop if it is not awake for this
 * handle already. The lock is never held across a system call but that one wake-up.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/conn.h"
#include "daemon/standing.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { JOINED_BODY_MAX = 32768 };

/* A thread that waits until no more than that is to be written. The loop looks for it without the lock, after each write. */
struct drain {
	pthread_cond_t less;
	size_t below;
	int64_t since_us;               /* the client took something last */
};

struct live *
live_new(void)
{
	struct live *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	atomic_init(&l->holds, 1);
	pthread_mutex_init(&l->mu, NULL);
	queue_init(&l->q, LIVE_QUEUE_MAX);
	return l;
}

struct live *
live_hold(struct live *l)
{
	atomic_fetch_add(&l->holds, 1);
	return l;
}

void
live_drop(struct live *l)
{
	if (l == NULL || atomic_fetch_sub(&l->holds, 1) != 1)
		return;
	queue_done(&l->q);
	feed_free(l->feed);
	standing_end(l->stands);
	pthread_mutex_destroy(&l->mu);
	free(l->slot_peer);
	free(l);
}

/* --- answers and streams ---------------------------------------------------- */

/* The lock is held. */
static void
stop_waiting(struct live *l)
{
	struct drain *d = atomic_load(&l->drain);

	if (d != NULL)
		pthread_cond_signal(&d->less);
}

/* The loop drops it. */
static bool
too_slow(struct live *l)
{
	l->too_slow = l->gone = true;
	if (shm != NULL)
		atomic_fetch_add(&shm->event_drops, 1);
	stop_waiting(l);
	live_wake(l);
	return false;
}

static bool
add(struct live *l, const void *p, size_t n)
{
	if (l->gone || l->ended)
		return false;
	if (!queue_add(&l->q, p, n))
		return too_slow(l);
	live_wake(l);
	return true;
}

static void
head_text(struct buf *b, struct ctx *c, const struct request *rq, const struct reply *r, bool last)
{
	buf_printf(b, "HTTP/1.1 %d %s\r\n", r->status, status_phrase(r->status));
	reply_headers(c, rq, r, b);
	if (last)
		buf_str(b, "Connection: close\r\n");
}

enum err
live_begin(struct live *l, struct ctx *c, const char *media)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct reply r = { .status = 200, .media = media };
	bool sse = strncmp(media, "text/event-stream", 17) == 0;
	bool chunked = !sse && l->may_chunk;    /* an event stream says its end itself */
	bool added;

	head_text(&b, c, l->rq, &r, true);
	if (chunked)
		buf_str(&b, "Transfer-Encoding: chunked\r\n");
	buf_str(&b, "X-Accel-Buffering: no\r\n\r\n");
	if (b.failed)
		return fail(c, ERR_NOMEM, "out of memory");
	if (l->stands == NULL)
		l->stands = standing_begin(l, c);
	pthread_mutex_lock(&l->mu);
	l->begun = l->last = true;
	l->sse = sse;
	l->chunked = chunked;
	added = add(l, b.p, b.len);
	if (l->rq->head)
		l->ended = true;
	pthread_mutex_unlock(&l->mu);
	return added ? ERR_OK : fail(c, ERR_CANCELLED, "the client is gone");
}

bool
live_send(struct live *l, const void *p, size_t n)
{
	char size[24];
	bool sent;

	pthread_mutex_lock(&l->mu);
	if (l->chunked && n > 0)
		sent = l->begun && add(l, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", n)) && add(l, p, n) && add(l, "\r\n", 2);
	else
		sent = l->begun && add(l, p, n);
	pthread_mutex_unlock(&l->mu);
	return sent;
}

bool
live_event(struct live *l, const char *id, const char *name, const char *json, size_t n)
{
	bool sent;

	pthread_mutex_lock(&l->mu);
	sent = l->begun && (id == NULL || (add(l, "id: ", 4) && add(l, id, strlen(id)) && add(l, "\n", 1))) &&
	    (name == NULL || (add(l, "event: ", 7) && add(l, name, strlen(name)) && add(l, "\n", 1))) &&
	    add(l, "data: ", 6) && add(l, json, n) && add(l, "\n\n", 2);
	pthread_mutex_unlock(&l->mu);
	return sent;
}

void
live_end(struct live *l)
{
	pthread_mutex_lock(&l->mu);
	if (l->begun && !l->ended) {
		if (l->chunked)
			(void)add(l, "0\r\n\r\n", 5);
		l->ended = true;
		live_wake(l);
	}
	pthread_mutex_unlock(&l->mu);
}

bool
live_wait(struct live *l, size_t below, unsigned patience_ms)
{
	struct drain d = { .less = PTHREAD_COND_INITIALIZER, .below = below, .since_us = clock_mono_us() };
	bool good = true;

	pthread_mutex_lock(&l->mu);
	atomic_store(&l->drain, &d);    /* before the bytes are looked at: who takes some sees it afterwards */
	while (good && !l->gone && queue_bytes(&l->q) > below) {
		struct timespec until = timespec_of_us(d.since_us + (int64_t)patience_ms * 1000);

		pthread_cond_clockwait(&d.less, &l->mu, CLOCK_MONOTONIC, &until);
		good = clock_mono_us() - d.since_us < (int64_t)patience_ms * 1000;
	}
	atomic_store(&l->drain, NULL);
	good = good && !l->gone;
	pthread_mutex_unlock(&l->mu);
	pthread_cond_destroy(&d.less);
	return good;
}

void
live_eaten(struct live *l, size_t n)
{
	struct drain *d;

	queue_eaten(&l->q, n);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&l->drain) == NULL)
		return;
	pthread_mutex_lock(&l->mu);
	d = atomic_load(&l->drain);
	if (d != NULL) {
		d->since_us = clock_mono_us();
		if (queue_bytes(&l->q) <= d->below)
			pthread_cond_signal(&d->less);
	}
	pthread_mutex_unlock(&l->mu);
}

void
live_break(struct live *l)
{
	pthread_mutex_lock(&l->mu);
	if (!l->gone)
		(void)too_slow(l);
	pthread_mutex_unlock(&l->mu);
}

/* Head and body, together when that costs little copying. */
static bool
add_answer(struct live *l, struct buf *b, const struct reply *r, bool body)
{
	if (body && r->body_bytes <= JOINED_BODY_MAX)
		buf_add(b, r->body, r->body_bytes);
	if (b->failed || !queue_add_whole(&l->q, b->p, b->len, 0, true))
		return false;
	return !body || r->body_bytes <= JOINED_BODY_MAX ||
	    queue_add_whole(&l->q, r->body, r->body_bytes, 0, true);
}

/* What the handler returned goes out, or what it has streamed ends. */
void
live_finish(struct live *l, const struct request *rq, struct ctx *c, const struct reply *r)
{
	SCOPED_BUF b = BUF_INIT(65536 + JOINED_BODY_MAX);
	bool bodiless = r->status == 204 || r->status == 304;

	pthread_mutex_lock(&l->mu);
	l->last |= !feed_close(l);
	pthread_mutex_unlock(&l->mu);
	if (!l->begun) {
		head_text(&b, c, rq, r, l->last);
		if (!bodiless)
			buf_printf(&b, "Content-Length: %zu\r\n", r->body_bytes);
		buf_add(&b, "\r\n", 2);
	}
	pthread_mutex_lock(&l->mu);
	if (!l->begun && !add_answer(l, &b, r, !bodiless && !rq->head && r->body_bytes > 0))
		l->too_slow = l->gone = true;   /* no memory for the answer: the connection ends without one */
	l->begun = true;
	l->ended = l->ended || !r->stays;
	l->rq = NULL;
	live_wake(l);
	pthread_mutex_unlock(&l->mu);
}

/* --- the client goes -------------------------------------------------------- */

bool
live_gone(struct live *l)
{
	bool gone;

	pthread_mutex_lock(&l->mu);
	gone = l->gone;
	pthread_mutex_unlock(&l->mu);
	return gone;
}

void
live_on_gone(struct live *l, struct cancel *k, int why)
{
	pthread_mutex_lock(&l->mu);
	l->cancel = k;
	l->why = why;
	if (k != NULL && l->gone)
		cancel_now(k, why);
	pthread_mutex_unlock(&l->mu);
}

/* The lock is held while cancelling, so that nobody forgets k in between. */
void
live_cut(struct live *l)
{
	pthread_mutex_lock(&l->mu);
	l->gone = true;
	stop_waiting(l);
	feed_cut(l);
	if (l->cancel != NULL)
		cancel_now(l->cancel, l->why);
	pthread_mutex_unlock(&l->mu);
}

/* --- WebSocket --------------------------------------------------------------- */

bool
live_ws_text(struct live *l, const char *text, size_t n)
{
	bool sent;

	pthread_mutex_lock(&l->mu);
	sent = !l->gone && !l->ended &&
	    (queue_add_whole(&l->q, text, n, 0, false) || too_slow(l));
	if (sent)
		live_wake(l);
	pthread_mutex_unlock(&l->mu);
	return sent;
}

void
live_ws_close(struct live *l, int code, const char *why)
{
	size_t n = strlen(why);

	pthread_mutex_lock(&l->mu);
	if (l->gone || l->ended) {
		/* nobody is there to be told */
	} else if (queue_add_whole(&l->q, why, n > 123 ? 123 : n, code, true)) {
		l->ended = true;
		live_wake(l);
	} else {
		(void)too_slow(l);      /* no memory: it ends without a word */
	}
	pthread_mutex_unlock(&l->mu);
}

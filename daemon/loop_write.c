/*
 * Writing: from a request's queue to its connection, and the comment that
 * keeps a silent stream alive.
 *
 * Difficult here: the library tells that a connection takes more only while
 * that connection may also be read, but must not find anything to read while its request runs
 * (ask_writable). Whatever is odd about a client ends with its being cut off, not with a loop that spins.
 */
#include <string.h>
#include <sys/socket.h>

#include "daemon/conn.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum {
	TRY_US = 1000, TRY_MAX_US = 32000, /* between two tries to write by the clock; twice as long each time */
	SMALL = 65536,                  /* bytes that a connection takes at once */
	SLOW_US = 200000,               /* between two looks whether a slow reader sends */
};

/* Event streams, longest silent first. */
static struct {
	struct conn *oldest, *newest;
	lws_sorted_usec_list_t timer;
} streams;

/* --- when a connection takes no more -------------------------------------------------- */

/*
 * From outside the connection's own callbacks. What was written is with the kernel by then, or
 * is not worth waiting for.
 */
void
conn_close_soon(struct conn *k)
{
	k->closing = true;
	lws_set_timeout(k->src.wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* Has the client sent more than its request, or closed its half? */
static bool
more_to_read(struct conn *k)
{
	char c;

	return recv((int)lws_get_socket_fd(k->src.wsi), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/*
 * Let the connection be read again. false: more than its request has been read from it before. The
 * library has that in a buffer of its own, which shows only in that it asks to write then, too; and
 * it takes a body from there wrongly and for ever, so who sends the next request too early is cut off.
 */
static bool
read_again(struct conn *k)
{
	unsigned expected = k->may_read ? 0 : 1;

	k->poll_changes = 0;
	lws_rx_flow_control(k->src.wsi, 1 | LWS_RXFLOW_REASON_FLAG_PROCESS_NOW);
	return k->poll_changes <= expected;
}

static void slow_timer(lws_sorted_usec_list_t *);

static void
try_later(struct conn *k)
{
	k->try_us = k->try_us == 0 ? TRY_US : k->try_us < TRY_MAX_US ? k->try_us * 2 : TRY_MAX_US;
	lws_sul_schedule(loop_context(), 0, &k->slow, slow_timer, k->try_us);
}

static void
slow_timer(lws_sorted_usec_list_t *sul)
{
	struct conn *k = lws_container_of(sul, struct conn, slow);

	if (k->may_read) {
		if (more_to_read(k))
			conn_close_soon(k);
		else
			lws_sul_schedule(loop_context(), 0, sul, slow_timer, SLOW_US);
		return;
	}
	if (lws_partial_buffered(k->src.wsi) && lws_write(k->src.wsi, NULL, 0, LWS_WRITE_HTTP) < 0) {
		conn_close_soon(k);
		return;
	}
	if (!lws_partial_buffered(k->src.wsi))
		k->try_us = 0;
	if (conn_pump(k, false) != 0)
		conn_close_soon(k);
}

/*
 * Come back when the connection takes more. The library tells of that only while it may
 * also read, and a connection that has something to read while its request runs makes it spin. So
 * reading is allowed just for the wait, and one that sends more while it does not read is cut off. A client
 * that has closed its half is served by the clock instead; so is one whose connection is kept: it may have
 * the whole answer, and ask again, before the library tells us that the last of it has gone.
 */
static void
ask_writable(struct conn *k)
{
	k->ws_asked = true;
	if (k->phase == IN_JOB && !k->may_read) {
		if ((!k->live->last && !k->raw) || more_to_read(k)) {
			try_later(k);
			return;
		}
		if (!read_again(k)) {
			conn_close_soon(k);
			return;
		}
		k->may_read = true;
		lws_sul_schedule(loop_context(), 0, &k->slow, slow_timer, SLOW_US);
	}
	lws_callback_on_writable(k->src.wsi);
}

/* --- streams: a comment after silence ------------------------------------------ */

static void
stream_leave(struct conn *k)
{
	if (!k->in_streams)
		return;
	*(k->older != NULL ? &k->older->newer : &streams.oldest) = k->newer;
	*(k->newer != NULL ? &k->newer->older : &streams.newest) = k->older;
	k->older = k->newer = NULL;
	k->in_streams = false;
}

static void
stream_comment(struct conn *k)
{
	static const char comment[] = ": keep-alive\n\n";
	unsigned char text[LWS_PRE + sizeof(comment)];

	memcpy(text + LWS_PRE, comment, sizeof(comment));
	if (k->out != NULL || lws_partial_buffered(k->src.wsi))
		return;
	if (lws_write(k->src.wsi, text + LWS_PRE, sizeof(comment) - 1, LWS_WRITE_HTTP) < 0)
		conn_close_soon(k);
	else if (lws_partial_buffered(k->src.wsi))
		ask_writable(k);
}

static void stream_touch(struct conn *);

static void
stream_timer(lws_sorted_usec_list_t *sul)
{
	int64_t now = clock_mono_us();
	struct conn *k;

	while ((k = streams.oldest) != NULL && now - k->wrote_us >= KEEP_ALIVE_US) {
		stream_comment(k);
		stream_touch(k);
	}
	if (k != NULL)
		lws_sul_schedule(loop_context(), 0, sul, stream_timer, k->wrote_us + KEEP_ALIVE_US - now);
}

/* All streams are silent for the same time, so the one written to last goes to the end: no search. */
static void
stream_touch(struct conn *k)
{
	bool first = streams.oldest == NULL;

	stream_leave(k);
	k->wrote_us = clock_mono_us();
	k->in_streams = true;
	k->older = streams.newest;
	*(k->older != NULL ? &k->older->newer : &streams.oldest) = k;
	streams.newest = k;
	if (first && lws_dll2_is_detached(&streams.timer.list))
		lws_sul_schedule(loop_context(), 0, &streams.timer, stream_timer, KEEP_ALIVE_US);
}

/* --- writing -------------------------------------------------------------------- */

/*
 * What the thread has queued becomes the connection's, once it has written what it took before.
 * Returns whether that is all there will be. *more: something had to stay in the queue.
 */
static bool
take_output(struct conn *k, bool *more, bool *dropped)
{
	struct live *l = k->live;
	bool ended;

	pthread_mutex_lock(&l->mu);
	if (k->out == NULL)
		k->out = queue_take(&l->q);
	*more = l->q.head != NULL;
	ended = l->ended && !*more;
	*dropped = l->too_slow;
	if (l->sse && !k->in_streams && l->begun && shm != NULL)
		atomic_fetch_add(&shm->sse_open, 1);
	if (l->sse && !k->in_streams)
		stream_touch(k);
	pthread_mutex_unlock(&l->mu);
	return ended;
}

static void
out_shift(struct conn *k)
{
	struct chunk *first = k->out;

	k->out = first->next;
	first->next = NULL;
	chunks_free(first);
}

/* One chunk, or as much of it as one write may be. -1: the connection is broken. */
static ssize_t
write_some(struct conn *k)
{
	struct chunk *c = k->out;
	size_t n = c->len - c->at;

	if (k->phase != AS_WS && n > WRITE_MAX)
		n = WRITE_MAX;
	if (lws_write(k->src.wsi, c->bytes + c->at, n, k->phase == AS_WS ? LWS_WRITE_TEXT : LWS_WRITE_HTTP) < 0)
		return -1;
	c->at += n;
	live_eaten(k->live, n);
	if (c->at == c->len)
		out_shift(k);
	return (ssize_t)n;
}

/* The answer is out: the connection rests until its next request, or ends. */
static int
answered(struct conn *k)
{
	struct live *l = k->live;
	bool last = l->last || k->raw;

	stream_leave(k);
	if (l->sse && shm != NULL)
		atomic_fetch_sub(&shm->sse_open, 1);
	k->live = NULL;
	l->conn = NULL;
	live_drop(l);
	lws_sul_cancel(&k->slow);
	if (last || k->early || !read_again(k))
		return -1;
	k->phase = AT_REST;
	k->looked = false;
	k->try_us = 0;
	k->may_read = false;
	return lws_http_transaction_completed(k->src.wsi) != 0 ? -1 : 0;
}

static int
farewell(struct conn *k)
{
	lws_close_reason(k->src.wsi, (enum lws_close_status)k->out->close_code,
	    k->out->bytes, k->out->len);
	return -1;
}

/* Before an answer on a kept connection that may not go out at once, and only then: later the signs are mixed up. */
static void
look_for_early(struct conn *k)
{
	if (k->looked || k->phase != IN_JOB || k->may_read || k->out == NULL || k->live->last ||
	    (k->out->next == NULL && k->out->len <= SMALL))
		return;
	k->looked = true;
	k->early = !read_again(k);
	lws_rx_flow_control(k->src.wsi, 0);
}

int
conn_pump(struct conn *k, bool inside)
{
	bool ended, more, dropped;
	ssize_t n, written = 0;

	if (k->closing)
		return -1;
	if (k->live == NULL)
		return 0;
	ended = take_output(k, &more, &dropped);
	if (dropped)
		return -1;
	if (!inside && (k->phase == AS_WS || lws_partial_buffered(k->src.wsi))) {
		if (k->out != NULL || lws_partial_buffered(k->src.wsi))
			ask_writable(k);
		return 0;
	}
	look_for_early(k);
	while (k->out != NULL && written < WRITE_MAX && !lws_partial_buffered(k->src.wsi)) {
		if (k->out->close_code != 0)
			return farewell(k);
		n = write_some(k);
		if (n < 0)
			return -1;
		written += n;
	}
	if (written > 0 && k->in_streams)
		stream_touch(k);
	if (k->out != NULL || more || lws_partial_buffered(k->src.wsi)) {
		ask_writable(k);
		return 0;
	}
	if (ended && k->phase == IN_JOB)
		return answered(k);
	if (ended && k->phase == IN_FEED)
		k->answered_early = true;       /* closing now could take the answer with it: the other end closes, or the body ends */
	if (k->may_read && k->phase == IN_JOB) {
		lws_rx_flow_control(k->src.wsi, 0);
		lws_sul_cancel(&k->slow);
		k->may_read = false;
	}
	return 0;
}

/* The connection ends. */
void
conn_writes_no_more(struct conn *k)
{
	if (k->in_streams && shm != NULL)
		atomic_fetch_sub(&shm->sse_open, 1);
	stream_leave(k);
	lws_sul_cancel(&k->slow);
}

void
streams_stop(void)
{
	lws_sul_cancel(&streams.timer);
}

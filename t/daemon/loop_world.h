/*
 * A small world for the loop's test: configuration, rows whose handlers echo, stream and wait, and a chat that answers.
 */
#ifndef LF_T_LOOP_WORLD_H
#define LF_T_LOOP_WORLD_H
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/loop.h"
#include "daemon/threads.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"

static struct config cfg = {
	.max_body_bytes = 1 << 20, .turn_threads = 1200, .max_ws_per_ip = 2, .ws_idle_s = 1,
	.api_requests_per_minute = 1000000, .log_level = "error",
};

struct conf { int unused; };
static struct conf the_conf;

struct conf *conf_hold(void) { return &the_conf; }
struct conf *conf_again(struct conf *k) { return k; }
void conf_drop(struct conf *k) { (void)k; }
const struct config *conf_of(const struct conf *k) { (void)k; return &cfg; }

static _Atomic int cancelled_with, slow_gone, streams;

static struct reply
hello(struct ctx *c, const struct request *rq)
{
	return reply_words(c, 200, "hello", rq->peer, "rid", c->rid, NULL);
}

static struct reply
echo(struct ctx *c, const struct request *rq)
{
	return reply_raw(c, 200, "text/plain", rq->body, rq->body_bytes);
}

static struct reply
big(struct ctx *c, const struct request *rq)
{
	size_t n = 3 << 20;
	char *p = ctx_alloc(c, n);

	(void)rq;
	memset(p, 'x', n);
	return reply_raw(c, 200, "text/plain", p, n);
}

static struct reply
stream(struct ctx *c, const struct request *rq)
{
	if (live_begin(rq->live, c, "text/event-stream") != ERR_OK)
		return reply_streamed(c);
	for (int i = 0; i < 20; i++) {
		char j[32];
		int n = snprintf(j, sizeof(j), "{\"i\":%d}", i);

		(void)live_event(rq->live, NULL, i % 2 ? "odd" : NULL, j, (size_t)n);
	}
	live_end(rq->live);
	return reply_streamed(c);
}

/* Waits without a database connection until somebody cancels it. */
static struct reply
forever(struct ctx *c, const struct request *rq)
{
	struct cancel k = { 0 };

	job_db_release(c);
	live_on_gone(rq->live, &k, CANCEL_GONE);
	if (live_begin(rq->live, c, "text/event-stream") != ERR_OK)
		return reply_streamed(c);
	(void)live_event(rq->live, NULL, NULL, "{}", 2);
	atomic_fetch_add(&streams, 1);
	while (!cancelled(&k))
		nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	atomic_fetch_sub(&streams, 1);
	atomic_store(&cancelled_with, k.why);
	live_on_gone(rq->live, NULL, 0);
	job_db_acquire(c);
	return reply_streamed(c);
}

/* A turn of a second: an event each 100 ms. */
static struct reply
paced(struct ctx *c, const struct request *rq)
{
	job_db_release(c);
	if (live_begin(rq->live, c, "text/event-stream") != ERR_OK)
		return reply_streamed(c);
	for (int i = 0; i < 100 && !live_gone(rq->live); i++) {
		(void)live_event(rq->live, NULL, NULL, "{\"content\":\"some words of an answer\"}", 37);
		nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	}
	live_end(rq->live);
	return reply_streamed(c);
}

static struct reply
flood(struct ctx *c, const struct request *rq)
{
	static const char text[4096] = "y";

	if (live_begin(rq->live, c, "text/event-stream") != ERR_OK)
		return reply_streamed(c);
	for (int i = 0; i < 10000; i++)
		if (!live_send(rq->live, text, sizeof(text))) {
			atomic_store(&slow_gone, live_gone(rq->live) ? 1 : 2);
			break;
		}
	return reply_streamed(c);
}

/* A little at a time, more than a socket takes at once, less than a queue may hold. */
enum { PIECES = 150, PIECE = 5000 };

static struct reply
pieces(struct ctx *c, const struct request *rq)
{
	static const char text[PIECE] = "z";

	if (live_begin(rq->live, c, "text/event-stream") != ERR_OK)
		return reply_streamed(c);
	for (int i = 0; i < PIECES && live_send(rq->live, text, sizeof(text)); i++)
		usleep(200);
	return reply_streamed(c);
}

/* Reads its body as it comes, slower than it comes. */
static _Atomic long taken;

static struct reply
swallow(struct ctx *c, const struct request *rq)
{
	char part[65536], text[32];
	ssize_t n;
	long all = 0;

	job_db_release(c);
	while ((n = live_read(rq->live, part, sizeof(part))) > 0) {
		all += n;
		usleep(500);
	}
	atomic_store(&taken, n < 0 ? -all - 1 : all);
	snprintf(text, sizeof(text), "%ld of %zu", all, rq->body_bytes);
	return reply_words(c, 200, "took", text, NULL);
}

static struct reply
lazy(struct ctx *c, const struct request *rq)
{
	(void)rq;
	ignore_err(fail(c, ERR_BAD_REQUEST, "not this one"));
	return reply_fail(c);
}

static const struct schema any = { .name = "Any", .flags = SF_ANY };
#define ROW(v, p, h, ...) { .verb = v, .path = p, .role = PUBLIC, .runs = LIVE, .handler = h, .group = "t", __VA_ARGS__ }
const struct route routes[] = {
	ROW(GET, "/api/hello", hello),
	ROW(POST, "/api/echo", echo),
	ROW(DELETE, "/api/echo", echo),
	ROW(GET, "/api/big", big),
	ROW(GET, "/api/stream", stream, .flags = RT_STREAM, .reply = &any),
	ROW(GET, "/api/forever", forever, .flags = RT_STREAM),
	ROW(POST, "/api/paced", paced, .flags = RT_STREAM),
	ROW(GET, "/api/flood", flood, .flags = RT_STREAM),
	ROW(POST, "/api/upload", swallow, .flags = RT_UPLOAD),
	ROW(POST, "/api/lazy/upload", lazy, .flags = RT_UPLOAD),
	ROW(GET, "/api/pieces", pieces, .flags = RT_STREAM),
};
const size_t n_routes = ARRAY_LEN(routes);

struct ws_session { struct live *live; };
static _Atomic int ws_closed, ws_idles;

enum err
ws_admit(struct ctx *c, struct request *rq, struct ws_session **ret)
{
	enum err e;

	if (strncmp(rq->target, "/api/ws", 7) != 0)
		return fail(c, ERR_NOT_FOUND, "no such socket");
	e = live_ws_slot(rq->live, c, rq->peer);
	if (e == ERR_OK)
		*ret = calloc(1, sizeof(**ret));
	return e;
}

void
ws_on_admit(struct ws_session *s, struct live *l)
{
	s->live = live_hold(l);
}

void
ws_on_open(struct ws_session *s)
{
	(void)live_ws_text(s->live, "hi", 2);
}

static void
chatter(void *arg)
{
	struct live *l = arg;

	for (int i = 0, idles = atomic_load(&ws_idles); i < 120 && atomic_load(&ws_idles) == idles; i++) {
		usleep(100000);
		(void)live_ws_text(l, "tick", 4);
	}
	live_drop(l);
}

/* Small messages, whose distances fall into every moment of the loop's rounds. */
enum { BURST = 3000 };

static void
burst(void *arg)
{
	struct live *l = arg;

	for (int i = 0; i < BURST; i++) {
		(void)live_ws_text(l, "drop", 4);
		for (volatile int spin = (i * 37) % 4000; spin > 0; spin--)
			;
	}
	live_drop(l);
}

void
ws_on_text(struct ws_session *s, char *text, size_t n)
{
	char said[64];

	if (text == NULL)
		(void)live_ws_text(s->live, said, (size_t)snprintf(said, sizeof(said), "too long: %zu", n));
	else if (strcmp(text, "talk") == 0)
		(void)!threads_run(chatter, live_hold(s->live));
	else if (strcmp(text, "burst") == 0)
		(void)!threads_run(burst, live_hold(s->live));
	else if (strcmp(text, "bye") == 0)
		live_ws_close(s->live, 4401, "as you wish");
	else
		(void)live_ws_text(s->live, text, n);
}

void ws_on_idle(struct ws_session *s) { (void)s; atomic_fetch_add(&ws_idles, 1); }

void
ws_on_close(struct ws_session *s)
{
	live_drop(s->live);
	free(s);
	atomic_fetch_add(&ws_closed, 1);
}
#endif

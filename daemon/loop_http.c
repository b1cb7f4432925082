/*
 * HTTP on the loop's side: from what libwebsockets has parsed to a job.
 *
 * The raw request target comes in X-LF-Target, because the library decodes and
 * resolves the one in the request line; both programs must decide on the same bytes. While a job
 * runs, its connection is not read (the library spins on a readable
 * connection in that state), so a client that leaves is seen by POLLHUP.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conn.h"
#include "daemon/threads.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"

enum {
	BODY_ROOM = 65536,              /* made at once; more only as bytes come */
	DRAINED_MAX = 64 << 20,
	BODY_PAUSE_S = 60,
};

/* Where header texts come from: the library's tables, or (unknown method) the bytes themselves. */
struct heads {
	struct lws *wsi;
	const char *text;
	size_t n;
	struct arena *a;
};

static const char *
known(const struct heads *h, enum lws_token_indexes t)
{
	int n = lws_hdr_total_length(h->wsi, t);
	char *p;

	if (n <= 0)
		return NULL;
	p = arena_alloc(h->a, (size_t)n + 2);
	return p != NULL && lws_hdr_copy(h->wsi, p, n + 2, t) >= 0 ? p : NULL;
}

static const char *
custom(const struct heads *h, const char *name)
{
	int name_n = (int)strlen(name), n = lws_hdr_custom_length(h->wsi, name, name_n);
	char *p;

	if (n < 0)
		return NULL;
	p = arena_alloc(h->a, (size_t)n + 1);
	if (p == NULL || lws_hdr_custom_copy(h->wsi, p, n + 1, name, name_n) < 0)
		return NULL;
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		p[--n] = '\0';
	return p;
}

static const char *
in_text(const struct heads *h, const char *name)
{
	size_t name_n = strlen(name);
	const char *end = h->text + h->n, *p = memchr(h->text, '\n', h->n), *eol;

	for (; p != NULL; p = memchr(p, '\n', (size_t)(end - p))) {
		p++;
		if ((size_t)(end - p) <= name_n || strncasecmp(p, name, name_n) != 0)
			continue;
		p += name_n;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		eol = memchr(p, '\r', (size_t)(end - p));
		return eol == NULL ? NULL : arena_strndup(h->a, p, (size_t)(eol - p));
	}
	return NULL;
}

/* token: the library's number for that header, -1 when it knows none. */
static const char *
head(const struct heads *h, int token, const char *name)
{
	return h->wsi == NULL ? in_text(h, name) : token >= 0 ? known(h, (enum lws_token_indexes)token)
	    : custom(h, name);
}

static void
fill_headers(struct headers *o, const struct heads *h)
{
	o->host = head(h, WSI_TOKEN_HOST, "host:");
	o->origin = head(h, WSI_TOKEN_ORIGIN, "origin:");
	o->authorization = head(h, WSI_TOKEN_HTTP_AUTHORIZATION, "authorization:");
	o->x_api_key = head(h, -1, "x-api-key:");
	o->content_type = head(h, WSI_TOKEN_HTTP_CONTENT_TYPE, "content-type:");
	o->accept = head(h, WSI_TOKEN_HTTP_ACCEPT, "accept:");
	o->x_filename = head(h, -1, "x-filename:");
	o->idempotency_key = head(h, -1, "idempotency-key:");
	o->if_none_match = head(h, WSI_TOKEN_HTTP_IF_NONE_MATCH, "if-none-match:");
	o->accept_encoding = head(h, WSI_TOKEN_HTTP_ACCEPT_ENCODING, "accept-encoding:");
	o->ws_protocol = head(h, -1, "x-lf-ws-protocol:");
	if (o->ws_protocol == NULL)
		o->ws_protocol = head(h, WSI_TOKEN_PROTOCOL, "sec-websocket-protocol:");
	o->fetch_site = head(h, -1, "sec-fetch-site:");
	o->acr_method = head(h, -1, "access-control-request-method:");
	o->x_forwarded_for = head(h, WSI_TOKEN_X_FORWARDED_FOR, "x-forwarded-for:");
	o->forwarded = head(h, -1, "forwarded:");
	o->x_real_ip = head(h, WSI_TOKEN_HTTP_X_REAL_IP, "x-real-ip:");
	o->cf_connecting_ip = head(h, -1, "cf-connecting-ip:");
	o->last_event_id = head(h, -1, "last-event-id:");
	o->traceparent = head(h, -1, "traceparent:");
	o->tracestate = o->traceparent != NULL ? head(h, -1, "tracestate:") : NULL;
}

/* The target of the request line, as far as the library kept it: for people with curl on control.sock. */
static const char *
line_target(const struct heads *h, enum lws_token_indexes uri)
{
	SCOPED_BUF b = BUF_INIT(65536);
	const char *path;
	char arg[4096];

	if (h->wsi == NULL || (path = known(h, uri)) == NULL)
		return NULL;
	buf_str(&b, path);
	for (int i = 0; lws_hdr_copy_fragment(h->wsi, arg, sizeof(arg), WSI_TOKEN_HTTP_URI_ARGS, i) >= 0; i++) {
		buf_ch(&b, i == 0 ? '?' : '&');
		buf_str(&b, arg);
	}
	return b.failed ? NULL : arena_strndup(h->a, b.p, b.len);
}

/* So much of a target for which there was no memory that a refusal has the right shape. */
static const char *
shape_of(const struct heads *h, enum lws_token_indexes uri)
{
	char t[4096] = "";

	if (h->wsi == NULL || (lws_hdr_custom_copy(h->wsi, t, sizeof(t), "x-lf-target:", 12) <= 0 &&
	    lws_hdr_copy(h->wsi, t, sizeof(t), uri) <= 0))
		return NULL;
	return strncmp(t, "/v1/", 4) == 0 ? "/v1/" : NULL;
}

static const char *
method_of(struct lws *wsi, enum lws_token_indexes *uri)
{
	static const struct { enum lws_token_indexes token; const char *name; } all[] = {
		{ WSI_TOKEN_GET_URI, "GET" }, { WSI_TOKEN_POST_URI, "POST" },
		{ WSI_TOKEN_PUT_URI, "PUT" }, { WSI_TOKEN_PATCH_URI, "PATCH" },
		{ WSI_TOKEN_DELETE_URI, "DELETE" }, { WSI_TOKEN_HEAD_URI, "HEAD" },
		{ WSI_TOKEN_OPTIONS_URI, "OPTIONS" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (lws_hdr_total_length(wsi, all[i].token) > 0) {
			*uri = all[i].token;
			return all[i].name;
		}
	*uri = WSI_TOKEN_GET_URI;
	return "OTHER";
}

static void
request_id(struct job *j, const char *sent)
{
	char canonical[37];

	if (sent == NULL || !(uuid_parse(sent, canonical) || uuid_from_hex(sent, canonical)))
		uuid4(j->rid);
	else
		memcpy(j->rid, canonical, sizeof(j->rid));
}

static struct job *
job_new(void)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->arena = job_arena();
	j->conf = conf_hold();
	j->live = live_new();
	if (j->arena != NULL && j->conf != NULL && j->live != NULL) {
		j->body.max = conf_of(j->conf)->max_body_bytes;
		j->began_us = clock_mono_us();
		return j;
	}
	job_free(j);
	return NULL;
}

/*
 * A job with everything that is known before the body. method NULL: from the library. NULL: no memory; memory_short: there
 * was none for all of it, and it may only be refused.
 */
struct job *
job_from(struct conn *k, const char *method, const char *text, size_t n)
{
	struct job *j = job_new();
	struct heads h = { .wsi = text == NULL ? k->src.wsi : NULL, .text = text, .n = n };
	enum lws_token_indexes uri = WSI_TOKEN_GET_URI;
	const char *rid, *closing, *version;

	if (j == NULL)
		return NULL;
	memory_short = false;
	h.a = j->arena;
	j->rq.method = method != NULL ? method : method_of(k->src.wsi, &uri);
	j->rq.control = k->control;
	j->rq.live = j->live;
	j->rq.target = head(&h, -1, "x-lf-target:");
	j->rq.peer = head(&h, -1, "x-lf-peer:");
	rid = head(&h, -1, "x-lf-request-id:");
	request_id(j, rid);
	fill_headers(&j->rq.h, &h);
	closing = head(&h, WSI_TOKEN_CONNECTION, "connection:");
	j->live->last = text != NULL || (closing != NULL && has_substr_ci(closing, "close"));
	version = text == NULL ? known(&h, WSI_TOKEN_HTTP) : NULL;
	j->live->may_chunk = version != NULL && strcmp(version, "HTTP/1.1") == 0;
	j->live->rq = &j->rq;
	if (k->control) {
		if (j->rq.target == NULL)
			j->rq.target = line_target(&h, uri);
		if (j->rq.peer == NULL)
			j->rq.peer = "local";
	} else if (rid == NULL || j->rq.peer == NULL) {
		j->rq.target = NULL;            /* not from a front server of ours */
	}
	if (memory_short && j->rq.target == NULL)
		j->rq.target = shape_of(&h, uri);
	return j;
}

/* --- answers of the loop's own ------------------------------------------------- */

/* Ties request and connection together; from here on the connection's end reaches the job. */
static void
attach(struct conn *k, struct job *j)
{
	k->live = live_hold(j->live);
	k->live->conn = k;
	k->phase = IN_JOB;
	lws_set_timeout(k->src.wsi, NO_PENDING_TIMEOUT, 0);
	lws_rx_flow_control(k->src.wsi, 0);
	/* all is copied and others wait for the room; but throwing a body away, the library needs them to the end */
	if (!k->raw && !k->draining)
		lws_http_headers_detach(k->src.wsi);
}

void
answer_now(struct conn *k, struct job *j, struct ctx *c)
{
	struct reply r = reply_shaped(c, &j->rq, reply_fail(c));

	if (j->rq.target == NULL)
		j->rq.target = "-";
	metrics_count(NULL, r.status, (uint64_t)(clock_mono_us() - j->began_us));
	request_note(c, &j->rq, &r, (uint64_t)(clock_mono_us() - j->began_us));
	if (k->live == NULL)
		attach(k, j);
	live_finish(k->live, &j->rq, c, &r);
	job_free(j);
}

static void
refuse(struct conn *k, struct job *j, enum err e, int status, const char *why)
{
	struct ctx c;

	ctx_for(&c, j);
	ignore_err(fail(&c, e, "%s", why));
	c.fault.status = status;
	answer_now(k, j, &c);
}

static void
start(struct conn *k, struct job *j)
{
	k->job = NULL;
	j->rq.body = j->body.len > 0 ? j->body.p : "";
	j->rq.body_bytes = j->body.len;
	if (loop_stopping()) {
		j->live->last = true;
		refuse(k, j, ERR_UNAVAILABLE, 0, "going down");
		return;
	}
	attach(k, j);
	if (threads_run(job_run, j) != 0)
		refuse(k, j, ERR_UNAVAILABLE, 0, "all threads are busy");
}

/* --- bodies that are read as they come ----------------------------------------------- */

/* Only paths that end so are looked up here: dispatch does it again. */
static bool
streams_body(struct job *j)
{
	struct match m;
	struct ctx c;

	if (strcmp(j->rq.method, "POST") != 0 || strstr(j->rq.target, "/upload") == NULL)
		return false;
	ctx_for(&c, j);
	route_match(&c, j->rq.method, j->rq.target, &m);
	return m.route != NULL && (m.route->flags & RT_UPLOAD) != 0;
}

/* The job begins with the head; the connection goes on being read. */
static void
start_fed(struct conn *k, struct job *j, size_t n)
{
	if (loop_stopping() || !feed_open(j->live)) {
		j->live->last = true;
		refuse(k, j, ERR_UNAVAILABLE, 0, loop_stopping() ? "going down" : "out of memory");
		return;
	}
	j->rq.body = "";
	j->rq.body_bytes = k->body_left = n;
	k->live = live_hold(j->live);
	k->live->conn = k;
	k->phase = IN_FEED;
	k->fed_up = k->answered_early = false;
	k->thrown = 0;
	if (threads_run(job_run, j) != 0) {
		j->live->last = true;
		refuse(k, j, ERR_UNAVAILABLE, 0, "all threads are busy");
	}
}

static int
feed_piece(struct conn *k, const char *p, size_t n)
{
	bool full = false;

	if (n > k->body_left)
		return -1;
	k->body_left -= n;
	k->thrown += k->answered_early ? n : 0;
	if (k->thrown > DRAINED_MAX)
		return -1;
	if (!feed_put(k->live, p, n, &full))
		return -1;
	if (full && k->body_left > 0) {
		k->fed_up = true;
		lws_rx_flow_control(k->src.wsi, 0);
		lws_set_timeout(k->src.wsi, NO_PENDING_TIMEOUT, 0);
	}
	return 0;
}

/* -1: it was answered before, and the connection ends. */
static int
feed_whole(struct conn *k)
{
	feed_end(k->live);
	if (k->answered_early)
		return -1;
	k->phase = IN_JOB;
	lws_rx_flow_control(k->src.wsi, 0);
	lws_set_timeout(k->src.wsi, NO_PENDING_TIMEOUT, 0);
	return 0;
}

void
http_feed_on(struct conn *k)
{
	if (k->phase != IN_FEED || !k->fed_up || !feed_wants(k->live))
		return;
	k->fed_up = false;
	lws_set_timeout(k->src.wsi, PENDING_TIMEOUT_HTTP_CONTENT, BODY_PAUSE_S);
	lws_rx_flow_control(k->src.wsi, 1 | LWS_RXFLOW_REASON_FLAG_PROCESS_NOW);
}

/* --- what the library tells ------------------------------------------------------ */

/* The body's length as the headers say it. -1: they do not make sense. */
static int64_t
body_length(struct lws *wsi)
{
	char text[24], *end;
	int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
	long long v;

	if (n == 0)
		return 0;
	if (n > 18 || lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0)
		return -1;
	if (strspn(text, "0123456789") != (size_t)n)
		return -1;
	v = strtoll(text, &end, 10);
	return v;
}

/* The library takes a POST, PUT or PATCH without a length for one of 100 MB: such a connection cannot go on. */
static bool
length_missing(const struct job *j, struct lws *wsi)
{
	return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0 &&
	    (j->rq.method[0] == 'P');
}

int
http_begin(struct conn *k)
{
	struct lws *wsi = k->src.wsi;
	struct job *j = job_from(k, NULL, NULL, 0);
	int64_t n = body_length(wsi);

	k->body_ends = 0;
	k->draining = false;
	if (j == NULL)
		return -1;
	if (memory_short) {
		j->live->last = true;
		refuse(k, j, ERR_NOMEM, 0, "out of memory");
	} else if (n < 0 || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
		j->live->last = true;
		refuse(k, j, ERR_BAD_REQUEST, n < 0 ? 400 : 411, "A request's body needs one Content-Length");
	} else if (j->rq.target == NULL) {
		j->live->last = true;
		refuse(k, j, ERR_BAD_REQUEST, 0, "This socket is for the front server");
	} else if (n > 0 && streams_body(j)) {
		start_fed(k, j, (size_t)n);
	} else if ((uint64_t)n > j->body.max) {
		k->draining = !k->control && n <= DRAINED_MAX;
		j->live->last = !k->draining;
		refuse(k, j, ERR_TOO_LARGE, 0, "The request body is too large");
	} else if (n > 0) {
		k->job = j;
		k->body_left = (size_t)n;
		k->phase = IN_BODY;
		(void)buf_room(&j->body, (size_t)n < BODY_ROOM ? (size_t)n : BODY_ROOM);  /* failing shows when bytes come */
	} else {
		j->live->last |= length_missing(j, wsi);
		start(k, j);
	}
	return 0;
}

int
http_body(struct conn *k, const char *p, size_t n)
{
	if (k->closing)         /* the library's time for a body would take the place of the end that was asked for */
		return -1;
	if (k->phase == IN_FEED)
		return feed_piece(k, p, n);
	if (k->phase != IN_BODY || n > k->body_left)
		return 0;       /* answered already: it is thrown away */
	k->body_left -= n;
	buf_add(&k->job->body, p, n);
	return k->job->body.failed ? -1 : 0;
}

int
http_body_end(struct conn *k)
{
	if (k->closing)
		return -1;
	if (k->phase == IN_BODY)
		start(k, k->job);
	else if (k->phase == IN_FEED && feed_whole(k) != 0)
		return -1;
	return k->body_ends++ == 0 ? 0 : -1;    /* it says so for ever when more than the body was read */
}

/*
 * The library gives up on a method that it does not know and hands over the bytes. They
 * become a request like others, so that the answer is 405 (or 401) in our shape.
 */
int
http_unknown_method(struct conn *k, const char *text, size_t n)
{
	size_t m = 0;
	struct job *j;

	if (k->live != NULL)
		return 0;
	while (m < n && m < 32 && ((text[m] >= 'A' && text[m] <= 'Z') || text[m] == '-'))
		m++;
	j = job_from(k, "OTHER", text, n);
	if (j == NULL)
		return -1;
	k->raw = true;
	if (memory_short || m == 0 || m == n || text[m] != ' ' || j->rq.target == NULL) {
		refuse(k, j, ERR_BAD_REQUEST, 0, "Not a request");
		return 0;
	}
	j->rq.method = arena_strndup(j->arena, text, m);
	if (j->rq.method == NULL)
		j->rq.method = "OTHER";
	start(k, j);
	return 0;
}

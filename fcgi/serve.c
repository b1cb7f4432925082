/*
 * One request: variables and body in, dispatch, answer out, one count and
 * perhaps one log line.
 *
 * Everything made on the way lives in the job's arena, which is emptied
 * before the next request, so a worker's memory does not grow.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "fcgi/worker.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"

enum { DRAIN_MORE = 1 << 20, BODY_KEEP = 256 * 1024 };

/* --- what the request stands on ------------------------------------------ */

/* A new configuration was published: take it, or stay with the old one. */
static void
config_refresh(struct worker *w)
{
	uint32_t now = atomic_load_explicit(&shm->generation, memory_order_acquire);
	struct config *fresh;

	if (w->cfg != NULL && now == w->generation)
		return;
	if (config_load_file(w->snapshot, &fresh) != ERR_OK) {
		log_line(LOG_ERROR, "msg=\"no configuration snapshot\" generation=%u", now);
		w->generation = now;
		return;
	}
	config_free(w->cfg);
	w->cfg = fresh;
	w->generation = now;
	log_set_level(log_level_of(fresh->log_level));
}

/* Open the store; again after a migration or when it was not there. Before the daemon has said its version there may be no tables in it. */
static void
db_refresh(struct worker *w)
{
	uint32_t now = atomic_load_explicit(&shm->schema_version, memory_order_acquire);

	if (w->c.db != NULL && now == w->schema_version)
		return;
	if (w->c.db != NULL)
		db_close(w->c.db);
	w->c.db = NULL;
	w->schema_version = now;
	if (now == 0)
		return;
	if (db_open(&w->c.db, w->cfg->db_path, false) != ERR_OK)
		w->c.db = NULL;
}

/* Somebody changed what the store says of models and providers. If it cannot be read now, then with the next request. */
static void
catalog_refresh(struct worker *w)
{
	uint32_t now = catalog_generation();

	if (w->catalog_read && w->catalog == now)
		return;
	catalog_leave();
	w->catalog_read = catalog_load(&w->c) == ERR_OK;
	w->catalog = now;
	w->c.fault = (struct fault){ 0 };
}

static bool
refresh(struct worker *w)
{
	struct shm *made;

	if (shm == NULL && shm_open_segment(w->shm_name, false, &made) != ERR_OK)
		return false;
	config_refresh(w);
	if (w->cfg == NULL)
		return false;
	db_refresh(w);
	return true;
}

enum err
worker_init(struct worker *w)
{
	w->c.arena = arena_new(64 * 1024);
	if (w->c.arena == NULL)
		return ERR_NOMEM;
	w->out = (struct buf)BUF_INIT(64 * 1024);
	w->body = (struct buf)BUF_INIT(1 << 30);
	if (!routes_init())
		return ERR_NOMEM;
	w->ready = refresh(w);
	return ERR_OK;
}

void
worker_rest(struct worker *w)
{
	arena_reset(w->c.arena);
	buf_done(&w->out);
	buf_done(&w->body);
	db_rest(w->c.db);
	json_shared_forget();
	malloc_trim(0);
}

void
worker_done(struct worker *w)
{
	if (w->c.db != NULL)
		db_close(w->c.db);
	catalog_done();
	config_free(w->cfg);
	arena_free(w->c.arena);
	buf_done(&w->out);
	buf_done(&w->body);
}

/* --- the request ----------------------------------------------------------- */

static void
job_begin(struct worker *w, const struct params *p)
{
	struct ctx *c = &w->c;

	arena_reset(c->arena);
	c->who = NULL;
	c->fault = (struct fault){ 0 };
	c->now_ms = clock_ms();
	if (p->rid == NULL || !uuid_from_hex(p->rid, c->rid))
		uuid4(c->rid);
	w->ready = refresh(w);
	c->cfg = w->cfg;
	if (w->ready && c->db != NULL)
		catalog_refresh(w);
}

/* The target as the client wrote it; CGI, and FastCGI servers that know no LF_TARGET, may have taken it to pieces. */
static const char *
target_of(struct ctx *c, const struct params *p, bool cgi)
{
	const char *q = p->query != NULL ? p->query : "";

	if (!cgi && p->lf_target != NULL)
		return p->lf_target;
	if (p->request_uri != NULL && p->request_uri[0] == '/')
		return p->request_uri;
	return ctx_printf(c, "%s%s%s%s", p->script_name != NULL ? p->script_name : "",
	    p->path_info != NULL ? p->path_info : "", q[0] != '\0' ? "?" : "", q);
}

static bool
length_of(const char *s, size_t *ret)
{
	size_t n = 0, digits = 0;

	for (; s != NULL && *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || ++digits > 15)
			return false;
		n = n * 10 + (size_t)(*s - '0');
	}
	*ret = n;
	return true;
}

/* Read what will not be used, so that the front server can finish sending. */
static void
drain(struct backend *b, size_t n)
{
	char waste[16384];

	while (n > 0) {
		ssize_t got = b->read(b, waste, n < sizeof(waste) ? n : sizeof(waste));

		if (got <= 0)
			return;
		n -= (size_t)got;
	}
}

static enum err
body_read(struct worker *w, struct backend *b, const struct params *p, struct request *rq)
{
	struct ctx *c = &w->c;
	size_t n, got = 0;

	if (!length_of(p->content_length, &n))
		return fail(c, ERR_BAD_REQUEST, "Content-Length is not a number");
	if (n > w->cfg->max_body_bytes) {
		drain(b, n < w->cfg->max_body_bytes + DRAIN_MORE ? n : w->cfg->max_body_bytes + DRAIN_MORE);
		return fail(c, ERR_TOO_LARGE, "Request body is larger than %zu bytes",
		    w->cfg->max_body_bytes);
	}
	if (n == 0)
		return ERR_OK;
	buf_clear(&w->body);
	if (buf_room(&w->body, n + 1) == NULL)
		return fail(c, ERR_NOMEM, "no memory for the request");
	while (got < n) {
		ssize_t r = b->read(b, w->body.p + got, n - got);

		if (r <= 0)
			return fail(c, ERR_BAD_REQUEST, "The request body ended early");
		got += (size_t)r;
	}
	w->body.p[n] = '\0';
	rq->body = w->body.p;
	rq->body_bytes = n;
	return ERR_OK;
}

/* An answer to what never reached dispatch. */
static struct reply
early(struct ctx *c, const struct request *rq)
{
	return reply_shaped(c, rq, reply_fail(c));
}

static struct reply
answer(struct worker *w, struct backend *b, const struct params *p, struct request *rq)
{
	struct ctx *c = &w->c;

	rq->target = target_of(c, p, b->cgi);
	if (rq->target == NULL)
		rq->target = "";
	if (rq->method == NULL)
		rq->method = "";
	rq->peer = b->cgi || p->lf_peer == NULL ? p->remote_addr : p->lf_peer;
	if (rq->peer == NULL)
		rq->peer = "";
	if (!w->ready) {
		(void)fail(c, ERR_UNAVAILABLE, "Service unavailable");
		return early(c, rq);
	}
	if (rq->target[0] == '\0' || rq->method[0] == '\0') {
		(void)fail(c, ERR_BAD_REQUEST, "No method or no request target");
		return early(c, rq);
	}
	if (body_read(w, b, p, rq) != ERR_OK)
		return early(c, rq);
	return dispatch(c, rq, POOL);
}

/* --- the answer ------------------------------------------------------------- */

/* The client sees the rest missing when the file breaks off. */
static bool
send_file(struct backend *b, const struct reply_file *f)
{
	char part[65536];

	for (uint64_t at = f->from, end = f->from + f->n; at < end;) {
		ssize_t n = pread(f->fd, part, end - at < sizeof(part) ? (size_t)(end - at) : sizeof(part), (off_t)at);

		if (n <= 0 || !b->write(b, part, (size_t)n))
			return false;
		at += (uint64_t)n;
	}
	return true;
}

static bool
send_reply(struct worker *w, struct backend *b, const struct request *rq, const struct reply *r)
{
	bool empty = r->status == 204 || r->status == 304;
	bool head = rq->head || strcmp(rq->method, "HEAD") == 0;

	if (r->streamed)
		return true;
	buf_clear(&w->out);
	buf_printf(&w->out, "Status: %d %s\r\n", r->status, status_phrase(r->status));
	reply_headers(&w->c, rq, r, &w->out);
	if (!empty)
		buf_printf(&w->out, "Content-Length: %" PRIu64 "\r\n", r->file != NULL ? r->file->n : r->body_bytes);
	buf_add(&w->out, "\r\n", 2);
	if (w->out.failed || !b->write(b, w->out.p, w->out.len))
		return false;
	if (r->file != NULL && !empty && !head)
		return send_file(b, r->file);
	return empty || head || r->body_bytes == 0 || b->write(b, r->body, r->body_bytes);
}

bool
worker_serve(struct worker *w, struct backend *b)
{
	int64_t t0 = clock_mono_us();
	uint64_t us;
	struct params p = { 0 };
	struct request rq = { 0 };
	struct reply r;
	bool sent;

	params_read(b->envp, &rq, &p);
	job_begin(w, &p);
	r = answer(w, b, &p, &rq);
	sent = send_reply(w, b, &rq, &r);
	us = (uint64_t)(clock_mono_us() - t0);
	metrics_count(rq.route, r.status, us);
	request_note(&w->c, &rq, &r, us);
	if (w->body.cap > BODY_KEEP)
		buf_done(&w->body);
	return sent;
}

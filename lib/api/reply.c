/*
 * Replies: how a handler makes one, and how one becomes header lines.
 *
 * 5xx answers of ours never say more than a fixed sentence; the log has the
 * rest under the same request id.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { REPLY_MAX = 64 << 20 };

struct open_reply {
	struct buf b;
	struct jw w;
};

static void
free_buf(void *b)
{
	buf_done(b);
}

/* The writer without memory writes nothing, and reply_json() says so. */
struct jw *
reply_open(struct ctx *c)
{
	static _Thread_local struct open_reply none;
	struct open_reply *r = ctx_alloc(c, sizeof(*r));

	if (r == NULL) {
		none = (struct open_reply){ .b = { .failed = true }, .w = { .b = &none.b } };
		return &none.w;
	}
	r->b.max = REPLY_MAX;
	r->w.b = &r->b;
	(void)arena_defer(c->arena, free_buf, &r->b);   /* failing only means: freed now, still empty */
	return &r->w;
}

struct reply
reply_json(struct ctx *c, int status, struct jw *w)
{
	if (w->b->failed || w->depth != 0) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory or an unfinished answer"));
		return reply_fail(c);
	}
	return (struct reply){ .status = status, .body = w->b->p, .body_bytes = w->b->len };
}

struct reply
reply_raw(struct ctx *c, int status, const char *media, const char *body, size_t n)
{
	(void)c;
	return (struct reply){ .status = status, .media = media, .body = body, .body_bytes = n };
}

struct reply
reply_empty(struct ctx *c)
{
	(void)c;
	return (struct reply){ .status = 204 };
}

struct reply
reply_streamed(struct ctx *c)
{
	return (struct reply){ .status = 200, .streamed = true, .err = c->fault.err };
}

struct reply
reply_open_stream(struct ctx *c)
{
	struct reply r = reply_streamed(c);

	r.stays = true;
	return r;
}

struct reply
reply_words(struct ctx *c, int status, ...)
{
	struct jw *w = reply_open(c);
	const char *name;
	va_list ap;

	jw_object(w, NULL);
	va_start(ap, status);
	while ((name = va_arg(ap, const char *)) != NULL)
		jw_str(w, name, va_arg(ap, const char *));
	va_end(ap);
	jw_end(w);
	return reply_json(c, status, w);
}

/* What the user is told: our own faults say nothing of their inside. */
static const char *
public_text(const struct fault *f, int status)
{
	if (status < 500 || f->code != NULL || status == 501)
		return f->msg != NULL ? f->msg : "unknown error";
	return status == 503 ? "Service unavailable" : "Internal server error";
}

static const char *
openai_type(int status)
{
	return status == 401 ? "authentication_error" : status == 403 ? "permission_error" :
	    status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
}

static void
openai_error(struct ctx *c, struct jw *w, const char *text, const char *code, int status)
{
	jw_object(w, NULL);
	jw_object(w, "error");
	jw_str(w, "message", text);
	jw_str(w, "type", openai_type(status));
	jw_null(w, "param");
	jw_str(w, "code", code);
	jw_end(w);
	jw_str(w, "request_id", c->rid);
	jw_end(w);
}

static int
fault_status(const struct fault *f)
{
	return f->status != 0 ? f->status : f->err == ERR_OK ? 500 : err_status(f->err);
}

void
error_body(struct ctx *c, bool openai, struct buf *out)
{
	const struct fault *f = &c->fault;
	int status = fault_status(f);
	const char *text = public_text(f, status), *code = f->code != NULL ? f->code :
	    f->err == ERR_OK ? "internal_error" : err_code(f->err);
	struct jw w = JW_INIT(out);

	if (openai) {
		openai_error(c, &w, text, code, status);
		return;
	}
	jw_object(&w, NULL);
	jw_str(&w, "error", text);
	jw_str(&w, "message", text);
	jw_str(&w, "code", code);
	jw_str(&w, "type", code);
	if (f->details_json != NULL)
		jw_raw(&w, "details", f->details_json, strlen(f->details_json));
	if (f->extra != NULL)
		jw_raw(&w, NULL, f->extra, strlen(f->extra));
	jw_str(&w, "request_id", c->rid);
	jw_end(&w);
}

/* Words for which no memory is needed; status and body say the same. They stay until the thread's next such answer. */
static void
last_resort(const struct ctx *c, bool openai, struct reply *r)
{
	static _Thread_local char words[320];
	int n = snprintf(words, sizeof(words), openai ? "{\"error\":{\"message\":\"Service unavailable\",\"type\":\"server_error\","
	    "\"param\":null,\"code\":\"service_unavailable\"},\"request_id\":\"%s\"}" : "{\"error\":\"Service unavailable\","
	    "\"message\":\"Service unavailable\",\"code\":\"service_unavailable\",\"type\":\"service_unavailable\",\"request_id\":\"%s\"}", c->rid);

	r->status = 503;
	r->retry_after_s = 1;
	r->body = words;
	r->body_bytes = (size_t)n;
}

static void
put_error(struct ctx *c, bool openai, struct reply *r)
{
	struct jw *w = reply_open(c);

	error_body(c, openai, w->b);
	if (w->b->failed) {
		last_resort(c, openai, r);
	} else {
		r->body = w->b->p;
		r->body_bytes = w->b->len;
	}
}

struct reply
reply_shaped(struct ctx *c, const struct request *rq, struct reply r)
{
	if (rq->target != NULL && strncmp(rq->target, "/v1/", 4) == 0)
		put_error(c, true, &r);
	return r;
}

struct reply
reply_fail(struct ctx *c)
{
	struct reply r = {
		.status = fault_status(&c->fault),
		.retry_after_s = c->fault.retry_after_s,
		.www_auth = c->fault.err == ERR_UNAUTHORIZED,
		.err = c->fault.err == ERR_OK ? ERR_INTERNAL : c->fault.err,
	};

	if (r.status >= 500 && c->fault.code == NULL && c->fault.msg != NULL) {
		char q[512];

		log_line(LOG_WARN, "rid=%s status=%d what=%s", c->rid, r.status,
		    log_quote(c->fault.msg, q, sizeof(q)));
	}
	if (r.status == 503 && r.retry_after_s == 0)
		r.retry_after_s = 1;
	put_error(c, false, &r);
	return r;
}

/* --- header lines ----------------------------------------------------------- */

static const char fixed_headers[] =
    "X-Api-Version: v1\r\n"
    "Content-Language: en\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "X-XSS-Protection: 1; mode=block\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n"
    "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"
    "Content-Security-Policy: default-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; media-src 'self' blob:; "
    "frame-src 'none'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'\r\n";

static void
cors_headers(struct ctx *c, const struct request *rq, struct buf *out)
{
	if (rq->h.origin == NULL)
		return;
	buf_str(out, "Vary: origin, access-control-request-method, access-control-request-headers\r\n");
	if (c->cfg == NULL || !cors_allowed(c->cfg, rq->h.origin))
		return;
	buf_str(out, "Access-Control-Allow-Origin: ");
	buf_str(out, rq->h.origin);
	buf_str(out, "\r\nAccess-Control-Expose-Headers: *\r\n");
	if (rq->h.acr_method != NULL && strcmp(rq->method, "OPTIONS") == 0)
		buf_str(out, "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
		    "Access-Control-Allow-Headers: Authorization, Content-Type, X-API-Key, Idempotency-Key, *\r\n");
}

void
reply_headers(struct ctx *c, const struct request *rq, const struct reply *r, struct buf *out)
{
	if (r->body_bytes > 0 || r->media != NULL) {
		buf_str(out, "Content-Type: ");
		buf_str(out, r->media != NULL ? r->media : "application/json");
		buf_add(out, "\r\n", 2);
	}
	buf_str(out, "X-Request-Id: ");
	buf_str(out, c->rid);
	buf_add(out, "\r\n", 2);
	buf_add(out, fixed_headers, sizeof(fixed_headers) - 1);
	if (r->etag != NULL)
		buf_printf(out, "ETag: %s\r\nCache-Control: private, no-cache\r\n", r->etag);
	else
		buf_str(out, "Cache-Control: no-store, no-cache, must-revalidate\r\n");
	if (r->encoding != NULL)
		buf_printf(out, "Content-Encoding: %s\r\n", r->encoding);
	if (r->encoding != NULL || r->etag != NULL)
		buf_str(out, "Vary: accept-encoding\r\n");
	if (r->allow != NULL)
		buf_printf(out, "Allow: %s\r\n", r->allow);
	if (r->retry_after_s != 0)
		buf_printf(out, "Retry-After: %u\r\n", r->retry_after_s);
	if (r->extra_headers != NULL)
		buf_str(out, r->extra_headers);
	if (r->set_cookie != NULL)
		buf_printf(out, "Set-Cookie: %s\r\n", r->set_cookie);
	if (r->www_auth)
		buf_str(out, "WWW-Authenticate: Bearer\r\n");
	cors_headers(c, rq, out);
}

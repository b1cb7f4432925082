/*
 * One attempt with a provider over HTTP, whatever its wire format.
 *
 * Providers differ in what they refuse. When a refusal says what was too much, the driver
 * leaves it out and the request is sent again, as long as nobody has read a word.
 */
#include "lib/llm/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/trace.h"
#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/limits.h"
#include "lib/llm/role.h"
#include "lib/llm/translate.h"

enum {
	TRIES = 4,                      /* of one call, each healed of one thing */
	HEAL_WAIT_MS = 100,
	TRACESTATE_MAX = 512,
};

/* --- what goes out ------------------------------------------------------- */

bool
is_header_text(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

enum err
out_header(struct outgoing *o, const char *name, const char *value)
{
	size_t n;
	char *h;

	if (value == NULL || value[0] == '\0')
		return ERR_OK;
	if (!is_header_text(value) || o->n_headers == LLM_HEADERS)
		return ERR_INVALID;
	n = strlen(name) + strlen(value) + 3;
	h = malloc(n);
	if (h == NULL)
		return ERR_NOMEM;
	snprintf(h, n, "%s: %s", name, value);
	o->headers[o->n_headers++] = h;
	o->headers[o->n_headers] = NULL;
	return ERR_OK;
}

enum err
out_key(struct outgoing *o, const char *name, const char *key)
{
	enum err e = out_header(o, name, key);

	if (e != ERR_INVALID)
		return e;
	o->why = "its key holds characters that no header may carry";
	return ERR_FORBIDDEN;
}

enum err
out_bearer(struct outgoing *o, const char *key)
{
	struct buf b = BUF_INIT(65536);
	enum err e;

	if (key == NULL || key[0] == '\0')
		return ERR_OK;
	buf_printf(&b, "Bearer %s", key);
	e = b.failed ? ERR_NOMEM : out_key(o, "Authorization", b.p);
	buf_zero_done(&b);
	return e;
}

/* An id that no header may carry is left out. */
static enum err
id_header(struct outgoing *o, const char *name, const char *value)
{
	return value != NULL && is_header_text(value) && strlen(value) < 128 ? out_header(o, name, value) : ERR_OK;
}

enum err
out_usual_headers(struct outgoing *o)
{
	const struct llm_request *rq = o->rq;
	char trace[TRACEPARENT + 1];
	enum err e = out_header(o, "Content-Type", "application/json");

	if (e != ERR_OK || rq->discreet)
		return e;
	if (trace_child(rq->traceparent, trace) != NULL) {
		e = out_header(o, "traceparent", trace);
		if (e == ERR_OK && rq->tracestate != NULL && is_header_text(rq->tracestate) && strlen(rq->tracestate) <= TRACESTATE_MAX)
			e = out_header(o, "tracestate", rq->tracestate);
	}
	if (e == ERR_OK)
		e = id_header(o, "x-librefang-agent-id", rq->agent_id);
	if (e == ERR_OK)
		e = id_header(o, "x-librefang-session-id", rq->session_id);
	if (e == ERR_OK)
		e = id_header(o, "x-librefang-step-id", rq->step_id);
	return e;
}

size_t
out_base(const struct outgoing *o, const char **ret)
{
	const char *base = o->rq->base_url != NULL ? o->rq->base_url : "";
	size_t n = strlen(base);

	while (n > 0 && base[n - 1] == '/')
		n--;
	*ret = base;
	return n < sizeof(o->url) - 512 ? n : 0;
}

size_t
out_root(const struct outgoing *o, const char *version, const char **ret)
{
	size_t n = out_base(o, ret), v = strlen(version);

	return n > v && memcmp(*ret + n - v, version, v) == 0 ? n - v : n;
}

enum err
out_no_base(struct outgoing *o)
{
	o->why = "its base_url is missing or too long";
	return ERR_INVALID;
}

enum err
out_url(struct outgoing *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->url, sizeof(o->url), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(o->url))
		return ERR_OK;
	o->why = "its address is too long";
	return ERR_INVALID;
}

enum err
out_head(struct outgoing *o, const char *base, size_t n, const char *path)
{
	enum err e = n > 0 ? out_url(o, "%.*s%s", (int)n, base, path) : out_no_base(o);

	if (e == ERR_OK)
		e = out_bearer(o, o->rq->api_key);
	return e == ERR_OK ? out_usual_headers(o) : e;
}

enum err
out_model(struct outgoing *o, const char *model)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (const char *p = model; *p != '\0'; p++) {
		unsigned char ch = (unsigned char)*p;

		if (n + 4 > sizeof(o->model))
			break;
		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || strchr("-_.~@", ch) != NULL) {
			o->model[n++] = (char)ch;
		} else {
			o->model[n++] = '%';
			o->model[n++] = hex[ch >> 4];
			o->model[n++] = hex[ch & 15];
		}
	}
	o->model[n] = '\0';
	if (n > 0 && n + 4 <= sizeof(o->model) && strspn(o->model, ".") != n)
		return ERR_OK;
	o->why = "its name is none that an address can hold";
	return ERR_INVALID;
}

void
out_done(struct outgoing *o)
{
	for (unsigned i = 0; i < o->n_headers; i++) {
		zero_bytes((char *)(uintptr_t)o->headers[i], strlen(o->headers[i]));
		free((char *)(uintptr_t)o->headers[i]);
	}
	o->n_headers = 0;
	o->headers[0] = NULL;
	o->why = NULL;
	buf_done(&o->body);
	o->body = (struct buf)BUF_INIT(LLM_BODY_MAX);
}

/* --- one attempt --------------------------------------------------------- */

/* A stream while it comes, and when it last said something. Before its first word a model may think for long. */
struct listening {
	struct intake d;
	struct http_call *call;
	struct limits limits;
	size_t said;
	int64_t since_us;
};

/* All that was said until now; it only grows. */
static size_t
said(const struct intake *d)
{
	size_t n = d->n_parts + (d->finish[0] != '\0');

	for (unsigned i = 0; i < d->n_parts; i++)
		n += d->parts[i].text.all.len;
	return n;
}

static bool
fell_silent(const struct listening *l)
{
	unsigned idle_ms = l->d.rq->idle_ms;

	return idle_ms != 0 && l->said > 0 && clock_mono_us() - l->since_us >= idle_ms * 1000ll;
}

/* Bytes are no words: pings keep a connection, not an answer. */
static bool
on_bytes(void *arg, const char *p, size_t n)
{
	struct listening *l = arg;
	size_t now;

	if (!intake_feed(&l->d, p, n))
		return false;
	if (l->d.rq->idle_ms == 0)
		return true;
	now = said(&l->d);
	if (now != l->said) {
		l->said = now;
		l->since_us = clock_mono_us();
		l->call->idle_ms = l->d.rq->idle_ms;
	} else if (fell_silent(l)) {
		llm_blame(l->d.ans, l->d.rq, LLM_TIMEOUT, 0, NULL);
		l->d.failed = true;
	}
	return !l->d.failed;
}

static void
on_header(void *arg, const char *line, size_t n)
{
	struct listening *l = arg;

	limits_take(&l->limits, line, n);
}

static void
on_quiet(void *arg)
{
	const struct listening *l = arg;

	l->d.sink->quiet(l->d.sink->arg);
}

enum err
driver_blame(const struct llm_request *rq, struct llm_answer *a, enum err e, const char *why)
{
	if (e == ERR_CANCELLED || cancelled(rq->cancel)) {
		llm_blame(a, rq, LLM_CANCELLED, 0, NULL);
		return ERR_CANCELLED;
	}
	if (e == ERR_NOMEM)
		llm_blame(a, rq, LLM_NO_MEMORY, 0, NULL);
	else if (e == ERR_TIMEOUT)
		llm_blame(a, rq, LLM_TIMEOUT, 0, NULL);
	else if (e == ERR_BAD_REQUEST || e == ERR_INVALID)
		llm_blame(a, rq, LLM_FORMAT, 0, why);
	else
		llm_blame(a, rq, a->any_output ? LLM_BROKEN_STREAM : LLM_UPSTREAM, 0, why);
	return ERR_UPSTREAM;
}

/* An answer of any status came whole, or broke off. */
static enum err
judge(struct intake *d, enum err e, struct http_answer *h)
{
	struct llm_answer *a = d->ans;

	if (d->failed)
		return ERR_UPSTREAM;            /* an error frame, or too much */
	if (e == ERR_OK && h->status / 100 != 2) {
		const char *body = h->body.len > 0 ? h->body.p : "";

		if (d->driver->rescue != NULL && d->driver->rescue(d, (int)h->status, body) == ERR_OK)
			return ERR_OK;
		llm_blame_body(a, d->rq, (int)h->status, body, h->body.len);
		a->pause_units = d->driver->busy_wait_s;
		a->passing = d->driver->fickle && (h->status == 502 || h->status == 504);
		return ERR_UPSTREAM;
	}
	if (e == ERR_OK || ((e == ERR_UPSTREAM || e == ERR_TIMEOUT) && d->finish[0] != '\0'))
		return intake_end(d, e != ERR_OK);      /* it broke after the provider was finished: nothing is lost */
	return driver_blame(d->rq, a, e, h->why);
}

/* o->body may be gone afterwards. *refusal: what a refusal said. */
static enum err
attempt(const struct driver *drv, struct outgoing *o, const struct llm_sink *sink, struct llm_answer *a,
    struct buf *refusal)
{
	const struct llm_request *rq = o->rq;
	struct listening l = { .since_us = clock_mono_us() };
	struct intake *d = &l.d;
	struct http_answer h;
	struct http_call call = { .method = "POST", .url = o->url, .headers = o->headers, .body = o->body.p,
	    .body_bytes = o->body.len, .spent = &o->body, .timeout_ms = rq->timeout_ms, .max_bytes = 4ul * LLM_FRAME_MAX,
	    .cancel = rq->cancel, .proxy = rq->proxy, .on_bytes = on_bytes, .on_header = on_header, .arg = &l, .enough = &l.d.done,
	    .on_quiet = on_quiet, .quiet_ms = sink != NULL && sink->quiet != NULL ? sink->quiet_ms : 0 };
	enum err e = intake_init(d, drv, rq, sink, a);

	l.call = &call;
	if (e != ERR_OK) {
		intake_free(d);
		return driver_blame(rq, a, e, "out of memory");
	}
	e = http_do(&call, &h);
	a->final |= e == ERR_FORBIDDEN;         /* its address is none that may be asked, or the proxy lets nobody through */
	if (h.retry_after_s >= 0)
		a->retry_after_s = h.retry_after_s;
	else if (e == ERR_OK && h.status == 429)
		a->retry_after_s = limits_wait_s(&l.limits);
	e = judge(d, e, &h);
	a->final |= e == ERR_UPSTREAM && a->error == LLM_TIMEOUT && fell_silent(&l);    /* it had its time */
	*refusal = h.body;
	intake_free(d);
	return e;
}

static enum err
prepare(const struct driver *drv, struct outgoing *o, struct llm_answer *a)
{
	enum err e;

	out_done(o);
	e = drv->prepare(o, a);
	if (e == ERR_OK && o->body.failed)
		e = ERR_NOMEM;
	if (e == ERR_OK || e == ERR_UPSTREAM || e == ERR_CANCELLED)
		return e;
	if (e == ERR_FORBIDDEN) {
		llm_blame(a, o->rq, LLM_AUTH, 0, NULL);
		if (o->why != NULL)
			snprintf(a->why, sizeof(a->why), "provider %.60s: %s", o->rq->provider, o->why);
		return ERR_UPSTREAM;
	}
	return driver_blame(o->rq, a, e, e == ERR_NOMEM ? "out of memory" : o->why != NULL ? o->why
	    : "the request cannot be put into words");
}

static bool
may_heal(const struct llm_answer *a, enum err e, unsigned try)
{
	return e == ERR_UPSTREAM && !a->any_output && try < TRIES && a->error != LLM_CONTEXT_OVERFLOW && a->http_status >= 400;
}

static enum err
attempts(const struct driver *drv, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct outgoing o = { .rq = rq };
	enum err e;

	for (unsigned try = 1; ; try++) {
		SCOPED_BUF refusal = BUF_INIT(0);

		e = prepare(drv, &o, a);
		if (e != ERR_OK)
			break;
		e = attempt(drv, &o, sink, a, &refusal);
		if (e == ERR_OK && drv->learn != NULL)
			drv->learn(&o);
		if (!may_heal(a, e, try) || drv->heal == NULL ||
		    !drv->heal(&o, a->http_status, refusal.len > 0 ? refusal.p : ""))
			break;
		if (!cancel_wait(rq->cancel, HEAL_WAIT_MS * (int64_t)try)) {
			e = driver_blame(rq, a, ERR_CANCELLED, NULL);
			break;
		}
	}
	out_done(&o);
	return e;
}

/* Some models know no system role. */
static enum err
in_its_roles(const struct driver *drv, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct unruled u;
	enum err e;

	if (!rq->no_system)
		return attempts(drv, rq, sink, a);
	e = without_system(rq, &u);
	e = e == ERR_OK ? attempts(drv, &u.rq, sink, a) : driver_blame(rq, a, e, "out of memory");
	unruled_done(&u);
	return e;
}

enum err
driver_http(const struct driver *drv, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct translated t;
	const char *why = "out of memory";
	enum err e;

	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (rq->raw_messages == NULL || drv->takes_openai)
		return in_its_roles(drv, rq, sink, a);
	e = translate_openai(rq, drv->takes_image_urls, &t, &why);
	e = e == ERR_OK ? in_its_roles(drv, &t.rq, sink, a) : driver_blame(rq, a, e, why);
	translated_done(&t);
	return e;
}

/*
 * One chat completion with a provider that speaks OpenAI's format.
 *
 * Providers differ in what they refuse. When a 400 says which member was too
 * much, the request is sent again without it, and the lesson is kept for this provider and
 * model as long as the process lives.
 */
#include "lib/llm/openai.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/pause.h"

enum {
	TRIES = 4,                      /* of one call, each healed of one thing */
	HEAL_WAIT_MS = 100,
	BODY_MAX = 256 * 1024 * 1024,
	LESSONS = 256,
};

/* --- lessons ------------------------------------------------------------- */

enum { NO_TEMPERATURE = 1, COMPLETION_TOKENS = 2, OLD_TOKENS = 4, NO_STREAM_OPTIONS = 8, FLAGS = 15 };

static _Atomic uint64_t lessons[LESSONS];       /* hash with the flags in its low bits */

static uint64_t
hash_of(const struct llm_request *rq)
{
	const char *const parts[] = { rq->provider, rq->base_url, rq->model };
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (const char *p = parts[i] != NULL ? parts[i] : ""; *p != '\0'; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
		h = (h ^ 0xff) * 1099511628211u;
	}
	return h & ~(uint64_t)FLAGS;
}

static void
recall(const struct llm_request *rq, struct oa_quirks *q)
{
	uint64_t h = hash_of(rq), known = atomic_load(&lessons[(h >> 32) % LESSONS]);

	if ((known & ~(uint64_t)FLAGS) != h)
		return;
	q->no_temperature = known & NO_TEMPERATURE;
	q->completion_tokens = known & COMPLETION_TOKENS;
	q->old_tokens = known & OLD_TOKENS;
	q->no_stream_options = known & NO_STREAM_OPTIONS;
}

static void
learn(const struct llm_request *rq, const struct oa_quirks *q)
{
	uint64_t h = hash_of(rq);
	unsigned flags = (q->no_temperature ? NO_TEMPERATURE : 0u) | (q->completion_tokens ? COMPLETION_TOKENS : 0u) |
	    (q->old_tokens ? OLD_TOKENS : 0u) | (q->no_stream_options ? NO_STREAM_OPTIONS : 0u);

	if (flags != 0)
		atomic_store(&lessons[(h >> 32) % LESSONS], h | flags);
}

/* --- healing ------------------------------------------------------------- */

/* The limit that the message quotes, or half of what was asked for. */
static int64_t
smaller_limit(const char *body, int64_t asked)
{
	static const char *const before[] = {
		"less than or equal to `", "must be <= `", "maximum value for `max_tokens` is `",
		"less than or equal to ", "must be <= ", "supports at most ",
	};

	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		const char *p = strcasestr(body, before[i]);
		long long n = p != NULL ? strtoll(p + strlen(before[i]), NULL, 10) : 0;

		if (n > 0 && n < 100000000)
			return n;
	}
	return asked > 1 ? asked / 2 : 0;
}

static bool
heal_tokens(const struct llm_request *rq, struct oa_quirks *q, const char *body)
{
	bool refused = has_substr_ci(body, "unsupported_parameter") || has_substr_ci(body, "unsupported parameter") ||
	    has_substr_ci(body, "not supported");
	int64_t limit, asked = q->max_tokens > 0 ? q->max_tokens : rq->max_tokens;

	if (refused && has_substr_ci(body, "max_completion_tokens") && q->completion_tokens)
		return !q->old_tokens && (q->completion_tokens = false, q->old_tokens = true);
	if (refused || has_substr_ci(body, "max_completion_tokens"))
		return !q->completion_tokens && !q->old_tokens && (q->completion_tokens = true);
	limit = smaller_limit(body, asked);
	if (limit == 0 || limit == q->max_tokens)
		return false;
	q->max_tokens = limit;
	return true;
}

static bool
has_tools(const struct llm_request *rq)
{
	struct json_object *t = rq->raw_tools != NULL ? rq->raw_tools : rq->tools;

	return json_object_is_type(t, json_type_array) && json_object_array_length(t) > 0;
}

/* Does the refusal name something that the request can do without? */
static bool
heal(const struct llm_request *rq, struct oa_quirks *q, long status, const char *body)
{
	if (status != 400 && status != 422 && status != 500)
		return false;
	if (has_tools(rq) && !q->no_tools && (status == 500 || has_substr_ci(body, "does not support tools") ||
	    has_substr_ci(body, "internal error") || (has_substr_ci(body, "tool") && has_substr_ci(body, "not supported"))))
		return q->no_tools = true;
	if (status == 500)
		return false;
	if (!q->no_temperature && has_substr_ci(body, "temperature") &&
	    (has_substr_ci(body, "unsupported") || has_substr_ci(body, "not supported")))
		return q->no_temperature = true;
	if (!q->no_stream_options && has_substr_ci(body, "stream_options"))
		return q->no_stream_options = true;
	if (has_substr_ci(body, "max_tokens") || has_substr_ci(body, "max_completion_tokens"))
		return heal_tokens(rq, q, body);
	return false;
}

/* --- one attempt --------------------------------------------------------- */

struct wire {
	char url[2048];
	char *auth;
	char agent[160], session[160];
	const char *headers[8];
};

static bool
plain(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static const char *
header_of(char *out, size_t cap, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0' || !plain(value))
		return NULL;
	return (size_t)snprintf(out, cap, "%s: %s", name, value) < cap ? out : NULL;
}

static enum err
make_url(const struct llm_request *rq, char *out, size_t cap)
{
	const char *base = rq->base_url != NULL ? rq->base_url : "";
	size_t n = strlen(base);
	bool ollama = rq->format != NULL && strcmp(rq->format, "ollama") == 0;

	while (n > 0 && base[n - 1] == '/')
		n--;
	if (n == 0 || n + 32 > cap)
		return ERR_INVALID;
	if (n >= 3 && memcmp(base + n - 3, "/v1", 3) == 0)
		ollama = false;
	snprintf(out, cap, "%.*s%s/chat/completions", (int)n, base, ollama ? "/v1" : "");
	return ERR_OK;
}

static enum err
make_wire(const struct llm_request *rq, struct wire *w)
{
	const char *key = rq->api_key != NULL ? rq->api_key : "", *h;
	unsigned n = 0;

	if (make_url(rq, w->url, sizeof(w->url)) != ERR_OK)
		return ERR_INVALID;
	w->headers[n++] = "Content-Type: application/json";
	w->headers[n++] = rq->stream ? "Accept: text/event-stream" : "Accept: application/json";
	if (key[0] != '\0') {
		w->auth = malloc(strlen(key) + 32);
		if (w->auth == NULL)
			return ERR_NOMEM;
		snprintf(w->auth, strlen(key) + 32, "Authorization: Bearer %s", key);
		w->headers[n++] = w->auth;
	}
	if ((h = header_of(w->agent, sizeof(w->agent), "x-librefang-agent-id", rq->agent_id)) != NULL)
		w->headers[n++] = h;
	if ((h = header_of(w->session, sizeof(w->session), "x-librefang-session-id", rq->session_id)) != NULL)
		w->headers[n++] = h;
	w->headers[n] = NULL;
	return ERR_OK;
}

static void
wire_done(struct wire *w)
{
	if (w->auth != NULL)
		zero_bytes(w->auth, strlen(w->auth));
	free(w->auth);
	w->auth = NULL;
}

static bool
on_bytes(void *arg, const char *p, size_t n)
{
	return oa_feed(arg, p, n);
}

static void
on_quiet(void *arg)
{
	const struct oa_decoder *d = arg;

	d->sink->quiet(d->sink->arg);
}

/* The call itself failed: no whole answer came. */
static enum err
blame_transport(const struct llm_request *rq, struct llm_answer *a, enum err e, const char *why)
{
	if (e == ERR_CANCELLED || cancelled(rq->cancel)) {
		llm_blame(a, rq, LLM_CANCELLED, 0, NULL);
		return ERR_CANCELLED;
	}
	if (e == ERR_TIMEOUT)
		llm_blame(a, rq, LLM_TIMEOUT, 0, NULL);
	else if (e == ERR_BAD_REQUEST || e == ERR_INVALID)
		llm_blame(a, rq, LLM_FORMAT, 0, why);
	else
		llm_blame(a, rq, a->any_output ? LLM_BROKEN_STREAM : LLM_UPSTREAM, 0, why);
	return ERR_UPSTREAM;
}

/* *out, the request, may be gone afterwards. *body: what a refusal said. */
static enum err
attempt(const struct llm_request *rq, const struct wire *w, struct buf *out, const struct llm_sink *sink,
    struct llm_answer *a, struct buf *body)
{
	struct oa_decoder d;
	struct http_answer h;
	struct http_call call = { .method = "POST", .url = w->url, .headers = w->headers, .body = out->p,
	    .body_bytes = out->len, .spent = out, .timeout_ms = rq->timeout_ms, .max_bytes = 4ul * OA_FRAME_MAX,
	    .cancel = rq->cancel, .on_bytes = on_bytes, .arg = &d, .enough = &d.done,
	    .on_quiet = on_quiet, .quiet_ms = sink != NULL && sink->quiet != NULL ? sink->quiet_ms : 0 };
	enum err e = oa_init(&d, rq, sink, a);

	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (e != ERR_OK) {
		oa_free(&d);
		return blame_transport(rq, a, e, "out of memory");
	}
	e = http_do(&call, &h);
	a->retry_after_s = h.retry_after_s;
	if (d.failed) {
		e = ERR_UPSTREAM;               /* an error frame, or too much */
	} else if (e == ERR_OK && h.status / 100 != 2) {
		llm_blame_body(a, rq, (int)h.status, h.body.len > 0 ? h.body.p : "", h.body.len);
		e = ERR_UPSTREAM;
	} else if (e == ERR_OK || ((e == ERR_UPSTREAM || e == ERR_TIMEOUT) && d.finish[0] != '\0')) {
		e = oa_end(&d, e != ERR_OK);    /* it broke after the provider was finished: nothing is lost */
	} else {
		e = blame_transport(rq, a, e, h.why);
	}
	*body = h.body;
	oa_free(&d);
	return e;
}

static enum err
attempts(const struct llm_request *rq, const struct wire *w, const struct llm_sink *sink, struct llm_answer *a)
{
	struct oa_quirks q = { 0 };
	enum err e;

	recall(rq, &q);
	for (unsigned try = 1; ; try++) {
		SCOPED_BUF out = BUF_INIT(BODY_MAX);
		SCOPED_BUF body = BUF_INIT(0);

		e = oa_write_body(rq, &q, &out);
		if (e != ERR_OK)
			return blame_transport(rq, a, e, e == ERR_INVALID ? "there is no message to send" : "out of memory");
		e = attempt(rq, w, &out, sink, a, &body);
		if (e == ERR_OK)
			learn(rq, &q);
		if (e != ERR_UPSTREAM || a->any_output || try == TRIES || body.len == 0 ||
		    a->error == LLM_CONTEXT_OVERFLOW || !heal(rq, &q, a->http_status, body.p))
			return e;
		if (!pause_ms(HEAL_WAIT_MS * (int64_t)try, rq->cancel))
			return blame_transport(rq, a, ERR_CANCELLED, NULL);
	}
}

enum err
openai_call(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct wire w = { .auth = NULL };
	enum err e;

	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (rq->api_key != NULL && !plain(rq->api_key)) {
		llm_blame(a, rq, LLM_AUTH, 0, NULL);
		snprintf(a->why, sizeof(a->why), "the key of provider %.60s holds characters that no header may carry", rq->provider);
		return ERR_UPSTREAM;
	}
	e = make_wire(rq, &w);
	e = e == ERR_OK ? attempts(rq, &w, sink, a) :
	    blame_transport(rq, a, e, e == ERR_INVALID ? "its base_url is missing or too long" : "out of memory");
	wire_done(&w);
	return e;
}

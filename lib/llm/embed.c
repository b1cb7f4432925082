/*
 * Embeddings. What differs between providers is an address, a body and where the numbers lie in the
 * answer; what is checked is the same for all.
 */
#include "lib/llm/embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"

enum { BATCH = 96, TIMEOUT_MS = 60000, ANSWER_MAX = 64 * 1024 * 1024 };

/* One call: some of the texts. */
struct batch {
	const struct embed_request *rq;
	const char *const *texts; size_t n;
	struct embed_answer *ans;
	float *rows;                    /* where its vectors go; NULL until the dimensions are known */
};

struct embedder {
	const char *format;
	enum err (*prepare)(struct outgoing *, const struct batch *);
	/* The i-th vector of an answer: an array of numbers; NULL: it is not there. */
	struct json_object *(*vector)(struct json_object *, size_t i, size_t n);
	int64_t (*tokens)(struct json_object *);        /* -1: it does not say */
};

static const struct { const char *model; unsigned dimensions; } known[] = {
	{ "text-embedding-3-small", 1536 }, { "text-embedding-3-large", 3072 }, { "text-embedding-ada-002", 1536 },
	{ "all-minilm", 384 }, { "all-mpnet-base-v2", 768 }, { "nomic-embed-text", 768 }, { "mxbai-embed-large", 1024 },
	{ "embed-english-v3.0", 1024 }, { "embed-multilingual-v3.0", 1024 }, { "embed-v4.0", 1536 }, { "text-embedding-004", 768 },
	{ "gemini-embedding-001", 3072 },
};

unsigned
embed_known_dimensions(const char *model)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (starts(model, known[i].model))
			return known[i].dimensions;
	return 0;
}

/* --- the requests -------------------------------------------------------- */

static void
write_texts(struct jw *w, const char *key, const struct batch *b)
{
	jw_array(w, key);
	for (size_t i = 0; i < b->n; i++)
		jw_str(w, NULL, b->texts[i]);
	jw_end(w);
}

/* Fewer dimensions than a model has are asked for; its own number is not, as old models know no such word. */
static void
write_dimensions(struct jw *w, const char *key, const struct embed_request *rq)
{
	if (rq->dimensions > 0 && rq->dimensions != embed_known_dimensions(rq->model))
		jw_i64(w, key, rq->dimensions);
}

/* OpenAI and Ollama ask in the same words. */
static void
write_body(struct outgoing *o, const struct batch *b)
{
	struct jw w = JW_INIT(&o->body);

	jw_object(&w, NULL);
	jw_str(&w, "model", b->rq->model);
	write_texts(&w, "input", b);
	write_dimensions(&w, "dimensions", b->rq);
	jw_end(&w);
}

static enum err
openai_prepare(struct outgoing *o, const struct batch *b)
{
	const char *base;
	size_t n = out_base(o, &base);
	enum err e = n > 0 ? out_url(o, "%.*s/embeddings", (int)n, base) : out_no_base(o);

	write_body(o, b);
	return e == ERR_OK ? out_bearer(o, b->rq->api_key) : e;
}

/* data[].index says whose each one is. */
static struct json_object *
openai_vector(struct json_object *o, size_t i, size_t n)
{
	struct json_object *all = js_arr(o, "data");

	if (all == NULL || json_object_array_length(all) != n)
		return NULL;
	for (size_t k = 0; k < n; k++) {
		struct json_object *one = json_object_array_get_idx(all, k);

		if (js_i64(one, "index", (int64_t)k) == (int64_t)i)
			return js_arr(one, "embedding");
	}
	return NULL;
}

static int64_t
openai_tokens(struct json_object *o)
{
	return js_i64(js_obj(o, "usage"), "prompt_tokens", -1);
}

static enum err
ollama_prepare(struct outgoing *o, const struct batch *b)
{
	const char *base;
	size_t n = ollama_base(o, &base);
	enum err e = n > 0 ? out_url(o, "%.*s/api/embed", (int)n, base) : out_no_base(o);

	write_body(o, b);
	return e == ERR_OK ? out_bearer(o, b->rq->api_key) : e;
}

static struct json_object *
ollama_vector(struct json_object *o, size_t i, size_t n)
{
	struct json_object *all = js_arr(o, "embeddings"), *v;

	if (all == NULL)
		return n == 1 ? js_arr(o, "embedding") : NULL;
	v = json_object_array_length(all) == n ? json_object_array_get_idx(all, i) : NULL;
	return json_object_is_type(v, json_type_array) ? v : NULL;
}

static int64_t
ollama_tokens(struct json_object *o)
{
	return js_i64(o, "prompt_eval_count", -1);
}

static void
write_gemini(struct jw *w, const struct embed_request *rq, const char *text)
{
	SCOPED_BUF model = BUF_INIT(1024);

	buf_printf(&model, "models/%s", rq->model);
	jw_object(w, NULL);
	jw_str(w, "model", model.p);
	jw_object(w, "content");
	jw_array(w, "parts");
	jw_object(w, NULL);
	jw_str(w, "text", text);
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_str(w, "taskType", rq->query ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT");
	write_dimensions(w, "outputDimensionality", rq);
	jw_end(w);
}

static enum err
gemini_prepare(struct outgoing *o, const struct batch *b)
{
	struct jw w = JW_INIT(&o->body);
	const char *base;
	size_t n = out_root(o, "/v1beta", &base);
	enum err e = n > 0 ? out_model(o, b->rq->model) : out_no_base(o);

	if (e == ERR_OK)
		e = out_url(o, "%.*s/v1beta/models/%s:%s", (int)n, base, o->model, b->n == 1 ? "embedContent" : "batchEmbedContents");
	if (b->n == 1) {
		write_gemini(&w, b->rq, b->texts[0]);
	} else {
		jw_object(&w, NULL);
		jw_array(&w, "requests");
		for (size_t i = 0; i < b->n; i++)
			write_gemini(&w, b->rq, b->texts[i]);
		jw_end(&w);
		jw_end(&w);
	}
	return e == ERR_OK ? out_key(o, "x-goog-api-key", b->rq->api_key) : e;
}

static struct json_object *
gemini_vector(struct json_object *o, size_t i, size_t n)
{
	struct json_object *all = js_arr(o, "embeddings");

	if (all == NULL)
		return n == 1 ? js_arr(js_obj(o, "embedding"), "values") : NULL;
	return json_object_array_length(all) == n ? js_arr(json_object_array_get_idx(all, i), "values") : NULL;
}

static int64_t
gemini_tokens(struct json_object *o)
{
	return js_i64(js_obj(o, "usageMetadata"), "promptTokenCount", -1);
}

static enum err
cohere_prepare(struct outgoing *o, const struct batch *b)
{
	struct jw w = JW_INIT(&o->body);
	const char *base;
	size_t n = out_root(o, "/v2", &base);
	enum err e = n > 0 ? out_url(o, "%.*s/v2/embed", (int)n, base) : out_no_base(o);

	jw_object(&w, NULL);
	jw_str(&w, "model", b->rq->model);
	write_texts(&w, "texts", b);
	jw_str(&w, "input_type", b->rq->query ? "search_query" : "search_document");
	jw_array(&w, "embedding_types");
	jw_str(&w, NULL, "float");
	jw_end(&w);
	write_dimensions(&w, "output_dimension", b->rq);
	jw_end(&w);
	return e == ERR_OK ? out_bearer(o, b->rq->api_key) : e;
}

static struct json_object *
cohere_vector(struct json_object *o, size_t i, size_t n)
{
	struct json_object *all = js_arr(js_obj(o, "embeddings"), "float"), *v;

	v = all != NULL && json_object_array_length(all) == n ? json_object_array_get_idx(all, i) : NULL;
	return json_object_is_type(v, json_type_array) ? v : NULL;
}

static int64_t
cohere_tokens(struct json_object *o)
{
	return js_i64(js_obj(js_obj(o, "meta"), "billed_units"), "input_tokens", -1);
}

static const struct embedder embedders[] = {
	{ "openai", openai_prepare, openai_vector, openai_tokens },
	{ "ollama", ollama_prepare, ollama_vector, ollama_tokens },
	{ "gemini", gemini_prepare, gemini_vector, gemini_tokens },
	{ "cohere", cohere_prepare, cohere_vector, cohere_tokens },
};

static const struct embedder *
embedder_of(const char *format)
{
	for (size_t i = 0; format != NULL && i < ARRAY_LEN(embedders); i++)
		if (strcmp(embedders[i].format, format) == 0)
			return &embedders[i];
	return NULL;
}

bool
embed_speaks(const char *format)
{
	return embedder_of(format) != NULL;
}

/* --- the answer ---------------------------------------------------------- */

static enum err
wrong(struct llm_answer *a, const struct llm_request *rq, const char *fmt, unsigned x, unsigned y)
{
	char why[200];
	int n;

	llm_blame(a, rq, LLM_FORMAT, 0, NULL);
	n = snprintf(why, sizeof(why), "provider %.60s ", rq->provider);
	snprintf(why + n, sizeof(why) - (size_t)n, fmt, x, y);
	snprintf(a->why, sizeof(a->why), "%s", why);
	return ERR_UPSTREAM;
}

/* The first vector of all decides how long they are. */
static enum err
set_dimensions(struct batch *b, const struct llm_request *rq, struct llm_answer *a, size_t n)
{
	const struct embed_request *er = b->rq;

	if (n == 0 || n > EMBED_DIMENSIONS_MAX)
		return wrong(a, rq, "sent a vector of %u numbers, more than %u", (unsigned)n, EMBED_DIMENSIONS_MAX);
	if (er->dimensions > 0 && n != er->dimensions)
		return wrong(a, rq, "sent vectors of %u dimensions where %u are wanted", (unsigned)n, er->dimensions);
	b->ans->dimensions = (unsigned)n;
	b->ans->vectors = calloc(er->n, n * sizeof(float));
	if (b->ans->vectors == NULL)
		return driver_blame(rq, a, ERR_NOMEM, "out of memory");
	b->rows = b->ans->vectors;
	return ERR_OK;
}

static enum err
take_vector(struct batch *b, const struct llm_request *rq, struct llm_answer *a, size_t i, struct json_object *v)
{
	size_t n = v != NULL ? json_object_array_length(v) : 0;
	enum err e = ERR_OK;
	float *row;

	if (v == NULL)
		return wrong(a, rq, "sent no vector for text %u of %u", (unsigned)i + 1, (unsigned)b->n);
	if (b->rows == NULL)
		e = set_dimensions(b, rq, a, n);
	if (e != ERR_OK)
		return e;
	if (n != b->ans->dimensions)
		return wrong(a, rq, "sent vectors of %u and of %u dimensions", b->ans->dimensions, (unsigned)n);
	row = b->rows + i * n;
	for (size_t k = 0; k < n; k++) {
		struct json_object *x = json_object_array_get_idx(v, k);

		row[k] = json_object_is_type(x, json_type_double) || json_object_is_type(x, json_type_int) ? (float)json_object_get_double(x) : NAN;
		if (!isfinite(row[k]))
			return wrong(a, rq, "sent something that is no number (vector %u, place %u)", (unsigned)i + 1, (unsigned)k + 1);
	}
	return ERR_OK;
}

static enum err
take_answer(const struct embedder *em, struct batch *b, const struct llm_request *rq, struct llm_answer *a, const struct buf *body)
{
	struct json_object *o = body->len > 0 && json_check(body->p, body->len, JSON_DEPTH_MAX, NULL) == ERR_OK ? json_parse(body->p, body->len) : NULL;
	enum err e = ERR_OK;
	int64_t tokens;

	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		llm_blame(a, rq, LLM_BROKEN_STREAM, 0, "what it sent is no JSON");
		return ERR_UPSTREAM;
	}
	if (is_error_value(js_get(o, "error"))) {
		llm_blame_json(a, rq, 0, js_get(o, "error"));
		e = ERR_UPSTREAM;
	}
	for (size_t i = 0; i < b->n && e == ERR_OK; i++)
		e = take_vector(b, rq, a, i, em->vector(o, i, b->n));
	tokens = em->tokens(o);
	if (e == ERR_OK && tokens >= 0 && tokens <= LLM_TOKENS_MAX) {
		b->ans->tokens += tokens;
		b->ans->usage_known = true;
	}
	json_object_put(o);
	return e;
}

/* --- calls ---------------------------------------------------------------- */

static enum err
attempt(const struct embedder *em, struct batch *b, const struct llm_request *rq, struct llm_answer *a)
{
	struct outgoing o = { .rq = rq, .body = BUF_INIT(LLM_BODY_MAX) };
	struct http_answer h = { .status = 0 };
	struct http_call call = { .method = "POST", .headers = o.headers, .timeout_ms = rq->timeout_ms, .max_bytes = ANSWER_MAX,
	    .cancel = rq->cancel, .proxy = rq->proxy };
	enum err e = em->prepare(&o, b);

	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (e == ERR_OK)
		e = out_usual_headers(&o);
	if (e == ERR_OK && o.body.failed)
		e = ERR_NOMEM;
	if (e != ERR_OK) {
		if (e == ERR_FORBIDDEN)
			llm_blame(a, rq, LLM_AUTH, 0, NULL);
		e = e == ERR_FORBIDDEN ? ERR_UPSTREAM : driver_blame(rq, a, e, o.why != NULL ? o.why : "out of memory");
		out_done(&o);
		return e;
	}
	call.url = o.url;
	call.body = o.body.p;
	call.body_bytes = o.body.len;
	e = http_do(&call, &h);
	if (h.retry_after_s >= 0)
		a->retry_after_s = h.retry_after_s;
	if (e != ERR_OK) {
		e = driver_blame(rq, a, e, h.why);
	} else if (h.status / 100 != 2) {
		llm_blame_body(a, rq, (int)h.status, h.body.len > 0 ? h.body.p : "", h.body.len);
		e = ERR_UPSTREAM;
	} else {
		e = take_answer(em, b, rq, a, &h.body);
	}
	buf_done(&h.body);
	out_done(&o);
	return e;
}

static enum err
attempts(const struct embedder *em, struct batch *b, const struct llm_request *rq, unsigned retries, struct llm_answer *a)
{
	for (unsigned n = 0; ; n++) {
		int64_t from = clock_mono_us(), wait;
		enum err e = attempt(em, b, rq, a);

		wait = e == ERR_UPSTREAM && n < retries ? llm_pause_ms(rq, a, n, (clock_mono_us() - from) / 1000) : -1;
		if (wait < 0)
			return e;
		if (!cancel_wait(rq->cancel, wait))
			return driver_blame(rq, a, ERR_CANCELLED, NULL);
	}
}

static enum err
refuse(struct embed_answer *ret, const char *why)
{
	ret->error = LLM_FORMAT;
	snprintf(ret->why, sizeof(ret->why), "%s", why);
	return ERR_INVALID;
}

static enum err
check(const struct embed_request *rq, struct embed_answer *ret)
{
	if (rq->n == 0 || rq->dimensions > EMBED_DIMENSIONS_MAX)
		return refuse(ret, rq->n == 0 ? "there is nothing to embed" : "too many dimensions are wanted");
	for (size_t i = 0; i < rq->n; i++)
		if (rq->texts[i] == NULL || rq->texts[i][0] == '\0' || !utf8_ok(rq->texts[i], strlen(rq->texts[i])))
			return refuse(ret, "a text to embed is empty or no UTF-8");
	return ERR_OK;
}

enum err
embed_call(const struct embed_request *rq, unsigned retries, struct embed_answer *ret)
{
	const struct embedder *em = embedder_of(rq->format);
	struct llm_request q = { .provider = rq->provider, .model = rq->model, .format = rq->format, .base_url = rq->base_url,
	    .api_key = rq->api_key, .proxy = rq->proxy, .timeout_ms = rq->timeout_ms > 0 ? rq->timeout_ms : TIMEOUT_MS, .cancel = rq->cancel };
	struct llm_answer a = { .retry_after_s = -1 };
	enum err e;

	*ret = (struct embed_answer){ .retry_after_s = -1 };
	if (em == NULL)
		return refuse(ret, "the provider's wire format has no embeddings");
	e = check(rq, ret);
	if (e != ERR_OK)
		return e;
	for (size_t at = 0; at < rq->n && e == ERR_OK; at += BATCH) {
		struct batch b = { .rq = rq, .texts = rq->texts + at, .n = rq->n - at < BATCH ? rq->n - at : BATCH, .ans = ret };

		if (ret->vectors != NULL)
			b.rows = ret->vectors + at * ret->dimensions;
		e = attempts(em, &b, &q, retries, &a);
	}
	if (e == ERR_OK)
		return ERR_OK;
	embed_done(ret);
	ret->error = a.error;
	ret->http_status = a.http_status;
	ret->retry_after_s = a.retry_after_s;
	snprintf(ret->why, sizeof(ret->why), "%s", a.why);
	return e;
}

void
embed_done(struct embed_answer *a)
{
	free(a->vectors);
	a->vectors = NULL;
	a->dimensions = 0;
}

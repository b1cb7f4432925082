/*
 * Fuzz: what a provider answers a call, whole: its status, its headers' few words, its body. The first byte says in whose format,
 * the second what status, the third in what pieces; a line "=====" ends one answer and begins the next. An answer is whole or
 * blamed, in words that can be shown and hold no key; vectors are numbers, as many as were wanted.
 * sources: lib/base/*.c lib/llm/*.c lib/net/sigv4.c lib/net/near.c lib/net/late_gnutls.c lib/svc/conversation.c
 * libs: libcurl zlib
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/llm/embed.h"
#include "lib/llm/llm.h"
#include "lib/net/http.h"
#include "lib/svc/catalog.h"
#include "t/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define KEY "sk-S3CR3TS3CR3TS3CR3T"

static const char *const formats[] = { "openai", "anthropic", "gemini", "ollama", "cohere", "bedrock", "azure_openai", "responses",
	"copilot", "vertex" };
static const long statuses[] = { 200, 200, 200, 400, 401, 402, 404, 413, 429, 500, 503, 529 };

static struct { const char *p; size_t n, step; long status; } web;

/* --- the other end -------------------------------------------------------------------- */

/* Nobody has logged in on this machine. */
bool
catalog_google_login(char *out, size_t cap)
{
	(void)out;
	(void)cap;
	return false;
}

void
cancel_now(struct cancel *k, int why)
{
	(void)k;
	(void)why;
}

void
cancel_watch(struct cancel_watch *w, const struct cancel *k)
{
	*w = (struct cancel_watch){ .fd = -1, .k = k };
}

void
cancel_unwatch(struct cancel_watch *w)
{
	(void)w;
}

int
cancel_watch_ms(const struct cancel_watch *w, int64_t until_us)
{
	(void)w;
	(void)until_us;
	return 0;
}

bool
cancel_wait(const struct cancel *k, int64_t ms)
{
	(void)ms;
	return !cancelled(k);
}

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	const char *end = memmem(web.p, web.n, "\n=====\n", 7);
	size_t n = end != NULL ? (size_t)(end - web.p) : web.n;

	*ret = (struct http_answer){ .status = web.status, .retry_after_s = -1, .body = BUF_INIT(call->max_bytes) };
	if (call->on_bytes != NULL && ret->status == 200) {
		for (size_t i = 0; i < n; i += web.step)
			if (!call->on_bytes(call->arg, web.p + i, n - i < web.step ? n - i : web.step))
				return ERR_CANCELLED;
	} else {
		buf_add(&ret->body, web.p, n);
	}
	web.status = 200;               /* what is asked once more is answered */
	web.p += end != NULL ? n + 7 : n;
	web.n -= end != NULL ? n + 7 : n;
	return ERR_OK;
}

/* --- judging ---------------------------------------------------------------------------- */

static void
shown(const char *why)
{
	MUST(why[0] != '\0' && utf8_ok(why, strlen(why)) && strstr(why, KEY) == NULL);
	for (const char *p = why; *p != '\0'; p++)
		MUST((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void
text(void *arg, const char *p, size_t n)
{
	(void)arg;
	MUST(n > 0 && utf8_ok(p, n));
}

static void
ask(struct ctx *c, const char *format, bool stream)
{
	static const struct llm_sink sink = { .text = text, .thinking = text };
	struct json_object *says = json_stored(c, "[{\"role\":\"user\",\"content\":\"hello\"}]");
	struct llm_request rq = { .provider = "fuzz", .model = "m", .format = format, .base_url = "https://h.example/v1", .api_key = KEY,
		.messages = history_of(c, says), .stream = stream, .max_tokens = 100, .hurry_ms = 1 };
	struct llm_answer a;
	enum err e = llm_call(&rq, &sink, 0, &a);

	if (e == ERR_OK) {
		MUST(json_object_is_type(a.content, json_type_array) && a.input_tokens >= 0 && a.output_tokens >= 0);
		MUST(a.input_tokens + a.output_tokens <= 4ll * LLM_TOKENS_MAX && a.cache_read_tokens >= 0 && a.cache_write_tokens >= 0);
	} else {
		MUST(a.content == NULL && a.error != LLM_OK);
		shown(a.why);
		(void)llm_pause_ms(&rq, &a, 0, 0);
	}
	llm_answer_done(&a);
}

static void
embed(const char *format)
{
	static const char *const texts[] = { "a", "b", "c" };
	const struct embed_request rq = { .provider = "fuzz", .model = "m", .format = format, .base_url = "https://h.example/v1", .api_key = KEY,
		.texts = texts, .n = 1 + web.step % 3 };
	struct embed_answer a;

	if (embed_call(&rq, 0, &a) == ERR_OK) {
		MUST(a.dimensions > 0 && a.dimensions <= EMBED_DIMENSIONS_MAX);
		for (size_t i = 0; i < rq.n * a.dimensions; i++)
			MUST(isfinite(a.vectors[i]));
	} else {
		MUST(a.vectors == NULL && a.error != LLM_OK);
		shown(a.why);
	}
	embed_done(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	const char *format;

	if (n >= 3) {
		format = formats[data[0] % ARRAY_LEN(formats)];
		web.step = data[2] % 32 == 0 ? n : data[2] % 32;
		for (int i = 0; i < 3; i++) {
			web.p = (const char *)data + 3;
			web.n = n - 3;
			web.status = statuses[data[1] % ARRAY_LEN(statuses)];
			if (i < 2)
				ask(&c, format, i == 0);
			else if (embed_speaks(format))
				embed(format);
		}
	}
	arena_free(c.arena);
	return 0;
}

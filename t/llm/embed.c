/*
 * Embeddings against a small server; with LF_AIMOCK=url (and LF_AIMOCK_KEY) against aimock, which t/aimock_formats.t does.
 */
#include <math.h>
#include <stdlib.h>

#include "lib/base/util.h"
#include "lib/llm/embed.h"
#include "t/net/httpd.h"
#include "t/tap.h"

static struct httpd srv;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char path[256], head[16384], body[262144];

static bool
vectors(int fd, unsigned n, unsigned from)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);

	buf_str(&b, "{\"data\":[");
	for (unsigned i = n; i-- > 0;)          /* backwards: index counts, not the place */
		buf_printf(&b, "{\"index\":%u,\"embedding\":[%u,0.5,-1e-3]}%s", i, from + i, i > 0 ? "," : "");
	buf_str(&b, "],\"usage\":{\"prompt_tokens\":3}}");
	return httpd_answer(fd, 200, "", b.p);
}

/* The path's first part says how to behave. */
static bool
serve(int fd, const struct seen *rq, void *arg)
{
	const char *p = rq->path + 1;

	(void)arg;
	pthread_mutex_lock(&lock);
	snprintf(path, sizeof(path), "%s", rq->path);
	snprintf(head, sizeof(head), "%s", rq->head);
	snprintf(body, sizeof(body), "%.*s", (int)rq->body_bytes, rq->body);
	pthread_mutex_unlock(&lock);
	if (strncmp(p, "many/", 5) == 0) {
		unsigned n = 0, from = (unsigned)strtoul(strstr(rq->body, "[\"t") + 3, NULL, 10);

		for (const char *t = rq->body; (t = strstr(t, "\"t")) != NULL; t++)
			n++;
		return vectors(fd, n, from);
	}
	if (strncmp(p, "ok/", 3) == 0)
		return vectors(fd, 2, 0);
	if (strncmp(p, "o/", 2) == 0)
		return httpd_answer(fd, 200, "", "{\"embeddings\":[[1,2],[3,4]],\"prompt_eval_count\":5}");
	if (strncmp(p, "g/", 2) == 0)
		return httpd_answer(fd, 200, "", strstr(p, ":batch") ? "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3,4]}]}" : "{\"embedding\":{\"values\":[1,2]}}");
	if (strncmp(p, "c/", 2) == 0)
		return httpd_answer(fd, 200, "", "{\"embeddings\":{\"float\":[[1,2],[3,4]]},\"meta\":{\"billed_units\":{\"input_tokens\":4}}}");
	if (strncmp(p, "uneven/", 7) == 0)
		return httpd_answer(fd, 200, "", "{\"data\":[{\"embedding\":[1,2]},{\"embedding\":[3]}]}");
	if (strncmp(p, "few/", 4) == 0)
		return httpd_answer(fd, 200, "", "{\"data\":[{\"embedding\":[1,2]}]}");
	if (strncmp(p, "text/", 5) == 0)
		return httpd_answer(fd, 200, "", "{\"data\":[{\"embedding\":[1,\"2\"]},{\"embedding\":[3,4]}]}");
	if (strncmp(p, "huge/", 5) == 0)
		return httpd_answer(fd, 200, "", "{\"data\":[{\"embedding\":[1,1e99]},{\"embedding\":[3,4]}]}");
	if (strncmp(p, "half/", 5) == 0)
		return httpd_say(fd, "HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{\"data\":[{\"emb") && false;
	if (strncmp(p, "key/", 4) == 0)
		return httpd_answer(fd, 401, "", "{\"error\":{\"message\":\"Incorrect API key provided: sk-very-secret\"}}");
	if (strncmp(p, "busy/", 5) == 0)
		return rq->nth % 2 != 0 ? httpd_answer(fd, 429, "Retry-After: 0\r\n", "{}") : vectors(fd, 2, 0);
	return httpd_answer(fd, 200, "", "nonsense");
}

static const char *const two[] = { "one", "two" };
static struct embed_answer a;
static char base[256];

static enum err
call(const char *format, const char *how, unsigned dimensions)
{
	struct embed_request rq = { .provider = "test", .model = "m-1", .format = format, .base_url = base, .api_key = "sk-very-secret", .texts = two, .n = 2,
	    .dimensions = dimensions, .timeout_ms = 5000 };

	snprintf(base, sizeof(base), "http://127.0.0.1:%u/%s", srv.port, how);
	embed_done(&a);
	return embed_call(&rq, 2, &a);
}

static void
formats(void)
{
	is_int(call("openai", "ok/v1", 3), ERR_OK, "OpenAI's format");
	ok(a.dimensions == 3 && a.vectors[0] == 0 && a.vectors[3] == 1 && fabsf(a.vectors[5] + 0.001f) < 1e-9f, "each text has its own vector, whatever their order");
	ok(a.usage_known && a.tokens == 3, "with what it took");
	is_str(body, "{\"model\":\"m-1\",\"input\":[\"one\",\"two\"],\"dimensions\":3}", "as it was asked");
	ok(strcmp(path, "/ok/v1/embeddings") == 0 && strstr(head, "Authorization: Bearer sk-very-secret\r\n") != NULL, "at its place, with its key");
	is_int(call("ollama", "o", 0), ERR_OK, "Ollama's");
	ok(a.dimensions == 2 && a.vectors[3] == 4 && a.tokens == 5 && strcmp(path, "/o/api/embed") == 0, "at its place");
	is_int(call("gemini", "g", 2), ERR_OK, "Gemini's");
	ok(a.vectors[2] == 3 && strcmp(path, "/g/v1beta/models/m-1:batchEmbedContents") == 0 && strstr(head, "x-goog-api-key: sk-very-secret\r\n"), "at its place");
	ok(strstr(body, "\"taskType\":\"RETRIEVAL_DOCUMENT\",\"outputDimensionality\":2") != NULL, "for keeping");
	is_int(call("cohere", "c/v2", 2), ERR_OK, "Cohere's");
	ok(a.vectors[1] == 2 && a.tokens == 4 && strcmp(path, "/c/v2/embed") == 0 && strstr(body, "\"input_type\":\"search_document\""), "at its place");
}

static void
refusals(void)
{
	static const struct { const char *how, *why; enum llm_error e; } t[] = {
		{ "uneven", "provider test sent vectors of 2 and of 1 dimensions", LLM_FORMAT },
		{ "few", "provider test sent no vector for text 1 of 2", LLM_FORMAT },
		{ "text", "provider test sent something that is no number (vector 1, place 2)", LLM_FORMAT },
		{ "huge", "provider test sent something that is no number (vector 1, place 2)", LLM_FORMAT },
		{ "key", "provider test refused the key", LLM_AUTH },
		{ "nonsense", "the answer of provider test broke off: what it sent is no JSON", LLM_BROKEN_STREAM },
	};
	struct embed_request rq = { .provider = "test", .model = "m", .format = "openai", .base_url = base, .api_key = "", .texts = (const char *const[]){ "a", "" }, .n = 2 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		is_int(call("openai", t[i].how, 0), ERR_UPSTREAM, "%s is an error", t[i].how);
		is_str(a.why, t[i].why, "that is told");
		ok(a.error == t[i].e && a.vectors == NULL, "with its class, and nothing is handed out");
	}
	is_int(call("openai", "ok", 4), ERR_UPSTREAM, "another number of dimensions than is wanted");
	is_str(a.why, "provider test sent vectors of 3 dimensions where 4 are wanted", "is one too");
	is_int(call("openai", "half", 0), ERR_UPSTREAM, "half an answer is an error");
	is_int(call("openai", "busy", 0), ERR_OK, "a busy provider is asked again");
	is_int(call("anthropic", "ok", 0), ERR_INVALID, "a format without embeddings");
	is_int(embed_call(&rq, 0, &a), ERR_INVALID, "an empty text is not sent");
}

static void
many(void)
{
	static char space[200][8];
	const char *texts[200];
	struct embed_request rq = { .provider = "test", .model = "m", .format = "openai", .base_url = base, .api_key = "", .texts = texts, .n = 200 };
	unsigned bad = 0;

	for (unsigned i = 0; i < 200; i++) {
		snprintf(space[i], sizeof(space[i]), "t%u", i);
		texts[i] = space[i];
	}
	snprintf(base, sizeof(base), "http://127.0.0.1:%u/many", srv.port);
	atomic_store(&srv.requests, 0);
	embed_done(&a);
	is_int(embed_call(&rq, 0, &a), ERR_OK, "two hundred texts");
	is_int(atomic_load(&srv.requests), 3, "go in three calls");
	for (unsigned i = 0; i < 200 && a.vectors != NULL; i++)
		bad += (unsigned)a.vectors[(size_t)i * a.dimensions] != i;
	is_int(bad, 0, "and each keeps its place");
	is_int(a.tokens, 9, "what they took is added up");
}

static void
aimock(const char *url, const char *key)
{
	static const struct { const char *format, *path; size_t n; } t[] = { { "openai", "/v1", 2 }, { "ollama", "/v1", 1 }, { "gemini", "", 1 }, { "cohere", "/v2", 2 } };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct embed_request rq = { .provider = t[i].format, .model = "m-1", .format = t[i].format, .base_url = base, .api_key = key, .texts = two, .n = t[i].n };

		snprintf(base, sizeof(base), "%s%s", url, t[i].path);
		embed_done(&a);
		is_int(embed_call(&rq, 0, &a), ERR_OK, "aimock embeds as %s", t[i].format);
		ok(a.dimensions > 0, "in %u dimensions", a.dimensions);
		rq.dimensions = 7777;
		embed_done(&a);
		ok(embed_call(&rq, 0, &a) != ERR_OK || a.dimensions == 7777, "and never in others than are wanted");
	}
}

int
main(void)
{
	setenv("LF_LLM_RETRY_MS", "10", 1);
	if (getenv("LF_AIMOCK") != NULL) {
		aimock(getenv("LF_AIMOCK"), getenv("LF_AIMOCK_KEY"));
	} else {
		httpd_start(&srv, serve, NULL);
		formats();
		refusals();
		many();
		httpd_stop(&srv);
	}
	embed_done(&a);
	http_done();
	return done();
}

/*
 * Texts to vectors: embeddings of OpenAI's format, Ollama, Gemini and Cohere behind one call.
 */
#ifndef LF_LLM_EMBED_H
#define LF_LLM_EMBED_H
#include "lib/llm/llm.h"

enum { EMBED_DIMENSIONS_MAX = 16384 };

struct embed_request {
	const char *provider, *model;
	const char *format;             /* "openai", "ollama", "gemini", "cohere" */
	const char *base_url, *api_key, *proxy;         /* key may be "", proxy NULL */
	const char *const *texts; size_t n;             /* none of them empty */
	bool query;                     /* they are looked for, not kept: some models tell these apart */
	unsigned dimensions;            /* that each vector must have; 0: whatever the model has */
	unsigned timeout_ms;            /* of each call; 0: 60000 */
	struct cancel *cancel;
};

struct embed_answer {
	float *vectors;                 /* n rows of dimensions numbers; embed_done() */
	unsigned dimensions;
	int64_t tokens; bool usage_known;
	/* on failure */
	enum llm_error error;
	char why[320];
	int http_status;
	int64_t retry_after_s;          /* -1 */
};

/*
 * Embed all texts, in as many calls as the provider wants, each retried as model calls are. Every
 * vector has the same number of finite numbers, and the number that was wanted, or it is an error (FORMAT).
 * ERR_OK, or UPSTREAM, CANCELLED, INVALID (nothing to embed, or a format without embeddings): error and why say what.
 */
enum err embed_call(const struct embed_request *, unsigned retries, struct embed_answer *ret) MUST_CHECK;
void embed_done(struct embed_answer *);

/* Has this wire format embeddings? */
bool embed_speaks(const char *format);
/* Dimensions of a model that is widely known; 0: unknown. */
unsigned embed_known_dimensions(const char *model);
#endif

/*
 * Who makes vectors. Without a provider named, the first of those with a key that are known for it; a service on this machine is
 * only asked when its address is in the environment, never by guess.
 */
#include "daemon/embedding.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/meter.h"
#include "daemon/threads.h"
#include "daemon/turn.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/vectors.h"

enum { REST_S = 60, REST_MAX_S = 3600 };

static const char usual_model[] = "text-embedding-3-small";

/* In the order in which they are tried; env: an address that must be set. */
static const struct { const char *provider, *env, *model; } known[] = {
	{ "openai", NULL, "text-embedding-3-small" }, { "openrouter", NULL, "openai/text-embedding-3-small" },
	{ "mistral", NULL, "mistral-embed" }, { "together", NULL, "BAAI/bge-large-en-v1.5" },
	{ "fireworks", NULL, "nomic-ai/nomic-embed-text-v1.5" }, { "cohere", NULL, "embed-multilingual-v3.0" },
	{ "ollama", "OLLAMA_HOST", "nomic-embed-text" }, { "vllm", "VLLM_BASE_URL", NULL }, { "lmstudio", "LMSTUDIO_BASE_URL", NULL },
	{ "gemini", "", "gemini-embedding-001" },       /* only by name */
};

static _Atomic int64_t rests_until_us;
static _Atomic unsigned failed;                 /* calls in a row */

/* The model of the configuration; its default means the provider's own usual one. */
static const char *
model_of(struct json_object *rules, const char *provider)
{
	const char *own = js_str(rules, "embedding_model");

	if (own != NULL && own[0] != '\0' && strcmp(own, usual_model) != 0)
		return own;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].provider, provider) == 0 && known[i].model != NULL)
			return known[i].model;
	return usual_model;
}

static bool
try_provider(struct ctx *c, struct json_object *rules, const char *provider, bool named, struct embedding *ret)
{
	const char *key = js_str(rules, "embedding_api_key_env");
	struct json_object *mm = NULL;
	struct fault f = c->fault;
	struct model_route r;
	int64_t dims = js_i64(rules, "embedding_dimensions", 0);
	enum err e;

	if (key != NULL && key[0] != '\0' && (mm = json_keep(c, json_object_new_object())) != NULL)
		json_object_object_add(mm, "api_key_env", json_object_new_string(key));
	e = model_route_vectors(c, provider, model_of(rules, provider), mm, &r);
	fault_forget(c, f);
	if (e != ERR_OK || !embed_speaks(r.format) || (!named && r.api_key[0] == '\0'))
		return false;
	*ret = (struct embedding){ .provider = r.provider, .model = r.model, .format = r.format, .base_url = r.base_url,
		.api_key = r.api_key, .proxy = r.proxy, .dims = dims > 0 && dims <= EMBED_DIMENSIONS_MAX ? (unsigned)dims : 0 };
	ret->name = ret->dims > 0 ? ctx_printf(c, "%s/%s:%u", ret->provider, ret->model, ret->dims)
	    : ctx_printf(c, "%s/%s", ret->provider, ret->model);
	return ret->name != NULL;
}

static bool
choose(struct ctx *c, struct embedding *ret)
{
	struct json_object *rules = js_obj(c->cfg->raw, "memory");
	const char *provider = js_str_or(rules, "embedding_provider", "auto");

	if (js_bool(rules, "fts_only", false) || strcasecmp(provider, "none") == 0)
		return false;
	if (provider[0] != '\0' && strcasecmp(provider, "auto") != 0)
		return try_provider(c, rules, provider, true, ret);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const char *env = known[i].env;

		if (env != NULL && (env[0] == '\0' || getenv(env) == NULL))
			continue;
		if (try_provider(c, rules, known[i].provider, env != NULL, ret))
			return true;
	}
	return false;
}

bool
embedding_of(struct ctx *c, struct embedding *ret)
{
	return clock_mono_us() >= atomic_load(&rests_until_us) && choose(c, ret);
}

void
embedding_tell(struct ctx *c)
{
	struct fault before = c->fault;
	struct embedding m;
	enum vectors state = choose(c, &m) ? VECTORS_READY : vectors_required(c->cfg) ? VECTORS_MISSING : VECTORS_NONE;
	bool ready = state == VECTORS_READY;

	if (vectors_tell(c, state, ready ? m.provider : NULL, ready ? m.model : NULL) != ERR_OK)
		log_line(LOG_WARN, "what=embedding err=%s why=\"who makes vectors cannot be told\"", err_code(c->fault.err));
	c->fault = before;
}

static void
tell(void *unused)
{
	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };

	(void)unused;
	if (c.arena != NULL) {
		uuid4(c.rid);
		job_db_acquire(&c);
		embedding_tell(&c);
		job_db_release(&c);
	}
	arena_free(c.arena);
	conf_drop(k);
}

void
embedding_tell_later(void)
{
	if (threads_run_now(tell, NULL) != 0)
		log_line(LOG_WARN, "what=embedding why=\"no thread: who makes vectors is not told\"");
}

static void
rest(int64_t s)
{
	atomic_store(&rests_until_us, s > 0 ? clock_mono_us() + s * INT64_C(1000000) : 0);
	vectors_rest(s > 0 ? clock_ms() + s * 1000 : 0);
}

int64_t
embedding_rest_ms(void)
{
	int64_t us = atomic_load(&rests_until_us) - clock_mono_us();

	return us > 0 ? us / 1000 + 1 : 0;
}

static int64_t
bytes_of(const char *const *texts, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (int64_t)strlen(texts[i]);
	return sum;
}

enum err
embedding_call(struct ctx *c, const struct embedding *m, const struct agent *a, const char *const *texts, size_t n, bool query,
    unsigned timeout_ms, struct cancel *cancel, struct embed_answer *ret)
{
	const struct embed_request rq = { .provider = m->provider, .model = m->model, .format = m->format, .base_url = m->base_url,
		.api_key = m->api_key, .proxy = m->proxy, .texts = texts, .n = n, .query = query, .dimensions = m->dims,
		.timeout_ms = timeout_ms, .cancel = cancel };
	struct metered k = { .asked = bytes_of(texts, n), .max_tokens = 1, .usage = { .agent_id = a != NULL ? a->id : "",
		.provider = m->provider, .model = m->model, .channel = "embedding" } };
	struct llm_answer said = { 0 };
	enum err e = meter_open(c, &k, a), kept;

	*ret = (struct embed_answer){ .retry_after_s = -1 };
	if (e == ERR_OK) {
		job_db_release(c);
		e = embed_call(&rq, query ? 0 : 1, ret);
		said.error = ret->error;
		said.input_tokens = ret->tokens;
		said.usage_known = ret->usage_known;
		kept = meter_close(c, &k, e, &said);
		if (kept != ERR_OK)
			log_line(LOG_WARN, "rid=%s what=embedding err=%s why=\"not in the ledger\"", c->rid, err_code(kept));
	}
	if (e == ERR_OK) {
		if (atomic_exchange(&failed, 0) > 0)
			rest(0);
	} else if (e != ERR_CANCELLED) {
		unsigned k = atomic_fetch_add(&failed, 1);

		rest(k < 6 ? REST_S << k : REST_MAX_S);
		log_line(LOG_WARN, "rid=%s what=embedding provider=%s err=%s", c->rid, m->provider,
		    e == ERR_UPSTREAM ? llm_error_code(ret->error) : err_code(e));
	}
	return e;
}

/*
 * The few tokens of a process: a short table under one lock. Two threads that find none may both fetch
 * one; the later is kept.
 */
#include "lib/llm/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"

enum { TOKENS_MAX = 32 };

static struct {
	pthread_mutex_t mu;
	struct { struct token_key key; char *token; int64_t expires_ms; } all[TOKENS_MAX];
} kept = { .mu = PTHREAD_MUTEX_INITIALIZER };

struct token_key
token_key(const char *kind, const char *credential)
{
	struct token_key k = { 0 };

	hmac_sha256(kind, strlen(kind), credential, strlen(credential), k.digest);
	return k;
}

static void
forget(size_t i)
{
	if (kept.all[i].token != NULL)
		zero_bytes(kept.all[i].token, strlen(kept.all[i].token));
	free(kept.all[i].token);
	kept.all[i].token = NULL;
}

/* Its place, else the one that is emptiest or ends first. */
static size_t
place_of(const struct token_key *k, bool *found)
{
	size_t best = 0;

	*found = false;
	for (size_t i = 0; i < TOKENS_MAX; i++) {
		if (kept.all[i].token != NULL && memcmp(&kept.all[i].key, k, sizeof(*k)) == 0) {
			*found = true;
			return i;
		}
		if (kept.all[best].token != NULL && (kept.all[i].token == NULL || kept.all[i].expires_ms < kept.all[best].expires_ms))
			best = i;
	}
	return best;
}

bool
token_get(const struct token_key *k, struct buf *out)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&kept.mu);
	i = place_of(k, &found);
	if (found && kept.all[i].expires_ms - TOKEN_EARLY_S * 1000 <= clock_ms())
		found = false;
	if (found)
		buf_str(out, kept.all[i].token);
	pthread_mutex_unlock(&kept.mu);
	return found && !out->failed;
}

void
token_put(const struct token_key *k, const char *token, int64_t expires_ms)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&kept.mu);
	i = place_of(k, &found);
	forget(i);
	kept.all[i].token = strdup(token);
	kept.all[i].key = *k;
	kept.all[i].expires_ms = expires_ms;
	pthread_mutex_unlock(&kept.mu);
}

void
token_drop(const struct token_key *k)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&kept.mu);
	i = place_of(k, &found);
	if (found)
		forget(i);
	pthread_mutex_unlock(&kept.mu);
}

enum err
token_fetch(const struct llm_request *rq, const struct http_call *call, struct llm_answer *a, struct json_object **ret)
{
	struct http_answer h;
	enum err e = http_do(call, &h);
	struct json_object *o;

	if (e != ERR_OK) {
		e = driver_blame(rq, a, e, h.why);
		buf_done(&h.body);
		return e;
	}
	o = h.status / 100 == 2 && h.body.len > 0 && json_check(h.body.p, h.body.len, JSON_DEPTH_MAX, NULL) == ERR_OK
	    ? json_parse(h.body.p, h.body.len) : NULL;
	if (h.status == 400 || h.status == 401 || h.status == 403 || h.status == 404)
		llm_blame(a, rq, LLM_AUTH, (int)h.status, NULL);        /* the credential, whatever their word for it */
	else if (h.status / 100 != 2)
		llm_blame(a, rq, llm_classify((int)h.status, NULL, NULL), (int)h.status, NULL);
	else if (o == NULL)
		llm_blame(a, rq, LLM_UPSTREAM, 0, "its token cannot be read");
	if (h.status == 429 || h.status == 503)
		a->retry_after_s = h.retry_after_s;
	buf_zero_done(&h.body);
	if (o == NULL)
		return ERR_UPSTREAM;
	*ret = o;
	return ERR_OK;
}

/*
 * Who is left alone for a while: keys that were refused or are out of money, and
 * providers that fail again and again. Known to all turns at once, kept as rows so that a
 * restart forgets nothing, and read from memory: a call that succeeds writes nothing.
 */
#ifndef LF_REST_H
#define LF_REST_H
#include "lib/base/json.h"
#include "lib/llm/llm.h"

#define REST_FOR_GOOD INT64_MAX

/* From the rows, at the start. */
void rests_load(struct ctx *);

/*
 * Should this provider be asked now, with that key? alone: there is nobody else to ask, so that only a
 * clear word of the provider counts, or many failures. One call in 30 s is let through to one that failed.
 * false: a->error, why and retry_after_s say what is the matter.
 */
bool rest_asks(const char *provider, const char *key, bool alone, struct llm_answer *a);
/* What came of a call, after all its retries, for health.h too. pooled: the key is one of several. */
void rest_note(struct ctx *, const char *provider, const char *key, bool pooled, enum err, const struct llm_answer *);

/* A pool of keys as the configuration has it ([[credential_pools]]), and how its keys are. */
struct pool_key {
	const char *label, *key;        /* key: NULL: not to be found */
	int64_t priority, requests, until_ms;
};
struct key_pool { const char *provider, *strategy; struct pool_key *keys; size_t n; };       /* best priority first */

enum err pool_read(struct ctx *, struct json_object *pool, struct key_pool *ret) MUST_CHECK;
/* The key to use next for that provider, one that rests if they all do; NULL: it has no pool, or no key is to be found. */
const char *pool_pick(struct ctx *, const char *provider);
/* After a failed call: the same provider with another key that is good, into r->api_key. false: there is none, or it would not help. */
struct model_route;
bool rest_next_key(struct ctx *, struct model_route *r, const struct llm_answer *);
/* May another provider do better? Not with a question that is itself too much, nor after a word was read. */
bool rest_other_may_serve(const struct llm_answer *);
bool pool_has(struct ctx *, const char *provider);
/*
 * Does it rest, the provider itself or the key that all share (of a pool: each of them), until a limit has passed, there is money
 * again or another key? *left_ms: -1: for good. Who merely failed is no such thing.
 */
bool rest_holds(struct ctx *, const char *provider, enum llm_error *why, int64_t *left_ms);
#endif

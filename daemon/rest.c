/*
 * Resting.
 *
 * A key that hit a limit is marked under its hash, a provider under no key. How long: what the provider says,
 * else by how often it failed: 60 s, 300 s, 1500 s, an hour; without money five hours and
 * doubled. In a pool a limited key rests an hour, one without money a day, a refused one for good.
 */
#include "daemon/rest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/health.h"
#include "daemon/keys.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

enum {
	RESTS_MAX = 512, WINDOW_MS = 86400000, PROBE_MS = 30000, MANY = 5,
	LIMIT_S = 30, AUTH_S = 3600,
	POOL_LIMIT_S = 3600, POOL_MONEY_S = 86400,
};

struct rest {
	char provider[65], key[17];     /* key "": the provider itself */
	enum llm_error why;
	bool told;                      /* the provider said until when */
	int64_t until_ms, failed_ms, probed_ms, requests;
	unsigned failures;
	uint64_t used;                  /* order of use, for least_used and round_robin */
};

static struct {
	pthread_mutex_t mu;
	struct rest all[RESTS_MAX];
	size_t n;
	uint64_t turn;
	_Atomic bool any;               /* somebody rests, or has failed */
} r = { .mu = PTHREAD_MUTEX_INITIALIZER };

static void
hash_of(const char *key, char out[static 17])
{
	uint8_t sum[32];
	char hex[65];

	out[0] = '\0';
	if (key == NULL || key[0] == '\0')
		return;
	sha256(key, strlen(key), sum);
	hex_of(sum, sizeof(sum), hex);
	memcpy(out, hex, 16);
	out[16] = '\0';
}

/* The clock was set back to before the failure: as if that were now, or it would rest for as much longer. */
static void
follow_clock(struct rest *x, int64_t now)
{
	if (x->failed_ms > now) {
		if (x->until_ms != 0 && x->until_ms != REST_FOR_GOOD)
			x->until_ms -= x->failed_ms - now;
		x->failed_ms = now;
	}
	if (x->probed_ms > now)
		x->probed_ms = now;
}

/* With the lock. make: a new one, in the place of one that means nothing any more. NULL: none, or no room. */
static struct rest *
find(const char *provider, const char *hash, bool make)
{
	struct rest *place = NULL;

	for (size_t i = 0; i < r.n; i++) {
		struct rest *x = &r.all[i];

		if (strcmp(x->provider, provider) == 0 && strcmp(x->key, hash) == 0) {
			follow_clock(x, clock_ms());
			return x;
		}
		if (place == NULL && x->until_ms == 0 && x->failures == 0 && x->requests == 0)
			place = x;
	}
	if (!make || strlen(provider) >= sizeof(place->provider))
		return NULL;
	if (place == NULL && r.n < RESTS_MAX)
		place = &r.all[r.n++];
	if (place == NULL)
		return NULL;
	*place = (struct rest){ .why = LLM_OK };
	snprintf(place->provider, sizeof(place->provider), "%s", provider);
	snprintf(place->key, sizeof(place->key), "%s", hash);
	return place;
}

/* --- rows ------------------------------------------------------------------------ */

static enum llm_error
error_of(const char *code)
{
	for (int e = LLM_OK; e <= LLM_CANCELLED; e++)
		if (strcmp(llm_error_code((enum llm_error)e), code) == 0)
			return (enum llm_error)e;
	return LLM_UPSTREAM;
}

void
rests_load(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT provider, key_hash, until_ms, reason, failures, failed_ms, requests"
	    " FROM provider_rest WHERE until_ms > ? OR failed_ms > ? ORDER BY provider, key_hash LIMIT 512"));

	bind_i64(st, c->now_ms);
	bind_i64(st, c->now_ms - WINDOW_MS);
	pthread_mutex_lock(&r.mu);
	while (db_step(st)) {
		struct rest *x = find(col_text(c, st, "provider"), col_text(c, st, "key_hash"), true);

		if (x == NULL)
			break;
		x->until_ms = col_i64(st, "until_ms");
		x->why = error_of(col_text(c, st, "reason"));
		x->failures = (unsigned)col_i64(st, "failures");
		x->failed_ms = x->probed_ms = col_i64(st, "failed_ms");
		x->requests = col_i64(st, "requests");
		health_before(x->provider, x->failures, x->failed_ms);
		r.any = true;
	}
	pthread_mutex_unlock(&r.mu);
	ignore_err(db_end(st));         /* what cannot be read is learnt again */
}

/* What is lost when the store is busy is learnt again, too. */
static void
store(struct ctx *c, const struct rest *x)
{
	bool had = c->db != NULL;

	job_db_acquire(c);
	{
		SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_rest (provider, key_hash, until_ms, reason, failures, failed_ms, requests)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, key_hash) DO UPDATE SET until_ms = excluded.until_ms,"
		    " reason = excluded.reason, failures = excluded.failures, failed_ms = excluded.failed_ms, requests = excluded.requests"));

		bind_text(st, x->provider);
		bind_text(st, x->key);
		bind_i64(st, x->until_ms);
		bind_text(st, llm_error_code(x->why));
		bind_i64(st, x->failures);
		bind_i64(st, x->failed_ms);
		bind_i64(st, x->requests);
		ignore_err(db_exec(st));
	}
	if (!had)
		job_db_release(c);
}

/* --- may it be asked? ---------------------------------------------------------------- */

static const char *
words_of(enum llm_error e)
{
	switch (e) {
	case LLM_RATE_LIMITED: return "it asked for a pause";
	case LLM_BILLING: return "its account has no money";
	case LLM_AUTH: return "it refused the key";
	default: return "it has failed again and again";
	}
}

/* With the lock. Is x in the way? A call now and then is let through to one that failed. */
static bool
in_the_way(struct rest *x, bool alone, int64_t now)
{
	if (x == NULL || x->until_ms <= now)
		return false;
	if (x->told)
		return true;
	if (alone && x->failures < MANY)
		return false;
	if (x->until_ms == REST_FOR_GOOD)
		return true;
	if (now - x->probed_ms < PROBE_MS || x->why == LLM_RATE_LIMITED)
		return true;
	x->probed_ms = now;
	return false;
}

bool
rest_asks(const char *provider, const char *key, bool alone, struct llm_answer *a)
{
	int64_t now = clock_ms(), wait_s = 0;
	enum llm_error why = LLM_OK;
	struct rest *both[2];
	char hash[17];

	if (!r.any)
		return true;
	hash_of(key, hash);
	pthread_mutex_lock(&r.mu);
	both[0] = hash[0] != '\0' ? find(provider, hash, false) : NULL;
	both[1] = find(provider, "", false);
	for (int i = 0; i < 2 && why == LLM_OK; i++)
		if (in_the_way(both[i], alone, now)) {
			why = both[i]->why;
			wait_s = both[i]->until_ms == REST_FOR_GOOD ? 0 : (both[i]->until_ms - now + 999) / 1000;
		}
	pthread_mutex_unlock(&r.mu);
	if (why == LLM_OK)
		return true;
	*a = (struct llm_answer){ .error = why, .retry_after_s = wait_s > 0 ? wait_s : -1 };
	if (wait_s > 0)
		snprintf(a->why, sizeof(a->why), "provider %.64s is in cooldown, retry in %lld s: %s", provider, (long long)wait_s, words_of(why));
	else
		snprintf(a->why, sizeof(a->why), "provider %.64s is not asked: %s", provider, words_of(why));
	return false;
}

/* --- what came of it -------------------------------------------------------------------- */

static bool
counts(enum llm_error e)
{
	switch (e) {
	case LLM_AUTH: case LLM_BILLING: case LLM_OVERLOADED: case LLM_TIMEOUT: case LLM_UPSTREAM: case LLM_BROKEN_STREAM:
	case LLM_RATE_LIMITED:
		return true;
	default:
		return false;
	}
}

/* Tests make pauses short, or none. */
static int64_t
second_ms(void)
{
	const char *v = getenv("LF_REST_SECOND_MS");

	return v != NULL ? strtoll(v, NULL, 10) : 1000;
}

static int64_t
pause_s(const struct llm_answer *a, bool pooled, unsigned n)
{
	static const int64_t failing[] = { 60, 300, 1500, 3600 }, poor[] = { 18000, 36000, 72000, 86400 };
	unsigned at = n == 0 ? 0 : n > 4 ? 3 : n - 1;

	switch (a->error) {
	case LLM_RATE_LIMITED:
		return pooled ? POOL_LIMIT_S : a->retry_after_s > LIMIT_S ? a->retry_after_s : LIMIT_S;
	case LLM_BILLING:
		return pooled ? POOL_MONEY_S : poor[at];
	case LLM_AUTH:
		return AUTH_S;
	default:
		return failing[at];
	}
}

static void
failed(struct ctx *c, const char *provider, const char *hash, bool pooled, const struct llm_answer *a)
{
	bool of_key = a->error == LLM_RATE_LIMITED || a->error == LLM_BILLING || a->error == LLM_AUTH;
	int64_t now = clock_ms(), until;
	struct rest *x, copy;

	pthread_mutex_lock(&r.mu);
	x = find(provider, of_key ? hash : "", true);
	if (x != NULL) {
		x->failures = now - x->failed_ms > WINDOW_MS ? 1 : x->failures + 1;
		x->failed_ms = x->probed_ms = now;
		x->why = a->error;
		until = pooled && a->error == LLM_AUTH ? REST_FOR_GOOD : now + pause_s(a, pooled, x->failures) * second_ms();
		x->told = a->error == LLM_RATE_LIMITED && a->retry_after_s > 0;
		if (x->told && !pooled)
			until = now + a->retry_after_s * second_ms();
		if (until > x->until_ms)
			x->until_ms = until;            /* a pause is never made shorter */
		r.any = true;
		copy = *x;
	}
	pthread_mutex_unlock(&r.mu);
	if (x != NULL)
		store(c, &copy);
}

/* With the lock. true: it was marked. */
static bool
heal(struct rest *x)
{
	if (x == NULL || (x->failures == 0 && x->until_ms == 0))
		return false;
	x->failures = 0;
	x->until_ms = x->failed_ms = 0;
	x->told = false;
	x->why = LLM_OK;
	return true;
}

void
rest_note(struct ctx *c, const char *provider, const char *key, bool pooled, enum err e, const struct llm_answer *a)
{
	struct rest copy[2], *x;
	bool healed[2] = { false, false };
	char hash[17];

	if (e != ERR_OK && !counts(a->error))
		return;
	if (e == ERR_OK)
		health_answered(provider, a->took_us / 1000);
	else
		health_failed(provider, clock_ms());
	if (e == ERR_OK && !r.any && !pooled)
		return;
	hash_of(key, hash);
	if (e != ERR_OK) {
		failed(c, provider, hash, pooled, a);
		return;
	}
	pthread_mutex_lock(&r.mu);
	x = find(provider, hash, pooled);
	if (x != NULL && pooled)
		x->requests++;
	if ((healed[0] = heal(x)))
		copy[0] = *x;
	x = hash[0] != '\0' ? find(provider, "", false) : NULL;
	if ((healed[1] = heal(x)))
		copy[1] = *x;
	pthread_mutex_unlock(&r.mu);
	for (int i = 0; i < 2; i++)
		if (healed[i])
			store(c, &copy[i]);
}

/* --- pools ----------------------------------------------------------------------------------- */

static int
by_priority(const void *a, const void *b)
{
	const struct pool_key *x = a, *y = b;

	return x->priority != y->priority ? (x->priority < y->priority ? 1 : -1) : 0;
}

enum err
pool_read(struct ctx *c, struct json_object *o, struct key_pool *ret)
{
	struct json_object *list = js_arr(o, "keys");
	const char *named = js_str_or(o, "provider", "");
	const struct provider *p = catalog_provider_alias(named);
	size_t n = list != NULL ? json_object_array_length(list) : 0;

	*ret = (struct key_pool){ .provider = p != NULL ? p->id : named, .strategy = js_str_or(o, "strategy", "fill_first"),
	    .keys = ctx_alloc(c, (n + 1) * sizeof(*ret->keys)), .n = n };
	if (ret->keys == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct json_object *k = json_object_array_get_idx(list, i);
		struct pool_key *to = &ret->keys[i];
		struct rest *x;
		char hash[17];

		to->label = js_str_or(k, "label", js_str_or(k, "api_key_env", ""));
		to->priority = js_i64(k, "priority", 0);
		to->key = key_named(c, js_str(k, "api_key_env"));
		hash_of(to->key, hash);
		pthread_mutex_lock(&r.mu);
		x = hash[0] != '\0' ? find(ret->provider, hash, false) : NULL;
		if (x != NULL) {
			to->requests = x->requests;
			to->until_ms = x->until_ms;
		}
		pthread_mutex_unlock(&r.mu);
	}
	qsort(ret->keys, n, sizeof(*ret->keys), by_priority);   /* glibc's is stable */
	return ERR_OK;
}

static struct json_object *
pool_of(struct ctx *c, const char *provider)
{
	struct json_object *all = js_arr(c->cfg->raw, "credential_pools");

	for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		const struct provider *p = catalog_provider_alias(js_str_or(o, "provider", ""));

		if (strcmp(p != NULL ? p->id : js_str_or(o, "provider", ""), provider) == 0)
			return o;
	}
	return NULL;
}

bool
pool_has(struct ctx *c, const char *provider)
{
	return pool_of(c, provider) != NULL;
}

/* Of the good keys with the best priority: the first, any, or the one that was used longest ago. */
static size_t
choose(const struct key_pool *p, const size_t *good, size_t n)
{
	uint64_t best = UINT64_MAX;
	uint32_t dice;
	size_t at = 0;

	if (strcmp(p->strategy, "fill_first") == 0)
		return good[0];
	if (strcmp(p->strategy, "random") == 0) {
		random_bytes(&dice, sizeof(dice));
		return good[dice % n];
	}
	for (size_t i = 0; i < n; i++) {
		struct rest *x;
		char hash[17];

		hash_of(p->keys[good[i]].key, hash);
		x = find(p->provider, hash, true);
		if (x == NULL || x->used < best) {
			best = x != NULL ? x->used : 0;
			at = i;
		}
	}
	return good[at];
}

/* All of them rest. */
static const char *
soonest(const struct key_pool *p)
{
	const struct pool_key *best = NULL;

	for (size_t i = 0; i < p->n; i++)
		if (p->keys[i].key != NULL && (best == NULL || p->keys[i].until_ms < best->until_ms))
			best = &p->keys[i];
	return best != NULL ? best->key : NULL;
}

const char *
pool_pick(struct ctx *c, const char *provider)
{
	struct json_object *o = pool_of(c, provider);
	int64_t now = clock_ms();
	struct key_pool p;
	size_t *good, n = 0, at;
	struct rest *x;
	char hash[17];

	if (o == NULL || pool_read(c, o, &p) != ERR_OK || (good = ctx_alloc(c, (p.n + 1) * sizeof(*good))) == NULL)
		return NULL;
	for (size_t i = 0; i < p.n; i++)
		if (p.keys[i].key != NULL && p.keys[i].until_ms <= now && (n == 0 || p.keys[i].priority == p.keys[good[0]].priority))
			good[n++] = i;
	if (n == 0)
		return soonest(&p);
	pthread_mutex_lock(&r.mu);
	at = choose(&p, good, n);
	hash_of(p.keys[at].key, hash);
	x = find(p.provider, hash, true);
	if (x != NULL)
		x->used = ++r.turn;
	pthread_mutex_unlock(&r.mu);
	return p.keys[at].key;
}

bool
rest_next_key(struct ctx *c, struct model_route *route, const struct llm_answer *a)
{
	bool of_key = a->error == LLM_RATE_LIMITED || a->error == LLM_AUTH || a->error == LLM_BILLING;
	const char *key = route->pooled && of_key && !a->any_output ? pool_pick(c, route->provider) : NULL;
	struct llm_answer why;

	if (key == NULL || strcmp(key, route->api_key) == 0 || !rest_asks(route->provider, key, false, &why))
		return false;
	log_line(LOG_WARN, "rid=%s what=next_key provider=%s err=%s", c->rid, route->provider, llm_error_code(a->error));
	route->api_key = key;
	return true;
}

bool
rest_other_may_serve(const struct llm_answer *a)
{
	return a->error != LLM_CONTEXT_OVERFLOW && a->error != LLM_FORMAT && a->error != LLM_CANCELLED && a->error != LLM_NO_MEMORY && !a->any_output;
}

/* --- as others see it ------------------------------------------------------------------------ */

/* Until when that key is not to be used, or (NULL) the provider; 0: it may be, or merely failed. */
static int64_t
held_until(const char *provider, const char *key, enum llm_error *why)
{
	int64_t until = 0;
	struct rest *x;
	char hash[17];

	hash_of(key, hash);
	pthread_mutex_lock(&r.mu);
	x = find(provider, hash, false);
	if (x != NULL && x->until_ms > clock_ms() && (x->why == LLM_RATE_LIMITED || x->why == LLM_BILLING || x->why == LLM_AUTH)) {
		*why = x->why;
		until = x->until_ms;
	}
	pthread_mutex_unlock(&r.mu);
	return until;
}

/* The first of its keys that may be used again. */
static int64_t
pool_until(struct ctx *c, const char *provider, enum llm_error *why)
{
	int64_t first = 0;
	struct key_pool p;

	if (pool_read(c, pool_of(c, provider), &p) != ERR_OK)
		return 0;
	for (size_t i = 0; i < p.n; i++) {
		enum llm_error its = LLM_OK;
		int64_t until = p.keys[i].key != NULL ? held_until(provider, p.keys[i].key, &its) : REST_FOR_GOOD;

		if (until == 0)
			return 0;
		if (its != LLM_OK && (first == 0 || until < first)) {
			first = until;
			*why = its;
		}
	}
	return first;
}

bool
rest_holds(struct ctx *c, const char *provider, enum llm_error *why, int64_t *left_ms)
{
	struct fault before = c->fault;
	struct model_route route;
	int64_t until;

	if (!r.any)
		return false;
	until = held_until(provider, NULL, why);
	if (until == 0 && pool_has(c, provider))
		until = pool_until(c, provider, why);
	else if (until == 0 && model_route_for(c, NULL, provider, "", NULL, &route) == ERR_OK && route.api_key[0] != '\0')
		until = held_until(provider, route.api_key, why);
	fault_forget(c, before);        /* who has no key rests not */
	*left_ms = until == REST_FOR_GOOD ? -1 : until - clock_ms();
	return until > 0;
}

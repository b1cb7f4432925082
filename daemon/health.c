/*
 * Who does well. A short table under one lock; who comes when it is full is not known, and stays where the list has it.
 */
#include "daemon/health.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/turn.h"
#include "db/db.h"

enum { PROVIDERS_MAX = 128, NAME_MAX_BYTES = 65, RECOVERED_MS = 300000, FAILURE_MS = 30000, LOADED_MS = 3600000 };

struct health {
	char provider[NAME_MAX_BYTES];
	double ms;                      /* below 0: no answer is known */
	unsigned failures;
	int64_t failed_ms;
};

static struct {
	pthread_mutex_t mu;
	struct health all[PROVIDERS_MAX];
	size_t n;
} self = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* With the lock. NULL: it is not there, or there is no room. */
static struct health *
find(const char *provider, bool make)
{
	struct health *h;

	for (size_t i = 0; i < self.n; i++)
		if (strcmp(self.all[i].provider, provider) == 0)
			return &self.all[i];
	if (!make || self.n == PROVIDERS_MAX || strlen(provider) >= NAME_MAX_BYTES)
		return NULL;
	h = &self.all[self.n++];
	*h = (struct health){ .ms = -1 };
	snprintf(h->provider, sizeof(h->provider), "%s", provider);
	return h;
}

void
health_answered(const char *provider, int64_t ms)
{
	struct health *h;

	pthread_mutex_lock(&self.mu);
	h = find(provider, true);
	if (h != NULL) {
		h->ms = h->ms < 0 ? (double)ms : 0.3 * (double)ms + 0.7 * h->ms;
		h->failures = 0;
	}
	pthread_mutex_unlock(&self.mu);
}

void
health_failed(const char *provider, int64_t now_ms)
{
	struct health *h;

	pthread_mutex_lock(&self.mu);
	h = find(provider, true);
	if (h != NULL) {
		h->failures = now_ms - h->failed_ms > RECOVERED_MS ? 1 : h->failures + 1;
		h->failed_ms = now_ms;
	}
	pthread_mutex_unlock(&self.mu);
}

void
health_before(const char *provider, unsigned failures, int64_t failed_ms)
{
	struct health *h;

	pthread_mutex_lock(&self.mu);
	h = failures > 0 ? find(provider, true) : NULL;
	if (h != NULL) {
		h->failures += failures;
		if (failed_ms > h->failed_ms)
			h->failed_ms = failed_ms;
	}
	pthread_mutex_unlock(&self.mu);
}

enum err
health_load(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, latency_ms, calls - failed AS answered FROM usage_sum"
	    " WHERE span = 'minute' AND scope = 'provider' AND start_ms >= ? AND calls > failed ORDER BY start_ms, id LIMIT 10000"));

	bind_i64(st, c->now_ms - LOADED_MS);
	pthread_mutex_lock(&self.mu);
	while (db_step(st)) {
		const char *id = col_text(c, st, "id");
		struct health *h = id != NULL ? find(id, true) : NULL;
		double ms = (double)col_i64(st, "latency_ms") / (double)col_i64(st, "answered");

		if (h != NULL)
			h->ms = h->ms < 0 ? ms : 0.3 * ms + 0.7 * h->ms;
	}
	pthread_mutex_unlock(&self.mu);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- the order ----------------------------------------------------------------------------- */

struct rank { unsigned group; double ms; };

/* With the lock. */
static struct rank
rank_of(const char *provider, int64_t now_ms)
{
	const struct health *h = find(provider, false);
	unsigned failures = h != NULL && now_ms - h->failed_ms <= RECOVERED_MS ? h->failures : 0;
	bool known = h != NULL && h->ms >= 0;

	return (struct rank){ .group = (failures > 0 ? 2 : 0) + (known || failures > 0 ? 0 : 1),
	    .ms = (known ? h->ms : 0) + (double)failures * FAILURE_MS };
}

static bool
better(const struct rank *a, const struct rank *b)
{
	return a->group != b->group ? a->group < b->group : a->ms < b->ms;
}

void
health_order(struct model_route *r, size_t n, int64_t now_ms)
{
	pthread_mutex_lock(&self.mu);
	for (size_t i = 1; i < n; i++) {
		struct model_route moved = r[i];
		struct rank mine = rank_of(moved.provider, now_ms), other;
		size_t at = i;

		for (; at > 0 && (other = rank_of(r[at - 1].provider, now_ms), better(&mine, &other)); at--)
			r[at] = r[at - 1];
		r[at] = moved;
	}
	pthread_mutex_unlock(&self.mu);
}

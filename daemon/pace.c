/*
 * A window of sixty seconds and the one that runs, a counter for each.
 *
 * Agents that have called nothing for so long are dropped from their bucket whenever
 * somebody looks there, so the table holds who is busy and no more.
 */
#include "daemon/pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>


enum { SECONDS = 61, BUCKETS = 256 };

struct pace {
	struct pace *next;
	char agent[37];
	int64_t newest;                 /* second of the last call */
	int64_t second[SECONDS];        /* which one each counter is of */
	uint32_t n[SECONDS];
};

static struct {
	pthread_mutex_t mu;
	struct pace *bucket[BUCKETS];
} self = { .mu = PTHREAD_MUTEX_INITIALIZER };

static struct pace **
bucket_of(const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id != '\0'; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return &self.bucket[h % BUCKETS];
}

/* That agent's; those that have been quiet for a minute go. NULL: it has none. */
static struct pace *
find(struct pace **b, const char *id, int64_t now)
{
	struct pace *found = NULL;

	while (*b != NULL) {
		struct pace *p = *b;

		if (strcmp(p->agent, id) == 0) {
			found = p;
		} else if (p->newest <= now - SECONDS) {
			*b = p->next;
			free(p);
			continue;
		}
		b = &p->next;
	}
	return found;
}

static struct pace *
add(struct pace **b, const char *id)
{
	struct pace *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	memcpy(p->agent, id, strnlen(id, sizeof(p->agent) - 1));
	p->next = *b;
	*b = p;
	return p;
}

/* Seconds until fewer than limit calls lie within the window; 0: now. */
static unsigned
wait_for(const struct pace *p, int64_t limit, int64_t now)
{
	int64_t sum = 0;

	for (int64_t s = now; s > now - SECONDS && s >= 0; s--) {
		sum += p->second[s % SECONDS] == s ? p->n[s % SECONDS] : 0;
		if (sum >= limit)
			return (unsigned)(s + SECONDS - now);
	}
	return 0;
}

/* With the lock. */
static void
count(struct pace *p, int64_t second, int64_t n)
{
	unsigned at = (unsigned)(second % SECONDS);

	if (p->second[at] != second) {
		p->second[at] = second;
		p->n[at] = 0;
	}
	p->n[at] += n > 1000000 ? 1000000 : (uint32_t)n;
	if (second > p->newest)
		p->newest = second;
}

void
pace_before(const char *agent_id, int64_t n, int64_t age_s, int64_t now_s)
{
	int64_t now = now_s + SECONDS;
	struct pace **b = bucket_of(agent_id), *p;

	if (n <= 0 || age_s < 0 || age_s >= SECONDS)
		return;
	pthread_mutex_lock(&self.mu);
	p = find(b, agent_id, now);
	if (p == NULL)
		p = add(b, agent_id);
	if (p != NULL)
		count(p, now - age_s, n);
	pthread_mutex_unlock(&self.mu);
}

unsigned
pace_take(const char *agent_id, int64_t limit, int64_t now_s)
{
	int64_t now = now_s + SECONDS;  /* so that a counter that nothing was counted in is of no second in the window */
	struct pace **b = bucket_of(agent_id), *p;
	unsigned wait = 0;

	if (limit <= 0)
		return 0;
	pthread_mutex_lock(&self.mu);
	p = find(b, agent_id, now);
	if (p == NULL)
		p = add(b, agent_id);
	if (p != NULL)
		wait = wait_for(p, limit, now);
	if (p != NULL && wait == 0)
		count(p, now, 1);
	pthread_mutex_unlock(&self.mu);
	return wait;
}

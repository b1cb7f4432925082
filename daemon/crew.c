/* The list of those who work in the background. */
#include "daemon/crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/threads.h"

static struct {
	pthread_mutex_t mu;
	struct hand *all;
} crew = { .mu = PTHREAD_MUTEX_INITIALIZER };

static bool
add(struct hand *h)
{
	bool found = false;

	pthread_mutex_lock(&crew.mu);
	for (const struct hand *o = crew.all; o != NULL && !found; o = o->next)
		found = !o->let_go && strcmp(o->id, h->id) == 0;
	if (!found) {
		h->next = crew.all;
		crew.all = h;
	}
	pthread_mutex_unlock(&crew.mu);
	return !found;
}

void
crew_let_go(struct hand *h)
{
	pthread_mutex_lock(&crew.mu);
	h->let_go = true;
	pthread_mutex_unlock(&crew.mu);
}

static void
drop(struct hand *h)
{
	struct hand **at = &crew.all;

	pthread_mutex_lock(&crew.mu);
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	pthread_mutex_unlock(&crew.mu);
	lane_give(h->lane);
	free(h);
}

static void
work(void *arg)
{
	struct hand *h = arg;
	void (*after)(void) = h->after;
	struct background b;

	if (background_begin(&b)) {
		h->fn(h, &b);
		background_end(&b);
	}
	drop(h);
	if (after != NULL)
		after();
}

bool
crew_start(const char *id, int64_t at_ms, enum lane lane, const struct config *cfg, void (*fn)(struct hand *, struct background *),
    void (*after)(void))
{
	struct hand *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return false;
	memcpy(h->id, id, 37);
	h->at_ms = at_ms;
	h->lane = lane;
	h->fn = fn;
	h->after = after;
	if (!add(h)) {
		free(h);
		return true;
	}
	if (!lane_try(lane, cfg)) {
		h->lane = LANE_NONE;
		drop(h);
		return true;
	}
	if (threads_run(work, h) == 0)
		return true;
	drop(h);
	return false;
}

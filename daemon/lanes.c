/*
 * Permits. The bound is read with each look, so that a new configuration holds at once; what is out already stays out.
 */
#include "daemon/lanes.h"

#include <pthread.h>
#include <time.h>

#include "daemon/threads.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/series.h"

enum { MODEL_CALLS = 5 };

static const struct { const char *key, *name; unsigned dflt; } lanes[LANES] = {
	[LANE_MAIN] = { "main_lane", "main", 3 }, [LANE_CRON] = { "cron_lane", "cron", 2 },
	[LANE_SUBAGENT] = { "subagent_lane", "subagent", 3 }, [LANE_TRIGGER] = { "trigger_lane", "trigger", 8 },
	[LANE_MODEL] = { NULL, NULL, MODEL_CALLS },
};

static struct {
	pthread_mutex_t mu;
	pthread_cond_t fewer;
	unsigned out[LANES];
	bool wanted;                    /* somebody went away empty-handed */
	bool stopped;
	void (*on_free)(void);
} self = { .mu = PTHREAD_MUTEX_INITIALIZER, .fewer = PTHREAD_COND_INITIALIZER };

static unsigned
bound(enum lane lane, const struct config *cfg)
{
	struct json_object *queue = js_obj(js_obj(cfg->raw, "queue"), "concurrency");
	int64_t n = lanes[lane].key == NULL ? 0 : js_i64(queue, lanes[lane].key, 0);

	return n > 0 && n < INT32_MAX ? (unsigned)n : lanes[lane].dflt;
}

/* With the lock. */
static bool
try_locked(enum lane lane, const struct config *cfg)
{
	if (self.stopped || self.out[lane] >= bound(lane, cfg))
		return false;
	self.out[lane]++;
	return true;
}

bool
lane_try(enum lane lane, const struct config *cfg)
{
	bool good;

	if (lane == LANE_NONE)
		return true;
	pthread_mutex_lock(&self.mu);
	good = try_locked(lane, cfg);
	self.wanted |= !good;
	pthread_mutex_unlock(&self.mu);
	return good;
}

static void
count_wait(enum lane lane, int64_t since_us)
{
	if (lanes[lane].name != NULL)
		series_add(SERIES_QUEUE_WAIT, (const char *const[]){ lanes[lane].name }, clock_mono_us() - since_us);
}

bool
lane_take(enum lane lane, const struct config *cfg, const struct cancel *k, int64_t deadline_us)
{
	int64_t since = clock_mono_us();
	struct timespec until = timespec_of_us(deadline_us);
	bool good, waited = false;

	if (lane == LANE_NONE)
		return true;
	pthread_mutex_lock(&self.mu);
	while (!(good = try_locked(lane, cfg)) && !self.stopped && !cancelled(k) && (deadline_us == 0 || clock_mono_us() < deadline_us)) {
		if (!waited) {
			waited = true;          /* the next in the pool's line may begin */
			pthread_mutex_unlock(&self.mu);
			threads_rest();
			pthread_mutex_lock(&self.mu);
		} else if (deadline_us == 0) {
			pthread_cond_wait(&self.fewer, &self.mu);
		} else {
			pthread_cond_clockwait(&self.fewer, &self.mu, CLOCK_MONOTONIC, &until);
		}
	}
	pthread_mutex_unlock(&self.mu);
	count_wait(lane, since);
	return good;
}

void
lane_force(enum lane lane)
{
	pthread_mutex_lock(&self.mu);
	self.out[lane]++;
	pthread_mutex_unlock(&self.mu);
}

void
lane_give(enum lane lane)
{
	void (*tell)(void);

	if (lane == LANE_NONE)
		return;
	pthread_mutex_lock(&self.mu);
	self.out[lane]--;
	tell = self.wanted ? self.on_free : NULL;
	self.wanted = false;
	pthread_cond_broadcast(&self.fewer);
	pthread_mutex_unlock(&self.mu);
	if (tell != NULL)
		tell();
}

void
lanes_on_free(void (*fn)(void))
{
	pthread_mutex_lock(&self.mu);
	self.on_free = fn;
	pthread_mutex_unlock(&self.mu);
}

void
lanes_look(void)
{
	pthread_mutex_lock(&self.mu);
	pthread_cond_broadcast(&self.fewer);
	pthread_mutex_unlock(&self.mu);
}

void
lanes_stop(void)
{
	pthread_mutex_lock(&self.mu);
	self.stopped = true;
	pthread_cond_broadcast(&self.fewer);
	pthread_mutex_unlock(&self.mu);
}

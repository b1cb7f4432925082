/*
 * Labelled counters in shared memory: an open-addressed table that only grows. Whoever reads sees a slot when its
 * kind is there, which is after its labels are.
 */
#include "lib/svc/series.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/shm.h"
#include "lib/svc/metrics.h"

enum { LABELS_MAX = 4, VALUE_MAX = 64 };

static const struct {
	const char *name, *type, *help, *labels[LABELS_MAX + 1];
} kinds[SERIES_COUNT] = {
	{ "librefang_tool_call_total", "counter", "Tool calls.", { "agent", "tool", "outcome", "failure_type" } },
	{ "librefang_tool_execution_seconds", "histogram", "Time that tools took.", { "agent", "tool" } },
	{ "librefang_agent_loop_exits_total", "counter", "How turns ended.", { "agent", "reason" } },
	{ "librefang_llm_provider_errors_total", "counter", "Model calls that failed.", { "provider", "status" } },
	{ "librefang_budget_refused_total", "counter", "Calls that a budget refused.", { "scope", "window" } },
	{ "librefang_queue_wait_seconds", "histogram", "How long work in the background waited for its lane.", { "lane" } },
	{ "librefang_agent_ticks_total", "counter", "Times that agents were due to act by themselves.", { "agent", "outcome" } },
	{ "librefang_agent_heartbeat_total", "counter", "Agents that fell silent, and that were heard of again.", { "agent", "outcome" } },
};

static uint32_t
hash(const char *s, uint32_t h)
{
	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* The slot of those labels, made if need be; NULL: there is no room. */
static struct series_slot *
slot_of(enum series kind, const char *labels)
{
	uint32_t at = hash(labels, 2166136261u + (uint32_t)kind);

	for (uint32_t i = 0; i < SHM_SERIES; i++) {
		struct series_slot *s = &shm->series[(at + i) % SHM_SERIES];
		uint32_t k = atomic_load(&s->kind);

		if (k == 0) {
			memcpy(s->labels, labels, strlen(labels) + 1);
			atomic_store(&s->kind, (uint32_t)kind + 1);
			return s;
		}
		if (k == (uint32_t)kind + 1 && strcmp(s->labels, labels) == 0)
			return s;
	}
	return NULL;
}

static void
count(struct series_slot *s, int64_t us)
{
	unsigned i = 0;

	atomic_fetch_add(&s->n, 1);
	atomic_fetch_add(&s->sum_us, (uint64_t)us);
	while (i < SHM_LAT_BUCKETS - 1 && (double)us > shm_lat_bounds_s[i] * 1e6)
		i++;
	atomic_fetch_add(&s->lat[i], 1);
}

void
series_add(enum series kind, const char *const *values, int64_t us)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	SCOPED_BUF b = BUF_INIT(SHM_LABELS - 1);
	struct series_slot *s;

	if (shm == NULL)
		return;
	for (unsigned i = 0; kinds[kind].labels[i] != NULL; i++) {
		buf_str(&b, i > 0 ? "," : "");
		metric_label(&b, kinds[kind].labels[i], values[i], utf8_cut(values[i], strlen(values[i]), VALUE_MAX));
	}
	if (b.failed)
		return;
	pthread_mutex_lock(&one_at_a_time);
	s = slot_of(kind, b.p);
	pthread_mutex_unlock(&one_at_a_time);
	if (s != NULL)
		count(s, us > 0 ? us : 0);
}

/* --- shown ---------------------------------------------------------------------------- */

void
series_write(struct buf *out)
{
	for (unsigned k = 0; k < SERIES_COUNT; k++) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", kinds[k].name, kinds[k].help, kinds[k].name, kinds[k].type);
		for (unsigned i = 0; i < SHM_SERIES; i++) {
			struct series_slot *s = &shm->series[i];

			if (atomic_load(&s->kind) != k + 1)
				continue;
			if (kinds[k].type[0] == 'h')
				metric_histogram(out, kinds[k].name, s->labels, s->lat, atomic_load(&s->sum_us));
			else
				buf_printf(out, "%s{%s} %" PRIu64 "\n", kinds[k].name, s->labels, atomic_load(&s->n));
		}
	}
}

/*
 * What turns count for /api/metrics, by label: in shared memory, so that every process can show it. Counters begin
 * at zero with the supervisor. There is room for SHM_SERIES sets of labels; what comes after them is not counted.
 */
#ifndef LF_SERIES_H
#define LF_SERIES_H
#include "lib/base/buf.h"

enum series {
	SERIES_TOOL_CALL,       /* agent, tool, outcome, failure_type */
	SERIES_TOOL_SECONDS,    /* agent, tool; a histogram */
	SERIES_LOOP_EXIT,       /* agent, reason */
	SERIES_PROVIDER_ERROR,  /* provider, status */
	SERIES_BUDGET_REFUSED,  /* scope, window */
	SERIES_QUEUE_WAIT,      /* lane; a histogram */
	SERIES_TICK,            /* agent, outcome */
	SERIES_HEARTBEAT,       /* agent, outcome */
	SERIES_COUNT
};

/* One more. Values in the order of the labels above; us: how long it took, for a histogram. The daemon's threads alone. */
void series_add(enum series, const char *const *values, int64_t us);
/* All of them in Prometheus' text format. */
void series_write(struct buf *out);
#endif

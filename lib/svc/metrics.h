/*
 * Metrics in Prometheus' text format 0.0.4, summed over all processes.
 */
#ifndef LF_METRICS_H
#define LF_METRICS_H
#include "lib/base/buf.h"
#include "lib/base/shm.h"

/* A row of the route table, in the order in which requests are counted. */
struct metric_route { const char *method, *path; };

/* All families into out. The counters come from shared memory, the rest from the store. Errors: DB. */
enum err metrics_write(struct ctx *, const char *version, const struct metric_route *, size_t n,
    struct buf *out) MUST_CHECK;

/* What models took, and what budgets have put aside. */
enum err metrics_write_money(struct ctx *, struct buf *out) MUST_CHECK;

/* name="value" with what the format escapes. */
void metric_label(struct buf *, const char *name, const char *value, size_t n);
/* The lines of one histogram; labels: as they stand between the braces. */
void metric_histogram(struct buf *, const char *name, const char *labels, const _Atomic uint64_t lat[static SHM_LAT_BUCKETS],
    uint64_t sum_us);
#endif

/*
 * How well providers do: how long their answers take, as a moving average in which the newest counts three tenths, and how often each
 * has failed since it last answered. Who has not failed again for five minutes counts as one that did not.
 *
 * Kept in the memory of the daemon, where all calls are made; a start takes it from the ledger and from who rests.
 */
#ifndef LF_HEALTH_H
#define LF_HEALTH_H
#include "lib/base/base.h"

struct model_route;

/* After a call: it was answered within so many milliseconds, or it failed. */
void health_answered(const char *provider, int64_t ms);
void health_failed(const char *provider, int64_t now_ms);
/* As it was before a start. */
void health_before(const char *provider, unsigned failures, int64_t failed_ms);
enum err health_load(struct ctx *) MUST_CHECK;

/*
 * The best first: those who did not fail before those who did, each by the time that answers take, with half a minute more for
 * each failure. Of whom no time is known stands behind those of whom one is. Equals stay in their order.
 */
void health_order(struct model_route *, size_t n, int64_t now_ms);
#endif

/* What an agent has done: sums and lists of its ledger, its turns and their steps. Each writes one JSON value. */
#ifndef LF_AGENT_STATS_H
#define LF_AGENT_STATS_H
#include "lib/svc/agent.h"

enum err agent_write_metrics(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
enum err agent_write_stats(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
/* The newest metered calls, at most `limit`. */
enum err agent_write_events(struct ctx *, const struct agent *, int64_t limit, struct jw *) MUST_CHECK;
/* The tool calls of the newest turn that had any. */
enum err agent_write_traces(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
/* The turns under way. */
enum err agent_write_runtime(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
#endif

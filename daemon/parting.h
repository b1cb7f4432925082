/* An agent's sessions end, and what they were about is remembered. */
#ifndef LF_PARTING_H
#define LF_PARTING_H
#include "lib/svc/agent.h"
#include "lib/svc/history.h"

/* Wait until no turn of the agent runs, at most that long, without a database connection in hand. */
bool parting_wait(struct ctx *, const char *agent_id, unsigned ms);
/*
 * As history_clear(), told by the model that [llm.auxiliary] names for "session_summary"; where there is none, or it fails, or takes more
 * than half a minute for all of them, what was said last is kept.
 */
enum err parting_clear(struct ctx *, const struct agent *, char ret_id[static 37]) MUST_CHECK;
#endif

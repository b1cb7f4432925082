/* A session's beginning becomes a summary that a model writes. */
#ifndef LF_COMPACT_H
#define LF_COMPACT_H
#include "lib/net/http.h"
#include "lib/svc/agent.h"

struct compacted { size_t gone, chars; int64_t kept; };

/*
 * The agent's current session; waits for its turn as any turn does. The model is the agent's; the provider
 * `offline` gets no question: then the summary lists what was asked. Nothing changes unless it succeeds. Errors: those
 * of a model call; CONFLICT.
 */
enum err compact_session(struct ctx *, const struct agent *, struct cancel *, struct compacted *ret) MUST_CHECK;
#endif

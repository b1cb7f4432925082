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
/*
 * The session of a summary that is to be told, which is ours already: a turn runs in it. least: fewer messages are not
 * worth it, then gone is 0. Otherwise the same.
 */
struct summary;
enum err compact_within(struct summary *, size_t least, struct compacted *ret) MUST_CHECK;
#endif

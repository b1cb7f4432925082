/*
 * Sessions as the API shows them.
 */
#ifndef LF_SESSION_SHOW_H
#define LF_SESSION_SHOW_H
#include "lib/svc/agent.h"

/* Messages by their numbers, from 1: at most limit (0: all) before number `before` (0: the end). */
struct session_part { int64_t limit, before; };

/*
 * The history of a session, or of the agent's current one (session_id NULL), as
 * one object; part NULL: all of it. NOT_FOUND session_agent_mismatch for a session of another agent.
 */
enum err session_write_history(struct ctx *, const struct agent *, const char *session_id,
    const struct session_part *, struct jw *) MUST_CHECK;
/* All sessions of the agent, newest first, into the open array. */
enum err session_write_list(struct ctx *, const struct agent *, struct jw *) MUST_CHECK;
/* What stands for a label: the first thing the user said, on one line, cut to 60 characters. content: a stored message's; NULL: none. */
const char *session_title(struct ctx *, const char *content);
#endif

/*
 * What was said to an agent lately in other conversations.
 */
#ifndef LF_SESSION_ELSEWHERE_H
#define LF_SESSION_ELSEWHERE_H
#include "lib/base/base.h"

/* Whose, and of which conversation the others. */
struct elsewhere_scope {
	const char *agent_id, *session_id;
	const char *peer_id, *chat;     /* the sender; NULL: nobody is named. chat: the channel that it has to be; NULL: any */
};

struct elsewhere {
	const char *session_id, *title; /* title: NULL: it has none */
	const char *question, *answer;
	int64_t said_ms;
};

/*
 * Of each the newest exchange of that same person's that was kept, as far as it is among the agent's newest forty turns; the
 * newest first. *n: at most so many, then how many.
 */
enum err sessions_elsewhere(struct ctx *, const struct elsewhere_scope *, struct elsewhere *ret, size_t *n) MUST_CHECK;
#endif

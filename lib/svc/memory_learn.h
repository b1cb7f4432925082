/*
 * What a model learns from conversations: short statements of a kind and a level, which are added to what the agent knows, or take the place
 * of what they correct. Which model, and when it is asked, is the caller's matter (daemon/learn.h).
 */
#ifndef LF_MEMORY_LEARN_H
#define LF_MEMORY_LEARN_H
#include "lib/svc/memory.h"

enum { LEARNT_MAX = 20, LEARN_TEXT_MAX = 8000 };

/* A session that has grown since a model was asked about it, and in which nobody waits for an answer. */
struct lesson { const char *session_id, *agent_id, *peer_id; int64_t from, to; };
struct learnt {
	const char *content, *category;
	const char *scope;              /* user_memory session_memory agent_memory */
	double confidence;
};

/* Those of the last day, the newest first. *n: at most so many, then how many. */
enum err memory_lessons(struct ctx *, int64_t now_ms, struct lesson *ret, size_t *n) MUST_CHECK;
/*
 * What was said since, a line each, the end of it if it is too long; nothing when no person said anything. *ret_chat: the channel that a named
 * sender spoke in, or NULL.
 */
enum err memory_lesson_text(struct ctx *, const struct lesson *, struct buf *out, const char **ret_chat) MUST_CHECK;
/* What a model answered, if it is that: JSON with or without a fence. Only what the configuration's categories and threshold let pass. */
size_t memory_learnt_of(struct ctx *, const char *answer, struct learnt ret[static LEARNT_MAX]);
/* Into what the agent knows; the session is done with that far. Inside the caller's transaction. */
enum err memory_learn(struct ctx *, const struct lesson *, const char *chat, const struct learnt *, size_t n) MUST_CHECK;
#endif

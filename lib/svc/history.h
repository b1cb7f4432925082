/*
 * Sessions and their messages: what the daemon writes and what a turn reads.
 */
#ifndef LF_HISTORY_H
#define LF_HISTORY_H
#include "lib/svc/conversation.h"

struct session {
	const char *id, *agent_id, *label, *model_override;
	int64_t message_count;
};

/* NOT_FOUND session_not_found. */
enum err session_load(struct ctx *, const char *id, struct session *ret) MUST_CHECK;
/* id NULL: a fresh one; its text to ret_id. The agent must exist (NOT_FOUND agent_not_found otherwise). */
enum err session_create(struct ctx *, const char *agent_id, const char *id, const char *label, char ret_id[static 37]) MUST_CHECK;
/* Whom it was made for; inside the caller's transaction. */
enum err session_set_peer(struct ctx *, const char *id, const char *peer_id) MUST_CHECK;
/* Make it the agent's current one. */
enum err session_make_current(struct ctx *, const char *agent_id, const char *id) MUST_CHECK;
/* When something was said in it last; 0: nothing was, or there is no such session. */
enum err session_last_said(struct ctx *, const char *id, int64_t *ret_ms) MUST_CHECK;
/* A new session is the agent's current one instead of `old`. CONFLICT: that is no longer the current one. */
enum err session_replace(struct ctx *, const char *agent_id, const char *old, char ret_id[static 37]) MUST_CHECK;
/* What was told of sessions that end; of the others the last things said are kept. */
struct told { const char *id, *text; };
struct parting { const struct told *v; size_t n; };
enum { PARTING_MAX = 20 };
/* Each session of two messages and more, the newest of them, as a value session_<day>_<words>_<id> of the agent's memory. */
enum err sessions_remember(struct ctx *, const char *agent_id, const struct parting *) MUST_CHECK;
/* Drop all sessions of the agent, remembered or not (NULL); a new empty one is current. Runs in its own transaction. */
enum err history_clear(struct ctx *, const char *agent_id, const struct parting *, char ret_id[static 37]) MUST_CHECK;
/* Label rule of the contract: trimmed text, or NULL in *ret for none; BAD_REQUEST. */
enum err session_label(struct ctx *, const char *raw, const char **ret) MUST_CHECK;

/*
 * Append one message; content is JSON text (string or array of blocks). Inside the
 * caller's transaction. NOT_FOUND when the session has gone.
 */
enum err message_append(struct ctx *, const char *session_id, const char *role, const char *content, size_t n,
    const char *turn_id) MUST_CHECK;
/* What the assistant said last in that turn, as stored; NULL: the session holds nothing of it. */
enum err message_of_turn(struct ctx *, const char *session_id, const char *turn_id, const char **ret) MUST_CHECK;
/*
 * The newest message of a session stays when others are left out or told in short. Of those that are pinned for what another agent
 * said, the newest PINNED_MAX do. Inside the caller's transaction.
 */
enum { PINNED_MAX = 10 };
enum err message_pin(struct ctx *, const char *session_id) MUST_CHECK;
/* The newest `limit` messages, oldest first; all in c's arena. */
enum err messages_load(struct ctx *, const char *session_id, int64_t limit, struct history *ret) MUST_CHECK;
/* In front of what was loaded so: the newest PINNED_MAX pinned ones that are older. Nothing is read when all were loaded. */
enum err messages_load_pinned(struct ctx *, const char *session_id, struct history *) MUST_CHECK;
#endif

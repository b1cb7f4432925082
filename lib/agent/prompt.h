/*
 * What a model is given: the system prompt and the history.
 */
#ifndef LF_PROMPT_H
#define LF_PROMPT_H
#include "lib/base/json.h"
#include "lib/svc/agent.h"
#include "lib/svc/conversation.h"
#include "lib/svc/memory.h"

/*
 * Assemble the system prompt into out. It changes with the day, the manifest, the tools, the workspace's files and the value
 * user_name of the agent's memory, with nothing else, so that providers can cache it. workspace: absolute directory, NULL: none. depth > 0: a turn
 * asked for by another agent, which gets a shorter prompt. named: whoever speaks is named with each message, so nothing is said of the user. tools: as tools_for() gives them. c->db may be NULL: then
 * only USER.md tells the user's name. Errors: NOMEM, TOO_LARGE.
 */
enum err prompt_system(struct ctx *, const struct agent *, const char *workspace, unsigned depth, bool named,
    struct json_object *tools, struct buf *out) MUST_CHECK;

/* Sections "## name" of the texts that configuration and manifest inject at that position (system before_user after_reset). */
void prompt_injections(struct ctx *, const struct agent *, const char *position, struct buf *out);

/* The section of memories that came to mind: each at most 500 characters in one line, all of it at most max bytes. NULL: nothing. */
const char *prompt_recalled(struct ctx *, const struct memory *, size_t n, size_t max);

/* The same of what was said in other conversations, each a memory of its own. */
const char *prompt_elsewhere(struct ctx *, const struct memory *, size_t n, size_t max);

/* Forget what was read of a workspace's files: somebody just wrote one. Otherwise they may be 30 s old. */
void prompt_forget(const char *workspace);

/*
 * The stored messages as they go to the model: without system messages, at most max (0: 60; held
 * within 4..500) unless no place to cut is found, beginning with a user message, repaired. Pinned
 * messages of the part that is cut away stay in front. The history given is not changed, and is what is returned when
 * nothing is to do. NULL: out of memory.
 */
const struct history *history_for_model(struct ctx *, const struct history *, unsigned max);
/* The history with a session's summary in front, as the user's first message; NULL or "": as it is. NULL: out of memory. */
const struct history *history_with_summary(struct ctx *, const struct history *, const char *summary);
#endif

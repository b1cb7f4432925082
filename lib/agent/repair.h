/*
 * Session repair: a history that every provider accepts.
 *
 * A crash, an import or a trimmed history can leave tool calls without
 * results, results without calls, empty messages. Repair is a pure function: the
 * history given is never changed, unchanged messages are shared with the result.
 */
#ifndef LF_REPAIR_H
#define LF_REPAIR_H
#include "lib/svc/conversation.h"

struct repair_stats {
	unsigned orphaned;      /* results without a call, dropped */
	unsigned empty;         /* messages and blocks with nothing in them, dropped */
	unsigned merged;        /* neighbours of one role put together */
	unsigned reordered;     /* results moved next to their call */
	unsigned synthetic;     /* calls that nothing answered: given an error result */
	unsigned duplicates;    /* second results of one call, dropped */
	unsigned rescued;       /* results taken out of assistant messages */
	unsigned positional;    /* calls that the very next user message did not answer */
	unsigned cleaned;       /* results with template markers or long base64 taken out */
};

/*
 * The same history when nothing is wrong (no copy is made then), else a new
 * one in c's arena. stats may be NULL. NULL: out of memory.
 */
const struct history *session_repair(struct ctx *, const struct history *, struct repair_stats *stats);

/* The last user message at which a history may begin again: no tool results in it. */
bool message_is_question(const struct message *);
/* Does an assistant message hold tool calls? */
bool message_has_tool_use(const struct message *);
#endif

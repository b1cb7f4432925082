/*
 * Full text of what was said: an index of the words of all messages.
 *
 * No turn waits for it. A session's row says how many of its messages are in the index; the rest is added when
 * the store is quiet, and before somebody searches, so that an answer that is out can be found.
 */
#ifndef LF_SEARCH_H
#define LF_SEARCH_H
#include "lib/base/base.h"
#include "lib/base/json.h"

struct search_ask {
	const char *words;              /* the engine's language of queries; what it does not understand finds nothing */
	const char *agent_id;           /* NULL: of all agents that the caller may see */
	int64_t limit, offset;          /* limit: at most 500 */
};

/* Page of sessions, the best match first, each once. */
enum err search_write_page(struct ctx *, const struct search_ask *, struct jw *) MUST_CHECK;
/*
 * Add up to so many messages, of the newest sessions first, and take out those of sessions that have gone; in
 * transactions of a few hundred. *ret_more: there are others.
 */
enum err search_catch_up(struct ctx *, size_t most, bool *ret_more) MUST_CHECK;
#endif

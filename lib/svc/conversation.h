/*
 * A conversation in memory: messages one after another, as a turn reads them from the store
 * and a driver writes them to a model.
 */
#ifndef LF_CONVERSATION_H
#define LF_CONVERSATION_H
#include "lib/base/json.h"

enum said_by { BY_SYSTEM, BY_USER, BY_ASSISTANT };
const char *said_by_name(enum said_by);

/* What one side said: plain text, kept as JSON text so that it goes to the model as it lies here, or blocks. */
struct message {
	enum said_by role;
	bool pinned;
	int64_t seq;                    /* its number in the store; 0: not as it is there */
	const char *text; size_t n;     /* a JSON string with its quotes; NULL: blocks */
	struct json_object *blocks;     /* array of content blocks, kept by an arena; NULL: text */
};

struct history { struct message *v; size_t n, cap; };

/* A message of content as it is stored: JSON text of a string or of an array; what is neither becomes an empty text. */
struct message message_of(struct ctx *, enum said_by, const char *json, size_t n);
/*
 * What a message says, of content as it is stored: the last of its texts, "" when it has none. *ret_results: it answers calls of tools; may be
 * NULL. NULL: out of memory.
 */
const char *content_said(struct ctx *, const char *json, size_t n, bool *ret_results);
/* false: out of memory; the history is as it was. */
bool history_add(struct ctx *, struct history *, struct message);
/* As an array of {role, content}; new, the caller puts it. NULL: out of memory. */
struct json_object *history_json(const struct history *);
#endif

/* A conversation of an array of {role, content, pinned}; for tests. */
#ifndef LF_T_HISTORY_H
#define LF_T_HISTORY_H
#include <stdlib.h>
#include <string.h>

#include "lib/svc/conversation.h"

static inline const struct history *
history_of(struct ctx *c, struct json_object *messages)
{
	struct history *ret = ctx_alloc(c, sizeof(*ret));

	for (size_t i = 0; ret != NULL && i < json_object_array_length(messages); i++) {
		struct json_object *o = json_object_array_get_idx(messages, i), *content = js_get(o, "content");
		const char *role = js_str_or(o, "role", "user"), *text;
		SCOPED_BUF b = BUF_INIT(64 << 20);
		struct jw w = JW_INIT(&b);
		struct message m;

		jw_json(&w, NULL, content);
		text = ctx_strndup(c, b.p, b.len);
		m = message_of(c, strcmp(role, "system") == 0 ? BY_SYSTEM : strcmp(role, "assistant") == 0 ? BY_ASSISTANT :
		    BY_USER, text, b.len);
		m.pinned = js_bool(o, "pinned", false);
		if (!history_add(c, ret, m))
			abort();
	}
	return ret;
}
#endif

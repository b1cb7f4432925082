/*
 * What a system prompt says of an agent's tools, and asks of them.
 */
#ifndef LF_PROMPT_TOOLS_H
#define LF_PROMPT_TOOLS_H
#include "lib/base/base.h"

struct json_object;

struct prompt_tools {
	const char *section;            /* begins with an empty line, ends without one; "": there are no tools */
	size_t n;
	bool any, stores, recalls, lists_files, asks_agents;
};

/* Of a list as tools_of() gives them. Those that stay are described once. NULL: no memory. */
const struct prompt_tools *prompt_tools(struct ctx *, struct json_object *tools);
#endif

/*
 * Looking at one stored message: its role, its blocks, whether it says anything.
 */
#include <string.h>

#include "lib/agent/message.h"
#include "lib/agent/repair.h"

bool
block_is(const struct json_object *block, const char *type)
{
	return strcmp(js_str_or(block, "type", ""), type) == 0;
}

bool
message_is(const struct json_object *m, const char *role)
{
	return strcmp(js_str_or(m, "role", ""), role) == 0;
}

size_t
message_blocks(const struct json_object *m)
{
	struct json_object *a = js_arr(m, "content");

	return a != NULL ? json_object_array_length(a) : 0;
}

struct json_object *
message_block(const struct json_object *m, size_t i)
{
	return json_object_array_get_idx(js_arr(m, "content"), i);
}

bool
message_has(const struct json_object *m, const char *type)
{
	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		if (block_is(message_block(m, i), type))
			return true;
	return false;
}

bool
message_has_tool_use(struct json_object *m)
{
	return message_has(m, "tool_use");
}

bool
message_is_question(struct json_object *m)
{
	return message_is(m, "user") && !message_has(m, "tool_result");
}

bool
message_has_tools(const struct json_object *m)
{
	return message_has(m, "tool_use") || message_has(m, "tool_result");
}

static bool
blank(const char *s)
{
	return s == NULL || s[strspn(s, " \t\r\n")] == '\0';
}

/* A block that says nothing, or that no provider could be given. */
bool
block_is_empty(const struct json_object *b)
{
	if (block_is(b, "text"))
		return blank(js_str(b, "text"));
	if (block_is(b, "thinking"))
		return blank(js_str(b, "thinking")) && js_get(b, "provider_metadata") == NULL;
	if (block_is(b, "tool_use"))
		return blank(js_str(b, "id")) || blank(js_str(b, "name"));
	return js_str(b, "type") == NULL;
}

/* Only thinking left counts as empty as well: no provider takes it alone. */
bool
message_is_empty(const struct json_object *m)
{
	struct json_object *content = js_get(m, "content");
	size_t n = message_blocks(m);

	if (json_object_is_type(content, json_type_string))
		return blank(json_object_get_string(content));
	for (size_t i = 0; i < n; i++)
		if (!block_is_empty(message_block(m, i)) && !block_is(message_block(m, i), "thinking"))
			return false;
	return true;
}

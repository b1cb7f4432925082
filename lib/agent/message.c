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

size_t
message_blocks(const struct message *m)
{
	return m->blocks != NULL ? json_object_array_length(m->blocks) : 0;
}

struct json_object *
message_block(const struct message *m, size_t i)
{
	return json_object_array_get_idx(m->blocks, i);
}

bool
message_has(const struct message *m, const char *type)
{
	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		if (block_is(message_block(m, i), type))
			return true;
	return false;
}

bool
message_has_tool_use(const struct message *m)
{
	return message_has(m, "tool_use");
}

bool
message_is_question(const struct message *m)
{
	return m->role == BY_USER && !message_has(m, "tool_result");
}

bool
message_has_tools(const struct message *m)
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

/* Nothing but white space between the quotes? */
static bool
text_is_blank(const char *s, size_t n)
{
	for (size_t i = 1; i + 1 < n; i++) {
		if (s[i] == '\\' && strchr("ntr", s[i + 1]) != NULL)
			i++;
		else if (s[i] != ' ')
			return false;
	}
	return true;
}

/* Only thinking left counts as empty as well: no provider takes it alone. */
bool
message_is_empty(const struct message *m)
{
	size_t n = message_blocks(m);

	if (m->text != NULL)
		return text_is_blank(m->text, m->n);
	for (size_t i = 0; i < n; i++)
		if (!block_is_empty(message_block(m, i)) && !block_is(message_block(m, i), "thinking"))
			return false;
	return true;
}

/*
 * Session repair: the look that nearly always tells that nothing is wrong. Allocates nothing.
 */
#include <string.h>

#include "lib/agent/clean.h"
#include "lib/agent/repair_parts.h"

const char *
repair_text(const struct json_object *block, size_t *n)
{
	struct json_object *v = js_get(block, "content");

	if (!json_object_is_type(v, json_type_string))
		return NULL;
	*n = (size_t)json_object_get_string_len(v);
	return json_object_get_string(v);
}

static bool
block_sound(const struct json_object *b)
{
	size_t n;
	const char *s;

	if (block_is_empty(b))
		return false;
	if (!block_is(b, "tool_result"))
		return true;
	s = repair_text(b, &n);
	return s == NULL || result_is_clean(s, n);
}

/* How many blocks of a type; ids of others do not matter here. */
static size_t
count_blocks(const struct message *m, const char *type)
{
	size_t k = 0;

	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		k += block_is(message_block(m, i), type);
	return k;
}

static size_t
count_id(const struct message *m, const char *type, const char *member, const char *id)
{
	size_t k = 0;

	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		k += block_is(message_block(m, i), type) &&
		    strcmp(js_str_or(message_block(m, i), member, ""), id) == 0;
	return k;
}

/* Are the calls of one message answered, one by one, by the next, and by nothing else? */
static bool
answered(const struct message *m, const struct message *next)
{
	size_t uses = count_blocks(m, "tool_use");

	if (uses > USES_MAX || uses != (next != NULL && next->role == BY_USER ? count_blocks(next, "tool_result") : 0))
		return false;
	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		const struct json_object *b = message_block(m, i);
		const char *id = js_str_or(b, "id", "");

		if (block_is(b, "tool_use") && (count_id(m, "tool_use", "id", id) != 1 ||
		    count_id(next, "tool_result", "tool_use_id", id) != 1))
			return false;
	}
	return true;
}

/* Answers to calls come before whatever else is said beside them. */
static bool
results_first(const struct message *m)
{
	bool other = false;

	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		bool result = block_is(message_block(m, i), "tool_result");

		if (result && other)
			return false;
		other |= !result;
	}
	return true;
}

bool
repair_may_merge(const struct message *a, const struct message *b)
{
	return a->role == b->role && a->role != BY_SYSTEM && !message_has_tools(a) && !message_has_tools(b);
}

bool
repair_is_sound(const struct history *h)
{
	const struct message *prev = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct message *m = &h->v[i], *next = i + 1 < h->n ? m + 1 : NULL;

		if (message_is_empty(m) || (prev != NULL && repair_may_merge(prev, m)))
			return false;
		for (size_t k = 0, nb = message_blocks(m); k < nb; k++)
			if (!block_sound(message_block(m, k)))
				return false;
		if (m->role == BY_ASSISTANT) {
			if (message_has(m, "tool_result") || !answered(m, next))
				return false;
		} else if (!results_first(m) || message_has(m, "tool_use") || (message_has(m, "tool_result") &&
		    (m->role != BY_USER || prev == NULL || !message_has_tool_use(prev)))) {
			return false;
		}
		prev = m;
	}
	return true;
}


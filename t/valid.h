/*
 * Would a provider accept this history? Written from what OpenAI's and Anthropic's references demand, not from our
 * repair: neighbours of one role count as one message, as both take them; calls are answered in the very next message,
 * each once, before anything else is said there; nothing is empty; the user speaks first. NULL: it would.
 */
#ifndef LF_T_VALID_H
#define LF_T_VALID_H
#include <string.h>

#include "lib/svc/conversation.h"

enum { VALID_CALLS = 2048 };

static inline bool
valid_blank(const char *s)
{
	return s == NULL || s[strspn(s, " \t\r\n")] == '\0';
}

/* Calls that the last assistant's message left open. */
struct valid_open { const char *id[VALID_CALLS]; size_t n; bool answering; };

static inline const char *
valid_answer(struct valid_open *open, const char *id)
{
	if (!open->answering)
		return "a result that is not at the beginning of what answers the calls";
	for (size_t i = 0; i < open->n; i++)
		if (strcmp(open->id[i], id) == 0) {
			open->id[i] = open->id[--open->n];
			return NULL;
		}
	return "a result that no call waits for";
}

static inline const char *
valid_user_block(struct valid_open *open, struct json_object *b, bool *said)
{
	const char *type = js_str_or(b, "type", "");

	if (strcmp(type, "tool_result") == 0) {
		*said = true;
		return valid_answer(open, js_str_or(b, "tool_use_id", ""));
	}
	if (open->n > 0)
		return "something is said while calls wait for their results";
	open->answering = false;
	if (strcmp(type, "tool_use") == 0)
		return "a call by the user";
	if (strcmp(type, "text") == 0 && valid_blank(js_str(b, "text")))
		return "an empty text";
	*said = true;
	return NULL;
}

static inline const char *
valid_assistant_block(struct valid_open *open, struct json_object *b, bool *said)
{
	const char *type = js_str_or(b, "type", ""), *id = js_str(b, "id");

	if (strcmp(type, "tool_result") == 0)
		return "a result by the assistant";
	if (strcmp(type, "text") == 0 && valid_blank(js_str(b, "text")))
		return "an empty text of the assistant";
	*said |= strcmp(type, "thinking") != 0;
	if (strcmp(type, "tool_use") != 0)
		return NULL;
	if (valid_blank(id) || valid_blank(js_str(b, "name")))
		return "a call without id or name";
	for (size_t i = 0; i < open->n; i++)
		if (strcmp(open->id[i], id) == 0)
			return "a call twice";
	if (open->n == VALID_CALLS)
		return "more calls than anybody makes";
	open->id[open->n++] = id;
	return NULL;
}

static inline const char *
valid_message(struct valid_open *open, const struct message *m, const struct message *before)
{
	bool said = false;
	const char *why = NULL;

	if (m->role == BY_SYSTEM)
		return "a system message";
	if (m->role == BY_ASSISTANT && open->n > 0)
		return "the assistant speaks while calls wait";
	if (before == NULL || before->role != m->role)
		open->answering = open->n > 0;
	if (m->blocks == NULL) {
		if (m->role == BY_USER && open->n > 0)
			return "a text while calls wait for their results";
		open->answering = false;
		return m->n <= 2 ? "an empty message" : NULL;
	}
	for (size_t i = 0; why == NULL && i < json_object_array_length(m->blocks); i++) {
		struct json_object *b = json_object_array_get_idx(m->blocks, i);

		why = m->role == BY_USER ? valid_user_block(open, b, &said) : valid_assistant_block(open, b, &said);
	}
	return why != NULL ? why : said ? NULL : "a message that says nothing";
}

static inline const char *
valid_why_not(const struct history *h)
{
	static struct valid_open open;
	const char *why = NULL;

	open.n = 0;
	open.answering = false;
	if (h->n > 0 && h->v[0].role != BY_USER)
		return "the assistant speaks first";
	for (size_t i = 0; why == NULL && i < h->n; i++)
		why = valid_message(&open, &h->v[i], i > 0 ? &h->v[i - 1] : NULL);
	return why != NULL ? why : open.n > 0 ? "calls without results at the end" : NULL;
}
#endif

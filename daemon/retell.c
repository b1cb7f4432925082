/*
 * Past events, made from the rows of a turn's steps and its last message.
 */
#include "daemon/retell.h"

#include <string.h>

#include "daemon/turn_state.h"
#include "lib/agent/speech.h"
#include "lib/svc/history.h"
#include "lib/svc/turn_store.h"

struct listener { void (*on)(void *arg, const struct turn_event *); void *arg; };

static void
tell(const struct listener *l, struct turn_event ev)
{
	l->on(l->arg, &ev);
}

static enum err
tell_text(struct ctx *c, const struct listener *l, struct json_object *content)
{
	const char *text;
	struct speech s = speech_whole(c, content_text(c, content, "text", "text"), &text);

	if (text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!s.silent && text[0] != '\0')
		tell(l, (struct turn_event){ .kind = TURN_TEXT, .s = text, .n = strlen(text) });
	return ERR_OK;
}

static void
tell_calls(const struct listener *l, struct json_object *content)
{
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(content, i);
		const char *id = js_str_or(b, "id", ""), *name = js_str_or(b, "name", ""), *in;

		if (strcmp(js_str_or(b, "type", ""), "tool_use") != 0)
			continue;
		in = json_object_to_json_string_ext(js_get(b, "input"), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		tell(l, (struct turn_event){ .kind = TURN_TOOL_START, .a = id, .b = name });
		tell(l, (struct turn_event){ .kind = TURN_TOOL_END, .a = id, .b = name, .s = in, .n = strlen(in) });
	}
}

enum err
turn_retell(struct ctx *c, const char *turn_id, void (*on)(void *, const struct turn_event *), void *arg)
{
	const struct listener l = { on, arg };
	struct step_row *rows = NULL;
	const char *phase = "streaming";
	size_t n = 0;
	enum err e = steps_load(c, turn_id, 0, &rows, &n);

	for (size_t i = 0; e == ERR_OK && i < n; i++) {
		struct json_object *content = strcmp(rows[i].kind, "model") == 0 && rows[i].result != NULL
		    ? json_stored(c, rows[i].result) : NULL;

		if (!json_object_is_type(content, json_type_array) || json_object_array_length(content) == 0)
			continue;
		tell(&l, (struct turn_event){ .kind = TURN_PHASE, .a = phase });
		phase = "thinking";
		e = tell_text(c, &l, content);
		tell_calls(&l, content);
	}
	return e;
}

enum err
turn_retell_answer(struct ctx *c, const char *turn_id, const char *session_id, void (*on)(void *, const struct turn_event *),
    void *arg)
{
	const struct listener l = { on, arg };
	struct json_object *content, *block, *blocks;
	const char *said;
	enum err e = message_of_turn(c, session_id, turn_id, &said);

	if (e != ERR_OK || said == NULL)
		return e;
	content = json_stored(c, said);
	if (!json_object_is_type(content, json_type_string))
		return tell_text(c, &l, content);
	block = json_object_new_object();
	blocks = json_keep(c, json_object_new_array());
	json_object_object_add(block, "type", json_object_new_string("text"));
	json_object_object_add(block, "text", json_object_get(content));
	json_object_array_add(blocks, block);
	return tell_text(c, &l, blocks);
}

/*
 * What to make of an answer: calls that the model wrote instead of making them, an answer that is none and is asked for once
 * more, and the words that count as the answer in the end.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/turn_state.h"
#include "lib/agent/recover.h"
#include "lib/agent/speech.h"
#include "lib/agent/tool.h"
#include "lib/base/util.h"

/* What a session keeps of an answer that was held back as a whole. */
static const char nothing_said[] = "[no reply needed]";

static const char *
answer_text(struct turn *t)
{
	return content_text(t->c, t->content, "text", "text");
}

static bool
is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* --- calls in text ------------------------------------------------------------------ */

static const char *
own_name(void *arg, const char *name)
{
	const struct tool *tool = tool_find(name);

	return tool != NULL && turn_has_tool(arg, tool->name) ? tool->name : turn_has_tool(arg, name) ? name : NULL;
}

static struct json_object *
call_block(const char *name, struct json_object *input)
{
	struct json_object *o = json_object_new_object();
	char id[37], mine[48];

	uuid4(id);
	snprintf(mine, sizeof(mine), "call_%.8s%.4s", id, id + 9);
	json_object_object_add(o, "type", json_object_new_string("tool_use"));
	json_object_object_add(o, "id", json_object_new_string(mine));
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "input", json_object_get(input));
	return o;
}

static struct json_object *
text_block(const char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string(text));
	return o;
}

/* The answer without its texts and calls; those that take their place are added by the caller. */
static struct json_object *
all_but(struct turn *t, bool texts, bool calls)
{
	struct json_object *all = json_keep(t->c, json_object_new_array());

	for (size_t i = 0, n = json_object_array_length(t->content); all != NULL && i < n; i++) {
		struct json_object *b = json_object_array_get_idx(t->content, i);
		const char *type = js_str_or(b, "type", "");

		if (!(texts && strcmp(type, "text") == 0) && !(calls && strcmp(type, "tool_use") == 0))
			json_object_array_add(all, json_object_get(b));
	}
	return all;
}

bool
answer_recover(struct turn *t)
{
	struct recovered v[RECOVERED_MAX];
	struct json_object *all;
	const char *rest;
	size_t n;

	if (t->tools == NULL || t->answer.stop != LLM_END_TURN)
		return false;
	n = recover_calls(t->c, answer_text(t), own_name, t, v, &rest);
	if (n == 0 || (all = all_but(t, true, false)) == NULL)
		return false;
	if (!is_blank(rest))
		json_object_array_add(all, text_block(rest));
	for (size_t i = 0; i < n; i++) {
		struct json_object *b = call_block(v[i].name, v[i].input);
		const char *id = js_str_or(b, "id", ""), *in = json_object_to_json_string_ext(v[i].input, JSON_C_TO_STRING_PLAIN);

		json_object_array_add(all, b);
		turn_emit(t, TURN_TOOL_START, id, v[i].name, NULL, 0, false);
		turn_emit(t, TURN_TOOL_END, id, v[i].name, in, strlen(in), false);
	}
	t->content = all;
	t->recovered = true;
	return true;
}

/* --- once more -------------------------------------------------------------------------- */

/* "I have saved ..." */
static bool
claims_deed(const char *text)
{
	static const char *const who[] = { "I've ", "I have ", "I just ", "I " };
	static const char *const deeds[] = { "saved", "stored", "written", "wrote", "created", "sent", "updated", "deleted",
		"fetched", "remembered", "noted it down" };

	text += strspn(text, " \t\r\n");
	if (strncasecmp(text, "done", 4) == 0)
		text += strcspn(text, " ") + strspn(text + strcspn(text, " "), " ");
	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		size_t k = strlen(who[i]);

		if (strncasecmp(text, who[i], k) != 0)
			continue;
		for (size_t d = 0; d < ARRAY_LEN(deeds); d++)
			if (strncasecmp(text + k, deeds[d], strlen(deeds[d])) == 0)
				return true;
	}
	return false;
}

const char *
answer_nudge(struct turn *t)
{
	const char *text = answer_text(t);
	bool first = t->out->iterations == 1;

	if (t->nudged || t->answer.stop != LLM_END_TURN)
		return NULL;
	if (is_blank(text))
		return first || !t->answer.usage_known ? "Please answer the last message." : NULL;
	if (t->tools == NULL || t->tool_calls > 0)
		return NULL;
	if (speech_is_progress(text))
		return "You said that you are at it, but no tool was called. Do it now, or answer.";
	/* what was shown cannot be taken back */
	return first && !(t->watched && t->speech.shown) && claims_deed(text)
	    ? "No tool was called, so nothing of that has happened. Call the tool, or say that it was not done." : NULL;
}

/* --- the words that count ------------------------------------------------------------------- */

static enum err
hold_back(struct turn *t)
{
	struct json_object *all = all_but(t, true, true);

	if (all == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	json_object_array_add(all, text_block(nothing_said));
	t->content = all;
	t->out->silent = true;
	t->out->text = "";
	return ERR_OK;
}

/* reply_to, current_thread, silent; NULL: nothing was said of it. */
static const char *
directives(struct turn *t, const struct speech *said)
{
	SCOPED_BUF b = BUF_INIT(1024);
	struct jw w = JW_INIT(&b);

	if (said->reply_to[0] == '\0' && !said->current && !said->quiet)
		return NULL;
	jw_object(&w, NULL);
	jw_str(&w, "reply_to", said->reply_to[0] != '\0' ? said->reply_to : NULL);
	jw_bool(&w, "current_thread", said->current);
	jw_bool(&w, "silent", said->quiet);
	jw_end(&w);
	return b.failed ? NULL : ctx_strndup(t->c, b.p, b.len);
}

static enum err
final_text(struct turn *t)
{
	const char *raw = answer_text(t), *text;
	struct speech said = speech_whole(t->c, raw, &text);

	if (text == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	t->out->directives = directives(t, &said);
	if (said.leaked || (t->tools != NULL && speech_is_progress(raw) && t->tool_calls == 0))
		return hold_back(t);
	t->out->silent = said.silent;
	if (is_blank(text))             /* what was said before its tools ran; the buffer goes with the turn */
		text = t->said.len > 0 ? ctx_strndup(t->c, t->said.p, t->said.len) : "";
	t->out->text = said.silent ? "" : text;
	return text != NULL ? ERR_OK : fail(t->c, ERR_NOMEM, "out of memory");
}

enum err
answer_record(struct turn *t)
{
	struct json_object *all = all_but(t, false, true);      /* calls that do not run are not kept */
	enum err e;

	if (all == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	t->content = all;
	t->out->stop = t->answer.stop;
	t->out->thinking = content_text(t->c, t->content, "thinking", "thinking");
	e = final_text(t);
	if (e != ERR_OK || t->answer.stop != LLM_FILTERED)
		return e;
	if (!is_blank(answer_text(t)) && (e = turn_keep_partial(t)) != ERR_OK)
		return e;
	return fail_code(t->c, ERR_INTERNAL, "content_filtered", "The provider withheld the answer");
}

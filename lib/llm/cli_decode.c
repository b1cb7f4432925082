/*
 * What command-line programs answer. Where a text comes in parts and then once more as a whole, the whole
 * is taken only if no part was.
 */
#include <string.h>

#include "lib/llm/cli.h"
#include "lib/llm/errors.h"

enum { SHORT_TEXT = 400 };              /* a refusal that poses as an answer is not longer */
enum { AT_TEXT = -2, AT_HELD = -3 };

static struct part *
text_part(struct intake *d)
{
	return intake_part(d, PART_TEXT, AT_TEXT);
}

static bool
is_silent(struct intake *d)
{
	struct part *p = text_part(d);

	return p == NULL || p->text.all.len == 0;
}

/* The last word: an error, a refusal in an answer's clothes, or the answer. */
static bool
conclude(struct intake *d, struct json_object *text, bool is_error)
{
	const char *s = json_object_is_type(text, json_type_string) ? json_object_get_string(text) : "";

	if ((is_error || (strlen(s) < SHORT_TEXT && is_silent(d) && s[0] != '\0' && strstr(s, "/login") != NULL)) && cli_blame(d, s))
		return false;
	if (is_error)
		return intake_fail(d, LLM_UPSTREAM, 500, s[0] != '\0' ? s : NULL);
	if (is_silent(d))
		intake_say(d, text_part(d), text);
	d->usable = true;
	intake_finish(d, "stop");
	d->done = true;
	return !d->failed;
}

static void
take_usage(struct intake *d, struct json_object *u, const char *in, const char *out, const char *read, const char *write)
{
	struct llm_answer *a = d->ans;

	if (u == NULL)
		return;
	a->cache_read_tokens = intake_count(u, read, 0);
	a->cache_write_tokens = intake_count(u, write, 0);
	a->input_tokens = intake_count(u, in, 0);
	a->output_tokens = intake_count(u, out, 0);
	a->usage_known = true;
}

/* --- claude and qwen ------------------------------------------------------ */

/* One of several messages: a blank line is between them. */
static void
take_content(struct intake *d, struct json_object *c)
{
	struct part *p = text_part(d);

	if (p != NULL && p->text.all.len > 0)
		text_add(&p->text, "\n\n", 2);
	intake_say(d, text_part(d), c);
	for (size_t i = 0, n = json_object_is_type(c, json_type_array) ? json_object_array_length(c) : 0; i < n; i++)
		intake_say(d, text_part(d), js_get(json_object_array_get_idx(c, i), "text"));
}

static bool
claude_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	const char *type = js_str_or(o, "type", "");
	struct json_object *delta = js_obj(js_obj(o, "event"), "delta"), *content = js_get(js_obj(o, "message"), "content"), *text;

	(void)event;
	(void)whole;
	if (strcmp(type, "stream_event") == 0) {
		(void)intake_part(d, PART_CALL, AT_HELD);       /* a mark: it comes in parts */
		intake_say(d, text_part(d), js_get(delta, "text"));
		intake_say(d, intake_part(d, PART_THINKING, AT_TEXT), js_get(delta, "thinking"));
		return true;
	}
	if (strcmp(type, "assistant") == 0) {
		if (intake_find(d, AT_HELD) == NULL)
			take_content(d, content != NULL ? content : js_get(o, "content"));
		return true;
	}
	text = js_get(o, "result");
	if (text == NULL)
		text = js_get(o, "content");
	if (text == NULL)
		text = js_get(o, "text");
	if (strcmp(type, "result") != 0 && (type[0] != '\0' || text == NULL))
		return true;
	take_usage(d, js_obj(o, "usage"), "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens");
	d->ans->input_tokens += d->ans->cache_read_tokens + d->ans->cache_write_tokens;
	return conclude(d, text, js_bool(o, "is_error", false));
}

/* --- codex ---------------------------------------------------------------- */

/* What it says on the way is thought; what it says last is its answer. */
static bool
codex_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	const char *type = js_str_or(o, "type", "");
	struct json_object *item = js_obj(o, "item"), *last;
	struct part *held;
	bool good;

	(void)event;
	(void)whole;
	if (strcmp(type, "item.completed") == 0 && strcmp(js_str_or(item, "type", ""), "agent_message") == 0) {
		held = intake_part(d, PART_CALL, AT_HELD);      /* never started: it is a place and no call */
		if (held != NULL && held->text.all.len > 0) {
			struct part *t = intake_part(d, PART_THINKING, AT_TEXT);

			held = intake_find(d, AT_HELD);
			if (t != NULL && held != NULL)
				text_add(&t->text, held->text.all.p, held->text.all.len);
		}
		if (held != NULL) {
			buf_clear(&held->text.all);
			intake_say(d, held, js_get(item, "text"));
		}
		return true;
	}
	if (strcmp(type, "turn.failed") == 0 || strcmp(type, "error") == 0) {
		last = js_obj(o, "error") != NULL ? js_get(js_obj(o, "error"), "message") : js_get(o, "message");
		return conclude(d, last, true);
	}
	if (strcmp(type, "turn.completed") != 0)
		return true;
	take_usage(d, js_obj(o, "usage"), "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens");
	held = intake_find(d, AT_HELD);
	if (held == NULL || held->text.all.len == 0)
		return intake_fail(d, LLM_UPSTREAM, 500, "it ended without a message");
	last = json_object_new_string_len(held->text.all.p, (int)held->text.all.len);
	good = conclude(d, last, false);
	json_object_put(last);
	return good;
}

/* --- gemini and others: one object ---------------------------------------- */

static void
take_stats(struct intake *d, struct json_object *models)
{
	struct llm_answer *a = d->ans;

	if (models == NULL)
		return;
	json_object_object_foreach(models, name, m) {
		struct json_object *t = js_obj(m, "tokens");

		(void)name;
		a->input_tokens += intake_count(t, "prompt", 0);
		a->output_tokens += intake_count(t, "candidates", 0) + intake_count(t, "thoughts", 0);
		a->cache_read_tokens += intake_count(t, "cached", 0);
		a->usage_known |= t != NULL;
	}
}

static bool
object_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	static const char *const names[] = { "response", "result", "output", "content", "text", "message" };
	struct json_object *error = js_get(o, "error"), *text = NULL;

	(void)event;
	(void)whole;
	if (is_error_value(error))
		return conclude(d, json_object_is_type(error, json_type_object) ? js_get(error, "message") : error, true);
	for (size_t i = 0; text == NULL && i < ARRAY_LEN(names); i++)
		if (js_str(o, names[i]) != NULL)
			text = js_get(o, names[i]);
	if (text == NULL)
		return true;
	take_usage(d, js_obj(o, "usage"), "input_tokens", "output_tokens", "cached_input_tokens", "");
	take_stats(d, js_obj(js_obj(o, "stats"), "models"));
	return conclude(d, text, js_bool(o, "is_error", false));
}

const struct driver cli_claude_lines = { .format = "claude", .framing = FRAMES_LINES, .frame = claude_frame };
const struct driver cli_codex_lines = { .format = "codex", .framing = FRAMES_LINES, .frame = codex_frame };
const struct driver cli_object = { .format = "object", .framing = FRAMES_LINES, .frame = object_frame };

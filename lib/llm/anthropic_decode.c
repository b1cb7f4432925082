/*
 * Anthropic's messages: what is answered. A stream names each block by a number; blocks that we know
 * nothing of keep their number to themselves.
 */
#include <string.h>

#include "lib/llm/anthropic.h"
#include "lib/llm/errors.h"

enum { PAUSE_S = 5 };                   /* after an overload that no header tells more of */

const struct stop_word anthropic_stops[] = {
	{ "max_tokens", LLM_MAX_TOKENS }, { "model_context_window_exceeded", LLM_MAX_TOKENS },
	{ "refusal", LLM_FILTERED }, { NULL, 0 },
};

/* last: the figures at the end. What a stream begins with tells what was read, and no more than a token of what is written. */
static void
take_usage(struct intake *d, struct json_object *u, bool last)
{
	struct llm_answer *a = d->ans;
	int64_t fresh;

	if (!json_object_is_type(u, json_type_object))
		return;
	fresh = a->input_tokens - a->cache_read_tokens - a->cache_write_tokens;
	fresh = intake_count(u, "input_tokens", fresh);
	a->cache_read_tokens = intake_count(u, "cache_read_input_tokens", a->cache_read_tokens);
	a->cache_write_tokens = intake_count(u, "cache_creation_input_tokens", a->cache_write_tokens);
	a->cache_hour_tokens = intake_count(js_obj(u, "cache_creation"), "ephemeral_1h_input_tokens", a->cache_hour_tokens);
	a->input_tokens = fresh + a->cache_read_tokens + a->cache_write_tokens;
	a->output_tokens = intake_count(u, "output_tokens", a->output_tokens);
	a->usage_known = last;
}

/* A block, whole or at its beginning. */
static void
take_block(struct intake *d, int64_t index, struct json_object *o)
{
	const char *type = js_str_or(o, "type", "");
	struct part *p;

	if (strcmp(type, "text") == 0) {
		intake_say(d, intake_part(d, PART_TEXT, index), js_get(o, "text"));
	} else if (strcmp(type, "thinking") == 0) {
		p = intake_part(d, PART_THINKING, index);
		intake_say(d, p, js_get(o, "thinking"));
		intake_meta(p, "signature", js_get(o, "signature"));
	} else if (strcmp(type, "redacted_thinking") == 0) {
		intake_meta(intake_part(d, PART_THINKING, index), "redacted", js_get(o, "data"));
	} else if (strcmp(type, "tool_use") == 0) {
		struct json_object *input = js_obj(o, "input");

		p = intake_part(d, PART_CALL, index);
		intake_call(d, p, js_get(o, "id"), js_get(o, "name"));
		if (input != NULL && json_object_object_length(input) > 0)
			intake_args(d, p, input);
	}
}

static void
take_delta(struct intake *d, int64_t index, struct json_object *o)
{
	const char *type = js_str_or(o, "type", "");
	struct part *p = intake_find(d, index);

	if (p == NULL)
		return;
	if (strcmp(type, "text_delta") == 0 && p->kind == PART_TEXT)
		intake_say(d, p, js_get(o, "text"));
	else if (strcmp(type, "thinking_delta") == 0 && p->kind == PART_THINKING)
		intake_say(d, p, js_get(o, "thinking"));
	else if (strcmp(type, "signature_delta") == 0 && p->kind == PART_THINKING)
		intake_meta(p, "signature", js_get(o, "signature"));
	else if (strcmp(type, "input_json_delta") == 0 && p->kind == PART_CALL)
		intake_args(d, p, js_get(o, "partial_json"));
}

/* What an error would have been as an answer of its own. */
static bool
take_error(struct intake *d, struct json_object *o)
{
	static const struct { const char *type; int status; } known[] = {
		{ "invalid_request_error", 400 }, { "not_found_error", 404 }, { "request_too_large", 413 }, { "timeout_error", 504 },
	};
	const char *type = js_str_or(js_get(o, "error"), "type", "");
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].type, type) == 0)
			status = known[i].status;
	(void)intake_error(d, status, js_get(o, "error"));
	if (d->ans->error == LLM_OVERLOADED || d->ans->error == LLM_RATE_LIMITED)
		d->ans->pause_units = PAUSE_S;
	return false;
}

static bool
take_message(struct intake *d, struct json_object *o)
{
	struct json_object *content = js_arr(o, "content");

	if (content == NULL)
		return true;
	d->usable = true;
	take_usage(d, js_get(o, "usage"), true);
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++)
		take_block(d, (int64_t)i, json_object_array_get_idx(content, i));
	intake_finish(d, js_str_or(o, "stop_reason", "end_turn"));
	return true;
}

bool
anthropic_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	const char *type = js_str_or(o, "type", event);
	int64_t index = js_i64(o, "index", 0);

	if (strcmp(type, "error") == 0 || is_error_value(js_get(o, "error")))
		return take_error(d, o);
	if (whole)
		return take_message(d, o);
	if (strcmp(type, "message_start") == 0) {
		take_usage(d, js_get(js_obj(o, "message"), "usage"), false);
	} else if (strcmp(type, "content_block_start") == 0) {
		take_block(d, index, js_obj(o, "content_block"));
		d->usable = true;
	} else if (strcmp(type, "content_block_delta") == 0) {
		take_delta(d, index, js_obj(o, "delta"));
	} else if (strcmp(type, "content_block_stop") == 0) {
		intake_call_end(d, intake_find(d, index));
	} else if (strcmp(type, "message_delta") == 0) {
		take_usage(d, js_get(o, "usage"), true);
		intake_finish(d, js_str(js_obj(o, "delta"), "stop_reason"));
		d->usable = true;
	} else if (strcmp(type, "message_stop") == 0) {
		d->done = d->finish[0] != '\0';
	}
	return true;
}

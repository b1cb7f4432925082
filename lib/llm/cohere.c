/*
 * Cohere's chat, version 2.
 */
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"
#include "lib/llm/openai.h"
#include "lib/llm/wishes.h"

/* --- the request --------------------------------------------------------- */

static void
write_user(struct jw *w, struct json_object *blocks, unsigned *messages)
{
	jw_object(w, NULL);
	jw_str(w, "role", "user");
	jw_array(w, "content");
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (block_text(o) == NULL) {
			oa_write_image(w, o);
			continue;
		}
		jw_object(w, NULL);
		jw_str(w, "type", "text");
		jw_json(w, "text", block_text(o));
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	++*messages;
}

static void
write_results(struct jw *w, struct json_object *blocks, unsigned *messages)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (!is_block(o, "tool_result"))
			continue;
		jw_object(w, NULL);
		jw_str(w, "role", "tool");
		jw_str(w, "tool_call_id", js_str_or(o, "tool_use_id", ""));
		jw_str(w, "content", block_result(o));
		jw_end(w);
		++*messages;
	}
}

static void
write_assistant(struct jw *w, struct json_object *blocks, unsigned *messages)
{
	SCOPED_BUF text = BUF_INIT(LLM_TEXT_MAX);
	bool calls = blocks_have(blocks, "tool_use");

	blocks_join(blocks, "text", "text", &text);
	if (text.len == 0 && !calls)
		return;
	jw_object(w, NULL);
	jw_str(w, "role", "assistant");
	if (text.len > 0)               /* what is said beside calls is their plan */
		jw_strn(w, calls ? "tool_plan" : "content", text.p, text.len);
	if (calls)
		oa_write_calls(w, blocks);
	jw_end(w);
	w->b->failed |= text.failed;
	++*messages;
}

static void
write_message(struct jw *w, const struct message *m, unsigned *messages)
{
	if (m->role == BY_SYSTEM)
		return;
	if (m->text != NULL) {
		jw_object(w, NULL);
		jw_str(w, "role", said_by_name(m->role));
		jw_raw(w, "content", m->text, m->n);
		jw_end(w);
		++*messages;
	} else if (m->role == BY_ASSISTANT) {
		write_assistant(w, m->blocks, messages);
	} else {
		write_results(w, m->blocks, messages);
		if (blocks_have(m->blocks, "text") || blocks_have(m->blocks, "image") || blocks_have(m->blocks, "image_file"))
			write_user(w, m->blocks, messages);
	}
}

static unsigned
write_messages(struct jw *w, const struct llm_request *rq)
{
	SCOPED_BUF system = BUF_INIT(LLM_TEXT_MAX);
	unsigned messages = 0;

	join_system(rq, &system);
	jw_array(w, "messages");
	if (system.len > 0) {
		jw_object(w, NULL);
		jw_str(w, "role", "system");
		jw_strn(w, "content", system.p, system.len);
		jw_end(w);
	}
	for (size_t i = 0, n = useful_length(rq, false); i < n; i++)
		write_message(w, &rq->messages->v[i], &messages);
	jw_end(w);
	w->b->failed |= system.failed;
	return messages;
}

static void
write_format(struct jw *w, const struct llm_request *rq)
{
	struct wish_format f = wish_format(rq);

	if (f.kind == FORMAT_TEXT)
		return;
	jw_object(w, "response_format");
	jw_str(w, "type", "json_object");
	if (f.kind == FORMAT_SCHEMA && f.schema != NULL)
		jw_json(w, "json_schema", f.schema);
	jw_end(w);
}

static void
write_wishes(struct jw *w, const struct llm_request *rq, const struct quirks *q)
{
	struct wish_choice c = wish_choice(rq);
	int64_t budget = wish_thinking(rq);

	if (has_tools(rq) && !q->no_tools && wish_mine(rq, "tools")) {
		write_tools(w, "tools", rq, oa_write_tool);
		if (c.kind == CHOICE_NONE || c.kind == CHOICE_ANY || c.kind == CHOICE_NAMED)
			jw_str(w, "tool_choice", c.kind == CHOICE_NONE ? "NONE" : "REQUIRED");
	}
	if (rq->max_tokens > 0 && wish_mine(rq, "max_tokens"))
		jw_i64(w, "max_tokens", rq->max_tokens);
	if (rq->has_temperature && wish_mine(rq, "temperature"))
		jw_f64(w, "temperature", rq->temperature > 1 ? 1 : rq->temperature);
	if (wish_mine(rq, "p"))
		wish_as(w, "p", rq, "top_p");
	wish_as(w, "seed", rq, "seed");
	wish_as(w, "frequency_penalty", rq, "frequency_penalty");
	wish_as(w, "presence_penalty", rq, "presence_penalty");
	if (wish_mine(rq, "stop_sequences"))
		wish_stops(w, "stop_sequences", rq);
	write_format(w, rq);
	if (wish_on_thinking(rq) && !q->no_thinking && wish_mine(rq, "thinking")) {
		jw_object(w, "thinking");
		jw_str(w, "type", budget > 0 ? "enabled" : "disabled");
		if (budget > 0)
			jw_i64(w, "token_budget", budget);
		jw_end(w);
	}
}

static enum err
write_body(struct outgoing *o)
{
	struct jw w = JW_INIT(&o->body);
	unsigned messages;

	jw_object(&w, NULL);
	jw_str(&w, "model", o->rq->model);
	messages = write_messages(&w, o->rq);
	jw_bool(&w, "stream", o->rq->stream);
	write_wishes(&w, o->rq, &o->quirks);
	wish_rest(&w, o->rq);
	jw_end(&w);
	if (messages > 0)
		return o->body.failed ? ERR_NOMEM : ERR_OK;
	o->why = "there is no message to send";
	return ERR_INVALID;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const char *base;
	size_t n = out_root(o, "/v2", &base);
	enum err e = out_head(o, base, n, "/v2/chat");

	(void)a;
	return e == ERR_OK ? write_body(o) : e;
}

static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;

	if (status != 400 && status != 422)
		return false;
	if (!q->no_thinking && wish_on_thinking(o->rq) && has_substr_ci(body, "thinking"))
		return q->no_thinking = true;
	if (!q->no_tools && has_tools(o->rq) && has_substr_ci(body, "tool") && has_substr_ci(body, "support"))
		return q->no_tools = true;
	return false;
}

/* --- the answer ---------------------------------------------------------- */

enum { CALLS_FROM = 1000000 };          /* calls are counted for themselves */

static const struct stop_word stops[] = { { "MAX_TOKENS", LLM_MAX_TOKENS }, { "ERROR_TOXIC", LLM_FILTERED }, { NULL, 0 } };

/* What is paid, which leaves out what Cohere writes around the question; else what went through the model. */
static void
take_usage(struct intake *d, struct json_object *u)
{
	struct json_object *tokens = js_obj(u, "tokens"), *billed = js_obj(u, "billed_units");
	bool told = intake_count(billed, "input_tokens", 0) + intake_count(billed, "output_tokens", 0) > 0;
	struct llm_answer *a = d->ans;

	if (told)
		tokens = billed;
	if (tokens == NULL)
		return;
	a->input_tokens = intake_count(tokens, "input_tokens", 0);
	a->output_tokens = intake_count(tokens, "output_tokens", 0);
	a->cache_read_tokens = told ? 0 : intake_count(u, "cached_tokens", 0);
	a->usage_known = true;
}

static bool
take_finish(struct intake *d, const char *reason)
{
	if (reason != NULL && (strcmp(reason, "ERROR") == 0 || strcmp(reason, "TIMEOUT") == 0))
		return intake_fail(d, strcmp(reason, "ERROR") == 0 ? LLM_UPSTREAM : LLM_TIMEOUT, 500, NULL);
	intake_finish(d, reason);
	return true;
}

static void
take_content(struct intake *d, int64_t index, struct json_object *c)
{
	if (js_get(c, "thinking") != NULL)
		intake_say(d, intake_part(d, PART_THINKING, index), js_get(c, "thinking"));
	else
		intake_say(d, intake_part(d, PART_TEXT, index), js_get(c, "text"));
}

static void
take_call(struct intake *d, int64_t index, struct json_object *o)
{
	struct part *p = intake_part(d, PART_CALL, CALLS_FROM + index);
	struct json_object *f = js_obj(o, "function");

	intake_call(d, p, js_get(o, "id"), js_get(f, "name"));
	intake_args(d, p, js_get(f, "arguments"));
}

static bool
take_whole(struct intake *d, struct json_object *o)
{
	struct json_object *m = js_obj(o, "message"), *content = js_arr(m, "content"), *calls = js_arr(m, "tool_calls");

	if (m == NULL)
		return true;
	d->usable = true;
	intake_say(d, intake_part(d, PART_TEXT, -1), js_get(m, "tool_plan"));
	for (size_t i = 0, n = content != NULL ? json_object_array_length(content) : 0; i < n; i++)
		take_content(d, (int64_t)i, json_object_array_get_idx(content, i));
	for (size_t i = 0, n = calls != NULL ? json_object_array_length(calls) : 0; i < n; i++)
		take_call(d, (int64_t)i, json_object_array_get_idx(calls, i));
	take_usage(d, js_obj(o, "usage"));
	return take_finish(d, js_str_or(o, "finish_reason", "COMPLETE"));
}

static bool
frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	const char *type = js_str_or(o, "type", event);
	struct json_object *delta = js_obj(o, "delta"), *m = js_obj(delta, "message");
	int64_t index = js_i64(o, "index", 0);

	if (is_error_value(js_get(o, "error")))
		return intake_error(d, 0, js_get(o, "error"));
	if (whole)
		return take_whole(d, o);
	if (strcmp(type, "content-start") == 0 || strcmp(type, "content-delta") == 0) {
		take_content(d, index, js_obj(m, "content"));
		d->usable = true;
	} else if (strcmp(type, "tool-plan-delta") == 0) {
		intake_say(d, intake_part(d, PART_TEXT, -1), js_get(m, "tool_plan"));
	} else if (strcmp(type, "tool-call-start") == 0 || strcmp(type, "tool-call-delta") == 0) {
		take_call(d, index, js_obj(m, "tool_calls"));
		d->usable = true;
	} else if (strcmp(type, "tool-call-end") == 0) {
		intake_call_end(d, intake_find(d, CALLS_FROM + index));
	} else if (strcmp(type, "message-end") == 0) {
		if (is_error_value(js_get(delta, "error")))
			return intake_error(d, 0, js_get(delta, "error"));
		take_usage(d, js_obj(delta, "usage"));
		d->usable = true;
		d->done = take_finish(d, js_str_or(delta, "finish_reason", "COMPLETE"));
		return d->done;
	}
	return true;
}

const struct driver cohere_driver = {
	.format = "cohere", .framing = FRAMES_SSE, .needs_url = true, .stops = stops,
	.prepare = prepare, .frame = frame, .heal = heal,
};

/*
 * OpenAI's responses: "openai_responses" at any address that has them, and "chatgpt_responses", the
 * reduced form behind a ChatGPT session, which takes text alone and always streams.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"
#include "lib/llm/token.h"
#include "lib/llm/wishes.h"

#define REFRESH_URL "https://auth.openai.com/oauth/token"
#define REFRESH_CLIENT "app_EMoamEEZ73f0CkXaXp7hrann"

enum { REFRESH_TIMEOUT_MS = 15000, SESSION_S = 7 * 24 * 3600 };

/* --- the request --------------------------------------------------------- */

struct body {
	struct jw w;
	const struct llm_request *rq;
	bool plain;                     /* text alone */
	unsigned items;
};

static void
open_item(struct body *b, const char *type)
{
	b->items++;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", type);
}

static void
write_image(struct body *b, struct json_object *block)
{
	SCOPED_BUF url = BUF_INIT(LLM_BODY_MAX);
	const char *named = js_str(block, "url");

	if (named != NULL)
		buf_str(&url, named);
	else if (!block_image_url(block, &url))
		return;
	b->w.b->failed |= url.failed;
	if (url.failed)
		return;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "input_image");
	jw_strn(&b->w, "image_url", url.p, url.len);
	jw_end(&b->w);
}

static void
write_parts(struct body *b, const struct message *m)
{
	jw_array(&b->w, "content");
	for (size_t i = 0, n = json_object_array_length(m->blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m->blocks, i);

		if (block_text(o) != NULL) {
			jw_object(&b->w, NULL);
			jw_str(&b->w, "type", m->role == BY_ASSISTANT ? "output_text" : "input_text");
			jw_json(&b->w, "text", block_text(o));
			jw_end(&b->w);
		} else if (m->role == BY_USER) {
			write_image(b, o);
		}
	}
	jw_end(&b->w);
}

static void
write_calls(struct body *b, struct json_object *blocks)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);
		bool use = is_block(o, "tool_use");
		SCOPED_BUF args = BUF_INIT(LLM_TEXT_MAX);
		struct jw aw = JW_INIT(&args);

		if (!use && !is_block(o, "tool_result"))
			continue;
		open_item(b, use ? "function_call" : "function_call_output");
		jw_str(&b->w, "call_id", js_str_or(o, use ? "id" : "tool_use_id", ""));
		if (use) {
			jw_json(&aw, NULL, js_obj(o, "input"));
			jw_str(&b->w, "name", js_str_or(o, "name", ""));
			jw_strn(&b->w, "arguments", js_obj(o, "input") != NULL ? args.p : "{}", js_obj(o, "input") != NULL ? args.len : 2);
		} else {
			jw_str(&b->w, "output", block_result(o));
		}
		jw_end(&b->w);
	}
}

/* Text alone: what tools said becomes part of it. */
static void
write_flat(struct body *b, const struct message *m)
{
	SCOPED_BUF text = BUF_INIT(LLM_TEXT_MAX);

	blocks_join(m->blocks, "text", "text", &text);
	blocks_join(m->blocks, "tool_result", "content", &text);
	b->w.b->failed |= text.failed;
	if (text.len == 0)
		return;
	b->items++;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "role", said_by_name(m->role));
	jw_strn(&b->w, "content", text.p, text.len);
	jw_end(&b->w);
}

static void
write_message(struct body *b, const struct message *m)
{
	if (m->role == BY_SYSTEM)
		return;
	if (m->text != NULL) {
		b->items++;
		jw_object(&b->w, NULL);
		jw_str(&b->w, "role", said_by_name(m->role));
		jw_raw(&b->w, "content", m->text, m->n);
		jw_end(&b->w);
		return;
	}
	if (b->plain) {
		write_flat(b, m);
		return;
	}
	if (blocks_have(m->blocks, "text") || (m->role == BY_USER && (blocks_have(m->blocks, "image") || blocks_have(m->blocks, "image_file")))) {
		open_item(b, "message");
		jw_str(&b->w, "role", said_by_name(m->role));
		write_parts(b, m);
		jw_end(&b->w);
	}
	write_calls(b, m->blocks);
}

static void
write_tool(struct jw *w, struct json_object *tool)
{
	jw_object(w, NULL);
	jw_str(w, "type", "function");
	jw_str(w, "name", js_str_or(tool, "name", ""));
	jw_str(w, "description", js_str_or(tool, "description", ""));
	write_schema_plain(w, "parameters", js_get(tool, "input_schema"));
	jw_bool(w, "strict", false);
	jw_end(w);
}

static void
write_choice(struct jw *w, const struct llm_request *rq)
{
	static const char *const words[] = { [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_ANY] = "required" };
	struct wish_choice c = wish_choice(rq);

	if (c.kind == CHOICE_NAMED) {
		jw_object(w, "tool_choice");
		jw_str(w, "type", "function");
		jw_str(w, "name", c.name);
		jw_end(w);
	} else if (c.kind != CHOICE_UNSAID) {
		jw_str(w, "tool_choice", words[c.kind]);
	}
}

static void
write_format(struct jw *w, const struct llm_request *rq)
{
	struct wish_format f = wish_format(rq);

	if (f.kind == FORMAT_TEXT)
		return;
	jw_object(w, "text");
	jw_object(w, "format");
	jw_str(w, "type", f.kind == FORMAT_JSON ? "json_object" : "json_schema");
	if (f.kind == FORMAT_SCHEMA) {
		jw_str(w, "name", f.name);
		jw_json(w, "schema", f.schema);
		jw_bool(w, "strict", f.strict);
	}
	jw_end(w);
	jw_end(w);
}

static const char *
effort_of(int64_t budget)
{
	return budget <= 4096 ? "low" : budget <= 16384 ? "medium" : "high";
}

static void
write_wishes(struct body *b, const struct quirks *q)
{
	const struct llm_request *rq = b->rq;
	struct jw *w = &b->w;
	bool thinks = wish_thinking(rq) >= 1024;

	if (rq->max_tokens > 0 && wish_mine(rq, "max_output_tokens"))
		jw_i64(w, "max_output_tokens", rq->max_tokens);
	if (rq->has_temperature && !q->no_temperature && wish_mine(rq, "temperature"))
		jw_f64(w, "temperature", rq->temperature);
	wish_as(w, "top_p", rq, "top_p");
	if ((thinks || wish_no_thinking(rq)) && !q->no_thinking && wish_mine(rq, "reasoning")) {
		jw_object(w, "reasoning");
		jw_str(w, "effort", thinks ? effort_of(wish_thinking(rq)) : "none");
		if (thinks)
			jw_str(w, "summary", "auto");
		jw_end(w);
	}
	if (wish_mine(rq, "text"))
		write_format(w, rq);
	if (!has_tools(rq) || q->no_tools || !wish_mine(rq, "tools"))
		return;
	write_tools(w, "tools", rq, write_tool);
	if (wish_mine(rq, "tool_choice"))
		write_choice(w, rq);
}

static enum err
write_body(struct outgoing *o, bool plain)
{
	const struct llm_request *rq = o->rq;
	struct body b = { .w = JW_INIT(&o->body), .rq = rq, .plain = plain };
	SCOPED_BUF system = BUF_INIT(LLM_TEXT_MAX);

	join_system(rq, &system);
	jw_object(&b.w, NULL);
	jw_str(&b.w, "model", rq->model);
	if (system.len > 0)
		jw_strn(&b.w, "instructions", system.p, system.len);
	jw_array(&b.w, "input");
	for (size_t i = 0, n = useful_length(rq, false); i < n; i++)
		write_message(&b, &rq->messages->v[i]);
	jw_end(&b.w);
	jw_bool(&b.w, "store", false);
	jw_bool(&b.w, "stream", plain || rq->stream);
	if (!plain) {
		write_wishes(&b, &o->quirks);
		wish_rest(&b.w, rq);
	}
	jw_end(&b.w);
	if (b.items > 0)
		return o->body.failed || system.failed ? ERR_NOMEM : ERR_OK;
	o->why = "there is no message to send";
	return ERR_INVALID;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const char *base;
	size_t n = out_base(o, &base);
	enum err e = out_head(o, base, n, "/responses");

	(void)a;
	return e == ERR_OK ? write_body(o, false) : e;
}

static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;

	if (status == 400 && !q->no_temperature && o->rq->has_temperature && has_substr_ci(body, "temperature"))
		return q->no_temperature = true;
	if (status == 400 && !q->no_thinking && wish_on_thinking(o->rq) && has_substr_ci(body, "reasoning"))
		return q->no_thinking = true;
	return false;
}

/* --- a ChatGPT session --------------------------------------------------- */

static enum err
prepare_session(struct outgoing *o, struct llm_answer *a)
{
	const struct llm_request *rq = o->rq;
	struct token_key key = token_key("chatgpt", rq->api_key != NULL ? rq->api_key : "");
	struct buf token = BUF_INIT(65536);
	const char *base;
	size_t n = out_base(o, &base);
	enum err e;

	(void)a;
	if (n == 0) {
		base = "https://chatgpt.com/backend-api";
		n = strlen(base);
	}
	e = out_url(o, "%.*s/codex/responses", (int)n, base);
	if (e == ERR_OK)        /* one that was fetched anew, else the one that is set */
		e = out_bearer(o, token_get(&key, &token) ? token.p : rq->api_key);
	buf_zero_done(&token);
	if (e == ERR_OK)
		e = out_usual_headers(o);
	return e == ERR_OK ? write_body(o, true) : e;
}

static bool
refresh(const struct llm_request *rq, const char *with)
{
	const char *const headers[] = { "Content-Type: application/json", "Accept: application/json", NULL };
	struct buf body = BUF_INIT(65536);
	struct jw w = JW_INIT(&body);
	struct http_call call = { .proxy = rq->proxy, .method = "POST", .url = js_str_or(rq->settings, "token_url", REFRESH_URL), .headers = headers,
	    .timeout_ms = REFRESH_TIMEOUT_MS, .max_bytes = 1 << 20, .cancel = rq->cancel };
	struct token_key key = token_key("chatgpt", rq->api_key != NULL ? rq->api_key : "");
	struct llm_answer unused = { 0 };
	struct json_object *o = NULL;
	bool good = false;

	jw_object(&w, NULL);
	jw_str(&w, "grant_type", "refresh_token");
	jw_str(&w, "refresh_token", with);
	jw_str(&w, "client_id", REFRESH_CLIENT);
	jw_end(&w);
	call.body = body.p;
	call.body_bytes = body.len;
	if (!body.failed && token_fetch(rq, &call, &unused, &o) == ERR_OK && js_str(o, "access_token") != NULL) {
		token_put(&key, js_str(o, "access_token"), clock_ms() + 1000 * js_i64(o, "expires_in", SESSION_S));
		good = true;
	}
	json_object_put(o);
	buf_zero_done(&body);
	return good;
}

static bool
heal_session(struct outgoing *o, int status, const char *body)
{
	const char *with = getenv("CHATGPT_REFRESH_TOKEN");

	/* 403 also stands for a plan that does not have the model */
	if ((status != 401 && (status != 403 || llm_classify(status, NULL, body) != LLM_AUTH)) || o->quirks.renewed > 0 || with == NULL || with[0] == '\0')
		return false;
	o->quirks.renewed++;
	return refresh(o->rq, with);
}

/* --- the answer ---------------------------------------------------------- */

enum { PER_ITEM = 1000 };               /* parts are numbered by their item, and within it */

static const struct stop_word stops[] = { { "incomplete", LLM_MAX_TOKENS }, { "content_filter", LLM_FILTERED }, { NULL, 0 } };

static int64_t
index_of(struct json_object *o, const char *inner)
{
	int64_t item = js_i64(o, "output_index", 0), within = js_i64(o, inner, 0);

	return (item < 0 ? 0 : item > 1000000 ? 1000000 : item) * PER_ITEM + (within < 0 ? 0 : within % PER_ITEM);
}

static void
take_usage(struct intake *d, struct json_object *u)
{
	struct llm_answer *a = d->ans;

	if (u == NULL)
		return;
	a->input_tokens = intake_count(u, "input_tokens", 0);
	a->output_tokens = intake_count(u, "output_tokens", 0);
	a->cache_read_tokens = intake_count(js_obj(u, "input_tokens_details"), "cached_tokens", 0);
	a->image_input_tokens = intake_count(js_obj(u, "input_tokens_details"), "image_tokens", 0);
	a->image_output_tokens = intake_count(js_obj(u, "output_tokens_details"), "image_tokens", 0);
	a->usage_known = true;
}

static bool
is_empty(struct intake *d, int64_t index)
{
	struct part *p = intake_find(d, index);

	return p == NULL || p->text.all.len == 0;
}

/* An item that is whole: what of it did not come before. */
static void
take_item(struct intake *d, int64_t item, struct json_object *o)
{
	const char *type = js_str_or(o, "type", "");
	struct json_object *list = js_arr(o, strcmp(type, "reasoning") == 0 ? "summary" : "content");
	bool thought = strcmp(type, "reasoning") == 0;

	if (strcmp(type, "function_call") == 0) {
		struct part *p = intake_part(d, PART_CALL, item * PER_ITEM);

		intake_call(d, p, js_get(o, "call_id"), js_get(o, "name"));
		if (p != NULL && p->text.all.len == 0)
			intake_args(d, p, js_get(o, "arguments"));
		intake_call_end(d, p);
		return;
	}
	for (size_t i = 0, n = list != NULL ? json_object_array_length(list) : 0; i < n; i++) {
		int64_t index = item * PER_ITEM + (int64_t)(i % PER_ITEM);
		struct json_object *c = json_object_array_get_idx(list, i), *t = js_get(c, "text");

		if (is_empty(d, index))
			intake_say(d, intake_part(d, thought ? PART_THINKING : PART_TEXT, index), t != NULL ? t : js_get(c, "refusal"));
	}
}

static bool
take_response(struct intake *d, struct json_object *r)
{
	struct json_object *output = js_arr(r, "output");
	const char *status = js_str_or(r, "status", "completed"), *why = js_str_or(js_obj(r, "incomplete_details"), "reason", "");

	if (is_error_value(js_get(r, "error")))
		return intake_error(d, 0, js_get(r, "error"));
	take_usage(d, js_obj(r, "usage"));
	for (size_t i = 0, n = output != NULL ? json_object_array_length(output) : 0; i < n; i++)
		take_item(d, (int64_t)i, json_object_array_get_idx(output, i));
	if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)
		return intake_fail(d, LLM_UPSTREAM, 500, NULL);
	d->usable = true;
	intake_finish(d, strcmp(why, "content_filter") == 0 ? why : status);
	d->done = true;
	return true;
}

static bool
frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	const char *type = js_str_or(o, "type", event);

	if (is_error_value(js_get(o, "error")))
		return intake_error(d, 0, js_get(o, "error"));
	if (strcmp(type, "error") == 0)
		return intake_error(d, 0, o);
	if (whole)
		return js_arr(o, "output") != NULL ? take_response(d, o) : true;
	if (strcmp(type, "response.output_text.delta") == 0 || strcmp(type, "response.refusal.delta") == 0)
		intake_say(d, intake_part(d, PART_TEXT, index_of(o, "content_index")), js_get(o, "delta"));
	else if (strcmp(type, "response.reasoning_summary_text.delta") == 0)
		intake_say(d, intake_part(d, PART_THINKING, index_of(o, "summary_index")), js_get(o, "delta"));
	else if (strcmp(type, "response.reasoning.delta") == 0 || strcmp(type, "response.reasoning_text.delta") == 0)
		intake_say(d, intake_part(d, PART_THINKING, index_of(o, "content_index")), js_get(o, "delta"));
	else if (strcmp(type, "response.output_item.added") == 0 && strcmp(js_str_or(js_obj(o, "item"), "type", ""), "function_call") == 0)
		intake_call(d, intake_part(d, PART_CALL, index_of(o, "")), js_get(js_obj(o, "item"), "call_id"), js_get(js_obj(o, "item"), "name"));
	else if (strcmp(type, "response.function_call_arguments.delta") == 0)
		intake_args(d, intake_part(d, PART_CALL, index_of(o, "")), js_get(o, "delta"));
	else if (strcmp(type, "response.output_item.done") == 0)
		take_item(d, index_of(o, "") / PER_ITEM, js_obj(o, "item"));
	else if (strcmp(type, "response.completed") == 0 || strcmp(type, "response.incomplete") == 0 || strcmp(type, "response.failed") == 0)
		return take_response(d, js_obj(o, "response"));
	return true;
}

const struct driver responses_driver = {
	.format = "openai_responses", .framing = FRAMES_SSE, .takes_image_urls = true, .needs_url = true, .stops = stops,
	.prepare = prepare, .frame = frame, .heal = heal,
};

const struct driver chatgpt_driver = {
	.format = "chatgpt_responses", .framing = FRAMES_SSE, .stops = stops,
	.prepare = prepare_session, .frame = frame, .heal = heal_session,
};

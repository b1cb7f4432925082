/*
 * Ollama's own chat: JSON lines in answer.
 *
 * Calls come whole and without ids. Some servers send each once, some repeat
 * them all with every line: one that is already there is not taken twice.
 */
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"
#include "lib/llm/wishes.h"

/* --- the request --------------------------------------------------------- */

struct body {
	struct jw w;
	const struct llm_request *rq;
	const struct quirks *quirks;
	unsigned messages;
};

static void
begin(struct body *b, const char *role)
{
	b->messages++;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "role", role);
}

static void
write_results(struct body *b, struct json_object *blocks)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (!is_block(o, "tool_result"))
			continue;
		begin(b, "tool");
		jw_str(&b->w, "content", block_result(o));
		if (js_str(o, "tool_name") != NULL)
			jw_str(&b->w, "tool_name", js_str(o, "tool_name"));
		jw_end(&b->w);
	}
}

static void
write_images(struct body *b, struct json_object *blocks)
{
	bool any = false;

	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		SCOPED_BUF data = BUF_INIT(LLM_BODY_MAX);

		if (block_image(json_object_array_get_idx(blocks, i), &data) == NULL)
			continue;
		if (!any)
			jw_array(&b->w, "images");
		any = true;
		jw_strn(&b->w, NULL, data.p, data.len);
	}
	if (any)
		jw_end(&b->w);
}

static void
write_calls(struct body *b, struct json_object *blocks)
{
	jw_array(&b->w, "tool_calls");
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (!is_block(o, "tool_use"))
			continue;
		jw_object(&b->w, NULL);
		jw_object(&b->w, "function");
		jw_str(&b->w, "name", js_str_or(o, "name", ""));
		if (js_obj(o, "input") != NULL)
			jw_json(&b->w, "arguments", js_obj(o, "input"));
		else
			jw_raw(&b->w, "arguments", "{}", 2);
		jw_end(&b->w);
		jw_end(&b->w);
	}
	jw_end(&b->w);
}

static void
write_blocks(struct body *b, const struct message *m)
{
	SCOPED_BUF text = BUF_INIT(LLM_TEXT_MAX);
	SCOPED_BUF thought = BUF_INIT(LLM_TEXT_MAX);
	bool calls = m->role == BY_ASSISTANT && blocks_have(m->blocks, "tool_use");
	bool images = m->role != BY_ASSISTANT && (blocks_have(m->blocks, "image") || blocks_have(m->blocks, "image_file"));

	write_results(b, m->blocks);
	blocks_join(m->blocks, "text", "text", &text);
	if (text.len == 0 && !calls && !images)
		return;
	begin(b, said_by_name(m->role));
	jw_strn(&b->w, "content", text.len > 0 ? text.p : "", text.len);
	if (images)
		write_images(b, m->blocks);
	if (calls) {
		blocks_join(m->blocks, "thinking", "thinking", &thought);
		if (thought.len > 0)
			jw_strn(&b->w, "thinking", thought.p, thought.len);
		write_calls(b, m->blocks);
	}
	jw_end(&b->w);
	b->w.b->failed |= text.failed || thought.failed;
}

static void
write_messages(struct body *b)
{
	SCOPED_BUF system = BUF_INIT(LLM_TEXT_MAX);

	join_system(b->rq, &system);
	jw_array(&b->w, "messages");
	if (system.len > 0) {
		jw_object(&b->w, NULL);
		jw_str(&b->w, "role", "system");
		jw_strn(&b->w, "content", system.p, system.len);
		jw_end(&b->w);
	}
	for (size_t i = 0, n = useful_length(b->rq, false); i < n; i++) {
		const struct message *m = &b->rq->messages->v[i];

		if (m->role == BY_SYSTEM)
			continue;
		if (m->text == NULL) {
			write_blocks(b, m);
			continue;
		}
		begin(b, said_by_name(m->role));
		jw_raw(&b->w, "content", m->text, m->n);
		jw_end(&b->w);
	}
	jw_end(&b->w);
	b->w.b->failed |= system.failed;
}

static void
write_options(struct body *b)
{
	static const char *const same[] = { "top_p", "seed", "frequency_penalty", "presence_penalty" };
	const struct llm_request *rq = b->rq;
	struct json_object *own = js_obj(rq->extra, "options");

	jw_object(&b->w, "options");
	if (rq->has_temperature && js_get(own, "temperature") == NULL)
		jw_f64(&b->w, "temperature", rq->temperature);
	if (rq->max_tokens > 0 && js_get(own, "num_predict") == NULL)
		jw_i64(&b->w, "num_predict", rq->max_tokens);
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (js_get(own, same[i]) == NULL)
			wish_as(&b->w, same[i], rq, same[i]);
	if (js_get(own, "stop") == NULL)
		wish_stops(&b->w, "stop", rq);
	if (own != NULL) {
		json_object_object_foreach(own, k, v)
			jw_json(&b->w, k, v);
	}
	jw_end(&b->w);
}

/* Everything else that is the provider's own, options being written already. */
static void
write_rest(struct body *b)
{
	struct llm_request rq = *b->rq;
	struct json_object *less;

	if (js_obj(rq.extra, "options") == NULL) {
		wish_rest(&b->w, &rq);
		return;
	}
	less = json_object_new_object();
	json_object_object_foreach(rq.extra, k, v)
		if (strcmp(k, "options") != 0)
			json_object_object_add(less, k, json_object_get(v));
	rq.extra = less;
	wish_rest(&b->w, &rq);
	json_object_put(less);
}

static void
write_tool(struct jw *w, struct json_object *tool)
{
	jw_object(w, NULL);
	jw_str(w, "type", "function");
	jw_object(w, "function");
	jw_str(w, "name", js_str_or(tool, "name", ""));
	jw_str(w, "description", js_str_or(tool, "description", ""));
	write_schema_plain(w, "parameters", js_get(tool, "input_schema"));
	jw_end(w);
	jw_end(w);
}

static void
write_format(struct body *b)
{
	struct wish_format f = wish_format(b->rq);

	if (f.kind == FORMAT_SCHEMA && f.schema != NULL)
		jw_json(&b->w, "format", f.schema);
	else if (f.kind != FORMAT_TEXT)
		jw_str(&b->w, "format", "json");
}

static enum err
write_body(struct outgoing *o)
{
	const struct llm_request *rq = o->rq;
	struct body b = { .w = JW_INIT(&o->body), .rq = rq, .quirks = &o->quirks };

	jw_object(&b.w, NULL);
	jw_str(&b.w, "model", rq->model);
	write_messages(&b);
	jw_bool(&b.w, "stream", rq->stream);
	if (has_tools(rq) && !o->quirks.no_tools && wish_choice(rq).kind != CHOICE_NONE)
		write_tools(&b.w, "tools", rq, write_tool);
	if (wish_mine(rq, "think") && wish_on_thinking(rq) && !o->quirks.no_thinking)
		jw_bool(&b.w, "think", wish_thinking(rq) > 0);
	if (wish_mine(rq, "format"))
		write_format(&b);
	write_options(&b);
	write_rest(&b);
	jw_end(&b.w);
	if (b.messages > 0)
		return o->body.failed ? ERR_NOMEM : ERR_OK;
	o->why = "there is no message to send";
	return ERR_INVALID;
}

/* A bare /v1 is where its imitation of OpenAI lives; behind a longer path it is somebody else's. */
size_t
ollama_base(const struct outgoing *o, const char **ret)
{
	size_t n = out_base(o, ret);
	const char *base = *ret, *host = strstr(base, "://");

	if (n < 3 || host == NULL || memcmp(base + n - 3, "/v1", 3) != 0 || base + n - 3 < host + 3)
		return n;
	host += 3;
	return memchr(host, '/', (size_t)(base + n - 3 - host)) == NULL ? n - 3 : n;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const char *base;
	size_t n = ollama_base(o, &base);
	enum err e = out_head(o, base, n, "/api/chat");

	(void)a;
	return e == ERR_OK ? write_body(o) : e;
}

static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;

	if (status != 400)
		return false;
	if (!q->no_tools && has_tools(o->rq) && has_substr_ci(body, "does not support tools"))
		return q->no_tools = true;
	if (!q->no_thinking && wish_on_thinking(o->rq) && has_substr_ci(body, "does not support thinking"))
		return q->no_thinking = true;
	return false;
}

/* --- the answer ---------------------------------------------------------- */

enum { AT_THINKING = -2, AT_TEXT = -3 };

static const struct stop_word stops[] = { { "length", LLM_MAX_TOKENS }, { NULL, 0 } };

static void
begin_answer(struct intake *d)
{
	(void)intake_part(d, PART_THINKING, AT_THINKING);
	(void)intake_part(d, PART_TEXT, AT_TEXT);
}

static bool
is_there(const struct intake *d, const char *name, const char *args)
{
	for (unsigned i = 0; i < d->n_parts; i++) {
		const struct part *p = &d->parts[i];

		if (p->kind == PART_CALL && p->name != NULL && strcmp(p->name, name) == 0 &&
		    strcmp(p->text.all.len > 0 ? p->text.all.p : "", args) == 0)
			return true;
	}
	return false;
}

static void
take_call(struct intake *d, struct json_object *o)
{
	struct json_object *f = js_obj(o, "function"), *args = js_get(f, "arguments");
	const char *text = json_object_is_type(args, json_type_string) ? json_object_get_string(args) :
	    json_object_is_type(args, json_type_object) ?
	    json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "";
	struct part *p;

	if (js_str(f, "name") == NULL || is_there(d, js_str(f, "name"), text))
		return;
	p = intake_part(d, PART_CALL, (int64_t)d->n_calls);
	intake_own_id(p, "ollama-call-", true);
	intake_call(d, p, NULL, js_get(f, "name"));
	intake_args(d, p, args);
	intake_call_end(d, p);
}

static void
take_message(struct intake *d, struct json_object *m)
{
	struct json_object *calls = js_arr(m, "tool_calls"), *text = js_get(m, "content"), *thought = js_get(m, "thinking");

	intake_say(d, &d->parts[0], thought != NULL ? thought : js_get(m, "reasoning_content"));
	if (json_object_is_type(text, json_type_string))
		think_add(&d->think, &d->parts[1].text, &d->parts[0].text, json_object_get_string(text),
		    (size_t)json_object_get_string_len(text));
	for (size_t i = 0, n = calls != NULL ? json_object_array_length(calls) : 0; i < n; i++)
		take_call(d, json_object_array_get_idx(calls, i));
}

static bool
frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	(void)event;
	(void)whole;
	if (is_error_value(js_get(o, "error")))
		return intake_error(d, 0, js_get(o, "error"));
	if (d->n_parts < 2)
		return intake_fail(d, LLM_NO_MEMORY, 0, NULL);
	if (js_obj(o, "message") != NULL) {
		d->usable = true;
		take_message(d, js_obj(o, "message"));
	}
	if (d->parts[0].text.all.failed || d->parts[1].text.all.failed)
		return intake_fail(d, LLM_UPSTREAM, 0, "the answer is too long");
	if (!js_bool(o, "done", false))
		return true;
	intake_finish(d, js_str_or(o, "done_reason", "stop"));
	d->ans->input_tokens = intake_count(o, "prompt_eval_count", 0);
	d->ans->output_tokens = intake_count(o, "eval_count", 0);
	d->ans->usage_known = js_get(o, "eval_count") != NULL;
	d->done = true;
	return true;
}

const struct driver ollama_driver = {
	.format = "ollama", .framing = FRAMES_LINES, .needs_url = true, .stops = stops,
	.prepare = prepare, .begin = begin_answer, .frame = frame, .heal = heal,
};

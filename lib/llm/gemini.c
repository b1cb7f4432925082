/*
 * Gemini's generateContent: what is sent.
 *
 * A part may carry a signature of the thought that led to it; it goes back with the
 * same part, unchanged, or the next answer forgets why.
 */
#include "lib/llm/gemini.h"

#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/wishes.h"

static void
write_signature(struct jw *w, struct json_object *block)
{
	const char *s = js_str(js_obj(block, "provider_metadata"), "thoughtSignature");

	if (s != NULL)
		jw_str(w, "thoughtSignature", s);
}

static void
write_call(struct jw *w, struct json_object *block)
{
	jw_object(w, NULL);
	jw_object(w, "functionCall");
	jw_str(w, "name", js_str_or(block, "name", ""));
	if (js_obj(block, "input") != NULL)
		jw_json(w, "args", js_obj(block, "input"));
	else
		jw_raw(w, "args", "{}", 2);
	jw_end(w);
	write_signature(w, block);
	jw_end(w);
}

static void
write_result(struct jw *w, struct json_object *block)
{
	jw_object(w, NULL);
	jw_object(w, "functionResponse");
	jw_str(w, "name", js_str_or(block, "tool_name", "unknown_function"));
	jw_object(w, "response");
	jw_str(w, "result", block_result(block));
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void
write_text(struct jw *w, struct json_object *block, const char *member, bool thought)
{
	jw_object(w, NULL);
	jw_str(w, "text", js_str_or(block, member, ""));
	if (thought)
		jw_bool(w, "thought", true);
	write_signature(w, block);
	jw_end(w);
}

static void
write_image(struct jw *w, struct json_object *block)
{
	SCOPED_BUF data = BUF_INIT(LLM_BODY_MAX);
	const char *type = block_image(block, &data);

	if (type == NULL)
		return;
	jw_object(w, NULL);
	jw_object(w, "inlineData");
	jw_str(w, "mimeType", type);
	jw_strn(w, "data", data.p, data.len);
	jw_end(w);
	jw_end(w);
	w->b->failed |= data.failed;
}

static void
write_part(struct jw *w, enum said_by by, struct json_object *block)
{
	bool signed_ = js_str(js_obj(block, "provider_metadata"), "thoughtSignature") != NULL;

	if (block_text(block) != NULL) {
		if (js_str_or(block, "text", "")[0] != '\0' || signed_)
			write_text(w, block, "text", false);
	} else if (is_block(block, "thinking") && by == BY_ASSISTANT) {
		if (js_str_or(block, "thinking", "")[0] != '\0' || signed_)
			write_text(w, block, "thinking", true);
	} else if (is_block(block, "tool_use")) {
		write_call(w, block);
	} else if (is_block(block, "tool_result")) {
		write_result(w, block);
	} else {
		write_image(w, block);
	}
}

/* Thinking alone is no content. */
static bool
is_sent(const struct message *m)
{
	if (m->role == BY_SYSTEM)
		return false;
	if (m->text != NULL)
		return m->n > 2;
	for (size_t i = 0, n = json_object_array_length(m->blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m->blocks, i);

		if (is_block(o, "tool_use") || is_block(o, "tool_result") || is_block(o, "image") || is_block(o, "image_file") ||
		    (block_text(o) != NULL && js_str_or(o, "text", "")[0] != '\0'))
			return true;
	}
	return false;
}

static void
write_message(struct jw *w, const struct message *m)
{
	jw_object(w, NULL);
	jw_str(w, "role", m->role == BY_ASSISTANT ? "model" : "user");
	jw_array(w, "parts");
	if (m->text != NULL) {
		jw_object(w, NULL);
		jw_raw(w, "text", m->text, m->n);
		jw_end(w);
	}
	for (size_t i = 0, n = m->text == NULL ? json_object_array_length(m->blocks) : 0; i < n; i++)
		write_part(w, m->role, json_object_array_get_idx(m->blocks, i));
	jw_end(w);
	jw_end(w);
}

static unsigned
write_contents(struct jw *w, const struct llm_request *rq)
{
	unsigned all = 0;

	jw_array(w, "contents");
	for (size_t i = 0, n = useful_length(rq, false); i < n; i++) {
		if (!is_sent(&rq->messages->v[i]))
			continue;
		write_message(w, &rq->messages->v[i]);
		all++;
	}
	jw_end(w);
	return all;
}

static void
write_system(struct jw *w, const struct llm_request *rq)
{
	SCOPED_BUF s = BUF_INIT(LLM_TEXT_MAX);

	join_system(rq, &s);
	w->b->failed |= s.failed;
	if (s.len == 0 || !wish_mine(rq, "systemInstruction"))
		return;
	jw_object(w, "systemInstruction");
	jw_array(w, "parts");
	jw_object(w, NULL);
	jw_strn(w, "text", s.p, s.len);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void
write_tool(struct jw *w, struct json_object *tool)
{
	jw_object(w, NULL);
	jw_str(w, "name", js_str_or(tool, "name", ""));
	jw_str(w, "description", js_str_or(tool, "description", ""));
	write_schema_plain(w, "parameters", js_get(tool, "input_schema"));
	jw_end(w);
}

static void
write_choice(struct jw *w, const struct llm_request *rq)
{
	static const char *const modes[] = { [CHOICE_AUTO] = "AUTO", [CHOICE_NONE] = "NONE", [CHOICE_ANY] = "ANY", [CHOICE_NAMED] = "ANY" };
	struct wish_choice c = wish_choice(rq);

	if (c.kind == CHOICE_UNSAID || !wish_mine(rq, "toolConfig"))
		return;
	jw_object(w, "toolConfig");
	jw_object(w, "functionCallingConfig");
	jw_str(w, "mode", modes[c.kind]);
	if (c.name != NULL) {
		jw_array(w, "allowedFunctionNames");
		jw_str(w, NULL, c.name);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void
write_all_tools(struct jw *w, const struct llm_request *rq, const struct quirks *q)
{
	if (!has_tools(rq) || q->no_tools || !wish_mine(rq, "tools"))
		return;
	jw_array(w, "tools");
	jw_object(w, NULL);
	write_tools(w, "functionDeclarations", rq, write_tool);
	jw_end(w);
	jw_end(w);
	write_choice(w, rq);
}

static void
write_format(struct jw *w, const struct llm_request *rq)
{
	struct wish_format f = wish_format(rq);

	if (f.kind == FORMAT_TEXT)
		return;
	jw_str(w, "responseMimeType", "application/json");
	if (f.kind == FORMAT_SCHEMA && f.schema != NULL)
		write_schema_plain(w, "responseSchema", f.schema);
}

/* A member of generationConfig, unless the request's own one has it. */
static bool
lacks(struct json_object *own, const char *key)
{
	return js_get(own, key) == NULL;
}

static void
write_config(struct jw *w, const struct llm_request *rq, const struct quirks *q)
{
	static const char *const names[][2] = { { "topP", "top_p" }, { "seed", "seed" }, { "frequencyPenalty", "frequency_penalty" },
		{ "presencePenalty", "presence_penalty" } };
	struct json_object *own = js_obj(rq->extra, "generationConfig");
	int64_t budget = wish_thinking(rq);

	jw_object(w, "generationConfig");
	if (rq->has_temperature && lacks(own, "temperature"))
		jw_f64(w, "temperature", rq->temperature);
	if (rq->max_tokens > 0 && lacks(own, "maxOutputTokens"))
		jw_i64(w, "maxOutputTokens", rq->max_tokens);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (lacks(own, names[i][0]))
			wish_as(w, names[i][0], rq, names[i][1]);
	if (lacks(own, "stopSequences"))
		wish_stops(w, "stopSequences", rq);
	if (wish_on_thinking(rq) && !q->no_thinking && lacks(own, "thinkingConfig")) {
		jw_object(w, "thinkingConfig");
		jw_i64(w, "thinkingBudget", budget);
		if (budget > 0)
			jw_bool(w, "includeThoughts", true);
		jw_end(w);
	}
	if (lacks(own, "responseMimeType") && lacks(own, "responseSchema"))
		write_format(w, rq);
	if (own != NULL) {
		json_object_object_foreach(own, k, v)
			jw_json(w, k, v);
	}
	jw_end(w);
}

/* What else is the provider's own; generationConfig is written already. */
static void
write_rest(struct jw *w, const struct llm_request *rq)
{
	struct llm_request q = *rq;

	if (js_obj(rq->extra, "generationConfig") == NULL) {
		wish_rest(w, rq);
		return;
	}
	q.extra = json_object_new_object();
	json_object_object_foreach(rq->extra, k, v)
		if (strcmp(k, "generationConfig") != 0)
			json_object_object_add(q.extra, k, json_object_get(v));
	wish_rest(w, &q);
	json_object_put(q.extra);
}

enum err
gemini_write_body(struct outgoing *o)
{
	struct jw w = JW_INIT(&o->body);
	unsigned messages;

	jw_object(&w, NULL);
	messages = write_contents(&w, o->rq);
	write_system(&w, o->rq);
	write_all_tools(&w, o->rq, &o->quirks);
	write_config(&w, o->rq, &o->quirks);
	write_rest(&w, o->rq);
	jw_end(&w);
	if (messages > 0)
		return o->body.failed ? ERR_NOMEM : ERR_OK;
	o->why = "there is no message to send";
	return ERR_INVALID;
}

bool
gemini_heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;

	if (status != 400)
		return false;
	if (!q->no_thinking && wish_on_thinking(o->rq) && has_substr_ci(body, "thinking"))
		return q->no_thinking = true;
	if (!q->no_tools && has_tools(o->rq) && has_substr_ci(body, "function calling is not"))
		return q->no_tools = true;
	return false;
}

const char *
gemini_verb(const struct llm_request *rq)
{
	return rq->stream ? "streamGenerateContent?alt=sse" : "generateContent";
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const struct llm_request *rq = o->rq;
	const char *base, *model = strncmp(rq->model, "models/", 7) == 0 ? rq->model + 7 : rq->model;
	size_t n = out_root(o, "/v1beta", &base);
	enum err e = n > 0 ? out_model(o, model) : out_no_base(o);

	(void)a;
	if (e == ERR_OK)
		e = out_url(o, "%.*s/v1beta/models/%s:%s", (int)n, base, o->model, gemini_verb(rq));
	if (e == ERR_OK)
		e = out_key(o, "x-goog-api-key", rq->api_key);
	if (e == ERR_OK)
		e = out_usual_headers(o);
	return e == ERR_OK ? gemini_write_body(o) : e;
}

const struct driver gemini_driver = {
	.format = "gemini", .framing = FRAMES_SSE, .needs_url = true, .busy_wait_s = 5, .stops = gemini_stops,
	.prepare = prepare, .frame = gemini_frame, .heal = gemini_heal,
};

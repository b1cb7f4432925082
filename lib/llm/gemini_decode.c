/*
 * Gemini's generateContent: what is answered. Each frame of a stream is an answer of its own,
 * whose parts go on where the last ones ended.
 */
#include <string.h>

#include "lib/llm/errors.h"
#include "lib/llm/gemini.h"

const struct stop_word gemini_stops[] = {
	{ "MAX_TOKENS", LLM_MAX_TOKENS }, { "SAFETY", LLM_FILTERED }, { "RECITATION", LLM_FILTERED }, { "BLOCKLIST", LLM_FILTERED },
	{ "PROHIBITED_CONTENT", LLM_FILTERED }, { "SPII", LLM_FILTERED }, { "IMAGE_SAFETY", LLM_FILTERED },
	{ "LANGUAGE", LLM_FILTERED }, { NULL, 0 },
};

/* [{"modality":"IMAGE","tokenCount":258}, …] */
static int64_t
of_kind(struct json_object *details, const char *kind)
{
	int64_t sum = 0;

	for (size_t i = 0, n = details != NULL ? json_object_array_length(details) : 0; i < n && i < 16; i++) {
		struct json_object *o = json_object_array_get_idx(details, i);

		if (strcmp(js_str_or(o, "modality", ""), kind) == 0)
			sum += intake_count(o, "tokenCount", 0);
	}
	return sum;
}

static void
take_usage(struct intake *d, struct json_object *u)
{
	struct llm_answer *a = d->ans;

	if (u == NULL)
		return;
	a->input_tokens = intake_count(u, "promptTokenCount", 0) + intake_count(u, "toolUsePromptTokenCount", 0);  /* what its own tools found is apart */
	a->output_tokens = intake_count(u, "candidatesTokenCount", 0) + intake_count(u, "thoughtsTokenCount", 0);
	a->cache_read_tokens = intake_count(u, "cachedContentTokenCount", 0);
	a->image_input_tokens = of_kind(js_arr(u, "promptTokensDetails"), "IMAGE");
	a->image_output_tokens = of_kind(js_arr(u, "candidatesTokensDetails"), "IMAGE");
	a->audio_input_tokens = of_kind(js_arr(u, "promptTokensDetails"), "AUDIO");
	a->audio_output_tokens = of_kind(js_arr(u, "candidatesTokensDetails"), "AUDIO");
	a->usage_known = true;
}

static void
sign(struct part *p, struct json_object *part)
{
	struct json_object *s = js_get(part, "thoughtSignature");

	if (p == NULL || !json_object_is_type(s, json_type_string) || json_object_get_string_len(s) == 0)
		return;
	if (p->meta == NULL)
		p->meta = json_object_new_object();
	json_object_object_add(p->meta, "thoughtSignature", json_object_get(s));
}

static void
take_part(struct intake *d, struct json_object *o)
{
	struct json_object *call = js_obj(o, "functionCall"), *text = js_get(o, "text");
	struct part *p;

	if (call != NULL) {
		p = intake_part(d, PART_CALL, (int64_t)d->n_calls);
		intake_own_id(p, "call_", false);
		intake_call(d, p, NULL, js_get(call, "name"));
		intake_args(d, p, js_get(call, "args"));
		intake_call_end(d, p);
		sign(p, o);
	} else if (json_object_is_type(text, json_type_string)) {
		if (json_object_get_string_len(text) == 0 && js_get(o, "thoughtSignature") == NULL)
			return;
		p = intake_newest(d, js_bool(o, "thought", false) ? PART_THINKING : PART_TEXT);
		intake_say(d, p, text);
		sign(p, o);
	}
}

static bool
is_cut_short(const char *reason)
{
	for (const struct stop_word *w = gemini_stops; w->word != NULL; w++)
		if (strcmp(w->word, reason) == 0)
			return true;
	return false;
}

static bool
take_candidate(struct intake *d, struct json_object *c)
{
	struct json_object *content = js_obj(c, "content"), *parts = js_arr(content, "parts");
	const char *reason = js_str_or(c, "finishReason", "");

	if (js_i64(c, "index", 0) != 0)
		return true;
	if (strcmp(reason, "MALFORMED_FUNCTION_CALL") == 0)
		return intake_fail(d, LLM_UPSTREAM, 0, "the model wrote a call that cannot be read");
	for (size_t i = 0, n = parts != NULL ? json_object_array_length(parts) : 0; i < n; i++)
		take_part(d, json_object_array_get_idx(parts, i));
	d->usable |= content != NULL || is_cut_short(reason);
	intake_finish(d, reason);
	return !d->failed;
}

static bool
take_answer(struct intake *d, struct json_object *o)
{
	struct json_object *all = js_arr(o, "candidates");

	if (is_error_value(js_get(o, "error")))
		return intake_error(d, 0, js_get(o, "error"));
	take_usage(d, js_obj(o, "usageMetadata"));
	if (all != NULL && json_object_array_length(all) > 0)
		return take_candidate(d, json_object_array_get_idx(all, 0));
	if (js_str(js_obj(o, "promptFeedback"), "blockReason") != NULL) {
		d->usable = true;       /* the question itself was refused */
		intake_finish(d, "SAFETY");
	}
	return true;
}

bool
gemini_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	(void)event;
	(void)whole;
	if (!json_object_is_type(o, json_type_array))
		return take_answer(d, o);
	for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
		if (!take_answer(d, json_object_array_get_idx(o, i)))
			return false;
	return true;
}

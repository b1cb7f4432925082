/*
 * What chat completions answer: chunks of a stream, or the whole.
 */
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/errors.h"
#include "lib/llm/openai.h"

/* Thinking and text are one part each, however they are mixed. */
enum { AT_THINKING = -1, AT_TEXT = -2 };

const struct stop_word oa_stops[] = { { "length", LLM_MAX_TOKENS }, { "content_filter", LLM_FILTERED }, { NULL, 0 } };

void
oa_begin(struct intake *d)
{
	(void)intake_part(d, PART_THINKING, AT_THINKING);       /* missing parts take nothing: seen in take_message */
	(void)intake_part(d, PART_TEXT, AT_TEXT);
}

static int64_t
index_of(const struct intake *d, struct json_object *o, size_t position, bool whole)
{
	int64_t last = d->n_calls > 0 ? d->parts[d->n_parts - 1].index : 0;

	if (whole)
		return (int64_t)position;
	if (json_object_is_type(js_get(o, "index"), json_type_int))
		return js_i64(o, "index", 0);
	/* no index: a new id begins a new call */
	return js_str_or(o, "id", "")[0] != '\0' && d->n_calls > 0 ? last + 1 : last;
}

static void
take_call(struct intake *d, struct json_object *o, size_t position, bool whole)
{
	struct json_object *f = js_obj(o, "function");
	struct part *p = intake_part(d, PART_CALL, index_of(d, o, position, whole));

	intake_call(d, p, js_get(o, "id"), js_get(f, "name"));
	intake_args(d, p, js_get(f, "arguments"));
}

static void
take_content(struct intake *d, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string)) {
		think_add(&d->think, &d->parts[1].text, &d->parts[0].text, json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
		return;
	}
	if (!json_object_is_type(v, json_type_array))
		return;
	for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
		struct json_object *t = js_get(json_object_array_get_idx(v, i), "text");

		if (json_object_is_type(t, json_type_string))
			take_content(d, t);
	}
}

static void
take_reasoning(struct intake *d, struct json_object *m)
{
	struct json_object *v = js_get(m, "reasoning_content");

	if (!json_object_is_type(v, json_type_string))
		v = js_get(m, "reasoning");
	intake_say(d, &d->parts[0], v);
}

static void
take_usage(struct intake *d, struct json_object *u)
{
	struct llm_answer *a = d->ans;
	struct json_object *in = js_obj(u, "prompt_tokens_details"), *out = js_obj(u, "completion_tokens_details");
	int64_t thought;

	if (!json_object_is_type(u, json_type_object))
		return;
	a->input_tokens = intake_count(u, "prompt_tokens", a->input_tokens);
	a->output_tokens = intake_count(u, "completion_tokens", a->output_tokens);
	a->cache_read_tokens = intake_count(in, "cached_tokens", intake_count(u, "prompt_cache_hit_tokens", a->cache_read_tokens));
	a->cache_write_tokens = intake_count(in, "cache_write_tokens", a->cache_write_tokens);
	a->image_input_tokens = intake_count(in, "image_tokens", a->image_input_tokens);
	a->image_output_tokens = intake_count(out, "image_tokens", a->image_output_tokens);
	a->audio_input_tokens = intake_count(in, "audio_tokens", a->audio_input_tokens);
	a->audio_output_tokens = intake_count(out, "audio_tokens", a->audio_output_tokens);
	thought = intake_count(out, "reasoning_tokens", 0);
	if (thought > 0 && intake_count(u, "total_tokens", 0) == a->input_tokens + a->output_tokens + thought)
		a->output_tokens += thought;    /* some count it apart */
	a->usage_known = true;
}

static void
take_message(struct intake *d, struct json_object *m, bool whole)
{
	struct json_object *calls = js_arr(m, "tool_calls");

	take_reasoning(d, m);
	take_content(d, js_get(m, "content"));
	if (js_str(m, "refusal") != NULL)
		take_content(d, js_get(m, "refusal"));
	for (size_t i = 0, n = calls != NULL ? json_object_array_length(calls) : 0; i < n; i++)
		take_call(d, json_object_array_get_idx(calls, i), i, whole);
}

bool
oa_frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	struct json_object *choices = js_arr(o, "choices"), *choice = NULL, *m;

	(void)event;
	if (is_error_value(js_get(o, "error")))
		return intake_error(d, 0, js_get(o, "error"));
	if (d->n_parts < 2)
		return intake_fail(d, LLM_NO_MEMORY, 0, NULL);
	take_usage(d, js_get(o, "usage"));
	if (choices != NULL && json_object_array_length(choices) > 0)
		choice = json_object_array_get_idx(choices, 0);
	if (choice == NULL || js_i64(choice, "index", 0) != 0)
		return true;
	m = js_obj(choice, whole ? "message" : "delta");
	if (m == NULL)
		m = js_obj(choice, whole ? "delta" : "message");
	d->usable = true;
	take_message(d, m, whole);
	intake_finish(d, js_str(choice, "finish_reason"));
	if (d->parts[0].text.all.failed || d->parts[1].text.all.failed)
		return intake_fail(d, LLM_UPSTREAM, 0, "the answer is too long");
	return true;
}

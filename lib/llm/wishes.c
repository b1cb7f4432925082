/*
 * Reading wishes. OpenAI's words are known by name; what another provider has no word for is
 * left out rather than refused, as gateways do.
 */
#include "lib/llm/wishes.h"

#include <stdlib.h>
#include <string.h>

enum { BUDGET_MAX = 10000000 };        /* of thinking, in tokens: nobody has as many */

/* Words of OpenAI's that are translated, or mean nothing elsewhere. */
static const char *const openai_words[] = {
	"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
	"messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty",
	"prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
	"store", "stream", "stream_options", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
	"web_search_options",
};

static struct json_object *
extra(const struct llm_request *rq, const char *key)
{
	return json_object_is_type(rq->extra, json_type_object) ? js_get(rq->extra, key) : NULL;
}

static bool
is_openai_word(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(openai_words); i++)
		if (strcmp(openai_words[i], key) == 0)
			return true;
	return false;
}

struct wish_format
wish_format(const struct llm_request *rq)
{
	struct json_object *f = rq->response_format != NULL ? rq->response_format : extra(rq, "response_format");
	const char *type = js_str_or(f, "type", "text");
	struct json_object *inner = js_obj(f, "json_schema");

	if (strcmp(type, "json") == 0 || strcmp(type, "json_object") == 0)
		return (struct wish_format){ .kind = FORMAT_JSON };
	if (strcmp(type, "json_schema") != 0)
		return (struct wish_format){ .kind = FORMAT_TEXT };
	if (inner == NULL)
		inner = f;
	return (struct wish_format){ FORMAT_SCHEMA, js_str_or(inner, "name", "answer"), js_get(inner, "schema"),
		js_bool(inner, "strict", false) };
}

struct wish_choice
wish_choice(const struct llm_request *rq)
{
	struct json_object *c = extra(rq, "tool_choice");
	const char *word = json_object_is_type(c, json_type_string) ? json_object_get_string(c) : "";
	const char *name = js_str(js_obj(c, "function"), "name");

	if (name != NULL)
		return (struct wish_choice){ CHOICE_NAMED, name };
	if (strcmp(word, "none") == 0)
		return (struct wish_choice){ CHOICE_NONE, NULL };
	if (strcmp(word, "required") == 0 || strcmp(word, "any") == 0)
		return (struct wish_choice){ CHOICE_ANY, NULL };
	return (struct wish_choice){ strcmp(word, "auto") == 0 ? CHOICE_AUTO : CHOICE_UNSAID, NULL };
}

int64_t
wish_thinking(const struct llm_request *rq)
{
	static const struct { const char *word; int64_t tokens; } efforts[] = {
		{ "low", 2048 }, { "medium", 8192 }, { "high", 24576 }, { "xhigh", 32768 },
	};
	struct json_object *e = extra(rq, "reasoning_effort");

	if (rq->thinking_off)
		return 0;
	if (rq->thinking_budget > 0 || !json_object_is_type(e, json_type_string))
		return rq->thinking_budget <= 0 ? 0 : rq->thinking_budget > BUDGET_MAX ? BUDGET_MAX : rq->thinking_budget;
	for (size_t i = 0; i < ARRAY_LEN(efforts); i++)
		if (strcmp(efforts[i].word, json_object_get_string(e)) == 0)
			return efforts[i].tokens;
	return 0;
}

bool
wish_no_thinking(const struct llm_request *rq)
{
	struct json_object *e = extra(rq, "reasoning_effort");

	if (rq->thinking_budget > 0 || rq->thinking_off)
		return rq->thinking_off;
	return json_object_is_type(e, json_type_string) && strcmp(json_object_get_string(e), "none") == 0;
}

bool
wish_on_thinking(const struct llm_request *rq)
{
	return wish_no_thinking(rq) || wish_thinking(rq) > 0;
}

void
wish_stops(struct jw *w, const char *key, const struct llm_request *rq)
{
	struct json_object *s = extra(rq, "stop");

	if (json_object_is_type(s, json_type_array) && json_object_array_length(s) > 0) {
		jw_json(w, key, s);
	} else if (json_object_is_type(s, json_type_string)) {
		jw_array(w, key);
		jw_json(w, NULL, s);
		jw_end(w);
	}
}

void
wish_as(struct jw *w, const char *key, const struct llm_request *rq, const char *name)
{
	struct json_object *v = extra(rq, name);

	if (v != NULL)
		jw_json(w, key, v);
}

/* Their own words in another shape than OpenAI's: {"type":"tool","name":…}. */
static bool
is_theirs(const char *key, struct json_object *v)
{
	if (strcmp(key, "tool_choice") == 0 || strcmp(key, "metadata") == 0)
		return json_object_is_type(v, json_type_object) && js_obj(v, "function") == NULL;
	return !is_openai_word(key);
}

bool
wish_mine(const struct llm_request *rq, const char *key)
{
	struct json_object *v;

	return !json_object_is_type(rq->extra, json_type_object) || !json_object_object_get_ex(rq->extra, key, &v) ||
	    !is_theirs(key, v);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
wish_rest(struct jw *w, const struct llm_request *rq)
{
	const char *names[64];
	size_t n = 0;

	if (!json_object_is_type(rq->extra, json_type_object))
		return;
	json_object_object_foreach(rq->extra, k, v)
		if (n < ARRAY_LEN(names) && is_theirs(k, v))
			names[n++] = k;
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++)
		jw_json(w, names[i], js_get(rq->extra, names[i]));
}

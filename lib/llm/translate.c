/*
 * From OpenAI's messages to ours. Results of tools are messages of their own there and
 * blocks of one user message here.
 */
#include "lib/llm/translate.h"

#include <stdlib.h>
#include <string.h>

#include "lib/llm/blocks.h"
#include "lib/llm/text.h"

static struct json_object *
new_block(const char *type)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(type));
	return o;
}

static void
add_text(struct json_object *blocks, struct json_object *text)
{
	struct json_object *o;

	if (!json_object_is_type(text, json_type_string) || json_object_get_string_len(text) == 0)
		return;
	o = new_block("text");
	json_object_object_add(o, "text", json_object_get(text));
	json_object_array_add(blocks, o);
}

/* "data:image/png;base64,…" */
static struct json_object *
image_of(const char *url, bool urls, const char **why)
{
	const char *semi = strchr(url, ';'), *data = strstr(url, ";base64,");
	struct json_object *o;

	if (strncmp(url, "data:image/", 11) == 0 && data != NULL) {
		o = new_block("image");
		json_object_object_add(o, "media_type", json_object_new_string_len(url + 5, (int)(semi - url - 5)));
		json_object_object_add(o, "data", json_object_new_string(data + 8));
		return o;
	}
	if (urls && (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0)) {
		o = new_block("image");
		json_object_object_add(o, "url", json_object_new_string(url));
		return o;
	}
	*why = "an image must be given as a data: URL here";
	return NULL;
}

static enum err
add_part(struct json_object *blocks, struct json_object *part, bool urls, const char **why)
{
	const char *type = js_str_or(part, "type", "");
	struct json_object *image = js_get(part, "image_url"), *o;
	const char *url = json_object_is_type(image, json_type_string) ? json_object_get_string(image) : js_str(image, "url");

	if (strcmp(type, "text") == 0 || strcmp(type, "refusal") == 0) {
		add_text(blocks, js_get(part, type));
		return ERR_OK;
	}
	if (strcmp(type, "image_url") != 0 || url == NULL) {
		*why = "this provider takes texts and images only";
		return ERR_INVALID;
	}
	o = image_of(url, urls, why);
	if (o == NULL)
		return ERR_INVALID;
	json_object_array_add(blocks, o);
	return ERR_OK;
}

static enum err
add_content(struct json_object *blocks, struct json_object *content, bool urls, const char **why)
{
	enum err e = ERR_OK;

	if (!json_object_is_type(content, json_type_array)) {
		add_text(blocks, content);
		return ERR_OK;
	}
	for (size_t i = 0, n = json_object_array_length(content); i < n && e == ERR_OK; i++)
		e = add_part(blocks, json_object_array_get_idx(content, i), urls, why);
	return e;
}

static void
add_calls(struct json_object *blocks, struct json_object *calls)
{
	for (size_t i = 0, n = calls != NULL ? json_object_array_length(calls) : 0; i < n; i++) {
		struct json_object *k = json_object_array_get_idx(calls, i), *f = js_obj(k, "function"), *o;
		const char *args = js_str_or(f, "arguments", "");

		if (js_str(k, "id") == NULL || js_str(f, "name") == NULL)
			continue;
		o = new_block("tool_use");
		json_object_object_add(o, "id", json_object_get(js_get(k, "id")));
		json_object_object_add(o, "name", json_object_get(js_get(f, "name")));
		json_object_object_add(o, "input", tool_args(args, strlen(args)));
		json_object_array_add(blocks, o);
	}
}

static struct message *
add_message(struct history *h, enum said_by by)
{
	if (h->n == h->cap) {
		size_t cap = h->cap * 2 + 16;
		struct message *v = realloc(h->v, cap * sizeof(*v));

		if (v == NULL)
			return NULL;
		h->v = v;
		h->cap = cap;
	}
	h->v[h->n] = (struct message){ .role = by, .blocks = json_object_new_array() };
	return &h->v[h->n++];
}

/* The name of the tool that was called under this id. */
static struct json_object *
name_of_call(const struct history *h, const char *id)
{
	for (size_t i = h->n; i-- > 0;) {
		struct json_object *blocks = h->v[i].blocks;

		for (size_t k = 0, n = json_object_array_length(blocks); k < n; k++) {
			struct json_object *o = json_object_array_get_idx(blocks, k);

			if (is_block(o, "tool_use") && strcmp(js_str_or(o, "id", ""), id) == 0)
				return js_get(o, "name");
		}
	}
	return NULL;
}

static enum err
add_result(struct history *h, struct json_object *m, const char **why)
{
	struct message *last = h->n > 0 ? &h->v[h->n - 1] : NULL;
	struct json_object *texts = json_object_new_array(), *o;
	const char *id = js_str_or(m, "tool_call_id", "");
	SCOPED_BUF all = BUF_INIT(16 << 20);
	enum err e = add_content(texts, js_get(m, "content"), false, why);

	blocks_join(texts, "text", "text", &all);
	json_object_put(texts);
	if (e != ERR_OK)
		return e;
	if (last == NULL || last->role != BY_USER || !blocks_have(last->blocks, "tool_result"))
		last = add_message(h, BY_USER);
	if (last == NULL)
		return ERR_NOMEM;
	o = new_block("tool_result");
	json_object_object_add(o, "tool_use_id", json_object_new_string(id));
	if (name_of_call(h, id) != NULL)
		json_object_object_add(o, "tool_name", json_object_get(name_of_call(h, id)));
	json_object_object_add(o, "content", json_object_new_string(all.len > 0 ? all.p : ""));
	json_object_array_add(last->blocks, o);
	return ERR_OK;
}

static enum err
add_system(struct buf *system, struct json_object *content, const char **why)
{
	struct json_object *texts = json_object_new_array();
	enum err e = add_content(texts, content, false, why);

	if (system->len > 0)
		buf_str(system, "\n\n");
	blocks_join(texts, "text", "text", system);
	json_object_put(texts);
	return system->failed ? ERR_NOMEM : e;
}

static enum err
take_message(struct translated *t, struct json_object *m, bool urls, const char **why)
{
	const char *role = js_str_or(m, "role", "user");
	struct message *to;
	enum err e;

	if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0)
		return add_system(&t->system, js_get(m, "content"), why);
	if (strcmp(role, "tool") == 0 || strcmp(role, "function") == 0)
		return add_result(&t->history, m, why);
	to = add_message(&t->history, strcmp(role, "assistant") == 0 ? BY_ASSISTANT : BY_USER);
	if (to == NULL)
		return ERR_NOMEM;
	e = add_content(to->blocks, js_get(m, "content"), urls, why);
	if (e == ERR_OK && to->role == BY_ASSISTANT)
		add_calls(to->blocks, js_arr(m, "tool_calls"));
	return e;
}

static struct json_object *
tools_of(struct json_object *raw)
{
	struct json_object *all = json_object_new_array();

	for (size_t i = 0, n = json_object_array_length(raw); i < n; i++) {
		struct json_object *f = js_obj(json_object_array_get_idx(raw, i), "function"), *o;

		if (js_str(f, "name") == NULL)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "name", json_object_get(js_get(f, "name")));
		if (js_str(f, "description") != NULL)
			json_object_object_add(o, "description", json_object_get(js_get(f, "description")));
		json_object_object_add(o, "input_schema", js_obj(f, "parameters") != NULL
		    ? json_object_get(js_obj(f, "parameters")) : json_parse("{\"type\":\"object\",\"properties\":{}}", strlen("{\"type\":\"object\",\"properties\":{}}")));
		json_object_array_add(all, o);
	}
	return all;
}

enum err
translate_openai(const struct llm_request *rq, bool urls, struct translated *t, const char **why)
{
	enum err e = ERR_OK;

	*t = (struct translated){ .rq = *rq, .system = BUF_INIT(16 << 20) };
	for (size_t i = 0, n = json_object_array_length(rq->raw_messages); i < n && e == ERR_OK; i++)
		e = take_message(t, json_object_array_get_idx(rq->raw_messages, i), urls, why);
	if (json_object_is_type(rq->raw_tools, json_type_array))
		t->tools = tools_of(rq->raw_tools);
	t->rq.messages = &t->history;
	t->rq.system = t->system.len > 0 ? t->system.p : rq->system;
	t->rq.tools = t->tools;
	t->rq.tools_last = false;
	t->rq.raw_messages = t->rq.raw_tools = NULL;
	return e;
}

void
translated_done(struct translated *t)
{
	for (size_t i = 0; i < t->history.n; i++)
		json_object_put(t->history.v[i].blocks);
	free(t->history.v);
	json_object_put(t->tools);
	buf_done(&t->system);
}

/*
 * What an OpenAI client sends, in our terms.
 */
#include <string.h>

#include "daemon/live/openai.h"

enum { IMAGE_MAX = 7 * 1024 * 1024 };   /* base64 of 5 MiB */

static enum err
no_question(struct ctx *c)
{
	return fail_code(c, ERR_BAD_REQUEST, "missing_message", "No user message found in request");
}

static bool
from_user(const char *role)
{
	return strcmp(role, "assistant") != 0 && strcmp(role, "system") != 0 && strcmp(role, "tool") != 0 &&
	    strcmp(role, "developer") != 0;
}

static struct json_object *
text_block(const char *s)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string(s));
	return o;
}

/* "data:image/png;base64,...": other addresses are not fetched for a client. */
static struct json_object *
image_block(struct json_object *part)
{
	static const char *const kinds[] = { "image/png", "image/jpeg", "image/gif", "image/webp" };
	const char *url = js_str(js_obj(part, "image_url"), "url");

	for (size_t i = 0; url != NULL && i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i]);
		struct json_object *o;

		if (strncmp(url, "data:", 5) != 0 || strncmp(url + 5, kinds[i], n) != 0 ||
		    strncmp(url + 5 + n, ";base64,", 8) != 0 || strlen(url) > IMAGE_MAX)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "type", json_object_new_string("image"));
		json_object_object_add(o, "media_type", json_object_new_string(kinds[i]));
		json_object_object_add(o, "data", json_object_new_string(url + 5 + n + 8));
		return o;
	}
	return NULL;
}

static void
read_parts(struct ctx *c, struct json_object *parts, const char **text, struct json_object **blocks)
{
	struct json_object *all = json_keep(c, json_object_new_array());
	const char *joined = "";
	bool image = false;

	for (size_t i = 0, n = json_object_array_length(parts); i < n; i++) {
		struct json_object *p = json_object_array_get_idx(parts, i), *o;
		const char *type = js_str_or(p, "type", ""), *s = js_str(p, "text");

		if (strcmp(type, "text") == 0 && s != NULL) {
			joined = ctx_printf(c, "%s%s", joined, s);
			json_object_array_add(all, text_block(s));
		} else if (strcmp(type, "image_url") == 0 && (o = image_block(p)) != NULL) {
			json_object_array_add(all, o);
			image = true;
		}
	}
	*text = joined != NULL ? joined : "";
	*blocks = image ? all : NULL;
}

enum err
openai_question(struct ctx *c, struct json_object *messages, const char **text, struct json_object **blocks)
{
	*text = "";
	*blocks = NULL;
	for (size_t i = json_object_array_length(messages); i-- > 0;) {
		struct json_object *m = json_object_array_get_idx(messages, i), *content = js_get(m, "content");

		if (!from_user(js_str_or(m, "role", "user")))
			continue;
		if (json_object_is_type(content, json_type_string))
			*text = json_object_get_string(content);
		else if (json_object_is_type(content, json_type_array))
			read_parts(c, content, text, blocks);
		if (*blocks == NULL && (*text)[strspn(*text, " \t\r\n")] == '\0')
			return no_question(c);
		return ERR_OK;
	}
	return no_question(c);
}

struct json_object *
openai_results(struct ctx *c, struct json_object *messages, const char **first_id)
{
	struct json_object *all = NULL;

	for (size_t i = json_object_array_length(messages); i-- > 0;) {
		struct json_object *m = json_object_array_get_idx(messages, i), *content = js_get(m, "content"), *blocks;
		const char *id = js_str(m, "tool_call_id"), *text = "";

		if (strcmp(js_str_or(m, "role", ""), "tool") != 0 || id == NULL)
			break;
		if (json_object_is_type(content, json_type_string))
			text = json_object_get_string(content);
		else if (json_object_is_type(content, json_type_array))
			read_parts(c, content, &text, &blocks);
		if (all == NULL)
			all = json_keep(c, json_object_new_object());
		json_object_object_add(all, id, json_object_new_string(text));
		*first_id = id;
	}
	return all;
}

struct json_object *
openai_tools(struct ctx *c, struct json_object *tools)
{
	struct json_object *all = NULL;

	for (size_t i = 0, n = tools == NULL ? 0 : json_object_array_length(tools); i < n; i++) {
		struct json_object *f = js_obj(json_object_array_get_idx(tools, i), "function"), *o, *schema;

		if (js_str(f, "name") == NULL)
			continue;
		if (all == NULL)
			all = json_keep(c, json_object_new_array());
		o = json_object_new_object();
		schema = js_obj(f, "parameters");
		json_object_object_add(o, "name", json_object_get(js_get(f, "name")));
		json_object_object_add(o, "description", json_object_new_string(js_str_or(f, "description", "")));
		json_object_object_add(o, "input_schema", schema != NULL ? json_object_get(schema)
		    : json_parse("{\"type\":\"object\",\"properties\":{}}", strlen("{\"type\":\"object\",\"properties\":{}}")));
		json_object_array_add(all, o);
	}
	return all;
}

static bool
in_list(const char *const *list, const char *s)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

struct json_object *
openai_extra(struct ctx *c, struct json_object *rq, bool gateway)
{
	static const char *const ours[] = { "model", "messages", "stream", "stream_options", "max_tokens",
		"max_completion_tokens", "temperature", "tools", NULL };
	static const char *const sampling[] = { "top_p", "stop", "frequency_penalty", "presence_penalty", "seed",
		"response_format", "reasoning_effort", "logit_bias", NULL };
	struct json_object *o = json_keep(c, json_object_new_object());

	json_object_object_foreach(rq, key, val)
		if (val != NULL && (gateway ? !in_list(ours, key) : in_list(sampling, key)))
			json_object_object_add(o, key, json_object_get(val));
	return o;
}

/*
 * Messages in memory. A plain text stays the JSON text that it is in the store, so that it is
 * neither parsed nor quoted again on its way to the model; only blocks are parsed.
 */
#include "lib/svc/conversation.h"

#include <string.h>

const char *
said_by_name(enum said_by by)
{
	return by == BY_SYSTEM ? "system" : by == BY_USER ? "user" : "assistant";
}

struct message
message_of(struct ctx *c, enum said_by role, const char *json, size_t n)
{
	struct message m = { .role = role, .text = json, .n = n };

	if (n >= 2 && json[0] == '"')
		return m;
	m.blocks = json_stored(c, json);
	if (json_object_is_type(m.blocks, json_type_array))
		m.text = NULL;
	else
		m = (struct message){ .role = role, .text = "\"\"", .n = 2 };
	return m;
}

bool
history_add(struct ctx *c, struct history *h, struct message m)
{
	if (h->n == h->cap) {
		size_t cap = h->cap * 2 + 16;
		struct message *v = ctx_alloc(c, cap * sizeof(*v));

		if (v == NULL)
			return false;
		if (h->n > 0)
			memcpy(v, h->v, h->n * sizeof(*v));
		*h = (struct history){ v, h->n, cap };
	}
	h->v[h->n++] = m;
	return true;
}

static struct json_object *
content_of(const struct message *m)
{
	return m->blocks != NULL ? json_object_get(m->blocks) : json_parse(m->text, strlen(m->text));
}

struct json_object *
history_json(const struct history *h)
{
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; all != NULL && i < h->n; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "role", json_object_new_string(said_by_name(h->v[i].role)));
		json_object_object_add(o, "content", content_of(&h->v[i]));
		json_object_array_add(all, o);
	}
	return all;
}

const char *
content_said(struct ctx *c, const char *json, size_t n, bool *ret_results)
{
	bool results = false;
	struct json_object *o;
	const char *s = "";

	if (ret_results != NULL)
		*ret_results = false;
	if (n > 0 && json[0] == '"')
		return json_text(c, json, n, &n);
	o = json_stored(c, json);
	for (size_t i = 0; json_object_is_type(o, json_type_array) && i < json_object_array_length(o); i++) {
		struct json_object *b = json_object_array_get_idx(o, i);

		results |= strcmp(js_str_or(b, "type", ""), "tool_result") == 0;
		if (js_str(b, "text") != NULL && strcmp(js_str_or(b, "type", ""), "text") == 0)
			s = js_str(b, "text");
	}
	if (ret_results != NULL)
		*ret_results = results;
	return s;
}

/*
 * A refusal that holds the answer: some servers check what their model wrote, and refuse calls that
 * are not in their form, with the model's words beside. Those words say what was meant.
 */
#include <stdio.h>
#include <string.h>

#include "lib/llm/openai.h"

/* The end of the JSON object at p: behind its last brace; NULL: it has none. */
static const char *
object_end(const char *p)
{
	unsigned depth = 0;
	bool text = false;

	for (; *p != '\0'; p++) {
		if (text) {
			if (*p == '\\' && p[1] != '\0')
				p++;
			else if (*p == '"')
				text = false;
		} else if (*p == '"') {
			text = true;
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}' && --depth == 0) {
			return p + 1;
		}
	}
	return NULL;
}

static void
add_call(struct intake *d, unsigned nth, const char *name, size_t n, const char *args, size_t na)
{
	char id[40];
	struct json_object *oi, *on = json_object_new_string_len(name, (int)n), *oa = json_object_new_string_len(args, (int)na);
	struct part *p = intake_part(d, PART_CALL, (int64_t)nth);

	snprintf(id, sizeof(id), "groq_recovered_%u", nth);
	oi = json_object_new_string(id);
	intake_call(d, p, oi, on);
	intake_args(d, p, oa);
	intake_call_end(d, p);
	json_object_put(oi);
	json_object_put(on);
	json_object_put(oa);
}

/* <function=NAME{json}</function>, with or without a bracket behind the name. How many there were. */
static unsigned
find_calls(struct intake *d, const char *text)
{
	unsigned found = 0;

	for (const char *p = text; (p = strstr(p, "<function=")) != NULL; p++) {
		const char *name = p + 10, *args = strchr(name, '{'), *end = args != NULL ? object_end(args) : NULL;
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

		if (n == 0 || end == NULL || found == LLM_CALLS_MAX)
			continue;
		if (args != name + n && (args != name + n + 1 || name[n] != '>'))
			continue;
		add_call(d, found++, name, n, args, (size_t)(end - args));
		p = end - 1;
	}
	return found;
}

enum err
oa_rescue(struct intake *d, int status, const char *body)
{
	struct json_object *o, *text;
	enum err e = ERR_UPSTREAM;

	if (status != 400 || strstr(body, "tool_use_failed") == NULL || d->n_parts < 2 ||
	    json_check(body, strlen(body), JSON_DEPTH_MAX, NULL) != ERR_OK)
		return e;
	o = json_parse(body, strlen(body));
	text = js_get(js_obj(o, "error"), "failed_generation");
	if (json_object_is_type(text, json_type_string) && json_object_get_string_len(text) > 0) {
		if (find_calls(d, json_object_get_string(text)) == 0)
			intake_say(d, &d->parts[1], text);
		d->usable = true;
		intake_finish(d, "stop");
		e = intake_end(d, false);
	}
	json_object_put(o);
	return e;
}

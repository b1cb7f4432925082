/*
 * Texts that configuration and manifest put into each conversation: [[session.context_injection]] and [[context_injection]].
 */
#include <string.h>

#include "lib/agent/prompt.h"
#include "lib/svc/config.h"

enum { TITLE_MAX = 80 };

/* The one form of a condition: agent.tags contains 'x'. Any other holds for nobody. */
static bool
holds(const struct agent *a, const char *condition)
{
	static const char form[] = "agent.tags contains '";
	struct json_object *tags = js_arr(a->manifest, "tags");
	size_t n;

	if (condition == NULL || condition[0] == '\0')
		return true;
	if (strncmp(condition, form, sizeof(form) - 1) != 0)
		return false;
	condition += sizeof(form) - 1;
	n = strcspn(condition, "'");
	for (size_t i = 0; tags != NULL && i < json_object_array_length(tags); i++) {
		const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));

		if (tag != NULL && strlen(tag) == n && memcmp(tag, condition, n) == 0)
			return true;
	}
	return false;
}

static void
add_list(struct json_object *list, const struct agent *a, const char *position, struct buf *out)
{
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = js_str_or(o, "name", ""), *text = js_str_or(o, "content", "");

		if (strcmp(js_str_or(o, "position", "system"), position) != 0 || text[0] == '\0' || !holds(a, js_str(o, "condition")))
			continue;
		buf_printf(out, "\n\n## %.*s\n%s", (int)utf8_cut(name, strlen(name), TITLE_MAX), name, text);
	}
}

void
prompt_injections(struct ctx *c, const struct agent *a, const char *position, struct buf *out)
{
	add_list(js_arr(js_obj(c->cfg->raw, "session"), "context_injection"), a, position, out);
	add_list(js_arr(a->manifest, "context_injection"), a, position, out);
}

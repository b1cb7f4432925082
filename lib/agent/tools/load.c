/*
 * tool_search, tool_load: the tools whose schemas a model is not sent unless it asks for them.
 */
#include <ctype.h>
#include <string.h>

#include "lib/agent/tools/tools.h"

enum { NAME_MAX_BYTES = 128, QUERY_MAX = 400, FOUND = 10, FOUND_MAX = 50, WORDS_MAX = 12, HINT_MAX = 80, ALL_MAX = 128 };

static struct json_object *
granted(const struct tool_env *env, const char *name)
{
	for (size_t i = 0, n = env->granted != NULL ? json_object_array_length(env->granted) : 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(env->granted, i);

		if (strcmp(js_str_or(t, "name", ""), name) == 0)
			return t;
	}
	return NULL;
}

enum err
tool_tool_load(struct tool_env *env, struct json_object *input, struct buf *out)
{
	struct json_object *t;
	const struct tool *tool;
	struct jw w = JW_INIT(out);
	const char *name;
	enum err e = tool_text(input, "name", &name, NULL, out);

	if (e != ERR_OK)
		return e;
	if (strlen(name) > NAME_MAX_BYTES || (tool = tool_find(name)) == NULL || (t = granted(env, tool->name)) == NULL)
		return tool_say(out, ERR_NOT_FOUND, "there is no tool of that name for you; tool_search finds one by what it does");
	if (env->load_tool != NULL)
		env->load_tool(env, tool->name);
	buf_clear(out);
	buf_printf(out, "%s: %s\nFrom your next step on it is among your functions. Its parameters:\n", tool->name, js_str_or(t, "description", ""));
	jw_json(&w, NULL, js_get(t, "input_schema"));
	return ERR_OK;
}

/* The query's words, in place. */
static size_t
split(char *s, char *words[static WORDS_MAX])
{
	size_t n = 0;

	while (n < WORDS_MAX) {
		while (*s != '\0' && !isalnum((unsigned char)*s) && (unsigned char)*s < 0x80)
			*s++ = '\0';
		if (*s == '\0')
			break;
		words[n++] = s;
		while (isalnum((unsigned char)*s) || (unsigned char)*s >= 0x80)
			s++;
	}
	return n;
}

static unsigned
score(struct json_object *t, char *const *words, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += 3 * (strcasestr(js_str_or(t, "name", ""), words[i]) != NULL) + (strcasestr(js_str_or(t, "group", ""), words[i]) != NULL) +
		    (strcasestr(js_str_or(t, "description", ""), words[i]) != NULL);
	return sum;
}

enum err
tool_tool_search(struct tool_env *env, struct json_object *input, struct buf *out)
{
	size_t n = env->granted != NULL ? json_object_array_length(env->granted) : 0, n_words, shown = 0;
	unsigned scores[ALL_MAX] = { 0 }, best = 1;
	char query[QUERY_MAX + 1], *words[WORDS_MAX];
	const char *text;
	int64_t limit;
	enum err e = tool_text(input, "query", &text, NULL, out);

	if (e == ERR_OK)
		e = tool_count(input, "limit", FOUND, 1, FOUND_MAX, &limit, out);
	if (e != ERR_OK)
		return e;
	memcpy(query, text, utf8_cut(text, strlen(text), QUERY_MAX));
	query[utf8_cut(text, strlen(text), QUERY_MAX)] = '\0';
	if ((n_words = split(query, words)) == 0)
		return tool_say(out, ERR_INVALID, "parameter query: a few words are expected");
	n = n > ALL_MAX ? ALL_MAX : n;
	for (size_t i = 0; i < n; i++) {
		scores[i] = score(json_object_array_get_idx(env->granted, i), words, n_words);
		best = scores[i] > best ? scores[i] : best;
	}
	buf_clear(out);
	for (; best > 0; best--)
		for (size_t i = 0; i < n && shown < (size_t)limit; i++) {
			struct json_object *t = json_object_array_get_idx(env->granted, i);
			const char *hint = js_str_or(t, "description", "");

			if (scores[i] != best)
				continue;
			shown++;
			buf_printf(out, "%s: %.*s\n", js_str_or(t, "name", ""), (int)utf8_cut(hint, strcspn(hint, ".;\n"), HINT_MAX), hint);
		}
	return shown > 0 ? ERR_OK : tool_say(out, ERR_OK, "No tool fits these words.");
}

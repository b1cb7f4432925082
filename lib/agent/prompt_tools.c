/*
 * The section of the prompt that names the tools. Most agents share a few lists of tools that stay as they are until the
 * process ends: what is said of such a one is written when it is first wanted, and kept.
 */
#include "lib/agent/prompt_tools.h"

#include <pthread.h>
#include <string.h>

#include "lib/agent/tool.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { HINT_MAX = 80, SECTION_MAX = 1 << 20, KEPT_MAX = 64 };

/* The first sentence, at most HINT_MAX bytes. */
static void
add_hint(struct buf *b, const char *text)
{
	const char *stop = strpbrk(text, ".;\n");
	size_t n = stop != NULL ? (size_t)(stop - text) : strlen(text);

	buf_add(b, text, utf8_cut(text, n, HINT_MAX));
}

static bool
is_always(const char *name)
{
	const struct tool *t = tool_find(name);

	return t != NULL && t->always;
}

static void
write_section(struct buf *b, struct json_object *tools, bool catalog)
{
	size_t n = tools != NULL ? json_object_array_length(tools) : 0;
	const char *before = "";

	if (n == 0)
		return;
	buf_str(b, catalog ? "\n\n## Tools (catalog)\nThose with a star are not among your functions yet: tool_load brings one in, tool_search finds one.\n"
	    : "\n\n## Tools\n");
	for (size_t i = 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(tools, i);
		const char *group = js_str_or(t, "group", "other"), *name = js_str_or(t, "name", "");

		if (strcmp(before, group) != 0)
			buf_printf(b, "%s:\n", group);
		before = group;
		buf_printf(b, "- %s%s: ", name, catalog && !is_always(name) ? "*" : "");
		add_hint(b, js_str_or(t, "description", ""));
		buf_ch(b, '\n');
	}
	if (!b->failed)
		b->len--;
}

/* false: no memory. */
static bool
describe(struct json_object *tools, struct prompt_tools *ret, struct buf *b)
{
	bool catalog = false;

	for (size_t i = 0, n = tools != NULL ? json_object_array_length(tools) : 0; i < n; i++) {
		const char *name = js_str_or(json_object_array_get_idx(tools, i), "name", "");

		ret->any = true;
		catalog |= strcmp(name, "tool_load") == 0;
		ret->stores |= strcmp(name, "memory_store") == 0;
		ret->recalls |= strcmp(name, "memory_recall") == 0;
		ret->lists_files |= strcmp(name, "file_list") == 0;
		ret->asks_agents |= strcmp(name, "agent_send") == 0;
	}
	write_section(b, tools, catalog);
	ret->section = b->p != NULL ? b->p : "";
	ret->n = b->len;
	return !b->failed;
}

/* Those that stay, each described with the lock: it happens once. NULL: no memory, or no more room. */
static const struct prompt_tools *
kept_of(struct json_object *tools)
{
	static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
	static struct { const struct json_object *of; struct prompt_tools said; } all[KEPT_MAX];
	static size_t n;
	const struct prompt_tools *ret;
	struct buf b = BUF_INIT(SECTION_MAX);
	size_t i = 0;

	pthread_mutex_lock(&mu);
	while (i < n && all[i].of != tools)
		i++;
	if (i == n && n < KEPT_MAX) {
		all[n].said = (struct prompt_tools){ .any = false };
		if (describe(tools, &all[n].said, &b))
			all[n++].of = tools;
		else
			buf_done(&b);
	}
	ret = i < n ? &all[i].said : NULL;
	pthread_mutex_unlock(&mu);
	return ret;
}

const struct prompt_tools *
prompt_tools(struct ctx *c, struct json_object *tools)
{
	const struct prompt_tools *ret = tools_last(tools) ? kept_of(tools) : NULL;
	SCOPED_BUF b = BUF_INIT(SECTION_MAX);
	struct prompt_tools *own;

	if (ret != NULL)
		return ret;
	own = ctx_alloc(c, sizeof(*own));
	if (own == NULL || !describe(tools, own, &b))
		return NULL;
	own->section = ctx_strndup(c, own->section, own->n);
	return own->section != NULL ? own : NULL;
}

/*
 * The tools that come with the program, as data.
 */
#include "lib/svc/toolcat.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/base/embed.h"
#include "lib/base/util.h"

EMBED(tools_json, "share/tools.json");

struct json_object *
toolcat(void)
{
	static _Atomic(struct json_object *) all;
	struct json_object *now = atomic_load(&all), *was = NULL;

	if (now != NULL)
		return now;
	now = json_parse(tools_json, strlen(tools_json));
	if (now == NULL || atomic_compare_exchange_strong(&all, &was, now))
		return now;
	json_object_put(now);           /* another thread was first */
	return was;
}

struct json_object *
toolcat_find(const char *name)
{
	struct json_object *list = toolcat();

	for (size_t i = 0, n = json_object_array_length(list); i < n; i++) {
		struct json_object *t = json_object_array_get_idx(list, i);

		if (strcmp(js_str_or(t, "name", ""), name) == 0)
			return t;
	}
	return NULL;
}

/* --- profiles --------------------------------------------------------------- */

static const char *const minimal[] = { "file_read", "file_list", NULL };
static const char *const coding[] = { "file_read", "file_write", "file_list", "shell_exec", "web_fetch", NULL };
static const char *const research[] = { "web_fetch", "web_search", "file_read", "file_write", NULL };
static const char *const messaging[] = { "agent_send", "agent_list", "channel_send", "channel_dm",
	"channel_members", "memory_store", "memory_list", "memory_recall", NULL };
static const char *const automation[] = { "file_read", "file_write", "file_list", "shell_exec", "web_fetch",
	"web_search", "agent_send", "agent_list", "channel_send", "channel_dm", "channel_members",
	"memory_store", "memory_list", "memory_recall", NULL };
static const char *const full[] = { "*", NULL };

static const struct tool_profile profiles[] = {
	{ "minimal", minimal }, { "coding", coding }, { "research", research }, { "messaging", messaging },
	{ "automation", automation }, { "full", full },
};

size_t
toolcat_profiles(const struct tool_profile **ret)
{
	*ret = profiles;
	return ARRAY_LEN(profiles);
}

const struct tool_profile *
toolcat_profile(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

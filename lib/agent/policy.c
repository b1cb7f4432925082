/*
 * The gate for a user's tools.
 *
 * Three lists of rules are asked: the user's own, those of the turn's channel, and categories. A category is a
 * group of [tool_policy], which names patterns, or the group that a tool belongs to by itself. Tools of memory ask for the right to it too.
 */
#include "lib/agent/policy.h"

#include <string.h>

#include "lib/agent/tool.h"
#include "lib/agent/tools/tools.h"
#include "lib/svc/user.h"

/* Does an entry of the list fit? */
static bool
in_list(struct json_object *list, const char *tool, bool (*fits)(struct ctx *, const char *, const char *), struct ctx *c)
{
	for (size_t i = 0, n = list != NULL ? json_object_array_length(list) : 0; i < n; i++)
		if (fits(c, json_object_get_string(json_object_array_get_idx(list, i)), tool))
			return true;
	return false;
}

static bool
fits_pattern(struct ctx *c, const char *pattern, const char *tool)
{
	(void)c;
	return glob_match(pattern, tool);
}

static bool
fits_group(struct ctx *c, const char *group, const char *tool)
{
	struct json_object *groups = js_arr(js_obj(c->cfg->raw, "tool_policy"), "groups"), *all = tool_catalog();

	if (group[0] == '@')
		group++;
	for (size_t i = 0, n = groups != NULL ? json_object_array_length(groups) : 0; i < n; i++) {
		struct json_object *g = json_object_array_get_idx(groups, i);

		if (strcmp(js_str_or(g, "name", ""), group) == 0 && in_list(js_arr(g, "tools"), tool, fits_pattern, c))
			return true;
	}
	for (size_t i = 0, n = all != NULL ? json_object_array_length(all) : 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(all, i);

		if (strcmp(js_str_or(t, "name", ""), tool) == 0)
			return strcmp(js_str_or(t, "group", ""), group) == 0;
	}
	return false;
}

/* Do these rules refuse it? */
static bool
refuses(struct ctx *c, struct json_object *rules, const char *allowed, const char *denied, const char *tool,
    bool (*fits)(struct ctx *, const char *, const char *))
{
	struct json_object *only = js_arr(rules, allowed);

	return in_list(js_arr(rules, denied), tool, fits, c) ||
	    (only != NULL && json_object_array_length(only) > 0 && !in_list(only, tool, fits, c));
}

const char *
policy_denies(struct ctx *c, const char *user, const char *channel, const char *agent_id, const char *tool)
{
	const struct config_user *u = user != NULL ? user_find(c->cfg, user) : NULL;
	struct json_object *o = u != NULL ? user_entry(c->cfg, u) : NULL;
	struct json_object *rule = channel != NULL ? js_obj(js_obj(o, "channel_tool_rules"), channel) : NULL;

	if (o == NULL)
		return NULL;
	if (refuses(c, js_obj(o, "tool_policy"), "allowed_tools", "denied_tools", tool, fits_pattern))
		return ctx_printf(c, "User %s may not use the tool '%s'.", u->name, tool);
	if (refuses(c, js_obj(o, "tool_categories"), "allowed_groups", "denied_groups", tool, fits_group))
		return ctx_printf(c, "User %s may not use tools like '%s'.", u->name, tool);
	if (refuses(c, rule, "allowed_tools", "denied_tools", tool, fits_pattern))
		return ctx_printf(c, "User %s may not use the tool '%s' from %s.", u->name, tool, channel);
	if (strcmp(tool, "memory_store") == 0)
		return user_memory_denies(c, u->name, MEMORY_WRITE, ctx_printf(c, "kv:%s", agent_id));
	return strncmp(tool, "memory_", 7) == 0 ? user_memory_denies(c, u->name, MEMORY_READ, ctx_printf(c, "kv:%s", agent_id)) : NULL;
}

/*
 * Capabilities. A list of patterns is covered when each of its patterns is matched, as a text, by one of the parent's: "docs-a*" by
 * "docs-*", and "*" by nothing but "*". What is not named is not had; only an agent without any bound on its tools has all.
 */
#include "lib/agent/capability.h"

#include <string.h>

#include "lib/agent/tool.h"
#include "lib/agent/tools/tools.h"

static struct json_object *
list_of(struct json_object *manifest, const char *key)
{
	return js_arr(js_obj(manifest, "capabilities"), key);
}

static size_t
length(struct json_object *list)
{
	return list == NULL ? 0 : json_object_array_length(list);
}

static const char *
at(struct json_object *list, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(list, i));
}

/* No tools declared, and no profile that bounds them. */
static bool
unbounded(struct json_object *m)
{
	const char *profile = js_str(m, "profile");

	return length(list_of(m, "tools")) == 0 && !js_bool(m, "tools_disabled", false) &&
	    (profile == NULL || strcmp(profile, "full") == 0 || strcmp(profile, "custom") == 0);
}

/* What a profile brings with it, used only where no tools are declared. */
static bool
implied(struct json_object *m, const char *key)
{
	const char *profile = js_str(m, "profile");

	if (unbounded(m))
		return true;
	if (length(list_of(m, "tools")) > 0 || profile == NULL)
		return false;
	if (strcmp(key, "network") == 0)
		return strcmp(profile, "coding") == 0 || strcmp(profile, "research") == 0 || strcmp(profile, "automation") == 0;
	if (strcmp(key, "shell") == 0)
		return strcmp(profile, "coding") == 0 || strcmp(profile, "automation") == 0;
	if (strcmp(key, "agent_message") == 0 || strcmp(key, "memory_read") == 0)
		return strcmp(profile, "messaging") == 0 || strcmp(profile, "automation") == 0;
	return false;
}

bool
caps_may_spawn(struct json_object *m)
{
	const char *profile = js_str(m, "profile");

	return js_bool(js_obj(m, "capabilities"), "agent_spawn", false) ||
	    (profile != NULL && unbounded(m));
}

bool
caps_may_message(struct json_object *m, const char *name, const char *id)
{
	struct json_object *list = list_of(m, "agent_message");

	for (size_t i = 0; i < length(list); i++)
		if (glob_match(at(list, i), name) || glob_match(at(list, i), id))
			return true;
	return length(list) == 0;
}

/* A sentence that must not be none: without memory for it there is still a refusal. */
static const char *
said(const char *s)
{
	return s != NULL ? s : "something";
}

static bool
covered(struct json_object *list, const char *pattern)
{
	for (size_t i = 0; i < length(list); i++)
		if (strcmp(at(list, i), "*") == 0 || strcmp(at(list, i), pattern) == 0 ||
		    (strcmp(pattern, "*") != 0 && glob_match(at(list, i), pattern)))
			return true;
	return false;
}

static const char *
list_beyond(struct ctx *c, struct json_object *parent, struct json_object *child, const char *key)
{
	struct json_object *want = list_of(child, key), *have = list_of(parent, key);

	for (size_t i = 0; i < length(want); i++)
		if (!covered(have, at(want, i)) && !(length(have) == 0 && implied(parent, key)))
			return said(ctx_printf(c, "capabilities.%s \"%s\"", key, at(want, i)));
	return NULL;
}

/* Every tool that the pattern lets the child have must be one of the parent's. */
static bool
tool_covered(struct json_object *parent, const char *mode, const char *pattern)
{
	struct json_object *all = tool_catalog();

	if (strchr(pattern, '*') == NULL)
		return tool_granted(parent, mode, pattern);
	if (!unbounded(parent) && !covered(list_of(parent, "tools"), pattern))
		return false;
	for (size_t i = 0; i < length(all); i++) {
		const char *name = js_str_or(json_object_array_get_idx(all, i), "name", "");

		if (glob_match(pattern, name) && !tool_granted(parent, mode, name))
			return false;
	}
	return true;
}

static const char *
tools_beyond(struct ctx *c, struct json_object *parent, const char *mode, struct json_object *child)
{
	struct json_object *want = list_of(child, "tools");

	if (js_bool(child, "tools_disabled", false))
		return NULL;
	if (length(want) == 0)
		return "its tools must be named";
	for (size_t i = 0; i < length(want); i++)
		if (!tool_covered(parent, mode, at(want, i)))
			return said(ctx_printf(c, "the tool \"%s\"", at(want, i)));
	return NULL;
}

const char *
caps_beyond(struct ctx *c, struct json_object *parent, const char *mode, struct json_object *child)
{
	static const char *const lists[] = { "network", "shell", "memory_read", "memory_write", "agent_message", "ofp_connect" };
	const char *more = tools_beyond(c, parent, mode, child);

	for (size_t i = 0; more == NULL && i < ARRAY_LEN(lists); i++)
		more = list_beyond(c, parent, child, lists[i]);
	if (more == NULL && js_bool(js_obj(child, "capabilities"), "agent_spawn", false) && !caps_may_spawn(parent))
		more = "capabilities.agent_spawn";
	if (more == NULL && js_bool(js_obj(child, "capabilities"), "ofp_discover", false) &&
	    !js_bool(js_obj(parent, "capabilities"), "ofp_discover", false))
		more = "capabilities.ofp_discover";
	return more;
}

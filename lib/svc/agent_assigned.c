/*
 * What is assigned to an agent: tools, skills, MCP servers, channels. None of the last three is
 * installed yet, so what is assigned waits.
 */
#include <string.h>

#include "lib/svc/agent.h"
#include "lib/svc/agent_rows.h"

void
agent_write_list(struct jw *w, const char *key, struct json_object *list)
{
	if (list != NULL) {
		jw_json(w, key, list);
		return;
	}
	jw_array(w, key);
	jw_end(w);
}

static bool
is_empty(struct json_object *list)
{
	return list == NULL || json_object_array_length(list) == 0;
}

static bool
has_all(struct json_object *list)
{
	for (size_t i = 0, n = is_empty(list) ? 0 : json_object_array_length(list); i < n; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);

		if (json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), "*") == 0)
			return true;
	}
	return false;
}

static const char *
skills_mode(struct json_object *m)
{
	return js_bool(m, "skills_disabled", false) ? "none" : is_empty(js_arr(m, "skills")) ? "all" : "allowlist";
}

static const char *
servers_mode(struct json_object *m)
{
	struct json_object *list = js_arr(m, "mcp_servers");

	return is_empty(list) ? "none" : has_all(list) ? "all" : "allowlist";
}

static struct json_object *
servers_pending(struct json_object *m)
{
	return has_all(js_arr(m, "mcp_servers")) ? NULL : js_arr(m, "mcp_servers");
}

void
agent_write_assigned(struct json_object *m, struct jw *w)
{
	bool no_skills = js_bool(m, "skills_disabled", false);

	agent_write_list(w, "skills", js_arr(m, "skills"));
	jw_str(w, "skills_mode", skills_mode(m));
	jw_bool(w, "skills_disabled", no_skills);
	agent_write_list(w, "pending_skills", no_skills ? NULL : js_arr(m, "skills"));
	agent_write_list(w, "mcp_servers", js_arr(m, "mcp_servers"));
	jw_str(w, "mcp_servers_mode", servers_mode(m));
	jw_bool(w, "mcp_disabled", js_bool(m, "mcp_disabled", false));
	agent_write_list(w, "pending_mcp_servers", servers_pending(m));
}

void
agent_write_tools(struct json_object *m, struct jw *w)
{
	agent_write_list(w, "capabilities_tools", js_arr(js_obj(m, "capabilities"), "tools"));
	agent_write_list(w, "tool_allowlist", js_arr(m, "tool_allowlist"));
	agent_write_list(w, "tool_blocklist", js_arr(m, "tool_blocklist"));
	jw_bool(w, "disabled", js_bool(m, "tools_disabled", false));
}

static void
write_mode(struct jw *w, struct json_object *list, const char *mode)
{
	agent_write_list(w, "assigned", list);
	agent_write_list(w, "available", NULL);
	jw_str(w, "mode", mode);
}

void
agent_write_skills(struct json_object *m, struct jw *w)
{
	write_mode(w, js_arr(m, "skills"), skills_mode(m));
	jw_bool(w, "disabled", js_bool(m, "skills_disabled", false));
	agent_write_list(w, "pending", js_arr(m, "skills"));
}

void
agent_write_servers(struct json_object *m, struct jw *w)
{
	write_mode(w, js_arr(m, "mcp_servers"), servers_mode(m));
	agent_write_list(w, "pending", servers_pending(m));
}

void
agent_write_channels(struct json_object *m, struct jw *w)
{
	write_mode(w, js_arr(m, "channels"), is_empty(js_arr(m, "channels")) ? "all" : "allowlist");
	agent_write_list(w, "instances", NULL);
}

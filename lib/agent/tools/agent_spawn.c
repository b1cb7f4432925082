/*
 * agent_spawn, agent_kill, agent_find: children, and who there is.
 *
 * A child is made from a manifest that is written here: its prompt and its tools are what the model asked for, its model, author and caps on
 * money are its parent's. Whether it may have all that is decided where agents are made.
 */
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/taint.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"
#include "lib/svc/agent_family.h"

enum { TOOLS_MAX = 100, PROMPT_MAX = 65536, FOUND_MAX = 50, FOUND_BYTES = 256 << 10 };

static bool
put(struct json_object *o, const char *key, struct json_object *v)
{
	if (v != NULL && json_object_object_add(o, key, v) == 0)
		return true;
	json_object_put(v);
	return false;
}

static struct json_object *
copy_of(struct json_object *o)
{
	struct json_object *ret = NULL;

	return o == NULL || json_object_deep_copy(o, &ret, NULL) != 0 ? NULL : ret;
}

/* A parameter that is a list of texts; absent: empty. */
static enum err
texts(struct json_object *input, const char *name, struct json_object **ret, struct buf *out)
{
	struct json_object *v = js_get(input, name);

	*ret = NULL;
	if (v == NULL)
		return ERR_OK;
	if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) > TOOLS_MAX)
		return tool_say(out, ERR_INVALID, "parameter %s: a list of at most %d texts is expected", name, TOOLS_MAX);
	for (size_t i = 0; i < json_object_array_length(v); i++)
		if (!json_object_is_type(json_object_array_get_idx(v, i), json_type_string))
			return tool_say(out, ERR_INVALID, "parameter %s: a list of texts is expected", name);
	*ret = v;
	return ERR_OK;
}

static bool
has_text(struct json_object *list, const char *s)
{
	for (size_t i = 0, n = list == NULL ? 0 : json_object_array_length(list); i < n; i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), s) == 0)
			return true;
	return false;
}

struct child {
	const char *name, *prompt;
	struct json_object *tools, *shell;
	bool network;
};

static bool
add_capabilities(struct json_object *m, const struct child *k)
{
	struct json_object *o = json_object_new_object(), *tools = k->tools != NULL ? copy_of(k->tools) : json_object_new_array();
	bool good = o != NULL && tools != NULL;

	if (good && k->network && !has_text(tools, "web_fetch"))
		json_object_array_add(tools, json_object_new_string("web_fetch"));
	if (good && k->shell != NULL && json_object_array_length(k->shell) > 0 && !has_text(tools, "shell_exec"))
		json_object_array_add(tools, json_object_new_string("shell_exec"));
	if (good && json_object_array_length(tools) == 0)
		good = put(m, "tools_disabled", json_object_new_boolean(1));    /* an empty list would be all of them */
	if (good && k->network) {
		struct json_object *any = json_object_new_array();

		json_object_array_add(any, json_object_new_string("*"));
		good = put(o, "network", any);
	}
	if (good && k->shell != NULL)
		good = put(o, "shell", copy_of(k->shell));
	if (good && (has_text(tools, "agent_spawn") || has_text(tools, "agent_*") || has_text(tools, "*")))
		good = put(o, "agent_spawn", json_object_new_boolean(1));
	return put(o, "tools", tools) && put(m, "capabilities", o) && good;
}

static bool
add_model(struct json_object *m, const struct agent *parent, const char *prompt)
{
	static const char *const same[] = { "provider", "model", "api_key_env", "base_url", "context_window", "max_output_tokens" };
	struct json_object *o = json_object_new_object(), *theirs = js_obj(parent->manifest, "model");
	bool good = o != NULL && put(o, "system_prompt", json_object_new_string(prompt));

	for (size_t i = 0; good && i < ARRAY_LEN(same); i++)
		if (js_get(theirs, same[i]) != NULL)
			good = put(o, same[i], copy_of(js_get(theirs, same[i])));
	return put(m, "model", o) && good;
}

/* As TOML, in the arena; NULL: no memory. */
static const char *
manifest_of(struct tool_env *env, const struct agent *parent, const struct child *k)
{
	struct json_object *m = json_keep(env->c, json_object_new_object());

	if (m == NULL || !put(m, "name", json_object_new_string(k->name)) || !put(m, "author", json_object_new_string(parent->author)) ||
	    !put(m, "description", json_object_new_string_len(k->prompt, (int)utf8_cut(k->prompt, strcspn(k->prompt, "\n"), 200))) ||
	    !add_model(m, parent, k->prompt) || !add_capabilities(m, k))
		return NULL;
	if (js_obj(parent->manifest, "resources") != NULL && !put(m, "resources", copy_of(js_obj(parent->manifest, "resources"))))
		return NULL;
	return manifest_to_toml(env->c, m);
}

static enum err
read_child(struct json_object *input, struct child *k, struct buf *out)
{
	enum err e = tool_text(input, "name", &k->name, NULL, out);
	const char *rule;

	if (e == ERR_OK)
		e = tool_text(input, "system_prompt", &k->prompt, NULL, out);
	if (e == ERR_OK)
		e = texts(input, "tools", &k->tools, out);
	if (e == ERR_OK)
		e = texts(input, "shell", &k->shell, out);
	if (e != ERR_OK)
		return e;
	k->network = js_bool(input, "network", false);
	if (strlen(k->prompt) > PROMPT_MAX)
		return tool_say(out, ERR_INVALID, "parameter system_prompt: at most %d bytes are expected", PROMPT_MAX);
	rule = taint_find(k->prompt, strlen(k->prompt), TAINT_SECRET);
	if (rule == NULL)
		rule = taint_find(k->name, strlen(k->name), TAINT_SECRET);
	if (rule != NULL)
		return tool_say(out, ERR_FORBIDDEN, "name or prompt look as if they held a secret (%s); no agent was made", rule);
	return ERR_OK;
}

enum err
tool_agent_spawn(struct tool_env *env, struct json_object *input, struct buf *out)
{
	struct child k = { 0 };
	struct agent parent;
	const char *toml;
	enum err e = read_child(input, &k, out);

	if (e == ERR_OK && env->spawn_agent == NULL)
		e = tool_say(out, ERR_FORBIDDEN, "no agent can be made from here");
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	e = agent_load(env->c, env->agent_id, &parent);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	if ((toml = manifest_of(env, &parent, &k)) == NULL)
		return tool_say(out, ERR_NOMEM, "out of memory");
	buf_clear(out);
	return env->spawn_agent(env, toml, out);
}

enum err
tool_agent_kill(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *who, *id = NULL;
	enum err e = tool_text(input, "agent_id", &who, NULL, out);

	if (e == ERR_OK && env->end_agent == NULL)
		e = tool_say(out, ERR_FORBIDDEN, "no agent can be ended from here");
	if (e == ERR_OK)
		e = tool_agent_meant(env, who, &id, NULL, out);
	if (e != ERR_OK)
		return e;
	if (strcmp(id, env->agent_id) == 0)
		return tool_say(out, ERR_FORBIDDEN, "an agent cannot end itself");
	buf_clear(out);
	return env->end_agent(env, id, out);
}

enum err
tool_agent_find(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(FOUND_BYTES);
	struct jw w = JW_INIT(&b);
	const char *query;
	enum err e = tool_text(input, "query", &query, NULL, out);

	if (e == ERR_OK && query[strspn(query, " \t")] == '\0')
		e = tool_say(out, ERR_INVALID, "parameter query is empty");
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	jw_array(&w, NULL);
	e = agent_write_found(env->c, query, FOUND_MAX, &w);
	jw_end(&w);
	tool_db_give(env);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	if (b.failed)
		return tool_say(out, ERR_TOO_LARGE, "too much was found; ask for something more particular");
	buf_clear(out);
	buf_add(out, b.p, b.len);
	return ERR_OK;
}

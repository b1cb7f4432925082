/*
 * Agents: spawn, change, end, stop, mode and model. All that writes a
 * manifest or touches what runs.
 */
#include <string.h>
#include <strings.h>

#include "daemon/live/agents.h"
#include "daemon/model_choice.h"
#include "daemon/spawn.h"
#include "daemon/turn.h"
#include "lib/agent/manifest.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/catalog.h"

struct reply agents_spawn(struct ctx *, const struct request *);
struct reply agents_patch(struct ctx *, const struct request *);
struct reply agents_update(struct ctx *, const struct request *);
struct reply agents_delete(struct ctx *, const struct request *);
struct reply agents_stop(struct ctx *, const struct request *);
struct reply agents_mode_set(struct ctx *, const struct request *);
struct reply agents_model_set(struct ctx *, const struct request *);

bool
text_blank(const char *s)
{
	return s == NULL || s[strspn(s, " \t\r\n")] == '\0';
}

bool
text_control(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

const char *
text_trimmed(struct ctx *c, const char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	return ctx_strndup(c, s, n);
}

enum err
agent_spawn_asked(struct ctx *c, const struct spawn_request *in, char ret_id[static 37], const char **ret_name)
{
	struct spawn s = { .name = text_blank(in->name) ? NULL : text_trimmed(c, in->name) };
	enum err e;

	if (!text_blank(in->signed_manifest) && (e = manifest_signed(c, in->signed_manifest, in->manifest_toml)) != ERR_OK)
		return e;
	if (!text_blank(in->manifest_toml)) {
		s.toml = in->manifest_toml;
		s.toml_n = strlen(in->manifest_toml);
	} else if (in->template != NULL) {
		s.template_name = in->template;
	} else {
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest",
		    "Either 'manifest_toml' or 'template' is required");
	}
	return agent_spawn(c, &s, ret_id, ret_name);
}

struct reply
agents_spawn(struct ctx *c, const struct request *rq)
{
	const char *name;
	char id[37];

	if (agent_spawn_asked(c, rq->body_struct, id, &name) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 201, "agent_id", id, "name", name, NULL);
}

enum err
hand_refuses_end(struct ctx *c)
{
	return fail_code(c, ERR_CONFLICT, "hand_agent_delete_denied",
	    "Cannot delete a hand-spawned agent directly; deactivate or uninstall the owning hand instead.");
}

struct reply
agents_delete(struct ctx *c, const struct request *rq)
{
	const struct confirm_query *q = rq->query;
	struct agent a;
	struct jw *w;
	char id[37];
	bool was;
	enum err e = request_agent_id(c, rq, id);

	if (e != ERR_OK)
		return reply_fail(c);
	e = agent_load(c, id, &a);
	if (e == ERR_NOT_FOUND)
		return reply_words(c, 200, "status", "already-deleted", "agent_id", id, NULL);
	if (e == ERR_OK && a.is_hand)
		e = hand_refuses_end(c);
	else if (e == ERR_OK && !q->confirm)
		e = fail_code(c, ERR_CONFLICT, "delete_confirmation_required",
		    "Deleting an agent removes its sessions and memory: repeat the request with ?confirm=true");
	if (e == ERR_OK)
		e = agent_end(c, id, true, &was);
	if (e != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "killed");
	jw_str(w, "agent_id", id);
	jw_bool(w, "identity_purged", true);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_stop(struct ctx *c, const struct request *rq)
{
	struct agent a;
	char id[37];
	unsigned n = 0;

	if (request_agent_id(c, rq, id) != ERR_OK)
		return reply_fail(c);
	if (agent_load(c, id, &a) == ERR_OK)    /* nobody stops what does not exist for them */
		n = turns_cancel(id, NULL, CANCEL_USER);
	return reply_words(c, 200, "status", "ok", "message", n > 0 ? "Run cancelled" : "No active run", NULL);
}

/* --- PATCH -------------------------------------------------------------------------- */

static enum err
bad(struct ctx *c, const char *what)
{
	return fail(c, ERR_BAD_REQUEST, "%s", what);
}

void
member_put(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

enum err
manifest_copy(struct ctx *c, const struct agent *a, struct json_object **ret)
{
	struct json_object *m = NULL;

	if (json_object_deep_copy(a->manifest, &m, NULL) != 0 || json_keep(c, m) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (js_obj(m, "model") == NULL)
		json_object_object_add(m, "model", json_object_new_object());
	*ret = m;
	return ERR_OK;
}

enum err
names_checked(struct ctx *c, struct json_object *list, const char *what)
{
	for (size_t i = 0, n = json_object_array_length(list); i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
			return fail(c, ERR_BAD_REQUEST, "%s must be an array of strings", what);
	return ERR_OK;
}

enum err
servers_known(struct ctx *c, struct json_object *list)
{
	enum err e = names_checked(c, list, "mcp_servers");

	if (e == ERR_OK && json_object_array_length(list) > SERVERS_MAX)
		e = bad(c, "mcp_servers exceeds maximum allowed entries");
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		if (strcmp(name, "*") != 0)
			e = fail(c, ERR_BAD_REQUEST, "Unknown MCP server '%s': none is configured", name);
	}
	return e;
}

static enum err
patch_list(struct ctx *c, struct json_object *list, struct json_object *m, const char *key,
    enum err (*check)(struct ctx *, struct json_object *))
{
	enum err e;

	if (list == NULL)
		return ERR_OK;
	if (!json_object_is_type(list, json_type_array))
		return fail(c, ERR_BAD_REQUEST, "%s must be an array of strings", key);
	e = check != NULL ? check(c, list) : names_checked(c, list, key);
	if (e == ERR_OK)
		json_object_object_add(m, key, json_object_get(list));
	return e;
}

static enum err
patch_schedule(struct ctx *c, struct json_object *in, struct json_object *m)
{
	struct json_object *s = js_get(in, "schedule");
	int64_t every;

	if (s == NULL)
		return ERR_OK;
	every = js_i64(js_obj(s, "continuous"), "check_interval_secs", 300);
	if (json_object_is_type(s, json_type_string)
	    ? strcmp(json_object_get_string(s), "reactive") != 0
	    : js_obj(s, "periodic") != NULL ? text_blank(js_str(js_obj(s, "periodic"), "cron"))
	    : js_obj(s, "proactive") != NULL ? js_arr(js_obj(s, "proactive"), "conditions") == NULL
	    : js_obj(s, "continuous") == NULL || every < 1)
		return bad(c, "schedule: \"reactive\", {\"periodic\":{\"cron\"}}, {\"proactive\":{\"conditions\"}} or "
		    "{\"continuous\":{\"check_interval_secs\"}} is expected");
	json_object_object_add(m, "schedule", json_object_get(s));
	return ERR_OK;
}

/* A copy of the stored manifest with what the request changes; nothing is applied on refusal. */
static enum err
patch(struct ctx *c, const struct agent *a, struct json_object *in, struct json_object **ret)
{
	struct json_object *m, *mm, *servers = js_get(in, "mcp_servers");
	const char *name = js_str(in, "name"), *s;
	enum err e = manifest_copy(c, a, &m);

	if (e != ERR_OK)
		return e;
	mm = js_obj(m, "model");
	if (name != NULL && text_blank(name))
		return bad(c, "name: at least one character is expected");
	if (name != NULL)
		member_put(m, "name", name);
	if ((s = js_str(in, "description")) != NULL)
		member_put(m, "description", s);
	if ((s = js_str(in, "model")) != NULL && s[0] != '\0')
		member_put(mm, "model", s);
	if ((s = js_str(in, "provider")) != NULL && s[0] != '\0')
		member_put(mm, "provider", s);
	if ((s = js_str(in, "system_prompt")) != NULL)
		member_put(mm, "system_prompt", s);
	if (json_object_is_type(js_get(in, "auto_evolve"), json_type_boolean))
		json_object_object_add(m, "auto_evolve", json_object_get(js_get(in, "auto_evolve")));
	if (servers == NULL)
		servers = js_get(js_obj(in, "capabilities"), "mcp_servers");
	e = patch_list(c, servers, m, "mcp_servers", servers_known);
	if (e == ERR_OK)
		e = patch_list(c, js_get(in, "tags"), m, "tags", NULL);
	if (e == ERR_OK)
		e = patch_schedule(c, in, m);
	if (e == ERR_OK)
		e = model_name_ok(c, "model", js_str(in, "model"));
	if (e == ERR_OK)
		e = model_name_ok(c, "provider", js_str(in, "provider"));
	*ret = m;
	return e;
}

#define REPLACED "The manifest was replaced; name, tags and workspace were kept"

/* PATCH and the older PUT update: *ret_whole: a whole manifest took the old one's place. */
static enum err
change(struct ctx *c, const struct request *rq, struct agent *a, bool *ret_whole)
{
	struct json_object *in = rq->json, *whole = js_get(in, "manifest_toml"), *m = NULL;
	enum err e = request_agent(c, rq, a);

	*ret_whole = whole != NULL;
	if (e == ERR_OK && !json_object_is_type(in, json_type_object))
		e = bad(c, "a JSON object is expected");
	if (e == ERR_OK && whole != NULL)
		return !json_object_is_type(whole, json_type_string) ? bad(c, "manifest_toml: a string is expected")
		    : agent_replace(c, a, json_object_get_string(whole), (size_t)json_object_get_string_len(whole));
	if (e == ERR_OK)
		e = patch(c, a, in, &m);
	if (e == ERR_OK)
		e = agent_update(c, a, m);
	return e == ERR_OK ? agent_load(c, a->id, a) : e;
}

struct reply
agents_patch(struct ctx *c, const struct request *rq)
{
	struct agent a;
	bool whole;

	if (change(c, rq, &a, &whole) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "agent_id", a.id, "name", a.name, whole ? "note" : NULL, REPLACED, NULL);
}

struct reply
agents_update(struct ctx *c, const struct request *rq)
{
	struct agent a;
	bool whole;

	if (change(c, rq, &a, &whole) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "updated", "agent_id", a.id, "name", a.name, whole ? "note" : NULL, REPLACED,
	    NULL);
}

/* --- mode and model ----------------------------------------------------------------- */

struct reply
agents_mode_set(struct ctx *c, const struct request *rq)
{
	const struct mode_request *in = rq->body_struct;
	struct agent a;
	const char *mode = in->mode;
	bool stable = strcasecmp(mode, "stable") == 0, normal = strcasecmp(mode, "normal") == 0;
	enum err e = request_agent(c, rq, &a);
	char low[16] = { 0 };

	for (size_t i = 0; mode[i] != '\0' && i < sizeof(low) - 1; i++)
		low[i] = (char)(mode[i] >= 'A' && mode[i] <= 'Z' ? mode[i] | 32 : mode[i]);
	if (e == ERR_OK)
		e = agent_set_mode(c, a.id, stable || normal ? a.mode : low, stable || (a.stable && !normal));
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "updated", "agent_id", a.id, "mode", mode, NULL);
}

struct reply
agents_model_set(struct ctx *c, const struct request *rq)
{
	const struct model_request *in = rq->body_struct;
	const char *model = in->model, *provider = in->provider;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && text_blank(model))
		e = bad(c, "Missing 'model' field");
	if (e != ERR_OK || model_choose(c, &a, &model, &provider) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "model", model, "provider", provider, NULL);
}

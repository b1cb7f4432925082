/*
 * Settings of an agent: what it looks like, its configuration, its tools, and what is assigned to
 * it. Each request is checked whole before anything changes.
 */
#include <fnmatch.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "daemon/live/agents.h"
#include "daemon/model_choice.h"
#include "daemon/spawn.h"
#include "daemon/turn.h"
#include "lib/agent/manifest.h"
#include "lib/api/api.h"

enum { NAME_MAX_BYTES = 256, DESCRIPTION_MAX = 4096, PROMPT_MAX = 65536 };

struct reply agents_identity_set(struct ctx *, const struct request *);
struct reply agents_config_set(struct ctx *, const struct request *);
struct reply agents_tools_set(struct ctx *, const struct request *);
struct reply agents_skills_set(struct ctx *, const struct request *);
struct reply agents_servers_set(struct ctx *, const struct request *);
struct reply agents_channels_set(struct ctx *, const struct request *);

static enum err
bad(struct ctx *c, const char *what)
{
	return fail(c, ERR_BAD_REQUEST, "%s", what);
}

static bool
begins(const char *s, const char *with)
{
	return strncasecmp(s, with, strlen(with)) == 0;
}

/* --- identity --------------------------------------------------------------------------- */

/* A list shows looks of every agent: none is a file. */
enum { EMOJI_MAX = 256, COLOR_MAX = 64, AVATAR_MAX = 65536, WORDS_MAX = 4096 };

static enum err
not_longer(struct ctx *c, const char *name, const char *s, size_t max)
{
	return s == NULL || strlen(s) <= max ? ERR_OK : fail(c, ERR_TOO_LARGE, "%s: at most %zu bytes", name, max);
}

static enum err
identity_checked(struct ctx *c, const struct identity_request *in)
{
	enum err e = not_longer(c, "emoji", in->emoji, EMOJI_MAX);

	if (e == ERR_OK)
		e = not_longer(c, "color", in->color, COLOR_MAX);
	if (e == ERR_OK)
		e = not_longer(c, "avatar_url", in->avatar_url, AVATAR_MAX);
	if (e == ERR_OK)
		e = not_longer(c, "archetype", in->archetype, WORDS_MAX);
	if (e == ERR_OK)
		e = not_longer(c, "vibe", in->vibe, WORDS_MAX);
	if (e == ERR_OK)
		e = not_longer(c, "greeting_style", in->greeting_style, WORDS_MAX);
	if (e != ERR_OK)
		return e;
	if (in->color != NULL && in->color[0] != '\0' && in->color[0] != '#')
		return bad(c, "color: a colour as #rrggbb is expected");
	if (in->avatar_url != NULL && in->avatar_url[0] != '\0' && !begins(in->avatar_url, "http://") &&
	    !begins(in->avatar_url, "https://") && !begins(in->avatar_url, "data:"))
		return bad(c, "avatar_url: an address of http, https or data is expected");
	return ERR_OK;
}

static bool
identity_sent(const struct identity_request *in)
{
	return in->emoji != NULL || in->avatar_url != NULL || in->color != NULL || in->archetype != NULL ||
	    in->vibe != NULL || in->greeting_style != NULL;
}

static enum err
identity_merged(struct ctx *c, const char *id, const struct identity_request *in, struct json_object **ret)
{
	const struct { const char *key, *v; } parts[] = {
		{ "emoji", in->emoji }, { "avatar_url", in->avatar_url }, { "color", in->color },
		{ "archetype", in->archetype }, { "vibe", in->vibe }, { "greeting_style", in->greeting_style },
	};
	struct json_object *o = NULL;
	struct agent a;
	enum err e = agent_load(c, id, &a);

	if (e != ERR_OK)
		return e;
	if (!json_object_is_type(a.identity, json_type_object))
		o = json_object_new_object();
	else if (json_object_deep_copy(a.identity, &o, NULL) != 0)
		o = NULL;
	if (json_keep(c, o) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].v != NULL)
			member_put(o, parts[i].key, parts[i].v);
	*ret = o;
	return ERR_OK;
}

/* One at a time: nobody's change is lost for another's. m: the manifest that changes with it, or NULL. */
static enum err
identity_store(struct ctx *c, const struct agent *a, const struct identity_request *in, struct json_object *m)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	struct agent_also also = { 0 };
	enum err e;

	if (!identity_sent(in))
		return m != NULL ? agent_update(c, a, m) : ERR_OK;
	pthread_mutex_lock(&one);
	e = identity_merged(c, a->id, in, &also.identity);
	if (e == ERR_OK)
		e = m != NULL ? agent_update_also(c, a, m, &also) : agent_set_identity(c, a->id, also.identity);
	pthread_mutex_unlock(&one);
	return e;
}

struct reply
agents_identity_set(struct ctx *c, const struct request *rq)
{
	const struct identity_request *in = rq->body_struct;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = identity_checked(c, in);
	if (e == ERR_OK)
		e = identity_store(c, &a, in, NULL);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "agent_id", a.id, NULL);
}

/* --- configuration ------------------------------------------------------------------------ */

static enum err
within(struct ctx *c, const char *name, bool sent, double v, double min, double max)
{
	return !sent || (v >= min && v <= max) ? ERR_OK
	    : fail(c, ERR_BAD_REQUEST, "%s must be between %.1f and %.1f", name, min, max);
}

static bool
is_http(const char *s)
{
	size_t n = begins(s, "http://") ? 7 : begins(s, "https://") ? 8 : 0;

	return n > 0 && s[n] != '\0' && s[n] != '/' && strcspn(s, " \t\r\n") == strlen(s);
}

static enum err
config_checked(struct ctx *c, const struct agent_config_request *in)
{
	enum err e = not_longer(c, "name", in->name, NAME_MAX_BYTES);

	if (e == ERR_OK)
		e = not_longer(c, "description", in->description, DESCRIPTION_MAX);
	if (e == ERR_OK)
		e = not_longer(c, "system_prompt", in->system_prompt, PROMPT_MAX);
	if (e == ERR_OK)
		e = identity_checked(c, &in->identity);
	if (e == ERR_OK)
		e = model_name_ok(c, "model", in->model);
	if (e == ERR_OK)
		e = model_name_ok(c, "provider", in->provider);
	if (e == ERR_OK && in->base_url != NULL && !text_blank(in->base_url) && !is_http(text_trimmed(c, in->base_url)))
		e = bad(c, "base_url: an address of http or https is expected");
	if (e == ERR_OK && in->has_max_tokens && in->max_tokens <= 0)
		e = bad(c, "max_tokens must be greater than 0");
	if (e == ERR_OK && ((in->has_context_window && in->context_window < 0) ||
	    (in->has_max_output_tokens && in->max_output_tokens < 0)))
		e = bad(c, "context_window and max_output_tokens must not be negative");
	if (e == ERR_OK)
		e = within(c, "temperature", in->has_temperature, in->temperature, 0, 2);
	if (e == ERR_OK)
		e = within(c, "top_p", in->has_top_p, in->top_p, 0, 1);
	if (e == ERR_OK)
		e = within(c, "frequency_penalty", in->has_frequency_penalty, in->frequency_penalty, -2, 2);
	if (e == ERR_OK)
		e = within(c, "presence_penalty", in->has_presence_penalty, in->presence_penalty, -2, 2);
	return e;
}

/* "" is as if it were not sent. */
static void
put_some(struct json_object *o, const char *key, const char *v)
{
	if (v != NULL && v[0] != '\0')
		member_put(o, key, v);
}

/* Trimmed; "" clears. */
static void
put_or_clear(struct ctx *c, struct json_object *o, const char *key, const char *v)
{
	if (v == NULL)
		return;
	if (text_blank(v))
		json_object_object_del(o, key);
	else
		member_put(o, key, text_trimmed(c, v));
}

static void
put_number(struct json_object *o, const char *key, bool sent, struct json_object *v)
{
	if (sent)
		json_object_object_add(o, key, json_object_get(v));
}

static void
config_into(struct ctx *c, const struct request *rq, const struct agent_config_request *in, struct json_object *m)
{
	struct json_object *mm = js_obj(m, "model");

	put_some(m, "name", in->name);
	if (in->description != NULL)
		member_put(m, "description", in->description);
	if (in->system_prompt != NULL)
		member_put(mm, "system_prompt", in->system_prompt);
	put_some(mm, "model", in->model);
	put_some(mm, "provider", in->provider);
	put_or_clear(c, mm, "api_key_env", in->api_key_env);
	put_or_clear(c, mm, "base_url", in->base_url);
	put_number(mm, "max_tokens", in->has_max_tokens, js_get(rq->json, "max_tokens"));
	put_number(mm, "temperature", in->has_temperature, js_get(rq->json, "temperature"));
	put_number(mm, "top_p", in->has_top_p, js_get(rq->json, "top_p"));
	put_number(mm, "frequency_penalty", in->has_frequency_penalty, js_get(rq->json, "frequency_penalty"));
	put_number(mm, "presence_penalty", in->has_presence_penalty, js_get(rq->json, "presence_penalty"));
	put_number(mm, "context_window", in->has_context_window, js_get(rq->json, "context_window"));
	put_number(mm, "max_output_tokens", in->has_max_output_tokens, js_get(rq->json, "max_output_tokens"));
	put_number(m, "fallback_models", in->fallback_models != NULL, in->fallback_models);
	put_some(m, "web_search_augmentation", in->web_search_augmentation);
}

struct reply
agents_config_set(struct ctx *c, const struct request *rq)
{
	const struct agent_config_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct agent a;
	struct jw *w;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = config_checked(c, in);
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	if (e == ERR_OK) {
		config_into(c, rq, in, m);
		e = identity_store(c, &a, &in->identity, m);
	}
	if (e != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_str(w, "agent_id", a.id);
	jw_array(w, "warnings");
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- tools ------------------------------------------------------------------------------ */

/* Whatever the capabilities say, these are there: their own rules decide. */
static bool
always_there(const char *name)
{
	return begins(name, "mcp_") || begins(name, "skill_evolve_") || strcmp(name, "skill_read_file") == 0;
}

static bool
admitted(struct json_object *can, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(can); i++)
		if (fnmatch(json_object_get_string(json_object_array_get_idx(can, i)), name, 0) == 0)
			return true;
	return json_object_array_length(can) == 0;
}

/* Names of the list that capabilities.tools leaves out. */
static void
write_warnings(struct ctx *c, struct json_object *m, struct jw *w)
{
	struct json_object *allow = js_arr(m, "tool_allowlist"), *can = js_arr(js_obj(m, "capabilities"), "tools");

	jw_array(w, "warnings");
	for (size_t i = 0; can != NULL && allow != NULL && i < json_object_array_length(allow); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(allow, i));

		if (strpbrk(name, "*?[") == NULL && !always_there(name) && !admitted(can, name))
			jw_str(w, NULL, ctx_printf(c, "'%s' is in tool_allowlist, but capabilities_tools does not admit it", name));
	}
	jw_end(w);
}

struct reply
agents_tools_set(struct ctx *c, const struct request *rq)
{
	const struct agent_tools_request *in = rq->body_struct;
	struct json_object *m = NULL, *can;
	struct agent a;
	struct jw *w;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && in->capabilities_tools == NULL && in->tool_allowlist == NULL && in->tool_blocklist == NULL &&
	    !in->has_disabled)
		e = bad(c, "one of capabilities_tools, tool_allowlist, tool_blocklist and disabled is expected");
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	if (e != ERR_OK)
		return reply_fail(c);
	if ((can = js_obj(m, "capabilities")) == NULL)
		json_object_object_add(m, "capabilities", can = json_object_new_object());
	if (in->capabilities_tools != NULL)
		json_object_object_add(can, "tools", json_object_get(in->capabilities_tools));
	if (in->tool_allowlist != NULL)
		json_object_object_add(m, "tool_allowlist", json_object_get(in->tool_allowlist));
	if (in->tool_blocklist != NULL)
		json_object_object_add(m, "tool_blocklist", json_object_get(in->tool_blocklist));
	if (in->has_disabled)
		json_object_object_add(m, "tools_disabled", json_object_new_boolean(in->disabled));
	if (agent_update(c, &a, m) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	agent_write_tools(m, w);
	if (in->capabilities_tools != NULL || in->tool_allowlist != NULL)
		write_warnings(c, m, w);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- what is assigned: skills, MCP servers, channels. Nothing is installed yet ------------------- */

/* The manifest's list becomes the one that was sent. */
static struct reply
assign(struct ctx *c, const struct agent *a, struct json_object *m, const char *key, struct json_object *list)
{
	struct jw *w;

	if (list == NULL)
		list = json_keep(c, json_object_new_array());
	json_object_object_add(m, key, json_object_get(list));
	if (agent_update(c, a, m) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_json(w, key, list);
	jw_end(w);
	return reply_json(c, 200, w);
}

static bool
is_empty(struct json_object *list)
{
	return list == NULL || json_object_array_length(list) == 0;
}

struct reply
agents_skills_set(struct ctx *c, const struct request *rq)
{
	const struct skills_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && !is_empty(in->skills))
		e = fail(c, ERR_BAD_REQUEST, "Unknown skill: %s",
		    json_object_get_string(json_object_array_get_idx(in->skills, 0)));
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	if (e != ERR_OK)
		return reply_fail(c);
	json_object_object_add(m, "skills_disabled", json_object_new_boolean(0));
	return assign(c, &a, m, "skills", in->skills);
}

struct reply
agents_servers_set(struct ctx *c, const struct request *rq)
{
	const struct servers_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = servers_known(c, in->mcp_servers);
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	return e == ERR_OK ? assign(c, &a, m, "mcp_servers", in->mcp_servers) : reply_fail(c);
}

struct reply
agents_channels_set(struct ctx *c, const struct request *rq)
{
	const struct channels_request *in = rq->body_struct;
	struct json_object *m = NULL;
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK || manifest_copy(c, &a, &m) != ERR_OK)
		return reply_fail(c);
	return assign(c, &a, m, "channels", in->channels);
}

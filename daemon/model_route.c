/*
 * From an agent's model to a provider's address and key.
 *
 * The key is looked for where the agent says, else where the configuration says for its default model, and nowhere else if
 * one of them says so; otherwise where the catalog says.
 */
#include <string.h>

#include "daemon/keys.h"
#include "daemon/proxies.h"
#include "daemon/rest.h"
#include "daemon/turn.h"
#include "lib/svc/caller.h"
#include "lib/base/trace.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"
#include "lib/svc/vault.h"

enum { RETRIES = 3, RETRIES_MAX = 20, TIMEOUT_MAX_S = 86400, CACHE_HOUR_FROM_S = 1800 };

static const char *
key_of(struct ctx *c, const char *provider, bool is_default, struct json_object *mm)
{
	const struct provider *p = catalog_provider(provider);
	char name[128];
	const struct provider_state *st = catalog_state(provider);
	const char *v;

	/* put away; or a token of GitHub's that was not got for Copilot */
	if (st->suppressed || (p != NULL && strcmp(p->api_format, "copilot") == 0 && !st->key_set))
		return NULL;
	v = key_named(c, js_str(mm, "api_key_env"));

	if (v == NULL && is_default)
		v = key_named(c, c->cfg->api_key_env);
	if (v == NULL)
		v = key_named(c, catalog_key_name(c->cfg, provider, name));
	if (v == NULL && p != NULL)
		v = key_named(c, p->alt_api_key_env);
	return v;
}

/*
 * The variable that a manifest names for this model alone, or else the configuration for its default model, if it is not the
 * provider's usual one; NULL: none. A pool is the configuration's word too, and counts over the latter.
 */
static const char *
named_key(struct ctx *c, const char *provider, bool is_default, struct json_object *mm)
{
	const struct config usually = { .provider_key_env = c->cfg->provider_key_env, .raw = c->cfg->raw };
	const struct provider *p = catalog_provider(provider);
	const char *name = js_str_or(mm, "api_key_env", ""), *usual[3] = { NULL };
	char space[128];

	if (name[0] == '\0' && is_default && c->cfg->api_key_env != NULL && !pool_has(c, provider))
		name = c->cfg->api_key_env;
	usual[0] = catalog_key_name(&usually, provider, space);
	if (p != NULL) {
		usual[1] = p->api_key_env;
		usual[2] = p->alt_api_key_env;
	}
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (usual[i] != NULL && strcmp(name, usual[i]) == 0)
			return NULL;
	return name[0] != '\0' ? name : NULL;
}

/* Where a wire format looks for its credentials besides; NULL: nowhere, or there is none. */
static const char *
own_key(struct ctx *c, const char *format, struct json_object *settings)
{
	const char *id, *secret, *session, *v;

	if (strcmp(format, "vertex_ai") == 0) {
		v = js_str(settings, "credentials_path");
		return v != NULL ? v : key_named(c, "VERTEX_AI_SERVICE_ACCOUNT_JSON");
	}
	if (strcmp(format, "bedrock_converse") != 0)
		return NULL;
	v = key_named(c, "AWS_BEARER_TOKEN_BEDROCK");
	if (v != NULL)
		return v;
	id = key_named(c, "AWS_ACCESS_KEY_ID");
	secret = id != NULL ? key_named(c, "AWS_SECRET_ACCESS_KEY") : NULL;
	session = secret != NULL ? key_named(c, "AWS_SESSION_TOKEN") : NULL;
	return secret != NULL ? ctx_printf(c, "%s:%s%s%s", id, secret, session != NULL ? ":" : "", session != NULL ? session : "") : NULL;
}

static const char *
base_of(struct ctx *c, const char *provider, bool is_default, struct json_object *mm)
{
	const char *v = js_str(mm, "base_url");

	if (v == NULL && is_default)
		v = c->cfg->base_url;
	return v != NULL ? v : catalog_url(c->cfg, provider);   /* [provider_urls], its region's, or the usual one */
}

/* Members of [model] that are ours; any other is the provider's. */
static bool
is_ours(const char *name)
{
	static const char *const ours[] = { "provider", "model", "name", "max_tokens", "temperature", "system_prompt",
		"api_key_env", "base_url", "context_window", "max_output_tokens" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(ours[i], name) == 0)
			return true;
	return false;
}

static struct json_object *
add_members(struct ctx *c, struct json_object *to, struct json_object *from)
{
	if (from == NULL)
		return to;
	json_object_object_foreach(from, k, v) {
		struct json_object *copy = NULL;        /* of what is everybody's no reference is taken */

		if (is_ours(k) || v == NULL || json_object_deep_copy(v, &copy, NULL) != 0)
			continue;
		if (to == NULL)
			to = json_keep(c, json_object_new_object());
		json_object_object_add(to, k, copy);
	}
	return to;
}

static unsigned
number_of(struct json_object *map, const char *provider, unsigned dflt, unsigned max)
{
	int64_t n = map == NULL ? dflt : js_i64(map, provider, dflt);

	return n < 0 ? 0 : n > max ? max : (unsigned)n;
}

bool
cache_is_for_an_hour(const struct config *cfg)
{
	return js_i64(js_obj(cfg->raw, "prompt_cache"), "cache_ttl_hint_secs", 300) >= CACHE_HOUR_FROM_S;
}

/* What does not depend on the model being there: how long, how often, with what. */
static void
route_manners(struct ctx *c, bool is_default, struct json_object *mm, struct model_route *r)
{
	struct json_object *dflt = is_default && strcmp(r->model, c->cfg->model) == 0 ? c->cfg->extra_params : NULL;

	struct json_object *cache = js_obj(c->cfg->raw, "prompt_cache");
	r->cache_strategy = js_bool(c->cfg->raw, "prompt_caching", true) ? js_str(cache, "strategy") : "disabled";
	r->cache_hour = cache_is_for_an_hour(c->cfg);
	r->extra = mm == NULL ? NULL : add_members(c, add_members(c, NULL, dflt), mm);
	r->retries = number_of(c->cfg->provider_retries, r->provider, RETRIES, RETRIES_MAX);
	r->timeout_ms = 1000 * number_of(c->cfg->provider_timeouts, r->provider, c->cfg->message_timeout_s, TIMEOUT_MAX_S);
}

const char *
trace_from(struct ctx *c, const char *traceparent, const char *uuid)
{
	char *own = trace_ok(traceparent) ? NULL : ctx_alloc(c, TRACEPARENT + 1);

	return own != NULL ? trace_of_uuid(uuid, own) : traceparent;
}

void
calls_tell(struct ctx *c, struct llm_request *rq, const char *traceparent, const char *uuid)
{
	rq->discreet = !js_bool(js_obj(c->cfg->raw, "telemetry"), "emit_caller_trace_headers", true);
	rq->traceparent = trace_from(c, traceparent, uuid);
	if (rq->traceparent != traceparent)
		rq->tracestate = NULL;          /* it is of a trace that was not understood */
}

/* --- settings of models ------------------------------------------------------------ */

struct json_object *
settings_of_model(struct ctx *c, const char *provider, const char *model)
{
	const char *key = ctx_printf(c, "%s:%s", provider, model), *text = key != NULL ? catalog_override(key) : NULL;

	return text != NULL ? json_stored(c, text) : NULL;
}

void
habits_of_model(struct json_object *settings, struct llm_request *rq)
{
	rq->no_system = js_bool(settings, "no_system_role", false);
	if (js_get(settings, "use_max_completion_tokens") != NULL)
		rq->tokens_word = js_bool(settings, "use_max_completion_tokens", false) ? LLM_TOKENS_COMPLETION : LLM_TOKENS_OLD;
}

/* Not one whose settings say that it speaks aloud, or makes vectors. */
static enum err
talks(struct ctx *c, const struct model_route *r)
{
	const char *type = js_str_or(settings_of_model(c, r->provider, r->model), "model_type", "chat");

	return strcmp(type, "chat") == 0 ? ERR_OK : fail_code(c, ERR_PRECONDITION, "model_not_chat",
	    "Model %s of provider %s is set to be one for %s, not for talk", r->model, r->provider, type);
}

/* What a user has for that provider alone (daemon/live/users_policy.c); NULL: nothing. */
static const char *
key_of_user(struct ctx *c, const char *user_id, const char *provider)
{
	struct fault before = c->fault;
	char *key = NULL;

	if (user_id == NULL || user_id[0] == '\0' || strcmp(user_id, CALLER_ROOT_ID) == 0 || catalog_state(provider)->suppressed)
		return NULL;
	if (vault_get(c, ctx_printf(c, "user.%s.%s", user_id, provider), &key) == ERR_OK)
		return key;
	fault_forget(c, before);        /* a vault that cannot be opened is told of with the key that all share */
	return NULL;
}

static enum err
route_to(struct ctx *c, const char *user_id, const char *provider, const char *model, struct json_object *mm, bool talk, struct model_route *ret)
{
	const struct provider *p = catalog_provider_alias(provider);
	bool is_default = strcmp(provider, c->cfg->provider) == 0;
	const struct model *known;
	const char *named;
	enum err e;

	if (p != NULL)
		provider = p->id;
	known = catalog_model(provider, model);
	ret->provider = provider;
	ret->model = known != NULL ? known->id : model;
	ret->format = p != NULL && p->api_format != NULL ? p->api_format : "openai";
	ret->base_url = base_of(c, provider, is_default, mm);
	ret->settings = strncmp(ret->format, "cli_", 4) == 0 ? c->cfg->raw : js_obj(c->cfg->raw, ret->format);
	ret->api_key = key_of_user(c, user_id, provider);
	named = ret->api_key == NULL ? named_key(c, provider, is_default, mm) : NULL;
	if (named != NULL)
		ret->api_key = key_named(c, named);
	ret->pooled = ret->api_key == NULL && named == NULL && !catalog_state(provider)->suppressed && pool_has(c, provider);
	if (ret->api_key == NULL && named == NULL)
		ret->api_key = ret->pooled ? pool_pick(c, provider) : own_key(c, ret->format, ret->settings);
	if (ret->api_key == NULL && named == NULL) {
		ret->pooled = false;
		ret->api_key = key_of(c, provider, is_default, mm);
	}
	if (ret->api_key == NULL && strcmp(ret->format, "vertex_ai") == 0 && strcmp(catalog_auth_status(c->cfg, provider), "auto_detected") == 0)
		ret->api_key = "";              /* a login by gcloud */
	route_manners(c, is_default, mm, ret);
	if (strcmp(ret->format, "offline") == 0)
		return ERR_OK;
	if (talk && (e = talks(c, ret)) != ERR_OK)
		return e;
	if (catalog_state(provider)->suppressed)
		return fail_code(c, ERR_PRECONDITION, "provider_auth_missing", "Provider %s is put away: give it a key, or enable it", provider);
	if (ret->api_key == NULL && c->fault.code != NULL && strncmp(c->fault.code, "vault_", 6) == 0)
		return fail_code(c, ERR_PRECONDITION, "provider_auth_missing", "%s", c->fault.msg);
	if (ret->api_key == NULL && named != NULL)      /* no other key takes its place */
		return fail_code(c, ERR_PRECONDITION, "provider_auth_missing",
		    "The key for provider %s is expected in %s, which is not set", provider, named);
	if (ret->api_key == NULL && (p == NULL ? js_str(mm, "api_key_env") != NULL : p->key_required))
		return fail_code(c, ERR_PRECONDITION, "provider_auth_missing",
		    "API key not configured for this provider (provider: %s)", provider);
	if ((e = proxy_for(c, provider, ret->base_url, &ret->proxy)) != ERR_OK)
		return e;
	if (ret->api_key == NULL)
		ret->api_key = "";
	if (llm_needs_url(ret->format) && (ret->base_url == NULL || ret->base_url[0] == '\0'))
		return fail_code(c, ERR_PRECONDITION, "provider_not_configured", "No address is known for provider %s",
		    provider);
	return ERR_OK;
}

enum err
model_route_for(struct ctx *c, const char *user_id, const char *provider, const char *model, struct json_object *mm, struct model_route *ret)
{
	return route_to(c, user_id, provider, model, mm, true, ret);
}

enum err
model_route_vectors(struct ctx *c, const char *provider, const char *model, struct json_object *mm, struct model_route *ret)
{
	return route_to(c, NULL, provider, model, mm, false, ret);
}

enum err
model_route(struct ctx *c, const char *provider, const char *model, struct json_object *mm, struct model_route *ret)
{
	return model_route_for(c, c->who != NULL ? c->who->user_id : NULL, provider, model, mm, ret);
}

/*
 * The catalog under a configuration: which providers can be used, and
 * models and providers as the API shows them.
 *
 * Whether a key is there stands in the configuration snapshot (`providers`):
 * this code never looks at the environment, so that pool and daemon say the same.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"

static struct json_object *
facts_of(const struct config *cfg, const char *provider)
{
	return cfg == NULL ? NULL : js_obj(cfg->providers, provider);
}

bool
catalog_key_present(const struct config *cfg, const char *provider)
{
	const struct provider *p = catalog_provider(provider);
	const struct provider_state *st = catalog_state(provider);

	/* a GITHUB_TOKEN that happens to be there is no login at Copilot */
	return !st->suppressed && (st->key_set || ((p == NULL || strcmp(p->api_format, "copilot") != 0) &&
	    js_bool(facts_of(cfg, provider), "key_present", false)));
}

const char *
catalog_program(const char *format)
{
	static const struct { const char *format, *program; } all[] = {
		{ "cli_claude_code", "claude" }, { "cli_codex", "codex" }, { "cli_gemini", "gemini" }, { "cli_qwen_code", "qwen" },
		{ "cli_codewhale", "codewhale" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].format, format) == 0)
			return all[i].program;
	return format;
}

bool
catalog_google_login(char *out, size_t cap)
{
	const char *dir = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");
	bool own = dir != NULL && dir[0] == '/';

	if (!own && (home == NULL || home[0] != '/'))
		return false;
	return (size_t)snprintf(out, cap, "%s%s/application_default_credentials.json", own ? dir : home, own ? "" : "/.config/gcloud") < cap &&
	    access(out, R_OK) == 0;
}

/* The URL that the configuration gives a provider; NULL: none. */
static const char *
configured_url(const struct config *cfg, const char *provider)
{
	const char *url = cfg == NULL ? NULL : js_str(cfg->provider_urls, provider);

	if (url != NULL && *url != '\0')
		return url;
	if (cfg != NULL && cfg->base_url != NULL && *cfg->base_url != '\0' &&
	    cfg->provider != NULL && strcmp(cfg->provider, provider) == 0)
		return cfg->base_url;
	return NULL;
}

/* The region of a provider that the configuration chooses, {base_url, api_key_env}; NULL: none, or one that it has not. */
static struct json_object *
region_of(const struct config *cfg, const struct provider *p)
{
	const char *name = cfg == NULL || p == NULL ? NULL : js_str(js_obj(cfg->raw, "provider_regions"), p->id);

	return name != NULL ? js_obj(p->regions, name) : NULL;
}

/* Of one that only the configuration knows, and that has no key: it was asked without, and refused. */
static bool
wants_key(const struct provider_state *st)
{
	return st->auth != NULL && strcmp(st->auth, "invalid_key") == 0;
}

bool
catalog_listed(const struct config *cfg, const struct provider *p)
{
	return !p->hidden || configured_url(cfg, p->id) != NULL;
}

const char *
catalog_auth_status(const struct config *cfg, const char *provider)
{
	const struct provider *p = catalog_provider_alias(provider);
	struct json_object *facts = facts_of(cfg, p != NULL ? p->id : provider);

	const struct provider_state *st = catalog_state(p != NULL ? p->id : provider);

	if (p == NULL && (provider == NULL || configured_url(cfg, provider) == NULL))
		return "unknown";
	if (st->suppressed)
		return "missing";
	if (catalog_key_present(cfg, p != NULL ? p->id : provider))
		return st->auth != NULL ? st->auth : "configured";
	if (js_bool(facts, "alt", false) || (p != NULL && !p->cli && js_bool(facts, "program", false)))
		return "auto_detected";
	if (p != NULL && p->cli)
		return js_bool(facts, "program", false) ? "configured" : "cli_not_installed";
	if (p == NULL)
		return wants_key(st) ? "missing" : "not_required";
	if (!p->key_required)
		return p->local && (st->tested_ms != 0 ? !st->reachable : !js_bool(facts, "reachable", true)) ? "missing" : "not_required";
	return "missing";
}

bool
auth_available(const char *status)
{
	static const char *const good[] = {
		"validated_key", "configured", "auto_detected", "configured_cli", "not_required",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strcmp(status, good[i]) == 0)
			return true;
	return false;
}

static const char *
derived_env(const char *id, char out[static 128])
{
	size_t i;

	for (i = 0; id[i] != '\0' && i < 128 - sizeof("_API_KEY"); i++)
		out[i] = id[i] == '-' ? '_' : (char)toupper((unsigned char)id[i]);
	memcpy(out + i, "_API_KEY", sizeof("_API_KEY"));
	return out;
}

const char *
catalog_key_env(const struct config *cfg, const char *provider, char out[static 128])
{
	const struct provider *p = catalog_provider_alias(provider);
	const char *id = p != NULL ? p->id : provider;
	const char *env = cfg == NULL ? NULL : js_str(cfg->provider_key_env, id);

	if ((env == NULL || *env == '\0') && cfg != NULL && cfg->provider != NULL &&
	    strcmp(cfg->provider, id) == 0)
		env = cfg->api_key_env;
	if ((env == NULL || *env == '\0') && p != NULL)
		env = js_str(region_of(cfg, p), "api_key_env");
	if ((env == NULL || *env == '\0') && p != NULL)
		env = p->api_key_env;
	if (env != NULL && (*env != '\0' || p != NULL)) {
		snprintf(out, 128, "%s", env);
		return out;
	}
	return derived_env(id, out);
}

const char *
catalog_key_name(const struct config *cfg, const char *provider, char out[static 128])
{
	const struct provider *p = catalog_provider_alias(provider);

	return *catalog_key_env(cfg, provider, out) != '\0' ? out : derived_env(p != NULL ? p->id : provider, out);
}

const char *
catalog_url(const struct config *cfg, const char *provider)
{
	const struct provider *p = catalog_provider(provider);
	const char *url = configured_url(cfg, provider);

	if (url == NULL)
		url = js_str(region_of(cfg, p), "base_url");
	return url != NULL ? url : p != NULL && p->base_url[0] != '\0' ? p->base_url : NULL;
}

/* --- models ----------------------------------------------------------------- */

bool
catalog_available(const struct config *cfg, const struct model *m)
{
	return m->by != NULL ? auth_available(catalog_auth_status(cfg, m->provider)) :
	    strcmp(m->tier, "custom") == 0 || (m->found && auth_available(catalog_auth_status(cfg, m->provider)));
}

static void
write_abilities(struct jw *w, const struct model *m)
{
	jw_bool(w, "supports_tools", m->supports_tools);
	jw_bool(w, "supports_vision", m->supports_vision);
	jw_bool(w, "supports_streaming", m->supports_streaming);
	jw_bool(w, "supports_thinking", m->supports_thinking);
}

/* What the rows of the list and of a provider's detail have in common. */
static void
write_common(struct jw *w, const struct model *m)
{
	bool text = strcmp(m->modality, "text") == 0;

	jw_str(w, "id", m->id);
	jw_str(w, "display_name", m->display_name);
	jw_str(w, "tier", m->tier);
	jw_str(w, "modality", m->modality);
	jw_i64(w, "context_window", m->context_window);
	jw_i64(w, "max_output_tokens", m->max_output_tokens);
	jw_f64(w, "input_cost_per_m", m->input_cost_per_m);
	jw_f64(w, "output_cost_per_m", m->output_cost_per_m);
	jw_bool(w, "pricing_known", m->pricing_known);
	jw_bool(w, "limits_known", !text || (m->context_window > 0 && m->max_output_tokens > 0));
	jw_str(w, "vision_support", m->supports_vision ? "supported" : m->vision_unknown ? "unknown" : "unsupported");
	for (enum price i = 0; i < PRICES; i++)
		if (m->price[i] >= 0)
			jw_f64(w, price_names[i], m->price[i]);
		else if (i == PRICE_IMAGE_IN || i == PRICE_IMAGE_OUT)   /* these are always shown */
			jw_null(w, price_names[i]);
	write_abilities(w, m);
	jw_object(w, "capabilities_catalog");
	jw_bool(w, "supports_tools", m->raw_tools);
	jw_bool(w, "supports_vision", m->raw_vision);
	jw_bool(w, "supports_streaming", m->raw_streaming);
	jw_bool(w, "supports_thinking", m->raw_thinking);
	jw_end(w);
	jw_object(w, "limits_catalog");
	jw_i64(w, "context_window", m->raw_window);
	jw_i64(w, "max_output_tokens", m->raw_output);
	jw_end(w);
}

void
catalog_write_model_members(struct jw *w, const struct config *cfg, const struct model *m)
{
	write_common(w, m);
	if (m->of_program)
		jw_str(w, "source", "cli_config");
	jw_str(w, "provider", m->provider);
	if (m->aliases != NULL) {
		jw_json(w, "aliases", m->aliases);
	} else {
		jw_array(w, "aliases");
		jw_end(w);
	}
	jw_bool(w, "available", catalog_available(cfg, m));
}

void
catalog_write_model(struct jw *w, const struct config *cfg, const struct model *m)
{
	jw_object(w, NULL);
	catalog_write_model_members(w, cfg, m);
	jw_end(w);
}

/* --- providers --------------------------------------------------------------- */

/* A URL without name and password, should it hold them. */
static void
write_url(struct jw *w, const char *key, const char *url)
{
	const char *host = url == NULL ? NULL : strstr(url, "://");
	const char *at = NULL;
	char clean[2048];

	if (host != NULL) {
		host += 3;
		for (const char *s = host; *s != '\0' && strchr("/?#", *s) == NULL; s++)
			if (*s == '@')
				at = s;
	}
	if (at == NULL) {
		jw_str(w, key, url);
		return;
	}
	snprintf(clean, sizeof(clean), "%.*s%s", (int)(host - url), url, at + 1);
	jw_str(w, key, clean);
}

static void
write_regions(struct jw *w, const struct config *cfg, const struct provider *p)
{
	if (p->regions == NULL)
		return;
	jw_json(w, "regions", p->regions);
	if (region_of(cfg, p) != NULL)
		jw_str(w, "active_region", js_str(js_obj(cfg->raw, "provider_regions"), p->id));
}

/* max_tokens of the settings of a model; 0: none. */
static int64_t
setting_max(const struct model *m)
{
	char key[CATALOG_NAME_MAX * 2];
	const char *text, *at;

	snprintf(key, sizeof(key), "%s:%s", m->provider, m->id);
	text = catalog_override(key);
	at = text != NULL ? strstr(text, "\"max_tokens\":") : NULL;
	return at != NULL ? strtoll(at + 13, NULL, 10) : 0;
}

static void
write_max_output(struct jw *w, const struct provider *p)
{
	const char *id = p->custom ? NULL : catalog_default_model(p->id);
	const struct model *m = id == NULL ? NULL : catalog_model(p->id, id);

	if (m != NULL && setting_max(m) > 0)
		jw_i64(w, "max_output_tokens", setting_max(m));
	else if (m != NULL && m->max_output_tokens > 0)
		jw_i64(w, "max_output_tokens", m->max_output_tokens);
	else
		jw_null(w, "max_output_tokens");
}

static void
write_models_of(struct jw *w, const struct provider *p)
{
	const struct model *all;
	size_t n = catalog_models(&all);

	jw_array(w, "models");
	for (size_t i = 0; i < n; i++) {
		if (all[i].by != p)
			continue;
		jw_object(w, NULL);
		write_common(w, &all[i]);
		jw_end(w);
	}
	jw_end(w);
}

bool
catalog_discovers(const struct provider *p)
{
	const struct provider_state *st = catalog_state(p->id);

	return st->discover >= 0 ? st->discover != 0
	    : (p->local && strcmp(p->api_format, "offline") != 0) || strcmp(p->id, "openrouter") == 0;
}

/* What the newest test or probe found. */
static void
write_probe(struct jw *w, const struct provider_state *st)
{
	if (st->tested_ms != 0) {
		jw_bool(w, "reachable", st->reachable);
		jw_i64(w, "latency_ms", st->latency_ms);
		jw_time(w, "last_tested", st->tested_ms);
		if (st->error != NULL)
			jw_str(w, "error_message", st->error);
	}
	if (st->live == NULL)
		return;
	jw_array(w, "discovered_models");
	for (size_t i = 0; i < json_object_array_length(st->live); i++)
		jw_str(w, NULL, js_str_or(json_object_array_get_idx(st->live, i), "name", ""));
	jw_end(w);
	jw_json(w, "discovered_model_info", st->live);
}

void
catalog_write_provider(struct jw *w, const struct config *cfg, const struct provider *p,
    bool with_models)
{
	struct json_object *proxies = cfg == NULL ? NULL : js_obj(cfg->raw, "provider_proxy_urls");
	const char *url = p->custom ? configured_url(cfg, p->id) : catalog_url(cfg, p->id);
	const struct provider_state *st = catalog_state(p->id);
	char env[128];

	jw_object(w, NULL);
	jw_str(w, "id", p->id);
	jw_str(w, "display_name", p->display_name);
	jw_str(w, "auth_status", catalog_auth_status(cfg, p->id));
	jw_i64(w, "model_count", p->model_count);
	jw_bool(w, "key_required", p->key_required);
	jw_str(w, "api_key_env", catalog_key_env(cfg, p->id, env));
	write_url(w, "base_url", url != NULL ? url : p->base_url);
	write_url(w, "proxy_url", js_str(proxies, p->id));
	if (p->media_capabilities != NULL) {
		jw_json(w, "media_capabilities", p->media_capabilities);
	} else {
		jw_array(w, "media_capabilities");
		jw_end(w);
	}
	jw_bool(w, "is_custom", p->custom);
	jw_bool(w, "suppressed", st->suppressed);
	jw_bool(w, "is_coding_agent", p->cli);
	write_max_output(w, p);
	jw_bool(w, "discover_models", catalog_discovers(p));
	jw_bool(w, "key_present", catalog_key_present(cfg, p->id));
	write_regions(w, cfg, p);
	if (p->local)
		jw_bool(w, "is_local", true);
	write_probe(w, st);
	if (with_models)
		write_models_of(w, p);
	jw_end(w);
}

/* A provider that only the configuration knows: OpenAI's wire format at its URL. */
static void
custom_provider(const char *id, const char *url, struct provider *p)
{
	*p = (struct provider){
		.id = id, .display_name = id, .base_url = url, .api_format = "openai",
		.api_key_env = "", .key_required = wants_key(catalog_state(id)), .custom = true,
	};
}

bool
catalog_provider_custom(const struct config *cfg, const char *id, struct provider *ret)
{
	const char *url = catalog_provider(id) != NULL ? NULL : configured_url(cfg, id);

	if (url == NULL)
		return false;
	custom_provider(id, url, ret);
	return true;
}

size_t
catalog_write_providers(struct jw *w, const struct config *cfg)
{
	const struct provider *all;
	struct provider own;
	size_t shown = 0, n = catalog_providers(&all);

	for (size_t i = 0; i < n; i++) {
		if (!catalog_listed(cfg, &all[i]))
			continue;
		catalog_write_provider(w, cfg, &all[i], false);
		shown++;
	}
	if (cfg == NULL || !json_object_is_type(cfg->provider_urls, json_type_object))
		return shown;
	json_object_object_foreach(cfg->provider_urls, id, url) {
		(void)url;                      /* read again by its name */
		if (!catalog_provider_custom(cfg, id, &own))
			continue;
		catalog_write_provider(w, cfg, &own, false);
		shown++;
	}
	return shown;
}

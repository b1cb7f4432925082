/*
 * The snapshot, read: JSON that the supervisor wrote, into the struct that
 * requests look at. Defaults of everything stand here, once.
 *
 * The struct's strings belong to the JSON tree or to the arena beside it; both
 * hang on the struct and end with it.
 */
#include "lib/svc/config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"

enum { SNAPSHOT_BYTES_MAX = 8 << 20 };

/* What config_free() finds again: the struct comes first. */
struct loaded {
	struct config cfg;
	struct ctx c;
};

static unsigned
number(const struct json_object *o, const char *key, unsigned dflt)
{
	int64_t v = js_i64(o, key, dflt);

	return v < 0 ? 0 : v > UINT_MAX ? UINT_MAX : (unsigned)v;
}

static uint64_t
number64(const struct json_object *o, const char *key, uint64_t dflt)
{
	int64_t v = js_i64(o, key, (int64_t)dflt);

	return v < 0 ? 0 : (uint64_t)v;
}

/* A text that is not empty, or NULL. */
static const char *
text(const struct json_object *o, const char *key)
{
	const char *s = js_str(o, key);

	return s != NULL && *s != '\0' ? s : NULL;
}

static const char *const *
texts(struct ctx *c, const struct json_object *o, const char *key, size_t *count)
{
	struct json_object *a = js_arr(o, key);
	size_t n = a != NULL ? json_object_array_length(a) : 0;
	const char **list = ctx_alloc(c, (n + 1) * sizeof(*list));

	*count = 0;
	for (size_t i = 0; list != NULL && i < n; i++) {
		struct json_object *s = json_object_array_get_idx(a, i);

		if (json_object_is_type(s, json_type_string))
			list[(*count)++] = json_object_get_string(s);
	}
	return list;
}

static bool
load_users(struct ctx *c, const struct json_object *root, struct config *cfg)
{
	struct json_object *a = js_arr(root, "users");
	size_t n = a != NULL ? json_object_array_length(a) : 0;

	cfg->users = ctx_alloc(c, (n + 1) * sizeof(*cfg->users));
	if (cfg->users == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(a, i);

		cfg->users[i] = (struct config_user){
			.name = js_str_or(o, "name", ""),
			.role = js_str_or(o, "role", "user"),
			.key_hash = text(o, "key_hash"),
		};
	}
	cfg->n_users = n;
	return true;
}

static void
load_access(const struct json_object *root, const struct json_object *raw, struct config *cfg)
{
	const struct json_object *login = js_obj(root, "dashboard");

	cfg->key_sha256 = text(root, "key_sha256");
	cfg->key_hash = text(root, "key_hash");
	cfg->key_vault = text(root, "key_vault");
	cfg->dashboard = (struct config_dashboard){
		.user = text(login, "user"), .pass_hash = text(login, "pass_hash"), .pass_sha256 = text(login, "pass_sha256"),
		.pass_vault = text(login, "pass_vault"), .token_sha256 = text(login, "token_sha256"),
	};
	cfg->open_mode = js_bool(root, "open_mode", false);
	cfg->allow_no_auth = js_bool(root, "allow_no_auth", false);
	cfg->reads_open = cfg->open_mode || (!js_bool(raw, "require_auth_for_reads", true) &&
	    js_bool(raw, "external_auth_proxy", false));
	cfg->trust_forwarded = js_bool(raw, "trust_forwarded_for", false);
}

static void
load_limits(const struct json_object *raw, struct config *cfg)
{
	const struct json_object *o = js_obj(raw, "rate_limit");

	cfg->api_requests_per_minute = number64(o, "api_requests_per_minute", 500);
	if (cfg->api_requests_per_minute == 0)
		cfg->api_requests_per_minute = 1;
	cfg->retry_after_s = number(o, "retry_after_secs", 60);
	cfg->logins_per_ip = number(o, "auth_rate_limit_per_ip", 10);
	cfg->max_ws_per_ip = number(o, "max_ws_per_ip", 5);
	cfg->ws_messages_per_minute = number(o, "ws_messages_per_minute", 10);
	cfg->ws_idle_s = number(o, "ws_idle_timeout_secs", 1800);
	cfg->ws_debounce_ms = number(o, "ws_debounce_ms", 100);
	cfg->ws_debounce_chars = number(o, "ws_debounce_chars", 200);
	cfg->max_body_bytes = number64(raw, "max_request_body_bytes", 8388608);
	cfg->max_upload_bytes = number64(raw, "max_upload_size_bytes", 10485760);
	cfg->max_uploads = number(raw, "max_concurrent_uploads", 8);
}

static void
load_models(const struct json_object *root, const struct json_object *raw, struct config *cfg)
{
	const struct json_object *m = js_obj(raw, "default_model");

	cfg->provider = js_str_or(root, "provider", "offline");
	cfg->model = js_str_or(root, "model", "offline");
	cfg->provider_cfg = js_str_or(root, "provider_cfg", "auto");
	if (strcmp(cfg->provider_cfg, "auto") != 0 && strcmp(cfg->provider_cfg, "default") != 0)        /* it is of a provider that is named */
		cfg->api_key_env = text(m, "api_key_env");
	cfg->base_url = text(m, "base_url");
	cfg->message_timeout_s = number(m, "message_timeout_secs", 300);
	cfg->provider_urls = js_obj(raw, "provider_urls");
	cfg->provider_key_env = js_obj(raw, "provider_api_keys");
	cfg->provider_retries = js_obj(raw, "provider_max_retries");
	cfg->provider_timeouts = js_obj(raw, "provider_request_timeout_secs");
	cfg->extra_params = js_obj(m, "extra_params");
	cfg->fallback_providers = js_arr(raw, "fallback_providers");
	cfg->fallback_healthiest = strcmp(js_str_or(raw, "fallback_order", "listed"), "healthiest") == 0;
	cfg->providers = js_obj(root, "providers");
}

static void
load_turns(const struct json_object *raw, struct config *cfg)
{
	const struct json_object *turn = js_obj(raw, "turn");
	const struct json_object *fetch = js_obj(js_obj(raw, "web"), "fetch");

	cfg->agent_max_iterations = number(raw, "agent_max_iterations", 0);
	cfg->max_history_messages = number(raw, "max_history_messages", 0);
	cfg->tool_timeout_s = number(raw, "tool_timeout_secs", 120);
	cfg->tool_timeouts = js_obj(raw, "tool_timeouts");
	cfg->max_agent_call_depth = number(raw, "max_agent_call_depth", 5);
	cfg->max_rate_limits = number(js_obj(raw, "background"), "max_consecutive_rate_limits", 5);
	cfg->heartbeat_interval_s = number(js_obj(raw, "heartbeat"), "check_interval_secs", 30);
	cfg->heartbeat_timeout_s = number(js_obj(raw, "heartbeat"), "default_timeout_secs", 60);
	cfg->on_disconnect_cancel = strcmp(js_str_or(turn, "on_disconnect", "finish"), "cancel") == 0;
	cfg->turn_threads = number(turn, "max_threads", 1024);
	cfg->stream_idle_s = number(turn, "stream_idle_secs", 120);
	cfg->ssrf_allowed_hosts = js_arr(fetch, "ssrf_allowed_hosts");
	cfg->web_max_bytes = number64(fetch, "max_response_bytes", 10485760);
	cfg->web_timeout_s = number(fetch, "timeout_secs", 30);
}

static void
load_rest(const struct json_object *root, const struct json_object *raw, struct config *cfg)
{
	cfg->generation = number(root, "generation", 0);
	cfg->home = js_str(root, "home");
	cfg->data_dir = js_str(root, "data_dir");
	cfg->db_path = js_str(root, "db_path");
	cfg->workspaces_dir = js_str(root, "workspaces_dir");
	cfg->config_path = js_str(root, "config_path");
	cfg->config_exists = js_bool(root, "config_exists", false);
	cfg->listen = js_str(root, "listen");
	cfg->listen_host = js_str(root, "listen_host");
	cfg->listen_port = (int)number(root, "listen_port", 0);
	cfg->durability_power = strcmp(js_str_or(raw, "durability", "normal"), "power") == 0;
	cfg->network_enabled = js_bool(raw, "network_enabled", false);
	cfg->proactive_memory = js_bool(js_obj(raw, "proactive_memory"), "enabled", true);
	cfg->log_level = js_str_or(raw, "log_level", "info");
	cfg->mode = js_str_or(raw, "mode", "default");
	cfg->language = js_str_or(raw, "language", "en");
	cfg->raw = js_obj(root, "config");
	cfg->warnings = js_arr(root, "warnings");
}

static enum err
load(struct loaded *l, const char *json, size_t n)
{
	struct json_object *root = NULL, *raw;
	struct config *cfg = &l->cfg;
	enum err e = json_read(&l->c, json, n, &root);

	if (e != ERR_OK)
		return e == ERR_NOMEM ? e : ERR_BAD_REQUEST;
	raw = js_obj(root, "config");
	if (raw == NULL)
		return ERR_BAD_REQUEST;
	load_rest(root, raw, cfg);
	load_access(root, raw, cfg);
	load_limits(raw, cfg);
	load_models(root, raw, cfg);
	load_turns(raw, cfg);
	if (cfg->home == NULL || cfg->data_dir == NULL || cfg->db_path == NULL ||
	    cfg->workspaces_dir == NULL || cfg->config_path == NULL || cfg->listen == NULL ||
	    cfg->listen_host == NULL || cfg->listen_port > 65535)
		return ERR_BAD_REQUEST;
	cfg->cors_origins = texts(&l->c, raw, "cors_origin", &cfg->n_cors);
	cfg->trusted_proxies = texts(&l->c, raw, "trusted_proxies", &cfg->n_proxies);
	if (!load_users(&l->c, root, cfg) || !config_load_budget(&l->c, raw, &cfg->budget) || cfg->cors_origins == NULL || cfg->trusted_proxies == NULL)
		return ERR_NOMEM;
	return ERR_OK;
}

enum err
config_load(const char *json, size_t n, struct config **ret)
{
	struct arena *a = arena_new(4096);
	struct loaded *l = a != NULL ? arena_alloc(a, sizeof(*l)) : NULL;
	enum err e;

	if (l == NULL) {
		arena_free(a);
		return ERR_NOMEM;
	}
	l->c.arena = a;
	e = load(l, json, n);
	if (e != ERR_OK) {
		arena_free(a);
		return e;
	}
	*ret = &l->cfg;
	return ERR_OK;
}

enum err
config_load_file(const char *path, struct config **ret)
{
	SCOPED_BUF b = BUF_INIT(SNAPSHOT_BYTES_MAX);
	enum err e = buf_read_file(&b, path);

	if (e != ERR_OK)
		return e;
	return config_load(b.p != NULL ? b.p : "", b.len, ret);
}

void
config_free(struct config *cfg)
{
	if (cfg != NULL)
		arena_free(((struct loaded *)(void *)cfg)->c.arena);
}

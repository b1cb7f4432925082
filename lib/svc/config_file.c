/*
 * From config.toml to the snapshot.
 *
 * Flag over environment over file: what each setting comes to is decided
 * here, once, before any process asks. Keys stay here: the snapshot has the
 * digest of the master key, and of providers' keys only whether the environment
 * holds one. It is read in one go, and any fault leaves the caller with what it had.
 */
#include "lib/svc/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config_file_parts.h"

/* What the settings come to. */
struct resolved {
	struct reading r;
	const struct run_paths *p;
	const char *data_dir, *workspaces_dir;
	const char *listen, *listen_from;       /* and who said so */
	char host[256];
	int port;
	char key_sha[65];                       /* "" none */
	const char *key_hash;
	const char *key_vault;                  /* name in the vault; NULL: not there */
	struct dashboard_login dashboard;
	bool open_mode, allow_no_auth;
	const char *provider, *model, *provider_cfg;
	const char *ollama_model;               /* of a server on this machine; NULL: there is none */
	struct json_object *providers;          /* id → {"key_present", "alt"}, of programs "program" too */
};

/* A text of the document that is not blank, or NULL. */
static const char *
text(const struct json_object *o, const char *key)
{
	const char *s = js_str(o, key);

	return s != NULL && s[strspn(s, " \t\r\n")] != '\0' ? s : NULL;
}

static struct json_object *
new_object(struct reading *r)
{
	return json_keep(r->c, json_object_new_object());
}

/* --- paths and address ------------------------------------------------------- */

/* The directory that a key names; ~ and relative paths mean the home. What stood under home_dir stands under the home. */
static enum err
directory(struct resolved *v, const char *key, const char *dflt, const char **ret)
{
	const char *s = text(v->r.doc, key), *old = text(v->r.doc, "home_dir"), *user = getenv("HOME"), *fs;
	size_t n = old != NULL ? strlen(old) : 0;

	while (n > 1 && old[n - 1] == '/')
		n--;
	if (s == NULL)
		*ret = ctx_printf(v->r.c, "%s/%s", v->p->home, dflt);
	else if (n > 0 && strncmp(s, old, n) == 0 && (s[n] == '/' || s[n] == '\0'))
		*ret = ctx_printf(v->r.c, "%s%s", v->p->home, s + n);
	else if (s[0] == '~' && s[1] == '/' && user != NULL && user[0] == '/')
		*ret = ctx_printf(v->r.c, "%s%s", user, s + 1);
	else
		*ret = s[0] == '/' ? s : ctx_printf(v->r.c, "%s/%s", v->p->home, s);
	if (*ret == NULL)
		return config_say(&v->r, ERR_NOMEM, "out of memory");
	fs = path_network_fs(*ret);
	if (fs != NULL)
		return config_say_at(&v->r, key, "%s is on a network file system (%s): choose a local disk", *ret, fs);
	return ERR_OK;
}

static enum err
resolve_paths(struct resolved *v)
{
	const char *old = text(v->r.doc, "home_dir");
	enum err e;

	if (old != NULL && strcmp(old, v->p->home) != 0)
		config_warn_at(&v->r, "home_dir", "ignored: the home is %s", v->p->home);
	e = directory(v, "data_dir", "data", &v->data_dir);
	return e != ERR_OK ? e : directory(v, "workspaces_dir", "workspaces", &v->workspaces_dir);
}

/* host:port or [v6]:port. */
static bool
split_address(const char *s, char *host, size_t cap, int *port)
{
	const char *colon = strrchr(s, ':');
	size_t n;
	long p;
	char *end;

	if (colon == NULL || !isdigit((unsigned char)colon[1]))
		return false;
	p = strtol(colon + 1, &end, 10);
	n = (size_t)(colon - s);
	if (*end != '\0' || p < 1 || p > 65535)
		return false;
	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	} else if (memchr(s, ':', n) != NULL) {
		return false;
	}
	if (n == 0 || n >= cap)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && strchr(".:-_", s[i]) == NULL)
			return false;
	snprintf(host, cap, "%.*s", (int)n, s);
	*port = (int)p;
	return true;
}

static enum err
say_listen(struct resolved *v, const char *what)
{
	return v->listen_from != NULL ? config_say(&v->r, ERR_INVALID, "%s: %s", v->listen_from, what)
	    : config_say_at(&v->r, "api_listen", "%s", what);
}

static enum err
resolve_listen(struct resolved *v, const struct config_over *over)
{
	const char *file = js_str(v->r.doc, "api_listen"), *env = config_env("LIBREFANG_LISTEN");

	if (over != NULL && over->listen != NULL && *over->listen != '\0') {
		v->listen = over->listen;
		v->listen_from = "--listen";
	} else if (env != NULL) {
		v->listen = env;
		v->listen_from = "LIBREFANG_LISTEN";
	} else {
		v->listen = file != NULL ? file : "127.0.0.1:4545";
	}
	if (!split_address(v->listen, v->host, sizeof(v->host), &v->port))
		return say_listen(v, "an address as 127.0.0.1:4545 is expected");
	return ERR_OK;
}

/* --- who may come in --------------------------------------------------------- */

static bool
is_key_hash(const char *s)
{
	uint8_t bytes[32];

	return strncmp(s, "$argon2", 7) == 0 || (strncmp(s, "$sha256$", 8) == 0 && hex_to(s + 8, bytes, 32));
}

static enum err
resolve_key(struct resolved *v)
{
	const char *s = config_env("LIBREFANG_API_KEY");
	uint8_t sum[32];
	size_t n;

	if (s == NULL)
		s = text(v->r.doc, "api_key");
	v->key_hash = text(v->r.doc, "api_key_hash");
	if (v->key_hash != NULL && !is_key_hash(v->key_hash))
		return config_say_at(&v->r, "api_key_hash", "$sha256$ with 64 hex digits, or an Argon2 hash, is expected");
	if (s == NULL)
		return ERR_OK;
	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		;
	if (n > 6 && strncmp(s, "vault:", 6) == 0) {
		v->key_vault = ctx_strndup(v->r.c, s + 6, n - 6);
		return v->key_vault != NULL ? ERR_OK : config_say(&v->r, ERR_NOMEM, "out of memory");
	}
	sha256(s, n, sum);
	hex_of(sum, sizeof(sum), v->key_sha);
	return ERR_OK;
}

/* Hashes of users; *any: somebody has a key. */
static enum err
check_users(struct resolved *v, bool *any)
{
	struct json_object *a = js_arr(v->r.doc, "users"), *names = new_object(&v->r);

	for (size_t i = 0, n = a != NULL ? json_object_array_length(a) : 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(a, i);
		const char *hash = text(o, "api_key_hash"), *name = text(o, "name");
		char path[64];

		snprintf(path, sizeof(path), "users[%zu].%s", i, name != NULL && hash != NULL ? "api_key_hash" : "name");
		if (name == NULL)
			return config_say_at(&v->r, path, "a name is expected");
		if (hash != NULL && !is_key_hash(hash))
			return config_say_at(&v->r, path, "$sha256$ with 64 hex digits, or an Argon2 hash, is expected");
		if (names == NULL || json_object_object_get_ex(names, name, NULL) ||
		    json_object_object_add(names, name, NULL) != 0)
			return config_say_at(&v->r, path, "another user has this name");
		*any |= hash != NULL;
	}
	return ERR_OK;
}

static bool
is_yes(const char *s)
{
	static const char *const yes[] = { "1", "true", "TRUE", "yes", "on" };

	for (size_t i = 0; s != NULL && i < ARRAY_LEN(yes); i++)
		if (strcmp(s, yes[i]) == 0)
			return true;
	return false;
}

static enum err
resolve_access(struct resolved *v)
{
	bool user_keys = false, master;
	enum err e = resolve_key(v);

	if (e == ERR_OK)
		e = check_users(v, &user_keys);
	master = v->key_sha[0] != '\0' || v->key_hash != NULL || v->key_vault != NULL;
	if (e == ERR_OK)
		e = config_dashboard(&v->r, master, &v->dashboard);
	if (e != ERR_OK)
		return e;
	v->allow_no_auth = is_yes(getenv("LIBREFANG_ALLOW_NO_AUTH"));
	v->open_mode = !master && !user_keys && v->dashboard.user == NULL;
	if (!v->open_mode)
		return ERR_OK;
	if (!v->allow_no_auth && !addr_is_loopback(v->host) && strcasecmp(v->host, "localhost") != 0)
		return say_listen(v, "others can reach this address, but no key is set: set api_key,"
		    " listen on 127.0.0.1, or set LIBREFANG_ALLOW_NO_AUTH=1");
	config_warn(&v->r, "%s: no api_key is set: %s", v->r.file, v->allow_no_auth ?
	    "everybody who reaches the server is its owner" : "whoever uses this machine is its owner");
	return ERR_OK;
}

/* --- the default provider ---------------------------------------------------- */

/* Is its program there, or, for Google Cloud, a login by gcloud and a project to use it for? */
static bool
program_is_there(const struct resolved *v, const struct provider *p)
{
	char path[4096];

	if (p->cli)
		return path_find(catalog_program(p->api_format), path, sizeof(path));
	return strcmp(p->api_format, "vertex_ai") == 0 && (catalog_google_login(path, sizeof(path)) || path_find("gcloud", path, sizeof(path))) &&
	    (text(js_obj(v->r.doc, "vertex_ai"), "project_id") != NULL || config_env("VERTEX_AI_PROJECT_ID") != NULL ||
	    config_env("GOOGLE_CLOUD_PROJECT") != NULL || config_env("GCLOUD_PROJECT") != NULL);
}

/* The configuration says where the key of its default provider is, and it is not where it usually is: no other counts. */
static bool
names_key(const struct config *view, const struct provider *p)
{
	return view->provider != NULL && strcmp(view->provider, p->id) == 0 && view->api_key_env != NULL &&
	    *view->api_key_env != '\0' && strcmp(view->api_key_env, p->api_key_env) != 0;
}

/* Does the environment hold a key for this provider? Noted in v->providers, and whether its program is there. */
static bool
note_provider(struct resolved *v, const struct config *view, const char *id)
{
	const struct provider *p = catalog_provider(id);
	struct json_object *o = js_obj(v->providers, id);
	char name[128];
	bool key, alt;

	if (o != NULL)
		return js_bool(o, "key_present", false) || js_bool(o, "alt", false);
	key = config_env(catalog_key_env(view, id, name)) != NULL;
	alt = p != NULL && p->alt_api_key_env != NULL && !names_key(view, p) && config_env(p->alt_api_key_env) != NULL;
	o = json_object_new_object();
	if (o == NULL || json_object_object_add(o, "key_present", json_object_new_boolean(key)) != 0 ||
	    json_object_object_add(o, "alt", json_object_new_boolean(alt)) != 0 ||
	    (p != NULL && program_is_there(v, p) && json_object_object_add(o, "program", json_object_new_boolean(true)) != 0) ||
	    json_object_object_add(v->providers, id, o) != 0)
		json_object_put(o);
	return key || alt;
}

/* All that the catalog or the configuration knows. */
static void
note_providers(struct resolved *v, const struct config *view)
{
	static const char *const maps[] = { "provider_urls", "provider_api_keys" };
	const struct provider *all;
	size_t n = catalog_providers(&all);

	for (size_t i = 0; i < n; i++)
		(void)note_provider(v, view, all[i].id);        /* noted is enough */
	if (view->provider != NULL)
		(void)note_provider(v, view, view->provider);
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		struct json_object *map = js_obj(v->r.doc, maps[i]);

		if (map == NULL)
			continue;
		json_object_object_foreach(map, id, value) {
			(void)value;
			(void)note_provider(v, view, id);
		}
	}
}

static bool
is_allowed(const struct resolved *v, const char *id)
{
	struct json_object *a = js_arr(js_obj(v->r.doc, "providers"), "allowed");
	size_t n = a != NULL ? json_object_array_length(a) : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(a, i)), id) == 0)
			return true;
	return n == 0;
}

/*
 * Could it be talked to with that key alone? Not one for speech, nor Copilot with whatever token of GitHub's is there, nor
 * Azure without an address.
 */
static bool
key_is_enough(const struct resolved *v, const struct config *view, const struct provider *p)
{
	if (strcmp(p->api_format, "azure_openai") == 0)
		return config_env("AZURE_OPENAI_ENDPOINT") != NULL || text(js_obj(v->r.doc, "azure_openai"), "endpoint") != NULL ||
		    text(view->provider_urls, p->id) != NULL;
	return strcmp(p->api_format, "elevenlabs") != 0 && strcmp(p->api_format, "copilot") != 0;
}

/* Could this one be the default: allowed, its key at hand, and a model known? */
static bool
is_candidate(struct resolved *v, const struct config *view, const char *id)
{
	const struct provider *p = catalog_provider(id);
	bool key = note_provider(v, view, id);

	return key && p != NULL && p->api_format != NULL && key_is_enough(v, view, p) &&
	    is_allowed(v, id) && (v->model != NULL || catalog_default_model(id) != NULL);
}

static const char *
pick_provider(struct resolved *v, const struct config *view)
{
	static const char *const order[] = {
		"openai", "anthropic", "gemini", "groq", "deepseek", "openrouter", "mistral",
		"together", "fireworks", "xai", "perplexity", "cohere", "azure-openai",
	};
	const struct provider *all;
	size_t n = catalog_providers(&all);

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (is_candidate(v, view, order[i]))
			return order[i];
	for (size_t i = 0; i < n; i++)
		if (!all[i].local && !all[i].cli && is_candidate(v, view, all[i].id))
			return all[i].id;
	if (v->ollama_model == NULL || !is_allowed(v, "ollama"))
		return "offline";
	if (v->model == NULL)
		v->model = v->ollama_model;
	return "ollama";
}

static enum err
resolve_provider(struct resolved *v)
{
	struct json_object *m = js_obj(v->r.doc, "default_model");
	const char *named = text(m, "provider");
	const struct provider *p = named != NULL ? catalog_provider_alias(named) : NULL;
	struct config view = {
		.provider_key_env = js_obj(v->r.doc, "provider_api_keys"),
		.provider_urls = js_obj(v->r.doc, "provider_urls"),
		.api_key_env = text(m, "api_key_env"),
		.base_url = text(m, "base_url"), .raw = v->r.doc,
	};

	v->providers = new_object(&v->r);
	if (v->providers == NULL)
		return config_say(&v->r, ERR_NOMEM, "out of memory");
	v->provider_cfg = named != NULL ? named : "auto";
	v->model = text(m, "model");
	if (strcmp(v->provider_cfg, "auto") != 0 && strcmp(v->provider_cfg, "default") != 0)
		view.provider = v->provider = p != NULL ? p->id : named;
	note_providers(v, &view);
	if (v->provider == NULL)
		v->provider = pick_provider(v, &view);
	else if (p == NULL && strcmp(named, "offline") != 0 && view.base_url == NULL &&
	    js_str(view.provider_urls, named) == NULL)
		config_warn_at(&v->r, "default_model.provider", "no such provider, and no base_url for it");
	if (view.provider == NULL && view.api_key_env != NULL && *view.api_key_env != '\0')
		config_warn_at(&v->r, "default_model.api_key_env", "ignored: it goes with a provider that is named, and this one is auto");
	if (strcmp(v->provider, "offline") == 0)
		v->model = "offline";
	if (v->model == NULL)
		v->model = catalog_default_model(v->provider);
	if (v->model == NULL) {
		config_warn_at(&v->r, "default_model.model", "this provider has no model of its own: name one");
		v->model = "";
	}
	return ERR_OK;
}

/* --- the whole --------------------------------------------------------------- */

static void
check_proxies(struct resolved *v)
{
	struct json_object *a = js_arr(v->r.doc, "trusted_proxies");

	for (size_t i = 0, n = a != NULL ? json_object_array_length(a) : 0; i < n; i++) {
		const char *net = json_object_get_string(json_object_array_get_idx(a, i));

		if (!network_ok(net))
			config_warn_at(&v->r, "trusted_proxies", "\"%.60s\" is no address and no network: nobody is trusted for it",
			    net);
	}
}

static enum err
check_rest(struct resolved *v)
{
	check_proxies(v);
	if (js_bool(v->r.doc, "network_enabled", false) &&
	    text(js_obj(v->r.doc, "network"), "shared_secret") == NULL)
		return config_say_at(&v->r, "network_enabled", "network.shared_secret must be set");
	return ERR_OK;
}

static void
write_users(const struct resolved *v, struct jw *w)
{
	struct json_object *a = js_arr(v->r.doc, "users");

	jw_array(w, "users");
	for (size_t i = 0, n = a != NULL ? json_object_array_length(a) : 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(a, i);

		jw_object(w, NULL);
		jw_str(w, "name", js_str(o, "name"));
		jw_str(w, "role", js_str_or(o, "role", "user"));
		jw_str(w, "key_hash", text(o, "api_key_hash"));
		jw_end(w);
	}
	jw_end(w);
}

static void
write_paths(const struct resolved *v, struct jw *w, bool exists)
{
	char db[8192];

	snprintf(db, sizeof(db), "%s/librefang-c.db", v->data_dir);
	jw_str(w, "home", v->p->home);
	jw_str(w, "data_dir", v->data_dir);
	jw_str(w, "db_path", db);
	jw_str(w, "workspaces_dir", v->workspaces_dir);
	jw_str(w, "config_path", v->p->config);
	jw_bool(w, "config_exists", exists);
	jw_str(w, "listen", v->listen);
	jw_str(w, "listen_host", v->host);
	jw_i64(w, "listen_port", v->port);
}

static void
write_snapshot(struct resolved *v, uint32_t generation, bool exists, struct buf *out)
{
	struct jw w = JW_INIT(out);
	struct json_object *listen = json_object_new_string(v->listen);

	jw_object(&w, NULL);
	jw_i64(&w, "generation", generation);
	write_paths(v, &w, exists);
	jw_str(&w, "key_sha256", v->key_sha[0] != '\0' ? v->key_sha : NULL);
	jw_str(&w, "key_hash", v->key_hash);
	jw_str(&w, "key_vault", v->key_vault);
	write_users(v, &w);
	config_dashboard_write(&v->dashboard, &w);
	jw_bool(&w, "open_mode", v->open_mode);
	jw_bool(&w, "allow_no_auth", v->allow_no_auth);
	jw_str(&w, "provider", v->provider);
	jw_str(&w, "model", v->model);
	jw_str(&w, "provider_cfg", v->provider_cfg);
	jw_json(&w, "providers", v->providers);
	if (listen != NULL && json_object_object_add(v->r.doc, "api_listen", listen) != 0)
		json_object_put(listen);
	config_redact(v->r.doc);
	jw_json(&w, "config", v->r.doc);
	jw_json(&w, "warnings", v->r.warnings);
	jw_end(&w);
}

static enum err
resolve(struct resolved *v, const struct config_over *over, const char *txt, size_t n, bool load_env)
{
	enum err e;

	v->r.warnings = json_keep(v->r.c, json_object_new_array());
	if (v->r.warnings == NULL)
		return config_say(&v->r, ERR_NOMEM, "out of memory");
	e = config_parse(&v->r, txt, n);
	if (e == ERR_OK)
		e = config_includes(&v->r, v->p);
	if (e == ERR_OK && load_env)
		config_load_env(&v->r, v->p);
	if (e == ERR_OK)
		e = resolve_paths(v);
	if (e == ERR_OK)
		e = resolve_listen(v, over);
	if (over != NULL && over->ollama_model != NULL && over->ollama_model[0] != '\0')
		v->ollama_model = over->ollama_model;
	if (e == ERR_OK)
		e = resolve_access(v);
	if (e == ERR_OK)
		e = resolve_provider(v);
	return e == ERR_OK ? check_rest(v) : e;
}

enum err
config_snapshot_text(const struct run_paths *p, const struct config_over *over, uint32_t generation,
    const char *txt, size_t n, bool exists, bool load_env, struct buf *out, char *msg, size_t cap)
{
	const char *slash = strrchr(p->config, '/');
	struct ctx c = { .arena = arena_new(16384) };
	struct resolved v = {
		.p = p,
		.r = { .c = &c, .file = slash != NULL ? slash + 1 : p->config, .msg = msg, .cap = cap },
	};
	enum err e = ERR_NOMEM;

	if (c.arena == NULL || !catalog_init())
		return config_say(&v.r, e, "out of memory");
	e = resolve(&v, over, txt, n, load_env);
	if (e == ERR_OK) {
		struct stat st;

		if (exists && v.key_sha[0] != '\0' && stat(p->config, &st) == 0 && (st.st_mode & 077) != 0)
			config_warn(&v.r, "%s can be read by others: its mode should be 0600", v.r.file);
		write_snapshot(&v, generation, exists, out);
		if (out->failed)
			e = config_say(&v.r, ERR_TOO_LARGE, "the configuration is too large");
	}
	arena_free(c.arena);
	return e;
}

enum err
config_file_snapshot(const struct run_paths *p, const struct config_over *over,
    uint32_t generation, struct buf *out, char *msg, size_t cap)
{
	struct buf b = BUF_INIT(CONFIG_BYTES_MAX);
	enum err e = buf_read_file(&b, p->config);
	bool exists = e != ERR_NOT_FOUND;

	if (cap > 0)
		msg[0] = '\0';
	if (e == ERR_TOO_LARGE)
		snprintf(msg, cap, "%s is larger than 1 MiB", p->config);
	else if (e != ERR_OK && exists)
		snprintf(msg, cap, "%s cannot be read: %s", p->config, strerror(errno));
	else
		e = config_snapshot_text(p, over, generation, b.p != NULL ? b.p : "", b.len, exists, true,
		    out, msg, cap);
	buf_zero_done(&b);
	return e;
}

/*
 * Where providers are, which is the default, whether they are asked for their models,
 * and pools of keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_write.h"
#include "daemon/dbpool.h"
#include "daemon/keys.h"
#include "daemon/live/agents.h"
#include "daemon/live/providers.h"
#include "daemon/probe.h"
#include "daemon/rest.h"
#include "lib/api/schemas.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/net/guard.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"
#include "lib/toml/toml.h"

struct reply providers_url_set(struct ctx *, const struct request *);
struct reply providers_default(struct ctx *, const struct request *);
struct reply providers_discovery(struct ctx *, const struct request *);
struct reply providers_pools(struct ctx *, const struct request *);

static const char *
quoted(struct ctx *c, const char *s)
{
	struct buf b = BUF_INIT(8192);
	const char *text;

	toml_quote(&b, s);
	text = b.failed ? NULL : ctx_strdup(c, b.p);
	buf_done(&b);
	return text;
}

/* --- addresses -------------------------------------------------------------------------- */

static enum err
bad_url(struct ctx *c, const char *why)
{
	return fail(c, ERR_BAD_REQUEST, "base_url: %s", why);
}

/* Host and port are what they must be, and lead to no place of a cloud's own: what a call would refuse is refused here. */
static enum err
host_checked(struct ctx *c, const char *host, size_t n, const char *port)
{
	struct addrs a = { .n = 0 };
	char name[256], why[160];
	long number;
	char *end;

	if (n == 0 || n >= sizeof(name))
		return bad_url(c, "a host is expected");
	snprintf(name, sizeof(name), "%.*s", (int)n, host);
	if (port != NULL) {
		number = strtol(port, &end, 10);
		if (end == port || (*end != '\0' && *end != '/') || number < 1 || number > 65535)
			return bad_url(c, "a port from 1 to 65535 is expected");
	}
	a.n = addr_canonical(name, a.text[0]);
	if (guard_secrets(name, &a, why, sizeof(why)) != ERR_OK)
		return bad_url(c, "this address is not one where a model could be");
	if ((name[0] == '[' && a.n == 0) || name[strspn(name, ".")] == '\0' ||
	    (name[0] != '[' && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != n))
		return bad_url(c, "a host is expected");
	return ERR_OK;
}

/* Without slashes at its end; of a bare host with /v1, but for Ollama. */
static enum err
url_checked(struct ctx *c, const char *id, const char *s, const char **ret)
{
	size_t scheme, n, host;
	const char *rest;
	enum err e;

	s = s != NULL ? text_trimmed(c, s) : "";
	scheme = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;
	if (scheme == 0)
		return bad_url(c, s[0] == '\0' ? "Missing or empty" : "http:// or https:// is expected");
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return bad_url(c, "no blanks may be in it");
	rest = s + scheme;
	if (strpbrk(rest, "?#@\\") != NULL)
		return bad_url(c, "no user, query or fragment may be in it");
	host = rest[0] == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":/");
	if (host > strlen(rest))
		return bad_url(c, "a host is expected");
	e = host_checked(c, rest, host, rest[host] == ':' ? rest + host + 1 : NULL);
	if (e != ERR_OK)
		return e;
	for (n = strlen(s); n > scheme + host && s[n - 1] == '/'; n--)
		;
	*ret = ctx_printf(c, "%.*s%s", (int)n, s, memchr(rest, '/', n - scheme) == NULL && strcmp(id, "ollama") != 0 ? "/v1" : "");
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* NULL: nothing was said; "": none. */
static enum err
proxy_checked(struct ctx *c, struct json_object *v, const char **ret)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
	const char *s = json_object_is_type(v, json_type_string) ? text_trimmed(c, json_object_get_string(v)) : NULL;

	*ret = s;
	if (s == NULL || s[0] == '\0')
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(s, schemes[i], strlen(schemes[i])) == 0 && s[strlen(schemes[i])] != '\0' && strpbrk(s, " \t\r\n") == NULL)
			return ERR_OK;
	return fail(c, ERR_BAD_REQUEST, "proxy_url: an address of http, https, socks5 or socks5h is expected");
}

static enum err
url_write(struct ctx *c, const char *id, const char *url, const char *proxy)
{
	bool of_default = c->cfg->base_url != NULL && strcmp(c->cfg->provider, id) == 0;
	struct config_change all[3] = { { .key = ctx_printf(c, "provider_urls.%s", id), .literal = quoted(c, url) } };
	size_t n = 1;

	if (of_default)                         /* it would count over the one that was given now */
		all[n++] = (struct config_change){ .key = "default_model.base_url", .literal = NULL };
	if (proxy != NULL)
		all[n++] = (struct config_change){ .key = ctx_printf(c, "provider_proxy_urls.%s", id),
		    .literal = proxy[0] != '\0' ? quoted(c, proxy) : NULL };
	return config_take(c, all, n);
}

static struct reply
moved(struct ctx *c, const struct probe *p, const struct probed *r)
{
	struct json_object *live = p->discovers && r->live != NULL ? json_stored(c, r->live) : NULL;
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "status", "saved");
	jw_str(w, "provider", p->id);
	jw_str(w, "base_url", p->base_url);
	jw_bool(w, "reachable", r->answered);
	jw_i64(w, "latency_ms", r->latency_ms);
	if (live != NULL) {
		jw_array(w, "discovered_models");
		write_names(w, live);
		jw_end(w);
		jw_json(w, "discovered_model_info", live);
	}
	jw_end(w);
	return reply_json(c, 200, w);
}

/* Somebody known, or a new one that speaks OpenAI's format. */
static enum err
whom(struct ctx *c, const char *id, const char *url, const char *proxy, struct probe *ret)
{
	const struct provider *p = catalog_provider(id);
	const char *key;
	char name[128];
	enum err e = ERR_OK;

	if (p != NULL && catalog_listed(c->cfg, p)) {
		e = probe_whom(c, id, ret);
	} else {
		key = p == NULL ? key_named(c, catalog_key_name(c->cfg, id, name)) : NULL;
		*ret = (struct probe){ .id = id, .format = p != NULL ? ctx_strdup(c, p->api_format) : "openai", .key = key != NULL ? key : "",
		    .custom = p == NULL, .local = p != NULL && p->local, .discovers = p != NULL && catalog_discovers(p) };
	}
	ret->base_url = url;
	if (proxy != NULL)
		ret->proxy = proxy[0] != '\0' ? proxy : NULL;
	return e;
}

struct reply
providers_url_set(struct ctx *c, const struct request *rq)
{
	const struct url_request *in = rq->body_struct;
	const char *id, *url = NULL, *proxy = NULL;
	struct probed r;
	struct probe p;
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK)
		e = url_checked(c, id, in->base_url != NULL ? in->base_url : in->url, &url);
	if (e == ERR_OK)
		e = proxy_checked(c, in->proxy_url, &proxy);
	if (e == ERR_OK)
		e = whom(c, id, url, proxy, &p);
	if (e != ERR_OK)
		return reply_fail(c);
	probe_ask(c, &p, &r);
	if (r.forbidden) {
		ignore_err(bad_url(c, "its name leads to an address where no model could be"));
		return reply_fail(c);
	}
	e = url_write(c, id, url, proxy);
	if (e == ERR_OK)
		e = provider_enable(c, id);
	if (e == ERR_OK)
		e = probe_note(c, &p, &r, true);
	return e == ERR_OK ? moved(c, &p, &r) : reply_fail(c);
}

/* --- the default -------------------------------------------------------------------------- */

/* The model that was asked for, or the provider's usual one. */
static enum err
default_model(struct ctx *c, const char *id, const char *asked, const char **ret)
{
	const struct provider *p = catalog_provider(id);
	const struct model *m;

	if (asked == NULL) {
		*ret = catalog_default_model(id);
		return *ret != NULL ? ERR_OK : fail(c, ERR_BAD_REQUEST, "Provider '%s' has no model of its own: name one", id);
	}
	if (text_blank(asked) || strchr(asked, ' ') != NULL || text_control(asked))
		return fail(c, ERR_BAD_REQUEST, "model: a name without blanks and control characters is expected");
	m = catalog_model(id, asked);
	if (m != NULL && strcmp(m->provider, id) == 0) {
		*ret = m->id;
		return ERR_OK;
	}
	*ret = asked;
	if (p != NULL && strcmp(id, "openrouter") == 0 && catalog_state(id)->live != NULL)
		return fail(c, ERR_BAD_REQUEST, "OpenRouter does not offer '%.128s'", asked);
	if (p == NULL || p->local || catalog_discovers(p) || p->model_count == 0)
		return ERR_OK;                          /* what it has, only it knows */
	return fail(c, ERR_BAD_REQUEST, "Provider '%s' has no model '%.128s'", id, asked);
}

struct reply
providers_default(struct ctx *c, const struct request *rq)
{
	const struct default_request *in = rq->body_struct;
	const char *id, *model = NULL;
	struct config_change all[4];
	struct provider own;
	char env[128];
	struct jw *w;
	size_t n = 0;
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK && catalog_provider(id) == NULL && !catalog_provider_custom(c->cfg, id, &own))
		e = fail_code(c, ERR_NOT_FOUND, "provider_not_found", "Provider '%s' not found", id);
	if (e == ERR_OK)
		e = default_model(c, id, in->model, &model);
	if (e != ERR_OK)
		return reply_fail(c);
	model = ctx_strdup(c, model);
	all[n++] = (struct config_change){ .key = "default_model.provider", .literal = quoted(c, id) };
	all[n++] = (struct config_change){ .key = "default_model.model", .literal = quoted(c, model) };
	if (strcmp(c->cfg->provider, id) != 0) {        /* they are another provider's */
		all[n++] = (struct config_change){ .key = "default_model.base_url", .literal = NULL };
		all[n++] = (struct config_change){ .key = "default_model.api_key_env", .literal = NULL };
	}
	if (config_take(c, all, n) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "updated");
	jw_str(w, "provider", id);
	jw_str(w, "model", model);
	jw_str(w, "api_key_env", catalog_key_env(c->cfg, id, env));
	jw_bool(w, "persisted", true);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- discovery -------------------------------------------------------------------------------- */

struct reply
providers_discovery(struct ctx *c, const struct request *rq)
{
	const struct discovery_request *in = rq->body_struct;
	const char *id;
	struct jw *w;
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK && !provider_shown(c, id))
		e = fail_code(c, ERR_NOT_FOUND, "provider_not_found", "Provider '%s' not found", id);
	if (e == ERR_OK)
		e = provider_discover(c, id, in->discover_models);
	if (e == ERR_OK)
		e = catalog_changed(c);
	if (e != ERR_OK)
		return reply_fail(c);
	if (in->discover_models && (catalog_provider(id) == NULL || auth_available(catalog_auth_status(c->cfg, id))))
		probe_later(c, id);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_str(w, "provider", id);
	jw_bool(w, "discover_models", in->discover_models);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- pools of keys ------------------------------------------------------------------------------ */

static void
write_key(struct ctx *c, struct jw *w, const struct pool_key *k)
{
	size_t n = k->key != NULL ? strlen(k->key) : 0;

	jw_object(w, NULL);
	jw_str(w, "label", k->label);
	jw_str(w, "key_hint", n >= 12 ? ctx_printf(c, "****%s", k->key + n - 4) : "****");
	jw_i64(w, "priority", k->priority);
	jw_i64(w, "request_count", k->requests);
	jw_bool(w, "is_exhausted", k->until_ms > c->now_ms);
	if (k->until_ms == REST_FOR_GOOD)
		jw_str(w, "cooldown_remaining_secs", "permanent");
	else if (k->until_ms > c->now_ms)
		jw_i64(w, "cooldown_remaining_secs", (k->until_ms - c->now_ms + 999) / 1000);
	else
		jw_null(w, "cooldown_remaining_secs");
	jw_end(w);
}

static void
write_pool(struct ctx *c, struct jw *w, const struct key_pool *p)
{
	int64_t good = 0;

	for (size_t i = 0; i < p->n; i++)
		good += p->keys[i].key != NULL && p->keys[i].until_ms <= c->now_ms;
	jw_object(w, NULL);
	jw_str(w, "provider", p->provider);
	jw_str(w, "strategy", p->strategy);
	jw_i64(w, "available_count", good);
	jw_i64(w, "total_count", (int64_t)p->n);
	jw_array(w, "credentials");
	for (size_t i = 0; i < p->n; i++)
		write_key(c, w, &p->keys[i]);
	jw_end(w);
	jw_end(w);
}

struct reply
providers_pools(struct ctx *c, const struct request *rq)
{
	struct json_object *all = js_arr(c->cfg->raw, "credential_pools");
	struct jw *w = reply_open(c);
	struct key_pool p;

	(void)rq;
	jw_array(w, NULL);
	for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++) {
		if (pool_read(c, json_object_array_get_idx(all, i), &p) != ERR_OK)
			return reply_fail(c);
		write_pool(c, w, &p);
	}
	jw_end(w);
	return reply_json(c, 200, w);
}

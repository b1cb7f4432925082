/*
 * Keys of providers, and tests of them. A key goes into the vault under the name of
 * its variable; what others see of it is a row that says that it is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_write.h"
#include "daemon/embedding.h"
#include "daemon/keys.h"
#include "daemon/live/agents.h"
#include "daemon/live/providers.h"
#include "daemon/probe.h"
#include "lib/api/schemas.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/net/http.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"
#include "lib/svc/vault.h"

struct reply providers_key_set(struct ctx *, const struct request *);
struct reply providers_key_drop(struct ctx *, const struct request *);
struct reply providers_test(struct ctx *, const struct request *);
struct reply providers_enable(struct ctx *, const struct request *);
struct reply providers_ollama(struct ctx *, const struct request *);

enum err
provider_named(struct ctx *c, const struct request *rq, const char **ret)
{
	const struct path_arg *a = path_arg_n(rq, "name");

	*ret = a->value;
	if (a->n > 0 && a->n <= 64 && strspn(a->value, "abcdefghijklmnopqrstuvwxyz0123456789-_") == a->n)
		return ERR_OK;
	return fail(c, ERR_BAD_REQUEST, "A provider's name is of a-z, 0-9, - and _, at most 64");
}

/* Of the catalog, or with an address of its own. */
static bool
is_known(struct ctx *c, const char *id)
{
	struct provider own;

	return catalog_provider(id) != NULL || catalog_provider_custom(c->cfg, id, &own);
}

bool
provider_shown(struct ctx *c, const char *id)
{
	const struct provider *p = catalog_provider(id);
	struct provider own;

	return p != NULL ? catalog_listed(c->cfg, p) : catalog_provider_custom(c->cfg, id, &own);
}

/* --- keys --------------------------------------------------------------------------- */

/* Without the blanks around it; NULL: it cannot be a key, or no memory; c says which. */
static const char *
key_checked(struct ctx *c, const struct key_request *in)
{
	const char *s = in->key != NULL ? in->key : in->api_key;
	size_t n;

	if (s == NULL || text_blank(s)) {
		ignore_err(fail(c, ERR_BAD_REQUEST, "Missing or empty 'key' field"));
		return NULL;
	}
	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL; n--)
		;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || (i == 0 && (s[i] == '"' || s[i] == '\''))) {
			ignore_err(fail(c, ERR_BAD_REQUEST, "key: one line is expected, without quotes around it"));
			return NULL;
		}
	s = secret_keep(c, s, n);
	if (s == NULL)
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
	return s;
}

/* The variable of a name that nobody knows must be one. */
static bool
name_fits(struct ctx *c, const char *id, char env[static 128])
{
	catalog_key_name(c->cfg, id, env);
	if (is_known(c, id))
		return true;
	return env[0] >= 'A' && env[0] <= 'Z' && strlen(env) <= 64;
}

/* Its usual model; of OpenRouter the first that costs nothing, as whoever comes with a key need not have paid yet. */
static const char *
first_model(const char *id)
{
	const struct model *all;
	size_t n = strcmp(id, "openrouter") == 0 ? catalog_models(&all) : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].provider, id) == 0 && strcmp(all[i].modality, "text") == 0 && all[i].pricing_known &&
		    all[i].input_cost_per_m == 0 && all[i].output_cost_per_m == 0)
			return all[i].id;
	return catalog_default_model(id);
}

/* The default provider cannot be used, and this one could be. */
static bool
should_switch(struct ctx *c, const char *id, const char **ret_model)
{
	const struct provider *p = catalog_provider(id);
	bool chosen = strcmp(c->cfg->provider_cfg, "auto") != 0 && strcmp(c->cfg->provider_cfg, "default") != 0;
	bool lacks = !chosen ? strcmp(c->cfg->provider, "offline") == 0
	    : !auth_available(catalog_auth_status(c->cfg, c->cfg->provider));

	*ret_model = first_model(id);
	return lacks && strcmp(c->cfg->provider, id) != 0 && p != NULL && llm_speaks(p->api_format) && *ret_model != NULL;
}

static enum err
switch_default(struct ctx *c, const char *id, const char *model)
{
	const struct config_change all[] = {
		{ .key = "default_model.provider", .literal = ctx_printf(c, "\"%s\"", id) }, { .key = "default_model.model", .literal = ctx_printf(c, "\"%s\"", model) },
		{ .key = "default_model.base_url", .literal = NULL }, { .key = "default_model.api_key_env", .literal = NULL },
	};

	return config_take(c, all, ARRAY_LEN(all));
}

static struct reply
saved(struct ctx *c, const char *id, const char *model)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "status", "saved");
	jw_str(w, "provider", id);
	if (model != NULL) {
		jw_bool(w, "switched_default", true);
		jw_str(w, "message", ctx_printf(c, "%s is the default provider now, with %s", id, model));
		jw_str(w, "new_model", model);
	}
	jw_end(w);
	return reply_json(c, 200, w);
}

/* Of a provider, or its key: others learn of it. */
static enum err
changed(struct ctx *c)
{
	enum err e = catalog_changed(c);

	embedding_tell(c);
	return e;
}

struct reply
providers_key_set(struct ctx *c, const struct request *rq)
{
	const struct key_request *in = rq->body_struct;
	const char *id, *key = NULL, *model = NULL;
	char env[128];
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK)
		e = config_open(c);             /* who may not choose the default may not give it a key either */
	if (e == ERR_OK && !name_fits(c, id, env))
		e = fail(c, ERR_BAD_REQUEST, "No name of a key can be made of '%s'", id);
	if (e == ERR_OK && (key = key_checked(c, in)) == NULL)
		e = c->fault.err;
	if (e == ERR_OK)
		e = vault_set(c, env, key);
	request_wipe(rq, in->key);
	request_wipe(rq, in->api_key);
	if (e == ERR_OK)
		e = provider_key_noted(c, id, true, false);
	if (e == ERR_OK)
		e = changed(c);
	if (e != ERR_OK)
		return reply_fail(c);
	if (should_switch(c, id, &model))
		e = switch_default(c, id, model);
	else
		model = NULL;
	if (e != ERR_OK)
		return reply_fail(c);
	if (is_known(c, id))
		probe_later(c, id);
	return saved(c, id, model);
}

struct reply
providers_key_drop(struct ctx *c, const struct request *rq)
{
	const char *id;
	struct provider own;
	char env[128];
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK) {
		catalog_key_name(c->cfg, id, env);
		e = vault_name_ok(env) ? vault_remove(c, env) : ERR_OK;
		e = e == ERR_NOT_FOUND ? ERR_OK : e;
	}
	if (e == ERR_OK && (is_known(c, id) || catalog_state(id)->key_set))
		e = provider_key_noted(c, id, false, true);
	if (e == ERR_OK && catalog_provider_custom(c->cfg, id, &own))
		e = provider_auth(c, id, "invalid_key");        /* it had one, so it wants one */
	if (e == ERR_OK)
		e = changed(c);
	return e == ERR_OK ? reply_empty(c) : reply_fail(c);
}

struct reply
providers_enable(struct ctx *c, const struct request *rq)
{
	const char *id;
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK && !provider_shown(c, id))
		e = fail_code(c, ERR_NOT_FOUND, "provider_not_found", "Provider '%s' not found", id);
	if (e == ERR_OK)
		e = provider_enable(c, id);
	if (e == ERR_OK)
		e = changed(c);
	if (e != ERR_OK)
		return reply_fail(c);
	probe_later(c, id);
	return reply_words(c, 200, "status", "enabled", "provider", id, NULL);
}

/* --- tests ------------------------------------------------------------------------------ */

static struct reply
test_program(struct ctx *c, const struct probe *p)
{
	const char *program = catalog_program(p->format);
	char path[4096];

	if (path_find(program, path, sizeof(path)))
		return reply_words(c, 200, "status", "ok", "provider", p->id, "note", ctx_printf(c, "%s is installed", program), NULL);
	return reply_words(c, 200, "status", "error", "provider", p->id, "error", ctx_printf(c, "%s is not installed", program),
	    "code", "not_installed", NULL);
}

static struct reply
tested(struct ctx *c, const struct probe *p, const struct probed *r)
{
	struct json_object *live = r->live != NULL ? json_stored(c, r->live) : NULL;
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "status", r->error == LLM_OK ? "ok" : "error");
	jw_str(w, "provider", p->id);
	if (r->error != LLM_OK) {
		jw_str(w, "error", r->why);
		jw_str(w, "code", r->error == LLM_UPSTREAM ? "unreachable" : llm_error_code(r->error));
	}
	if (r->answered || p->local)
		jw_i64(w, "latency_ms", r->latency_ms);
	if (p->discovers && live != NULL) {
		jw_i64(w, "discovered_models", (int64_t)json_object_array_length(live));
		jw_i64(w, "models_refreshed", (int64_t)json_object_array_length(live));
	}
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
providers_test(struct ctx *c, const struct request *rq)
{
	const char *id;
	struct probed r;
	struct probe p = { .id = NULL };
	enum err e = provider_named(c, rq, &id);

	if (e == ERR_OK)
		e = probe_whom(c, id, &p);
	if (e == ERR_OK && p.cli)
		return test_program(c, &p);
	if (e == ERR_OK && strcmp(p.format, "offline") == 0)
		return reply_words(c, 200, "status", "ok", "provider", id, "note", "it is built in", NULL);
	if (e == ERR_OK && p.base_url == NULL)
		e = fail(c, ERR_BAD_REQUEST, "Provider '%s' has no base URL", id);
	if (e == ERR_OK && p.key_required && p.key[0] == '\0' && !auth_available(catalog_auth_status(c->cfg, id)))
		e = c->fault.code != NULL && strncmp(c->fault.code, "vault_", 6) == 0 ? c->fault.err
		    : fail(c, ERR_BAD_REQUEST, "Provider '%s' needs a key, and has none", id);
	if (e == ERR_OK && strcmp(p.format, "bedrock_converse") == 0)
		return reply_words(c, 200, "status", "ok", "provider", id, "note", "a key is there; it is tried with the first call", NULL);
	if (e != ERR_OK)
		return reply_fail(c);
	probe_key(c, &p, &r);
	if (probe_note(c, &p, &r, true) != ERR_OK)
		return reply_fail(c);
	return tested(c, &p, &r);
}

/* --- is there an Ollama? -------------------------------------------------------------------- */

void
write_names(struct jw *w, struct json_object *live)
{
	for (size_t i = 0; live != NULL && i < json_object_array_length(live); i++)
		jw_str(w, NULL, js_str_or(json_object_array_get_idx(live, i), "name", ""));
}

struct reply
providers_ollama(struct ctx *c, const struct request *rq)
{
	struct probe p;
	struct probed r = { .error = LLM_UPSTREAM };
	struct jw *w;

	(void)rq;
	if (probe_whom(c, "ollama", &p) == ERR_OK && p.base_url != NULL)
		probe_ask(c, &p, &r);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "available", r.error == LLM_OK && r.status == 200 && r.live != NULL);
	jw_array(w, "models");
	if (r.live != NULL)
		write_names(w, json_stored(c, r.live));
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

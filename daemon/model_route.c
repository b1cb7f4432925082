/*
 * From an agent's model to a provider's address and key.
 *
 * The key is looked for where the agent says, then where the configuration
 * says for its default model, then where the catalog says.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/turn.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

static const char *
env_text(const char *name)
{
	const char *v = name == NULL || name[0] == '\0' ? NULL : getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static const char *
key_of(struct ctx *c, const char *provider, bool is_default, struct json_object *mm)
{
	const struct provider *p = catalog_provider(provider);
	char name[128];
	const char *v = env_text(js_str(mm, "api_key_env"));

	if (v == NULL && is_default)
		v = env_text(c->cfg->api_key_env);
	if (v == NULL)
		v = env_text(catalog_key_env(c->cfg, provider, name));
	if (v == NULL && p != NULL)
		v = env_text(p->alt_api_key_env);
	return v;
}

static const char *
base_of(struct ctx *c, const struct provider *p, const char *provider, bool is_default, struct json_object *mm)
{
	const char *v = js_str(mm, "base_url");

	if (v == NULL && is_default)
		v = c->cfg->base_url;
	if (v == NULL && c->cfg->provider_urls != NULL)
		v = js_str(c->cfg->provider_urls, provider);
	return v != NULL ? v : p != NULL ? p->base_url : NULL;
}

enum err
model_route(struct ctx *c, const char *provider, const char *model, struct json_object *mm, struct model_route *ret)
{
	const struct provider *p = catalog_provider_alias(provider);
	bool is_default = strcmp(provider, c->cfg->provider) == 0;
	const struct model *known;

	if (p != NULL)
		provider = p->id;
	known = catalog_model(provider, model);
	ret->provider = provider;
	ret->model = known != NULL ? known->id : model;
	ret->format = p != NULL && p->api_format != NULL ? p->api_format : "openai";
	ret->base_url = base_of(c, p, provider, is_default, mm);
	ret->api_key = key_of(c, provider, is_default, mm);
	if (strcmp(ret->format, "offline") == 0)
		return ERR_OK;
	if (ret->api_key == NULL && (p == NULL ? js_str(mm, "api_key_env") != NULL : p->key_required))
		return fail_code(c, ERR_PRECONDITION, "provider_auth_missing",
		    "API key not configured for this provider (provider: %s)", provider);
	if (ret->api_key == NULL)
		ret->api_key = "";
	if (ret->base_url == NULL || ret->base_url[0] == '\0')
		return fail_code(c, ERR_PRECONDITION, "provider_not_configured", "No address is known for provider %s",
		    provider);
	return ERR_OK;
}

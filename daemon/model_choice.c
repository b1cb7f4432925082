/*
 * A model by its name: whose it is, and what of the old one's settings goes.
 */
#include "daemon/model_choice.h"

#include <string.h>
#include <strings.h>

#include "daemon/spawn.h"
#include "lib/svc/catalog.h"

enum { NAME_BYTES = 256 };

enum err
model_name_ok(struct ctx *c, const char *what, const char *name)
{
	size_t n = name != NULL ? strlen(name) : 0;

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return fail(c, ERR_BAD_REQUEST, "%s: the name holds a control character", what);
	return n <= NAME_BYTES ? ERR_OK : fail(c, ERR_BAD_REQUEST, "%s: at most %d bytes are expected", what, NAME_BYTES);
}

static bool
blank(const char *s)
{
	return s == NULL || s[strspn(s, " \t\r\n")] == '\0';
}

/* Families of models that one provider makes, by how their names begin; NULL: it is none of those. */
static const char *
maker_of(const char *model)
{
	static const struct { const char *begins, *provider; } families[] = {
		{ "claude-", "anthropic" }, { "gpt-", "openai" }, { "chatgpt-", "openai" }, { "o1", "openai" }, { "o3", "openai" }, { "o4", "openai" },
		{ "gemini-", "gemini" }, { "deepseek-", "deepseek" }, { "mistral-", "mistral" }, { "ministral-", "mistral" },
		{ "codestral-", "mistral" }, { "devstral-", "mistral" }, { "magistral-", "mistral" }, { "pixtral-", "mistral" },
		{ "command-", "cohere" }, { "grok-", "xai" }, { "sonar", "perplexity" }, { "kimi-", "moonshot" }, { "moonshot-", "moonshot" },
		{ "minimax-", "minimax" }, { "qwen-", "qwen" },
	};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		size_t n = strlen(families[i].begins);

		if (strncasecmp(model, families[i].begins, n) == 0 && (families[i].begins[n - 1] == '-' || model[n] == '\0' || model[n] == '-'))
			return catalog_provider(families[i].provider) != NULL ? families[i].provider : NULL;
	}
	return NULL;
}

/* Whose is it? */
static const char *
provider_for(struct ctx *c, struct json_object *mm, const char *model)
{
	const struct model *known = catalog_model(NULL, model);
	const char *slash = strchr(model, '/'), *named;

	if (known != NULL && js_str(mm, "base_url") == NULL)
		return known->provider;
	named = slash != NULL ? ctx_strndup(c, model, (size_t)(slash - model)) : NULL;
	if (named != NULL && catalog_provider_alias(named) != NULL)
		return named;
	if (slash == NULL && js_str(mm, "base_url") == NULL && (named = maker_of(model)) != NULL)
		return named;
	return ctx_strdup(c, js_str_or(mm, "provider", "default"));     /* a copy: what it points into is replaced */
}

enum err
model_choose(struct ctx *c, const struct agent *a, const char **model, const char **provider)
{
	struct json_object *m = NULL, *mm;
	enum err e = model_name_ok(c, "model", *model);
	size_t n;

	if (e == ERR_OK)
		e = model_name_ok(c, "provider", *provider);
	if (e != ERR_OK)
		return e;
	if (json_object_deep_copy(a->manifest, &m, NULL) != 0 || json_keep(c, m) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if ((mm = js_obj(m, "model")) == NULL)
		json_object_object_add(m, "model", mm = json_object_new_object());
	if (blank(*provider) && (*provider = provider_for(c, mm, *model)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	n = strlen(*provider);
	if (strncmp(*model, *provider, n) == 0 && (*model)[n] == '/')
		*model += n + 1;
	if (strcmp(*provider, js_str_or(mm, "provider", "default")) != 0) {
		json_object_object_del(mm, "api_key_env");
		json_object_object_del(mm, "base_url");
	}
	json_object_object_add(mm, "model", json_object_new_string(*model));
	json_object_object_add(mm, "provider", json_object_new_string(*provider));
	return agent_update(c, a, m);
}

/*
 * One agent, read: by id or name, and its detail as the API shows it.
 *
 * Someone below admin finds only agents whose author they are; for them others
 * do not exist, which is why the author stands in every WHERE. Lists are in agent_list.c.
 */
#include "lib/svc/agent.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/agent_family.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"
#include "lib/svc/agent_rows.h"

enum err
agent_id_arg(struct ctx *c, const char *raw, size_t n, char out[static 37])
{
	if (strnlen(raw, n + 1) != n || !uuid_parse(raw, out))
		return fail_code(c, ERR_BAD_REQUEST, "invalid_agent_id", "Invalid agent ID");
	return ERR_OK;
}

static bool
is_default(const char *s)
{
	return s == NULL || *s == '\0' || strcmp(s, "default") == 0;
}

void
agent_resolve(const struct config *cfg, const char **provider, const char **model)
{
	if (is_default(*provider))
		*provider = cfg != NULL && cfg->provider != NULL ? cfg->provider : "offline";
	if (is_default(*model))
		*model = cfg != NULL && cfg->model != NULL ? cfg->model : "offline";
}

void
agent_resolved_model(const struct ctx *c, const struct agent *a, const char **provider,
    const char **model)
{
	*provider = a->provider;
	*model = a->model;
	agent_resolve(c->cfg, provider, model);
}

/* --- loading ------------------------------------------------------------------ */

static enum err
take_row(struct ctx *c, struct stmt *st, struct agent *ret)
{
	bool found = db_step(st);

	if (!found)
		return db_end(st) != ERR_OK ? fail_db(c, st) :
		    fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
	*ret = (struct agent){
		.id = col_text(c, st, "id"),
		.name = col_text(c, st, "name"),
		.state = col_text(c, st, "state"),
		.mode = col_text(c, st, "mode"),
		.author = col_text(c, st, "author"),
		.description = col_text(c, st, "description"),
		.provider = col_text(c, st, "provider"),
		.model = col_text(c, st, "model"),
		.manifest_toml = col_text(c, st, "manifest_toml"),
		.manifest = json_shared(c, col_text(c, st, "manifest")),
		.identity = json_shared(c, col_text(c, st, "identity")),
		.template_name = col_text(c, st, "template"),
		.parent_id = col_text(c, st, "parent_id"),
		.session_id = col_text(c, st, "session_id"),
		.session_model = col_text(c, st, "session_model"),
		.stable = col_i64(st, "stable") != 0,
		.is_hand = col_i64(st, "is_hand") != 0,
		.has_processed = col_i64(st, "has_processed") != 0,
		.created_ms = col_i64(st, "created_ms"),
		.last_active_ms = col_i64(st, "last_active_ms"),
	};
	if (ret->id == NULL || ret->name == NULL || ret->session_id == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

enum err
agent_load(struct ctx *c, const char *id, struct agent *ret)
{
	const char *author = caller_scope(c);

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, name, state, mode, stable, author, description, provider, model, "
	    "manifest_toml, manifest, identity, template, is_hand, parent_id, session_id, "
	    "has_processed, created_ms, last_active_ms, "
	    "(SELECT model_override FROM session s WHERE s.id = agent.session_id) AS session_model FROM agent "
	    "WHERE id = ? AND lower(author) = lower(coalesce(?, author))"));

	bind_text(st, id);
	bind_text(st, author);
	return take_row(c, st, ret);
}

enum err
agent_load_by_name(struct ctx *c, const char *name, struct agent *ret)
{
	const char *author = caller_scope(c);

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, name, state, mode, stable, author, description, provider, model, "
	    "manifest_toml, manifest, identity, template, is_hand, parent_id, session_id, "
	    "has_processed, created_ms, last_active_ms, "
	    "(SELECT model_override FROM session s WHERE s.id = agent.session_id) AS session_model FROM agent "
	    "WHERE name = ? AND lower(author) = lower(coalesce(?, author))"));

	bind_text(st, name);
	bind_text(st, author);
	return take_row(c, st, ret);
}

/* --- pieces of a manifest --------------------------------------------------------- */

static const char *
schedule_text(struct ctx *c, struct json_object *manifest)
{
	struct json_object *s = js_get(manifest, "schedule"), *kind;

	if ((kind = js_obj(s, "periodic")) != NULL)
		return js_str_or(kind, "cron", "");
	if (js_get(s, "proactive") != NULL)
		return "proactive";
	if ((kind = js_obj(s, "continuous")) != NULL)
		return ctx_printf(c, "continuous \xc2\xb7 %llds",
		    (long long)js_i64(kind, "check_interval_secs", 300));
	return "manual";
}

char *
agent_list_fragment(struct ctx *c, struct json_object *manifest)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	jw_str(&w, "profile", js_str(manifest, "profile"));
	jw_str(&w, "schedule", schedule_text(c, manifest));
	jw_str(&w, "web_search_augmentation", js_str_or(manifest, "web_search_augmentation", "auto"));
	agent_write_list(&w, "tags", js_arr(manifest, "tags"));
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

void
agent_write_identity(struct jw *w, struct json_object *o)
{
	jw_object(w, "identity");
	jw_str(w, "emoji", js_str(o, "emoji"));
	jw_str(w, "avatar_url", js_str(o, "avatar_url"));
	jw_str(w, "color", js_str(o, "color"));
	jw_end(w);
}

/* --- the detail ------------------------------------------------------------------------ */

static void
write_number(struct jw *w, struct json_object *o, const char *key)
{
	struct json_object *v = js_get(o, key);

	if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
		jw_json(w, key, v);
	else
		jw_null(w, key);
}

static void
write_model(struct ctx *c, const struct agent *a, struct jw *w)
{
	static const char *const numbers[] = {
		"max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty",
		"context_window", "max_output_tokens",
	};
	struct json_object *m = js_obj(a->manifest, "model");
	const char *provider, *model;

	agent_resolved_model(c, a, &provider, &model);
	jw_str(w, "model_provider", provider);
	jw_str(w, "model_name", model);
	jw_object(w, "model");
	jw_str(w, "provider", provider);
	jw_str(w, "model", model);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		write_number(w, m, numbers[i]);
	jw_end(w);
}

static void
write_fallbacks(const struct agent *a, struct jw *w)
{
	struct json_object *list = js_arr(a->manifest, "fallback_models");

	if (list == NULL) {
		jw_null(w, "fallback_models");
		return;
	}
	jw_array(w, "fallback_models");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *f = json_object_array_get_idx(list, i);

		if (!json_object_is_type(f, json_type_object))
			continue;
		jw_object(w, NULL);
		jw_str(w, "provider", js_str_or(f, "provider", ""));
		jw_str(w, "model", js_str_or(f, "model", ""));
		jw_str(w, "api_key_env", js_str(f, "api_key_env"));
		jw_str(w, "base_url", js_str(f, "base_url"));
		jw_end(w);
	}
	jw_end(w);
}

/* About four bytes make a token. */
static int64_t
footprint_tokens(const struct agent *a)
{
	struct json_object *list = js_arr(a->manifest, "context_injection");
	size_t bytes = 0;

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
		bytes += strlen(js_str_or(json_object_array_get_idx(list, i), "content", ""));
	return (int64_t)((bytes + 3) / 4);
}

void
agent_write_detail(struct ctx *c, const struct agent *a, struct jw *w)
{
	struct json_object *m = a->manifest, *can = js_obj(m, "capabilities");

	jw_object(w, NULL);
	jw_str(w, "id", a->id);
	jw_str(w, "name", a->name);
	jw_bool(w, "is_hand", a->is_hand);
	jw_str(w, "state", a->state);
	jw_str(w, "mode", a->mode);
	jw_str(w, "profile", js_str(m, "profile"));
	jw_time(w, "created_at", a->created_ms);
	jw_time(w, "last_active", a->last_active_ms);
	jw_str(w, "session_id", a->session_id);
	write_model(c, a, w);
	jw_object(w, "capabilities");
	agent_write_list(w, "tools", js_arr(can, "tools"));
	agent_write_list(w, "network", js_arr(can, "network"));
	jw_end(w);
	jw_str(w, "system_prompt", js_str_or(js_obj(m, "model"), "system_prompt", ""));
	jw_str(w, "description", a->description);
	jw_str(w, "source_template", a->template_name);
	agent_write_list(w, "tags", js_arr(m, "tags"));
	agent_write_identity(w, a->identity);
	jw_str(w, "schedule", schedule_text(c, m));
	agent_write_assigned(a->manifest, w);
	jw_bool(w, "tools_disabled", js_bool(m, "tools_disabled", false));
	write_fallbacks(a, w);
	jw_bool(w, "auto_evolve", js_bool(m, "auto_evolve", true));
	jw_str(w, "web_search_augmentation", js_str_or(m, "web_search_augmentation", "auto"));
	jw_i64(w, "injected_footprint_tokens", footprint_tokens(a));
	agent_write_family(c, a->id, a->parent_id, w);
	jw_end(w);
}

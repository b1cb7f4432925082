/*
 * Changing the catalog: names, models, settings. Each change is committed,
 * then the tables are made anew and the workers told.
 */
#include <string.h>
#include <strings.h>

#include "daemon/aliases.h"
#include "daemon/live/agents.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"

struct reply models_alias_add(struct ctx *, const struct request *);
struct reply models_alias_drop(struct ctx *, const struct request *);
struct reply models_custom_add(struct ctx *, const struct request *);
struct reply models_custom_drop(struct ctx *, const struct request *);
struct reply models_settings_put(struct ctx *, const struct request *);
struct reply models_settings_drop(struct ctx *, const struct request *);

/* A text without NULs of a path; NULL: it has some. */
static const char *
whole(const struct request *rq, const char *name)
{
	const struct path_arg *a = path_arg_n(rq, name);

	return strlen(a->value) == a->n ? a->value : NULL;
}

/* --- aliases ------------------------------------------------------------------------ */

static enum err
alias_change(struct ctx *c, const char *folded, const char *model_id)
{
	enum err e = aliases_change(c, folded, model_id);

	return e == ERR_OK ? catalog_changed(c) : e;
}

struct reply
models_alias_add(struct ctx *c, const struct request *rq)
{
	const struct alias_request *in = rq->body_struct;
	char small[CATALOG_NAME_MAX + 1];
	const char *alias = text_trimmed(c, in->alias), *id = text_trimmed(c, in->model_id);
	enum err e = ERR_OK;

	if (alias == NULL || id == NULL || alias[0] == '\0' || id[0] == '\0')
		e = fail(c, ERR_BAD_REQUEST, "Missing required fields: alias and model_id");
	else if (!catalog_fold(alias, small) || text_control(alias))
		e = fail(c, ERR_BAD_REQUEST, "alias: a name of at most %d bytes is expected", CATALOG_NAME_MAX / 2);
	else if (text_control(id))
		e = fail(c, ERR_BAD_REQUEST, "model_id: control characters are not allowed");
	else if (catalog_alias_known(small))
		e = fail(c, ERR_CONFLICT, "Alias '%s' already exists", small);
	if (e == ERR_OK)
		e = alias_change(c, ctx_strdup(c, small), id);
	return e == ERR_OK ? reply_words(c, 201, "alias", small, "model_id", id, "status", "created", NULL) : reply_fail(c);
}

struct reply
models_alias_drop(struct ctx *c, const struct request *rq)
{
	char small[CATALOG_NAME_MAX + 1];
	const char *alias = whole(rq, "alias");
	enum err e;

	if (alias == NULL || !catalog_fold(alias, small) || !catalog_alias_known(small)) {
		ignore_err(fail(c, ERR_NOT_FOUND, "Alias '%.200s' not found", alias != NULL ? alias : ""));
		return reply_fail(c);
	}
	alias = ctx_strdup(c, small);
	e = alias_change(c, alias, NULL);
	if (e == ERR_OK && catalog_alias_known(alias))
		e = alias_change(c, alias, "");         /* a shipped one */
	return e == ERR_OK ? reply_empty(c) : reply_fail(c);
}

/* --- models that somebody adds --------------------------------------------------------- */

static bool
exists(const char *provider, const char *id)
{
	const struct model *all;
	size_t n = catalog_models(&all);

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].provider, provider) == 0 && strcasecmp(all[i].id, id) == 0)
			return true;
	return false;
}

/* As the catalog writes it, when it differs in letter case alone: the tables know no difference there. */
static const char *
provider_written(const char *name)
{
	const struct provider *all;
	size_t n = catalog_providers(&all);

	for (size_t i = 0; i < n; i++)
		if (strcasecmp(all[i].id, name) == 0)
			return all[i].id;
	return name;
}

static const char *
facts_of(struct ctx *c, const struct custom_request *in, const char *provider)
{
	const struct { enum price which; bool has; double v; } own[] = {
		{ PRICE_CACHE_READ, in->has_cache_read, in->cache_read_cost_per_m },
		{ PRICE_CACHE_WRITE, in->has_cache_write, in->cache_write_cost_per_m },
		{ PRICE_CACHE_HOUR, in->has_cache_hour, in->cache_hour_cost_per_m },
		{ PRICE_AUDIO_IN, in->has_audio_input, in->audio_input_cost_per_m },
		{ PRICE_AUDIO_OUT, in->has_audio_output, in->audio_output_cost_per_m },
		{ PRICE_IMAGE_IN, in->has_image_input, in->image_input_cost_per_m },
		{ PRICE_IMAGE_OUT, in->has_image_output, in->image_output_cost_per_m },
	};
	struct buf b = BUF_INIT(16384);
	struct jw w = JW_INIT(&b);
	const char *text;

	jw_object(&w, NULL);
	jw_str(&w, "id", in->id);
	jw_str(&w, "provider", provider);
	jw_str(&w, "display_name", in->display_name != NULL ? in->display_name : in->id);
	jw_str(&w, "modality", in->modality);
	jw_i64(&w, "context_window", in->context_window);
	jw_i64(&w, "max_output_tokens", in->max_output_tokens);
	jw_f64(&w, "input_cost_per_m", in->input_cost_per_m);
	jw_f64(&w, "output_cost_per_m", in->output_cost_per_m);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i].has)
			jw_f64(&w, price_names[own[i].which], own[i].v);
	jw_bool(&w, "supports_tools", in->supports_tools);
	if (in->has_vision)
		jw_bool(&w, "supports_vision", in->supports_vision);
	jw_bool(&w, "supports_streaming", in->supports_streaming);
	jw_bool(&w, "supports_thinking", in->supports_thinking);
	jw_end(&w);
	text = b.failed ? NULL : ctx_strdup(c, b.p);
	buf_done(&b);
	return text;
}

struct reply
models_custom_add(struct ctx *c, const struct request *rq)
{
	const struct custom_request *in = rq->body_struct;
	const char *provider = provider_written(in->provider != NULL ? in->provider : c->cfg->provider), *facts;
	bool text = strcmp(in->modality, "text") == 0;
	enum err e = ERR_OK;

	if (text_blank(in->id) || text_blank(provider) || (in->display_name != NULL && text_blank(in->display_name)))
		e = fail(c, ERR_BAD_REQUEST, "id, provider and display_name must not be blank");
	else if (text_control(in->id) || text_control(provider) || text_control(in->display_name))
		e = fail(c, ERR_BAD_REQUEST, "id, provider and display_name must have no control characters");
	else if (text && (in->context_window == 0 || in->max_output_tokens == 0))
		e = fail(c, ERR_BAD_REQUEST, "A text model needs context_window and max_output_tokens above 0");
	else if (exists(provider, in->id))
		e = fail(c, ERR_CONFLICT, "Model '%.200s' of provider '%s' is known already", in->id, provider);
	if (e == ERR_OK) {
		facts = facts_of(c, in, provider);
		e = facts != NULL ? custom_put(c, in->id, provider, facts) : fail(c, ERR_TOO_LARGE, "the model is too long");
	}
	if (e == ERR_OK)
		e = catalog_changed(c);
	return e == ERR_OK ? reply_words(c, 201, "id", in->id, "provider", provider, "status", "added", NULL) : reply_fail(c);
}

struct reply
models_custom_drop(struct ctx *c, const struct request *rq)
{
	const char *id = whole(rq, "id");
	enum err e = id != NULL ? custom_drop(c, id) : fail(c, ERR_NOT_FOUND, "There is no such model");

	if (e == ERR_OK)
		e = catalog_changed(c);
	return e == ERR_OK ? reply_empty(c) : reply_fail(c);
}

/* --- settings of models -------------------------------------------------------------------- */

static const char *
settings_of(struct ctx *c, const struct settings_request *in)
{
	struct buf b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);
	const char *text;
	const struct { const char *key; bool has; double v; } numbers[] = {
		{ "temperature", in->has_temperature, in->temperature }, { "top_p", in->has_top_p, in->top_p },
		{ "frequency_penalty", in->has_frequency_penalty, in->frequency_penalty },
		{ "presence_penalty", in->has_presence_penalty, in->presence_penalty },
		{ "input_cost_per_m", in->has_input_cost_per_m, in->input_cost_per_m },
		{ "output_cost_per_m", in->has_output_cost_per_m, in->output_cost_per_m },
		{ price_names[PRICE_CACHE_READ], in->has_cache_read_cost_per_m, in->cache_read_cost_per_m },
		{ price_names[PRICE_CACHE_WRITE], in->has_cache_write_cost_per_m, in->cache_write_cost_per_m },
		{ price_names[PRICE_CACHE_HOUR], in->has_cache_hour_cost_per_m, in->cache_hour_cost_per_m },
		{ price_names[PRICE_AUDIO_IN], in->has_audio_input_cost_per_m, in->audio_input_cost_per_m },
		{ price_names[PRICE_AUDIO_OUT], in->has_audio_output_cost_per_m, in->audio_output_cost_per_m },
	};
	const struct { const char *key; bool has; int64_t v; } counts[] = {
		{ "max_tokens", in->has_max_tokens, in->max_tokens }, { "context_window", in->has_context_window, in->context_window },
		{ "max_output_tokens", in->has_max_output_tokens, in->max_output_tokens },
	};
	const struct { const char *key; bool has, v; } bools[] = {
		{ "use_max_completion_tokens", in->has_use_max_completion_tokens, in->use_max_completion_tokens },
		{ "no_system_role", in->has_no_system_role, in->no_system_role },
		{ "force_max_tokens", in->has_force_max_tokens, in->force_max_tokens },
		{ "supports_tools", in->has_supports_tools, in->supports_tools },
		{ "supports_vision", in->has_supports_vision, in->supports_vision },
		{ "supports_streaming", in->has_supports_streaming, in->supports_streaming },
		{ "supports_thinking", in->has_supports_thinking, in->supports_thinking },
	};

	jw_object(&w, NULL);
	if (in->model_type != NULL)
		jw_str(&w, "model_type", in->model_type);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].has)
			jw_f64(&w, numbers[i].key, numbers[i].v);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i].has)
			jw_i64(&w, counts[i].key, counts[i].v);
	if (in->reasoning_effort != NULL)
		jw_str(&w, "reasoning_effort", in->reasoning_effort);
	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		if (bools[i].has)
			jw_bool(&w, bools[i].key, bools[i].v);
	jw_end(&w);
	text = b.failed ? NULL : ctx_strdup(c, b.p);
	buf_done(&b);
	return text;
}

static enum err
settings_change(struct ctx *c, const struct request *rq, const char *settings)
{
	const char *name = whole(rq, "key");
	const char *key = name != NULL && strlen(name) <= CATALOG_NAME_MAX ? catalog_override_key(c, name) : NULL;
	enum err e = key != NULL ? settings_put(c, key, settings)
	    : fail(c, ERR_BAD_REQUEST, "A key as provider:model is expected, or the name of a model that is known");

	return e == ERR_OK ? catalog_changed(c) : e;
}

struct reply
models_settings_put(struct ctx *c, const struct request *rq)
{
	const char *settings = settings_of(c, rq->body_struct);
	enum err e = settings != NULL ? settings_change(c, rq, settings) : fail(c, ERR_NOMEM, "out of memory");

	return e == ERR_OK ? reply_raw(c, 200, NULL, settings, strlen(settings)) : reply_fail(c);
}

struct reply
models_settings_drop(struct ctx *c, const struct request *rq)
{
	return settings_change(c, rq, NULL) == ERR_OK ? reply_empty(c) : reply_fail(c);
}

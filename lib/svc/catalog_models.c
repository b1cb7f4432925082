/*
 * Models and providers of a set of the catalog while it is made: what is shipped, with what a provider told today
 * in its place, and what people added. Several rows may speak of one model; the last word has its setting.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/svc/catalog_build.h"

enum { FOUND_WINDOW = 131072, FOUND_OUTPUT = 16384 };

/* --- facts ------------------------------------------------------------------------ */

static const char *
text_or(struct build *b, const struct json_object *o, const char *key, const char *dflt)
{
	const char *s = js_str(o, key);

	s = s == NULL ? dflt : build_keep(b, s);
	return s == NULL ? dflt : s;
}

/* A part of the tree that outlives the tree; NULL when absent. */
static struct json_object *
part(struct build *b, const struct json_object *o, const char *key)
{
	struct json_object *v = json_object_get(js_get(o, key));

	if (v != NULL && arena_defer(b->s->keep, build_put_object, v) != 0) {
		b->full = true;
		return NULL;
	}
	return v;
}

static void
read_provider(struct build *b, const struct json_object *o, struct provider *p)
{
	*p = (struct provider){
		.id = text_or(b, o, "id", ""),
		.display_name = text_or(b, o, "display_name", ""),
		.base_url = text_or(b, o, "base_url", ""),
		.api_format = text_or(b, o, "api_format", "openai"),
		.api_key_env = text_or(b, o, "api_key_env", ""),
		.alt_api_key_env = text_or(b, o, "alt_api_key_env", NULL),
		.key_required = js_bool(o, "key_required", false),
		.local = js_bool(o, "local", false),
		.cli = js_bool(o, "cli", false),
		.hidden = js_bool(o, "hidden", false),
		.media_capabilities = part(b, o, "media_capabilities"),
		.regions = part(b, o, "regions"),
	};
}

void
build_providers(struct build *b)
{
	struct catalog_set *s = b->s;
	size_t n = json_object_array_length(b->providers);

	s->providers = build_need(b, (n + 1) * sizeof(*s->providers));
	if (!index_make(b, &s->by_provider, n))
		return;
	for (size_t i = 0; i < n; i++) {
		read_provider(b, json_object_array_get_idx(b->providers, i), &s->providers[i]);
		index_add(&s->by_provider, s->providers[i].id, i);
	}
	s->n_providers = n;
}

/* Of the six, in any letter case; a word that is none of them is custom. */
static const char *
tier_of(const struct json_object *o)
{
	static const char *const tiers[] = { "frontier", "smart", "balanced", "fast", "local" };
	const char *word = js_str_or(o, "tier", "");

	for (size_t i = 0; i < ARRAY_LEN(tiers); i++)
		if (strcasecmp(tiers[i], word) == 0)
			return tiers[i];
	return "custom";
}

const char *const price_names[] = {
	"cache_read_cost_per_m", "cache_write_cost_per_m", "cache_hour_cost_per_m", "audio_input_cost_per_m", "audio_output_cost_per_m",
	"image_input_cost_per_m", "image_output_cost_per_m",
};

/* What o says of prices, over what was told before. */
static void
read_prices(const struct json_object *o, struct model *m)
{
	for (int i = 0; i < PRICES; i++)
		m->price[i] = js_f64(o, price_names[i], m->price[i]);
}

static void
read_model(struct build *b, const struct json_object *o, struct model *m)
{
	*m = (struct model){
		.id = text_or(b, o, "id", ""),
		.display_name = text_or(b, o, "display_name", ""),
		.tier = tier_of(o),
		.modality = text_or(b, o, "modality", "text"),
		.context_window = js_i64(o, "context_window", 0),
		.max_output_tokens = js_i64(o, "max_output_tokens", 0),
		.input_cost_per_m = js_f64(o, "input_cost_per_m", 0),
		.output_cost_per_m = js_f64(o, "output_cost_per_m", 0),
		.per_call_cost = js_f64(o, "per_call_cost", 0),
		.pricing_known = js_bool(o, "pricing_known", true),
		.raw_tools = js_bool(o, "supports_tools", false),
		.raw_vision = js_bool(o, "supports_vision", false),
		.raw_streaming = js_bool(o, "supports_streaming", false),
		.raw_thinking = js_bool(o, "supports_thinking", false),
		.aliases = part(b, o, "aliases"),
	};
	for (int i = 0; i < PRICES; i++)
		m->price[i] = -1;
	read_prices(o, m);
}

static const char *
setting_of(const struct catalog_set *s, const struct model *m)
{
	size_t k = strlen(m->provider);

	for (size_t i = 0; i < s->n_overrides; i++) {
		const char *key = s->overrides[i].key;

		if (strncasecmp(key, m->provider, k) == 0 && key[k] == ':' && strcasecmp(key + k + 1, m->id) == 0)
			return s->overrides[i].json;
	}
	return NULL;
}

/* What the model can, after what a setting of it says. */
static void
settle(struct build *b, struct model *m)
{
	const char *text = setting_of(b->s, m);
	struct json_object *o = text != NULL ? json_stored(b->c, text) : NULL;

	m->supports_tools = js_bool(o, "supports_tools", m->raw_tools);
	m->supports_vision = js_bool(o, "supports_vision", m->raw_vision);
	m->supports_streaming = js_bool(o, "supports_streaming", m->raw_streaming);
	m->supports_thinking = js_bool(o, "supports_thinking", m->raw_thinking);
	m->vision_unknown = m->vision_unknown && js_get(o, "supports_vision") == NULL;
	m->raw_window = m->context_window;
	m->raw_output = m->max_output_tokens;
	m->context_window = js_i64(o, "context_window", m->raw_window);
	m->max_output_tokens = js_i64(o, "max_output_tokens", m->raw_output);
	m->pricing_known |= js_get(o, "input_cost_per_m") != NULL || js_get(o, "output_cost_per_m") != NULL;
	m->input_cost_per_m = js_f64(o, "input_cost_per_m", m->input_cost_per_m);
	m->output_cost_per_m = js_f64(o, "output_cost_per_m", m->output_cost_per_m);
	read_prices(o, m);
}

/* The model is at s->models[n_models]; provider: its id, kept here if no provider has it. */
static void
place(struct build *b, const char *provider)
{
	struct catalog_set *s = b->s;
	struct model *m = &s->models[s->n_models];
	int p = index_find(&s->by_provider, provider);

	if (p >= 0) {
		m->by = &s->providers[p];
		m->provider = m->by->id;
		s->providers[p].model_count++;
	} else {
		m->provider = build_keep(b, provider);
	}
	if (b->full)
		return;
	settle(b, m);
	index_add(&s->by_id, m->id, s->n_models);
	index_add(&s->by_display, m->display_name, s->n_models);
	s->n_models++;
}

static bool
same_model(const char *a, const char *live)
{
	size_t n = strlen(a), k = strlen(live);

	if (k > 7 && strcmp(live + k - 7, ":latest") == 0)
		k -= 7;
	if (n > 7 && strcmp(a + n - 7, ":latest") == 0)
		n -= 7;
	return n == k && strncasecmp(a, live, n) == 0;
}

/* What the provider told of it; NULL: it has it no more. */
static const struct json_object *
in_live(const struct json_object *live, const char *provider, const char *id)
{
	size_t k = strlen(provider);

	for (size_t i = 0; i < json_object_array_length(live); i++) {
		const struct json_object *o = json_object_array_get_idx(live, i);
		const char *name = js_str_or(o, "name", "");

		if (same_model(id, name) || (strncmp(id, provider, k) == 0 && id[k] == '/' && same_model(id + k + 1, name)))
			return o;
	}
	return NULL;
}

/* Prices and limits that are told are those of today. */
static void
take_told(struct model *m, const struct json_object *o)
{
	if (js_get(o, "input_cost_per_m") == NULL)
		return;
	m->pricing_known = true;
	m->input_cost_per_m = js_f64(o, "input_cost_per_m", 0);
	m->output_cost_per_m = js_f64(o, "output_cost_per_m", 0);
	if (js_i64(o, "context_window", 0) > 0)
		m->context_window = js_i64(o, "context_window", 0);
	if (js_i64(o, "max_output_tokens", 0) > 0)
		m->max_output_tokens = js_i64(o, "max_output_tokens", 0);
	m->raw_tools = js_bool(o, "supports_tools", m->raw_tools);
	m->raw_thinking = js_bool(o, "supports_thinking", m->raw_thinking);
	m->raw_vision = js_bool(o, "supports_vision", m->raw_vision);
}

/* Of a provider that told what it has, the rest is not there. */
static const struct provider_state *
told(const struct catalog_set *s, const char *provider)
{
	for (size_t i = 0; i < s->n_states; i++)
		if (strcmp(s->states[i].id, provider) == 0 && s->states[i].live != NULL &&
		    json_object_array_length(s->states[i].live) > 0)
			return &s->states[i];
	return NULL;
}

static void
load_models(struct build *b)
{
	size_t n = json_object_array_length(b->models);

	for (size_t i = 0; i < n && !b->full; i++) {
		struct json_object *o = json_object_array_get_idx(b->models, i);
		const char *provider = js_str_or(o, "provider", "");
		const struct provider_state *st = told(b->s, provider);
		const struct json_object *row = st != NULL ? in_live(st->live, provider, js_str_or(o, "id", "")) : NULL;

		b->s->n_shipped += strcmp(provider, "offline") != 0;
		if (st != NULL && row == NULL)
			continue;
		read_model(b, o, &b->s->models[b->s->n_models]);
		if (row != NULL)
			take_told(&b->s->models[b->s->n_models], row);
		place(b, provider);
	}
}

/* --- what providers told ------------------------------------------------------------ */

static bool
thinks(const char *name)
{
	static const char *const words[] = { "qwq", "deepseek-r1", "qwen3", "marco-o1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return strncasecmp(name, "r1", 2) == 0 && (name[2] == '\0' || strchr(":-", name[2]) != NULL);
}

static bool
has_word(struct json_object *list, const char *word)
{
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		const char *w = json_object_get_string(json_object_array_get_idx(list, i));

		if (w != NULL && strcasestr(w, word) != NULL)
			return true;
	}
	return false;
}

static bool
known(const struct catalog_set *s, const char *provider, const char *name)
{
	size_t k = strlen(provider);

	for (size_t i = 0; i < s->n_models; i++) {
		const char *id = s->models[i].id;

		if (strcmp(s->models[i].provider, provider) == 0 && (same_model(id, name) ||
		    (strncmp(id, provider, k) == 0 && id[k] == '/' && same_model(id + k + 1, name))))
			return true;
	}
	return false;
}

static void
add_found(struct build *b, const char *provider, const struct json_object *o)
{
	struct model *m = &b->s->models[b->s->n_models];
	const char *name = js_str(o, "name");
	bool embeds;

	if (name == NULL || name[0] == '\0' || known(b->s, provider, name))
		return;
	embeds = strcasestr(name, "embed") != NULL || has_word(js_arr(o, "capabilities"), "embedding");
	*m = (struct model){
		.id = build_keep(b, name), .display_name = build_keep(b, name), .tier = "local", .modality = "text",
		.context_window = FOUND_WINDOW, .max_output_tokens = FOUND_OUTPUT, .pricing_known = true,
		.raw_tools = !embeds, .raw_streaming = !embeds, .raw_thinking = !embeds && thinks(name),
		.raw_vision = !embeds && (has_word(js_arr(o, "families"), "clip") || has_word(js_arr(o, "capabilities"), "vision")),
		.found = true,
	};
	for (int i = 0; i < PRICES; i++)
		m->price[i] = -1;
	if (strcmp(provider, "openrouter") == 0)
		m->pricing_known = false;       /* until it tells one: nothing there is on this machine */
	if (js_get(o, "input_cost_per_m") != NULL) {
		m->display_name = build_keep(b, js_str_or(o, "display_name", name));
		m->tier = "balanced";
		take_told(m, o);
	}
	if (!b->full)
		place(b, provider);
}

static void
load_found(struct build *b)
{
	for (size_t i = 0; i < b->s->n_states; i++) {
		const struct provider_state *st = &b->s->states[i];

		for (size_t k = 0; st->live != NULL && k < json_object_array_length(st->live) && !b->full; k++)
			add_found(b, st->id, json_object_array_get_idx(st->live, k));
	}
}

/* --- what programs have set ---------------------------------------------------------------- */

static void
add_program_model(struct build *b, const struct provider_state *st)
{
	struct catalog_set *s = b->s;
	int p = index_find(&s->by_provider, st->id);
	struct model *m = &s->models[s->n_models];
	char text[CATALOG_NAME_MAX];

	if (p < 0 || !s->providers[p].cli || known(s, st->id, st->program_model))
		return;
	*m = (struct model){ .tier = "custom", .modality = "text", .pricing_known = true, .raw_streaming = true, .of_program = true };
	snprintf(text, sizeof(text), "%s/%s", st->id, st->program_model);
	m->id = build_keep(b, text);
	snprintf(text, sizeof(text), "%s (%s)", st->program_model, s->providers[p].display_name);
	m->display_name = build_keep(b, text);
	for (int i = 0; i < PRICES; i++)
		m->price[i] = -1;
	if (!b->full)
		place(b, st->id);
}

static void
load_programs(struct build *b)
{
	for (size_t i = 0; i < b->s->n_states && !b->full; i++)
		if (b->s->states[i].program_model != NULL)
			add_program_model(b, &b->s->states[i]);
}

/* --- what people added ---------------------------------------------------------------- */

static void
load_custom(struct build *b, const struct rows *r)
{
	for (size_t i = 0; i < r->n_custom && !b->full; i++) {
		struct model *m = &b->s->models[b->s->n_models];

		read_model(b, r->custom[i], m);
		m->tier = "custom";
		m->custom = true;
		m->vision_unknown = js_get(r->custom[i], "supports_vision") == NULL;
		place(b, js_str_or(r->custom[i], "provider", ""));
	}
}

void
build_models(struct build *b, const struct rows *r)
{
	load_models(b);
	load_found(b);
	load_custom(b, r);
	load_programs(b);
}

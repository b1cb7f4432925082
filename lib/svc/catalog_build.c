/*
 * Making a set of the catalog's tables: from the facts, which are JSON that is shipped or
 * lies in the data directory, and the rows over them. The trees are let go after reading; what stays are
 * arrays, their strings in one arena, and hash tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/embed.h"
#include "lib/svc/catalog_build.h"

EMBED(models_json, "share/models.json");
EMBED(providers_json, "share/providers.json");
EMBED(aliases_json, "share/aliases.json");

enum { FOUND_WINDOW = 131072, FOUND_OUTPUT = 16384 };

/* --- memory ------------------------------------------------------------------ */

void *
build_need(struct build *b, size_t n)
{
	void *p = arena_alloc(b->s->keep, n);

	b->full = b->full || p == NULL;
	return p;
}

const char *
build_keep(struct build *b, const char *s)
{
	const char *p = s == NULL ? NULL : arena_strndup(b->s->keep, s, strlen(s));

	b->full = b->full || (s != NULL && p == NULL);
	return p;
}

static const char *
text_or(struct build *b, const struct json_object *o, const char *key, const char *dflt)
{
	const char *s = js_str(o, key);

	s = s == NULL ? dflt : build_keep(b, s);
	return s == NULL ? dflt : s;
}

void
build_put_object(void *o)
{
	json_object_put(o);
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

/* --- hash tables --------------------------------------------------------------- */

static bool
index_make(struct build *b, struct index *x, size_t names)
{
	uint32_t n = 16;

	while (n < names * 2 + 2)
		n *= 2;
	x->mask = n - 1;
	x->name = build_need(b, n * sizeof(*x->name));
	x->at = build_need(b, n * sizeof(*x->at));
	return !b->full;
}

/* There is always room: the table was made for as many names as come. */
static void
index_add(struct index *x, const char *name, size_t at)
{
	unsigned i = index_start(x, name);

	while (x->name[i] != NULL)
		i = (i + 1) & x->mask;
	x->name[i] = name;
	x->at[i] = (uint16_t)at;
}

/* --- facts ------------------------------------------------------------------------ */

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
		.driver_base_url = text_or(b, o, "driver_base_url", NULL),
		.key_required = js_bool(o, "key_required", false),
		.local = js_bool(o, "local", false),
		.cli = js_bool(o, "cli", false),
		.hidden = js_bool(o, "hidden", false),
		.media_capabilities = part(b, o, "media_capabilities"),
		.regions = part(b, o, "regions"),
	};
}

static void
load_providers(struct build *b)
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
		.image_input_cost_per_m = js_f64(o, "image_input_cost_per_m", 0),
		.image_output_cost_per_m = js_f64(o, "image_output_cost_per_m", 0),
		.has_image_costs = js_get(o, "image_input_cost_per_m") != NULL,
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

/* --- aliases ----------------------------------------------------------------------------- */

static void
add_alias(struct build *b, const char *alias, const char *target)
{
	struct catalog_set *s = b->s;

	if (index_find(&s->by_alias, alias) >= 0 || b->full || s->n_targets == b->room_aliases)
		return;                         /* the first definition of a name counts */
	s->targets[s->n_targets] = build_keep(b, target);
	alias = build_keep(b, alias);
	if (!b->full)
		index_add(&s->by_alias, alias, s->n_targets++);
}

static void
show_alias(struct build *b, const char *alias, const char *target)
{
	struct catalog_set *s = b->s;
	size_t before = s->n_targets;

	add_alias(b, alias, target);
	if (s->n_targets == before || b->full)
		return;
	s->aliases[s->n_aliases++] = (struct catalog_alias){ .alias = build_keep(b, alias), .model_id = s->targets[before] };
}

static int
alias_order(const void *a, const void *b)
{
	const struct catalog_alias *x = a, *y = b;

	return strcmp(x->alias, y->alias);
}

/* As the catalog writes the id; one that leads to nothing of it is left out. */
static const char *
target_of(const struct catalog_set *s, struct json_object *target)
{
	int at = index_find(&s->by_id, json_object_get_string(target));

	return at < 0 ? NULL : s->models[at].id;
}

/* own: aliases of people, first; one without a target takes a shipped one away. */
static void
load_aliases(struct build *b, const struct catalog_alias *own, size_t n_own)
{
	struct catalog_set *s = b->s;

	for (size_t i = 0; i < n_own; i++)
		if (own[i].model_id[0] != '\0')
			show_alias(b, own[i].alias, own[i].model_id);
		else
			add_alias(b, own[i].alias, "");
	json_object_object_foreach(b->aliases, alias, target) {
		const char *id = target_of(s, target);

		if (id != NULL)
			show_alias(b, alias, id);
	}
	if (s->n_aliases > 1)
		qsort(s->aliases, s->n_aliases, sizeof(*s->aliases), alias_order);
	json_object_object_foreach(b->legacy, old, target2) {
		const char *id = target_of(s, target2);

		if (id != NULL)
			add_alias(b, old, id);
	}
	json_object_object_foreach(b->provider_aliases, name, id) {
		int p = index_find(&s->by_provider, json_object_get_string(id));

		if (p >= 0 && (name = (char *)(uintptr_t)build_keep(b, name)) != NULL)
			index_add(&s->by_provider_alias, name, (size_t)p);
	}
}

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

/* --- the whole ------------------------------------------------------------------------------- */

static struct json_object *
list_or(struct json_object *o, const char *key, struct json_object *dflt)
{
	struct json_object *a = js_arr(o, key);

	return a != NULL ? a : dflt;
}

static struct json_object *
map_or(struct json_object *o, const char *key, struct json_object *dflt)
{
	struct json_object *m = js_obj(o, key);

	return m != NULL ? m : dflt;
}

/* What is built in is there whatever a file says. */
static void
with_offline(struct json_object *list, struct json_object *shipped, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(js_str_or(json_object_array_get_idx(list, i), key, ""), "offline") == 0)
			return;
	for (size_t i = 0; i < json_object_array_length(shipped); i++) {
		struct json_object *o = json_object_array_get_idx(shipped, i);

		if (strcmp(js_str_or(o, key, ""), "offline") == 0)
			json_object_array_add(list, json_object_get(o));
	}
}

/* The shipped facts, or a newer file's. */
static bool
facts(struct build *b, struct json_object *file)
{
	struct json_object *names = json_stored(b->c, aliases_json);

	struct json_object *providers = json_stored(b->c, providers_json), *models = json_stored(b->c, models_json);

	b->providers = list_or(file, "providers", providers);
	b->models = list_or(file, "models", models);
	if (b->providers != NULL && b->models != NULL && b->providers != providers) {
		with_offline(b->providers, providers, "id");
		with_offline(b->models, models, "provider");
	}
	b->aliases = map_or(file, "aliases", js_obj(names, "aliases"));
	b->legacy = js_obj(names, "legacy_aliases");
	b->provider_aliases = map_or(file, "provider_aliases", js_obj(names, "provider_aliases"));
	return b->providers != NULL && b->models != NULL && b->aliases != NULL && b->legacy != NULL && b->provider_aliases != NULL;
}

static void
make(struct build *b, const struct rows *r)
{
	struct catalog_set *s = b->s;
	size_t models = json_object_array_length(b->models) + r->n_custom, aliases;

	for (size_t i = 0; i < s->n_states; i++)
		models += s->states[i].live != NULL ? json_object_array_length(s->states[i].live) : 0;
	aliases = r->n_alias + (size_t)json_object_object_length(b->aliases) + (size_t)json_object_object_length(b->legacy);
	if (models > UINT16_MAX || aliases > UINT16_MAX) {
		b->full = true;
		return;
	}
	b->room_aliases = aliases;
	load_providers(b);
	s->models = build_need(b, (models + 1) * sizeof(*s->models));
	s->aliases = build_need(b, (aliases + 1) * sizeof(*s->aliases));
	s->targets = build_need(b, (aliases + 1) * sizeof(*s->targets));
	if (b->full || !index_make(b, &s->by_id, models) || !index_make(b, &s->by_display, models) ||
	    !index_make(b, &s->by_alias, aliases) ||
	    !index_make(b, &s->by_provider_alias, (size_t)json_object_object_length(b->provider_aliases)))
		return;
	load_models(b);
	load_found(b);
	load_custom(b, r);
	load_aliases(b, r->alias, r->n_alias);
}

void
catalog_set_free(struct catalog_set *s)
{
	struct arena *a = s->keep;

	arena_free(a);
}

static bool
begin(struct build *b, struct ctx *c)
{
	struct arena *a = arena_new(16 * 1024);

	*b = (struct build){ .c = c, .s = a != NULL ? arena_alloc(a, sizeof(*b->s)) : NULL };
	if (b->s == NULL) {
		arena_free(a);
		return false;
	}
	b->s->keep = a;
	atomic_init(&b->s->holds, 1);
	return true;
}

struct catalog_set *
catalog_shipped(void)
{
	struct ctx c = { .arena = arena_new(1024) };
	static const struct rows none;
	struct build b = { .s = NULL };
	bool good = c.arena != NULL && begin(&b, &c) && facts(&b, NULL);

	if (good)
		make(&b, &none);
	arena_free(c.arena);
	if (good && !b.full)
		return b.s;
	if (b.s != NULL)
		catalog_set_free(b.s);
	return NULL;
}

static enum err
build_with(struct ctx *c, struct json_object *file, const size_t n[4], struct catalog_set **ret)
{
	struct rows r = { 0 };
	struct build b;
	enum err e;

	if (!begin(&b, c))
		return fail(c, ERR_NOMEM, "out of memory");
	e = facts(&b, file) ? rows_states(&b, n[0]) : fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = rows_settings(&b, n[1]);
	if (e == ERR_OK)
		e = rows_aliases(c, n[2], &r);
	if (e == ERR_OK)
		e = rows_custom(c, n[3], &r);
	if (e == ERR_OK)
		make(&b, &r);
	if (e == ERR_OK && b.full)
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		*ret = b.s;
	else
		catalog_set_free(b.s);
	return e;
}

static enum err
build_now(struct ctx *c, struct catalog_set **ret)
{
	struct json_object *file;
	size_t n[4] = { 0 };
	enum err e = rows_count(c, n);

	if (e != ERR_OK)
		return e;
	file = catalog_newer_file(c);
	if (file != NULL || n[0] + n[1] + n[2] + n[3] > 0)
		e = build_with(c, file, n, ret);
	return e;
}

enum err
catalog_build(struct ctx *c, struct catalog_set **ret)
{
	struct arena *own = c->arena, *mine = arena_new(16 * 1024);
	enum err e;

	if (mine == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	*ret = NULL;
	c->arena = mine;                        /* megabytes of trees that are not to live as long as the job */
	e = rows_begin(c);
	if (e == ERR_OK)
		e = build_now(c, ret);
	rows_end(c);
	c->arena = own;
	arena_free(mine);
	return e == ERR_OK ? e : fail(c, e, "the catalog cannot be read");
}

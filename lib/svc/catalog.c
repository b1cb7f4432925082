/*
 * The catalog: embedded facts, parsed once into tables.
 *
 * The JSON trees are let go after reading; what stays are two arrays, their strings in one
 * arena, and hash tables of model ids, display names and aliases, so that
 * a request looks up and allocates nothing. The one difficult thing is the order of
 * names: several providers may offer the same model id, and the first in
 * catalog order wins unless the caller names a provider.
 */
#include "lib/svc/catalog.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/embed.h"
#include "lib/svc/catalog_data.h"

EMBED(models_json, "share/models.json");
EMBED(providers_json, "share/providers.json");
EMBED(aliases_json, "share/aliases.json");

enum { SLOTS = 1024 };                  /* power of two, above twice the names of a table */

/* name → position in an array, in order of insertion along a probe. */
struct index {
	const char *name[SLOTS];
	uint16_t at[SLOTS];
};

static struct arena *keep;              /* lives as long as the process */
static struct provider *providers;
static struct model *models;
static struct catalog_alias *aliases;
static size_t n_providers, n_models, n_aliases, n_shown_aliases;
static struct index by_provider, by_provider_alias, by_id, by_display, by_alias;

static unsigned
slot_of(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		h = (h ^ ch) * 16777619u;
	}
	return (h ^ h >> 15) & (SLOTS - 1);
}

static void
index_add(struct index *x, const char *name, size_t at)
{
	unsigned i = slot_of(name);

	for (unsigned tries = 0; x->name[i] != NULL; i = (i + 1) & (SLOTS - 1))
		if (++tries == SLOTS - 1)
			abort();                /* the shipped data outgrew the table */
	x->name[i] = name;
	x->at[i] = (uint16_t)at;
}

/* The next match at or behind *i, any letter case; -1: no more. *i starts as slot_of(name). */
static int
index_next(const struct index *x, const char *name, unsigned *i)
{
	for (; x->name[*i] != NULL; *i = (*i + 1) & (SLOTS - 1)) {
		unsigned here = *i;

		if (strcasecmp(x->name[here], name) != 0)
			continue;
		*i = (here + 1) & (SLOTS - 1);
		return x->at[here];
	}
	return -1;
}

static int
index_find(const struct index *x, const char *name)
{
	unsigned i = slot_of(name);

	return index_next(x, name, &i);
}

static void *
need(void *p)
{
	if (p == NULL)
		abort();                        /* at start, with nothing served yet */
	return p;
}

/* A string of the data, kept; NULL when absent. */
static const char *
text(const struct json_object *o, const char *key)
{
	const char *s = js_str(o, key);

	return s == NULL ? NULL : need(arena_strndup(keep, s, strlen(s)));
}

static const char *
text_or(const struct json_object *o, const char *key, const char *dflt)
{
	const char *s = text(o, key);

	return s == NULL ? dflt : s;
}

/* A part of the tree that outlives the tree; NULL when absent. */
static struct json_object *
part(const struct json_object *o, const char *key)
{
	return json_object_get(js_get(o, key));
}

static struct json_object *
parse(struct ctx *c, const char *json)
{
	return need(json_stored(c, json));
}

static void
read_provider(const struct json_object *o, struct provider *p)
{
	*p = (struct provider){
		.id = text_or(o, "id", ""),
		.display_name = text_or(o, "display_name", ""),
		.base_url = text_or(o, "base_url", ""),
		.api_format = text_or(o, "api_format", "openai"),
		.api_key_env = text_or(o, "api_key_env", ""),
		.alt_api_key_env = text(o, "alt_api_key_env"),
		.driver_base_url = text(o, "driver_base_url"),
		.key_required = js_bool(o, "key_required", false),
		.local = js_bool(o, "local", false),
		.cli = js_bool(o, "cli", false),
		.hidden = js_bool(o, "hidden", false),
		.media_capabilities = part(o, "media_capabilities"),
		.regions = part(o, "regions"),
	};
}

static void
load_providers(struct ctx *c)
{
	struct json_object *all = parse(c, providers_json);

	n_providers = json_object_array_length(all);
	providers = need(arena_alloc(keep, n_providers * sizeof(*providers)));
	for (size_t i = 0; i < n_providers; i++) {
		read_provider(json_object_array_get_idx(all, i), &providers[i]);
		index_add(&by_provider, providers[i].id, i);
	}
}

static void
read_model(const struct json_object *o, struct model *m)
{
	*m = (struct model){
		.id = text_or(o, "id", ""),
		.display_name = text_or(o, "display_name", ""),
		.tier = text_or(o, "tier", "custom"),
		.modality = text_or(o, "modality", "text"),
		.context_window = js_i64(o, "context_window", 0),
		.max_output_tokens = js_i64(o, "max_output_tokens", 0),
		.input_cost_per_m = js_f64(o, "input_cost_per_m", 0),
		.output_cost_per_m = js_f64(o, "output_cost_per_m", 0),
		.image_input_cost_per_m = js_f64(o, "image_input_cost_per_m", 0),
		.image_output_cost_per_m = js_f64(o, "image_output_cost_per_m", 0),
		.has_image_costs = js_get(o, "image_input_cost_per_m") != NULL,
		.per_call_cost = js_f64(o, "per_call_cost", 0),
		.pricing_known = js_bool(o, "pricing_known", true),
		.supports_tools = js_bool(o, "supports_tools", false),
		.supports_vision = js_bool(o, "supports_vision", false),
		.supports_streaming = js_bool(o, "supports_streaming", false),
		.supports_thinking = js_bool(o, "supports_thinking", false),
		.aliases = part(o, "aliases"),
	};
}

static void
load_models(struct ctx *c)
{
	struct json_object *all = parse(c, models_json);

	n_models = json_object_array_length(all);
	models = need(arena_alloc(keep, n_models * sizeof(*models)));
	for (size_t i = 0; i < n_models; i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		struct model *m = &models[i];
		int p = index_find(&by_provider, js_str_or(o, "provider", ""));

		read_model(o, m);
		index_add(&by_id, m->id, i);
		index_add(&by_display, m->display_name, i);
		if (p >= 0) {
			m->by = &providers[p];
			m->provider = m->by->id;
			providers[p].model_count++;
		} else {
			m->provider = text_or(o, "provider", "");
		}
	}
}

static void
add_alias(const char *alias, struct json_object *target)
{
	int at = index_find(&by_id, json_object_get_string(target));

	if (at < 0 || index_find(&by_alias, alias) >= 0)
		return;                         /* the first definition of a name counts */
	aliases[n_aliases] = (struct catalog_alias){
		.alias = need(arena_strndup(keep, alias, strlen(alias))),
		.model_id = models[at].id,
	};
	index_add(&by_alias, aliases[n_aliases].alias, (size_t)at);
	n_aliases++;
}

static int
alias_order(const void *a, const void *b)
{
	const struct catalog_alias *x = a, *y = b;

	return strcmp(x->alias, y->alias);
}

static void
load_aliases(struct ctx *c)
{
	struct json_object *all = parse(c, aliases_json);
	struct json_object *shown = need(js_obj(all, "aliases"));
	struct json_object *legacy = need(js_obj(all, "legacy_aliases"));
	size_t most = (size_t)json_object_object_length(shown) +
	    (size_t)json_object_object_length(legacy);

	aliases = need(arena_alloc(keep, most * sizeof(*aliases)));
	json_object_object_foreach(shown, alias, target)
		add_alias(alias, target);
	n_shown_aliases = n_aliases;
	qsort(aliases, n_shown_aliases, sizeof(*aliases), alias_order);
	json_object_object_foreach(legacy, old, target2)
		add_alias(old, target2);
	json_object_object_foreach(need(js_obj(all, "provider_aliases")), name, id) {
		int p = index_find(&by_provider, json_object_get_string(id));

		if (p >= 0)
			index_add(&by_provider_alias, need(arena_strndup(keep, name, strlen(name))),
			    (size_t)p);
	}
}

static void
load_all(void)
{
	struct ctx c = { 0 };
	void (*const steps[])(struct ctx *) = { load_providers, load_models, load_aliases };

	keep = need(arena_new(128 * 1024));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		c.arena = need(arena_new(1024));
		steps[i](&c);
		arena_free(c.arena);
	}
}

void
catalog_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load_all);    /* cannot fail with a control of ours */
}

/* --- looking up ------------------------------------------------------------ */

const struct provider *
catalog_provider(const char *id)
{
	unsigned i;
	int at;

	catalog_init();
	if (id == NULL)
		return NULL;
	i = slot_of(id);
	while ((at = index_next(&by_provider, id, &i)) >= 0)
		if (strcmp(providers[at].id, id) == 0)
			return &providers[at];
	return NULL;
}

const struct provider *
catalog_provider_alias(const char *name)
{
	const struct provider *p = catalog_provider(name);
	int at;

	if (p != NULL || name == NULL)
		return p;
	at = index_find(&by_provider_alias, name);
	return at < 0 ? NULL : &providers[at];
}

static const struct model *
first_in(const struct index *x, const char *provider, const char *name)
{
	unsigned i = slot_of(name);
	int at;

	while ((at = index_next(x, name, &i)) >= 0)
		if (provider == NULL || strcmp(models[at].provider, provider) == 0)
			return &models[at];
	return NULL;
}

static bool
has_alias(const struct model *m, const char *name)
{
	size_t n = m->aliases == NULL ? 0 : json_object_array_length(m->aliases);

	for (size_t i = 0; i < n; i++) {
		const char *a = json_object_get_string(json_object_array_get_idx(m->aliases, i));

		if (strcasecmp(a, name) == 0)
			return true;
	}
	return false;
}

static const struct model *
within(const char *provider, const char *name)
{
	const struct model *m = first_in(&by_id, provider, name);
	size_t len = strlen(provider);
	char full[256];

	if (m != NULL)
		return m;
	for (size_t i = 0; i < n_models; i++)
		if (strcmp(models[i].provider, provider) == 0 && has_alias(&models[i], name))
			return &models[i];
	if (strncmp(name, provider, len) == 0 && name[len] == '/')
		return first_in(&by_id, provider, name + len + 1);
	if (len + 1 + strlen(name) >= sizeof(full))
		return NULL;
	memcpy(full, provider, len);
	full[len] = '/';
	memcpy(full + len + 1, name, strlen(name) + 1);
	return first_in(&by_id, provider, full);
}

const struct model *
catalog_model(const char *provider, const char *name)
{
	const struct provider *p;
	const struct model *m;

	catalog_init();
	if (name == NULL || *name == '\0')
		return NULL;
	if (provider != NULL && *provider != '\0') {
		p = catalog_provider_alias(provider);
		m = within(p != NULL ? p->id : provider, name);
		if (m != NULL)
			return m;
	}
	m = first_in(&by_id, NULL, name);
	if (m == NULL)
		m = first_in(&by_display, NULL, name);
	if (m == NULL)
		m = first_in(&by_alias, NULL, name);
	return m;
}

size_t
catalog_models(const struct model **ret)
{
	catalog_init();
	*ret = models;
	return n_models;
}

size_t
catalog_providers(const struct provider **ret)
{
	catalog_init();
	*ret = providers;
	return n_providers;
}

size_t
catalog_aliases(const struct catalog_alias **ret)
{
	catalog_init();
	*ret = aliases;
	return n_shown_aliases;
}

const char *
catalog_default_model(const char *provider)
{
	const struct provider *p = catalog_provider_alias(provider);
	const struct model *first = NULL;

	for (size_t i = 0; p != NULL && i < n_models; i++) {
		const struct model *m = &models[i];

		if (m->by != p || strcmp(m->modality, "text") != 0)
			continue;
		if (strcmp(m->tier, "balanced") == 0 || strcmp(m->tier, "smart") == 0)
			return m->id;
		if (first == NULL)
			first = m;
	}
	return first == NULL ? NULL : first->id;
}

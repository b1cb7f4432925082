/*
 * Making a set of the catalog's tables: from the facts, which are JSON that is shipped or
 * lies in the data directory, and the rows over them. The trees are let go after reading; what stays are
 * arrays, their strings in one arena, and hash tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/embed.h"
#include "lib/svc/catalog_build.h"

EMBED(models_json, "share/models.json");
EMBED(providers_json, "share/providers.json");
EMBED(aliases_json, "share/aliases.json");

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

void
build_put_object(void *o)
{
	json_object_put(o);
}

/* --- hash tables --------------------------------------------------------------- */

bool
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

void
index_add(struct index *x, const char *name, size_t at)
{
	unsigned i = index_start(x, name);

	while (x->name[i] != NULL)
		i = (i + 1) & x->mask;
	x->name[i] = name;
	x->at[i] = (uint16_t)at;
}

/* --- aliases ----------------------------------------------------------------------------- */

static void
index_own_aliases(struct build *b)
{
	struct catalog_set *s = b->s;
	size_t n = 0;

	for (size_t i = 0; i < s->n_models; i++)
		n += s->models[i].aliases != NULL ? json_object_array_length(s->models[i].aliases) : 0;
	if (b->full || !index_make(b, &s->by_own_alias, n))
		return;
	for (size_t i = 0; i < s->n_models; i++)
		for (size_t k = 0; s->models[i].aliases != NULL && k < json_object_array_length(s->models[i].aliases); k++)
			index_add(&s->by_own_alias, js_item(s->models[i].aliases, k), i);
}

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
		models += (s->states[i].live != NULL ? json_object_array_length(s->states[i].live) : 0) + (s->states[i].program_model != NULL);
	aliases = r->n_alias + (size_t)json_object_object_length(b->aliases) + (size_t)json_object_object_length(b->legacy);
	if (models > UINT16_MAX || aliases > UINT16_MAX) {
		b->full = true;
		return;
	}
	b->room_aliases = aliases;
	build_providers(b);
	s->models = build_need(b, (models + 1) * sizeof(*s->models));
	s->aliases = build_need(b, (aliases + 1) * sizeof(*s->aliases));
	s->targets = build_need(b, (aliases + 1) * sizeof(*s->targets));
	if (b->full || !index_make(b, &s->by_id, models) || !index_make(b, &s->by_display, models) ||
	    !index_make(b, &s->by_alias, aliases) ||
	    !index_make(b, &s->by_provider_alias, (size_t)json_object_object_length(b->provider_aliases)))
		return;
	build_models(b, r);
	index_own_aliases(b);
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
	if (file == NULL && memory_short)       /* there may be one */
		return fail(c, ERR_NOMEM, "out of memory");
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

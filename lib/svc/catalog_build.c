/*
 * Making a set of the catalog's tables: from the facts, which are JSON that is shipped or
 * lies in the data directory, and the rows over them. The trees are let go after reading; what stays are
 * arrays, their strings in one arena, and hash tables.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
#include <wctype.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/embed.h"
#include "lib/svc/catalog_set.h"

EMBED(models_json, "share/models.json");
EMBED(providers_json, "share/providers.json");
EMBED(aliases_json, "share/aliases.json");

enum { FILE_MAX = 16 << 20, MODELS_MAX = 20000, ROWS_MAX = 10000, FOUND_WINDOW = 131072, FOUND_OUTPUT = 16384 };

/* One making. */
struct build {
	struct catalog_set *s;
	struct ctx *c;                  /* trees that are read end with it */
	struct json_object *providers, *models, *aliases, *legacy, *provider_aliases;
	size_t room_models, room_aliases;
	bool full;                      /* no memory */
};

/* --- memory ------------------------------------------------------------------ */

static void *
need(struct build *b, size_t n)
{
	void *p = arena_alloc(b->s->keep, n);

	b->full = b->full || p == NULL;
	return p;
}

static const char *
keep(struct build *b, const char *s)
{
	const char *p = s == NULL ? NULL : arena_strndup(b->s->keep, s, strlen(s));

	b->full = b->full || (s != NULL && p == NULL);
	return p;
}

static const char *
text_or(struct build *b, const struct json_object *o, const char *key, const char *dflt)
{
	const char *s = js_str(o, key);

	s = s == NULL ? dflt : keep(b, s);
	return s == NULL ? dflt : s;
}

static void
put_object(void *o)
{
	json_object_put(o);
}

/* A part of the tree that outlives the tree; NULL when absent. */
static struct json_object *
part(struct build *b, const struct json_object *o, const char *key)
{
	struct json_object *v = json_object_get(js_get(o, key));

	if (v != NULL && arena_defer(b->s->keep, put_object, v) != 0) {
		b->full = true;
		return NULL;
	}
	return v;
}

/* --- hash tables --------------------------------------------------------------- */

unsigned
index_start(const struct index *x, const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		h = (h ^ ch) * 16777619u;
	}
	return (h ^ h >> 15) & x->mask;
}

int
index_next(const struct index *x, const char *name, unsigned *i)
{
	for (; x->name[*i] != NULL; *i = (*i + 1) & x->mask) {
		unsigned here = *i;

		if (strcasecmp(x->name[here], name) != 0)
			continue;
		*i = (here + 1) & x->mask;
		return x->at[here];
	}
	return -1;
}

int
index_find(const struct index *x, const char *name)
{
	unsigned i = index_start(x, name);

	return index_next(x, name, &i);
}

static bool
index_make(struct build *b, struct index *x, size_t names)
{
	uint32_t n = 16;

	while (n < names * 2 + 2)
		n *= 2;
	x->mask = n - 1;
	x->name = need(b, n * sizeof(*x->name));
	x->at = need(b, n * sizeof(*x->at));
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

bool
catalog_fold(const char *s, char out[static CATALOG_NAME_MAX + 1])
{
	static locale_t utf8;
	size_t n = strlen(s), o = 0, k;
	mbstate_t in = { 0 }, to = { 0 };
	wchar_t ch;

	if (n > CATALOG_NAME_MAX / 2 || !utf8_ok(s, n))
		return false;
	for (; *s != '\0' && (unsigned char)*s < 0x80; s++, n--) /* nearly always all of it: ASCII needs no locale */
		out[o++] = (char)(*s >= 'A' && *s <= 'Z' ? *s | 32 : *s);
	out[o] = '\0';
	if (n == 0)
		return true;
	if (utf8 == (locale_t)0)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0)
		return false;
	(void)uselocale(utf8);
	for (; n > 0; s += k, n -= k) {
		k = mbrtowc(&ch, s, n, &in);
		if (k == 0 || k > n)
			break;
		o += wcrtomb(out + o, (wchar_t)towlower((wint_t)ch), &to);
	}
	(void)uselocale(LC_GLOBAL_LOCALE);
	out[o] = '\0';
	return n == 0;
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

	s->providers = need(b, (n + 1) * sizeof(*s->providers));
	if (!index_make(b, &s->by_provider, n))
		return;
	for (size_t i = 0; i < n; i++) {
		read_provider(b, json_object_array_get_idx(b->providers, i), &s->providers[i]);
		index_add(&s->by_provider, s->providers[i].id, i);
	}
	s->n_providers = n;
}

static void
read_model(struct build *b, const struct json_object *o, struct model *m)
{
	*m = (struct model){
		.id = text_or(b, o, "id", ""),
		.display_name = text_or(b, o, "display_name", ""),
		.tier = text_or(b, o, "tier", "custom"),
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
		m->provider = keep(b, provider);
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

static bool
in_live(const struct json_object *live, const char *provider, const char *id)
{
	size_t k = strlen(provider);

	for (size_t i = 0; i < json_object_array_length(live); i++) {
		const char *name = js_str_or(json_object_array_get_idx(live, i), "name", "");

		if (same_model(id, name) || (strncmp(id, provider, k) == 0 && id[k] == '/' && same_model(id + k + 1, name)))
			return true;
	}
	return false;
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

		if (st != NULL && !in_live(st->live, provider, js_str_or(o, "id", "")))
			continue;
		read_model(b, o, &b->s->models[b->s->n_models]);
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
	for (size_t i = 0; i < s->n_models; i++)
		if (strcmp(s->models[i].provider, provider) == 0 && same_model(s->models[i].id, name))
			return true;
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
		.id = keep(b, name), .display_name = keep(b, name), .tier = "local", .modality = "text",
		.context_window = FOUND_WINDOW, .max_output_tokens = FOUND_OUTPUT, .pricing_known = true,
		.raw_tools = !embeds, .raw_streaming = !embeds, .raw_thinking = !embeds && thinks(name),
		.raw_vision = !embeds && (has_word(js_arr(o, "families"), "clip") || has_word(js_arr(o, "capabilities"), "vision")),
		.found = true,
	};
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
	s->targets[s->n_targets] = keep(b, target);
	alias = keep(b, alias);
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
	s->aliases[s->n_aliases++] = (struct catalog_alias){ .alias = keep(b, alias), .model_id = s->targets[before] };
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

		if (p >= 0 && (name = (char *)(uintptr_t)keep(b, name)) != NULL)
			index_add(&s->by_provider_alias, name, (size_t)p);
	}
}

/* --- rows ---------------------------------------------------------------------------------- */

/* One row of a provider's state, with what it told. */
static void
read_state(struct build *b, struct stmt *st)
{
	struct provider_state *x = &b->s->states[b->s->n_states];
	const char *live = col_text(b->c, st, "live");

	*x = (struct provider_state){
		.id = keep(b, col_text(b->c, st, "provider")),
		.suppressed = col_i64(st, "suppressed") != 0,
		.key_set = col_i64(st, "key_set") != 0,
		.discover = col_is_null(st, "discover") ? -1 : col_i64(st, "discover") != 0,
		.auth = keep(b, col_text(b->c, st, "auth")),
		.tested_ms = col_i64(st, "tested_ms"),
		.reachable = col_i64(st, "reachable") != 0,
		.latency_ms = col_i64(st, "latency_ms"),
		.error = keep(b, col_text(b->c, st, "error")),
		.live_ms = col_i64(st, "live_ms"),
	};
	if (live != NULL && (x->live = json_tokener_parse(live)) != NULL &&
	    (!json_object_is_type(x->live, json_type_array) || arena_defer(b->s->keep, put_object, x->live) != 0))
		x->live = NULL;
	b->s->n_states++;
}

struct rows {
	struct catalog_alias *alias; size_t n_alias;
	struct json_object **custom; size_t n_custom;
};

static enum err
count(struct ctx *c, size_t n[4])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT (SELECT count(*) FROM provider_state) AS states,"
	    " (SELECT count(*) FROM model_override) AS settings, (SELECT count(*) FROM model_alias) AS aliases,"
	    " (SELECT count(*) FROM model_custom) AS custom"));
	static const char *const names[4] = { "states", "settings", "aliases", "custom" };

	while (db_step(st))
		for (int i = 0; i < 4; i++) {
			int64_t k = col_i64(st, names[i]);

			n[i] = k > ROWS_MAX ? ROWS_MAX : (size_t)k;
		}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
read_states(struct build *b, size_t most)
{
	SCOPED_STMT st = db_prepare(b->c->db, SQL("SELECT provider, suppressed, key_set, discover, auth, tested_ms, reachable,"
	    " latency_ms, error, live, live_ms FROM provider_state ORDER BY provider LIMIT 10000"));

	b->s->states = need(b, (most + 1) * sizeof(*b->s->states));
	while (db_step(st))
		if (b->s->n_states < most && !b->full)
			read_state(b, st);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(b->c, st);
}

static enum err
read_settings(struct build *b, size_t most)
{
	SCOPED_STMT st = db_prepare(b->c->db, SQL("SELECT key, settings FROM model_override ORDER BY key LIMIT 10000"));
	struct catalog_set *s = b->s;

	s->overrides = need(b, (most + 1) * sizeof(*s->overrides));
	while (db_step(st))
		if (s->n_overrides < most && !b->full)
			s->overrides[s->n_overrides++] = (struct catalog_override){
				.key = keep(b, col_text(b->c, st, "key")), .json = keep(b, col_text(b->c, st, "settings")),
			};
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(b->c, st);
}

static enum err
read_aliases(struct ctx *c, size_t most, struct rows *r)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT alias, model_id FROM model_alias ORDER BY alias LIMIT 10000"));

	r->alias = ctx_alloc(c, (most + 1) * sizeof(*r->alias));
	while (r->alias != NULL && db_step(st))
		if (r->n_alias < most)
			r->alias[r->n_alias++] = (struct catalog_alias){ .alias = col_text(c, st, "alias"), .model_id = col_text(c, st, "model_id") };
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
read_custom(struct ctx *c, size_t most, struct rows *r)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT facts FROM model_custom ORDER BY created_ms, id LIMIT 10000"));

	r->custom = ctx_alloc(c, (most + 1) * sizeof(struct json_object *));
	while (r->custom != NULL && db_step(st)) {
		struct json_object *o = json_stored(c, col_text(c, st, "facts"));

		if (o != NULL && r->n_custom < most)
			r->custom[r->n_custom++] = o;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
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
	s->models = need(b, (models + 1) * sizeof(*s->models));
	s->aliases = need(b, (aliases + 1) * sizeof(*s->aliases));
	s->targets = need(b, (aliases + 1) * sizeof(*s->targets));
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
	struct build b;

	if (c.arena == NULL || !begin(&b, &c) || !facts(&b, NULL))
		abort();                        /* at start, with nothing served yet */
	make(&b, &none);
	if (b.full)
		abort();
	arena_free(c.arena);
	return b.s;
}

/* A file of the data directory that took the shipped facts' place; NULL: none, or a broken one. */
static struct json_object *
newer_file(struct ctx *c)
{
	static const char *const names[] = { "catalog.json", "catalog.json.prev" };
	char path[4352], msg[200];
	size_t n;

	for (size_t i = 0; c->cfg != NULL && i < ARRAY_LEN(names); i++) {
		SCOPED_BUF b = BUF_INIT(FILE_MAX);

		snprintf(path, sizeof(path), "%s/%s", c->cfg->data_dir, names[i]);
		if (buf_read_file(&b, path) == ERR_OK && b.p != NULL && catalog_file_ok(c, b.p, b.len, &n, msg, sizeof(msg)))
			return json_stored(c, b.p);
	}
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
	e = facts(&b, file) ? read_states(&b, n[0]) : fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = read_settings(&b, n[1]);
	if (e == ERR_OK)
		e = read_aliases(c, n[2], &r);
	if (e == ERR_OK)
		e = read_custom(c, n[3], &r);
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

enum err
catalog_build(struct ctx *c, struct catalog_set **ret)
{
	struct json_object *file;
	struct arena *own = c->arena, *mine = arena_new(16 * 1024);
	size_t n[4] = { 0 };
	enum err e;

	if (mine == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = count(c, n);
	if (e != ERR_OK) {
		arena_free(mine);
		return e;
	}
	c->arena = mine;                        /* megabytes of trees that are not to live as long as the job */
	file = newer_file(c);
	*ret = NULL;
	if (file != NULL || n[0] + n[1] + n[2] + n[3] > 0)
		e = build_with(c, file, n, ret);
	c->arena = own;
	arena_free(mine);
	return e == ERR_OK ? e : fail(c, e, "the catalog cannot be read");
}

/* --- a file that somebody sent ---------------------------------------------------------------- */

static bool
row_ok(const struct json_object *o, bool model)
{
	const char *id = js_str(o, "id"), *p = js_str(o, "provider");

	if (id == NULL || id[0] == '\0' || strlen(id) > CATALOG_NAME_MAX / 2)
		return false;
	if (!model)
		return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(id);
	return p != NULL && p[0] != '\0' && js_f64(o, "input_cost_per_m", 0) >= 0 && js_f64(o, "output_cost_per_m", 0) >= 0 &&
	    (strcmp(js_str_or(o, "modality", "text"), "text") != 0 ||
	    (js_i64(o, "context_window", 0) > 0 && js_i64(o, "max_output_tokens", 0) > 0));
}

bool
catalog_file_ok(struct ctx *c, const char *text, size_t n, size_t *ret_models, char *msg, size_t cap)
{
	static const char *const lists[] = { "providers", "models" };
	struct json_object *o = NULL;

	if (json_read(c, text, n, &o) != ERR_OK || !json_object_is_type(o, json_type_object)) {
		snprintf(msg, cap, "the catalog is no JSON object");
		return false;
	}
	for (int i = 0; i < 2; i++) {
		struct json_object *a = js_arr(o, lists[i]);
		size_t k = a != NULL ? json_object_array_length(a) : 0;

		if (k == 0 || k > MODELS_MAX) {
			snprintf(msg, cap, "the catalog has no %s", lists[i]);
			return false;
		}
		for (size_t j = 0; j < k; j++)
			if (!row_ok(json_object_array_get_idx(a, j), i == 1)) {
				snprintf(msg, cap, "%s[%zu] of the catalog is none", lists[i], j);
				return false;
			}
		*ret_models = k;
	}
	return true;
}

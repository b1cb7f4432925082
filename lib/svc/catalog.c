/*
 * The catalog: facts, read once into tables.
 *
 * A set of tables is never changed once it is made: who adds a model makes another set
 * (catalog_build.c), and a job keeps the one that it began with, so that a
 * pointer into it is good until the job ends. Beside it stand hash tables of model ids, display
 * names and aliases, so that a request looks up and allocates nothing. The one difficult
 * thing is the order of names: several providers may offer the same model id, and the first in
 * catalog order wins unless the caller names a provider.
 */
#include "lib/svc/catalog.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "lib/base/shm.h"
#include "lib/svc/catalog_set.h"

static _Atomic bool stale;               /* the last set could not be made */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;      /* one after another, or rows of before could come last */
static _Atomic(struct catalog_set *) base;      /* what is shipped; stays */
static struct catalog_set *current;     /* NULL: base */
static _Thread_local struct catalog_set *mine;
/* What a job found before it changed the catalog itself stays, too. */
enum { OLDER = 16 };
static _Thread_local struct catalog_set *older[OLDER];
static _Thread_local unsigned n_older;

/* --- sets ------------------------------------------------------------------ */

bool
catalog_init(void)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

	if (base != NULL)
		return true;
	pthread_mutex_lock(&one);
	if (base == NULL)
		base = catalog_shipped();
	pthread_mutex_unlock(&one);
	memory_short |= base == NULL;
	return base != NULL;
}

/* The thread's own; else what is shipped, which nobody takes away. Nothing is in it where memory ends, and that is noted. */
static const struct catalog_set *
set(void)
{
	static const char *no_name[1];
	static const struct catalog_set none = { .by_provider.name = no_name, .by_provider_alias.name = no_name,
	    .by_id.name = no_name, .by_display.name = no_name, .by_own_alias.name = no_name, .by_alias.name = no_name };

	return mine != NULL ? mine : catalog_init() ? base : &none;
}

static void
drop(struct catalog_set *s)
{
	if (s != NULL && atomic_fetch_sub(&s->holds, 1) == 1)
		catalog_set_free(s);
}

void
catalog_enter(void)
{
	if (n_older == OLDER)
		drop(older[--n_older]);
	if (mine != NULL)
		older[n_older++] = mine;
	pthread_mutex_lock(&mu);
	mine = current;
	if (mine != NULL)
		atomic_fetch_add(&mine->holds, 1);
	pthread_mutex_unlock(&mu);
}

void
catalog_leave(void)
{
	while (n_older > 0)
		drop(older[--n_older]);
	drop(mine);
	mine = NULL;
}

void
catalog_mend(struct ctx *c)
{
	if (stale && catalog_load(c) != ERR_OK)
		c->fault = (struct fault){ 0 }; /* the one before serves on */
}

enum err
catalog_load(struct ctx *c)
{
	struct catalog_set *fresh = NULL, *old = NULL;
	enum err e;

	pthread_mutex_lock(&making);
	e = catalog_build(c, &fresh);
	if (e == ERR_OK) {
		pthread_mutex_lock(&mu);
		old = current;
		current = fresh;
		pthread_mutex_unlock(&mu);
	}
	pthread_mutex_unlock(&making);
	stale = e != ERR_OK;
	if (e != ERR_OK)
		return e;
	drop(old);
	catalog_enter();
	return ERR_OK;
}

uint32_t
catalog_generation(void)
{
	return shm != NULL ? atomic_load_explicit(&shm->catalog_generation, memory_order_acquire) : 0;
}

enum err
catalog_changed(struct ctx *c)
{
	enum err e = catalog_load(c);

	if (shm != NULL)
		atomic_fetch_add(&shm->catalog_generation, 1);
	return e;
}

void
catalog_done(void)
{
	catalog_leave();
	drop(current);
	current = NULL;
}

/* --- looking up ------------------------------------------------------------ */

const struct provider *
catalog_provider(const char *id)
{
	const struct catalog_set *s = set();
	unsigned i;
	int at;

	if (id == NULL)
		return NULL;
	i = index_start(&s->by_provider, id);
	while ((at = index_next(&s->by_provider, id, &i)) >= 0)
		if (strcmp(s->providers[at].id, id) == 0)
			return &s->providers[at];
	return NULL;
}

const struct provider *
catalog_provider_alias(const char *name)
{
	const struct provider *p = catalog_provider(name);
	const struct catalog_set *s = set();
	int at;

	if (p != NULL || name == NULL)
		return p;
	at = index_find(&s->by_provider_alias, name);
	return at < 0 ? NULL : &s->providers[at];
}

/* Of equal names one that somebody added comes before what is shipped. */
static const struct model *
first_in(const struct index *x, const char *provider, const char *name)
{
	const struct catalog_set *s = set();
	const struct model *first = NULL;
	unsigned i = index_start(x, name);
	int at;

	while ((at = index_next(x, name, &i)) >= 0) {
		if (provider != NULL && strcmp(s->models[at].provider, provider) != 0)
			continue;
		if (s->models[at].custom)
			return &s->models[at];
		if (first == NULL)
			first = &s->models[at];
	}
	return first;
}

static const struct model *
within(const char *provider, const char *name)
{
	const struct catalog_set *s = set();
	const struct model *m = first_in(&s->by_id, provider, name);
	size_t len = strlen(provider);
	char full[256];
	int at;

	if (m != NULL)
		return m;
	for (unsigned i = index_start(&s->by_own_alias, name); (at = index_next(&s->by_own_alias, name, &i)) >= 0;)
		if (strcmp(s->models[at].provider, provider) == 0)
			return &s->models[at];
	if (strncmp(name, provider, len) == 0 && name[len] == '/')
		return first_in(&s->by_id, provider, name + len + 1);
	if (len + 1 + strlen(name) >= sizeof(full))
		return NULL;
	memcpy(full, provider, len);
	full[len] = '/';
	memcpy(full + len + 1, name, strlen(name) + 1);
	return first_in(&s->by_id, provider, full);
}

static const struct model *
by_alias(const char *name)
{
	const struct catalog_set *s = set();
	char folded[CATALOG_NAME_MAX + 1];
	int at = index_find(&s->by_alias, catalog_fold(name, folded) ? folded : name);

	/* an alias of an alias leads nowhere */
	return at < 0 ? NULL : first_in(&s->by_id, NULL, s->targets[at]);
}

const struct model *
catalog_model(const char *provider, const char *name)
{
	const struct catalog_set *s = set();
	const struct provider *p;
	const struct model *m;

	if (name == NULL || *name == '\0')
		return NULL;
	if (provider != NULL && *provider != '\0') {
		p = catalog_provider_alias(provider);
		m = within(p != NULL ? p->id : provider, name);
		if (m != NULL)
			return m;
	}
	m = first_in(&s->by_id, NULL, name);
	if (m == NULL)
		m = first_in(&s->by_display, NULL, name);
	return m != NULL ? m : by_alias(name);
}

size_t
catalog_models(const struct model **ret)
{
	const struct catalog_set *s = set();

	*ret = s->models;
	return s->n_models;
}

size_t
catalog_providers(const struct provider **ret)
{
	const struct catalog_set *s = set();

	*ret = s->providers;
	return s->n_providers;
}

size_t
catalog_aliases(const struct catalog_alias **ret)
{
	const struct catalog_set *s = set();

	*ret = s->aliases;
	return s->n_aliases;
}

bool
catalog_alias_known(const char *folded)
{
	const struct catalog_set *s = set();
	int at = index_find(&s->by_alias, folded);

	return at >= 0 && s->targets[at][0] != '\0';
}

size_t
catalog_shipped_models(void)
{
	return set()->n_shipped;
}

const struct provider_state *
catalog_state(const char *id)
{
	static const struct provider_state none = { .discover = -1 };
	const struct catalog_set *s = set();

	for (size_t i = 0; id != NULL && i < s->n_states; i++)
		if (strcmp(s->states[i].id, id) == 0)
			return &s->states[i];
	return &none;
}

const char *
catalog_override(const char *key)
{
	const struct catalog_set *s = set();

	for (size_t i = 0; i < s->n_overrides; i++)
		if (strcasecmp(s->overrides[i].key, key) == 0)
			return s->overrides[i].json;
	return NULL;
}

/* An id may have a colon of its own (llama3.2:latest). */
const char *
catalog_override_key(struct ctx *c, const char *name)
{
	const char *colon = strchr(name, ':');
	const char *provider = colon != NULL ? ctx_printf(c, "%.*s", (int)(colon - name), name) : NULL;
	const struct model *m;

	if (provider != NULL && catalog_provider_alias(provider) != NULL)
		return name;
	m = catalog_model(NULL, name);
	if (m != NULL)
		return ctx_printf(c, "%s:%s", m->provider, m->id);
	return colon != NULL ? name : NULL;
}

const char *
catalog_default_model(const char *provider)
{
	const struct catalog_set *s = set();
	const struct provider *p = catalog_provider_alias(provider);
	const struct model *first = NULL;

	for (size_t i = 0; p != NULL && i < s->n_models; i++) {
		const struct model *m = &s->models[i];

		if (m->by != p || strcmp(m->modality, "text") != 0)
			continue;
		if (strcmp(m->tier, "balanced") == 0 || strcmp(m->tier, "smart") == 0)
			return m->id;
		if (first == NULL)
			first = m;
	}
	return first == NULL ? NULL : first->id;
}

/*
 * One set of tables, and how it is made. For the files of the catalog alone.
 */
#ifndef LF_CATALOG_SET_H
#define LF_CATALOG_SET_H
#include <stdatomic.h>

#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"

/* name → position in an array, in order of insertion along a probe. Any letter case of ASCII. */
struct index { uint32_t mask; const char **name; uint16_t *at; };

struct catalog_override { const char *key, *json; };

struct catalog_set {
	_Atomic unsigned holds;
	struct arena *keep;             /* everything below */
	struct provider *providers; size_t n_providers;
	struct model *models; size_t n_models;
	size_t n_shipped;               /* of the files, whether their provider has them or not; without offline */
	struct catalog_alias *aliases; size_t n_aliases;        /* that are shown, by name */
	const char **targets; size_t n_targets;                 /* of all aliases: model ids */
	struct provider_state *states; size_t n_states;
	struct catalog_override *overrides; size_t n_overrides;
	struct index by_provider, by_provider_alias, by_id, by_display, by_own_alias;   /* by_own_alias: models, by what they call themselves */
	struct index by_alias;          /* into targets */
};

unsigned index_start(const struct index *, const char *name);
/* The next match at or behind *i; -1: no more. */
int index_next(const struct index *, const char *name, unsigned *i);
int index_find(const struct index *, const char *name);

/* A file of the data directory that counts instead of what is shipped; NULL: none, or a broken one. */
struct json_object *catalog_newer_file(struct ctx *);
struct catalog_set *catalog_shipped(void);              /* NULL: no memory */
/* From files and rows; NULL in *ret when they say nothing beyond what is shipped. */
enum err catalog_build(struct ctx *, struct catalog_set **ret) MUST_CHECK;
void catalog_set_free(struct catalog_set *);
#endif

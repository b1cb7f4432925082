/*
 * A set of the catalog's tables while it is made. For catalog_build.c, catalog_models.c and catalog_rows.c alone.
 */
#ifndef LF_CATALOG_BUILD_H
#define LF_CATALOG_BUILD_H
#include "lib/svc/catalog_set.h"

/* One making. */
struct build {
	struct catalog_set *s;
	struct ctx *c;                  /* trees that are read end with it */
	struct json_object *providers, *models, *aliases, *legacy, *provider_aliases;
	size_t room_models, room_aliases;
	bool full;                      /* no memory */
};

/* Rows that become part of the tables later than others. */
struct rows {
	struct catalog_alias *alias; size_t n_alias;
	struct json_object **custom; size_t n_custom;
};

/* A copy that lives as long as the set; NULL stays NULL. */
const char *build_keep(struct build *, const char *);
void *build_need(struct build *, size_t bytes);
/* arena_defer()'s way to put a json-c object. */
void build_put_object(void *);

/* An empty table with room for so many names. false: no memory. */
bool index_make(struct build *, struct index *, size_t names);
/* There is always room: the table was made for as many names as come. */
void index_add(struct index *, const char *name, size_t at);

/* The facts' providers; then, once there is room for them, all models. */
void build_providers(struct build *);
void build_models(struct build *, const struct rows *);

/* Between these the rows are those of one moment: what was counted is what is read. */
enum err rows_begin(struct ctx *) MUST_CHECK;
void rows_end(struct ctx *);
/* How many rows there are: states, settings, aliases, models. */
enum err rows_count(struct ctx *, size_t n[4]) MUST_CHECK;
/* Of each kind at most so many. */
enum err rows_states(struct build *, size_t most) MUST_CHECK;
enum err rows_settings(struct build *, size_t most) MUST_CHECK;
enum err rows_aliases(struct ctx *, size_t most, struct rows *) MUST_CHECK;
enum err rows_custom(struct ctx *, size_t most, struct rows *) MUST_CHECK;
#endif

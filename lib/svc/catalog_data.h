/*
 * What lists and details of the catalog need beside catalog.h.
 */
#ifndef LF_CATALOG_DATA_H
#define LF_CATALOG_DATA_H
#include "lib/svc/catalog.h"

struct catalog_alias { const char *alias, *model_id; };

enum { CATALOG_NAME_MAX = 512 };

/* Small letters of every alphabet. false: too long, or no UTF-8. */
bool catalog_fold(const char *s, char out[static CATALOG_NAME_MAX + 1]);
/* Is that an alias, in small letters? Old ones that no list shows count too. */
bool catalog_alias_known(const char *folded);
/* How many models the catalog's own files have. */
size_t catalog_shipped_models(void);
/* Is this the text of a catalog file that can take the shipped one's place? msg: what is wrong. */
bool catalog_file_ok(struct ctx *, const char *text, size_t n, size_t *ret_models, char *msg, size_t cap);

/* Aliases of models, ordered by name. */
size_t catalog_aliases(const struct catalog_alias **ret);
/* Does the environment hold a key for it? */
bool catalog_key_present(const struct config *, const char *provider);
/* Is it asked for its models? */
bool catalog_discovers(const struct provider *);
/* Can its provider be used under this configuration? */
bool catalog_available(const struct config *, const struct model *);
/* Is it shown? A hidden one is from the moment the configuration gives it a URL. */
bool catalog_listed(const struct config *, const struct provider *);
/* Fill *ret for a provider that only has a URL in the configuration. false: there is none of that name. */
bool catalog_provider_custom(const struct config *, const char *id, struct provider *ret);
/* All that are shown, into the open array; their number. */
size_t catalog_write_providers(struct jw *, const struct config *);
/* The members of catalog_write_model() into the open object, for a caller that adds its own. */
void catalog_write_model_members(struct jw *, const struct config *, const struct model *);
#endif

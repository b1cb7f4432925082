/*
 * What lists and details of the catalog need beside catalog.h.
 */
#ifndef LF_CATALOG_DATA_H
#define LF_CATALOG_DATA_H
#include "lib/svc/catalog.h"

struct catalog_alias { const char *alias, *model_id; };

/* Aliases of models, ordered by name. */
size_t catalog_aliases(const struct catalog_alias **ret);
/* Does the environment hold a key for it? */
bool catalog_key_present(const struct config *, const char *provider);
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

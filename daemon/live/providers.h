/* What the handlers of providers share. */
#ifndef LF_LIVE_PROVIDERS_H
#define LF_LIVE_PROVIDERS_H
#include "lib/api/api.h"

/* The path's {name}. BAD_REQUEST: letters a-z, digits, - and _, at most 64. */
enum err provider_named(struct ctx *, const struct request *, const char **ret) MUST_CHECK;
/* Do the lists have it: of the catalog and not hidden, or with an address of its own? */
bool provider_shown(struct ctx *, const char *id);
/* Into the open array: names of a list of models. */
void write_names(struct jw *, struct json_object *live);
#endif

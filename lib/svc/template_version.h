/* Earlier texts of templates. */
#ifndef LF_TEMPLATE_VERSION_H
#define LF_TEMPLATE_VERSION_H
#include "lib/base/json.h"

enum { TEMPLATE_VERSIONS_MAX = 50 };            /* of one template; the oldest go */

/* Its own transaction. */
enum err template_version_add(struct ctx *, const char *name, const char *toml, const char *source) MUST_CHECK;
/* The text of the newest one; NULL: there is none. */
enum err template_version_newest(struct ctx *, const char *name, const char **ret) MUST_CHECK;
/* Newest first, as objects into the open array. */
enum err template_versions_write(struct ctx *, const char *name, struct jw *) MUST_CHECK;
/* The text of one. NOT_FOUND. */
enum err template_version_load(struct ctx *, const char *name, int64_t id, const char **ret_toml) MUST_CHECK;
#endif

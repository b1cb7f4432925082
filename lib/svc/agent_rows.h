/*
 * What the files that show agents share.
 */
#ifndef LF_AGENT_ROWS_H
#define LF_AGENT_ROWS_H
#include "lib/base/json.h"

/* The member "identity": its three texts or null. */
void agent_write_identity(struct jw *, struct json_object *);
/* An array, or an empty one for NULL. */
void agent_write_list(struct jw *, const char *key, struct json_object *list);
/* The members of the detail that tell what is assigned. */
void agent_write_assigned(struct json_object *manifest, struct jw *);
#endif

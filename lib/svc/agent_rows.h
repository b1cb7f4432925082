/*
 * What the files that show agents share.
 */
#ifndef LF_AGENT_ROWS_H
#define LF_AGENT_ROWS_H
#include "lib/base/json.h"

/* The member "identity": its three texts or null. */
void agent_write_identity(struct jw *, struct json_object *);
#endif

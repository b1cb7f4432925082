/*
 * Text made fit to be given away: what looks like a credential, and where on this machine things lie, is
 * taken out.
 */
#ifndef LF_REDACT_H
#define LF_REDACT_H
#include "lib/base/json.h"

/* Append s, credentials as [REDACTED], directories of agents as <workspace>, the home as <home>. */
void redact_text(struct ctx *, const char *s, size_t n, struct buf *out);
/* A copy of a value with that done to every text in it; members with the name of a secret lose their value. NULL: no memory. */
struct json_object *redact_json(struct ctx *, struct json_object *);
#endif

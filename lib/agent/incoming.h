/*
 * What a user says, before an agent hears it: personal data taken out if that is wanted ([privacy]), and a warning in front
 * of a text that tries to give the agent new instructions. Nothing is refused.
 */
#ifndef LF_INCOMING_H
#define LF_INCOMING_H
#include "lib/base/json.h"

struct config;

/* Does it look like an attempt to override instructions? Also with invisible characters in between, or any of those at all. */
bool incoming_is_suspect(const char *text);
/* The same text when nothing is to be done; else a new one in c's arena. NULL: out of memory. */
const char *incoming_text(struct ctx *, const char *text);
/* Of content blocks: their texts. Not changed; the same, or a new array kept by c. NULL: out of memory. */
struct json_object *incoming_blocks(struct ctx *, struct json_object *blocks);
/*
 * A name from outside as it may stand before what somebody says: no invisible signs, blanks and controls are one blank, [ ] are ( ),
 * at most 64 characters. "": nothing is left. NULL: out of memory.
 */
const char *incoming_name(struct ctx *, const char *name);
#endif

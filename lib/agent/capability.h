/*
 * What an agent may do, from its manifest; and that a child may do no more than its parent.
 */
#ifndef LF_CAPABILITY_H
#define LF_CAPABILITY_H
#include "lib/base/json.h"

/* May it make agents: capabilities.agent_spawn, or a profile that allows everything. */
bool caps_may_spawn(struct json_object *manifest);
/* May it write to that agent: capabilities.agent_message, patterns of names or ids; none named: to all. */
bool caps_may_message(struct json_object *manifest, const char *name, const char *id);
/* NULL: the child's manifest asks for nothing that the parent (in that mode) has not. Else what that is, in c's arena. */
const char *caps_beyond(struct ctx *, struct json_object *parent, const char *mode, struct json_object *child);
#endif

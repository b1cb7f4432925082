/* Stored messages, looked at. For lib/agent only; anything may stand in them. */
#ifndef LF_MESSAGE_H
#define LF_MESSAGE_H
#include "lib/base/json.h"

bool block_is(const struct json_object *block, const char *type);
bool message_is(const struct json_object *message, const char *role);
/* Content blocks; none when the content is a string. */
size_t message_blocks(const struct json_object *message);
struct json_object *message_block(const struct json_object *message, size_t i);
bool message_has(const struct json_object *message, const char *type);
/* Calls or results? */
bool message_has_tools(const struct json_object *message);
/* A block that says nothing, or that no provider could be given. */
bool block_is_empty(const struct json_object *block);
/* Nothing in it; thinking alone counts as nothing, for no provider takes it so. */
bool message_is_empty(const struct json_object *message);
#endif

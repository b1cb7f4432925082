/* Messages, looked at. For lib/agent only; anything may stand in their blocks. */
#ifndef LF_MESSAGE_H
#define LF_MESSAGE_H
#include "lib/base/json.h"
#include "lib/svc/conversation.h"

bool block_is(const struct json_object *block, const char *type);
/* Content blocks; none when the content is a text. */
size_t message_blocks(const struct message *);
struct json_object *message_block(const struct message *, size_t i);
bool message_has(const struct message *, const char *type);
/* Calls or results? */
bool message_has_tools(const struct message *);
/* A block that says nothing, or that no provider could be given. */
bool block_is_empty(const struct json_object *block);
/* Nothing in it; thinking alone counts as nothing, for no provider takes it so. */
bool message_is_empty(const struct message *);
#endif

/*
 * The slash commands that a page can offer in a chat.
 */
#ifndef LF_CHAT_COMMAND_H
#define LF_CHAT_COMMAND_H
#include "lib/base/json.h"

struct chat_command {
	const char *name, *alias;       /* without the slash; alias NULL: none */
	const char *desc;
	const char *args;               /* how its arguments look; NULL: it takes none */
	const char *exec;               /* "backend": over the chat socket; "client": the page does it; NULL: a page cannot run it */
};

/* All of them, in the order in which they are shown. */
size_t chat_commands(const struct chat_command **ret);
/* By name or alias, with or without a slash before it, in any case; n: its bytes. NULL: no such command. */
const struct chat_command *chat_command_find(const char *name, size_t n);
#endif

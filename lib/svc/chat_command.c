/*
 * The slash commands of a chat.
 *
 * Order, names and who runs them are LibreFang's: its page builds its menu from the list. What
 * "backend" says the chat socket must know (daemon/ws_command.c); a command of a feature that is not
 * there yet stands here without anybody who runs it, and a page leaves it out.
 */
#include "lib/svc/chat_command.h"

#include <string.h>
#include <strings.h>

static const char client[] = "client", backend[] = "backend";

static const struct chat_command all[] = {
	{ "agents", NULL, "Show the agents", NULL, client },
	{ "new", NULL, "Begin a new session", NULL, backend },
	{ "reset", NULL, "Empty this session", NULL, backend },
	{ "reboot", NULL, "Empty this session and keep no summary of it", NULL, backend },
	{ "compact", NULL, "Put a summary in the place of older messages", NULL, backend },
	{ "model", NULL, "Show the agent's model, or choose another", "[name]", backend },
	{ "stop", NULL, "Stop the answer under way", NULL, backend },
	{ "usage", NULL, "Show what this session has used", NULL, backend },
	{ "think", NULL, "Turn extended thinking on or off", "[on|off]", NULL },
	{ "verbose", NULL, "Choose how much is shown of tools", "[off|on|full]", backend },
	{ "info", NULL, "Show what this agent is", NULL, client },
	{ "status", NULL, "Show how the server is doing", NULL, NULL },
	{ "goal", NULL, "Give the agent a goal to work on by itself", "<description> [--loop-engineering]", NULL },
	{ "budget", NULL, "Show budgets and what was spent", NULL, backend },
	{ "context", NULL, "Show how full the context window is", NULL, backend },
	{ "queue", NULL, "Show whether the agent is busy", NULL, backend },
	{ "peers", NULL, "Show connected peers", NULL, backend },
	{ "a2a", NULL, "Show agents found elsewhere", NULL, backend },
	{ "help", NULL, "Show the commands", NULL, client },
	{ "clear", NULL, "Clear what is shown", NULL, client },
	{ "exit", "quit", "Leave the chat", NULL, NULL },
};

size_t
chat_commands(const struct chat_command **ret)
{
	*ret = all;
	return ARRAY_LEN(all);
}

static bool
is_called(const char *known, const char *name, size_t n)
{
	return known != NULL && strlen(known) == n && strncasecmp(known, name, n) == 0;
}

const struct chat_command *
chat_command_find(const char *name, size_t n)
{
	if (n > 0 && *name == '/') {
		name++;
		n--;
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (is_called(all[i].name, name, n) || is_called(all[i].alias, name, n))
			return &all[i];
	return NULL;
}

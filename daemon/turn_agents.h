/* What a turn does to other agents: the daemon's side of agent_send, agent_spawn and agent_kill (lib/agent/tool.h). */
#ifndef LF_TURN_AGENTS_H
#define LF_TURN_AGENTS_H
#include "lib/agent/tool.h"

enum err turn_ask_agent(struct tool_env *, const struct agent_question *, struct buf *out) MUST_CHECK;
enum err turn_spawn_agent(struct tool_env *, const char *toml, struct buf *out) MUST_CHECK;
enum err turn_end_agent(struct tool_env *, const char *id, struct buf *out) MUST_CHECK;
#endif

/* What a turn does to other agents: the daemon's side of agent_send, agent_spawn and agent_kill (lib/agent/tool.h). */
#ifndef LF_TURN_AGENTS_H
#define LF_TURN_AGENTS_H
#include "lib/agent/tool.h"

enum err turn_ask_agent(struct tool_env *, const struct agent_question *, struct buf *out) MUST_CHECK;
enum err turn_spawn_agent(struct tool_env *, const char *toml, struct buf *out) MUST_CHECK;
enum err turn_end_agent(struct tool_env *, const char *id, struct buf *out) MUST_CHECK;
/*
 * What a child is told of the agent that made it and asks it now: who that is, and the question it works on (NULL: the last one of its
 * session). NULL: other is no child of it, or does not want to know (inherit_parent_context).
 */
struct agent;
const char *turn_parent_context(struct ctx *, const struct agent *asker, const char *session_id, const char *question, const struct agent *other);
#endif

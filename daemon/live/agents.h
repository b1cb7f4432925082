/* What the handlers of agents share. */
#ifndef LF_LIVE_AGENTS_H
#define LF_LIVE_AGENTS_H
#include "lib/api/schemas.h"
#include "lib/svc/agent.h"

enum { SERVERS_MAX = 50 };

bool text_blank(const char *);                  /* NULL too */
bool text_control(const char *);                /* has it a control character? NULL: no */
const char *text_trimmed(struct ctx *, const char *);
void member_put(struct json_object *, const char *key, const char *text);
/* A copy of the manifest that may be changed; it has a `model`. */
enum err manifest_copy(struct ctx *, const struct agent *, struct json_object **ret) MUST_CHECK;
/* BAD_REQUEST unless all of the array are strings. */
enum err names_checked(struct ctx *, struct json_object *list, const char *what) MUST_CHECK;
/* BAD_REQUEST unless all are MCP servers that may be assigned. */
enum err servers_known(struct ctx *, struct json_object *list) MUST_CHECK;
/* One agent as the request describes it (agent_spawn()). */
enum err agent_spawn_asked(struct ctx *, const struct spawn_request *, char ret_id[static 37], const char **ret_name) MUST_CHECK;
/* CONFLICT: agents of hands are ended by their hand. */
enum err hand_refuses_end(struct ctx *) MUST_CHECK;
#endif

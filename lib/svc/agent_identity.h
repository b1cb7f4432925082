/* Names and their ids, for whoever writes agents. Inside the caller's transaction. */
#ifndef LF_AGENT_IDENTITY_H
#define LF_AGENT_IDENTITY_H
#include "lib/base/base.h"

enum err agent_identity_record(struct ctx *, const char *name, const char *id) MUST_CHECK;
/* The agent is called that now, and by no other name. */
enum err agent_identity_move(struct ctx *, const char *id, const char *name) MUST_CHECK;
#endif

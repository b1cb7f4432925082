/*
 * Which tools a user's turns may call: the policy of their entry in [[users]].
 */
#ifndef LF_POLICY_H
#define LF_POLICY_H
#include "lib/base/json.h"

/*
 * Why that user may not call it, as a sentence for the model; NULL: nothing speaks against it. A denial wins; where a list of
 * what is allowed has entries, nothing else is. channel: where the turn came from, or NULL. agent_id: whose
 * memory the memory tools touch.
 */
const char *policy_denies(struct ctx *, const char *user, const char *channel, const char *agent_id, const char *tool);
#endif

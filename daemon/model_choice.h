/* The model that an agent is given by name, over HTTP or by a command. */
#ifndef LF_MODEL_CHOICE_H
#define LF_MODEL_CHOICE_H
#include "lib/svc/agent.h"

/* BAD_REQUEST unless it may be a model's or a provider's name; NULL is none. */
enum err model_name_ok(struct ctx *, const char *what, const char *name) MUST_CHECK;
/*
 * Give the agent that model. *model: "model" or "provider/model"; *provider: NULL or blank: the catalog's, the one in the
 * name, else the agent's. Both become what they are now. Another provider's key and address go. BAD_REQUEST.
 */
enum err model_choose(struct ctx *, const struct agent *, const char **model, const char **provider) MUST_CHECK;
#endif

/*
 * For models that refuse the system role: what it would say opens what the user says first.
 */
#ifndef LF_LLM_ROLE_H
#define LF_LLM_ROLE_H
#include "lib/llm/llm.h"

struct unruled {
	struct llm_request rq;          /* to be asked with; borrows from the request that it was made of */
	struct history history;
	struct json_object *blocks, *raw;
	struct buf text;
};

/* NOMEM. unruled_done() in any case. */
enum err without_system(const struct llm_request *, struct unruled *ret) MUST_CHECK;
void unruled_done(struct unruled *);
#endif

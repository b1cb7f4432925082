/*
 * A request in OpenAI's words (the gateway's) put into ours, for drivers that speak another
 * language: messages to a history of blocks, system messages to one text, functions to tools.
 */
#ifndef LF_LLM_TRANSLATE_H
#define LF_LLM_TRANSLATE_H
#include "lib/llm/llm.h"

struct translated {
	struct llm_request rq;          /* to be asked with */
	struct history history;
	struct json_object *tools;
	struct buf system;
};

/*
 * INVALID: *why (static) says what cannot be put into other words; NOMEM. image_urls: pictures may be named by an
 * address ({"type":"image","url"}). translated_done() in any case.
 */
enum err translate_openai(const struct llm_request *, bool image_urls, struct translated *ret, const char **why) MUST_CHECK;
void translated_done(struct translated *);
#endif

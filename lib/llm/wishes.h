/*
 * What a request wishes beyond its messages, however it was said: by our own members, or in
 * OpenAI's words among the extra ones, as clients of /v1 and configurations say it.
 */
#ifndef LF_LLM_WISHES_H
#define LF_LLM_WISHES_H
#include "lib/llm/llm.h"

struct wish_format {
	enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA } kind;
	const char *name;
	struct json_object *schema;
	bool strict;
};
struct wish_format wish_format(const struct llm_request *);

struct wish_choice {
	enum { CHOICE_UNSAID, CHOICE_AUTO, CHOICE_NONE, CHOICE_ANY, CHOICE_NAMED } kind;
	const char *name;
};
struct wish_choice wish_choice(const struct llm_request *);

/* Tokens of thinking; 0: none are wished for. */
int64_t wish_thinking(const struct llm_request *);
/* It is wished that it does not think at all: our own thinking_off, or OpenAI's effort "none". */
bool wish_no_thinking(const struct llm_request *);
/* Anything was said about thinking: what a refusal may be about. */
bool wish_on_thinking(const struct llm_request *);
/* Stop words as an array; nothing is written if there are none. */
void wish_stops(struct jw *, const char *key, const struct llm_request *);
/* An extra member under another name; nothing if it is absent. */
void wish_as(struct jw *, const char *key, const struct llm_request *, const char *name);

/*
 * Extra members that are no words of OpenAI's are the provider's own: written as they are,
 * by name, so that they win over what a driver writes itself. A driver asks wish_mine() before it writes a member.
 */
void wish_rest(struct jw *, const struct llm_request *);
bool wish_mine(const struct llm_request *, const char *key);
#endif

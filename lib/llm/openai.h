/*
 * Inside the driver for OpenAI's chat completions, whose format most providers speak: what
 * the drivers for its relatives (Azure, Copilot) share with it.
 */
#ifndef LF_OPENAI_H
#define LF_OPENAI_H
#include "lib/llm/driver.h"

/* The body. INVALID: there is no message to send; NOMEM. */
enum err oa_write_body(const struct llm_request *, const struct quirks *, struct buf *) MUST_CHECK;

/* A picture, "tool_calls" of an assistant's blocks, and one tool: relatives write them the same. */
void oa_write_image(struct jw *, struct json_object *block);
void oa_write_calls(struct jw *, struct json_object *blocks);
void oa_write_tool(struct jw *, struct json_object *tool);

/* The answer: see struct driver. */
extern const struct stop_word oa_stops[];
void oa_begin(struct intake *);
bool oa_frame(struct intake *, const char *event, struct json_object *, bool whole);

/* What was learnt about this provider and model; its body into o. INVALID, NOMEM as prepare(). */
enum err oa_prepare_body(struct outgoing *) MUST_CHECK;
bool oa_heal(struct outgoing *, int status, const char *body);
enum err oa_rescue(struct intake *, int status, const char *body) MUST_CHECK;
void oa_learn(const struct outgoing *);
#endif

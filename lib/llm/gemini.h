/*
 * Inside the driver for Gemini's generateContent, which Vertex AI speaks too.
 */
#ifndef LF_GEMINI_H
#define LF_GEMINI_H
#include "lib/llm/driver.h"

/* The body into o. INVALID: there is no message to send; NOMEM. */
enum err gemini_write_body(struct outgoing *) MUST_CHECK;
bool gemini_heal(struct outgoing *, int status, const char *body);

extern const struct stop_word gemini_stops[];
bool gemini_frame(struct intake *, const char *event, struct json_object *, bool whole);
/* ":generateContent", or the streaming one. */
const char *gemini_verb(const struct llm_request *);
#endif

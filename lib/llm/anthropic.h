/*
 * Inside the driver for Anthropic's messages.
 */
#ifndef LF_ANTHROPIC_H
#define LF_ANTHROPIC_H
#include "lib/llm/driver.h"

/* The body. INVALID: there is no message to send; NOMEM. */
enum err anthropic_write_body(const struct llm_request *, const struct quirks *, struct buf *) MUST_CHECK;

extern const struct stop_word anthropic_stops[];
bool anthropic_frame(struct intake *, const char *event, struct json_object *, bool whole);
#endif

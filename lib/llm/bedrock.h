/*
 * Inside the driver for AWS Bedrock's converse.
 */
#ifndef LF_BEDROCK_H
#define LF_BEDROCK_H
#include "lib/llm/driver.h"

/* The body into o. INVALID: there is no message to send; NOMEM. */
enum err bedrock_write_body(struct outgoing *) MUST_CHECK;
#endif

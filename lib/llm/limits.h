/*
 * What providers tell of their limits in an answer's head: OpenAI's x-ratelimit-{remaining,reset}-{requests,tokens}[-1h] and
 * Anthropic's anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}. A bucket that is empty says
 * when it is full again.
 */
#ifndef LF_LLM_LIMITS_H
#define LF_LLM_LIMITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIMIT_BUCKETS = 8 };             /* four kinds, each by the hour and by the minute */

struct limits {
	struct { bool empty, known; int64_t reset_s; } bucket[LIMIT_BUCKETS];
};

/* Take a line of the head, "Name: value" with or without a line end; others are passed over. */
void limits_take(struct limits *, const char *line, size_t n);
/* Seconds until the empty buckets are full, those of an hour before those of a minute; -1: none is empty, or none says when. */
int64_t limits_wait_s(const struct limits *);
#endif

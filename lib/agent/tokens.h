/*
 * How many tokens a text will be, about: a quarter for a character, one and a half for one of East Asia's scripts, a half
 * for a character of JSON's structure in what goes to and comes from tools; rounded up. No tokenizer is asked, so that
 * every model is measured by the same rule.
 */
#ifndef LF_TOKENS_H
#define LF_TOKENS_H
#include "lib/svc/conversation.h"

int64_t tokens_of_text(const char *s, size_t n);
/* Of a JSON value as it is written, its strings as text. Only read: lists shared by threads may be given. NULL: 0. */
int64_t tokens_of_json(const struct json_object *);
int64_t tokens_of_message(const struct message *);
int64_t tokens_of_history(const struct history *);
/* Bytes of the whole, a glance; files of images aside there are never more tokens than half of them. */
size_t history_bytes(const struct history *);
#endif

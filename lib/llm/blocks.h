/*
 * The stored conversation, as the writers of requests look at it: blocks, pictures, tools.
 */
#ifndef LF_LLM_BLOCKS_H
#define LF_LLM_BLOCKS_H
#include "lib/llm/llm.h"

bool is_block(struct json_object *block, const char *type);
bool blocks_have(struct json_object *blocks, const char *type);
/* All blocks of that type, their member joined. */
void blocks_join(struct json_object *blocks, const char *type, const char *member, struct buf *out);
/* The text of a text block; NULL: it is another, or broken. */
struct json_object *block_text(struct json_object *block);

/*
 * Append the picture of a block (image, or image_file read now) as base64. NULL: the block holds none, or the
 * file is gone; else its media type.
 */
const char *block_image(struct json_object *block, struct buf *base64);
/* The same as a data: URL, into an empty buffer. false: there is no picture, and what is in the buffer is nothing. */
bool block_image_url(struct json_object *block, struct buf *url);
/* Would block_image find one? Files are only looked at by their block. */
bool block_is_image(struct json_object *block);
/* The text of a tool_result block; never NULL, "(empty)" when it says nothing. */
const char *block_result(struct json_object *block);

/* The id of a call for wires that take letters, digits, _ and - only. */
void write_safe_id(struct jw *, const char *key, const char *id);

/*
 * How many messages of the request are sent: assistant messages at the end without a call are left out, when they
 * say nothing or (all: true) whatever they say.
 */
size_t useful_length(const struct llm_request *, bool all);
/* Where the current question begins among the first n messages: the last thing that a user said himself. */
size_t current_question(const struct llm_request *, size_t n);
/* The text of a system message in the history, used when the request has none itself; appended to out. */
void join_system(const struct llm_request *, struct buf *out);

/*
 * "key": [tools], each written by one(). Lists that last are kept as text for the next request; one
 * function and one list give one text.
 */
void write_tools(struct jw *, const char *key, const struct llm_request *, void (*one)(struct jw *, struct json_object *tool));
bool has_tools(const struct llm_request *);
/* A tool's schema as other vendors than its author understand it too. schema may be NULL. */
void write_schema_plain(struct jw *, const char *key, struct json_object *schema);
/* As it is, but always one of an object: for those who take all of JSON schema and insist on that. */
void write_schema_whole(struct jw *, const char *key, struct json_object *schema);
/* Is this id of a model one that begins with it, or with one of a NULL-ended list? Letter case is nothing. */
bool starts(const char *s, const char *prefix);
bool starts_any(const char *s, const char *const *prefixes);
#endif

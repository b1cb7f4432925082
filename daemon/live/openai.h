/*
 * OpenAI's chat completions: reading a request, writing objects and chunks.
 */
#ifndef LF_LIVE_OPENAI_H
#define LF_LIVE_OPENAI_H
#include "daemon/turn.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"

/* One completion as it is written. */
struct completion {
	struct ctx *c;
	struct live *live;              /* NULL: not streamed */
	char id[64];                    /* chatcmpl-<uuid> */
	const char *model;              /* as it is named in the answer */
	int64_t created_s;
	bool begun, include_usage;
	struct buf b;
};

void completion_init(struct completion *, struct ctx *, const struct request *, const char *model);
/* Streaming: text as it comes, then the end. */
void completion_text(struct completion *, const char *, size_t);
struct reply completion_end(struct completion *, const char *finish, struct json_object *calls, int64_t in, int64_t out);
/* A failure: before the first byte a normal error, after it an error frame. */
struct reply completion_fail(struct completion *);
/* The whole answer at once. */
struct reply completion_object(struct completion *, const char *text, const char *finish, struct json_object *calls,
    int64_t in, int64_t out);

/* The last user message: text, or blocks when it holds images. BAD_REQUEST missing_message. */
enum err openai_question(struct ctx *, struct json_object *messages, const char **text, struct json_object **blocks) MUST_CHECK;
/* Results of tools at the end of the messages: object call id → text; NULL: none. */
struct json_object *openai_results(struct ctx *, struct json_object *messages, const char **first_id);
/* Their tools in our form; NULL: none. */
struct json_object *openai_tools(struct ctx *, struct json_object *tools);
/* Members of the request that go to the provider as they are. */
struct json_object *openai_extra(struct ctx *, struct json_object *request, bool gateway);
#endif

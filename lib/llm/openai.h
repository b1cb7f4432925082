/*
 * Inside the driver for OpenAI's chat completions: the request's body, and the
 * decoder that turns an answer (stream or whole) into content blocks.
 */
#ifndef LF_OPENAI_H
#define LF_OPENAI_H
#include "lib/base/json.h"
#include "lib/llm/llm.h"
#include "lib/llm/sse.h"
#include "lib/llm/text.h"

/* What this provider and model turned out not to take. */
struct oa_quirks {
	bool no_temperature, completion_tokens, old_tokens, no_stream_options, no_tools;
	int64_t max_tokens;             /* its limit; 0: none known */
};

/* The body. ERR_INVALID: there is no message to send; NOMEM. */
enum err oa_write_body(const struct llm_request *, const struct oa_quirks *, struct buf *) MUST_CHECK;
/* A tool's schema as other vendors than OpenAI understand it too. schema may be NULL. */
void oa_write_schema(struct jw *, const char *key, struct json_object *schema);

enum { OA_CALLS_MAX = 256, OA_TEXT_MAX = 16 * 1024 * 1024, OA_FRAME_MAX = 16 * 1024 * 1024 };

struct oa_call {
	int64_t index;
	char *id, *name;                /* by free */
	bool started;                   /* the sink knows */
	struct text_out args;
};

struct oa_decoder {
	const struct llm_request *rq;
	const struct llm_sink *sink;
	struct llm_answer *ans;
	struct sse sse;
	struct json_tokener *tok;
	struct think think;
	struct text_out text, thinking;
	struct oa_call *calls;
	unsigned n_calls;
	struct buf whole;               /* an answer that is no event stream */
	enum { OA_UNKNOWN, OA_EVENTS, OA_WHOLE } shape;
	bool done;                      /* [DONE], or the whole answer was read */
	bool failed;                    /* ans says how */
	bool usable;                    /* at least one frame made sense */
	char finish[32];                /* finish_reason, "" until it came */
};

/* ERR_NOMEM. oa_free() in any case. ans is filled in. */
enum err oa_init(struct oa_decoder *, const struct llm_request *, const struct llm_sink *, struct llm_answer *) MUST_CHECK;
void oa_free(struct oa_decoder *);
/* false: stop reading (failed is set). */
bool oa_feed(struct oa_decoder *, const char *, size_t);
/*
 * All bytes came (cut: the connection broke). ERR_OK: ans->content and stop are
 * set. ERR_UPSTREAM: ans->error and why.
 */
enum err oa_end(struct oa_decoder *, bool cut) MUST_CHECK;
#endif

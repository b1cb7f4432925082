/*
 * Talking to language models: one driver per wire format behind one call.
 *
 * The conversation is given in our stored form (messages with content
 * blocks, agents' contract section 6); a driver translates it, calls, and hands
 * deltas to the sink while they arrive. A stream that ends before the
 * provider said so is an error, never a finished answer.
 */
#ifndef LF_LLM_H
#define LF_LLM_H
#include "lib/base/json.h"
#include "lib/base/base.h"
#include "lib/net/http.h"
#include "lib/svc/conversation.h"

enum { LLM_TOKENS_MAX = 100000000 };    /* more than that no call takes: a provider that says so is not believed */

enum llm_stop { LLM_END_TURN, LLM_TOOL_USE, LLM_MAX_TOKENS, LLM_FILTERED };

enum llm_error {                        /* classes shown to the user */
	LLM_OK, LLM_AUTH, LLM_RATE_LIMITED, LLM_OVERLOADED, LLM_TIMEOUT, LLM_CONTEXT_OVERFLOW,
	LLM_MODEL_NOT_FOUND, LLM_BILLING, LLM_FORMAT, LLM_BROKEN_STREAM, LLM_UPSTREAM, LLM_NO_MEMORY, LLM_CANCELLED,    /* NO_MEMORY: ours, the provider did nothing */
};
/* "auth_error", "rate_limited", "overloaded", "timeout", "context_overflow", "model_not_found", "billing_error", "format_error", "llm_error" … */
const char *llm_error_code(enum llm_error);

/* How OpenAI's format calls the limit of an answer. */
enum llm_tokens { LLM_TOKENS_BY_MODEL, LLM_TOKENS_COMPLETION, LLM_TOKENS_OLD };

/* What a call wants. All strings are borrowed for its duration. */
struct llm_request {
	const char *provider, *model;           /* catalog ids, aliases resolved */
	const char *format;                     /* api_format: "openai", "anthropic" … */
	const char *base_url, *api_key;         /* key may be "" */
	const char *proxy;                      /* the provider's, or NULL */
	const char *system;                     /* may be NULL */
	const struct history *messages;         /* without system ones; may be NULL */
	struct json_object *tools;              /* array of {name, description, input_schema}; NULL: none */
	bool tools_last;                        /* that array is never changed nor freed: a driver may keep what it makes of it */
	struct json_object *raw_messages;       /* gateway: OpenAI messages passed on as they are, instead of messages */
	struct json_object *raw_tools;          /* gateway: OpenAI tools passed on */
	struct json_object *extra;              /* further body members (extra_params, response_format, tool_choice …), or NULL */
	struct json_object *response_format;    /* {type: json} or {type: json_schema, name, schema, strict}; NULL: text */
	int64_t thinking_budget;                /* tokens of thinking wished for; 0: none */
	bool thinking_off;                      /* it is not to think, though it would by itself */
	bool no_system;                         /* the model knows no system role: its text opens what the user says first */
	enum llm_tokens tokens_word;            /* OpenAI's format */
	const char *cache_strategy;             /* "disabled", "system_only", "system_and_N"; NULL: system_and_3 */
	bool cache_hour;                        /* what is cached is kept for an hour */
	struct json_object *settings;           /* the configuration's section for this format ([azure_openai] …; of programs: all), or NULL */
	int64_t max_tokens;                     /* 0: leave out */
	double temperature; bool has_temperature;
	bool stream;                            /* ask for a stream (deltas go to the sink) */
	unsigned timeout_ms;                    /* of each attempt */
	unsigned idle_ms;                       /* a stream that has begun and says nothing new for so long is ended, pings or not. 0: off */
	int64_t deadline_us;                    /* monotonic; no attempt and no wait goes beyond. 0: none */
	unsigned hurry_ms;                      /* somebody else can be asked: no pause is longer. 0: patient */
	bool other_key;                         /* so can the same provider with another key: a limit is not waited for */
	unsigned patience_s;                    /* a longer Retry-After is not waited for. 0: 300 s */
	struct cancel *cancel;
	const char *agent_id, *session_id, *step_id;    /* x-librefang-* headers; may be NULL */
	const char *traceparent, *tracestate;   /* each call becomes a span of that trace; NULL: none */
	bool discreet;                          /* no header tells of any of these */
	struct json_object *tool_state;         /* offline driver: NULL */
};

/* Called on the turn's thread while the answer arrives; any may be NULL. */
struct llm_sink {
	void *arg;
	void (*text)(void *, const char *, size_t);
	void (*thinking)(void *, const char *, size_t);
	void (*tool_start)(void *, const char *id, const char *name);
	void (*tool_input)(void *, const char *id, const char *fragment, size_t);
	void (*tool_end)(void *, const char *id, const char *name, const char *input_json);
	void (*quiet)(void *);                  /* nothing came for quiet_ms */
	unsigned quiet_ms;                      /* 0: quiet is not called */
};

struct llm_answer {
	enum llm_stop stop;
	struct json_object *content;            /* array of ContentBlock: text, thinking, tool_use; caller puts */
	int64_t input_tokens, output_tokens, cache_read_tokens, cache_write_tokens;     /* input: all of it; output: thinking too */
	int64_t image_input_tokens, image_output_tokens;        /* of these, what were pictures; 0: the provider does not say */
	int64_t audio_input_tokens, audio_output_tokens;        /* the same, of sound */
	int64_t cache_hour_tokens;                              /* of cache_write_tokens, what is kept for an hour */
	bool usage_known;                       /* the provider sent numbers */
	/* on failure */
	enum llm_error error;
	char why[320];                          /* sanitised sentence, "provider openai refused the key" */
	int http_status;
	int64_t retry_after_s;                  /* -1 */
	int64_t took_us;                        /* of llm_call(): the last try */
	unsigned pause_units;                   /* what its kind usually needs when nobody says: units of the first back-off; 0: nothing known */
	bool passing;                           /* the provider's kind is known to have such failures now and then */
	bool final;                             /* to ask again now is of no use */
	bool any_output;                        /* something reached the sink before it failed */
};

/*
 * One call with retries for what may be retried (429, 503/529, transport before any
 * output; delay = max(Retry-After, 1 s·2^n) + jitter, at most `retries`), ended within 200 ms by cancel.
 * ERR_OK: ret->stop and content are set. ERR_UPSTREAM or ERR_CANCELLED: ret->error says which.
 */
enum err llm_call(const struct llm_request *, const struct llm_sink *, unsigned retries, struct llm_answer *ret) MUST_CHECK;
void llm_answer_done(struct llm_answer *);

/* The most tokens that an answer to it may have, thinking included; 0: the request sets no limit. */
int64_t llm_most_output(const struct llm_request *);

/* Does a driver speak this api_format, and must it be told an address? */
bool llm_speaks(const char *format);
bool llm_needs_url(const char *format);
#endif

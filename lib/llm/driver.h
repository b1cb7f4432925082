/*
 * Drivers: how one wire format asks and how its answers read.
 *
 * A driver is a row of functions. prepare() writes the request, frame() takes one
 * frame of the answer; everything between (the call, healing, framing, collecting
 * text and tool calls, endings, errors) is the same for all: driver.c and intake.c.
 */
#ifndef LF_LLM_DRIVER_H
#define LF_LLM_DRIVER_H
#include "lib/base/json.h"
#include "lib/llm/aws_stream.h"
#include "lib/llm/llm.h"
#include "lib/llm/sse.h"
#include "lib/llm/text.h"

enum {
	LLM_CALLS_MAX = 256,                    /* of tools in one answer */
	LLM_TEXT_MAX = 16 * 1024 * 1024,        /* of one text in an answer */
	LLM_FRAME_MAX = 16 * 1024 * 1024,
	LLM_BODY_MAX = 256 * 1024 * 1024,       /* of a request */
	LLM_HEADERS = 20,
};

/* --- out ----------------------------------------------------------------- */

/* What this provider and model turned out not to take. */
struct quirks {
	bool no_temperature, completion_tokens, old_tokens, no_stream_options, no_tools, no_thinking;
	int64_t max_tokens;             /* its limit; 0: none known */
	unsigned renewed;               /* credentials that were fetched anew for this call */
};

struct outgoing {
	const struct llm_request *rq;
	struct quirks quirks;
	bool recalled;                  /* quirks hold what earlier calls learnt */
	char url[2048];
	char model[512];                /* as out_model() wrote it */
	const char *headers[LLM_HEADERS + 1];
	unsigned n_headers;
	struct buf body;
	const char *why;                /* static: what is wrong, when prepare() fails */
};

/*
 * Add "name: value". A value of NULL or "" adds nothing. One that no header may carry is
 * INVALID; NOMEM.
 */
enum err out_header(struct outgoing *, const char *name, const char *value) MUST_CHECK;
/* Content-Type, the trace, and the ids of agent, session and step. */
enum err out_usual_headers(struct outgoing *) MUST_CHECK;
/* The same for a key: FORBIDDEN if no header may carry it. */
enum err out_key(struct outgoing *, const char *name, const char *key) MUST_CHECK;
enum err out_bearer(struct outgoing *, const char *key) MUST_CHECK;     /* "Authorization: Bearer …" */
/* The request's base_url without slashes at its end; 0: there is none or it is too long. */
size_t out_base(const struct outgoing *, const char **ret);
/* The same without the version that some write at its end, "/v1", where the path has it. */
size_t out_root(const struct outgoing *, const char *version, const char **ret);
enum err out_no_base(struct outgoing *) MUST_CHECK;    /* INVALID, and says so */
/* Into url. INVALID: too long. */
enum err out_url(struct outgoing *, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* A head of the usual kind: the path behind the first n bytes of base, the key as a bearer's, the usual headers. INVALID: n is 0, too long; NOMEM. */
enum err out_head(struct outgoing *, const char *base, size_t n, const char *path) MUST_CHECK;
/* The name of a model as one segment of a path, into o->model. INVALID: it can be none. */
enum err out_model(struct outgoing *, const char *model) MUST_CHECK;
/* Free url, headers (wiped) and body; what was learnt stays, for another attempt. */
void out_done(struct outgoing *);
/* No control characters in it? */
bool is_header_text(const char *);

/* --- in ------------------------------------------------------------------ */

enum part_kind { PART_TEXT, PART_THINKING, PART_CALL };

/* A block of the answer while it is growing. */
struct part {
	enum part_kind kind;
	int64_t index;                  /* the wire's own number of it; -1: it has none */
	char *id, *name;                /* of a call */
	bool started;                   /* the sink knows the call */
	struct text_out text;           /* what is said, or a call's arguments */
	struct json_object *input;      /* a call's arguments, once it has ended */
	struct json_object *meta;       /* provider_metadata of its block, or NULL */
};

struct intake {
	const struct driver *driver;
	const struct llm_request *rq;
	const struct llm_sink *sink;
	struct llm_answer *ans;
	struct json_tokener *tok;
	struct sse sse;
	struct aws_stream aws;
	struct buf whole;               /* an answer that is no stream, or the beginning of a line */
	enum { SHAPE_UNKNOWN, SHAPE_FRAMES, SHAPE_WHOLE } shape;
	struct think think;
	struct part *parts;
	unsigned n_parts, room, n_calls;
	bool done;                      /* the provider has said that it is over: nothing more is read */
	bool failed;                    /* ans says how */
	bool usable;                    /* at least one frame made sense */
	char finish[48];                /* the provider's reason to stop, "" until it came */
};

/* ERR_NOMEM. intake_free() in any case. ans is filled in. */
enum err intake_init(struct intake *, const struct driver *, const struct llm_request *, const struct llm_sink *,
    struct llm_answer *) MUST_CHECK;
void intake_free(struct intake *);
/* false: stop reading (failed is set). */
bool intake_feed(struct intake *, const char *, size_t);
/*
 * All bytes came (cut: the connection broke). ERR_OK: ans->content and stop are
 * set. ERR_UPSTREAM: ans->error and why.
 */
enum err intake_end(struct intake *, bool cut) MUST_CHECK;

/* For frame(). The part of that kind and number, made if there is none; NULL: too many, or no memory. */
struct part *intake_part(struct intake *, enum part_kind, int64_t index);
/* The part with that number; NULL: none. */
struct part *intake_find(struct intake *, int64_t index);
/* The newest part if it is of that kind, else a new one; NULL as above. */
struct part *intake_newest(struct intake *, enum part_kind);
/* Add to what a part says; a NULL part or a value that is no string adds nothing. */
void intake_say(struct intake *, struct part *, struct json_object *string);
/* A call's id and name, as far as they are known: once both are, the sink is told. */
void intake_call(struct intake *, struct part *, struct json_object *id, struct json_object *name);
/* A word for its block's provider_metadata; a NULL part, or what is no string with something in it, adds none. */
void intake_meta(struct part *, const char *key, struct json_object *string);
void intake_own_id(struct part *, const char *prefix, bool dashes);     /* a new UUID behind it */
/* A fragment of the arguments: a string as it is, an object as JSON. */
void intake_args(struct intake *, struct part *, struct json_object *args);
/* The call has all its arguments. Calls that nobody ended end with the answer. */
void intake_call_end(struct intake *, struct part *);
void intake_finish(struct intake *, const char *reason);        /* NULL and "" are none */
/* A count of tokens; dflt when it is none, below 0, or more than LLM_TOKENS_MAX. */
int64_t intake_count(struct json_object *, const char *key, int64_t dflt);
/* It failed: false, for `return`. why: the provider's words, or ours; may be NULL. */
bool intake_fail(struct intake *, enum llm_error, int status, const char *why);
/* From an error member. */
bool intake_error(struct intake *, int status, struct json_object *error);
/* Does this error member say something: not null, {}, "", 0 or false? */
bool is_error_value(struct json_object *);

/* --- drivers ------------------------------------------------------------- */

enum framing {
	FRAMES_SSE,                     /* server-sent events of JSON */
	FRAMES_LINES,                   /* one JSON value a line */
	FRAMES_AWS,                     /* AWS's event stream, with checksums */
};

struct stop_word { const char *word; enum llm_stop stop; };     /* of the end: what is neither is an ordinary one */

struct driver {
	const char *format;             /* the provider's api_format */
	/* What does not talk HTTP: the whole attempt. The rest is not used then. */
	enum err (*call)(const struct llm_request *, const struct llm_sink *, struct llm_answer *);

	enum framing framing;
	bool takes_openai;              /* raw_messages and raw_tools go out as they are */
	bool takes_image_urls;
	bool needs_url;                 /* a base_url must be known */
	bool fickle;                    /* its 502 and 504 pass: they are tried again */
	unsigned busy_wait_s;           /* how long it is usually busy when it does not say; 0: unknown */
	const struct stop_word *stops;  /* ended by a NULL word */
	/*
	 * Write url, headers and body. INVALID: o->why says what is wrong with the request. FORBIDDEN: with
	 * the credentials. UPSTREAM, CANCELLED: a call that was needed before failed, and the answer is blamed already. NOMEM.
	 */
	enum err (*prepare)(struct outgoing *, struct llm_answer *);
	/* At the beginning of an answer. May be NULL. */
	void (*begin)(struct intake *);
	/* One frame. event: its type in the framing, or ""; "!type" of AWS's exceptions. whole: it is a whole answer. false: stop, failed or done is set. */
	bool (*frame)(struct intake *, const char *event, struct json_object *, bool whole);
	/* Refused: can the request do without something? true: quirks say without what. May be NULL. */
	bool (*heal)(struct outgoing *, int status, const char *body);
	/* Refused, but what was refused may hold the answer. ERR_OK: ans is filled in. May be NULL. */
	enum err (*rescue)(struct intake *, int status, const char *body);
	/* It went well: what was learnt about this provider and model. May be NULL. */
	void (*learn)(const struct outgoing *);
};

/* One attempt over HTTP, healed up to three times. */
enum err driver_http(const struct driver *, const struct llm_request *, const struct llm_sink *, struct llm_answer *) MUST_CHECK;
/* The call itself failed: blame the answer for it. */
enum err driver_blame(const struct llm_request *, struct llm_answer *, enum err, const char *why) MUST_CHECK;

/* After the n-th failure (from 0), which took so long: how long to wait before another attempt; -1: there is to be none. */
int64_t llm_pause_ms(const struct llm_request *, const struct llm_answer *, unsigned n, int64_t took_ms);
/* As out_base(), without the /v1 that Ollama's imitation of OpenAI has. */
size_t ollama_base(const struct outgoing *, const char **ret);

extern const struct driver anthropic_driver, azure_driver, bedrock_driver, chatgpt_driver, cohere_driver, copilot_driver,
    gemini_driver, offline_driver, ollama_driver, openai_driver, responses_driver, vertex_driver;
extern const struct driver cli_claude_driver, cli_codewhale_driver, cli_codex_driver, cli_gemini_driver, cli_qwen_driver;
#endif

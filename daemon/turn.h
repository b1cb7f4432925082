/*
 * Turns: one agent, one session, one question, answered to its end.
 *
 * A turn is a row before it starts, every effect of it is a row before it
 * happens, and one thread runs it from the question to the answer. What
 * crosses a crash is in the store; what is in memory here (who runs, who waits,
 * how to cancel) may be lost.
 */
#ifndef LF_TURN_H
#define LF_TURN_H
#include "daemon/lanes.h"
#include "lib/base/json.h"
#include "lib/llm/llm.h"
#include "lib/net/http.h"
#include "lib/svc/agent.h"

enum turn_event_kind {
	TURN_PHASE,             /* a: phase, b: detail or NULL */
	TURN_TEXT,              /* s, n */
	TURN_THINKING,          /* s, n */
	TURN_TOOL_START,        /* a: id, b: name */
	TURN_TOOL_INPUT,        /* a: id, s, n: fragment of the arguments */
	TURN_TOOL_END,          /* a: id, b: name, s, n: arguments as JSON */
	TURN_TOOL_RESULT,       /* b: name, s, n: result text, is_error */
};

struct turn_event {
	enum turn_event_kind kind;
	const char *a, *b, *s;
	size_t n;
	bool is_error;
	const char *id;                 /* for who reads on later, see journal.h; NULL: it is not kept */
};

/* Who watches a turn. Called on the turn's thread; must not block. */
struct turn_sink {
	void (*on)(void *arg, const struct turn_event *);
	void *arg;
	void (*quiet)(void *arg);       /* the model has said nothing for quiet_ms; NULL: not wanted */
	unsigned quiet_ms;
};

/* What is asked. Strings are borrowed until turn_run() returns. */
/* How much a turn wishes the model to think. */
enum think { THINK_AS_SET, THINK_NOT, THINK_LOW, THINK_ON, THINK_HIGH, THINK_MAX };

struct turn_ask {
	const char *agent_id;
	const char *session_id;         /* canonical UUID, or NULL: the agent's current one */
	const char *text;               /* the question */
	struct json_object *blocks;     /* content blocks instead of text, or NULL */
	struct json_object *attachments;        /* array of {file_id}: uploads that go with the text, or NULL */
	const char *origin;             /* api stream ws openai agent autonomous */
	const char *channel;            /* for the ledger */
	const char *sender_id, *sender_name;
	const struct agent *agent;      /* if the caller has it already */
	bool ephemeral;                 /* a side question: no tools, no history */
	bool incognito;                 /* nothing written to history or memory */
	int64_t max_tokens;             /* 0: the manifest's */
	double temperature; bool has_temperature;
	struct json_object *extra;      /* sampling members for this turn, or NULL */
	enum think think;
	bool show_thinking;             /* as it comes, whatever stream_thinking says */
	const char *traceparent, *tracestate;   /* of who asks (W3C); NULL: the turn begins a trace */
	struct json_object *outer_tools;        /* tools that the request brought: {name, description, input_schema} */
	struct json_object *outer_results;      /* object call id → text: takes a waiting turn up again */
	const char *resume_turn;        /* with outer_results: the waiting turn's id */
	const char *parent_context;     /* what the agent that made this one works on: shown before the question, not kept. NULL: nothing */
	unsigned depth;                 /* of nested agent calls */
	unsigned event_depth;           /* events in a row that led to it */
	int64_t deadline_us;            /* of the monotonic clock: ends with TIMEOUT then; 0: none */
	const char *const *chain;       /* agents that wait for this one, NULL-ended; NULL: none */
	enum lane lane;                 /* whose permit is held for it; LANE_NONE: somebody waits */
	/* What it is the answer to, done with in the transaction that accepts it; an error refuses it. NULL: nothing. */
	enum err (*claim)(struct ctx *, void *arg, const char *turn_id);
	void (*claimed)(void *arg);     /* that transaction is committed; NULL: nobody wants to know */
	void *claim_arg;
	struct turn_sink sink;
	struct cancel *cancel;          /* the caller's; never NULL */
};

struct turn_answer {
	const char *turn_id, *session_id;
	const char *text;               /* never NULL after ERR_OK; may be "" when silent */
	const char *thinking;           /* or NULL */
	bool silent;
	const char *directives;         /* JSON object: how it is to be delivered, as the model said; NULL: it did not */
	bool cancelled;
	bool unseen_pictures;           /* the model was told of them in words only */
	enum llm_stop stop;
	struct json_object *outer_calls;        /* array of tool_use blocks that the caller must answer, or NULL */
	struct json_object *traces;     /* array of DecisionTrace, or NULL */
	struct json_object *memories_saved, *memories_used;     /* arrays of text, or NULL */
	int64_t input_tokens, output_tokens, iterations, cost_nanousd;
	const char *provider, *model;   /* that answered */
	const char *routing;            /* JSON object: which model was chosen by the question's weight, and why; NULL: none was */
};

/*
 * Run one turn on this thread. c->db is given back while waiting, and may
 * be NULL on return: job_db_acquire() before the store is used again. Errors (with code and sentence for the user):
 * NOT_FOUND agent_not_found; BAD_REQUEST session_agent_mismatch; PRECONDITION provider_auth_missing;
 * RATE_LIMITED budget_exceeded, rate_limited; UNAVAILABLE; INTERNAL with a class of llm_error; CANCELLED; when the server goes down
 * UPSTREAM outcome_unknown, if the next start takes the turn up, else UNAVAILABLE shutting_down.
 */
enum err turn_run(struct ctx *, const struct turn_ask *, struct turn_answer *ret) MUST_CHECK;

/* What people are shown of an answer: its text, or a notice that there is none; "": it is silent. NULL: out of memory. */
const char *turn_answer_shown(struct ctx *, const struct turn_answer *);

/* Cancel what runs or waits for the agent (session NULL: all). How many there were. */
unsigned turns_cancel(const char *agent_id, const char *session_id, int why);
bool turns_busy(const char *agent_id);
/* How many run or wait for the agent. */
unsigned turns_count(const char *agent_id);
/* Wait until nothing runs for the agent, at most that long. */
bool turns_wait_idle(const char *agent_id, unsigned timeout_ms);

/* Boot: a new epoch, the first agent, and open turns of an earlier life taken up on threads. */
enum err turns_boot(struct ctx *) MUST_CHECK;
/* Stop: running turns are told; they end as cancelled rows. */
void turns_shutdown(void);
int64_t turns_epoch(void);

/* The provider that a model of an agent resolves to, with its key; PRECONDITION provider_auth_missing. */
struct model_route {
	const char *provider, *model, *format, *base_url, *api_key;
	struct json_object *extra;      /* members that configuration or manifest add to each request, or NULL */
	struct json_object *settings;   /* the configuration's section for this format, or NULL */
	const char *proxy, *cache_strategy;     /* NULL: none, the usual */
	bool cache_hour;
	unsigned retries, timeout_ms;   /* of one call */
	bool pooled;                    /* api_key is one of several */
};
enum err model_route(struct ctx *, const char *provider, const char *model, struct json_object *manifest_model,
    struct model_route *ret) MUST_CHECK;
/* For vectors, with nobody's own key: a model whose settings say that it makes these is right here. */
enum err model_route_vectors(struct ctx *, const char *provider, const char *model, struct json_object *manifest_model,
    struct model_route *ret) MUST_CHECK;
/* The same, with the key that this user may have of their own in the vault instead of c->who's; NULL, "": nobody's. */
enum err model_route_for(struct ctx *, const char *user_id, const char *provider, const char *model, struct json_object *manifest_model,
    struct model_route *ret) MUST_CHECK;

/* Does [prompt_cache] want what providers cache kept for an hour? */
bool cache_is_for_an_hour(const struct config *);
/* The trace that came, or one named like that UUID. */
const char *trace_from(struct ctx *, const char *traceparent, const char *uuid);
/*
 * What a call tells of itself: a span of the trace that came (NULL: of one named like that UUID), and the ids that the
 * request has; or nothing, if telemetry.emit_caller_trace_headers says so.
 */
void calls_tell(struct ctx *, struct llm_request *, const char *traceparent, const char *uuid);

/* The settings of a model (/api/models/overrides); NULL: none. */
struct json_object *settings_of_model(struct ctx *, const char *provider, const char *model);
/* What they say of how it wants to be asked, into the request. */
void habits_of_model(struct json_object *settings, struct llm_request *);
#endif

/*
 * A turn while it runs: what its files share. One thread's own.
 */
#ifndef LF_TURN_STATE_H
#define LF_TURN_STATE_H
#include "daemon/running.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/agent/guard.h"
#include "lib/agent/speech.h"
#include "lib/svc/budget.h"
#include "lib/svc/history.h"
#include "lib/svc/memory.h"
#include "lib/svc/turn_store.h"

enum { CALLS_MAX = 128 };

/* What the model is told to do about a call that went wrong. */
enum call_advice { ADVICE_NONE, ADVICE_MEND, ADVICE_REFUSED, ADVICE_FAILED };

/* One call of a tool in the batch under way. */
struct call {
	const char *id, *name;
	struct json_object *input;
	int64_t step;                   /* its row, 0: none yet */
	bool outer;                     /* the caller must run it */
	bool done;
	bool ended;                     /* its row says so */
	bool is_error;
	bool blocked;                   /* by the guard, or for its pace */
	bool counted;                   /* for its pace, before a restart */
	enum call_advice advice;
	const char *status;             /* completed error skipped */
	const char *result; size_t result_n;
	int64_t ms;
};

struct turn {
	struct ctx *c;
	const struct turn_ask *ask;
	struct turn_ask heard_ask;      /* what ask is, once it has been filtered */
	struct turn_answer *out;
	char id[37], session_id[37];
	int64_t epoch, step;            /* step: number of the newest row */
	bool keep;                      /* history is written (not ephemeral, not incognito) */
	bool record;                    /* steps hold texts (not incognito) */
	bool session_is_new;
	bool accepted;                  /* its row is committed */
	bool resumed;                   /* taken up again after a crash or a wait */
	bool retell;                    /* what it said before a crash, to who watches */
	bool model_ended;               /* the newest model step's row is ended */
	struct agent agent;
	struct model_route route;       /* that answers, or is asked */
	struct model_route *routes;     /* the ways it may go, best first */
	size_t n_routes, route_at;
	const char *tried;              /* who did not serve, and why not: "openai=rate_limited, …"; NULL */
	const char *own_model;          /* of the session: "model" or "provider/model"; NULL: the agent's */
	struct json_object *blocks;     /* the question, if it is more than a text; NULL */
	const char *workspace;
	const struct shared_dir *shared;        /* directories that it shares with others */
	size_t n_shared;
	const char *system;             /* the prompt */
	struct history history;         /* grows as the turn goes */
	const struct history *wire;     /* the history as it went to the model, of that state of it */
	struct history wire_of;
	size_t stored;                  /* messages of the session that were loaded */
	int64_t window;                 /* of the model in tokens; 0: not looked up yet */
	int64_t around;                 /* tokens of prompt and tools; 0: not counted yet */
	unsigned told;                  /* questions to a model for summaries */
	bool fitted;                    /* before its first question */
	bool warned;                    /* that the window is full */
	struct json_object *tools;      /* array for the model, or NULL */
	struct json_object *granted;    /* the agent's own that it may use: those, and what it can load; or NULL */
	uint64_t loaded;                /* tool_bit() of those that it loaded */
	struct loop_guard *guard;
	struct running run;
	struct journal *journal;        /* of its events; NULL: none */
	bool entered;
	bool placed;                    /* counted among those that somebody outside waits for */
	unsigned max_iterations;
	int64_t max_tokens;
	int64_t tools_per_minute;       /* most calls of tools that the agent may make; 0: any number */
	int64_t llm_calls, tool_calls, cost_nanousd, started_us, started_ms;
	struct budget_call budget;
	const char *payer;              /* the user whom it is for; NULL: nobody */
	char payer_id[37];
	struct usage *owed;             /* calls that are not in the ledger yet */
	size_t n_owed, owed_cap;
	int64_t tools_billed;           /* of tool_calls: those that are */
	int64_t heard;                  /* bytes of the answer under way */
	unsigned blocked_batches;       /* in a row with blocked calls only, and not a word */
	bool withhold;                  /* the next question goes without tools */
	unsigned bad_batches;           /* batches in a row with hard errors only */
	bool injected;                  /* something was said into it that the model has not seen */
	struct call *calls;             /* of the batch under way */
	size_t n_calls;
	struct json_object *content;    /* the assistant message under way */
	struct buf said;                /* text of earlier iterations, for an empty last one */
	struct buf thought;
	struct speech speech;           /* on its way to who listens */
	bool watched;                   /* somebody reads the answer as it comes */
	bool has_memories;              /* the agent; they are wanted */
	const char *elsewhere;          /* what was said in other conversations, for the model; NULL: nothing */
	struct memory *recalled;        /* that stand in the prompt */
	size_t n_recalled;
	bool nudged;                    /* asked once more */
	bool recovered;                 /* the calls of this batch were written as text */
	struct llm_answer answer;
};

/* --- turn.c --- */
/* Go on with a turn that has a row: one that was interrupted, or that waited for its caller. */
enum err turn_take_up(struct ctx *, const struct turn_row *, const struct turn_ask *, struct turn_answer *) MUST_CHECK;
void turns_set_epoch(int64_t);
/*
 * Commit rows of a turn: work runs as tx_shared() says, the turn's own connection is given back. With
 * durability = "power" it also waits for the disk.
 */
enum err turn_write(struct turn *, enum err (*work)(void *), void *arg) MUST_CHECK;

/* From the next question on the model is sent that tool's schema. */
void turn_load_tool(struct turn *, const char *name);

/* --- turn_ask.c --- */
/* What people say goes through the filters, once. */
enum err turn_hear(struct turn *) MUST_CHECK;
/* Who is asked, in which session, and where the questions may go. */
enum err turn_prepare(struct turn *) MUST_CHECK;
/* The question as the turn's row keeps it, and as the session does; NULL: out of memory. */
const char *turn_ask_json(struct turn *);
const char *turn_user_content(struct turn *, size_t *n);

/* --- turn_context.c --- */
/* The agent's current session is too old by the rule: a new one takes its place. */
enum err turn_reset(struct turn *) MUST_CHECK;
/* Texts that come before what the user says; only the model sees them. */
enum err turn_context(struct turn *) MUST_CHECK;

/* --- turn_history.c --- */
/* Load the session's messages, as they go to the model. */
enum err turn_history(struct turn *) MUST_CHECK;
/* The session is long or fills its window: shorten it, before the model is asked the first time. A failure of that is none of the turn. */
enum err turn_compact(struct turn *) MUST_CHECK;

/* To tell something in short: who is asked for that task, else who the turn's questions go to. */
struct summary;
enum err turn_summary(struct turn *, const char *task, struct summary *ret) MUST_CHECK;
/* The share of its window from which on a conversation is too long: [compaction] of the manifest, else of the configuration, else 0.7. */
double turn_full_ratio(struct turn *);
/* Could the session of n messages not be shortened when it was about as long? */
bool turn_failed_lately(const char *session_id, size_t n);
void turn_note_failure(const char *session_id, size_t n);

/* --- turn_recall.c --- */
/* May memories be of use to this turn? */
bool turn_may_recall(struct turn *);
/* Once it is accepted: those that fit the question are shown to the model. */
void turn_recall(struct turn *);

/* What was said in other conversations: t->elsewhere. */
void turn_elsewhere(struct turn *);

/* --- turn_prune.c --- */
/* After a wake-up of the clock that was answered with nothing: the oldest of such exchanges go. A failure of that is none of the turn. */
void turn_prune(struct turn *);

/* --- turn_fold.c --- */
/* Old results of tools become a line each, in the store. A failure of that is none of the turn. */
enum err turn_fold(struct turn *) MUST_CHECK;

/* --- turn_fit.c --- */
/* Make the history fit the model's window before it is asked. */
enum err turn_fit(struct turn *) MUST_CHECK;
/* A glance: prompt, tools and history take that part of the window at most. false: they may take more. */
bool turn_surely_within(struct turn *, double part);
int64_t turn_window(struct turn *);
/* How much of the window prompt, tools and history take, in tokens. */
int64_t turn_tokens(struct turn *);
/* The history as it may go to the model; NULL: out of memory. */
const struct history *turn_wire(struct turn *);

/* --- turn_wishes.c --- */
/* What the turn wishes of the model that rq names: limits, temperature, thinking, what goes along. */
void turn_wishes(struct turn *, struct llm_request *rq);
/* Is what is thought told as it comes? Where nobody has set anything about thinking, and where this turn wants it, it is. */
bool turn_shows_thinking(const struct turn *);
/* Most tokens that the answer of t->route may have; 0: no limit is set. */
int64_t turn_most_output(struct turn *);
/* "supports_vision" …, by the settings of the model, else what the catalog says. */
bool turn_can(struct turn *, const char *what, bool catalog);

/* --- turn_files.c --- */
/* Attachments and pictures of the question become t->blocks. FORBIDDEN upload_access_denied. */
enum err turn_files(struct turn *) MUST_CHECK;

/* --- turn_end.c --- */
enum err turn_finish(struct turn *) MUST_CHECK;
/* The agent is heard of; in the caller's transaction. */
enum err turn_touch(struct turn *) MUST_CHECK;
/* The row of a turn that failed or was cancelled; what was spent is billed. Returns why. */
enum err turn_give_up(struct turn *, enum err why) MUST_CHECK;
/* What a turn that goes on after a crash has spent before, by the ledger. */
enum err turn_spent_before(struct turn *) MUST_CHECK;

/* --- turn_budget.c --- */
/* Whom it is for: a name as in turn.caller. */
void turn_paid_by(struct turn *, const char *name);
/* What its manifest says of the calls of tools in a minute. */
void turn_pace(struct turn *, struct json_object *manifest);
/* Put aside what the next call may cost, in the caller's transaction; RATE_LIMITED budget_exceeded. May choose another way. */
enum err turn_hold(struct turn *) MUST_CHECK;
enum err turn_hold_alone(struct turn *) MUST_CHECK;     /* in a transaction of its own, with what is owed; none if there is neither that nor a cap */
/* A call has ended with e. */
void turn_owe(struct turn *, enum err e, int64_t since_us);
/* What is owed goes to the ledger, in the caller's transaction; goes_on: the next hold takes the place of this one. */
enum err turn_settle(struct turn *, bool goes_on) MUST_CHECK;
void turn_settled(struct turn *);                       /* it is committed */

/* --- turn_routing.c --- */
/* The model that the manifest's [routing] has for this question; NULL: it has none. Noted in t->out->routing. */
const char *turn_routed(struct turn *);

/* --- turn_model.c --- */
/* Where the agent's questions may go. PRECONDITION: nowhere, and why not to its first choice. */
enum err turn_routes(struct turn *) MUST_CHECK;
/* Ask the model. t->answer and t->content are what it said; t->route who did. */
enum err turn_model(struct turn *) MUST_CHECK;

/* --- turn_loop.c --- */
enum err turn_loop(struct turn *) MUST_CHECK;
/* Was something said into the turn? last: if not, nothing can be any more. */
enum err turn_was_told(struct turn *, bool last) MUST_CHECK;
void turn_emit(struct turn *, enum turn_event_kind, const char *a, const char *b, const char *s, size_t n, bool is_error);

enum err turn_keep_partial(struct turn *) MUST_CHECK;

/* --- turn_answer.c --- */
/* Calls that are written in the text become calls of the answer; false: there are none. */
bool answer_recover(struct turn *);
/* What to say to an answer that is none; NULL: it is one, or it was said already. */
const char *answer_nudge(struct turn *);
/* It is the turn's answer. INTERNAL content_filtered. */
enum err answer_record(struct turn *) MUST_CHECK;

/* --- turn_tools.c --- */
/* Fill calls[] from the assistant message in t->content. */
enum err calls_gather(struct turn *) MUST_CHECK;
/* Commit that these begin, and what ended before. k may be NULL. */
enum err calls_begin(struct turn *, struct call *k, size_t n) MUST_CHECK;
void call_result(struct call *, const char *status, bool is_error, const char *text, size_t n);
/* End the rows of calls that are done. Inside the caller's transaction. */
enum err calls_end_rows(struct turn *) MUST_CHECK;
/* Whatever is not done is answered with that sentence. */
void calls_give_up(struct turn *, const char *why);
/* The user message that answers the batch, as JSON text. */
const char *calls_message(struct turn *, size_t *n);


/* --- turn_run.c --- */
/* Run what is not done yet; commits a step row before each effect. */
enum err calls_run(struct turn *, bool *ret_wait) MUST_CHECK;
bool turn_has_tool(struct turn *, const char *name);

/* --- turn_spill.c --- */
/* A result that is too large, alone or with the others of its batch, is kept elsewhere. */
void turn_spill(struct turn *, struct call *);
void turn_spill_batch(struct turn *);

/* --- turn_text.c --- */
const char *content_text(struct ctx *, struct json_object *content, const char *type, const char *member);
const char *content_json(struct ctx *, struct json_object *content, size_t *n);
/* The same as the store keeps a message: a single text as a string. */
const char *message_json(struct ctx *, struct json_object *content, size_t *n);
#endif

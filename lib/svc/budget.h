/*
 * Budgets: what may be spent by everybody, by an agent, through a provider, by a user, in an hour, a day, a month, in
 * dollars and in tokens.
 *
 * Before a call the most that it can cost is put aside, in the transaction that looks whether it still fits; after
 * the call what it did cost is in the ledger, and what was put aside is let go, in one transaction again. So calls at the same moment,
 * in whatever processes, never spend more together than a cap allows. What a process that died had put aside
 * is let go at the next boot.
 */
#ifndef LF_BUDGET_H
#define LF_BUDGET_H
#include "lib/svc/usage.h"

enum budget_scope { BUDGET_ALL, BUDGET_AGENT, BUDGET_PROVIDER, BUDGET_USER, BUDGET_SCOPES };
enum budget_unit { BUDGET_USD, BUDGET_TOKENS };

struct budget_limit {
	const char *id, *name;          /* "" and NULL for everybody; id NULL: nobody to limit */
	struct budget_caps caps;
	double alert_threshold;
	double burst_ratio;             /* of an agent: how much of its tokens of an hour within 60 seconds */
};

/* One call, or several one after another. Strings are borrowed. */
struct budget_call {
	const char *hold;               /* id of what is put aside */
	int64_t epoch;                  /* of the process (turns_epoch()) */
	struct budget_limit limit[BUDGET_SCOPES];
	uint32_t generation;            /* of the configuration that the limits are of */
	bool any;                       /* is there a cap at all? */
	int64_t nanousd, tokens;        /* the call costs and takes at most */
	bool held;                      /* budget_hold() put it aside */
	enum budget_scope refused;      /* whose cap it was, when it did not fit */
};

/* Resources of an agent's manifest (or NULL) with their defaults. */
struct budget_limit budget_of_agent(const struct config *, const char *id, const char *name, struct json_object *manifest);
struct budget_limit budget_of_provider(const struct config *, const char *id);
/* name: as in [[users]]. */
struct budget_limit budget_of_user(const struct config *, const char *id, const char *name);
struct budget_limit budget_of_all(const struct config *);
/* Set any from the limits. */
void budget_look(struct budget_call *);
/* The limits of everybody, provider and user as they are now, when the configuration is another one: before budget_settle(). */
void budget_again(struct budget_call *, const struct config *);

/*
 * Put b->nanousd and b->tokens aside; in place of what b->hold had aside. Nothing at all when there is no cap. In the caller's
 * transaction. RATE_LIMITED budget_exceeded: it does not fit; the sentence and the details name the cap, its
 * window, what is spent and when it begins anew; nothing is written.
 */
enum err budget_hold(struct ctx *, struct budget_call *) MUST_CHECK;
/* Let it go. In the caller's transaction, with usage_insert(); then caps that were reached are noted (budget_event). */
enum err budget_settle(struct ctx *, struct budget_call *) MUST_CHECK;
/* What earlier epochs had put aside. */
enum err budget_drop(struct ctx *, int64_t epoch) MUST_CHECK;
/* What was put aside so long ago that no call can still be under way: its end could not be written. */
enum err budget_forget(struct ctx *, int64_t now_ms) MUST_CHECK;
/* How much is put aside now: for metrics. */
struct budget_held { int64_t calls, nanousd, tokens; };
enum err budget_held(struct ctx *, struct budget_held *ret) MUST_CHECK;
/* Tokens of the agent's hour, which begins with its first use; when it ends, 0: it has not begun. */
enum err budget_hour_of_agent(struct ctx *, const char *agent_id, int64_t now_ms, int64_t *ret_used, int64_t *ret_ends_ms) MUST_CHECK;

/* --- what was reached (budget_event.c) --- */
/* For each cap: was the threshold, or all of it, reached? Once in each window. In the caller's transaction. */
enum err budget_note(struct ctx *, const struct budget_call *, int64_t now_ms) MUST_CHECK;
/* The newest n as an array of {id, timestamp, kind, scope, scope_id, unit, window, window_start, spent, limit}. */
enum err budget_write_events(struct ctx *, const char *key, int64_t n, struct jw *) MUST_CHECK;

extern const char *const budget_scope_names[BUDGET_SCOPES];     /* "global" … */
extern const char *const budget_span_names[BUDGET_SPANS];       /* "hourly" … */
enum usage_scope budget_usage_scope(enum budget_scope);
/* Spent and cap as share; 0: there is no cap. */
double budget_share(int64_t spent, int64_t cap);
#endif

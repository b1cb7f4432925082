/*
 * The ledger: each call of a model is a row, and with it, in the same transaction, its part of sums that
 * are kept as rows, so that no figure needs more than a few of them however long the ledger is.
 */
#ifndef LF_USAGE_H
#define LF_USAGE_H
#include "lib/base/json.h"
#include "lib/svc/config.h"
#include "lib/svc/price.h"

enum usage_status { USAGE_OK, USAGE_FAILED, USAGE_CANCELLED };

struct usage {
	const char *agent_id, *provider, *model, *user_id, *channel, *session_id, *turn_id;     /* the last four: or NULL */
	struct call_tokens tokens;
	int64_t cost_nanousd, tool_calls, latency_ms;
	int64_t ts_ms;                  /* when it ended; 0: now */
	enum usage_status status;
	bool estimated;                 /* the provider named no figures */
};

/* One call, and its part of the sums. Inside the caller's transaction, or a transaction of its own. */
enum err usage_insert(struct ctx *, const struct usage *) MUST_CHECK;
/* n tools more ran for what the turn's newest answered call, of since_ms or later, asked for: its row and its sums say so. In the caller's transaction. */
enum err usage_add_tools(struct ctx *, const char *agent_id, const char *turn_id, int64_t since_ms, int64_t n) MUST_CHECK;

/* Whose sums. A model's: the total alone. */
enum usage_scope { USAGE_ALL, USAGE_AGENT, USAGE_PROVIDER, USAGE_USER, USAGE_MODEL };

/*
 * What was spent in the window that now_ms lies in: the UTC day or month, or the minute of now and the sixty before,
 * so that nothing of the last 60 minutes is missed. A clock that was set back frees nobody: what was spent before that still counts,
 * up to one window ahead. id: "" for USAGE_ALL.
 */
struct spent { int64_t nanousd, tokens; };
enum err usage_spent(struct ctx *, enum usage_scope, const char *id, enum budget_span, int64_t now_ms, struct spent *ret) MUST_CHECK;
/* The beginning of that window, and when what was spent first in it counts no more (for days and months: all of it). */
int64_t usage_window_start(enum budget_span, int64_t now_ms);
int64_t usage_window_end(enum budget_span, int64_t now_ms);
/* What the agent took after from_ms, by the ledger. *ret_ms: when first; 0: nothing. Cached input may be left out. */
enum err usage_since(struct ctx *, const char *agent_id, int64_t from_ms, bool without_cached, int64_t *ret_ms,
    int64_t *ret_tokens) MUST_CHECK;

/* --- as the API shows it (usage_show.c) --- */
/*
 * Which sums to show: those of the UTC days that begin from from_ms to until_ms, both among them (none, when the first is the
 * later), or, as span says, those of all time. Days are kept for 400 days at least, totals for ever.
 */
struct usage_range { const char *span; int64_t from_ms, until_ms; };
extern const struct usage_range usage_all_time;
/* From and to such a day as YYYY-MM-DD; NULL or "": open on that side. Bounded to days that are there. BAD_REQUEST. */
enum err usage_range_of(struct ctx *, const char *start_date, const char *end_date, struct usage_range *ret) MUST_CHECK;
struct usage_range usage_last_days(int64_t now_ms, int64_t n);
bool usage_is_all(const struct usage_range *);

/* A whole page of agents, its rows under both names that clients know: rows(c, arg, name, how many there were, w). */
enum err usage_write_page(struct ctx *, enum err (*rows)(struct ctx *, const void *, const char *, int64_t *, struct jw *),
    const void *arg, struct jw *) MUST_CHECK;
enum err usage_write_agents(struct ctx *, const struct usage_range *, struct jw *) MUST_CHECK;
enum err usage_write_summary(struct ctx *, const struct usage_range *, struct jw *) MUST_CHECK;
enum err usage_write_models(struct ctx *, const struct usage_range *, bool performance, struct jw *) MUST_CHECK;
enum err usage_write_days(struct ctx *, const struct usage_range *, struct jw *) MUST_CHECK;
/* [usage] retention_days, 90 when nothing is said. */
int64_t usage_retention_days(const struct config *);
/*
 * The ledger as CSV, oldest first, in pieces: *at is where the last one ended ("": the beginning), it is empty again
 * after the last piece. No statement stays open between two. until_ms: what came then or later is left out; 0: nothing is.
 */
struct usage_at { int64_t ts_ms, until_ms; char id[37]; };
void usage_csv_head(struct buf *out);
enum err usage_csv_piece(struct ctx *, struct usage_at *at, bool *ret_more, struct buf *out) MUST_CHECK;

/* Drop rows older than the retention and sums that nobody asks for, at most so many. *ret_more: there are more. */
enum err usage_trim(struct ctx *, int64_t now_ms, bool *ret_more) MUST_CHECK;

/* Buckets of usage_speed: exact below 64 ms, then 32 to each power of two. */
int64_t latency_bucket(int64_t ms);
int64_t latency_of_bucket(int64_t bucket);      /* the greatest that falls into it */
#endif

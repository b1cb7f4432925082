/*
 * The ledger, shown. Every figure but the export's comes from the sums.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/usage.h"

enum { DAY_MS = 86400000, PIECE_ROWS = 250 };

const struct usage_range usage_all_time = { .span = "total" };

/*
 * "moment" in what follows: the days whose sums a range has, or 0, where those of all time lie. Each is looked up by the beginning of
 * its key: what else was summed up then is not read.
 */
static void
bind_range(struct stmt *st, const struct usage_range *r)
{
	bind_i64(st, r->from_ms);
	bind_i64(st, r->until_ms);
	bind_text(st, r->span);
}

/* --- ranges ------------------------------------------------------------------------------- */

/* false: it is there, and is no day. */
static bool
day_of(const char *date, int64_t *ret)
{
	char text[32];

	if (date == NULL || date[0] == '\0')
		return true;
	if (strlen(date) != 10)
		return false;
	snprintf(text, sizeof(text), "%sT00:00:00Z", date);
	return (*ret = time_parse(text)) >= 0;
}

enum err
usage_range_of(struct ctx *c, const char *start, const char *end, struct usage_range *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT (SELECT coalesce(min(start_ms), 1) FROM usage_sum WHERE span = 'day') AS first,"
	    " (SELECT coalesce(max(start_ms), 0) FROM usage_sum WHERE span = 'day') AS last"));
	int64_t from = -1, until = INT64_MAX;

	*ret = usage_all_time;
	if (!day_of(start, &from) || !day_of(end, &until))
		return fail(c, ERR_BAD_REQUEST, "start_date and end_date: a day as YYYY-MM-DD is expected");
	if (until < from)
		return fail(c, ERR_BAD_REQUEST, "end_date lies before start_date");
	if (from < 0 && until == INT64_MAX)
		return ERR_OK;
	if (!db_step(st))
		return fail_db(c, st);
	*ret = (struct usage_range){ "day", col_i64(st, "first"), col_i64(st, "last") };
	ret->from_ms = from > ret->from_ms ? from : ret->from_ms;
	ret->until_ms = until < ret->until_ms ? until : ret->until_ms;
	return ERR_OK;
}

bool
usage_is_all(const struct usage_range *r)
{
	return strcmp(r->span, usage_all_time.span) == 0;
}

struct usage_range
usage_last_days(int64_t now, int64_t n)
{
	int64_t today = now - now % DAY_MS;

	return (struct usage_range){ "day", today - (n - 1) * DAY_MS, today };
}

/* --- agents ------------------------------------------------------------------------------- */

static void
write_agent(struct ctx *c, struct stmt *st, struct jw *w)
{
	int64_t in = col_i64(st, "input_tokens"), out = col_i64(st, "output_tokens"), usd = col_i64(st, "cost_nanousd");

	jw_object(w, NULL);
	jw_str(w, "agent_id", col_text(c, st, "id"));
	jw_str(w, "name", col_text(c, st, "name"));
	jw_bool(w, "is_hand", col_i64(st, "is_hand") != 0);
	jw_i64(w, "total_tokens", in + out);
	jw_i64(w, "input_tokens", in);
	jw_i64(w, "output_tokens", out);
	jw_usd(w, "total_cost_usd", usd);
	jw_usd(w, "cost", usd);
	jw_i64(w, "call_count", col_i64(st, "calls"));
	jw_i64(w, "tool_calls", col_i64(st, "tool_calls"));
	jw_end(w);
}

/* The same rows under both names that clients know. */
static enum err
write_rows(struct ctx *c, const void *range, const char *key, int64_t *n, struct jw *w)
{
	bool some_days = !usage_is_all(range);
	SCOPED_STMT st = db_prepare(c->db, some_days ?
	    SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT) WHERE CAST(?1 AS BIGINT) <= CAST(?2 AS BIGINT)"
	    " UNION ALL SELECT ms + 86400000 FROM moment WHERE ms + 86400000 <= ?2),"
	    " used AS (SELECT s.id AS id, CAST(sum(s.input_tokens) AS BIGINT) AS input_tokens,"
	    " CAST(sum(s.output_tokens) AS BIGINT) AS output_tokens, CAST(sum(s.cost_nanousd) AS BIGINT) AS cost_nanousd,"
	    " CAST(sum(s.calls) AS BIGINT) AS calls, CAST(sum(s.tool_calls) AS BIGINT) AS tool_calls"
	    " FROM moment CROSS JOIN usage_sum s WHERE s.span = ?3 AND s.start_ms = moment.ms AND s.scope = 'agent' GROUP BY s.id)"
	    " SELECT a.id AS id, a.name AS name, a.is_hand AS is_hand, u.input_tokens AS input_tokens, u.output_tokens AS output_tokens,"
	    " u.cost_nanousd AS cost_nanousd, u.calls AS calls, u.tool_calls AS tool_calls FROM agent a LEFT JOIN used u ON u.id = a.id"
	    " WHERE lower(a.author) = lower(coalesce(?4, a.author)) ORDER BY a.created_ms, a.id") :
	    SQL("SELECT a.id AS id, a.name AS name, a.is_hand AS is_hand, u.input_tokens AS input_tokens,"
	    " u.output_tokens AS output_tokens, u.cost_nanousd AS cost_nanousd, u.calls AS calls, u.tool_calls AS tool_calls"
	    " FROM agent a LEFT JOIN usage_sum u ON u.span = 'total' AND u.start_ms = 0 AND u.scope = 'agent' AND u.id = a.id"
	    " WHERE lower(a.author) = lower(coalesce(?, a.author)) ORDER BY a.created_ms, a.id"));

	if (some_days)
		bind_range(st, range);
	bind_text(st, caller_scope(c));
	jw_array(w, key);
	for (*n = 0; db_step(st); ++*n)
		write_agent(c, st, w);
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
usage_write_page(struct ctx *c, enum err (*rows)(struct ctx *, const void *, const char *, int64_t *, struct jw *), const void *arg,
    struct jw *w)
{
	int64_t n = 0;
	enum err e;

	jw_object(w, NULL);
	e = rows(c, arg, "items", &n, w);
	if (e == ERR_OK)
		e = rows(c, arg, "agents", &n, w);
	jw_i64(w, "total", n);
	jw_i64(w, "offset", 0);
	jw_null(w, "limit");
	jw_end(w);
	return e;
}

enum err
usage_write_agents(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	return usage_write_page(c, write_rows, r, w);
}

/* --- sums ------------------------------------------------------------------------------------ */

enum err
usage_write_summary(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " WHERE CAST(?1 AS BIGINT) <= CAST(?2 AS BIGINT) UNION ALL SELECT ms + 86400000 FROM moment WHERE ms + 86400000 <= ?2)"
	    " SELECT CAST(coalesce(sum(s.input_tokens), 0) AS BIGINT) AS input_tokens,"
	    " CAST(coalesce(sum(s.output_tokens), 0) AS BIGINT) AS output_tokens,"
	    " CAST(coalesce(sum(s.cost_nanousd), 0) AS BIGINT) AS cost_nanousd, CAST(coalesce(sum(s.calls), 0) AS BIGINT) AS calls,"
	    " CAST(coalesce(sum(s.failed), 0) AS BIGINT) AS failed, CAST(coalesce(sum(s.tool_calls), 0) AS BIGINT) AS tool_calls"
	    " FROM moment CROSS JOIN usage_sum s WHERE s.span = ?3 AND s.start_ms = moment.ms AND s.scope = 'model'"));

	bind_range(st, r);
	if (!db_step(st))
		return fail_db(c, st);
	jw_object(w, NULL);
	jw_i64(w, "total_input_tokens", col_i64(st, "input_tokens"));
	jw_i64(w, "total_output_tokens", col_i64(st, "output_tokens"));
	jw_usd(w, "total_cost_usd", col_i64(st, "cost_nanousd"));
	jw_i64(w, "call_count", col_i64(st, "calls"));
	jw_i64(w, "failed_count", col_i64(st, "failed"));
	jw_i64(w, "total_tool_calls", col_i64(st, "tool_calls"));
	jw_end(w);
	return ERR_OK;
}

/* Nearest rank, to the bucket's width of three hundredths. */
static enum err
rank_95(struct ctx *c, const struct usage_range *r, const char *model, int64_t n, int64_t max, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " WHERE CAST(?1 AS BIGINT) <= CAST(?2 AS BIGINT) UNION ALL SELECT ms + 86400000 FROM moment WHERE ms + 86400000 <= ?2)"
	    " SELECT s.bucket AS bucket, CAST(sum(s.n) AS BIGINT) AS n FROM moment CROSS JOIN usage_speed s"
	    " WHERE s.start_ms = moment.ms AND s.model = ?3 GROUP BY s.bucket ORDER BY s.bucket"));
	int64_t rank = (n * 95 + 99) / 100, seen = 0;

	*ret = max;
	bind_i64(st, r->from_ms);
	bind_i64(st, r->until_ms);
	bind_text(st, model);
	while (db_step(st))
		if ((seen += col_i64(st, "n")) >= rank) {
			int64_t top = latency_of_bucket(col_i64(st, "bucket"));

			*ret = top < max ? top : max;
			return ERR_OK;
		}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
write_times(struct ctx *c, const struct usage_range *r, struct stmt *st, const char *model, int64_t calls, struct jw *w)
{
	int64_t good = calls - col_i64(st, "failed"), sum = col_i64(st, "latency_ms"), max = col_i64(st, "latency_max_ms"), p95 = 0;
	double mean = good > 0 ? (double)sum / (double)good : 0;
	enum err e = good > 0 ? rank_95(c, r, model, good, max, &p95) : ERR_OK;

	jw_f64(w, "avg_latency_ms", mean);
	jw_i64(w, "min_latency_ms", col_i64(st, "latency_min_ms"));
	jw_i64(w, "max_latency_ms", max);
	jw_i64(w, "p95_latency_ms", p95);
	jw_usd(w, "cost_per_call", calls > 0 ? col_i64(st, "cost_nanousd") / calls : 0);
	jw_f64(w, "avg_latency_per_call", mean);
	return e;
}

enum err
usage_write_models(struct ctx *c, const struct usage_range *r, bool performance, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " WHERE CAST(?1 AS BIGINT) <= CAST(?2 AS BIGINT) UNION ALL SELECT ms + 86400000 FROM moment WHERE ms + 86400000 <= ?2)"
	    " SELECT s.id AS id, CAST(sum(s.input_tokens) AS BIGINT) AS input_tokens,"
	    " CAST(sum(s.output_tokens) AS BIGINT) AS output_tokens, CAST(sum(s.cost_nanousd) AS BIGINT) AS cost_nanousd,"
	    " CAST(sum(s.calls) AS BIGINT) AS calls, CAST(sum(s.failed) AS BIGINT) AS failed, CAST(sum(s.latency_ms) AS BIGINT) AS latency_ms,"
	    " min(s.latency_min_ms) AS latency_min_ms, max(s.latency_max_ms) AS latency_max_ms FROM moment CROSS JOIN usage_sum s"
	    " WHERE s.span = ?3 AND s.start_ms = moment.ms AND s.scope = 'model' GROUP BY s.id"
	    " ORDER BY sum(s.cost_nanousd) DESC, sum(s.calls) DESC, s.id LIMIT 10000"));
	enum err e = ERR_OK;

	bind_range(st, r);
	jw_object(w, NULL);
	jw_array(w, "models");
	while (e == ERR_OK && db_step(st)) {
		const char *model = col_text(c, st, "id");
		int64_t calls = col_i64(st, "calls");

		jw_object(w, NULL);
		jw_str(w, "model", model);
		jw_usd(w, "total_cost_usd", col_i64(st, "cost_nanousd"));
		jw_i64(w, "total_input_tokens", col_i64(st, "input_tokens"));
		jw_i64(w, "total_output_tokens", col_i64(st, "output_tokens"));
		jw_i64(w, "call_count", calls);
		if (performance)
			e = write_times(c, r, st, model, calls, w);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	return e != ERR_OK ? e : db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- days ---------------------------------------------------------------------------------------- */

static enum err
first_event(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT coalesce(min(ts_ms), 0) AS ms FROM usage_event"));

	if (!db_step(st))
		return fail_db(c, st);
	*ret = col_i64(st, "ms");
	return ERR_OK;
}

static enum err
cost_of_today(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT cost_nanousd FROM usage_sum WHERE span = 'day' AND start_ms = ? AND scope = 'all'"
	    " AND id = ''"));

	bind_i64(st, c->now_ms - c->now_ms % DAY_MS);
	*ret = db_step(st) ? col_i64(st, "cost_nanousd") : 0;
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
usage_write_days(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " WHERE CAST(?1 AS BIGINT) <= CAST(?2 AS BIGINT) UNION ALL SELECT ms + 86400000 FROM moment WHERE ms + 86400000 <= ?2)"
	    " SELECT s.start_ms AS start_ms, s.input_tokens + s.output_tokens AS tokens,"
	    " s.cost_nanousd AS cost_nanousd, s.calls AS calls FROM moment CROSS JOIN usage_sum s"
	    " WHERE s.span = ?3 AND s.start_ms = moment.ms AND s.scope = 'all' AND s.id = '' ORDER BY s.start_ms"));
	int64_t first = 0, cost = 0;
	enum err e = first_event(c, &first);
	char text[25];

	if (e == ERR_OK)
		e = cost_of_today(c, &cost);
	if (e != ERR_OK)
		return e;
	bind_range(st, r);
	jw_object(w, NULL);
	jw_array(w, "days");
	while (db_step(st)) {
		time_rfc3339(col_i64(st, "start_ms"), text);
		jw_object(w, NULL);
		jw_strn(w, "date", text, 10);
		jw_usd(w, "cost_usd", col_i64(st, "cost_nanousd"));
		jw_i64(w, "tokens", col_i64(st, "tokens"));
		jw_i64(w, "calls", col_i64(st, "calls"));
		jw_end(w);
	}
	jw_end(w);
	jw_usd(w, "today_cost_usd", cost);
	jw_time(w, "first_event_date", first);
	jw_i64(w, "retention_days", usage_retention_days(c->cfg));
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- export ---------------------------------------------------------------------------------------- */

/* What a spreadsheet would take for a formula gets a quote before it; RFC 4180 does the rest. */
static void
cell(struct buf *out, const char *s, bool last)
{
	bool formula = s != NULL && s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL;
	bool quote = s != NULL && (formula || strpbrk(s, ",\"\r\n") != NULL);

	if (quote)
		buf_ch(out, '"');
	if (formula)
		buf_ch(out, '\'');
	for (; s != NULL && *s != '\0'; s++) {
		if (*s == '"')
			buf_ch(out, '"');
		buf_ch(out, *s);
	}
	if (quote)
		buf_ch(out, '"');
	buf_str(out, last ? "\r\n" : ",");
}

void
usage_csv_head(struct buf *out)
{
	buf_str(out, "timestamp,agent_id,agent_name,billed_agent_id,provider,model,input_tokens,output_tokens,cost_usd,tool_calls,"
	    "latency_ms,user_id,channel,session_id,status,estimated\r\n");
}

static void
csv_row(struct ctx *c, struct stmt *st, struct buf *out)
{
	char when[25];
	int64_t usd = col_i64(st, "cost_nanousd");
	size_t n;

	time_rfc3339(col_i64(st, "ts_ms"), when);
	cell(out, when, false);
	cell(out, col_peek(st, "agent_id", &n), false);
	cell(out, col_peek(st, "name", &n), false);
	cell(out, col_peek(st, "agent_id", &n), false);
	cell(out, col_peek(st, "provider", &n), false);
	cell(out, col_peek(st, "model", &n), false);
	buf_printf(out, "%" PRId64 ",%" PRId64 ",%" PRId64 ".%09" PRId64 ",%" PRId64 ",%" PRId64 ",", col_i64(st, "input_tokens"),
	    col_i64(st, "output_tokens"), usd / 1000000000, usd % 1000000000, col_i64(st, "tool_calls"), col_i64(st, "latency_ms"));
	cell(out, col_peek(st, "user_id", &n), false);
	cell(out, col_peek(st, "channel", &n), false);
	cell(out, col_peek(st, "session_id", &n), false);
	cell(out, col_peek(st, "status", &n), false);
	buf_str(out, col_i64(st, "estimated") != 0 ? "true\r\n" : "false\r\n");
	(void)c;
}

enum err
usage_csv_piece(struct ctx *c, struct usage_at *at, bool *ret_more, struct buf *out)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT u.ts_ms AS ts_ms, u.id AS id, u.agent_id AS agent_id, a.name AS name,"
	    " u.provider AS provider, u.model AS model, u.input_tokens AS input_tokens, u.output_tokens AS output_tokens,"
	    " u.cost_nanousd AS cost_nanousd, u.tool_calls AS tool_calls, u.latency_ms AS latency_ms, u.user_id AS user_id,"
	    " u.channel AS channel, u.session_id AS session_id, u.status AS status, u.estimated AS estimated"
	    " FROM usage_event u LEFT JOIN agent a ON a.id = u.agent_id WHERE (u.ts_ms, u.id) > (?, ?) AND u.ts_ms < ?"
	    " ORDER BY u.ts_ms, u.id LIMIT ?"));
	int64_t n = 0;

	bind_i64(st, at->ts_ms);
	bind_text(st, at->id);
	bind_i64(st, at->until_ms != 0 ? at->until_ms : INT64_MAX);
	bind_i64(st, PIECE_ROWS);
	for (; db_step(st); n++) {
		size_t len;
		const char *id = col_peek(st, "id", &len);

		at->ts_ms = col_i64(st, "ts_ms");
		if (id != NULL && len < sizeof(at->id))
			memcpy(at->id, id, len + 1);
		csv_row(c, st, out);
	}
	*ret_more = n == PIECE_ROWS;
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

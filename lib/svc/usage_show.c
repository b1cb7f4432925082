/*
 * The ledger, shown. Every figure but the export's comes from the sums.
 */
#include <inttypes.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/usage.h"

enum { DAY_MS = 86400000, DAYS = 7, PIECE_ROWS = 250 };

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
write_rows(struct ctx *c, const char *key, int64_t *n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT a.id AS id, a.name AS name, a.is_hand AS is_hand, u.input_tokens AS input_tokens,"
	    " u.output_tokens AS output_tokens, u.cost_nanousd AS cost_nanousd, u.calls AS calls, u.tool_calls AS tool_calls"
	    " FROM agent a LEFT JOIN usage_sum u ON u.span = 'total' AND u.start_ms = 0 AND u.scope = 'agent' AND u.id = a.id"
	    " WHERE lower(a.author) = lower(coalesce(?, a.author)) ORDER BY a.created_ms, a.id"));

	bind_text(st, caller_scope(c));
	jw_array(w, key);
	for (*n = 0; db_step(st); ++*n)
		write_agent(c, st, w);
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
usage_write_page(struct ctx *c, enum err (*rows)(struct ctx *, const char *, int64_t *, struct jw *), struct jw *w)
{
	int64_t n = 0;
	enum err e;

	jw_object(w, NULL);
	e = rows(c, "items", &n, w);
	if (e == ERR_OK)
		e = rows(c, "agents", &n, w);
	jw_i64(w, "total", n);
	jw_i64(w, "offset", 0);
	jw_null(w, "limit");
	jw_end(w);
	return e;
}

enum err
usage_write_agents(struct ctx *c, struct jw *w)
{
	return usage_write_page(c, write_rows, w);
}

/* --- sums ------------------------------------------------------------------------------------ */

enum err
usage_write_summary(struct ctx *c, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT CAST(coalesce(sum(input_tokens), 0) AS BIGINT) AS input_tokens,"
	    " CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens,"
	    " CAST(coalesce(sum(cost_nanousd), 0) AS BIGINT) AS cost_nanousd, CAST(coalesce(sum(calls), 0) AS BIGINT) AS calls,"
	    " CAST(coalesce(sum(failed), 0) AS BIGINT) AS failed, CAST(coalesce(sum(tool_calls), 0) AS BIGINT) AS tool_calls"
	    " FROM usage_sum WHERE span = 'total' AND start_ms = 0 AND scope = 'model'"));

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
rank_95(struct ctx *c, const char *model, int64_t n, int64_t max, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT bucket, n FROM usage_latency WHERE model = ? ORDER BY bucket"));
	int64_t rank = (n * 95 + 99) / 100, seen = 0;

	*ret = max;
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
write_times(struct ctx *c, struct stmt *st, const char *model, int64_t calls, struct jw *w)
{
	int64_t good = calls - col_i64(st, "failed"), sum = col_i64(st, "latency_ms"), max = col_i64(st, "latency_max_ms"), p95 = 0;
	double mean = good > 0 ? (double)sum / (double)good : 0;
	enum err e = good > 0 ? rank_95(c, model, good, max, &p95) : ERR_OK;

	jw_f64(w, "avg_latency_ms", mean);
	jw_i64(w, "min_latency_ms", col_i64(st, "latency_min_ms"));
	jw_i64(w, "max_latency_ms", max);
	jw_i64(w, "p95_latency_ms", p95);
	jw_usd(w, "cost_per_call", calls > 0 ? col_i64(st, "cost_nanousd") / calls : 0);
	jw_f64(w, "avg_latency_per_call", mean);
	return e;
}

enum err
usage_write_models(struct ctx *c, bool performance, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, input_tokens, output_tokens, cost_nanousd, calls, failed, latency_ms,"
	    " latency_min_ms, latency_max_ms FROM usage_sum WHERE span = 'total' AND start_ms = 0 AND scope = 'model'"
	    " ORDER BY cost_nanousd DESC, calls DESC, id LIMIT 10000"));
	enum err e = ERR_OK;

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
			e = write_times(c, st, model, calls, w);
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

enum err
usage_write_days(struct ctx *c, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT start_ms, input_tokens + output_tokens AS tokens, cost_nanousd, calls"
	    " FROM usage_sum WHERE span = 'day' AND start_ms IN (?1, ?2, ?3, ?4, ?5, ?6, ?7) AND scope = 'all' AND id = ''"
	    " ORDER BY start_ms"));
	int64_t today = c->now_ms - c->now_ms % DAY_MS, first = 0, cost = 0;
	enum err e = first_event(c, &first);
	char text[25];

	if (e != ERR_OK)
		return e;
	for (int64_t i = 0; i < DAYS; i++)
		bind_i64(st, today - i * DAY_MS);
	jw_object(w, NULL);
	jw_array(w, "days");
	while (db_step(st)) {
		int64_t day = col_i64(st, "start_ms"), spent = col_i64(st, "cost_nanousd");

		time_rfc3339(day, text);
		cost = day == today ? spent : cost;
		jw_object(w, NULL);
		jw_strn(w, "date", text, 10);
		jw_usd(w, "cost_usd", spent);
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
	    " FROM usage_event u LEFT JOIN agent a ON a.id = u.agent_id WHERE (u.ts_ms, u.id) > (?, ?)"
	    " ORDER BY u.ts_ms, u.id LIMIT ?"));
	int64_t n = 0;

	bind_i64(st, at->ts_ms);
	bind_text(st, at->id);
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

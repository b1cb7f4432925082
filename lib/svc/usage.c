/*
 * The ledger, written.
 *
 * A call adds to some dozen sums: of the minute, the day and the total, for everybody, the agent, the provider, the user
 * and the model, and for who used what. They are one statement, and their rows lie side by side in the store.
 */
#include "lib/svc/usage.h"

#include <string.h>
#include <time.h>

#include "db/db.h"
#include "lib/base/util.h"

enum { MINUTE_MS = 60000, HOUR_MINUTES = 60, DAY_MS = 86400000, TRIM_ROWS = 2000, KEEP_DAYS = 400 };

static const char *const status_words[] = { "ok", "failed", "cancelled" };
static const char *const scope_words[] = { "all", "agent", "provider", "user", "model" };

int64_t
latency_bucket(int64_t ms)
{
	unsigned bit;

	if (ms < 64)
		return ms < 0 ? 0 : ms;
	bit = 63 - (unsigned)__builtin_clzll((unsigned long long)ms);
	return 64 + (int64_t)(bit - 6) * 32 + ((ms >> (bit - 5)) & 31);
}

int64_t
latency_of_bucket(int64_t bucket)
{
	int64_t over = bucket - 64, shift = over / 32 + 1;

	return bucket < 64 ? bucket : ((32 + over % 32 + 1) << shift) - 1;
}

/* --- one call ---------------------------------------------------------------------- */

/* The session's row is written by every turn anyway: a sum there costs no page. */
static enum err
add_to_session(struct ctx *c, const struct usage *u)
{
	if (u->session_id == NULL)
		return ERR_OK;
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET cost_nanousd = cost_nanousd + ?,"
	    " tokens = tokens + ? WHERE id = ?"));

	bind_i64(st, u->cost_nanousd);
	bind_i64(st, u->tokens.input + u->tokens.output);
	bind_text(st, u->session_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
add_to_sums(struct ctx *c, const struct usage *u, int64_t now)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO usage_sum (span, start_ms, scope, id, input_tokens, output_tokens,"
	    " cost_nanousd, tool_calls, calls, failed, latency_ms, latency_min_ms, latency_max_ms)"
	    " SELECT column1, column2, column3, column4, ?7, ?8, ?9, ?10, 1, ?11, ?12, ?13, ?13 FROM (VALUES"
	    " ('day', ?2, 'agent', ?3), ('day', ?2, 'all', ''), ('day', ?2, 'model', ?6), ('day', ?2, 'provider', ?4), ('day', ?2, 'user', ?5),"
	    " ('minute', ?1, 'agent', ?3), ('minute', ?1, 'all', ''), ('minute', ?1, 'provider', ?4),"
	    " ('minute', ?1, 'use', ?3 || ' ' || ?4 || ' ' || ?6), ('minute', ?1, 'user', ?5),"
	    " ('total', 0, 'agent', ?3), ('total', 0, 'model', ?6)) AS v WHERE column4 IS NOT NULL"
	    " ON CONFLICT (span, start_ms, scope, id) DO UPDATE SET"
	    " input_tokens = usage_sum.input_tokens + excluded.input_tokens,"
	    " output_tokens = usage_sum.output_tokens + excluded.output_tokens,"
	    " cost_nanousd = usage_sum.cost_nanousd + excluded.cost_nanousd,"
	    " tool_calls = usage_sum.tool_calls + excluded.tool_calls,"
	    " calls = usage_sum.calls + 1, failed = usage_sum.failed + excluded.failed,"
	    " latency_ms = usage_sum.latency_ms + excluded.latency_ms,"
	    " latency_min_ms = CASE WHEN usage_sum.latency_min_ms IS NULL OR excluded.latency_min_ms < usage_sum.latency_min_ms"
	    " THEN excluded.latency_min_ms ELSE usage_sum.latency_min_ms END,"
	    " latency_max_ms = CASE WHEN usage_sum.latency_max_ms IS NULL OR excluded.latency_max_ms > usage_sum.latency_max_ms"
	    " THEN excluded.latency_max_ms ELSE usage_sum.latency_max_ms END"));
	bool good = u->status == USAGE_OK;

	bind_i64(st, now - now % MINUTE_MS);
	bind_i64(st, now - now % DAY_MS);
	bind_text(st, u->agent_id);
	bind_text(st, u->provider);
	bind_text(st, u->user_id != NULL && u->user_id[0] != '\0' ? u->user_id : NULL);
	bind_text(st, u->model);
	bind_i64(st, u->tokens.input);
	bind_i64(st, u->tokens.output);
	bind_i64(st, u->cost_nanousd);
	bind_i64(st, u->tool_calls);
	bind_i64(st, !good);
	bind_i64(st, good ? u->latency_ms : 0);
	if (good)
		bind_i64(st, u->latency_ms);
	else
		bind_null(st);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
add_latency(struct ctx *c, const struct usage *u, int64_t now)
{
	if (u->status != USAGE_OK)
		return ERR_OK;
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO usage_speed (start_ms, model, bucket, n) VALUES (0, ?1, ?2, 1), (?3, ?1, ?2, 1)"
	    " ON CONFLICT (start_ms, model, bucket) DO UPDATE SET n = usage_speed.n + 1"));

	bind_text(st, u->model);
	bind_i64(st, latency_bucket(u->latency_ms));
	bind_i64(st, now - now % DAY_MS);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The agent's hour of tokens, if somebody counts it. */
static enum err
add_to_hour(struct ctx *c, const struct usage *u, int64_t now)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE budget_tokens SET used = used + ? WHERE agent_id = ? AND start_ms > ?"));

	bind_i64(st, u->tokens.input + u->tokens.output);
	bind_text(st, u->agent_id);
	bind_i64(st, now - HOUR_MINUTES * MINUTE_MS);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
usage_insert(struct ctx *c, const struct usage *u)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO usage_event (id, agent_id, ts_ms, provider, model,"
	    " input_tokens, output_tokens, cost_nanousd, tool_calls, llm_calls, latency_ms, user_id, channel,"
	    " session_id, turn_id, cache_read_tokens, cache_write_tokens, status, estimated)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
	int64_t now = u->ts_ms != 0 ? u->ts_ms : clock_ms();
	char id[37];
	enum err e;

	uuid7(id);
	bind_text(st, id);
	bind_text(st, u->agent_id);
	bind_i64(st, now);
	bind_text(st, u->provider);
	bind_text(st, u->model);
	bind_i64(st, u->tokens.input);
	bind_i64(st, u->tokens.output);
	bind_i64(st, u->cost_nanousd);
	bind_i64(st, u->tool_calls);
	bind_i64(st, u->latency_ms);
	bind_text(st, u->user_id);
	bind_text(st, u->channel);
	bind_text(st, u->session_id);
	bind_text(st, u->turn_id);
	bind_i64(st, u->tokens.cache_read);
	bind_i64(st, u->tokens.cache_write);
	bind_text(st, status_words[u->status]);
	bind_i64(st, u->estimated);
	e = db_exec(st) == ERR_OK ? add_to_sums(c, u, now) : fail_db(c, st);
	if (e == ERR_OK)
		e = add_latency(c, u, now);
	if (e == ERR_OK)
		e = add_to_hour(c, u, now);
	return e == ERR_OK ? add_to_session(c, u) : e;
}

static enum err
add_tools_to_sums(struct ctx *c, const struct usage *u)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE usage_sum SET tool_calls = tool_calls + ?7 WHERE (span, start_ms, scope, id) IN (VALUES"
	    " ('day', ?2, 'agent', ?3), ('day', ?2, 'all', ''), ('day', ?2, 'model', ?6), ('day', ?2, 'provider', ?4), ('day', ?2, 'user', ?5),"
	    " ('minute', ?1, 'agent', ?3), ('minute', ?1, 'all', ''), ('minute', ?1, 'provider', ?4), ('minute', ?1, 'user', ?5),"
	    " ('minute', ?1, 'use', ?3 || ' ' || ?4 || ' ' || ?6), ('total', 0, 'agent', ?3), ('total', 0, 'model', ?6))"));

	bind_i64(st, u->ts_ms - u->ts_ms % MINUTE_MS);
	bind_i64(st, u->ts_ms - u->ts_ms % DAY_MS);
	bind_text(st, u->agent_id);
	bind_text(st, u->provider);
	bind_text(st, u->user_id);
	bind_text(st, u->model);
	bind_i64(st, u->tool_calls);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
usage_add_tools(struct ctx *c, const char *agent_id, const char *turn_id, int64_t since_ms, int64_t n)
{
	SCOPED_STMT row = db_prepare(c->db, SQL("SELECT id, ts_ms, provider, model, user_id FROM usage_event WHERE agent_id = ?"
	    " AND ts_ms >= ? AND turn_id = ? AND status = 'ok' ORDER BY ts_ms DESC, id DESC LIMIT 1"));
	SCOPED_STMT add = db_prepare(c->db, SQL("UPDATE usage_event SET tool_calls = tool_calls + ? WHERE ts_ms = ? AND id = ?"));
	struct usage u;

	bind_text(row, agent_id);
	bind_i64(row, since_ms);
	bind_text(row, turn_id);
	if (!db_step(row))
		return db_end(row) == ERR_OK ? ERR_OK : fail_db(c, row);        /* it is dropped: so long did they take */
	u = (struct usage){ .agent_id = agent_id, .provider = col_text(c, row, "provider"), .model = col_text(c, row, "model"),
		.user_id = col_text(c, row, "user_id"), .ts_ms = col_i64(row, "ts_ms"), .tool_calls = n };
	bind_i64(add, n);
	bind_i64(add, u.ts_ms);
	bind_text(add, col_text(c, row, "id"));
	return db_exec(add) == ERR_OK ? add_tools_to_sums(c, &u) : fail_db(c, add);
}

/* --- windows ------------------------------------------------------------------------ */

int64_t
usage_window_start(enum budget_span w, int64_t now)
{
	time_t s = (time_t)(now / 1000);
	struct tm tm = { .tm_mday = 1 };
	int64_t day = now - now % DAY_MS;

	if (w == BUDGET_HOUR)
		return now - now % MINUTE_MS - (int64_t)HOUR_MINUTES * MINUTE_MS;
	if (w == BUDGET_MONTH && gmtime_r(&s, &tm) != NULL)
		return day - (int64_t)(tm.tm_mday - 1) * DAY_MS;
	return day;
}

int64_t
usage_window_end(enum budget_span w, int64_t now)
{
	int64_t start = usage_window_start(w, now);

	if (w == BUDGET_HOUR)
		return now - now % MINUTE_MS + (HOUR_MINUTES + 1) * MINUTE_MS;
	return w == BUDGET_DAY ? start + DAY_MS : usage_window_start(BUDGET_MONTH, start + 32 * (int64_t)DAY_MS);
}

/*
 * How far to look: to now; and while the clock was set back, to what was spent before that, as far as a window goes. What a
 * clock that ran a year ahead has left counts when it is due.
 */
static enum err
look_until(struct ctx *c, enum budget_span w, int64_t now, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT coalesce(max(start_ms), 0) AS ms FROM usage_sum WHERE span = ?"));
	static const int64_t ahead[] = { HOUR_MINUTES * MINUTE_MS, DAY_MS, 31 * (int64_t)DAY_MS };
	int64_t newest;

	bind_text(st, w == BUDGET_HOUR ? "minute" : "day");
	if (!db_step(st))
		return fail_db(c, st);
	newest = col_i64(st, "ms");
	*ret = newest <= now ? now : newest < now + ahead[w] ? newest : now + ahead[w];
	return ERR_OK;
}

/* Each row by its whole key: what others spent in the meantime is not looked at. */
enum err
usage_spent(struct ctx *c, enum usage_scope scope, const char *id, enum budget_span w, int64_t now, struct spent *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " UNION ALL SELECT ms + ?3 FROM moment WHERE ms + ?3 <= ?2)"
	    " SELECT CAST(coalesce(sum(u.cost_nanousd), 0) AS BIGINT) AS nanousd,"
	    " CAST(coalesce(sum(u.input_tokens + u.output_tokens), 0) AS BIGINT) AS tokens"
	    " FROM moment CROSS JOIN usage_sum u WHERE u.span = ?4 AND u.start_ms = moment.ms AND u.scope = ?5 AND u.id = ?6"));
	int64_t step = w == BUDGET_HOUR ? MINUTE_MS : DAY_MS, until = now;

	if (look_until(c, w, now, &until) != ERR_OK)
		return c->fault.err;
	bind_i64(st, usage_window_start(w, now));
	bind_i64(st, until - until % step);
	bind_i64(st, step);
	bind_text(st, w == BUDGET_HOUR ? "minute" : "day");
	bind_text(st, scope_words[scope]);
	bind_text(st, id);
	if (!db_step(st))
		return fail_db(c, st);          /* what cannot be read is not taken for nothing */
	*ret = (struct spent){ col_i64(st, "nanousd"), col_i64(st, "tokens") };
	return ERR_OK;
}

enum err
usage_since(struct ctx *c, const char *agent_id, int64_t from, bool without_cached, int64_t *ret_ms, int64_t *ret_tokens)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT coalesce(min(ts_ms), 0) AS ms,"
	    " CAST(coalesce(sum(input_tokens + output_tokens - ?3 * cache_read_tokens), 0) AS BIGINT) AS tokens FROM usage_event"
	    " WHERE agent_id = ?1 AND ts_ms > ?2 AND input_tokens + output_tokens > 0"));

	bind_text(st, agent_id);
	bind_i64(st, from);
	bind_i64(st, without_cached);
	if (!db_step(st))
		return fail_db(c, st);
	*ret_ms = col_i64(st, "ms");
	*ret_tokens = col_i64(st, "tokens");
	return ERR_OK;
}

/* --- what is dropped ------------------------------------------------------------------ */

int64_t
usage_retention_days(const struct config *cfg)
{
	int64_t n = cfg != NULL ? js_i64(js_obj(cfg->raw, "usage"), "retention_days", 90) : 90;

	return n < 1 ? 90 : n > 3650 ? 3650 : n;
}

static enum err
trim(struct ctx *c, struct stmt *st, int64_t before, int64_t *gone)
{
	bind_i64(st, before);
	bind_i64(st, TRIM_ROWS);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*gone = db_changes(st) > *gone ? db_changes(st) : *gone;
	return ERR_OK;
}

enum err
usage_trim(struct ctx *c, int64_t now, bool *ret_more)
{
	SCOPED_STMT rows = db_prepare(c->db, SQL("DELETE FROM usage_event WHERE (ts_ms, id) IN"
	    " (SELECT ts_ms, id FROM usage_event WHERE ts_ms < ? ORDER BY ts_ms, id LIMIT ?)"));
	SCOPED_STMT minutes = db_prepare(c->db, SQL("DELETE FROM usage_sum WHERE (span, start_ms, scope, id) IN"
	    " (SELECT span, start_ms, scope, id FROM usage_sum WHERE span = 'minute' AND start_ms < ? LIMIT ?)"));
	SCOPED_STMT days = db_prepare(c->db, SQL("DELETE FROM usage_sum WHERE (span, start_ms, scope, id) IN"
	    " (SELECT span, start_ms, scope, id FROM usage_sum WHERE span = 'day' AND start_ms < ? LIMIT ?)"));
	SCOPED_STMT speeds = db_prepare(c->db, SQL("DELETE FROM usage_speed WHERE (start_ms, model, bucket) IN"
	    " (SELECT start_ms, model, bucket FROM usage_speed WHERE start_ms > 0 AND start_ms < ? LIMIT ?)"));
	SCOPED_STMT events = db_prepare(c->db, SQL("DELETE FROM budget_event WHERE id IN"
	    " (SELECT id FROM budget_event WHERE ts_ms < ? LIMIT ?)"));
	int64_t gone = 0, keep = usage_retention_days(c->cfg) * DAY_MS;
	int64_t keep_days = keep > KEEP_DAYS * (int64_t)DAY_MS ? keep : KEEP_DAYS * (int64_t)DAY_MS;
	enum err e = trim(c, rows, now - keep, &gone);

	if (e == ERR_OK)
		e = trim(c, minutes, now - 3 * HOUR_MINUTES * MINUTE_MS, &gone);
	if (e == ERR_OK)
		e = trim(c, days, now - keep_days, &gone);
	if (e == ERR_OK)
		e = trim(c, speeds, now - keep_days, &gone);
	if (e == ERR_OK)
		e = trim(c, events, now - keep, &gone);
	*ret_more = gone >= TRIM_ROWS;
	return e;
}

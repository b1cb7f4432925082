/*
 * What an agent has done.
 *
 * A turn keeps its steps for a week, so the decisions of the last one are there for every process and after a
 * restart: what the model said before it called a tool is the call's rationale.
 */
#include "lib/svc/agent_stats.h"

#include <string.h>

#include "db/db.h"

enum { TRACES_MAX = 15, SUMMARY_MAX = 200, HOURS_24 = 86400000, NOW_MS = 300000 };

/* --- sums ------------------------------------------------------------------------------- */

/* good: calls that did not fail; what all of them took is latency. */
struct sums { int64_t input, output, cost, tools, calls, good, latency; };

static enum err
take_sums(struct ctx *c, struct stmt *st, struct sums *ret)
{
	*ret = (struct sums){ 0 };
	if (db_step(st))
		*ret = (struct sums){ col_i64(st, "input"), col_i64(st, "output"), col_i64(st, "cost"), col_i64(st, "tools"),
			col_i64(st, "calls"), col_i64(st, "good"), col_i64(st, "latency") };
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
all_of(struct ctx *c, const char *agent_id, struct sums *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT input_tokens AS input, output_tokens AS output, cost_nanousd AS cost,"
	    " tool_calls AS tools, calls, calls - failed AS good, latency_ms AS latency FROM usage_sum"
	    " WHERE span = 'total' AND start_ms = 0 AND scope = 'agent' AND id = ?"));

	bind_text(st, agent_id);
	return take_sums(c, st, ret);
}

/* Its rows are not older than it is. */
static enum err
of_session(struct ctx *c, const char *agent_id, const char *session_id, struct sums *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT coalesce(sum(input_tokens), 0) AS input,"
	    " coalesce(sum(output_tokens), 0) AS output, coalesce(sum(cost_nanousd), 0) AS cost,"
	    " coalesce(sum(tool_calls), 0) AS tools, count(*) AS calls, 0 AS good, 0 AS latency FROM usage_event"
	    " WHERE agent_id = ?1 AND session_id = ?2"
	    " AND ts_ms >= (SELECT coalesce(max(created_ms), 0) FROM session WHERE id = ?2)"));

	bind_text(st, agent_id);
	bind_text(st, session_id);
	return take_sums(c, st, ret);
}

static enum err
count_of(struct ctx *c, struct stmt *st, const char *id, int64_t *ret)
{
	bind_text(st, id);
	*ret = db_step(st) ? col_i64(st, "n") : 0;
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_write_metrics(struct ctx *c, const struct agent *a, struct jw *w)
{
	SCOPED_STMT messages = db_prepare(c->db, SQL("SELECT message_count AS n FROM session WHERE id = ?"));
	SCOPED_STMT errors = db_prepare(c->db, SQL("SELECT count(*) AS n FROM turn WHERE agent_id = ? AND state = 'failed'"));
	struct sums all, session;
	int64_t n_messages, n_errors;
	enum err e = all_of(c, a->id, &all);

	if (e == ERR_OK)
		e = of_session(c, a->id, a->session_id, &session);
	if (e == ERR_OK)
		e = count_of(c, messages, a->session_id, &n_messages);
	if (e == ERR_OK)
		e = count_of(c, errors, a->id, &n_errors);
	if (e != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_str(w, "agent_id", a->id);
	jw_str(w, "name", a->name);
	jw_str(w, "state", a->state);
	jw_i64(w, "uptime_secs", c->now_ms > a->created_ms ? (c->now_ms - a->created_ms) / 1000 : 0);
	jw_i64(w, "message_count", n_messages);
	jw_object(w, "token_usage");
	jw_i64(w, "session_tokens", session.input + session.output);
	jw_i64(w, "total_input_tokens", all.input);
	jw_i64(w, "total_output_tokens", all.output);
	jw_i64(w, "total_tokens", all.input + all.output);
	jw_end(w);
	jw_object(w, "tool_calls");
	jw_i64(w, "session_tool_calls", session.tools);
	jw_i64(w, "total_tool_calls", all.tools);
	jw_end(w);
	jw_usd(w, "cost_usd", all.cost);
	jw_i64(w, "call_count", all.calls);
	jw_i64(w, "error_count", n_errors);
	if (all.good > 0)
		jw_f64(w, "avg_response_time_ms", (double)all.latency / (double)all.good);
	else
		jw_null(w, "avg_response_time_ms");
	jw_end(w);
	return ERR_OK;
}

/* --- a day and the day before --------------------------------------------------------------- */

struct day { int64_t sessions, cost, samples, p95; };

static enum err
day_of(struct ctx *c, const char *id, int64_t from, int64_t to, struct day *ret)
{
	SCOPED_STMT sums = db_prepare(c->db, SQL("SELECT (SELECT count(*) FROM session WHERE agent_id = ?1"
	    " AND created_ms >= ?2 AND created_ms < ?3) AS sessions, coalesce(sum(cost_nanousd), 0) AS cost,"
	    " coalesce(sum(CASE WHEN latency_ms > 0 THEN 1 ELSE 0 END), 0) AS samples FROM usage_event"
	    " WHERE agent_id = ?1 AND ts_ms >= ?2 AND ts_ms < ?3"));
	SCOPED_STMT rank = db_prepare(c->db, SQL("SELECT latency_ms FROM usage_event WHERE agent_id = ? AND ts_ms >= ?"
	    " AND ts_ms < ? AND latency_ms > 0 ORDER BY latency_ms LIMIT 1 OFFSET ?"));

	bind_text(sums, id);
	bind_i64(sums, from);
	bind_i64(sums, to);
	if (!db_step(sums))
		return fail_db(c, sums);
	*ret = (struct day){ .sessions = col_i64(sums, "sessions"), .cost = col_i64(sums, "cost"),
		.samples = col_i64(sums, "samples") };
	if (ret->samples == 0)
		return ERR_OK;
	bind_text(rank, id);
	bind_i64(rank, from);
	bind_i64(rank, to);
	bind_i64(rank, (ret->samples * 95 + 99) / 100 - 1);     /* nearest rank */
	ret->p95 = db_step(rank) ? col_i64(rank, "latency_ms") : 0;
	return db_exec(rank) == ERR_OK ? ERR_OK : fail_db(c, rank);
}

static void
write_day(struct jw *w, const struct day *d)
{
	jw_i64(w, "sessions_24h", d->sessions);
	jw_usd(w, "cost_24h", d->cost);
	jw_i64(w, "p95_latency_ms", d->p95);
}

enum err
agent_write_stats(struct ctx *c, const struct agent *a, struct jw *w)
{
	SCOPED_STMT active = db_prepare(c->db, SQL("SELECT count(*) AS n FROM session WHERE agent_id = ?"
	    " AND message_count > 0 AND updated_ms >= ?"));
	int64_t since = c->now_ms - HOURS_24, n = 0;
	struct day now, before;
	enum err e = day_of(c, a->id, since, c->now_ms + HOURS_24, &now);

	if (e == ERR_OK)
		e = day_of(c, a->id, since - HOURS_24, since, &before);
	if (e != ERR_OK)
		return e;
	bind_text(active, a->id);
	bind_i64(active, c->now_ms - NOW_MS);
	n = db_step(active) ? col_i64(active, "n") : 0;
	if (db_exec(active) != ERR_OK)
		return fail_db(c, active);
	jw_object(w, NULL);
	write_day(w, &now);
	jw_i64(w, "active_now", n);
	jw_i64(w, "samples", now.samples);
	jw_object(w, "prev");
	write_day(w, &before);
	jw_end(w);
	jw_end(w);
	return ERR_OK;
}

/* --- lists ------------------------------------------------------------------------------ */

enum err
agent_write_events(struct ctx *c, const struct agent *a, int64_t limit, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT ts_ms, model, provider, input_tokens, output_tokens, cost_nanousd,"
	    " tool_calls, latency_ms FROM usage_event WHERE agent_id = ? ORDER BY ts_ms DESC, id DESC LIMIT ?"));

	bind_text(st, a->id);
	bind_i64(st, limit);
	jw_object(w, NULL);
	jw_array(w, "events");
	while (db_step(st)) {
		jw_object(w, NULL);
		jw_time(w, "timestamp", col_i64(st, "ts_ms"));
		jw_str(w, "model", col_text(c, st, "model"));
		jw_str(w, "provider", col_text(c, st, "provider"));
		jw_i64(w, "input_tokens", col_i64(st, "input_tokens"));
		jw_i64(w, "output_tokens", col_i64(st, "output_tokens"));
		jw_usd(w, "cost_usd", col_i64(st, "cost_nanousd"));
		jw_i64(w, "tool_calls", col_i64(st, "tool_calls"));
		jw_i64(w, "latency_ms", col_i64(st, "latency_ms"));
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_write_runtime(struct ctx *c, const struct agent *a, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT session_id, started_ms FROM turn WHERE ended_ms IS NULL AND state = 'running'"
	    " AND agent_id = ? ORDER BY started_ms"));

	bind_text(st, a->id);
	jw_array(w, NULL);
	while (db_step(st)) {
		jw_object(w, NULL);
		jw_str(w, "session_id", col_text(c, st, "session_id"));
		jw_time(w, "started_at", col_i64(st, "started_ms"));
		jw_str(w, "state", "running");
		jw_end(w);
	}
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- the decisions of a turn ----------------------------------------------------------------- */

static enum err
last_with_tools(struct ctx *c, const char *agent_id, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id FROM (SELECT id, started_ms FROM turn WHERE agent_id = ?"
	    " ORDER BY started_ms DESC LIMIT 500) t WHERE EXISTS (SELECT 1 FROM turn_step s WHERE s.turn_id = t.id"
	    " AND s.kind = 'tool') ORDER BY started_ms DESC, id DESC LIMIT 1"));

	bind_text(st, agent_id);
	*ret = db_step(st) ? col_text(c, st, "id") : NULL;
	return *ret != NULL || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* What the model said beside its calls; NULL: nothing. */
static const char *
said_in(struct ctx *c, const char *result)
{
	struct json_object *blocks = result != NULL ? json_stored(c, result) : NULL;

	for (size_t i = 0; json_object_is_type(blocks, json_type_array) && i < json_object_array_length(blocks); i++) {
		const char *s = js_str(json_object_array_get_idx(blocks, i), "text");

		if (s != NULL && s[0] != '\0')
			return s;
	}
	return NULL;
}

static void
write_trace(struct ctx *c, struct stmt *st, const char *rationale, int64_t iteration, struct jw *w)
{
	const char *input = col_text(c, st, "input"), *stored = col_text(c, st, "result"), *text;
	struct json_object *result = stored != NULL ? json_stored(c, stored) : NULL;
	int64_t started = col_i64(st, "started_ms"), ended = col_i64(st, "ended_ms");

	jw_object(w, NULL);
	jw_str(w, "tool_use_id", col_text(c, st, "call_id"));
	jw_str(w, "tool_name", col_text(c, st, "name"));
	jw_json(w, "input", input != NULL ? json_stored(c, input) : NULL);
	jw_str(w, "rationale", rationale);
	jw_bool(w, "recovered_from_text", false);
	jw_i64(w, "execution_ms", ended > started ? ended - started : 0);
	jw_bool(w, "is_error", js_bool(result, "is_error", false));
	text = js_str_or(result, "content", "");
	jw_strn(w, "output_summary", text, utf8_cut(text, strlen(text), SUMMARY_MAX));
	jw_i64(w, "iteration", iteration);
	jw_time(w, "timestamp", ended > 0 ? ended : started);
	jw_end(w);
}

static enum err
write_steps(struct ctx *c, const char *turn_id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT kind, name, call_id, input, state, result, started_ms, ended_ms"
	    " FROM turn_step WHERE turn_id = ? ORDER BY n"));
	const char *rationale = NULL;
	int64_t iteration = 0, n = 0;

	bind_text(st, turn_id);
	while (n < TRACES_MAX && db_step(st)) {
		const char *kind = col_text(c, st, "kind");

		if (kind != NULL && strcmp(kind, "model") == 0) {
			rationale = said_in(c, col_text(c, st, "result"));
			iteration++;
		} else {
			write_trace(c, st, rationale, iteration, w);
			n++;
		}
	}
	return n == TRACES_MAX || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_write_traces(struct ctx *c, const struct agent *a, struct jw *w)
{
	const char *turn_id;
	enum err e = last_with_tools(c, a->id, &turn_id);

	jw_object(w, NULL);
	jw_array(w, "traces");
	if (e == ERR_OK && turn_id != NULL)
		e = write_steps(c, turn_id, w);
	jw_end(w);
	jw_end(w);
	return e;
}

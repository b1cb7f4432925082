/*
 * The metrics page.
 *
 * Names and labels are fixed by those who already collect them.
 * librefang_agents_total goes up and down although its name says counter, so it is declared
 * untyped: true, and what promtool accepts.
 */
#include "lib/svc/metrics.h"
#include "lib/svc/series.h"

#include <inttypes.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/svc/agent.h"
#include "lib/svc/caller.h"
#include "lib/svc/login.h"
#include "lib/svc/system.h"

enum { WINDOW_MS = 3600000, MINUTE_MS = 60000 };

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
one(struct buf *b, const char *name, const char *type, const char *help, int64_t v)
{
	family(b, name, type, help);
	buf_printf(b, "%s %" PRId64 "\n", name, v);
}

void
metric_label(struct buf *b, const char *name, const char *value, size_t n)
{
	buf_str(b, name);
	buf_str(b, "=\"");
	for (size_t i = 0; i < n; i++) {
		if (value[i] == '\\' || value[i] == '"')
			buf_ch(b, '\\');
		if (value[i] == '\n')
			buf_str(b, "\\n");
		else
			buf_ch(b, value[i]);
	}
	buf_ch(b, '"');
}

/* --- usage of the last hour ---------------------------------------------------- */

static const struct {
	const char *column, *name, *help;
} usages[] = {
	{ "tokens", "librefang_tokens", "Tokens in the last hour." },
	{ "input", "librefang_tokens_input", "Input tokens in the last hour." },
	{ "output", "librefang_tokens_output", "Output tokens in the last hour." },
	{ "tools", "librefang_tool_calls", "Tool calls in the last hour." },
	{ "llm", "librefang_llm_calls", "Model calls in the last hour." },
};

/* Who used what, a line of each family. id: agent, provider and model with a blank between them; name NULL: an agent that is gone. */
static void
usage_lines(struct ctx *c, struct stmt *st, const char *id, const char *name, struct buf *part)
{
	const char *agent_end = strchr(id, ' '), *provider = agent_end != NULL ? agent_end + 1 : "", *model = strchr(provider, ' ');
	const char *agent = name != NULL ? name : agent_end != NULL ? ctx_strndup(c, id, (size_t)(agent_end - id)) : id;

	for (size_t i = 0; agent != NULL && model != NULL && i < ARRAY_LEN(usages); i++) {
		buf_str(&part[i], usages[i].name);
		buf_ch(&part[i], '{');
		metric_label(&part[i], "agent", agent, strlen(agent));
		buf_ch(&part[i], ',');
		metric_label(&part[i], "provider", provider, (size_t)(model - provider));
		buf_ch(&part[i], ',');
		metric_label(&part[i], "model", model + 1, strlen(model + 1));
		buf_printf(&part[i], "} %" PRId64 "\n", col_i64(st, usages[i].column));
	}
}

/*
 * From the sums of minutes that lie in the hour whole, and the ledger's rows of the one that lies in it in part. A clock that was set
 * back has left some ahead.
 */
static enum err
usage_rows(struct ctx *c, struct buf *part)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE moment(ms) AS (SELECT CAST(?1 AS BIGINT)"
	    " UNION ALL SELECT ms + 60000 FROM moment WHERE ms < ?2)"
	    " SELECT g.id AS id, a.name AS name, g.input + g.output AS tokens, g.input AS input, g.output AS output,"
	    " g.tools AS tools, g.llm AS llm FROM (SELECT id, CAST(sum(input) AS BIGINT) AS input, CAST(sum(output) AS BIGINT) AS output,"
	    " CAST(sum(tools) AS BIGINT) AS tools, CAST(sum(llm) AS BIGINT) AS llm FROM ("
	    "SELECT u.id AS id, u.input_tokens AS input, u.output_tokens AS output, u.tool_calls AS tools, u.calls AS llm"
	    " FROM moment CROSS JOIN usage_sum u WHERE u.span = 'minute' AND u.start_ms = moment.ms AND u.scope = 'use'"
	    " UNION ALL SELECT agent_id || ' ' || provider || ' ' || model, input_tokens, output_tokens, tool_calls, llm_calls"
	    " FROM usage_event WHERE ts_ms > ?3 AND ts_ms < ?1) AS each_one GROUP BY id) AS g"
	    " LEFT JOIN agent a ON a.id = substr(g.id, 1, 36)"
	    " WHERE lower(coalesce(a.author, '')) = lower(coalesce(?4, a.author, ''))"
	    " ORDER BY coalesce(a.name, g.id), g.id LIMIT 2000"));
	int64_t from = c->now_ms - WINDOW_MS, whole = from - from % MINUTE_MS + MINUTE_MS;

	bind_i64(st, whole);
	bind_i64(st, whole + 2 * WINDOW_MS);
	bind_i64(st, from);
	bind_text(st, caller_scope(c));
	while (db_step(st)) {
		const char *id = col_text(c, st, "id");

		if (id != NULL)
			usage_lines(c, st, id, col_text(c, st, "name"), part);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
usage_families(struct ctx *c, struct buf *out)
{
	struct buf part[ARRAY_LEN(usages)];
	enum err e;

	for (size_t i = 0; i < ARRAY_LEN(usages); i++)
		part[i] = (struct buf)BUF_INIT(1 << 20);
	e = usage_rows(c, part);
	for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
		family(out, usages[i].name, "gauge", usages[i].help);
		if (part[i].len > 0)
			buf_add(out, part[i].p, part[i].len);
		buf_done(&part[i]);
	}
	return e;
}

/* --- requests -------------------------------------------------------------------- */

static void
route_labels(struct buf *b, const struct metric_route *r)
{
	metric_label(b, "method", r->method, strlen(r->method));
	buf_ch(b, ',');
	metric_label(b, "path", r->path, strlen(r->path));
}

static void
request_counts(struct buf *b, const struct metric_route *r, size_t at)
{
	for (unsigned i = 0; i < SHM_STATUS_CODES; i++) {
		uint64_t n = atomic_load_explicit(&shm->route[at].by_code[i], memory_order_relaxed);

		if (n == 0)
			continue;
		buf_str(b, "librefang_http_requests_total{");
		route_labels(b, r);
		if (i < SHM_STATUS_CODES - 1)
			buf_printf(b, ",status=\"%u\"} %" PRIu64 "\n", shm_status_codes[i], n);
		else
			buf_printf(b, ",status=\"other\"} %" PRIu64 "\n", n);
	}
}

/*
 * Buckets are read one after the other while requests go on, so the count is
 * the sum of what was read: a histogram must agree with itself.
 */
void
metric_histogram(struct buf *b, const char *name, const char *labels, const _Atomic uint64_t lat[static SHM_LAT_BUCKETS],
    uint64_t sum_us)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SHM_LAT_BUCKETS; i++) {
		n += atomic_load_explicit(&lat[i], memory_order_relaxed);
		if (i < SHM_LAT_BUCKETS - 1)
			buf_printf(b, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels, shm_lat_bounds_s[i], n);
		else
			buf_printf(b, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, n);
	}
	buf_printf(b, "%s_sum{%s} %" PRIu64 ".%06" PRIu64 "\n", name, labels, sum_us / 1000000, sum_us % 1000000);
	buf_printf(b, "%s_count{%s} %" PRIu64 "\n", name, labels, n);
}

static void
request_times(struct buf *b, const struct metric_route *r, size_t at)
{
	SCOPED_BUF labels = BUF_INIT(4096);
	uint64_t sum_us;

	if (atomic_load_explicit(&shm->route[at].lat_n, memory_order_relaxed) == 0)
		return;
	sum_us = atomic_load_explicit(&shm->route[at].lat_sum_us, memory_order_relaxed);
	route_labels(&labels, r);
	b->failed |= labels.failed;
	if (!labels.failed)
		metric_histogram(b, "librefang_http_request_duration_seconds", labels.p, shm->route[at].lat, sum_us);
}

static void
http_families(struct buf *b, const struct metric_route *routes, size_t n)
{
	static const struct metric_route unmatched = { "other", "<unmatched>" };
	const size_t last = SHM_ROUTES_MAX - 1;

	if (n > last)
		n = last;
	family(b, "librefang_http_requests_total", "counter", "Requests answered.");
	for (size_t i = 0; i < n; i++)
		request_counts(b, &routes[i], i);
	request_counts(b, &unmatched, last);
	family(b, "librefang_http_request_duration_seconds", "histogram", "Time to answer.");
	for (size_t i = 0; i < n; i++)
		request_times(b, &routes[i], i);
	request_times(b, &unmatched, last);
}

enum err
metrics_write(struct ctx *c, const char *version, const struct metric_route *routes, size_t n,
    struct buf *b)
{
	int64_t all = 0, running = 0, logins = 0;
	struct spend s = { 0 };
	enum err e;

	if ((e = agent_count(c, &all, &running)) != ERR_OK || (e = login_count(c, &logins)) != ERR_OK ||
	    (e = system_spend(c, &s)) != ERR_OK)
		return e;
	one(b, "librefang_uptime_seconds", "gauge", "Seconds since start.", system_uptime_s(c));
	one(b, "librefang_agents_active", "gauge", "Agents in state Running.", running);
	one(b, "librefang_agents_total", "untyped", "Registered agents.", all);
	if ((e = usage_families(c, b)) != ERR_OK)
		return e;
	one(b, "librefang_panics_total", "counter", "Processes ended by a signal.",
	    shm != NULL ? atomic_load(&shm->panics) : 0);
	one(b, "librefang_restarts_total", "counter", "Processes started again.",
	    shm != NULL ? atomic_load(&shm->restarts) : 0);
	family(b, "librefang_info", "gauge", "The running version.");
	buf_str(b, "librefang_info{");
	metric_label(b, "version", version, strlen(version));
	buf_str(b, "} 1\n");
	one(b, "librefang_active_sessions", "gauge", "Dashboard logins.", logins);
	family(b, "librefang_cost_usd_today", "gauge", "Dollars spent since midnight UTC.");
	buf_printf(b, "librefang_cost_usd_today %" PRId64 ".%06" PRId64 "\n", s.day / 1000000000,
	    s.day % 1000000000 / 1000);
	if ((e = metrics_write_money(c, b)) != ERR_OK)
		return e;
	if (shm != NULL) {
		http_families(b, routes, n);
		series_write(b);
	}
	return ERR_OK;
}

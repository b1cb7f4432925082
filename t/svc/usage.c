/* The ledger: its sums agree with its rows, in every window; what is exported is what is there; what is old goes. */
#include <math.h>
#include <time.h>

#include "lib/svc/metrics.h"
#include "lib/svc/usage.h"
#include "t/svc/store.h"

enum { MIN = 60000, H = 3600000, CALLS = 3000 };
static const int64_t DAY = 86400000;

static uint64_t seed = 88172645463325252u;

static uint64_t
dice(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static int64_t
one(struct ctx *c, struct stmt *st)
{
	int64_t n = db_step(st) ? col_i64(st, "n") : -1;

	(void)c;
	return n;
}

static void
buckets(void)
{
	int64_t bad = 0;

	for (int64_t ms = 0; ms < 1 << 20; ms++) {
		int64_t b = latency_bucket(ms), top = latency_of_bucket(b);

		bad += top < ms || (double)(top - ms) > 0.0325 * (double)ms || (ms > 0 && latency_bucket(ms - 1) > b) ||
		    latency_bucket(top) != b || latency_bucket(top + 1) != b + 1;
	}
	is_int(bad, 0, "a bucket is at most three hundredths wide, and none is left out");
	ok(latency_bucket(INT64_MAX) > 0 && latency_bucket(-5) == 0, "whatever the clock did");
}

/* The windows as the calendar has them, against those that we compute, for moments of thirty years. */
static void
calendar(void)
{
	int64_t bad = 0;

	for (int i = 0; i < 20000; i++) {
		int64_t now = 1600000000000 + (int64_t)(dice() % 946080000000u), start, end;
		time_t s = (time_t)(now / 1000), next;
		struct tm tm;

		gmtime_r(&s, &tm);
		start = usage_window_start(BUDGET_DAY, now);
		end = usage_window_end(BUDGET_DAY, now);
		bad += start > now || end <= now || end - start != DAY || start % DAY != 0;
		tm.tm_mday = 1, tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		bad += usage_window_start(BUDGET_MONTH, now) != (int64_t)timegm(&tm) * 1000;
		tm.tm_mon++;
		next = timegm(&tm);
		bad += usage_window_end(BUDGET_MONTH, now) != (int64_t)next * 1000;
		start = usage_window_start(BUDGET_HOUR, now);
		bad += now - start < H || now - start >= H + MIN;
	}
	is_int(bad, 0, "days and months are the calendar's, an hour is sixty to sixty-one minutes");
}

/* --- sums ---------------------------------------------------------------------------------- */

static const char *const agents[] = { ADA, BEA, NOBODY, "gateway" };
static const char *const providers[] = { "openai", "anthropic", "offline" };
static const char *const users[] = { NULL, "", "u1", "u2" };
static const char *const models[] = { "m1", "m2" };

static void
write_all(struct ctx *c, int64_t now)
{
	int64_t bad = 0;

	for (int i = 0; i < CALLS; i++) {
		int64_t ago = dice() % 3 == 0 ? (int64_t)(dice() % (2 * H)) : (int64_t)(dice() % (uint64_t)(70 * DAY));
		const struct usage u = {
			.agent_id = agents[dice() % 4], .provider = providers[dice() % 3], .user_id = users[dice() % 4],
			.model = models[dice() % 2], .tokens = { .input = (int64_t)(dice() % 5000), .output = (int64_t)(dice() % 900) },
			.cost_nanousd = (int64_t)(dice() % 1000000007), .tool_calls = (int64_t)(dice() % 3),
			.latency_ms = (int64_t)(dice() % 9000), .status = dice() % 8 == 0 ? USAGE_FAILED : USAGE_OK, .ts_ms = now - ago,
		};

		bad += usage_insert(c, &u) != ERR_OK;
	}
	is_int(bad, 0, "%d calls are written", CALLS);
}

static int64_t
by_rows(struct ctx *c, enum usage_scope s, const char *id, int64_t from, int64_t to)
{
	SCOPED_STMT all = db_prepare(c->db, SQL("SELECT coalesce(sum(cost_nanousd), 0) AS n FROM usage_event WHERE ts_ms >= ?2 AND ts_ms <= ?3"
	    " AND (?1 = '' OR 1)"));
	SCOPED_STMT agent = db_prepare(c->db, SQL("SELECT coalesce(sum(cost_nanousd), 0) AS n FROM usage_event WHERE agent_id = ?1"
	    " AND ts_ms >= ?2 AND ts_ms <= ?3"));
	SCOPED_STMT provider = db_prepare(c->db, SQL("SELECT coalesce(sum(cost_nanousd), 0) AS n FROM usage_event WHERE provider = ?1"
	    " AND ts_ms >= ?2 AND ts_ms <= ?3"));
	SCOPED_STMT user = db_prepare(c->db, SQL("SELECT coalesce(sum(cost_nanousd), 0) AS n FROM usage_event WHERE user_id = ?1"
	    " AND ts_ms >= ?2 AND ts_ms <= ?3"));
	struct stmt *st = s == USAGE_ALL ? all : s == USAGE_AGENT ? agent : s == USAGE_PROVIDER ? provider : user;

	bind_text(st, id);
	bind_i64(st, from);
	bind_i64(st, to);
	return one(c, st);
}

static void
sums_agree(struct ctx *c, int64_t now)
{
	static const struct { enum usage_scope scope; const char *id; } each[] = {
		{ USAGE_ALL, "" }, { USAGE_AGENT, ADA }, { USAGE_AGENT, "gateway" }, { USAGE_PROVIDER, "openai" },
		{ USAGE_PROVIDER, "nobody" }, { USAGE_USER, "u1" }, { USAGE_USER, "u2" },
	};
	static const int64_t ahead[] = { H, DAY, 31 * DAY };
	SCOPED_STMT last = db_prepare(c->db, SQL("SELECT max(ts_ms) AS n FROM usage_event"));
	int64_t bad = 0, looked = 0, newest = one(c, last);

	/* at: what a clock says that was set back; what was spent after it counts, one window far */
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		for (enum budget_span w = 0; w < BUDGET_SPANS; w++)
			for (int k = 0; k < 40; k++) {
				int64_t at = now - (w == BUDGET_HOUR ? (int64_t)(dice() % (H / 2)) : (int64_t)(dice() % (uint64_t)(40 * DAY)));
				int64_t step = w == BUDGET_HOUR ? MIN : DAY, end = newest - newest % step;
				int64_t until = end <= at ? at : end < at + ahead[w] ? end : at + ahead[w], to = until - until % step + step - 1;
				struct spent s = { -1, -1 };

				bad += usage_spent(c, each[i].scope, each[i].id, w, at, &s) != ERR_OK ||
				    s.nanousd != by_rows(c, each[i].scope, each[i].id, usage_window_start(w, at), to);
				looked++;
			}
	is_int(bad, 0, "in %d windows the sums are those of the rows", (int)looked);
}

/* How often; at what place is of no interest. */
static int64_t
times_in(const struct buf *b, const char *word)
{
	int64_t n = 0;

	for (const char *p = b->p; p != NULL && (p = strstr(p, word)) != NULL; p += strlen(word))
		n++;
	return n;
}

/* The last hour as metrics tell it, against the rows of exactly that hour. */
static void
metrics_agree_at(struct ctx *c, int64_t at, int64_t *bad, int64_t *looked)
{
	static const char *const names[] = { "tokens_input", "tokens_output", "tokens", "tool_calls", "llm_calls" };
	static const char *const columns[] = { "v0", "v1", "v2", "v3", "v4" };
	SCOPED_BUF b = BUF_INIT(4 << 20);
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT agent_id, provider, model, sum(input_tokens) AS v0, sum(output_tokens) AS v1,"
	    " sum(input_tokens + output_tokens) AS v2, sum(tool_calls) AS v3, count(*) AS v4 FROM usage_event"
	    " WHERE ts_ms > ? GROUP BY agent_id, provider, model"));
	char line[300];
	int64_t groups = 0;

	c->now_ms = at;
	*bad += metrics_write(c, "1", NULL, 0, &b) != ERR_OK;
	bind_i64(st, at - H);
	while (db_step(st)) {
		const char *id = col_text(c, st, "agent_id");

		groups++;
		for (int i = 0; i < 5; i++) {
			snprintf(line, sizeof(line), "\nlibrefang_%s{agent=\"%s\",provider=\"%s\",model=\"%s\"} %lld\n", names[i],
			    strcmp(id, ADA) == 0 ? "ada" : id, col_text(c, st, "provider"), col_text(c, st, "model"), (long long)col_i64(st, columns[i]));
			*bad += times_in(&b, line) != 1;
			++*looked;
		}
	}
	*bad += times_in(&b, "\nlibrefang_tokens{") != groups || groups == 0;
}

static void
metrics_agree(struct ctx *c, int64_t now)
{
	static const struct config cfg;
	int64_t bad = 0, looked = 0, was = c->now_ms;

	c->cfg = &cfg;
	for (int64_t at = now; at > now - H; at -= 7 * MIN + 777)
		metrics_agree_at(c, at, &bad, &looked);
	metrics_agree_at(c, now - now % MIN, &bad, &looked);            /* an hour that begins where a minute does */
	metrics_agree_at(c, now - now % MIN - 1, &bad, &looked);
	is_int(bad, 0, "metrics of the last hour are those of its rows: %lld figures", (long long)looked);
	c->now_ms = was;
	c->cfg = NULL;
}

static int64_t
lines_of(const struct buf *b)
{
	int64_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->p[i] == '\n';
	return n;
}

static void
shown(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *o;

	is_int(usage_write_summary(c, &usage_all_time, &w), ERR_OK, "the summary is shown");
	o = json_stored(c, b.p);
	is_int(js_i64(o, "call_count", 0), CALLS, "it counts every call");
	buf_clear(&b);
	w = (struct jw)JW_INIT(&b);
	is_int(usage_write_models(c, &usage_all_time, true, &w), ERR_OK, "models are shown");
	o = js_arr(json_stored(c, b.p), "models");
	is_int(json_object_array_length(o), 2, "both");
	o = json_object_array_get_idx(o, 0);
	ok(js_i64(o, "p95_latency_ms", 0) > 8300 && js_i64(o, "p95_latency_ms", 0) < 8900, "95 of 100 even latencies below 9 s are below 8.55 s: %lld",
	    (long long)js_i64(o, "p95_latency_ms", 0));
	ok(js_i64(o, "min_latency_ms", -1) >= 0 && js_i64(o, "max_latency_ms", 0) <= 9000, "with the least and the most");
}

/* The last seven days, those alone on which something was called, the oldest first. */
static void
by_day(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	int64_t today = c->now_ms - c->now_ms % DAY, at = 0, bad = 0;
	struct usage_range week = usage_last_days(c->now_ms, 7);
	struct json_object *o, *days;
	char date[25];

	is_int(usage_write_days(c, &week, &w), ERR_OK, "days are shown");
	o = json_stored(c, b.p);
	days = js_arr(o, "days");
	for (int64_t day = today - 6 * DAY; day <= today; day += DAY) {
		int64_t cost = by_rows(c, USAGE_ALL, "", day, day + DAY - 1);
		struct json_object *d = json_object_array_get_idx(days, (size_t)at);

		time_rfc3339(day, date);
		if (cost == 0)
			continue;
		at++;
		bad += strncmp(js_str_or(d, "date", ""), date, 10) != 0 || llround(js_f64(d, "cost_usd", 0) * 1e9) != cost || js_i64(d, "calls", 0) == 0;
	}
	ok(bad == 0 && at > 5 && (size_t)at == json_object_array_length(days), "each of %d with what its rows cost", (int)at);
	is_int(llround(js_f64(o, "today_cost_usd", 0) * 1e9), by_rows(c, USAGE_ALL, "", today, today + DAY - 1), "and today's beside them");
	ok(js_str(o, "first_event_date") != NULL && js_i64(o, "retention_days", 0) == 90, "since when, and how long it is kept");
}

static struct json_object *
said_of(struct ctx *c, const struct usage_range *r, enum err (*write)(struct ctx *, const struct usage_range *, struct jw *))
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	return write(c, r, &w) == ERR_OK ? json_stored(c, b.p) : NULL;
}

static enum err
by_speed(struct ctx *c, const struct usage_range *r, struct jw *w)
{
	return usage_write_models(c, r, true, w);
}

static int64_t
nanousd(struct json_object *all, const char *list, const char *key)
{
	struct json_object *items = list != NULL ? js_arr(all, list) : NULL;
	double sum = list == NULL ? js_f64(all, key, -1) : 0;

	for (size_t i = 0; items != NULL && i < json_object_array_length(items); i++)
		sum += js_f64(json_object_array_get_idx(items, i), key, 0);
	return llround(sum * 1e9);
}

/* Of 100 calls of a model 95 took no longer, by the rows themselves. */
static int64_t
rank_95_by_rows(struct ctx *c, const char *model, int64_t from, int64_t to)
{
	SCOPED_STMT n = db_prepare(c->db, SQL("SELECT count(*) AS n FROM usage_event WHERE model = ? AND ts_ms >= ? AND ts_ms <= ? AND status = 'ok'"));
	SCOPED_STMT nth = db_prepare(c->db, SQL("SELECT latency_ms AS n FROM usage_event WHERE model = ? AND ts_ms >= ? AND ts_ms <= ?"
	    " AND status = 'ok' ORDER BY latency_ms LIMIT 1 OFFSET ?"));
	struct stmt *both[] = { n, nth };
	int64_t count;

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		bind_text(both[i], model);
		bind_i64(both[i], from);
		bind_i64(both[i], to);
	}
	if ((count = one(c, n)) == 0)
		return 0;
	bind_i64(nth, (count * 95 + 99) / 100 - 1);
	return one(c, nth);
}

static int64_t
range_faults(struct ctx *c, const struct usage_range *r, int64_t from, int64_t to)
{
	struct json_object *models_used = said_of(c, r, by_speed), *days = said_of(c, r, usage_write_days);
	int64_t cost = by_rows(c, USAGE_ALL, "", from, to), bad = 0;
	struct json_object *all = js_arr(models_used, "models"), *ada = json_object_array_get_idx(js_arr(said_of(c, r, usage_write_agents), "items"), 0);

	bad += nanousd(said_of(c, r, usage_write_summary), NULL, "total_cost_usd") != cost;
	bad += nanousd(models_used, "models", "total_cost_usd") != cost || nanousd(days, "days", "cost_usd") != cost;
	bad += llround(js_f64(ada, "cost", -1) * 1e9) != by_rows(c, USAGE_AGENT, ADA, from, to);
	for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++) {
		struct json_object *m = json_object_array_get_idx(all, i);
		int64_t is = js_i64(m, "p95_latency_ms", -1), want = rank_95_by_rows(c, js_str_or(m, "model", ""), from, to);

		bad += is < want || (double)is > (double)want * 1.0325 + 1;
	}
	return bad;
}

/* Some days in a row, open on either side or closed: every view of them is what their rows say. */
static void
ranges(struct ctx *c, int64_t now)
{
	int64_t bad = 0, today = now - now % DAY;
	char first[25], last[25];
	struct usage_range r;

	for (int k = 0; k < 60; k++) {
		int64_t from = today - (int64_t)(dice() % 75) * DAY, until = from + (int64_t)(dice() % 30) * DAY;
		bool open = k % 5 == 1, endless = k % 5 == 2;

		time_rfc3339(from, first);
		time_rfc3339(until, last);
		first[10] = last[10] = '\0';
		bad += usage_range_of(c, open ? NULL : first, endless ? "" : last, &r) != ERR_OK;
		bad += range_faults(c, &r, open ? 0 : from, endless ? INT64_MAX : until + DAY - 1);
	}
	is_int(bad, 0, "sixty ranges of days are what their rows say, in every view");
	ok(usage_range_of(c, NULL, "", &r) == ERR_OK && strcmp(r.span, "total") == 0, "no dates: all of it");
	is_int(usage_range_of(c, "2026-02-30", NULL, &r), ERR_BAD_REQUEST, "what is no day is refused");
	is_int(usage_range_of(c, "2026-03-01", "2026-02-28", &r), ERR_BAD_REQUEST, "so is an end before the beginning");
	ok(usage_range_of(c, "2999-01-01", NULL, &r) == ERR_OK && range_faults(c, &r, INT64_MAX, INT64_MAX) == 0, "what is yet to come has cost nothing");
}

static void
exported(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(8 << 20);
	const struct usage evil = { .agent_id = "=cmd|' /C calc'!A0", .provider = "+1", .model = "a,\"b\"\nc", .channel = "@x", .user_id = "-2",
		.ts_ms = 5 };
	static const char first[] = "1970-01-01T00:00:00.005Z,\"'=cmd|' /C calc'!A0\",,\"'=cmd|' /C calc'!A0\",\"'+1\",\"a,\"\"b\"\"\n"
	    "c\",0,0,0.000000000,0,0,\"'-2\",\"'@x\",,ok,false\r\n";
	struct usage_at at = { 0 };
	bool more = true;
	int64_t n = 0;

	is_int(usage_insert(c, &evil), ERR_OK, "names are anything");
	for (; more; n += lines_of(&b)) {
		buf_clear(&b);
		if (usage_csv_piece(c, &at, &more, &b) != ERR_OK)
			break;
		if (n == 0)
			ok(b.p != NULL && strncmp(b.p, first, strlen(first)) == 0, "a spreadsheet takes none of them for a formula: %.170s", b.p);
	}
	is_int(n, CALLS + 2, "the export has a row for each");
}

static void
trimmed(struct ctx *c, int64_t now)
{
	SCOPED_STMT rows = db_prepare(c->db, SQL("SELECT count(*) AS n FROM usage_event"));
	SCOPED_STMT minutes = db_prepare(c->db, SQL("SELECT count(*) AS n FROM usage_sum WHERE span = 'minute' AND start_ms < ?"));
	bool more = true;
	int rounds = 0;

	for (; more && rounds < 50; rounds++)
		if (usage_trim(c, now + 60 * DAY, &more) != ERR_OK)
			break;
	ok(!more && rounds > 1, "what is old goes piece by piece");
	ok(one(c, rows) > 0, "what is not stays");
	bind_i64(minutes, now + 60 * DAY - 4 * H);
	is_int(one(c, minutes), 0, "no minute of an earlier day is kept");
	SCOPED_STMT old = db_prepare(c->db, SQL("SELECT count(*) AS n FROM usage_event WHERE ts_ms < ?"));

	bind_i64(old, now - 30 * DAY);
	is_int(one(c, old), 0, "no row older than ninety days is");
}

int
main(void)
{
	struct ctx c = { 0 };
	int64_t now;

	store_open(&c);
	now = c.now_ms - c.now_ms % DAY + 12 * H + 1234;
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	buckets();
	calendar();
	{
		SCOPED_TX tx = { 0 };

		ok(tx_begin(&c, &tx) == ERR_OK, "a transaction begins");
		write_all(&c, now);
		ok(tx_commit(&c, &tx) == ERR_OK, "and is committed");
	}
	sums_agree(&c, now);
	metrics_agree(&c, now);
	shown(&c);
	by_day(&c);
	ranges(&c, now);
	exported(&c);
	trimmed(&c, now);
	store_close(&c);
	return done();
}

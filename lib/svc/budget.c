/*
 * Budgets, held.
 *
 * The difficult thing is that a look and what follows from it must be one: both happen in a transaction that has the
 * store's write lock, so whoever looks next sees what this one has put aside.
 */
#include "lib/svc/budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/series.h"

enum { HOUR_MS = 3600000, BURST_MS = 60000, FORGOTTEN_MS = 25 * HOUR_MS };
#define BURST_DEFAULT 0.2
#define BURST_MIN 0.01

const char *const budget_scope_names[] = { "global", "agent", "provider", "user" };
const char *const budget_span_names[] = { "hourly", "daily", "monthly" };

enum usage_scope
budget_usage_scope(enum budget_scope s)
{
	static const enum usage_scope of[] = { USAGE_ALL, USAGE_AGENT, USAGE_PROVIDER, USAGE_USER };

	return of[s];
}

double
budget_share(int64_t spent, int64_t cap)
{
	return cap > 0 ? (double)spent / (double)cap : 0;
}

/* --- limits ---------------------------------------------------------------------------- */

struct budget_limit
budget_of_all(const struct config *cfg)
{
	return (struct budget_limit){ .id = "", .caps = cfg->budget.all, .alert_threshold = cfg->budget.alert_threshold };
}

static int64_t
tokens_of(struct json_object *r, const char *key, int64_t dflt)
{
	int64_t n = js_get(r, key) != NULL ? js_i64(r, key, 0) : dflt;

	return n > 0 ? n : 0;
}

struct budget_limit
budget_of_agent(const struct config *cfg, const char *id, const char *name, struct json_object *manifest)
{
	struct json_object *r = js_obj(manifest, "resources");
	double dflt = cfg->budget.burst_ratio > 0 ? cfg->budget.burst_ratio : BURST_DEFAULT, burst = js_f64(r, "burst_ratio", dflt);

	return (struct budget_limit){
		.id = id, .name = name, .alert_threshold = cfg->budget.alert_threshold,
		.burst_ratio = burst < BURST_MIN ? BURST_MIN : burst > 1 ? 1 : burst,
		.caps.nanousd = { config_money(r, "max_cost_per_hour_usd"), config_money(r, "max_cost_per_day_usd"),
			config_money(r, "max_cost_per_month_usd") },
		.caps.tokens = { tokens_of(r, "max_llm_tokens_per_hour", cfg->budget.agent_tokens_hour),
			tokens_of(r, "max_llm_tokens_per_day", 0), tokens_of(r, "max_llm_tokens_per_month", 0) },
	};
}

typedef int same_name(const char *, const char *);

static struct budget_limit
named(const struct budget_named *v, size_t n, same_name *compare, const char *id, const char *name, double alert)
{
	for (size_t i = 0; name != NULL && i < n; i++)
		if (compare(v[i].name, name) == 0)
			return (struct budget_limit){ .id = id, .name = name, .caps = v[i].caps,      /* nothing of the configuration's own */
				.alert_threshold = v[i].alert_threshold };
	return (struct budget_limit){ .id = id, .name = name, .alert_threshold = alert };
}

struct budget_limit
budget_of_provider(const struct config *cfg, const char *id)
{
	return named(cfg->budget.providers, cfg->budget.n_providers, strcmp, id, id, cfg->budget.alert_threshold);
}

struct budget_limit
budget_of_user(const struct config *cfg, const char *id, const char *name)
{
	if (id != NULL && strcmp(id, CALLER_ROOT_ID) == 0)      /* the owner's key is nobody's of [[users]], whatever they are called */
		name = NULL;
	return named(cfg->budget.users, cfg->budget.n_users, strcasecmp, id, name, BUDGET_ALERT);
}

void
budget_look(struct budget_call *b)
{
	b->any = false;
	for (size_t s = 0; s < BUDGET_SCOPES; s++)
		for (size_t w = 0; b->limit[s].id != NULL && w < BUDGET_SPANS; w++)
			b->any |= (b->limit[s].caps.nanousd[w] | b->limit[s].caps.tokens[w]) > 0;
}

void
budget_again(struct budget_call *b, const struct config *cfg)
{
	struct budget_limit *provider = &b->limit[BUDGET_PROVIDER], *user = &b->limit[BUDGET_USER];

	if (b->generation == cfg->generation)
		return;
	b->generation = cfg->generation;
	b->limit[BUDGET_ALL] = budget_of_all(cfg);
	if (provider->id != NULL)
		*provider = budget_of_provider(cfg, provider->id);
	if (user->id != NULL)
		*user = budget_of_user(cfg, user->id, user->name);
	budget_look(b);
}

/* --- the sentence ------------------------------------------------------------------------- */

/* What does not fit. */
struct excess {
	enum budget_scope scope;
	const char *span;               /* "hourly" … "burst" */
	enum budget_unit unit;
	int64_t spent, pending, asked, cap, resets_ms;
};

/* Four places after the point, more where they would say nothing. */
static const char *
amount(struct ctx *c, enum budget_unit unit, int64_t n)
{
	if (unit == BUDGET_TOKENS)
		return ctx_printf(c, "%" PRId64 " tokens", n);
	if (n == 0 || n >= 100000)
		return ctx_printf(c, "$%" PRId64 ".%04" PRId64, n / 1000000000, n % 1000000000 / 100000);
	return ctx_printf(c, "$0.%09" PRId64, n);
}

static const char *
details(struct ctx *c, const struct budget_limit *l, const struct excess *x)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);
	const struct { const char *name; int64_t v; } each[] = {
		{ "limit", x->cap }, { "spent", x->spent }, { "pending", x->pending }, { "requested", x->asked },
	};

	jw_object(&w, NULL);
	jw_str(&w, "scope", budget_scope_names[x->scope]);
	jw_str(&w, "id", l->id[0] != '\0' ? l->id : NULL);
	jw_str(&w, "window", x->span);
	jw_str(&w, "unit", x->unit == BUDGET_USD ? "usd" : "tokens");
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		if (x->unit == BUDGET_USD)
			jw_usd(&w, each[i].name, each[i].v);
		else
			jw_i64(&w, each[i].name, each[i].v);
	jw_time(&w, "resets_at", x->resets_ms);
	jw_end(&w);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static enum err
refuse(struct ctx *c, const struct budget_limit *l, const struct excess *x, int64_t now)
{
	const char *whose = x->scope == BUDGET_ALL ? "the global" :
	    ctx_printf(c, "%s %s's", budget_scope_names[x->scope], l->name != NULL ? l->name : l->id);
	char when[40] = "";

	time_rfc3339(x->resets_ms, when);
	series_add(SERIES_BUDGET_REFUSED, (const char *const[]){ budget_scope_names[x->scope], x->span }, 0);
	ignore_err(fail_code(c, ERR_RATE_LIMITED, "budget_exceeded",
	    "Resource quota exceeded: %s %s budget: %s spent, %s put aside for calls under way, up to %s for this call, of %s; it resets at %s",
	    whose, x->span, amount(c, x->unit, x->spent), amount(c, x->unit, x->pending), amount(c, x->unit, x->asked),
	    amount(c, x->unit, x->cap), when));
	c->fault.details_json = details(c, l, x);
	c->fault.retry_after_s = x->resets_ms > now ? (unsigned)((x->resets_ms - now + 999) / 1000) : 1;
	return ERR_RATE_LIMITED;
}

/* --- what is put aside -------------------------------------------------------------------- */

/* By others than this call, for each scope. One look at all of it: there are as many rows as calls under way. */
static enum err
pending(struct ctx *c, const struct budget_call *b, struct spent ret[static BUDGET_SCOPES])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT"
	    " CAST(coalesce(sum(nanousd), 0) AS BIGINT) AS usd0, CAST(coalesce(sum(tokens), 0) AS BIGINT) AS tokens0,"
	    " CAST(coalesce(sum(CASE WHEN agent_id = ?2 THEN nanousd END), 0) AS BIGINT) AS usd1,"
	    " CAST(coalesce(sum(CASE WHEN agent_id = ?2 THEN tokens END), 0) AS BIGINT) AS tokens1,"
	    " CAST(coalesce(sum(CASE WHEN provider = ?3 THEN nanousd END), 0) AS BIGINT) AS usd2,"
	    " CAST(coalesce(sum(CASE WHEN provider = ?3 THEN tokens END), 0) AS BIGINT) AS tokens2,"
	    " CAST(coalesce(sum(CASE WHEN user_id = ?4 THEN nanousd END), 0) AS BIGINT) AS usd3,"
	    " CAST(coalesce(sum(CASE WHEN user_id = ?4 THEN tokens END), 0) AS BIGINT) AS tokens3"
	    " FROM budget_hold WHERE id <> ?1"));
	static const char *const usd[] = { "usd0", "usd1", "usd2", "usd3" }, *const tokens[] = { "tokens0", "tokens1", "tokens2", "tokens3" };

	bind_text(st, b->hold);
	for (size_t s = BUDGET_AGENT; s < BUDGET_SCOPES; s++)
		bind_text(st, b->limit[s].id);
	if (!db_step(st))
		return fail_db(c, st);
	for (size_t s = 0; s < BUDGET_SCOPES; s++)
		ret[s] = (struct spent){ col_i64(st, usd[s]), col_i64(st, tokens[s]) };
	return ERR_OK;
}

static enum err
put_aside(struct ctx *c, struct budget_call *b, int64_t now)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO budget_hold (id, epoch, agent_id, provider, user_id, nanousd,"
	    " tokens, ts_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch,"
	    " provider = excluded.provider, nanousd = excluded.nanousd, tokens = excluded.tokens, ts_ms = excluded.ts_ms"));

	bind_text(st, b->hold);
	bind_i64(st, b->epoch);
	for (size_t s = BUDGET_AGENT; s < BUDGET_SCOPES; s++)
		bind_text(st, b->limit[s].id != NULL ? b->limit[s].id : "");
	bind_i64(st, b->nanousd);
	bind_i64(st, b->tokens);
	bind_i64(st, now);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	b->held = true;
	return ERR_OK;
}

/* --- tokens of an agent's hour ---------------------------------------------------------------- */

enum err
budget_hour_of_agent(struct ctx *c, const char *agent_id, int64_t now, int64_t *ret_used, int64_t *ret_ends)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT start_ms, used FROM budget_tokens WHERE agent_id = ?"));
	int64_t from = now - HOUR_MS, start;

	bind_text(st, agent_id);
	if (db_step(st)) {
		start = col_i64(st, "start_ms");
		*ret_used = col_i64(st, "used");
		*ret_ends = start + HOUR_MS;
		if (start > from && start <= now)
			return ERR_OK;
		if (start <= now && start + HOUR_MS > from)
			from = start + HOUR_MS - 1;     /* the next one begins with the first use after it */
	}
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*ret_ends = 0;
	if (usage_since(c, agent_id, from, false, &start, ret_used) != ERR_OK)
		return c->fault.err;
	if (start > 0)
		*ret_ends = start + HOUR_MS;
	return ERR_OK;
}

/* From now on it is counted. */
static enum err
count_hour(struct ctx *c, const char *agent_id, int64_t start, int64_t used)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO budget_tokens (agent_id, start_ms, used) VALUES (?, ?, ?)"
	    " ON CONFLICT (agent_id) DO UPDATE SET start_ms = excluded.start_ms, used = excluded.used"
	    " WHERE budget_tokens.start_ms <> excluded.start_ms"));

	bind_text(st, agent_id);
	bind_i64(st, start);
	bind_i64(st, used);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static bool
fits(const struct excess *x)
{
	return x->spent < x->cap && x->asked <= x->cap - x->spent && x->pending <= x->cap - x->spent - x->asked;
}

static enum err
check_hour(struct ctx *c, const struct budget_call *b, const struct spent *aside, int64_t now)
{
	const struct budget_limit *l = &b->limit[BUDGET_AGENT];
	struct excess x = { .scope = BUDGET_AGENT, .span = "hourly", .unit = BUDGET_TOKENS, .pending = aside->tokens,
		.asked = b->tokens, .cap = l->caps.tokens[BUDGET_HOUR] };
	int64_t ends = 0, first;
	enum err e = budget_hour_of_agent(c, l->id, now, &x.spent, &ends);

	if (e == ERR_OK)
		e = count_hour(c, l->id, ends > 0 ? ends - HOUR_MS : now, x.spent);
	if (e != ERR_OK)
		return e;
	x.resets_ms = ends > 0 ? ends : now + HOUR_MS;
	if (!fits(&x))
		return refuse(c, l, &x, now);
	x.cap = (int64_t)((double)x.cap * l->burst_ratio);
	x.span = "burst";
	if (l->burst_ratio >= 1)
		return ERR_OK;
	if ((e = usage_since(c, l->id, now - BURST_MS, true, &first, &x.spent)) != ERR_OK)
		return e;
	x.resets_ms = now + BURST_MS;
	return x.spent == 0 || x.spent + x.pending < x.cap ? ERR_OK : refuse(c, l, &x, now);   /* it levels; it is no bound */
}

/* --- the look ----------------------------------------------------------------------------------- */

static enum err
check_window(struct ctx *c, const struct budget_call *b, enum budget_scope s, enum budget_span w, const struct spent *aside, int64_t now)
{
	const struct budget_limit *l = &b->limit[s];
	int64_t usd = l->caps.nanousd[w], tokens = s == BUDGET_AGENT && w == BUDGET_HOUR ? 0 : l->caps.tokens[w];
	struct excess x = { .scope = s, .span = budget_span_names[w], .unit = BUDGET_USD, .pending = aside->nanousd,
		.asked = b->nanousd, .cap = usd };
	struct spent sum;

	if (usd == 0 && tokens == 0)
		return ERR_OK;
	if (usage_spent(c, budget_usage_scope(s), l->id, w, now, &sum) != ERR_OK)
		return c->fault.err;
	x.spent = sum.nanousd;
	x.resets_ms = usage_window_end(w, now);
	if (usd > 0 && !fits(&x))
		return refuse(c, l, &x, now);
	x = (struct excess){ s, budget_span_names[w], BUDGET_TOKENS, sum.tokens, aside->tokens, b->tokens, tokens, x.resets_ms };
	return tokens == 0 || fits(&x) ? ERR_OK : refuse(c, l, &x, now);
}

static enum err
check_scope(struct ctx *c, const struct budget_call *b, enum budget_scope s, const struct spent *aside, int64_t now)
{
	enum err e = ERR_OK;

	if (b->limit[s].id == NULL)
		return ERR_OK;
	for (enum budget_span w = 0; e == ERR_OK && w < BUDGET_SPANS; w++)
		e = check_window(c, b, s, w, aside, now);
	if (e == ERR_OK && s == BUDGET_AGENT && b->limit[s].caps.tokens[BUDGET_HOUR] > 0)
		e = check_hour(c, b, aside, now);
	return e;
}

enum err
budget_hold(struct ctx *c, struct budget_call *b)
{
	static const enum budget_scope order[] = { BUDGET_AGENT, BUDGET_ALL, BUDGET_PROVIDER, BUDGET_USER };
	struct spent aside[BUDGET_SCOPES];
	int64_t now = clock_ms();
	enum err e;

	if (!b->any)
		return ERR_OK;
	e = pending(c, b, aside);
	for (size_t i = 0; e == ERR_OK && i < BUDGET_SCOPES; i++) {
		b->refused = order[i];
		e = check_scope(c, b, order[i], &aside[order[i]], now);
	}
	return e == ERR_OK ? put_aside(c, b, now) : e;
}

/* --- afterwards ------------------------------------------------------------------------------------ */

enum err
budget_settle(struct ctx *c, struct budget_call *b)
{
	if (!b->any && !b->held)
		return ERR_OK;
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM budget_hold WHERE id = ?"));

	bind_text(st, b->hold);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return budget_note(c, b, clock_ms());
}

enum err
budget_drop(struct ctx *c, int64_t epoch)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM budget_hold WHERE epoch < ?"));

	bind_i64(st, epoch);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
budget_forget(struct ctx *c, int64_t now)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM budget_hold WHERE ts_ms < ?"));

	bind_i64(st, now - FORGOTTEN_MS);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
budget_held(struct ctx *c, struct budget_held *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n, CAST(coalesce(sum(nanousd), 0) AS BIGINT) AS nanousd,"
	    " CAST(coalesce(sum(tokens), 0) AS BIGINT) AS tokens FROM budget_hold"));

	if (!db_step(st))
		return fail_db(c, st);
	*ret = (struct budget_held){ col_i64(st, "n"), col_i64(st, "nanousd"), col_i64(st, "tokens") };
	return ERR_OK;
}

/*
 * Budgets as the API shows them.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/budget_show.h"
#include "lib/svc/caller.h"

enum { DAY_MS = 86400000, ALERTS = 10 };

/* --- windows -------------------------------------------------------------------------------- */

static enum err
all_windows(struct ctx *c, enum budget_scope s, const char *id, struct spent ret[static BUDGET_SPANS])
{
	int64_t now = clock_ms();
	enum err e = ERR_OK;

	for (enum budget_span w = 0; e == ERR_OK && w < BUDGET_SPANS; w++)
		e = usage_spent(c, budget_usage_scope(s), id, w, now, &ret[w]);
	return e;
}

static void
write_window(struct jw *w, const char *key, int64_t spent, int64_t limit)
{
	jw_object(w, key);
	jw_usd(w, "spend", spent);
	jw_usd(w, "limit", limit);
	jw_f64(w, "pct", budget_share(spent, limit));
	jw_end(w);
}

enum err
budget_write_status(struct ctx *c, const struct config *cfg, struct jw *w)
{
	const struct config_budget *b = &cfg->budget;
	struct spent s[BUDGET_SPANS];
	enum err e = all_windows(c, BUDGET_ALL, "", s);

	jw_object(w, NULL);
	for (enum budget_span i = 0; e == ERR_OK && i < BUDGET_SPANS; i++) {
		const char *name = budget_span_names[i];

		jw_usd(w, ctx_printf(c, "%s_spend", name), s[i].nanousd);
		jw_usd(w, ctx_printf(c, "%s_limit", name), b->all.nanousd[i]);
		jw_f64(w, ctx_printf(c, "%s_pct", name), budget_share(s[i].nanousd, b->all.nanousd[i]));
		jw_i64(w, ctx_printf(c, "%s_tokens", name), s[i].tokens);
		jw_i64(w, ctx_printf(c, "%s_token_limit", name), b->all.tokens[i]);
	}
	jw_f64(w, "alert_threshold", b->alert_threshold);
	jw_i64(w, "default_max_llm_tokens_per_hour", b->agent_tokens_hour);
	if (e == ERR_OK)
		e = budget_write_events(c, "alerts", ALERTS, w);
	jw_end(w);
	return e;
}

/* --- agents ----------------------------------------------------------------------------------- */

static enum err
write_rows(struct ctx *c, struct stmt *st, const char *key, int64_t *n, struct jw *w)
{
	int64_t now = clock_ms();

	bind_i64(st, now - now % DAY_MS);
	bind_text(st, caller_scope(c));
	jw_array(w, key);
	for (*n = 0; db_step(st); ++*n) {
		struct json_object *m = json_stored(c, col_text(c, st, "manifest"));
		struct budget_limit l = budget_of_agent(c->cfg, NULL, NULL, m);

		jw_object(w, NULL);
		jw_str(w, "agent_id", col_text(c, st, "id"));
		jw_str(w, "name", col_text(c, st, "name"));
		jw_usd(w, "daily_cost_usd", col_i64(st, "cost_nanousd"));
		jw_usd(w, "hourly_limit", l.caps.nanousd[BUDGET_HOUR]);
		jw_usd(w, "daily_limit", l.caps.nanousd[BUDGET_DAY]);
		jw_usd(w, "monthly_limit", l.caps.nanousd[BUDGET_MONTH]);
		jw_i64(w, "max_llm_tokens_per_hour", l.caps.tokens[BUDGET_HOUR]);
		jw_end(w);
	}
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
write_spenders_of_today(struct ctx *c, const void *arg, const char *key, int64_t *n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT a.id AS id, a.name AS name, a.manifest AS manifest, u.cost_nanousd AS cost_nanousd"
	    " FROM usage_sum u JOIN agent a ON a.id = u.id WHERE u.span = 'day' AND u.start_ms = ? AND u.scope = 'agent'"
	    " AND u.cost_nanousd > 0 AND lower(a.author) = lower(coalesce(?, a.author)) ORDER BY u.cost_nanousd DESC, a.name"));

	(void)arg;
	return write_rows(c, st, key, n, w);
}

static enum err
write_all_agents(struct ctx *c, const void *arg, const char *key, int64_t *n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT a.id AS id, a.name AS name, a.manifest AS manifest,"
	    " coalesce(u.cost_nanousd, 0) AS cost_nanousd FROM agent a LEFT JOIN usage_sum u"
	    " ON u.span = 'day' AND u.start_ms = ? AND u.scope = 'agent' AND u.id = a.id"
	    " WHERE lower(a.author) = lower(coalesce(?, a.author)) ORDER BY 4 DESC, a.name LIMIT 1000"));

	(void)arg;
	return write_rows(c, st, key, n, w);
}

enum err
budget_write_agents(struct ctx *c, bool all, struct jw *w)
{
	return usage_write_page(c, all ? write_all_agents : write_spenders_of_today, NULL, w);
}

enum err
budget_write_agent(struct ctx *c, const struct agent *a, struct jw *w)
{
	static const char *const keys[] = { "hourly", "daily", "monthly" };
	struct budget_limit l = budget_of_agent(c->cfg, a->id, a->name, a->manifest);
	struct spent s[BUDGET_SPANS];
	int64_t used = 0, ends = 0, cap = l.caps.tokens[BUDGET_HOUR];
	enum err e = all_windows(c, BUDGET_AGENT, a->id, s);

	if (e == ERR_OK)
		e = budget_hour_of_agent(c, a->id, clock_ms(), &used, &ends);
	if (e != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_str(w, "agent_id", a->id);
	jw_str(w, "agent_name", a->name);
	for (enum budget_span i = 0; i < BUDGET_SPANS; i++)
		write_window(w, keys[i], s[i].nanousd, l.caps.nanousd[i]);
	jw_object(w, "tokens");
	jw_i64(w, "used", used);
	jw_i64(w, "limit", cap);
	jw_f64(w, "pct", budget_share(used, cap));
	jw_time(w, "resets_at", ends);
	jw_end(w);
	jw_end(w);
	return ERR_OK;
}

/* --- providers ----------------------------------------------------------------------------------- */

/* The first window of a cap that is used up; BUDGET_SPANS: none. */
static enum budget_span
used_up(const struct budget_caps *caps, const struct spent *s)
{
	enum budget_span w = BUDGET_SPANS;

	while (w > 0) {
		w--;
		if ((caps->nanousd[w] > 0 && s[w].nanousd >= caps->nanousd[w]) || (caps->tokens[w] > 0 && s[w].tokens >= caps->tokens[w]))
			return w;
	}
	return BUDGET_SPANS;
}

static bool
configured(const struct config *cfg, const char *id)
{
	for (size_t i = 0; i < cfg->budget.n_providers; i++)
		if (strcmp(cfg->budget.providers[i].name, id) == 0)
			return true;
	return false;
}

static enum err
write_provider(struct ctx *c, const char *id, budget_rests *rests, struct jw *w)
{
	struct budget_limit l = budget_of_provider(c->cfg, id);
	struct spent s[BUDGET_SPANS];
	enum err e = all_windows(c, BUDGET_PROVIDER, id, s);
	enum budget_span over;
	int64_t now = clock_ms(), left_ms = -1;
	const char *why;

	if (e != ERR_OK)
		return e;
	over = used_up(&l.caps, s);
	why = over != BUDGET_SPANS ? "budget_exceeded" : rests(c, id, &left_ms);
	if (over != BUDGET_SPANS)
		left_ms = usage_window_end(over, now) - now;
	jw_object(w, NULL);
	jw_str(w, "provider", id);
	jw_bool(w, "unconfigured", !configured(c->cfg, id));
	jw_usd(w, "cap_hourly_usd", l.caps.nanousd[BUDGET_HOUR]);
	jw_usd(w, "cap_daily_usd", l.caps.nanousd[BUDGET_DAY]);
	jw_usd(w, "cap_monthly_usd", l.caps.nanousd[BUDGET_MONTH]);
	jw_i64(w, "cap_tokens_per_hour", l.caps.tokens[BUDGET_HOUR]);
	jw_usd(w, "spend_hourly_usd", s[BUDGET_HOUR].nanousd);
	jw_usd(w, "spend_daily_usd", s[BUDGET_DAY].nanousd);
	jw_usd(w, "spend_monthly_usd", s[BUDGET_MONTH].nanousd);
	jw_i64(w, "tokens_this_hour", s[BUDGET_HOUR].tokens);
	jw_bool(w, "is_exhausted", why != NULL);
	jw_str(w, "exhaustion_reason", why);
	if (why != NULL && left_ms >= 0)
		jw_i64(w, "exhaustion_remaining_ms", left_ms);
	else
		jw_null(w, "exhaustion_remaining_ms");
	jw_end(w);
	return ERR_OK;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ids with a cap, and those that were used this month; sorted, each once. */
static enum err
provider_ids(struct ctx *c, const char ***ret, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT DISTINCT id FROM usage_sum WHERE span = 'day' AND start_ms >= ? AND scope = 'provider'"
	    " LIMIT 1000"));
	const struct config_budget *b = &c->cfg->budget;
	const char **v = ctx_alloc(c, (b->n_providers + 1000) * sizeof(*v));
	size_t n = 0, k = 0;

	if (v == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < b->n_providers; i++)
		v[n++] = b->providers[i].name;
	bind_i64(st, usage_window_start(BUDGET_MONTH, clock_ms()));
	while (db_step(st))
		if ((v[n] = col_text(c, st, "id")) != NULL)
			n++;
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(v[i], v[k - 1]) != 0)
			v[k++] = v[i];
	*ret = v;
	*ret_n = k;
	return ERR_OK;
}

enum err
budget_write_providers(struct ctx *c, budget_rests *rests, struct jw *w)
{
	const char **ids = NULL;
	size_t n = 0;
	enum err e = provider_ids(c, &ids, &n);

	jw_object(w, NULL);
	jw_array(w, "providers");
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = write_provider(c, ids[i], rests, w);
	jw_end(w);
	jw_f64(w, "alert_threshold", c->cfg->budget.alert_threshold);
	jw_end(w);
	return e;
}

/* --- users -------------------------------------------------------------------------------------------- */

const struct config_user *
budget_user_find(const struct config *cfg, const char *name_or_id)
{
	char id[37], wanted[37];
	bool is_id = uuid_parse(name_or_id, wanted);

	for (size_t i = 0; i < cfg->n_users; i++) {
		if (strcasecmp(cfg->users[i].name, name_or_id) == 0)
			return &cfg->users[i];
		caller_id_of(cfg->users[i].name, id);
		if (is_id && strcmp(id, wanted) == 0)
			return &cfg->users[i];
	}
	return NULL;
}

static bool
has_budget(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->budget.n_users; i++)
		if (strcasecmp(cfg->budget.users[i].name, name) == 0)
			return true;
	return false;
}

static void
write_limits(struct jw *w, const char *key, const struct budget_limit *l)
{
	jw_object(w, key);
	jw_usd(w, "max_hourly_usd", l->caps.nanousd[BUDGET_HOUR]);
	jw_usd(w, "max_daily_usd", l->caps.nanousd[BUDGET_DAY]);
	jw_usd(w, "max_monthly_usd", l->caps.nanousd[BUDGET_MONTH]);
	jw_f64(w, "alert_threshold", l->alert_threshold);
	jw_end(w);
}

void
budget_write_user_limits(const struct config *cfg, const char *name, struct jw *w)
{
	struct budget_limit l = budget_of_user(cfg, NULL, name);

	write_limits(w, NULL, &l);
}

static enum err
write_user_row(struct ctx *c, const char *id, int64_t day, int64_t month, int64_t calls, struct jw *w)
{
	const struct config_user *u = budget_user_find(c->cfg, id);
	struct spent hour;
	enum err e = usage_spent(c, USAGE_USER, id, BUDGET_HOUR, clock_ms(), &hour);

	if (e != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_str(w, "user_id", id);
	jw_str(w, "name", u != NULL ? u->name : NULL);
	jw_usd(w, "hourly_cost_usd", hour.nanousd);
	jw_usd(w, "daily_cost_usd", day);
	jw_usd(w, "monthly_cost_usd", month);
	jw_i64(w, "call_count", calls);
	if (u != NULL && has_budget(c->cfg, u->name)) {
		struct budget_limit l = budget_of_user(c->cfg, id, u->name);

		write_limits(w, "limits", &l);
	} else {
		jw_null(w, "limits");
	}
	jw_end(w);
	return ERR_OK;
}

/* Those who spent something this month; *n of them, the first `limit` written. */
static enum err
write_spenders(struct ctx *c, int64_t limit, int64_t *n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, CAST(sum(cost_nanousd) AS BIGINT) AS month, CAST(sum(calls) AS BIGINT) AS calls,"
	    " CAST(sum(CASE WHEN start_ms = ?2 THEN cost_nanousd ELSE 0 END) AS BIGINT) AS day FROM usage_sum"
	    " WHERE span = 'day' AND start_ms >= ?1 AND start_ms <= ?2 AND scope = 'user' GROUP BY id"
	    " ORDER BY 4 DESC, 2 DESC, id"));
	int64_t now = clock_ms();
	enum err e = ERR_OK;

	bind_i64(st, usage_window_start(BUDGET_MONTH, now));
	bind_i64(st, now - now % DAY_MS);
	for (*n = 0; e == ERR_OK && db_step(st); ++*n)
		if (*n < limit)
			e = write_user_row(c, col_text(c, st, "id"), col_i64(st, "day"), col_i64(st, "month"), col_i64(st, "calls"), w);
	return e != ERR_OK ? e : db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static bool
spent_this_month(struct ctx *c, const char *id)
{
	struct spent s = { 0 };

	return usage_spent(c, USAGE_USER, id, BUDGET_MONTH, clock_ms(), &s) == ERR_OK && s.nanousd + s.tokens > 0;
}

enum err
budget_write_users(struct ctx *c, int64_t limit, struct jw *w)
{
	const struct config_budget *b = &c->cfg->budget;
	int64_t n = 0;
	enum err e;

	jw_object(w, NULL);
	jw_array(w, "users");
	e = write_spenders(c, limit, &n, w);
	for (size_t i = 0; e == ERR_OK && i < b->n_users; i++) {
		char id[37];

		caller_id_of(b->users[i].name, id);
		if (spent_this_month(c, id))
			continue;
		if (n++ < limit)
			e = write_user_row(c, id, 0, 0, 0, w);
	}
	jw_end(w);
	jw_i64(w, "total", n);
	jw_i64(w, "limit", limit);
	jw_end(w);
	return e;
}

enum err
budget_write_user(struct ctx *c, const char *name_or_id, struct jw *w)
{
	static const char *const keys[] = { "hourly", "daily", "monthly" };
	const struct config_user *u = budget_user_find(c->cfg, name_or_id);
	struct spent s[BUDGET_SPANS];
	struct budget_limit l;
	bool breach = false;
	char id[37];

	if (u == NULL)
		return fail(c, ERR_NOT_FOUND, "No such user");
	caller_id_of(u->name, id);
	l = budget_of_user(c->cfg, id, u->name);
	if (all_windows(c, BUDGET_USER, id, s) != ERR_OK)
		return c->fault.err;
	jw_object(w, NULL);
	jw_str(w, "user_id", id);
	jw_str(w, "name", u->name);
	jw_str(w, "role", u->role);
	for (enum budget_span i = 0; i < BUDGET_SPANS; i++) {
		write_window(w, keys[i], s[i].nanousd, l.caps.nanousd[i]);
		breach |= l.caps.nanousd[i] > 0 && budget_share(s[i].nanousd, l.caps.nanousd[i]) >= l.alert_threshold;
	}
	jw_f64(w, "alert_threshold", l.alert_threshold);
	jw_bool(w, "alert_breach", breach);
	jw_bool(w, "enforced", has_budget(c->cfg, u->name));
	jw_end(w);
	return ERR_OK;
}

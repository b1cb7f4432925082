/*
 * What was reached of a budget: a row when spending goes over the alert threshold, another when the cap is used up; each once
 * in a window of a cap. They are there for whoever sends them on.
 */
#include <inttypes.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/budget.h"
#include "lib/svc/event.h"

enum { HOUR_MS = 3600000 };

struct reached {
	enum budget_scope scope;
	enum budget_span span;
	const char *unit;
	int64_t start_ms, spent, cap;
};

/* Agents may wait for it, and the end of a cap is in the audit log. */
static enum err
tell(struct ctx *c, const struct budget_limit *l, const struct reached *r, bool used_up)
{
	struct audit entry = { .agent_id = r->scope == BUDGET_AGENT ? l->id : NULL, .action = "BudgetExceeded", .outcome = "denied" };
	const char *event;
	enum err e;

	entry.detail = ctx_printf(c, "%s %s %s budget (%s): %" PRId64 " of %" PRId64, budget_scope_names[r->scope],
	    l->name != NULL ? l->name : l->id, budget_span_names[r->span], r->unit, r->spent, r->cap);
	event = ctx_printf(c, "%s: %s", used_up ? "QuotaEnforced" : "QuotaWarning", entry.detail);
	if (entry.detail == NULL || event == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = event_publish(c, EVENT_SYSTEM, entry.agent_id, event, strlen(event), 0);
	return e == ERR_OK && used_up ? audit_append(c, &entry) : e;
}

static enum err
note(struct ctx *c, const struct budget_limit *l, const struct reached *r, const char *kind, int64_t now)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO budget_event (id, ts_ms, kind, scope, scope_id, unit, span,"
	    " window_start_ms, spent, cap) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
	char id[37];

	uuid7(id);
	bind_text(st, id);
	bind_i64(st, now);
	bind_text(st, kind);
	bind_text(st, budget_scope_names[r->scope]);
	bind_text(st, l->id);
	bind_text(st, r->unit);
	bind_text(st, budget_span_names[r->span]);
	bind_i64(st, r->start_ms);
	bind_i64(st, r->spent);
	bind_i64(st, r->cap);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? tell(c, l, r, strcmp(kind, "exceeded") == 0) : ERR_OK;
}

static enum err
note_cap(struct ctx *c, const struct budget_limit *l, const struct reached *r, int64_t now)
{
	enum err e = ERR_OK;

	if (r->cap > 0 && r->spent > 0 && budget_share(r->spent, r->cap) >= l->alert_threshold)
		e = note(c, l, r, "warning", now);
	if (e == ERR_OK && r->cap > 0 && r->spent >= r->cap)
		e = note(c, l, r, "exceeded", now);
	return e;
}

/* A window of 60 minutes has no beginning that stays: it may warn once in each hour of the clock. */
static enum err
note_window(struct ctx *c, const struct budget_limit *l, enum budget_scope s, enum budget_span w, int64_t now)
{
	struct reached r = { .scope = s, .span = w, .unit = "usd", .cap = l->caps.nanousd[w],
		.start_ms = w == BUDGET_HOUR ? now - now % HOUR_MS : usage_window_start(w, now) };
	struct spent sum;
	enum err e;

	if (l->caps.nanousd[w] == 0 && l->caps.tokens[w] == 0)
		return ERR_OK;
	if (usage_spent(c, budget_usage_scope(s), l->id, w, now, &sum) != ERR_OK)
		return c->fault.err;
	r.spent = sum.nanousd;
	if ((e = note_cap(c, l, &r, now)) != ERR_OK)
		return e;
	r.unit = "tokens";
	r.cap = l->caps.tokens[w];
	r.spent = sum.tokens;
	return note_cap(c, l, &r, now);
}

enum err
budget_note(struct ctx *c, const struct budget_call *b, int64_t now)
{
	enum err e = ERR_OK;

	for (enum budget_scope s = 0; s < BUDGET_SCOPES; s++)
		for (enum budget_span w = 0; e == ERR_OK && b->limit[s].id != NULL && w < BUDGET_SPANS; w++)
			e = note_window(c, &b->limit[s], s, w, now);
	return e;
}

enum err
budget_write_events(struct ctx *c, const char *key, int64_t n, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, ts_ms, kind, scope, scope_id, unit, span, window_start_ms, spent, cap"
	    " FROM budget_event ORDER BY ts_ms DESC, id DESC LIMIT ?"));

	bind_i64(st, n);
	jw_array(w, key);
	while (db_step(st)) {
		const char *unit = col_text(c, st, "unit");
		bool usd = unit != NULL && strcmp(unit, "usd") == 0;

		jw_object(w, NULL);
		jw_str(w, "id", col_text(c, st, "id"));
		jw_time(w, "timestamp", col_i64(st, "ts_ms"));
		jw_str(w, "kind", col_text(c, st, "kind"));
		jw_str(w, "scope", col_text(c, st, "scope"));
		jw_str(w, "scope_id", col_text(c, st, "scope_id"));
		jw_str(w, "unit", unit);
		jw_str(w, "window", col_text(c, st, "span"));
		jw_time(w, "window_start", col_i64(st, "window_start_ms"));
		if (usd)
			jw_usd(w, "spent", col_i64(st, "spent"));
		else
			jw_i64(w, "spent", col_i64(st, "spent"));
		if (usd)
			jw_usd(w, "limit", col_i64(st, "cap"));
		else
			jw_i64(w, "limit", col_i64(st, "cap"));
		jw_end(w);
	}
	jw_end(w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

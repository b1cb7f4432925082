/*
 * What a turn may spend, and what it has spent.
 *
 * Each call of its model is held by the budget before it, and owed to the ledger after it; both are written with
 * whatever transaction the turn has next, so they cost none of their own. Limits are looked up for each call: one that was
 * set while the turn runs holds from its next call on.
 */
#include <string.h>

#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/meter.h"
#include "daemon/turn_state.h"
#include "lib/agent/manifest.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"

/* The row of a turn has the name alone, from which the id follows. */
void
turn_paid_by(struct turn *t, const char *name)
{
	bool user = name != NULL && strcmp(name, "system") != 0;

	t->payer = user ? name : NULL;
	t->payer_id[0] = '\0';
	if (t->c->who != NULL)
		memcpy(t->payer_id, t->c->who->user_id, 37);
	else if (user && strcmp(name, "root") == 0)
		memcpy(t->payer_id, CALLER_ROOT_ID, 37);
	else if (user)
		caller_id_of(name, t->payer_id);
}

/* --- before a call --------------------------------------------------------------------------- */

/* The agent's manifest as it is now; what the turn began with when it cannot be read. */
static struct json_object *
manifest_now(struct turn *t)
{
	struct json_object *m = NULL;

	if (t->llm_calls == 0)
		return t->agent.manifest;
	SCOPED_STMT st = db_prepare(t->c->db, SQL("SELECT manifest FROM agent WHERE id = ?"));

	bind_text(st, t->agent.id);
	if (db_step(st))
		m = json_shared(t->c, col_text(t->c, st, "manifest"));
	return m != NULL ? m : t->agent.manifest;
}

void
turn_pace(struct turn *t, struct json_object *manifest)
{
	t->tools_per_minute = js_i64(js_obj(manifest, "resources"), "max_tool_calls_per_minute", MANIFEST_TOOLS_PER_MINUTE);
}

static void
limits(struct turn *t)
{
	struct conf *k = conf_hold();
	const struct config *cfg = k != NULL ? conf_of(k) : t->c->cfg;
	struct budget_call *b = &t->budget;
	struct json_object *manifest = manifest_now(t);

	turn_pace(t, manifest);
	b->hold = t->id;
	b->generation = cfg->generation;
	b->epoch = t->epoch;
	b->limit[BUDGET_ALL] = budget_of_all(cfg);
	b->limit[BUDGET_AGENT] = budget_of_agent(cfg, t->agent.id, t->agent.name, manifest);
	b->limit[BUDGET_PROVIDER] = budget_of_provider(cfg, t->route.provider);
	b->limit[BUDGET_USER] = (struct budget_limit){ .id = NULL };
	if (t->payer_id[0] != '\0')
		b->limit[BUDGET_USER] = budget_of_user(cfg, t->payer_id, t->payer);
	conf_drop(k);
	budget_look(b);
}

/* A provider whose own cap is used up is left for the next way. */
enum err
turn_hold(struct turn *t)
{
	enum err e;

	for (;;) {
		limits(t);
		if (!t->budget.any)
			return ERR_OK;
		meter_bound(t->c->cfg, &t->budget, t->route.provider, t->route.model,
		    meter_asked(t->system, &t->history, t->tools), turn_most_output(t));
		e = budget_hold(t->c, &t->budget);
		if (e != ERR_RATE_LIMITED || t->budget.refused != BUDGET_PROVIDER || t->route_at + 1 >= t->n_routes)
			return e;
		t->route = t->routes[++t->route_at];
	}
}

static enum err
write_hold(void *arg)
{
	enum err e = turn_settle(arg, true);

	return e == ERR_OK ? turn_hold(arg) : e;
}

/* For a call that no other transaction begins; what was owed for those before it, which failed, is written with it. */
enum err
turn_hold_alone(struct turn *t)
{
	struct fault f = t->c->fault;
	enum err e;

	job_db_acquire(t->c);
	limits(t);
	if (!t->budget.any && t->n_owed == 0)
		return ERR_OK;
	if ((e = turn_write(t, write_hold, t)) == ERR_OK)
		turn_settled(t);
	if (t->budget.any)
		return e;
	t->c->fault = f;                /* it stays owed */
	return ERR_OK;
}

/* --- after a call ------------------------------------------------------------------------------ */

void
turn_owe(struct turn *t, enum err e, int64_t since_us)
{
	struct usage *u;

	if (t->n_owed == t->owed_cap) {
		size_t cap = t->owed_cap * 2 + 4;
		struct usage *more = ctx_alloc(t->c, cap * sizeof(*more));

		if (more == NULL) {
			log_line(LOG_WARN, "rid=%s turn=%s what=\"no memory for a line of the ledger\"", t->c->rid, t->id);
			return;
		}
		if (t->n_owed > 0)
			memcpy(more, t->owed, t->n_owed * sizeof(*more));
		t->owed = more;
		t->owed_cap = cap;
	}
	u = &t->owed[t->n_owed++];
	*u = (struct usage){ .agent_id = t->agent.id, .provider = t->route.provider, .model = t->route.model,
		.user_id = t->payer_id[0] != '\0' ? t->payer_id : NULL, .channel = t->ask->channel,
		.session_id = t->session_id, .turn_id = t->id, .ts_ms = clock_ms() };
	meter_call(t->c->cfg, u, e, &t->answer, t->answer.usage_known && t->answer.input_tokens > 0 ? 0 : meter_asked(t->system, &t->history, t->tools),
	    t->heard, since_us);
	t->llm_calls++;
	t->out->input_tokens += u->tokens.input;
	t->out->output_tokens += u->tokens.output;
	t->cost_nanousd += u->cost_nanousd;
}

/* Tools run for what the last good answer asked for; its row is mostly written before they do. */
static enum err
bill_tools(struct turn *t)
{
	int64_t n = t->tool_calls - t->tools_billed;

	for (size_t i = t->n_owed; i > 0; i--)
		if (t->owed[i - 1].status == USAGE_OK) {
			t->owed[i - 1].tool_calls = n;
			return ERR_OK;
		}
	return n > 0 ? usage_add_tools(t->c, t->agent.id, t->id, t->started_ms, n) : ERR_OK;
}

enum err
turn_settle(struct turn *t, bool goes_on)
{
	struct conf *k;
	enum err e = bill_tools(t);

	for (size_t i = 0; e == ERR_OK && i < t->n_owed; i++)
		e = usage_insert(t->c, &t->owed[i]);
	if (e != ERR_OK || goes_on)
		return e;
	k = conf_hold();
	budget_again(&t->budget, conf_of(k));
	conf_drop(k);
	return budget_settle(t->c, &t->budget);
}

void
turn_settled(struct turn *t)
{
	t->tools_billed = t->tool_calls;
	t->n_owed = 0;
}

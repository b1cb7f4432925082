/*
 * Handed-over tasks.
 *
 * Two kinds of work, each by the crew: a turn of the other agent, in the lane of sub-agents; and the answer's way back, into the turn
 * that runs in the asker's session, or as a turn of its own there. What was claimed is claimed with the turn.
 */
#include "daemon/delegate.h"

#include <string.h>
#include <time.h>

#include "daemon/alarm.h"
#include "daemon/crew.h"
#include "daemon/dbpool.h"
#include "daemon/running.h"
#include "daemon/schedule.h"
#include "daemon/turn.h"
#include "daemon/turn_agents.h"
#include "db/db.h"
#include "lib/agent/incoming.h"
#include "lib/base/util.h"
#include "lib/svc/conversation.h"
#include "lib/svc/delegation.h"
#include "lib/svc/history.h"
#include "lib/svc/turn_store.h"

enum { LOOK_MAX = 64, AGAIN_MS = 1000 };

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };

void
delegate_look(void)
{
	alarm_now(&alarm_of);
}

/* A store that takes nothing is not asked again at once. */
static void
complain(struct ctx *c, const struct hand *h, enum err e)
{
	if (e == ERR_OK || e == ERR_CONFLICT || e == ERR_NOT_FOUND || atomic_load(&h->cancel.why) != CANCEL_NO)
		return;
	log_line(LOG_WARN, "rid=%s task=%s what=delegation err=%s", c->rid, h->id, err_code(e));
	job_db_release(c);
	(void)cancel_wait(&h->cancel, AGAIN_MS);
}

/* --- the other agent's turn ------------------------------------------------------------ */

static enum err
claim_work(struct ctx *c, void *arg, const char *turn_id)
{
	return delegation_begin(c, arg, turn_id);
}

static enum err
work_on(struct ctx *c, struct hand *h)
{
	struct delegation d;
	struct agent asker, other;
	struct turn_answer a;
	enum err e = delegation_load(c, h->id, &d);

	if (e == ERR_OK && strcmp(d.state, "pending") != 0)
		return ERR_OK;
	if (e == ERR_OK)
		e = agent_load(c, d.agent_id, &asker);
	if (e != ERR_OK)
		return e;
	c->who = background_caller(c, asker.author);
	e = agent_load(c, d.to_id, &other);
	if (e == ERR_OK && strcmp(other.state, "Running") != 0)
		e = fail(c, ERR_CONFLICT, "%s is at rest and does not answer", other.name);
	if (e == ERR_OK) {
		struct turn_ask ask = {
			.agent_id = other.id, .agent = &other, .text = d.message, .session_id = d.to_session, .origin = "delegated",
			.channel = "agent", .parent_context = turn_parent_context(c, &asker, d.session_id, NULL, &other), .depth = (unsigned)d.depth + 1, .event_depth = (unsigned)d.event_depth, .lane = h->lane,
			.claim = claim_work, .claim_arg = h->id, .cancel = &h->cancel,
		};

		e = turn_run(c, &ask, &a);
	}
	if (e == ERR_OK || atomic_load(&h->cancel.why) == CANCEL_SHUTDOWN)
		return ERR_OK;
	job_db_acquire(c);
	return delegation_refuse(c, h->id, c->fault.msg != NULL ? c->fault.msg : "The task failed.");
}

static void
work(struct hand *h, struct background *b)
{
	complain(&b->c, h, work_on(&b->c, h));
}

/* --- the answer's way back ---------------------------------------------------------------- */

static const char *
news(struct ctx *c, const struct delegation *d)
{
	const char *name = incoming_name(c, d->to_name);

	return name == NULL ? NULL : ctx_printf(c, "[task %s] %s %s: %s", d->id, name, d->is_error ? "could not do it" : "has answered",
	    d->result != NULL && d->result[0] != '\0' ? d->result : "(nothing)");
}

/* Into the turn that runs there. *ret_done: it has it. */
static enum err
tell_running(struct ctx *c, const struct delegation *d, const char *turn_id, bool *ret_done)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	SCOPED_TX tx = { 0 };
	const char *text = news(c, d);
	int64_t n = 0;
	bool was = false;
	enum err e;

	*ret_done = false;
	if (text != NULL)
		json_quote(&b, text, strlen(text));
	if (text == NULL || b.failed)
		return fail(c, ERR_NOMEM, "out of memory");
	job_db_release(c);
	if ((e = tx_begin(c, &tx)) == ERR_OK)
		e = injection_put(c, turn_id, b.p, b.len, &n);
	if (e != ERR_OK || n == 0)
		return e == ERR_CONFLICT ? ERR_OK : e;  /* it has ended, or eight others wait */
	e = delegation_told(c, d->id, turn_id, n);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	tx_end(&tx);
	job_db_acquire(c);
	if (e == ERR_OK && !running_nudge(turn_id))
		e = injection_drop(c, turn_id, n, &was);
	if (e == ERR_OK)
		e = was ? delegation_untold(c, d->id) : delegation_end(c, d->id);
	*ret_done = e == ERR_OK && !was;
	return e;
}

static enum err
claim_news(struct ctx *c, void *arg, const char *turn_id)
{
	(void)turn_id;
	return delegation_end(c, arg);
}

/* As a turn of its own. */
static enum err
wake(struct ctx *c, struct hand *h, const struct delegation *d, const struct agent *asker)
{
	struct session s;
	struct turn_ask ask = {
		.agent_id = asker->id, .agent = asker, .text = news(c, d), .origin = "autonomous", .channel = "autonomous",
		.session_id = session_load(c, d->session_id, &s) == ERR_OK ? d->session_id : NULL, .depth = (unsigned)d->depth,
		.event_depth = (unsigned)d->event_depth, .lane = h->lane, .claim = claim_news, .claim_arg = h->id, .cancel = &h->cancel,
	};
	struct turn_answer a;
	struct fault f;
	enum err e;

	if (ask.text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	c->who = background_caller(c, asker->author);
	e = turn_run(c, &ask, &a);
	if (e == ERR_OK || atomic_load(&h->cancel.why) == CANCEL_SHUTDOWN || e == ERR_BUSY || e == ERR_UNAVAILABLE || e == ERR_NOMEM)
		return e;
	f = c->fault;
	job_db_acquire(c);
	if (delegation_end(c, h->id) != ERR_OK)
		return ERR_OK;                  /* the turn has it, whatever became of that */
	/* what refuses a turn (a budget, a missing key) refuses it again */
	log_line(LOG_WARN, "rid=%s task=%s agent=%s what=\"its answer could not be told\" err=%s", c->rid, h->id, asker->id,
	    f.code != NULL ? f.code : err_code(e));
	return ERR_OK;
}

static enum err
bring_back(struct ctx *c, struct hand *h)
{
	char turn_id[1][37];
	struct delegation d;
	struct agent asker;
	bool told = false;
	enum err e = delegation_load(c, h->id, &d);

	if (e == ERR_OK && strcmp(d.state, "answered") != 0)
		return ERR_OK;
	if (e == ERR_OK)
		e = agent_load(c, d.agent_id, &asker);
	if (e == ERR_OK && running_turns(d.agent_id, d.session_id, turn_id, 1) == 1)
		e = tell_running(c, &d, turn_id[0], &told);
	if (e != ERR_OK || told)
		return e;
	return wake(c, h, &d, &asker);
}

static void
back(struct hand *h, struct background *b)
{
	complain(&b->c, h, bring_back(&b->c, h));
}

/* --- the look ------------------------------------------------------------------------------- */

static enum err
start_all(struct ctx *c, const char *state, enum lane lane, void (*fn)(struct hand *, struct background *), bool *all)
{
	const char *ids[LOOK_MAX];
	size_t n = 0;
	enum err e = delegations_in(c, state, ids, LOOK_MAX, &n);

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		*all &= crew_start(ids[i], 0, lane, c->cfg, fn, delegate_look);
	return e;
}

static enum err
look_around(struct ctx *c, int64_t *next_ms)
{
	bool all = true;
	enum err e = start_all(c, "answered", LANE_MAIN, back, &all);

	if (e == ERR_OK)
		e = start_all(c, "pending", LANE_SUBAGENT, work, &all);
	*next_ms = all ? ALARM_NEVER : clock_ms() + AGAIN_MS;
	return e;
}

static int64_t
look(void)
{
	return background_look("delegation", look_around, AGAIN_MS);
}

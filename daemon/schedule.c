/*
 * The scheduler.
 *
 * One look at a time: what is due gets a permit of its lane and a thread, the rest waits until a permit comes back; then the timer is set
 * to the first slot to come. A tick claims its slot in the transaction that accepts its turn, so that the rows alone say
 * what was done; who is on the way to that point stands in a list here, lest the next look sends another.
 */
#include "daemon/schedule.h"

#include <string.h>
#include <time.h>

#include "daemon/alarm.h"
#include "daemon/assigned.h"
#include "daemon/crew.h"
#include "daemon/dbpool.h"
#include "daemon/delegate.h"
#include "daemon/heartbeat.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/schedule.h"
#include "lib/svc/series.h"

enum { LOOK_MAX = 256, AGAIN_MS = 1000, BUSY_MS = 5000, JUMP_MS = 2000, DEFER_S = 300, FIRE_S = 300, FIRE_MAX_S = 86400 };

#define SLOT_NAMESPACE "0b8c5f0e-6a53-4f4e-9a3e-3f2f6a7a41d5"

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };
static int64_t wall_less_mono_us;       /* at the last look; 0: none yet */

void
schedule_look(void)
{
	alarm_now(&alarm_of);
}

/* --- one tick ---------------------------------------------------------------------------- */

struct work {
	struct ctx *c;
	struct hand *hand;
	struct agent agent;
	struct plan plan;
	struct slot slot;
	int64_t next_ms;
};

static enum err
claim(struct ctx *c, void *arg, const char *turn_id)
{
	struct work *w = arg;

	(void)turn_id;
	return schedule_claim(c, w->agent.id, &w->slot, w->next_ms);
}

/* The slot is the turn's; the next one may come while it runs. */
static void
claimed(void *arg)
{
	struct work *w = arg;

	crew_let_go(w->hand);
	schedule_look();
}

/* After this slot, and after this moment: what was missed meanwhile is one slot, not many. */
static int64_t
next_slot(const struct work *w)
{
	int64_t now = clock_ms(), slot = w->slot.due_ms, every = w->plan.when.every_s * 1000;

	if (w->plan.kind != PLAN_PROACTIVE && w->plan.when.kind == CRON_EVERY && slot <= now && now - slot < every)
		return plan_next(&w->plan, slot);       /* no drift */
	return plan_next(&w->plan, now > slot ? now : slot);
}

static const char *
text_of(struct work *w)
{
	struct ctx *c = w->c;
	char when[25];

	time_rfc3339(w->slot.due_ms, when);
	if (w->plan.kind == PLAN_PERIODIC)
		return ctx_printf(c, "[autonomous] This is your scheduled run (%s), due at %s. Do what is to be done now; "
		    "answer NO_REPLY if there is nothing.", w->plan.text, when);
	if (w->plan.kind == PLAN_CONTINUOUS)
		return ctx_printf(c, "[autonomous] You act by yourself; it is %s. Look after what you are there for; "
		    "answer NO_REPLY if nothing is to be done.", when);
	return ctx_printf(c, "[autonomous] This has happened: %s. Do what follows from it; answer NO_REPLY if nothing does.",
	    w->slot.said != NULL ? w->slot.said : "[]");
}

/* session_mode "new": a session per slot, the same one after a crash. */
static const char *
session_of(struct work *w)
{
	struct ctx *c = w->c;
	const char *name = ctx_printf(c, "%s:%lld", w->agent.id, (long long)w->slot.due_ms);
	char *id = ctx_alloc(c, 37);

	if (strcmp(js_str_or(w->agent.manifest, "session_mode", ""), "new") != 0 || name == NULL || id == NULL)
		return NULL;
	uuid5(SLOT_NAMESPACE, name, strlen(name), id);
	return id;
}

/* [queue.concurrency] */
static int64_t
rule(const struct work *w, const char *key, int64_t dflt)
{
	return js_i64(js_obj(js_obj(w->c->cfg->raw, "queue"), "concurrency"), key, dflt);
}

static unsigned
at_once(const struct work *w)
{
	int64_t n = js_i64(w->agent.manifest, "max_concurrent_invocations", rule(w, "default_per_agent", 1));

	return strcmp(js_str_or(w->agent.manifest, "session_mode", ""), "new") != 0 || n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static void
count(const struct work *w, const char *outcome)
{
	series_add(SERIES_TICK, (const char *const[]){ w->agent.name, outcome }, 0);
}

/* Without a turn. */
static enum err
pass(struct work *w, const char *why)
{
	struct ctx *c = w->c;

	count(w, why);
	job_db_acquire(c);
	return schedule_pass(c, w->agent.id, &w->slot, strcmp(why, "busy") == 0 && w->plan.kind == PLAN_PROACTIVE
	    ? clock_ms() + BUSY_MS : w->next_ms);
}

/* A provider that refuses again and again is left alone. */
static enum err
after_turn(struct work *w, enum err e)
{
	struct ctx *c = w->c;
	bool limited = e == ERR_RATE_LIMITED && c->fault.code != NULL && strcmp(c->fault.code, "rate_limited") == 0;
	unsigned wait_s = c->fault.retry_after_s > DEFER_S ? c->fault.retry_after_s : DEFER_S;
	int64_t n = limited ? w->slot.limited + 1 : 0;
	bool stop = limited && c->cfg->max_rate_limits > 0 && n >= c->cfg->max_rate_limits;

	count(w, e == ERR_OK ? "ok" : limited ? "rate_limited" : e == ERR_CANCELLED ? "cancelled" : "error");
	if (e != ERR_OK && e != ERR_CANCELLED)
		log_line(LOG_WARN, "rid=%s agent=%s what=tick err=%s", c->rid, w->agent.id, c->fault.code != NULL ? c->fault.code : err_code(e));
	if (stop)
		log_line(LOG_ERROR, "rid=%s agent=%s what=\"rate limits stop its loop\" in_a_row=%lld", c->rid, w->agent.id, (long long)n);
	if (n == w->slot.limited)
		return ERR_OK;
	job_db_acquire(c);
	return schedule_limited(c, w->agent.id, n, stop, limited && w->plan.when.kind == CRON_EVERY ? clock_ms() + wait_s * 1000 : 0);
}

/* A turn that was refused has not claimed the slot. A store that takes nothing is not asked again at once. */
static void
give_up_slot(struct work *w, enum err e)
{
	struct ctx *c = w->c;
	struct fault f = c->fault;
	enum err passed;

	if (e == ERR_OK)
		return;
	job_db_acquire(c);
	passed = schedule_pass(c, w->agent.id, &w->slot, w->next_ms);
	if (passed != ERR_OK && passed != ERR_CONFLICT) {
		job_db_release(c);
		(void)cancel_wait(&w->hand->cancel, AGAIN_MS);
	}
	c->fault = f;
}

static enum err
run_turn(struct work *w)
{
	struct ctx *c = w->c;
	int64_t fire_s = rule(w, "trigger_fire_timeout_secs", FIRE_S);
	struct turn_ask ask = {
		.agent_id = w->agent.id, .agent = &w->agent, .text = text_of(w), .session_id = session_of(w),
		.origin = "autonomous", .channel = "autonomous", .event_depth = (unsigned)w->slot.depth, .lane = w->hand->lane,
		.claim = claim, .claimed = claimed, .claim_arg = w, .cancel = &w->hand->cancel,
		.deadline_us = w->plan.kind == PLAN_PROACTIVE ? clock_mono_us() + (fire_s > FIRE_MAX_S ? FIRE_MAX_S : fire_s) * 1000000 : 0,
	};
	struct turn_answer a;
	enum err e;

	if (ask.text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	c->who = background_caller(c, w->agent.author);
	e = turn_run(c, &ask, &a);
	if (e == ERR_CONFLICT && c->fault.code != NULL && strcmp(c->fault.code, "slot_taken") == 0)
		return ERR_OK;
	if (e != ERR_OK && atomic_load(&w->hand->cancel.why) == CANCEL_SHUTDOWN)
		return ERR_OK;                  /* its row is open, or the slot still due */
	give_up_slot(w, e);
	return after_turn(w, e);
}

static enum err
tick_work(struct work *w)
{
	struct ctx *c = w->c;
	const char *id = w->hand->id;
	enum err e = agent_load(c, id, &w->agent);
	struct tx tx = { 0 };

	if (e == ERR_OK)
		e = schedule_load(c, id, w->hand->at_ms, &w->slot);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	w->plan = plan_of(w->agent.manifest);
	if (w->plan.kind == PLAN_NONE || strcmp(w->agent.state, "Running") != 0) {
		if ((e = tx_begin(c, &tx)) == ERR_OK && (e = schedule_sync(c, id, w->agent.manifest, false)) == ERR_OK)
			e = tx_commit(c, &tx);
		tx_end(&tx);
		return e;
	}
	w->next_ms = next_slot(w);
	if (quiet_until(w->plan.quiet, clock_ms()) != 0)
		return pass(w, "quiet");
	if (turns_count(id) >= at_once(w))
		return pass(w, "busy");
	series_add(SERIES_QUEUE_WAIT, (const char *const[]){ w->hand->lane == LANE_CRON ? "cron" : w->hand->lane == LANE_MAIN ? "main"
	    : "trigger" }, (clock_ms() - w->slot.due_ms) * 1000);
	return run_turn(w);
}

static void
tick(struct hand *h, struct background *b)
{
	struct work w = { .hand = h, .c = &b->c };
	enum err e = tick_work(&w);

	if (e != ERR_OK && e != ERR_CONFLICT)
		log_line(LOG_WARN, "rid=%s agent=%s what=tick err=%s", w.c->rid, h->id, err_code(e));
	if (!w.agent.has_processed)
		heartbeat_look();       /* from now on it is listened for */
}

/* --- the look ------------------------------------------------------------------------------ */

static enum lane
lane_named(const char *s)
{
	return strcmp(s, "cron") == 0 ? LANE_CRON : strcmp(s, "main") == 0 ? LANE_MAIN : LANE_TRIGGER;
}

/* Has somebody set the clock since the last look? Also true for the first one. */
static bool
clock_was_set(void)
{
	int64_t off = clock_ms() * 1000 - clock_mono_us(), was = wall_less_mono_us;

	wall_less_mono_us = off;
	return was == 0 || off - was > JUMP_MS * 1000 || was - off > JUMP_MS * 1000;
}

static enum err
replan(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	int64_t missed = 0;
	enum err e;

	job_db_release(c);
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = schedule_replan(c, &missed);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e == ERR_OK && missed > 0)
		log_line(LOG_WARN, "what=schedule missed=%lld", (long long)missed);
	return e;
}

static enum err
look_around(struct ctx *c, int64_t *next_ms)
{
	struct due *due = ctx_alloc(c, LOOK_MAX * sizeof(*due));
	bool all = true;
	size_t n = 0;
	enum err e = due == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;

	if (e == ERR_OK && clock_was_set() && (e = replan(c)) != ERR_OK)
		wall_less_mono_us = 0;
	job_db_acquire(c);
	if (e == ERR_OK)
		e = schedule_due(c, due, LOOK_MAX, &n);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		all &= crew_start(due[i].agent_id, due[i].due_ms, lane_named(due[i].lane), c->cfg, tick, schedule_look);
	if (e == ERR_OK)
		e = schedule_first(c, next_ms);
	if (e == ERR_OK && !all && *next_ms > clock_ms() + AGAIN_MS)
		*next_ms = clock_ms() + AGAIN_MS;
	return e;
}

static int64_t
look(void)
{
	return background_look("schedule", look_around, AGAIN_MS);
}

/* --- boot --------------------------------------------------------------------------------------- */

enum err
schedule_boot(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	int64_t planned = 0;
	enum err e;

	job_db_release(c);
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = schedule_sync_all(c, &planned);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e == ERR_OK && planned > 0)
		log_line(LOG_INFO, "what=schedule agents=%lld", (long long)planned);
	return e;
}

/* A permit is back: who went without one? */
static void
look_all(void)
{
	schedule_look();
	delegate_look();
	assigned_look();
}

void
schedule_start(void)
{
	lanes_on_free(look_all);
	schedule_look();
}

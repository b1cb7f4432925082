/*
 * Tasks that wait for somebody in particular.
 *
 * The task's row says when its agent is woken next; that moment is claimed in the transaction that accepts the turn, so each comes once.
 * An agent that is at rest, or cannot take tasks, is not woken.
 */
#include "daemon/assigned.h"

#include <string.h>

#include "daemon/alarm.h"
#include "daemon/crew.h"
#include "daemon/dbpool.h"
#include "daemon/turn.h"
#include "lib/agent/tool.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/event.h"
#include "lib/svc/task.h"

enum { LOOK_MAX = 64, AGAIN_MS = 1000, BUSY_MS = 5000 };

#define WAKE_NAMESPACE "d2a1c0f4-97be-4c57-8f1e-60b5a3f1b8ce"

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };

void
assigned_look(void)
{
	alarm_now(&alarm_of);
}

/* --- one of them ---------------------------------------------------------------------------- */

struct work { struct task_wake w; struct agent agent; int64_t next_ms; };

static enum err
claim(struct ctx *c, void *arg, const char *turn_id)
{
	struct work *k = arg;

	(void)turn_id;
	return task_wake_set(c, &k->w, true, k->next_ms);
}

/* session_mode "new": a session for each time, the same one after a crash. */
static const char *
session_of(struct ctx *c, const struct work *k)
{
	const char *name = ctx_printf(c, "%s:%lld", k->w.id, (long long)k->w.wakes);
	char *id = ctx_alloc(c, 37);

	if (strcmp(js_str_or(k->agent.manifest, "session_mode", ""), "new") != 0 || name == NULL || id == NULL)
		return NULL;
	uuid5(WAKE_NAMESPACE, name, strlen(name), id);
	return id;
}

/* Whose it is. *ret_may: that agent can be woken for it at all. */
static enum err
find_agent(struct ctx *c, struct work *k, bool *ret_may)
{
	char id[37];
	enum err e = uuid_parse(k->w.assigned_to, id) ? agent_load(c, id, &k->agent) : ERR_NOT_FOUND;

	if (e == ERR_NOT_FOUND && k->w.assigned_to[0] != '\0')
		e = agent_load_by_name(c, k->w.assigned_to, &k->agent);
	*ret_may = e == ERR_OK && k->w.depth <= EVENT_DEPTH_MAX && js_bool(k->agent.manifest, "assignee_wake", true) &&
	    tool_granted(k->agent.manifest, k->agent.mode, "task_claim");
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err
run_turn(struct ctx *c, struct hand *h, struct work *k)
{
	struct turn_ask ask = {
		.agent_id = k->agent.id, .agent = &k->agent, .session_id = session_of(c, k), .origin = "autonomous", .channel = "autonomous",
		.text = ctx_printf(c, "[autonomous] A task for you is on the board: \"%s\" (%s). Take it with task_claim, do it, and end it with "
		    "task_complete; answer NO_REPLY if that is done already.", k->w.title, k->w.id),
		.event_depth = (unsigned)k->w.depth, .lane = h->lane, .claim = claim, .claim_arg = k, .cancel = &h->cancel,
	};
	struct turn_answer a;
	enum err e, passed;

	if (ask.text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	c->who = background_caller(c, k->agent.author);
	e = turn_run(c, &ask, &a);
	if (e == ERR_OK || atomic_load(&h->cancel.why) == CANCEL_SHUTDOWN)
		return ERR_OK;
	log_line(LOG_WARN, "rid=%s agent=%s task=%s what=task_wake err=%s", c->rid, k->agent.id, k->w.id,
	    c->fault.code != NULL ? c->fault.code : err_code(e));
	job_db_acquire(c);
	passed = task_wake_set(c, &k->w, true, k->next_ms);     /* a turn that was refused has not claimed it */
	return passed == ERR_CONFLICT ? ERR_OK : passed;
}

static enum err
wake_for(struct ctx *c, struct hand *h)
{
	struct work k = { 0 };
	bool may = false;
	enum err e = task_wake_load(c, h->id, h->at_ms, &k.w);

	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	k.next_ms = task_wake_after(c->cfg, k.w.wakes + 1, clock_ms());
	if ((e = find_agent(c, &k, &may)) != ERR_OK)
		return e;
	if (!may)
		return task_wake_set(c, &k.w, false, -1);
	if (strcmp(k.agent.state, "Running") != 0)
		return task_wake_set(c, &k.w, false, task_wake_after(c->cfg, TASK_WAKES_MAX - 1, clock_ms()));
	if (turns_count(k.agent.id) > 0)
		return task_wake_set(c, &k.w, false, clock_ms() + BUSY_MS);
	return run_turn(c, h, &k);
}

static void
wake(struct hand *h, struct background *b)
{
	enum err e = wake_for(&b->c, h);

	if (e != ERR_OK && e != ERR_CONFLICT)
		log_line(LOG_WARN, "rid=%s task=%s what=task_wake err=%s", b->c.rid, h->id, err_code(e));
}

/* --- the look --------------------------------------------------------------------------------- */

static enum err
look_around(struct ctx *c, int64_t *next_ms)
{
	struct task_wake due[LOOK_MAX];
	int64_t now = clock_ms();
	bool all = true;
	size_t n = 0;
	enum err e;

	*next_ms = ALARM_NEVER;
	if (!js_bool(js_obj(c->cfg->raw, "task_board"), "assignee_wake", true))
		return ERR_OK;
	e = tasks_to_wake(c, now, due, LOOK_MAX, &n);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		all &= crew_start(due[i].id, due[i].wake_ms, LANE_TRIGGER, c->cfg, wake, assigned_look);
	if (e == ERR_OK)
		e = task_wake_first(c, now, next_ms);
	if (e == ERR_OK && !all && *next_ms > now + AGAIN_MS)
		*next_ms = now + AGAIN_MS;
	return e;
}

static int64_t
look(void)
{
	return background_look("task_wake", look_around, AGAIN_MS);
}

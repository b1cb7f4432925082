/*
 * Turns across a restart: a new epoch, and what an earlier life of the
 * daemon left open is taken up on threads of its own. Nobody watches them; their
 * answers are in the session when somebody looks.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/alarm.h"
#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/delegate.h"
#include "daemon/hub.h"
#include "daemon/pace.h"
#include "daemon/spawn.h"
#include "daemon/threads.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/artifact.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/delegation.h"
#include "lib/svc/config.h"

enum { KEEP_TURNS_MS = 7 * 86400000, MINUTE_MS = 61000 };

struct left {
	struct conf *conf;
	struct cancel cancel;
	struct running place;           /* before whatever is said into its session from now on */
	char id[37];
};

static enum lane
lane_known(int64_t n)
{
	return n > LANE_NONE && n < LANE_MODEL ? (enum lane)n : LANE_NONE;
}

static enum think
think_known(int64_t n)
{
	return n > THINK_AS_SET && n <= THINK_MAX ? (enum think)n : THINK_AS_SET;
}

static struct turn_ask
ask_of(struct ctx *c, const struct turn_row *row, struct cancel *cancel)
{
	struct json_object *in = json_stored(c, row->input);
	bool keep = js_bool(in, "keep", true), has_text = js_get(in, "text") != NULL || js_get(in, "blocks") != NULL;

	return (struct turn_ask){
		.agent_id = row->agent_id, .session_id = row->session_id, .text = js_str_or(in, "text", ""),
		.blocks = js_arr(in, "blocks"), .origin = row->origin, .channel = js_str(in, "channel"),
		.ephemeral = !keep && has_text, .incognito = !has_text, .max_tokens = js_i64(in, "max_tokens", 0),
		.has_temperature = js_get(in, "temperature") != NULL, .temperature = js_f64(in, "temperature", 0),
		.extra = js_obj(in, "extra"), .traceparent = js_str(in, "traceparent"), .think = think_known(js_i64(in, "think", THINK_AS_SET)), .outer_tools = js_arr(in, "outer_tools"),
		.depth = (unsigned)js_i64(in, "depth", 0), .event_depth = (unsigned)js_i64(in, "event_depth", 0),
		.parent_context = js_str(in, "parent_context"), .sender_id = js_str(in, "sender_id"), .sender_name = js_str(in, "sender_name"),
		.lane = lane_known(js_i64(in, "lane", 0)), .cancel = cancel,
	};
}

/* Only turns that somebody finds the answer of are worth a model call. */
static bool
worth_it(const struct turn_row *row, const struct turn_ask *ask)
{
	return !ask->incognito && !ask->ephemeral && strcmp(row->origin, "openai") != 0 &&
	    strcmp(row->origin, "agent") != 0;
}

static void
take_up(struct ctx *c, struct left *l)
{
	struct turn_row row;
	struct turn_answer a;
	struct turn_ask ask;
	enum err e = turn_load(c, l->id, &row);

	if (e == ERR_OK) {
		ask = ask_of(c, &row, &l->cancel);
		job_db_release(c);
		if (!lane_take(ask.lane, c->cfg, &l->cancel, 0))
			return;                 /* going down: the next start takes it up */
		job_db_acquire(c);
		e = worth_it(&row, &ask) ? turn_take_up(c, &row, &ask, &a)
		    : turn_end(c, row.id, turns_epoch(), "failed", NULL, "interrupted", "The server was interrupted");
		lane_give(ask.lane);
	}
	log_line(e == ERR_OK ? LOG_INFO : LOG_WARN, "turn=%s resumed=%s", l->id, e == ERR_OK ? "yes" : err_code(e));
}

static void
run_left(void *arg)
{
	struct left *l = arg;
	struct ctx c = { .arena = arena_new(16384), .cfg = conf_of(l->conf), .now_ms = clock_ms() };

	if (c.arena != NULL) {
		uuid4(c.rid);
		job_db_acquire(&c);
		take_up(&c, l);
		job_db_release(&c);
		arena_free(c.arena);
	}
	running_leave(&l->place);
	conf_drop(l->conf);
	free(l);
	delegate_look();                /* somebody may have waited for it */
}

static enum err
forget_old(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM turn WHERE (ended_ms IS NOT NULL AND ended_ms < ?1)"
	    " OR (state = 'waiting' AND started_ms < ?1)"));

	bind_i64(st, c->now_ms - KEEP_TURNS_MS);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
start_left(struct ctx *c, const char *id)
{
	struct left *l = calloc(1, sizeof(*l));
	struct turn_row row;

	if (l == NULL || turn_load(c, id, &row) != ERR_OK) {
		free(l);
		return;                 /* it stays open for the next start */
	}
	memcpy(l->id, id, 37);
	l->place.cancel = &l->cancel;
	memcpy(l->place.agent_id, row.agent_id, 37);
	memcpy(l->place.session_id, row.session_id, 37);
	memcpy(l->place.turn_id, id, 37);
	running_keep(&l->place);
	l->conf = conf_hold();
	if (threads_run(run_left, l) != 0) {
		running_leave(&l->place);
		conf_drop(l->conf);
		free(l);
	}
}

/* Seconds of before a clock that was set back are those of now. */
static void
was_called(void *arg, const char *agent_id, int64_t second, int64_t n)
{
	const struct ctx *c = arg;
	int64_t age_s = c->now_ms / 1000 - second;

	if (agent_id != NULL)
		pace_before(agent_id, n, age_s > 0 ? age_s : 0, clock_mono_us() / 1000000);
}

static int64_t
artifact_days(struct ctx *c)
{
	int64_t days = js_i64(js_obj(c->cfg->raw, "tool_results"), "artifact_max_age_days", 30);

	return days < 1 ? 1 : days;
}

enum err
turns_boot(struct ctx *c)
{
	struct json_object *ids = NULL;
	int64_t epoch = 0;
	enum err e = epoch_next(c, &epoch);

	turns_set_epoch(epoch);
	(void)artifacts_forget(c->cfg->data_dir, c->now_ms, artifact_days(c));
	if (e == ERR_OK)
		e = budget_drop(c, epoch);
	if (e == ERR_OK)
		e = forget_old(c);
	if (e == ERR_OK)
		e = agent_first(c);
	if (e == ERR_OK)
		e = turns_take_over(c, epoch, &ids);
	if (e == ERR_OK)
		e = delegations_boot(c);
	if (e == ERR_OK)
		e = steps_lately(c, c->now_ms - MINUTE_MS, was_called, c);
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(ids); i++)
		start_left(c, json_object_get_string(json_object_array_get_idx(ids, i)));
	return e;
}

void
turns_shutdown(void)
{
	alarms_stop();
	(void)turns_cancel(NULL, NULL, CANCEL_SHUTDOWN);
	lanes_stop();
	hub_closed(NULL);
}

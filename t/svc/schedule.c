/* Plans of manifests, and the rows that say when agents are due. */
#include "lib/svc/schedule.h"
#include "lib/svc/heartbeat.h"
#include "t/svc/store.h"

static struct plan
plan(struct ctx *c, const char *manifest)
{
	return plan_of(json_stored(c, manifest));
}

static const char *
next_of(struct ctx *c, const char *manifest, const char *after)
{
	static char s[25];
	struct plan p = plan(c, manifest);
	int64_t ms = plan_next(&p, time_parse(after));

	if (ms < 0)
		return "never";
	time_rfc3339(ms, s);
	s[16] = '\0';
	return s;
}

static void
plans(struct ctx *c)
{
	static const char hourly[] = "{\"schedule\":{\"periodic\":{\"cron\":\"0 * * * *\"}},\"autonomous\":{\"quiet_hours\":\"08:00-20:00\"}}";
	static const char steady[] = "{\"schedule\":{\"continuous\":{\"check_interval_secs\":600}},\"autonomous\":{\"quiet_hours\":\"08:00-20:00\"}}";
	static const char local[] = "{\"schedule\":{\"periodic\":{\"cron\":\"0 9 * * *\",\"tz\":\"Asia/Tokyo\"}}}";

	is_str(next_of(c, hourly, "2026-05-01T06:10:00Z"), "2026-05-01T07:00", "a slot outside of quiet hours");
	is_str(next_of(c, hourly, "2026-05-01T07:00:00Z"), "2026-05-01T20:00", "those inside are left out");
	is_str(next_of(c, steady, "2026-05-01T07:45:00Z"), "2026-05-01T07:55", "an interval");
	is_str(next_of(c, steady, "2026-05-01T07:55:00Z"), "2026-05-01T20:00", "goes on when the quiet hours end");
	is_str(next_of(c, "{\"schedule\":{\"periodic\":{\"cron\":\"0 9 * * *\"}},\"autonomous\":{\"quiet_hours\":\"08:00-20:00\"}}",
	    "2026-05-01T06:00:00Z"), "never", "who is only due when it is quiet is never");
	if (zone_find("Asia/Tokyo") != NULL)
		is_str(next_of(c, local, "2026-05-01T06:10:00Z"), "2026-05-02T00:00", "a time of day in its zone");
	ok(plan(c, "{\"schedule\":\"reactive\"}").kind == PLAN_NONE && plan(c, "{}").kind == PLAN_NONE, "a reactive agent has no plan");
	ok(plan(c, "{\"schedule\":{\"proactive\":{\"conditions\":[\"all\"]}}}").kind == PLAN_PROACTIVE, "a proactive one has");
	ok(plan_fault(json_stored(c, "{\"schedule\":{\"periodic\":{\"cron\":\"x\"}}}")) != NULL &&
	    plan(c, "{\"schedule\":{\"periodic\":{\"cron\":\"x\"}}}").kind == PLAN_NONE, "what cannot be read is a fault, and no plan");
}

static int64_t
due_of(struct ctx *c, const char *id)
{
	struct due d[8];
	size_t n = 0;

	if (schedule_due(c, d, 8, &n) != ERR_OK)
		return -2;
	for (size_t i = 0; i < n; i++)
		if (strcmp(d[i].agent_id, id) == 0)
			return d[i].due_ms;
	return -1;
}

static void
set(struct ctx *c, int64_t due, int64_t slot)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET due_ms = ?, slot_ms = ?"));

	bind_i64(st, due);
	bind_i64(st, slot);
	ok(db_exec(st) == ERR_OK, "(due at %+lld s, the last slot at %+lld s)", (long long)(due - clock_ms()) / 1000, (long long)(slot - clock_ms()) / 1000);
}

static void
manifest(struct ctx *c, const char *json)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET manifest = ?"));

	bind_text(st, json);
	ok(db_exec(st) == ERR_OK, "(its manifest: %s)", json);
}

static int64_t
first(struct ctx *c)
{
	int64_t ms = 0;

	return schedule_first(c, &ms) == ERR_OK ? ms : -2;
}

static void
rows(struct ctx *c)
{
	static const char steady[] = "{\"schedule\":{\"continuous\":{\"check_interval_secs\":3600}}}";
	static const char hourly[] = "{\"schedule\":{\"periodic\":{\"cron\":\"0 * * * *\"}}}";
	struct json_object *m = json_stored(c, steady), *cron = json_stored(c, hourly);
	struct slot s = { 0 };
	int64_t now = clock_ms(), missed = 0, at, hour = 3600000;
	enum err e = schedule_sync(c, ADA, m, true);

	at = first(c);
	ok(e == ERR_OK && at > now && at <= now + hour + 100, "a loop begins within its first interval");
	ok(schedule_sync(c, ADA, m, true) == ERR_OK && first(c) == at, "and is not begun again by the same manifest");
	set(c, now - 5, 0);
	is_int(due_of(c, ADA), now - 5, "a slot whose time has come is due");
	ok(schedule_load(c, ADA, now - 5, &s) == ERR_OK && s.limited == 0 && s.said == NULL, "it can be looked at");
	ok(schedule_load(c, ADA, now - 6, &s) == ERR_NOT_FOUND, "another one not");
	s.due_ms = now - 5;
	ok(schedule_claim(c, ADA, &s, now + hour) == ERR_OK && due_of(c, ADA) == -1 && first(c) == now + hour, "claimed, the next one comes");
	ok(schedule_claim(c, ADA, &s, now + hour) == ERR_CONFLICT && schedule_pass(c, ADA, &s, now) == ERR_CONFLICT, "nobody claims it again");
	manifest(c, steady);
	set(c, now + 30 * hour, now - hour);
	at = schedule_replan(c, &missed) == ERR_OK ? first(c) : 0;
	ok(at > now && at <= now + hour + 1000 && missed == 0, "a clock that was set back does not keep an interval waiting");
	set(c, now - 30 * hour, now - 31 * hour);
	at = schedule_replan(c, &missed) == ERR_OK ? first(c) : 0;
	ok(at > now && at <= now + hour + 1000 && missed == 0, "one set forward begins it anew");

	manifest(c, hourly);
	ok(schedule_sync(c, ADA, cron, true) == ERR_OK && first(c) / hour * hour == first(c) && first(c) > now, "another schedule is planned anew");
	set(c, now - 30 * hour, now - 31 * hour);
	ok(schedule_replan(c, &missed) == ERR_OK && missed == 1 && first(c) > now && first(c) <= now + hour, "a time of day that was missed is passed over");
	set(c, now - 30000, now - hour);
	ok(schedule_replan(c, &missed) == ERR_OK && missed == 0 && due_of(c, ADA) == now - 30000, "one that is thirty seconds late is not");
	set(c, now + 3 * hour, now + 2 * hour);
	ok(schedule_replan(c, &missed) == ERR_OK && first(c) > now + 2 * hour, "a clock set back by two hours repeats no slot");
	set(c, now + 30 * hour, now + 29 * hour);
	ok(schedule_replan(c, &missed) == ERR_OK && first(c) <= now + hour, "one set back by a day is believed");
	ok(schedule_limited(c, ADA, 5, true, 0) == ERR_OK && first(c) == INT64_MAX, "a loop that was stopped has no next slot");
	ok(schedule_sync(c, ADA, cron, false) == ERR_OK && schedule_sync(c, ADA, cron, true) == ERR_OK && first(c) < now + 2 * hour,
	    "until the agent is resumed");
	ok(schedule_sync(c, ADA, json_stored(c, "{\"schedule\":\"reactive\"}"), true) == ERR_OK && first(c) == INT64_MAX, "a reactive agent has no row");
}

static bool
note_pulse(void *arg, const struct pulse *p)
{
	*(int64_t *)arg = p->late_ms;
	return true;
}

/* How long an agent of that manifest may be silent after its slot; 0: it is not listened for. */
static int64_t
patience_s(struct ctx *c, const char *json)
{
	int64_t now = clock_ms(), late_ms = now;

	manifest(c, json);
	if (schedule_sync(c, ADA, json_stored(c, json), true) != ERR_OK)
		return -1;
	set(c, now, 0);
	return pulse_each(c, note_pulse, &late_ms) == ERR_OK ? (late_ms - now) / 1000 : -1;
}

static void
worked(struct ctx *c, bool yes)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET has_processed = ?"));

	bind_i64(st, yes);
	ok(db_exec(st) == ERR_OK, yes ? "(it has worked)" : "(it has not worked yet)");
}

static void
pulses(struct ctx *c)
{
	static const struct config cfg = { .heartbeat_timeout_s = 60 };
#define LOOP "\"schedule\":{\"continuous\":{\"check_interval_secs\":5}}"

	c->cfg = &cfg;
	worked(c, false);
	is_int(patience_s(c, "{" LOOP "}"), 0, "who has never worked is not listened for");
	worked(c, true);
	is_int(patience_s(c, "{" LOOP "}"), 60, "without a word of it the configuration's time counts");
	is_int(patience_s(c, "{" LOOP ",\"autonomous\":{\"heartbeat_interval_secs\":45}}"), 90, "or twice its own interval");
	is_int(patience_s(c, "{" LOOP ",\"autonomous\":{}}"), 60, "  which is 30 seconds");
	is_int(patience_s(c, "{" LOOP ",\"autonomous\":{\"heartbeat_interval_secs\":45,\"heartbeat_timeout_secs\":7}}"), 7, "or its own time");
	is_int(patience_s(c, "{\"schedule\":\"reactive\"}"), 0, "nobody listens for one that does not act by itself");
	c->cfg = NULL;
}

int
main(void)
{
	struct ctx c = { 0 };

	store_open(&c);
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	plans(&c);
	rows(&c);
	pulses(&c);
	store_close(&c);
	return done();
}

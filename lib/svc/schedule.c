/*
 * Plans and their rows.
 *
 * The difficult thing is time that is not where it was: the machine slept, nobody ran, the clock was set. Slots of a time of day that
 * were missed are passed over (the contract of cron jobs); an interval begins anew; a clock that was set back a little repeats
 * no slot, one that was set back far does not stop the agent until its old time has come again.
 */
#include "lib/svc/schedule.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/base/util.h"

enum { GRACE_MS = 60000, BACK_MS = 3 * 3600 * 1000, QUIET_TRIES = 800, INTERVAL_MAX_S = 366 * 86400 };

/* --- plans ------------------------------------------------------------------------- */

static const char *
read_plan(struct json_object *manifest, struct plan *p)
{
	struct json_object *s = js_get(manifest, "schedule"), *periodic = js_obj(s, "periodic");
	struct json_object *proactive = js_obj(s, "proactive"), *continuous = js_obj(s, "continuous");
	const char *why = NULL;

	*p = (struct plan){ .quiet = js_str(js_obj(manifest, "autonomous"), "quiet_hours"), .zone = zone_find(NULL) };
	if (p->quiet != NULL && p->quiet[0] == '\0')
		p->quiet = NULL;
	if (p->quiet != NULL && !quiet_hours_ok(p->quiet))
		return "quiet_hours: \"HH:MM-HH:MM\" is expected, in UTC";
	if (periodic != NULL) {
		p->text = js_str_or(periodic, "cron", "");
		if (!cron_parse(p->text, &p->when, &why))
			return why;
		if (js_get(periodic, "tz") != NULL && (p->zone = zone_find(js_str_or(periodic, "tz", "?"))) == NULL)
			return "tz: there is no such time zone";
		p->kind = PLAN_PERIODIC;
	} else if (continuous != NULL) {
		int64_t n = js_i64(continuous, "check_interval_secs", 300);

		p->when = (struct cron){ .kind = CRON_EVERY, .every_s = n < 1 ? 1 : n > INTERVAL_MAX_S ? INTERVAL_MAX_S : n };
		p->kind = PLAN_CONTINUOUS;
	} else if (proactive != NULL) {
		p->conditions = js_arr(proactive, "conditions");
		p->kind = PLAN_PROACTIVE;
	}
	return NULL;
}

struct plan
plan_of(struct json_object *manifest)
{
	struct plan p;

	if (read_plan(manifest, &p) != NULL)
		p.kind = PLAN_NONE;
	return p;
}

const char *
plan_fault(struct json_object *manifest)
{
	struct plan p;

	return read_plan(manifest, &p);
}

int64_t
plan_next(const struct plan *p, int64_t after_ms)
{
	int64_t at = after_ms;

	if (p->kind == PLAN_NONE || p->kind == PLAN_PROACTIVE)
		return -1;
	for (int i = 0; i < QUIET_TRIES && (at = cron_next(&p->when, p->zone, at)) >= 0; i++) {
		int64_t loud = quiet_until(p->quiet, at);

		if (loud == 0)
			return at;
		if (p->when.kind == CRON_EVERY)
			return loud;
		at = loud - 1;
	}
	return -1;
}

/* Where an agent's loop begins: not all at once. */
static int64_t
plan_first(const struct plan *p, int64_t now_ms)
{
	int64_t at, loud;
	uint64_t r;

	if (p->kind == PLAN_NONE || p->kind == PLAN_PROACTIVE || p->when.kind == CRON_TIMES)
		return plan_next(p, now_ms);
	random_bytes(&r, sizeof(r));
	at = now_ms + 1 + (int64_t)(r % (uint64_t)(p->when.every_s * 1000));
	loud = quiet_until(p->quiet, at);
	return loud > at ? loud : at;
}

/* What the plan was made of; in the arena. NULL: no memory. */
static const char *
plan_text(struct ctx *c, const struct plan *p, struct json_object *manifest)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_json(&w, "schedule", js_get(manifest, "schedule"));
	jw_str(&w, "quiet_hours", p->quiet);
	jw_end(&w);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static const char *
lane_of(enum plan_kind k)
{
	return k == PLAN_PERIODIC ? "cron" : k == PLAN_CONTINUOUS ? "main" : "trigger";
}

/* --- the rows ------------------------------------------------------------------------ */

static void
bind_due(struct stmt *st, int64_t ms)
{
	if (ms < 0)
		bind_null(st);
	else
		bind_i64(st, ms);
}

static enum err
drop(struct ctx *c, const char *agent_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM agent_loop WHERE agent_id = ?"));

	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
schedule_sync(struct ctx *c, const char *agent_id, struct json_object *manifest, bool enabled)
{
	struct plan p = plan_of(manifest);
	const char *text;

	if (p.kind == PLAN_NONE || !enabled)
		return drop(c, agent_id);
	if ((text = plan_text(c, &p, manifest)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");

	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO agent_loop (agent_id, plan, lane, due_ms) VALUES (?, ?, ?, ?)"
	    " ON CONFLICT (agent_id) DO UPDATE SET plan = excluded.plan, lane = excluded.lane, due_ms = excluded.due_ms,"
	    " said = NULL, limited = 0, stopped = NULL WHERE agent_loop.plan <> excluded.plan"));

	bind_text(st, agent_id);
	bind_text(st, text);
	bind_text(st, lane_of(p.kind));
	bind_due(st, plan_first(&p, clock_ms()));
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
schedule_sync_all(struct ctx *c, int64_t *ret_planned)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT a.id AS id, a.manifest AS manifest, a.state AS state FROM agent a"
	    " LEFT JOIN agent_loop l ON l.agent_id = a.id WHERE l.agent_id IS NOT NULL OR a.manifest LIKE '%\"schedule\":{%'"));
	SCOPED_STMT n = db_prepare(c->db, SQL("SELECT count(*) AS n FROM agent_loop"));

	while (db_step(st)) {
		struct json_object *m = json_stored(c, col_text(c, st, "manifest"));
		enum err e = m == NULL ? fail(c, ERR_NOMEM, "out of memory")
		    : schedule_sync(c, col_text(c, st, "id"), m, strcmp(col_text(c, st, "state"), "Running") == 0);

		if (e != ERR_OK)
			return e;
	}
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret_planned = db_step(n) ? col_i64(n, "n") : 0;
	return ERR_OK;
}

static enum err
set_due(struct ctx *c, const char *agent_id, int64_t due_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET due_ms = ? WHERE agent_id = ?"));

	bind_due(st, due_ms);
	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* Where a slot belongs now. */
static int64_t
replanned(const struct plan *p, int64_t due, int64_t slot, int64_t now, bool *missed)
{
	int64_t from = slot > now && slot <= now + BACK_MS ? slot : now, next;

	*missed = false;
	if (p->kind == PLAN_PROACTIVE)
		return due > now + GRACE_MS ? now : due;
	if (p->when.kind == CRON_EVERY) {
		if (due < now - GRACE_MS)
			return plan_first(p, now);
		return due > now + p->when.every_s * 1000 && quiet_until(p->quiet, now) == 0 ? plan_next(p, now) : due;
	}
	next = plan_next(p, from);
	*missed = due < now - GRACE_MS;
	return *missed || (next >= 0 && next < due) ? next : due;
}

enum err
schedule_replan(struct ctx *c, int64_t *ret_missed)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT l.agent_id AS id, l.due_ms AS due, l.slot_ms AS slot, a.manifest AS manifest"
	    " FROM agent_loop l JOIN agent a ON a.id = l.agent_id WHERE l.due_ms IS NOT NULL"));
	int64_t now = clock_ms();

	*ret_missed = 0;
	while (db_step(st)) {
		struct plan p = plan_of(json_stored(c, col_text(c, st, "manifest")));
		bool missed;
		int64_t due = replanned(&p, col_i64(st, "due"), col_i64(st, "slot"), now, &missed);
		enum err e = due == col_i64(st, "due") ? ERR_OK : set_due(c, col_text(c, st, "id"), due);

		*ret_missed += missed;
		if (e != ERR_OK)
			return e;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
schedule_due(struct ctx *c, struct due *ret, size_t max, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT agent_id, lane, due_ms FROM agent_loop WHERE due_ms <= ?"
	    " ORDER BY due_ms, agent_id LIMIT ?"));

	bind_i64(st, clock_ms());
	bind_i64(st, (int64_t)max);
	for (*ret_n = 0; *ret_n < max && db_step(st); ++*ret_n) {
		ret[*ret_n] = (struct due){ col_text(c, st, "agent_id"), col_text(c, st, "lane"), col_i64(st, "due_ms") };
		if (ret[*ret_n].agent_id == NULL || ret[*ret_n].lane == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	return *ret_n == max || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
schedule_first(struct ctx *c, int64_t *ret_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT min(due_ms) AS due FROM agent_loop WHERE due_ms > ?"));

	bind_i64(st, clock_ms());
	if (!db_step(st))
		return fail_db(c, st);
	*ret_ms = col_is_null(st, "due") ? INT64_MAX : col_i64(st, "due");
	return ERR_OK;
}

enum err
schedule_load(struct ctx *c, const char *agent_id, int64_t due_ms, struct slot *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT limited, depth, said FROM agent_loop WHERE agent_id = ? AND due_ms = ?"));

	bind_text(st, agent_id);
	bind_i64(st, due_ms);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail(c, ERR_NOT_FOUND, "That slot is no more") : fail_db(c, st);
	*ret = (struct slot){ due_ms, col_i64(st, "limited"), col_i64(st, "depth"), col_text(c, st, "said") };
	return ERR_OK;
}

static enum err
one(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) == 1 ? ERR_OK : fail_code(c, ERR_CONFLICT, "slot_taken", "That slot is no more");
}

/* The first slot since the agent was heard of is where the heartbeat counts from. */
enum err
schedule_claim(struct ctx *c, const char *agent_id, const struct slot *s, int64_t next_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET slot_ms = due_ms, said = NULL, depth = 0, due_ms = ?1,"
	    " expect_ms = CASE WHEN expect_ms <= (SELECT last_active_ms FROM agent WHERE id = ?2) THEN due_ms ELSE expect_ms END"
	    " WHERE agent_id = ?2 AND due_ms = ?3 AND coalesce(said, '') = coalesce(?4, '')"));

	bind_due(st, next_ms);
	bind_text(st, agent_id);
	bind_i64(st, s->due_ms);
	bind_text(st, s->said);
	return one(c, st);
}

enum err
schedule_pass(struct ctx *c, const char *agent_id, const struct slot *s, int64_t next_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET due_ms = ?1,"
	    " expect_ms = CASE WHEN expect_ms <= (SELECT last_active_ms FROM agent WHERE id = ?2) THEN due_ms ELSE expect_ms END"
	    " WHERE agent_id = ?2 AND due_ms = ?3"));

	bind_due(st, next_ms);
	bind_text(st, agent_id);
	bind_i64(st, s->due_ms);
	return one(c, st);
}

enum err
schedule_limited(struct ctx *c, const char *agent_id, int64_t n, bool stop, int64_t not_before_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET limited = ?1, stopped = CASE WHEN ?2 THEN 'rate_limited' END,"
	    " due_ms = CASE WHEN ?2 THEN NULL WHEN due_ms < ?3 THEN ?3 ELSE due_ms END WHERE agent_id = ?4"));

	bind_i64(st, n);
	bind_i64(st, stop);
	bind_i64(st, not_before_ms);
	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

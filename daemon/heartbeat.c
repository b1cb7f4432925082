/*
 * The heartbeat.
 *
 * The next look is when the first of those watched would be late, no earlier than the interval; while somebody is
 * silent, after each interval, to hear of it again. Without agents that act by themselves there is no next look.
 */
#include "daemon/heartbeat.h"

#include <string.h>

#include "daemon/alarm.h"
#include "daemon/background.h"
#include "daemon/dbpool.h"
#include "daemon/events.h"
#include "db/db.h"
#include "lib/base/cron.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/event.h"
#include "lib/svc/heartbeat.h"
#include "lib/svc/series.h"

enum { CHANGES_MAX = 256 };

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };

struct round {
	int64_t now_ms, next_ms;
	bool any_silent;
	struct { const char *id, *name; bool silent; } changed[CHANGES_MAX];
	size_t n;
};

static bool
one(void *arg, const struct pulse *p)
{
	struct round *r = arg;
	const char *quiet = js_str(js_obj(p->manifest, "autonomous"), "quiet_hours");
	bool silent = p->late_ms <= r->now_ms;
	int64_t loud = quiet_until(quiet, r->now_ms);

	if (loud != 0) {                /* not expected to say anything now */
		if (loud < r->next_ms)
			r->next_ms = loud;
		return true;
	}
	if (silent != p->silent && r->n < CHANGES_MAX) {
		r->changed[r->n].id = p->agent_id;
		r->changed[r->n].name = p->name;
		r->changed[r->n++].silent = silent;
	}
	r->any_silent |= silent;
	if (!silent && p->late_ms < r->next_ms)
		r->next_ms = p->late_ms;
	return true;
}

static enum err
say(struct ctx *c, const struct round *r)
{
	for (size_t i = 0; i < r->n; i++) {
		bool silent = r->changed[i].silent;
		enum err e;

		job_db_acquire(c);
		if ((e = pulse_note(c, r->changed[i].id, silent)) == ERR_OK)
			e = event_publish(c, EVENT_SYSTEM, r->changed[i].id, silent ? "health_check_failed" : "health_check_recovered",
			    strlen(silent ? "health_check_failed" : "health_check_recovered"), 0);
		if (e != ERR_OK)
			return e;
		series_add(SERIES_HEARTBEAT, (const char *const[]){ r->changed[i].name, silent ? "unresponsive" : "recovered" }, 0);
		log_line(silent ? LOG_WARN : LOG_INFO, "agent=%s what=%s", r->changed[i].id, silent ? "health_check_failed" : "health_check_recovered");
	}
	if (r->n > 0)
		events_look();
	return ERR_OK;
}

static int64_t
look(void)
{
	struct background b;
	struct round r = { .now_ms = clock_ms(), .next_ms = ALARM_NEVER };
	int64_t interval_ms = 30000;
	enum err e;

	if (!background_begin(&b))
		return r.now_ms + interval_ms;
	if (b.c.cfg->heartbeat_interval_s > 0)
		interval_ms = (int64_t)b.c.cfg->heartbeat_interval_s * 1000;
	e = pulse_each(&b.c, one, &r);
	if (e == ERR_OK)
		e = say(&b.c, &r);
	if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s what=heartbeat err=%s", b.c.rid, err_code(e));
	background_end(&b);
	if (e != ERR_OK || r.any_silent || r.n == CHANGES_MAX)
		return r.now_ms + interval_ms;
	return r.next_ms == ALARM_NEVER || r.next_ms > r.now_ms + interval_ms ? r.next_ms : r.now_ms + interval_ms;
}

void
heartbeat_look(void)
{
	alarm_now(&alarm_of);
}

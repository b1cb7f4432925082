/*
 * Housekeeping. In small transactions, so that nobody who writes waits for it.
 */
#include "daemon/keep.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "daemon/conf.h"
#include "daemon/conn.h"
#include "daemon/dbpool.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/agent/manifest.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/budget.h"
#include "lib/svc/login.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/upload.h"

enum { FIRST_S = 60, HOUR_S = 3600, AUDIT_DAYS = 90, SESSIONS_HOURS = 24, HOURS_MAX = 24 * 366 };

static lws_sorted_usec_list_t timer;
static _Atomic bool stopped;
static int64_t begun_ms;                /* before anybody was let in */

static enum err
trim_once(struct ctx *c, bool *more)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = usage_trim(c, clock_ms(), more);
	if (e == ERR_OK)
		e = budget_forget(c, clock_ms());
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* Whoever wrote one before that moment is no more. */
static void
sweep_uploads(struct ctx *c, int64_t before_ms)
{
	int64_t n = 0;
	enum err e;

	job_db_acquire(c);
	e = uploads_sweep(c, before_ms, &n);
	job_db_release(c);
	if (e != ERR_OK || n > 0)
		log_line(e == ERR_OK ? LOG_INFO : LOG_WARN, "what=uploads_swept err=%s files=%" PRId64, err_code(e), n);
}

static enum err
drop_sessions(struct ctx *c, int64_t days, int64_t most, int64_t *n)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = sessions_cleanup(c, days, most, n);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* [session] retention_days and max_sessions_per_agent: at the start, then every cleanup_interval_hours. */
static void
sweep_sessions(struct ctx *c)
{
	static _Atomic int64_t swept_us;
	struct json_object *o = js_obj(c->cfg->raw, "session");
	int64_t days = js_i64(o, "retention_days", 0), most = js_i64(o, "max_sessions_per_agent", 0);
	int64_t hours = js_i64(o, "cleanup_interval_hours", SESSIONS_HOURS), now = clock_mono_us(), was = atomic_load(&swept_us), n = 0;
	enum err e;

	if ((days <= 0 && most <= 0) || (was != 0 && (now - was) / 1000000 < (hours < 1 ? 1 : hours > HOURS_MAX ? HOURS_MAX : hours) * HOUR_S - FIRST_S))
		return;
	atomic_store(&swept_us, now);
	e = drop_sessions(c, days, most, &n);
	if (e != ERR_OK || n > 0)
		log_line(e == ERR_OK ? LOG_INFO : LOG_WARN, "what=sessions_swept err=%s sessions=%" PRId64, err_code(e), n);
}

static void
trim_audit(struct ctx *c)
{
	int64_t days = js_i64(js_obj(c->cfg->raw, "audit"), "retention_days", AUDIT_DAYS);
	bool more = days > 0;
	enum err e = ERR_OK;

	while (more && e == ERR_OK && c->arena != NULL && !atomic_load(&stopped))
		e = audit_trim(c, days, &more);
	if (e != ERR_OK)
		log_line(LOG_WARN, "what=audit_trim err=%s", err_code(e));
}

static void
sweep_logins(struct ctx *c)
{
	enum err e;

	if (c->arena == NULL)
		return;
	job_db_acquire(c);
	e = login_sweep(c);
	job_db_release(c);
	if (e != ERR_OK)
		log_line(LOG_WARN, "what=logins_swept err=%s", err_code(e));
}

static void
after_boot(void *arg)
{
	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };

	(void)arg;
	if (c.arena != NULL) {
		sweep_sessions(&c);
		sweep_uploads(&c, begun_ms);
		workspaces_sweep_files(c.cfg->workspaces_dir, begun_ms);
	}
	arena_free(c.arena);
	conf_drop(k);
}

static void
tidy(void *arg)
{
	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };
	bool more = c.arena != NULL;
	enum err e = ERR_OK;

	(void)arg;
	while (more && e == ERR_OK && !atomic_load(&stopped))
		e = trim_once(&c, &more);
	if (e != ERR_OK)
		log_line(LOG_WARN, "what=tidy err=%s", err_code(e));
	if (c.arena != NULL) {
		sweep_sessions(&c);
		sweep_uploads(&c, 0);
	}
	sweep_logins(&c);
	trim_audit(&c);
	arena_free(c.arena);
	conf_drop(k);
}

static void
on_time(lws_sorted_usec_list_t *sul)
{
	if (threads_run_now(tidy, NULL) != 0)
		log_line(LOG_WARN, "what=tidy err=busy");
	lws_sul_schedule(loop_context(), 0, sul, on_time, (lws_usec_t)HOUR_S * LWS_US_PER_SEC);
}

void
keep_start(void)
{
	begun_ms = clock_ms();
	if (threads_run_now(after_boot, NULL) != 0)
		log_line(LOG_WARN, "what=after_boot err=busy");
	lws_sul_schedule(loop_context(), 0, &timer, on_time, (lws_usec_t)FIRST_S * LWS_US_PER_SEC);
}

void
keep_stop(void)
{
	atomic_store(&stopped, true);
	lws_sul_cancel(&timer);
}

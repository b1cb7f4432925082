/*
 * Health and figures of the whole installation.
 *
 * What several processes share is read from the shared-memory segment, what was
 * spent from the store. Memory is summed over the supervisor and what it
 * started, found through /proc; only a supervisor of ours is looked at, because
 * under plain CGI the parent is somebody else's web server.
 */
#include "lib/svc/system.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"
#include "lib/svc/usage.h"
#include "lib/svc/vectors.h"

bool
system_db_ok(struct ctx *c)
{
	bool there = false;

	if (c->db == NULL)
		return false;

	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT name FROM meta LIMIT 1"));

	there = db_step(st);
	return there || db_end(st) == ERR_OK;
}

int64_t
system_uptime_s(const struct ctx *c)
{
	static int64_t first_ms;
	int64_t since = shm != NULL ? atomic_load(&shm->started_ms) : 0;

	if (first_ms == 0)
		first_ms = c->now_ms;
	if (since == 0)
		since = first_ms;
	return c->now_ms > since ? (c->now_ms - since) / 1000 : 0;
}

/* --- memory ------------------------------------------------------------------- */

static long
private_pages(long pid)
{
	char path[64];
	long all = 0, resident = 0, shared = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/statm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%ld %ld %ld", &all, &resident, &shared) != 3)
		resident = shared = 0;
	fclose(f);
	return resident > shared ? resident - shared : 0;
}

/* The process and what it started, two generations deep: nginx has workers. */
static long
family_pages(long pid, unsigned depth)
{
	char path[64];
	long sum = private_pages(pid), kid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", pid, pid);
	f = depth == 0 ? NULL : fopen(path, "re");
	if (f == NULL)
		return sum;
	while (fscanf(f, "%ld", &kid) == 1)
		sum += family_pages(kid, depth - 1);
	fclose(f);
	return sum;
}

static bool
is_our_supervisor(long pid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(name, sizeof(name), f) == NULL)
		name[0] = '\0';
	fclose(f);
	return strncmp(name, "librefang", 9) == 0;
}

int64_t
system_memory_mb(void)
{
	static int64_t at_us, mb = -1;
	int64_t now = clock_mono_us();
	long pages;

	if (mb >= 0 && now - at_us < 5000000)
		return mb;
	pages = is_our_supervisor(getppid()) ? family_pages(getppid(), 2) : private_pages(getpid());
	at_us = now;
	mb = pages <= 0 ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE) / (1024 * 1024);
	return mb;
}

/* --- sessions and money --------------------------------------------------------- */

enum err
system_session_count(struct ctx *c, int64_t *ret)
{
	const char *author = caller_scope(c);
	int64_t n = 0;

	SCOPED_STMT st = db_prepare(c->db, author == NULL ?
	    SQL("SELECT count(*) AS n FROM session") :
	    SQL("SELECT count(*) AS n FROM session s JOIN agent a ON a.id = s.agent_id "
	    "WHERE lower(a.author) = lower(?)"));

	if (author != NULL)
		bind_text(st, author);
	while (db_step(st))
		n = col_i64(st, "n");
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret = n;
	return ERR_OK;
}

enum err
system_spend(struct ctx *c, struct spend *ret)
{
	const int64_t now = clock_ms();
	int64_t *const to[BUDGET_SPANS] = { &ret->hour, &ret->day, &ret->month };
	struct spent s;
	enum err e = ERR_OK;

	for (enum budget_span w = BUDGET_HOUR; e == ERR_OK && w < BUDGET_SPANS; w++)
		if ((e = usage_spent(c, USAGE_ALL, "", w, now, &s)) == ERR_OK)
			*to[w] = s.nanousd;
	return e;
}

/* --- the detailed report ---------------------------------------------------------- */

static void
write_window(struct ctx *c, struct jw *w, const char *name, int64_t spent, int64_t limit)
{
	jw_usd(w, ctx_printf(c, "%s_spend_usd", name), spent);
	jw_usd(w, ctx_printf(c, "%s_limit_usd", name), limit);
	if (limit > 0)
		jw_f64(w, ctx_printf(c, "%s_spend_percent", name), 100.0 * (double)spent / (double)limit);
	else
		jw_null(w, ctx_printf(c, "%s_spend_percent", name));
}

static void
write_budget(struct ctx *c, struct jw *w, const struct spend *s)
{
	const struct config *cfg = c->cfg;

	jw_object(w, "budget");
	write_window(c, w, "hourly", s->hour, cfg != NULL ? cfg->budget.all.nanousd[BUDGET_HOUR] : 0);
	write_window(c, w, "daily", s->day, cfg != NULL ? cfg->budget.all.nanousd[BUDGET_DAY] : 0);
	write_window(c, w, "monthly", s->month, cfg != NULL ? cfg->budget.all.nanousd[BUDGET_MONTH] : 0);
	jw_f64(w, "alert_threshold", cfg != NULL ? cfg->budget.alert_threshold : 0.8);
	jw_end(w);
}

static void
write_memory(struct ctx *c, struct jw *w, bool db_ok)
{
	struct json_object *m = c->cfg == NULL ? NULL : js_obj(c->cfg->raw, "memory");
	const char *provider = NULL, *model = NULL;
	struct fault before = c->fault;

	if (db_ok && vectors_who(c, &provider, &model) != ERR_OK)
		fault_forget(c, before);        /* the rest is worth telling */
	jw_object(w, "memory");
	jw_bool(w, "embedding_available", provider != NULL && !vectors_resting(c->now_ms));
	jw_str(w, "embedding_provider", provider);
	jw_str(w, "embedding_model", model != NULL ? model : js_str_or(m, "embedding_model", ""));
	jw_bool(w, "proactive_memory_enabled", c->cfg != NULL && c->cfg->proactive_memory);
	jw_str(w, "extraction_model", c->cfg == NULL ? NULL : js_str(js_obj(c->cfg->raw, "proactive_memory"), "extraction_model"));
	jw_end(w);
}

static int64_t
models_used(struct ctx *c)
{
	int64_t n = 0;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT count(*) AS n FROM usage_sum WHERE span = 'total' AND start_ms = 0 AND scope = 'model'"));

	while (db_step(st))
		n = col_i64(st, "n");
	return n;
}

static void
write_llm(struct ctx *c, struct jw *w, bool db_ok)
{
	uint64_t calls = shm != NULL ? atomic_load(&shm->llm_calls) : 0;
	uint64_t sum = shm != NULL ? atomic_load(&shm->llm_ms_total) : 0;

	jw_object(w, "llm");
	jw_i64(w, "total_calls", (int64_t)calls);
	jw_f64(w, "avg_latency_ms", calls == 0 ? 0 : (double)sum / (double)calls);
	jw_i64(w, "max_latency_ms", shm != NULL ? (int64_t)atomic_load(&shm->llm_ms_max) : 0);
	jw_i64(w, "model_count", db_ok ? models_used(c) : 0);
	jw_end(w);
}

enum err
system_write_detail(struct ctx *c, bool db_ok, struct jw *w)
{
	struct json_object *warnings = c->cfg == NULL ? NULL : c->cfg->warnings;
	struct spend s = { 0 };
	int64_t agents = 0, running = 0;
	enum err e;

	if (db_ok && ((e = agent_count(c, &agents, &running)) != ERR_OK ||
	    (e = system_spend(c, &s)) != ERR_OK))
		return e;
	jw_i64(w, "uptime_seconds", system_uptime_s(c));
	jw_i64(w, "panic_count", shm != NULL ? atomic_load(&shm->panics) : 0);
	jw_i64(w, "restart_count", shm != NULL ? atomic_load(&shm->restarts) : 0);
	jw_i64(w, "agent_count", agents);
	jw_str(w, "database", db_ok ? "connected" : "error");
	write_memory(c, w, db_ok);
	if (json_object_is_type(warnings, json_type_array)) {
		jw_json(w, "config_warnings", warnings);
	} else {
		jw_array(w, "config_warnings");
		jw_end(w);
	}
	jw_object(w, "event_bus");
	jw_i64(w, "dropped_events", shm != NULL ? (int64_t)atomic_load(&shm->event_drops) : 0);
	jw_end(w);
	write_budget(c, w, &s);
	write_llm(c, w, db_ok);
	return ERR_OK;
}

/*
 * System: health, status, versions, metrics, the API's own description.
 */
#include "handlers/handlers.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "handlers/cached.h"
#include "handlers/system.h"
#include "lib/base/shm.h"
#include "lib/svc/agent.h"
#include "lib/svc/config.h"
#include "lib/svc/metrics.h"
#include "lib/svc/security.h"
#include "lib/svc/system.h"
#include "lib/svc/vectors.h"
#include "version.h"

#define COMPAT "2026.9.14"              /* the release whose clients work with us */

static void
check(struct jw *w, const char *name, const char *status)
{
	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_str(w, "status", status);
	jw_end(w);
}

void
system_write_health(struct ctx *c, struct jw *w)
{
	bool db_ok = system_db_ok(c);

	jw_str(w, "status", db_ok ? "ok" : "degraded");
	jw_str(w, "version", LF_VERSION);
	jw_i64(w, "uptime_seconds", system_uptime_s(c));
	jw_array(w, "checks");
	check(w, "database", db_ok ? "ok" : "error");
	check(w, "embedding", vectors_state() == VECTORS_READY && !vectors_resting(c->now_ms) ? "ok" : "warn");
	jw_end(w);
}

struct reply
system_health(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	jw_object(w, NULL);
	system_write_health(c, w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
system_health_detail(struct ctx *c, const struct request *rq)
{
	bool db_ok = system_db_ok(c);
	struct jw *w = reply_open(c);

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "status", db_ok ? "ok" : "degraded");
	jw_str(w, "version", LF_VERSION);
	if (system_write_detail(c, db_ok, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	return reply_json(c, 200, w);
}

static void
ready_check(struct jw *w, const char *name, const char *status, bool required)
{
	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_str(w, "status", status);
	jw_bool(w, "required", required);
	jw_end(w);
}

struct reply
system_ready(struct ctx *c, const struct request *rq)
{
	bool db_ok = system_db_ok(c);
	bool daemon_ok = shm == NULL || atomic_load(&shm->daemon_ready) != 0;
	bool wanted = vectors_required(c->cfg), vectors_ok = vectors_state() == VECTORS_READY;
	bool ready = db_ok && daemon_ok && (vectors_ok || !wanted);
	struct jw *w = reply_open(c);

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "status", ready ? "ready" : "not_ready");
	jw_array(w, "checks");
	ready_check(w, "database", db_ok ? "ok" : "error", true);
	ready_check(w, "daemon", shm == NULL ? "skipped" : daemon_ok ? "ok" : "error", shm != NULL);
	ready_check(w, "embedding", vectors_ok ? "ok" : wanted ? "error" : "skipped", wanted);
	jw_end(w);
	jw_end(w);
	return reply_json(c, ready ? 200 : 503, w);
}

/* --- status --------------------------------------------------------------------- */

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

void
system_write_place(struct ctx *c, struct jw *w)
{
	const struct config *cfg = c->cfg;
	int64_t mb = system_memory_mb();
	char host[256];

	if (mb >= 0)
		jw_i64(w, "memory_used_mb", mb);
	else
		jw_null(w, "memory_used_mb");
	jw_str(w, "default_provider", or_empty(cfg->provider));
	jw_str(w, "default_model", or_empty(cfg->model));
	jw_i64(w, "uptime_seconds", system_uptime_s(c));
	jw_str(w, "api_listen", or_empty(cfg->listen));
	jw_str(w, "home_dir", or_empty(cfg->home));
	jw_str(w, "data_dir", or_empty(cfg->data_dir));
	jw_str(w, "log_level", or_empty(cfg->log_level));
	host[sizeof(host) - 1] = '\0';
	jw_str(w, "hostname", gethostname(host, sizeof(host) - 1) == 0 ? host : NULL);
	jw_bool(w, "network_enabled", cfg->network_enabled);
	jw_bool(w, "terminal_enabled", false);
	jw_bool(w, "config_exists", cfg->config_exists);
}

static enum err
make_status(struct ctx *c, const struct request *rq, struct jw *w)
{
	int64_t all = 0, running = 0, sessions = 0;
	enum err e;

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "status", "running");
	jw_str(w, "version", LF_VERSION);
	jw_array(w, "agents");
	if ((e = agent_write_status_rows(c, w, &all, &running)) != ERR_OK ||
	    (e = system_session_count(c, &sessions)) != ERR_OK)
		return e;
	jw_end(w);
	jw_i64(w, "agent_count", all);
	jw_i64(w, "active_agent_count", running);
	jw_i64(w, "session_count", sessions);
	system_write_place(c, w);
	jw_end(w);
	return ERR_OK;
}

struct reply
system_status(struct ctx *c, const struct request *rq)
{
	static struct cached_rows states;

	return cached_rows_reply(c, rq, &states, make_status);
}

/* --- versions --------------------------------------------------------------------- */

static void
write_support(struct jw *w)
{
	jw_str(w, "current", "v1");
	jw_array(w, "supported");
	jw_str(w, NULL, "v1");
	jw_end(w);
	jw_array(w, "deprecated");
	jw_end(w);
}

struct reply
system_version(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct utsname u;
	bool known = uname(&u) == 0;

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "name", "librefang");
	jw_str(w, "version", LF_VERSION);
	jw_str(w, "build_date", LF_BUILD_DATE);
	jw_str(w, "git_sha", LF_GIT_SHA);
	jw_str(w, "rust_version", "unknown");
	jw_str(w, "platform", "linux");
	jw_str(w, "arch", known ? u.machine : "unknown");
	jw_str(w, "compat", COMPAT);
	jw_object(w, "api");
	write_support(w);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
system_versions(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	jw_object(w, NULL);
	write_support(w);
	jw_array(w, "details");
	jw_object(w, NULL);
	jw_str(w, "version", "v1");
	jw_str(w, "status", "stable");
	jw_str(w, "url_prefix", "/api/v1");
	jw_end(w);
	jw_end(w);
	jw_object(w, "negotiation");
	jw_str(w, "header", "Accept");
	jw_str(w, "media_type_pattern", "application/vnd.librefang.<version>+json");
	jw_str(w, "example", "application/vnd.librefang.v1+json");
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- documents --------------------------------------------------------------------- */

struct reply
system_metrics(struct ctx *c, const struct request *rq)
{
	struct metric_route *rows = ctx_alloc(c, n_routes * sizeof(*rows));
	struct jw *w = reply_open(c);           /* for its buffer, which ends with the job */

	(void)rq;
	if (rows == NULL) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
		return reply_fail(c);
	}
	for (size_t i = 0; i < n_routes; i++)
		rows[i] = (struct metric_route){ verb_names[routes[i].verb], routes[i].path };
	if (metrics_write(c, LF_VERSION, rows, n_routes, w->b) != ERR_OK)
		return reply_fail(c);
	if (w->b->failed)
		return reply_json(c, 200, w);
	return reply_raw(c, 200, "text/plain; version=0.0.4; charset=utf-8", w->b->p, w->b->len);
}

struct reply
system_openapi(struct ctx *c, const struct request *rq)
{
	static struct cached_body body;

	return cached_reply(c, rq, &body, "application/json; charset=utf-8", openapi_text);
}

struct reply
system_security(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	if (security_write(c, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

/*
 * What a page that watches the installation asks for every few seconds, in one answer: how
 * it is, its agents, its providers, and how much there is of the rest.
 */
#include "handlers/handlers.h"

#include "handlers/cached.h"
#include "handlers/system.h"
#include "lib/base/shm.h"
#include "lib/svc/agent.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/system.h"
#include "lib/svc/toolcat.h"
#include "version.h"

static enum err
write_status(struct ctx *c, struct jw *w)
{
	int64_t all = 0, running = 0, sessions = 0;
	enum err e;

	if ((e = agent_count(c, &all, &running)) != ERR_OK || (e = system_session_count(c, &sessions)) != ERR_OK)
		return e;
	jw_object(w, "status");
	jw_str(w, "version", LF_VERSION);
	jw_i64(w, "agent_count", all);
	jw_i64(w, "active_agent_count", running);
	jw_i64(w, "session_count", sessions);
	system_write_place(c, w);
	jw_end(w);
	return ERR_OK;
}

static enum err
make_snapshot(struct ctx *c, const struct request *rq, struct jw *w)
{
	static const struct agent_filter newest = { .sort = "last_active", .order = "desc", .limit = -1, .include_hands = true };
	enum err e;

	(void)rq;
	jw_object(w, NULL);
	jw_object(w, "health");
	system_write_health(c, w);
	jw_end(w);
	if ((e = write_status(c, w)) != ERR_OK)
		return e;
	jw_array(w, "agents");
	if ((e = agent_write_items(c, &newest, w)) != ERR_OK)
		return e;
	jw_end(w);
	jw_array(w, "providers");
	(void)catalog_write_providers(w, c->cfg);       /* how many there are is not said here */
	jw_end(w);
	/* of features that are not there yet */
	jw_array(w, "channels");
	jw_end(w);
	jw_i64(w, "skillCount", 0);
	jw_i64(w, "workflowCount", 0);
	jw_bool(w, "webSearchAvailable", toolcat_find("web_search") != NULL);
	jw_end(w);
	return ERR_OK;
}

struct reply
dashboard_snapshot(struct ctx *c, const struct request *rq)
{
	static struct cached_rows kept;

	if (shm != NULL)
		atomic_store_explicit(&shm->providers_asked_ms, c->now_ms, memory_order_relaxed);
	return cached_rows_reply(c, rq, &kept, make_snapshot);
}

/*
 * Sessions: new, switched to, cleared.
 */
#include <string.h>

#include "daemon/compact.h"
#include "daemon/dbpool.h"
#include "daemon/parting.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/session_admin.h"

struct reply sessions_create(struct ctx *, const struct request *);
struct reply sessions_switch(struct ctx *, const struct request *);
struct reply agents_history_delete(struct ctx *, const struct request *);
struct reply agents_session_reset(struct ctx *, const struct request *);
struct reply agents_session_reboot(struct ctx *, const struct request *);
struct reply agents_session_compact(struct ctx *, const struct request *);
struct reply sessions_remove(struct ctx *, const struct request *);

enum { WAIT_MS = 300000, STOP_WAIT_MS = 5000 };

static enum err
create_current(struct ctx *c, const char *agent_id, const char *label, char id[static 37])
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = session_create(c, agent_id, NULL, label, id);
	if (e == ERR_OK)
		e = session_make_current(c, agent_id, id);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

struct reply
sessions_create(struct ctx *c, const struct request *rq)
{
	const struct session_request *in = rq->body_struct;
	struct jw *w = reply_open(c);
	const char *label = NULL;
	struct agent a;
	char id[37];
	enum err e;

	e = request_agent(c, rq, &a);
	if (e == ERR_OK)
		e = session_label(c, in->label, &label);
	if (e == ERR_OK)
		e = create_current(c, a.id, label, id);
	if (e != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "session_id", id);
	jw_str(w, "agent_id", a.id);
	jw_str(w, "label", label);
	jw_i64(w, "message_count", 0);
	jw_time(w, "created_at", c->now_ms);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
sessions_switch(struct ctx *c, const struct request *rq)
{
	struct session s;
	struct agent a;
	char id[37];
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = request_session_id(c, rq, "session_id", id);
	if (e == ERR_OK)
		e = session_of(c, &a, id, &s);
	if (e == ERR_OK)
		e = session_make_current(c, a.id, id);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "message", "Session switched", NULL);
}

struct reply
agents_history_delete(struct ctx *c, const struct request *rq)
{
	struct agent a;
	char id[37];
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = history_clear(c, a.id, NULL, id);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "message", "All history cleared", NULL);
}

/* Waits for running turns, so that none of them writes into what is cleared. */
static enum err
begin_anew(struct ctx *c, const struct request *rq, bool remembered, struct agent *a, char id[static 37])
{
	bool idle;
	enum err e = request_agent(c, rq, a);

	if (e != ERR_OK)
		return e;
	idle = parting_wait(c, a->id, WAIT_MS);
	return idle ? remembered ? parting_clear(c, a, id) : history_clear(c, a->id, NULL, id) : fail(c, ERR_BUSY, "a turn of the agent does not end");
}

struct reply
agents_session_reset(struct ctx *c, const struct request *rq)
{
	struct agent a;
	char id[37];

	if (begin_anew(c, rq, true, &a, id) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "message", "Session reset", "agent_id", a.id,
	    "new_session_id", id, NULL);
}

struct reply
agents_session_reboot(struct ctx *c, const struct request *rq)
{
	struct agent a;
	char id[37];

	if (begin_anew(c, rq, false, &a, id) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "message", "Session rebooted. Context cleared.", "agent_id", a.id,
	    "new_session_id", id, NULL);
}

struct reply
agents_session_compact(struct ctx *c, const struct request *rq)
{
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	struct compacted done;
	struct agent a;
	enum err e = k == NULL ? fail(c, ERR_NOMEM, "out of memory") : request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = compact_session(c, &a, k, &done);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "message", ctx_printf(c, "Compacted %zu messages into summary (%zu chars), "
	    "kept %lld recent messages. Post-audit: clean.", done.gone, done.chars, (long long)done.kept), NULL);
}

/* What runs in it is stopped first. */
struct reply
sessions_remove(struct ctx *c, const struct request *rq)
{
	struct session s;
	char id[37];
	enum err e = request_session_id(c, rq, "id", id);

	if (e == ERR_OK)
		e = session_seen(c, id, &s);
	if (e == ERR_OK && turns_cancel(s.agent_id, id, CANCEL_USER) > 0) {
		job_db_release(c);
		(void)turns_wait_idle(s.agent_id, STOP_WAIT_MS);
		job_db_acquire(c);
	}
	if (e == ERR_OK)
		e = session_remove(c, id);
	return e == ERR_OK || e == ERR_NOT_FOUND ? reply_empty(c) : reply_fail(c);
}

/*
 * Agents put to rest and woken, read again from their file, and what they are doing now.
 */
#include <string.h>

#include "daemon/live/agents.h"
#include "daemon/delegate.h"
#include "daemon/events.h"
#include "daemon/place.h"
#include "daemon/running.h"
#include "daemon/schedule.h"
#include "daemon/spawn.h"
#include "daemon/turn.h"
#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/api/api.h"
#include "lib/base/util.h"
#include "lib/svc/turn_store.h"

struct reply agents_suspend(struct ctx *, const struct request *);
struct reply agents_resume(struct ctx *, const struct request *);
struct reply agents_reload(struct ctx *, const struct request *);
struct reply sessions_stop(struct ctx *, const struct request *);
struct reply agents_inject(struct ctx *, const struct request *);

enum { INJECT_MAX = 16384, AT_ONCE_MAX = 64 };

enum err
agent_enable(struct ctx *c, const struct agent *a, bool on)
{
	const char *state = on ? "Running" : "Suspended";
	struct json_object *m = NULL;
	enum err e;

	if (js_bool(a->manifest, "enabled", true) == on) {
		e = agent_set_state(c, a->id, state);
	} else if ((e = manifest_copy(c, a, &m)) == ERR_OK) {
		json_object_object_add(m, "enabled", json_object_new_boolean(on));
		e = agent_update_also(c, a, m, &(struct agent_also){ .state = state });
	}
	schedule_look();
	events_look();
	delegate_look();
	return e;
}

static struct reply
enable(struct ctx *c, const struct request *rq, bool on)
{
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = agent_enable(c, &a, on);
	if (e != ERR_OK)
		return reply_fail(c);
	if (!on)
		(void)turns_cancel(a.id, NULL, CANCEL_USER);
	return reply_words(c, 200, "status", on ? "running" : "suspended", "agent_id", a.id, NULL);
}

struct reply
agents_suspend(struct ctx *c, const struct request *rq)
{
	return enable(c, rq, false);
}

struct reply
agents_resume(struct ctx *c, const struct request *rq)
{
	return enable(c, rq, true);
}

struct reply
agents_reload(struct ctx *c, const struct request *rq)
{
	SCOPED_BUF b = BUF_INIT(MANIFEST_BYTES_MAX + 1);
	const char *dir;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e != ERR_OK)
		return reply_fail(c);
	if (place_settled(c, &a) != ERR_OK || place_alone(c, &a) != ERR_OK)
		return reply_fail(c);
	dir = manifest_workspace(c, a.manifest, a.id);
	e = dir == NULL ? fail(c, ERR_NOT_FOUND, "Agent has no workspace")
	    : sandbox_read(c, dir, "agent.toml", strlen("agent.toml"), MANIFEST_BYTES_MAX, &b);
	if (e == ERR_NOT_FOUND)
		e = fail(c, ERR_NOT_FOUND, "The agent's agent.toml is not there");
	if (e == ERR_OK)
		e = agent_replace(c, &a, b.p != NULL ? b.p : "", b.len);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "reloaded", "agent_id", a.id, NULL);
}

struct reply
sessions_stop(struct ctx *c, const struct request *rq)
{
	struct agent a;
	struct jw *w;
	char id[37];
	unsigned n = 0;

	if (request_agent_id(c, rq, id) != ERR_OK)
		return reply_fail(c);
	if (agent_load(c, id, &a) == ERR_OK) {
		char session[37];

		if (request_session_id(c, rq, "session_id", session) != ERR_OK)
			return reply_fail(c);
		n = turns_cancel(id, session, CANCEL_USER);
	}
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_bool(w, "stopped", n > 0);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- said into what runs -------------------------------------------------------------------- */

/* First the row, then the word to the turn: what it does not take any more is not accepted. */
static enum err
inject_one(struct ctx *c, const char *turn_id, const struct buf *text, unsigned *taken, unsigned *full)
{
	int64_t n;
	bool was = false;
	enum err e = injection_put(c, turn_id, text->p, text->len, &n);

	if (e == ERR_CONFLICT || (e == ERR_OK && n == 0)) {
		*full += e == ERR_OK;
		return ERR_OK;                  /* a turn that is gone */
	}
	if (e == ERR_OK && !running_nudge(turn_id))
		e = injection_drop(c, turn_id, n, &was);
	*taken += e == ERR_OK && !was;
	return e;
}

static enum err
inject(struct ctx *c, const char *agent_id, const char *session_id, const char *message, unsigned *taken)
{
	SCOPED_BUF b = BUF_INIT(INJECT_MAX * 7);
	char turns[AT_ONCE_MAX][37];
	unsigned n = running_turns(agent_id, session_id, turns, AT_ONCE_MAX), full = 0;
	enum err e = ERR_OK;

	json_quote(&b, message, strlen(message));
	if (b.failed)
		return fail(c, ERR_NOMEM, "out of memory");
	for (unsigned i = 0; e == ERR_OK && i < n; i++)
		e = inject_one(c, turns[i], &b, taken, &full);
	if (e == ERR_OK && *taken == 0 && full > 0)
		e = fail_code(c, ERR_UNAVAILABLE, "backpressure", "%d messages wait for the agent already", INJECTIONS_MAX);
	return e;
}

struct reply
agents_inject(struct ctx *c, const struct request *rq)
{
	const struct inject_request *in = rq->body_struct;
	bool all = in->session_id == NULL || in->session_id[0] == '\0';
	char session[37];
	struct agent a;
	struct jw *w;
	unsigned taken = 0;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && !all)
		e = session_id_of(c, in->session_id, session);
	if (e == ERR_OK && strlen(in->message) > INJECT_MAX)
		e = fail(c, ERR_TOO_LARGE, "injection message too large");
	if (e == ERR_OK && text_blank(in->message))
		e = fail(c, ERR_BAD_REQUEST, "message: at least one character is expected");
	if (e == ERR_OK)
		e = inject(c, a.id, all ? NULL : session, in->message, &taken);
	if (e != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "injected", taken > 0);
	jw_end(w);
	return reply_json(c, 200, w);
}

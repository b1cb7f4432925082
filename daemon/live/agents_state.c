/*
 * Agents put to rest and woken, read again from their file, and what they are doing now.
 */
#include <string.h>

#include "daemon/live/agents.h"
#include "daemon/running.h"
#include "daemon/spawn.h"
#include "daemon/turn.h"
#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/api/api.h"
#include "lib/base/util.h"

struct reply agents_suspend(struct ctx *, const struct request *);
struct reply agents_resume(struct ctx *, const struct request *);
struct reply agents_reload(struct ctx *, const struct request *);
struct reply sessions_stop(struct ctx *, const struct request *);

enum err
agent_enable(struct ctx *c, const struct agent *a, bool on)
{
	struct json_object *m = NULL;
	enum err e = ERR_OK;

	if (js_bool(a->manifest, "enabled", true) != on) {
		e = manifest_copy(c, a, &m);
		if (e == ERR_OK)
			json_object_object_add(m, "enabled", json_object_new_boolean(on));
		if (e == ERR_OK)
			e = agent_update(c, a, m);
	}
	return e == ERR_OK ? agent_set_state(c, a->id, on ? "Running" : "Suspended") : e;
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

		if (!uuid_parse(path_arg(rq, "session_id"), session)) {
			ignore_err(fail_code(c, ERR_BAD_REQUEST, "invalid_session_id", "Invalid session ID"));
			return reply_fail(c);
		}
		n = turns_cancel(id, session, CANCEL_USER);
	}
	if ((w = reply_open(c)) != NULL) {
		jw_object(w, NULL);
		jw_str(w, "status", "ok");
		jw_bool(w, "stopped", n > 0);
		jw_end(w);
	}
	return reply_json(c, 200, w);
}

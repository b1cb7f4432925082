/*
 * Pulses: from the loop's row (what was due) and the agent's (when it was heard of).
 */
#include "lib/svc/heartbeat.h"

#include "db/db.h"
#include "lib/svc/config.h"

enum { TIMEOUT_MAX_S = 366 * 86400 };

static int64_t
timeout_ms(const struct config *cfg, struct json_object *manifest)
{
	struct json_object *own = js_obj(manifest, "autonomous");
	int64_t s = js_i64(own, "heartbeat_timeout_secs", 0);

	if (s <= 0 && own != NULL)
		s = 2 * js_i64(own, "heartbeat_interval_secs", 30);
	if (s <= 0)
		s = cfg->heartbeat_timeout_s;
	return (s < 1 ? 1 : s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : s) * 1000;
}

enum err
pulse_each(struct ctx *c, bool (*fn)(void *, const struct pulse *), void *arg)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT a.id AS id, a.name AS name, a.manifest AS manifest, l.silent AS silent,"
	    " a.last_active_ms AS heard, l.expect_ms AS expect, l.due_ms AS due FROM agent_loop l JOIN agent a ON a.id = l.agent_id"
	    " WHERE a.state = 'Running' AND a.has_processed <> 0"));

	while (db_step(st)) {
		int64_t heard = col_i64(st, "heard"), expect = col_i64(st, "expect");
		struct pulse p = { .agent_id = col_text(c, st, "id"), .name = col_text(c, st, "name"), .silent = col_i64(st, "silent") != 0,
			.manifest = json_stored(c, col_text(c, st, "manifest")) };

		if (p.agent_id == NULL || p.name == NULL || p.manifest == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		if (expect > heard)             /* a slot came, and no sign of life since */
			p.late_ms = expect + timeout_ms(c->cfg, p.manifest);
		else if (!col_is_null(st, "due"))
			p.late_ms = col_i64(st, "due") + timeout_ms(c->cfg, p.manifest);
		else
			p.late_ms = INT64_MAX;
		if (!fn(arg, &p))
			return ERR_OK;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
pulse_note(struct ctx *c, const char *agent_id, bool silent)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET silent = ? WHERE agent_id = ?"));

	bind_i64(st, silent);
	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

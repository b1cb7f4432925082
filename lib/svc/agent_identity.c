/*
 * A name keeps its id: the pair is recorded at the first spawn and moves
 * along with a rename, so that the old name is free for another agent.
 */
#include "lib/svc/agent_identity.h"

#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/agent_write.h"

#define AGENT_NAMESPACE "9b6ae32d-7a4f-4c1e-8d0f-a1b2c3d4e5f6"

static enum err
id_lives(struct ctx *c, const char *id, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM agent WHERE id = ?"));

	bind_text(st, id);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_identity(struct ctx *c, const char *name, char ret[static 37])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT agent_id FROM agent_identity WHERE name = ?"));
	const char *full = ctx_printf(c, "agent:%s", name), *known;
	bool lives;
	enum err e;

	bind_text(st, name);
	known = db_step(st) ? col_text(c, st, "agent_id") : NULL;
	if (full == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (known == NULL && db_end(st) != ERR_OK)
		return fail_db(c, st);
	if (known != NULL)
		snprintf(ret, 37, "%s", known);
	else
		uuid5(AGENT_NAMESPACE, full, strlen(full), ret);
	if ((e = id_lives(c, ret, &lives)) == ERR_OK && lives)
		uuid4(ret);
	return e;
}

enum err
agent_identity_record(struct ctx *c, const char *name, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO agent_identity (name, agent_id, created_ms) VALUES (?, ?, ?)"
	    " ON CONFLICT (name) DO UPDATE SET agent_id = excluded.agent_id"));

	bind_text(st, name);
	bind_text(st, id);
	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_identity_move(struct ctx *c, const char *id, const char *name)
{
	SCOPED_STMT drop = db_prepare(c->db, SQL("DELETE FROM agent_identity WHERE agent_id = ? AND name <> ?"));

	bind_text(drop, id);
	bind_text(drop, name);
	if (db_exec(drop) != ERR_OK)
		return fail_db(c, drop);
	return agent_identity_record(c, name, id);
}

enum err
agent_identities_write(struct ctx *c, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT name, agent_id, created_ms FROM agent_identity ORDER BY name LIMIT 100000"));

	while (db_step(st)) {
		jw_object(w, NULL);
		jw_str(w, "name", col_text(c, st, "name"));
		jw_str(w, "canonical_uuid", col_text(c, st, "agent_id"));
		jw_time(w, "created_at", col_i64(st, "created_ms"));
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_identity_forget(struct ctx *c, const char *name, const char **ret_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM agent_identity WHERE name = ? RETURNING agent_id"));

	bind_text(st, name);
	*ret_id = db_step(st) ? col_text(c, st, "agent_id") : NULL;
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return *ret_id != NULL ? ERR_OK
	    : fail_code(c, ERR_NOT_FOUND, "identity_not_found", "no canonical UUID recorded for agent name '%s'", name);
}

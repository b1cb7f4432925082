/* Agents, the writing side. */
#include "lib/svc/agent_write.h"

#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/agent_identity.h"
#include "lib/svc/event.h"
#include "lib/svc/memory.h"
#include "lib/svc/history.h"
#include "lib/svc/leftover.h"
#include "lib/svc/schedule.h"

static const char *
object_text(struct ctx *c, struct json_object *o)
{
	struct buf b = BUF_INIT(4 << 20);
	struct jw w = JW_INIT(&b);
	char *s;

	jw_json(&w, NULL, o);
	s = b.failed ? NULL : ctx_strndup(c, b.p, b.len);
	buf_done(&b);
	return s;
}

static enum err
taken(struct ctx *c, const char *name)
{
	return fail_code(c, ERR_CONFLICT, "agent_already_exists", "Agent error: Agent already exists: %s", name);
}

static enum err
name_taken(struct ctx *c, struct stmt *st, const char *name)
{
	return db_end(st) == ERR_CONFLICT ? taken(c, name) : fail_db(c, st);
}

enum err
agent_name_free(struct ctx *c, const char *name)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM agent WHERE name = ?"));

	bind_text(st, name);
	if (db_step(st))
		return taken(c, name);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* It says so itself, or by a tag. */
static bool
is_of_hand(struct json_object *m)
{
	struct json_object *tags = js_arr(m, "tags");
	const char *tag;

	for (size_t i = 0; tags != NULL && i < json_object_array_length(tags); i++)
		if ((tag = json_object_get_string(json_object_array_get_idx(tags, i))) != NULL && strncmp(tag, "hand:", 5) == 0)
			return true;
	return js_bool(m, "is_hand", false);
}

static void
bind_manifest(struct ctx *c, struct stmt *st, const char *toml, struct json_object *m)
{
	struct json_object *mm = js_obj(m, "model");

	bind_text(st, js_str_or(m, "name", "unnamed"));
	bind_text(st, js_str_or(m, "author", ""));
	bind_text(st, js_str_or(m, "description", ""));
	bind_text(st, js_str_or(mm, "provider", "default"));
	bind_text(st, js_str_or(mm, "model", "default"));
	bind_text(st, toml);
	bind_text(st, object_text(c, m));
	bind_text(st, agent_list_fragment(c, m));
	bind_i64(st, is_of_hand(m));
}

static enum err
insert_row(struct ctx *c, const struct agent_new *a, const char *id, const char *session_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO agent (name, author, description, provider, model,"
	    " manifest_toml, manifest, list_json, is_hand, id, state, template, parent_id, session_id,"
	    " created_ms, last_active_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));

	bind_manifest(c, st, a->manifest_toml, a->manifest);
	bind_text(st, id);
	bind_text(st, js_bool(a->manifest, "enabled", true) ? "Running" : "Suspended");
	bind_text(st, a->template_name);
	bind_text(st, a->parent_id);
	bind_text(st, session_id);
	bind_i64(st, c->now_ms);
	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : name_taken(c, st, a->name);
}

enum err
agent_insert(struct ctx *c, const struct agent_new *a, char ret_id[static 37])
{
	SCOPED_TX tx = { 0 };
	char session_id[37];
	enum err e = tx_begin(c, &tx);

	uuid4(session_id);
	if (e == ERR_OK && a->id != NULL)
		memcpy(ret_id, a->id, 37);
	else if (e == ERR_OK)
		e = agent_identity(c, a->name, ret_id);
	if (e == ERR_OK)
		e = insert_row(c, a, ret_id, session_id);
	if (e == ERR_OK)
		e = session_create(c, ret_id, session_id, NULL, session_id);
	if (e == ERR_OK)
		e = schedule_sync(c, ret_id, a->manifest, js_bool(a->manifest, "enabled", true));
	if (e == ERR_OK)
		e = event_publish(c, EVENT_SPAWNED, ret_id, a->name, strlen(a->name), a->depth);
	if (e == ERR_OK && a->parent_id == NULL)
		e = agent_identity_record(c, a->name, ret_id);
	if (e == ERR_OK)
		e = audit_append(c, &(struct audit){ .agent_id = ret_id, .action = "AgentSpawn",
		    .detail = a->name, .outcome = "ok", .channel = c->who != NULL ? "api" : NULL });
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
update_row(struct ctx *c, const char *id, const char *toml, struct json_object *m)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET name = ?, author = ?, description = ?, provider = ?,"
	    " model = ?, manifest_toml = ?, manifest = ?, list_json = ?, is_hand = ?, state = ? WHERE id = ?"));

	bind_manifest(c, st, toml, m);
	bind_text(st, js_bool(m, "enabled", true) ? "Running" : "Suspended");
	bind_text(st, id);
	if (db_exec(st) != ERR_OK)
		return name_taken(c, st, js_str_or(m, "name", "unnamed"));
	if (db_changes(st) == 0)
		return fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
	return ERR_OK;
}

static enum err
store_also(struct ctx *c, const char *id, const struct agent_also *also)
{
	enum err e = ERR_OK;

	if (also->state != NULL)
		e = agent_set_state(c, id, also->state);
	if (e == ERR_OK && also->identity != NULL)
		e = agent_set_identity(c, id, also->identity);
	if (e == ERR_OK && also->note != NULL)
		e = audit_append(c, &(struct audit){ .agent_id = id, .action = "ConfigChange", .detail = also->note, .outcome = "ok" });
	return e;
}

enum err
agent_store(struct ctx *c, const char *id, const char *toml, struct json_object *m, const struct agent_also *also)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = update_row(c, id, toml, m);
	if (e == ERR_OK)
		e = agent_identity_move(c, id, js_str_or(m, "name", "unnamed"));
	if (e == ERR_OK)
		e = schedule_sync(c, id, m, js_bool(m, "enabled", true));
	if (e == ERR_OK && also != NULL)
		e = store_also(c, id, also);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
one_row(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (db_changes(st) == 0)
		return fail_code(c, ERR_NOT_FOUND, "agent_not_found", "Agent not found");
	return ERR_OK;
}

enum err
agent_set_mode(struct ctx *c, const char *id, const char *mode, bool stable)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET mode = ?, stable = ? WHERE id = ?"));

	bind_text(st, mode);
	bind_i64(st, stable);
	bind_text(st, id);
	return one_row(c, st);
}

enum err
agent_set_state(struct ctx *c, const char *id, const char *state)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET state = ? WHERE id = ?"));

	enum err e;

	bind_text(st, state);
	bind_text(st, id);
	e = one_row(c, st);
	return e == ERR_OK ? event_publish(c, EVENT_LIFECYCLE, id, state, strlen(state), 0) : e;
}

enum err
agent_set_identity(struct ctx *c, const char *id, struct json_object *identity)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET identity = ? WHERE id = ?"));

	bind_text(st, object_text(c, identity));
	bind_text(st, id);
	return one_row(c, st);
}

static enum err
run1(struct ctx *c, const char *sql, const char *id, int64_t *changed)
{
	SCOPED_STMT st = db_prepare(c->db, sql);

	bind_text(st, id);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (changed != NULL)
		*changed = db_changes(st);
	return ERR_OK;
}

static enum err
publish_end(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT name FROM agent WHERE id = ?"));
	const char *name;

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
	name = col_text(c, st, "name");
	return name == NULL ? fail(c, ERR_NOMEM, "out of memory") : event_publish(c, EVENT_TERMINATED, id, name, strlen(name), 0);
}

enum err
agent_remove(struct ctx *c, const char *id, bool purge, const char *dir, bool *ret_was)
{
	SCOPED_TX tx = { 0 };
	int64_t n = 0;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = publish_end(c, id);
	if (e == ERR_OK)
		e = run1(c, SQL("DELETE FROM agent WHERE id = ?"), id, &n);
	if (e == ERR_OK && n > 0)
		e = run1(c, SQL("DELETE FROM kv WHERE agent_id = ?"), id, NULL);
	if (e == ERR_OK && n > 0)
		e = memory_remove(c, id);
	if (e == ERR_OK && n > 0)
		e = run1(c, SQL("UPDATE agent SET parent_id = NULL WHERE parent_id = ?"), id, NULL);
	if (e == ERR_OK && n > 0)
		e = audit_append(c, &(struct audit){ .agent_id = id, .action = "AgentKill",
		    .detail = purge ? "purged" : "the name keeps its id", .outcome = "ok", .channel = c->who != NULL ? "api" : NULL });
	if (e == ERR_OK && purge)
		e = run1(c, SQL("DELETE FROM agent_identity WHERE agent_id = ?"), id, NULL);
	if (e == ERR_OK && n > 0 && dir != NULL)
		e = leftover_add(c, dir);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	*ret_was = n > 0;
	return e;
}

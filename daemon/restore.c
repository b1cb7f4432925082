/*
 * Restoring agents.
 *
 * Rows are the agents; what may differ from them is the file that people edit. Most files are the same as what is stored, so they are
 * only compared; the few that differ are read as a manifest. One that is none leaves its agent as it was.
 */
#include "daemon/restore.h"

#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/place.h"
#include "daemon/spawn.h"
#include "daemon/underway.h"
#include "db/db.h"
#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { CHANGED_MAX = 4096 };

static const char file_name[] = "agent.toml";

/* --- was the last stop one? ---------------------------------------------------------- */

static enum err
note(struct ctx *c, const char *what, const char **ret_was)
{
	SCOPED_STMT was = db_prepare(c->db, SQL("SELECT value FROM meta WHERE name = 'daemon'"));
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('daemon', ?)"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));

	*ret_was = db_step(was) ? col_text(c, was, "value") : "stopped";
	while (db_step(was))
		;
	bind_text(st, what);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
tell_of_crash(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT (SELECT count(*) FROM agent WHERE state IN ('Running', 'Crashed')) AS agents,"
	    " (SELECT count(*) FROM turn WHERE ended_ms IS NULL AND state IN ('queued', 'running')) AS turns"));

	if (!db_step(st))
		return fail_db(c, st);
	log_line(LOG_WARN, "what=unclean_shutdown agents=%lld turns=%lld", (long long)col_i64(st, "agents"), (long long)col_i64(st, "turns"));
	return ERR_OK;
}

void
restore_note_end(struct db *db)
{
	SCOPED_STMT st = db_prepare(db, SQL("UPDATE meta SET value = 'stopped' WHERE name = 'daemon'"));

	ignore_err(db_exec(st));        /* then the next start takes it for a crash, which is no harm */
}

/* --- files --------------------------------------------------------------------------- */

static bool
differs(struct ctx *c, struct stmt *st, struct buf *file)
{
	const char *stored, *whole = col_text(c, st, "placed"), *dir;
	struct json_object *m = whole != NULL ? json_stored(c, whole) : json_keep(c, json_object_new_object());
	size_t n;

	if (whole == NULL)
		json_object_object_add(m, "name", json_object_new_string(col_peek(st, "name", &n)));
	dir = manifest_workspace(c, m, col_text(c, st, "id"));
	buf_clear(file);
	if (dir == NULL || sandbox_read(c, dir, file_name, strlen(file_name), MANIFEST_BYTES_MAX, file) != ERR_OK)
		return false;
	stored = col_peek(st, "manifest_toml", &n);
	if (stored == NULL || (n == file->len && memcmp(stored, file->p, n) == 0))
		return false;
	return !place_owes(c, col_text(c, st, "id"));   /* then it is old, not edited */
}

/* Ids of agents whose file is another than what is stored. */
static enum err
find_changed(struct ctx *c, struct json_object *ids)
{
	SCOPED_BUF file = BUF_INIT(MANIFEST_BYTES_MAX + 1);
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, name, manifest_toml,"
	    " CASE WHEN manifest LIKE '%\"workspace\":\"%' THEN manifest END AS placed FROM agent"));
	struct ctx side = *c;

	if ((side.arena = arena_new(16384)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	while (db_step(st)) {
		if (differs(&side, st, &file) && json_object_array_length(ids) < CHANGED_MAX)
			json_object_array_add(ids, json_object_new_string(col_text(c, st, "id")));
		arena_reset(side.arena);
	}
	arena_free(side.arena);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static bool
same_text(struct json_object *a, struct json_object *b, const char *key)
{
	return strcmp(js_str_or(a, key, ""), js_str_or(b, key, "")) == 0;
}

/* Name and place are the agent's; otherwise the file is taken as it was written, remarks and all. */
static enum err
take_file(struct ctx *c, const char *id)
{
	SCOPED_BUF file = BUF_INIT(MANIFEST_BYTES_MAX + 1);
	struct json_object *m = NULL;
	struct agent a;
	const char *dir, *toml;
	enum err e = agent_load(c, id, &a);

	if (e == ERR_OK)
		e = place_alone(c, &a);
	if (e != ERR_OK)
		return e;
	dir = manifest_workspace(c, a.manifest, id);
	e = sandbox_read(c, dir, file_name, strlen(file_name), MANIFEST_BYTES_MAX, &file);
	if (e == ERR_OK && (toml = ctx_strndup(c, file.len > 0 ? file.p : "", file.len)) == NULL)
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = manifest_parse(c, toml, file.len, &m);
	if (e != ERR_OK)
		return e;
	if (same_text(m, a.manifest, "name") && same_text(m, a.manifest, "workspace"))
		return agent_store(c, id, toml, m, NULL);
	return agent_replace(c, &a, toml, file.len);
}

static enum err
take_files(struct ctx *c)
{
	struct json_object *ids = json_keep(c, json_object_new_array());
	enum err e = ids == NULL ? fail(c, ERR_NOMEM, "out of memory") : find_changed(c, ids);

	for (size_t i = 0, n = e == ERR_OK ? json_object_array_length(ids) : 0; i < n; i++) {
		const char *id = json_object_get_string(json_object_array_get_idx(ids, i));
		enum err taken = take_file(c, id);
		char q[600];

		if (taken == ERR_OK)
			log_line(LOG_INFO, "agent=%s what=\"agent.toml was changed and is taken\"", id);
		else
			log_line(LOG_WARN, "agent=%s what=\"agent.toml was changed and cannot be taken\" why=%s", id,
			    log_quote(c->fault.msg != NULL ? c->fault.msg : "?", q, sizeof(q)));
		job_db_acquire(c);
	}
	c->fault = (struct fault){ 0 };
	return e;
}

/* --- states ---------------------------------------------------------------------------- */

static enum err
set_states(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, state, manifest FROM agent WHERE state <> 'Running'"
	    " OR manifest LIKE '%\"enabled\":false%'"));
	SCOPED_STMT now = db_prepare(c->db, SQL("UPDATE agent SET last_active_ms = ?"));
	struct json_object *on = json_keep(c, json_object_new_array()), *off = json_keep(c, json_object_new_array());
	enum err e = on == NULL || off == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;

	while (e == ERR_OK && db_step(st)) {
		bool enabled = js_bool(json_stored(c, col_text(c, st, "manifest")), "enabled", true);

		if (strcmp(col_text(c, st, "state"), enabled ? "Running" : "Suspended") != 0)
			json_object_array_add(enabled ? on : off, json_object_new_string(col_text(c, st, "id")));
	}
	if (e == ERR_OK && db_end(st) != ERR_OK)
		e = fail_db(c, st);
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(on); i++)
		e = agent_set_state(c, json_object_get_string(json_object_array_get_idx(on, i)), "Running");
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(off); i++)
		e = agent_set_state(c, json_object_get_string(json_object_array_get_idx(off, i)), "Suspended");
	bind_i64(now, c->now_ms);
	if (e == ERR_OK && db_exec(now) != ERR_OK)
		e = fail_db(c, now);
	return e;
}

enum err
agents_restore(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	const char *was = NULL;
	enum err e;

	underway_boot(c);
	e = take_files(c);
	job_db_release(c);
	if (e == ERR_OK)
		e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = note(c, "running", &was);
	if (e == ERR_OK && was != NULL && strcmp(was, "running") == 0)
		e = tell_of_crash(c);
	if (e == ERR_OK)
		e = set_states(c);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

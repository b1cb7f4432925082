/* The newest fifty texts of each template that was changed over the API. */
#include "lib/svc/template_version.h"

#include "db/db.h"
#include "lib/base/util.h"

static enum err
insert(struct ctx *c, const char *name, const char *toml, const char *source)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO template_version (id, name, ts_ms, manifest_toml, change_source)"
	    " SELECT coalesce(max(id), 0) + 1, ?1, ?2, ?3, ?4 FROM template_version"));

	bind_text(st, name);
	bind_i64(st, clock_ms());
	bind_text(st, toml);
	bind_text(st, source);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
forget(struct ctx *c, const char *name)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM template_version WHERE name = ?1 AND id <="
	    " (SELECT id FROM template_version WHERE name = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"));

	bind_text(st, name);
	bind_i64(st, TEMPLATE_VERSIONS_MAX);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
template_version_add(struct ctx *c, const char *name, const char *toml, const char *source)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = insert(c, name, toml, source);
	if (e == ERR_OK)
		e = forget(c, name);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

enum err
template_version_newest(struct ctx *c, const char *name, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT manifest_toml FROM template_version WHERE name = ? ORDER BY id DESC LIMIT 1"));

	*ret = NULL;
	bind_text(st, name);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
	*ret = col_text(c, st, "manifest_toml");
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
template_versions_write(struct ctx *c, const char *name, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, name, ts_ms, manifest_toml, change_source FROM template_version"
	    " WHERE name = ? ORDER BY id DESC LIMIT 50"));

	bind_text(st, name);
	while (db_step(st)) {
		jw_object(w, NULL);
		jw_i64(w, "id", col_i64(st, "id"));
		jw_str(w, "template_name", col_text(c, st, "name"));
		jw_time(w, "timestamp", col_i64(st, "ts_ms"));
		jw_str(w, "manifest_toml", col_text(c, st, "manifest_toml"));
		jw_str(w, "change_source", col_text(c, st, "change_source"));
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
template_version_load(struct ctx *c, const char *name, int64_t id, const char **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT manifest_toml FROM template_version WHERE name = ? AND id = ?"));

	bind_text(st, name);
	bind_i64(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? fail_code(c, ERR_NOT_FOUND, "version_not_found", "No such version of the template")
		    : fail_db(c, st);
	*ret = col_text(c, st, "manifest_toml");
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

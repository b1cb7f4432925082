/*
 * The rows over the catalog, written.
 */
#include "lib/svc/catalog_edit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "lib/svc/catalog_data.h"

static enum err
run(struct ctx *c, struct stmt *st)
{
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The two texts of a row. */
static enum err
run_with(struct ctx *c, struct stmt *st, const char *key, const char *value)
{
	bind_text(st, key);
	bind_text(st, value);
	return run(c, st);
}

/* --- aliases --------------------------------------------------------------------- */

enum err
alias_put(struct ctx *c, const char *folded, const char *model_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO model_alias (alias, model_id) VALUES (?, ?)"
	    " ON CONFLICT (alias) DO UPDATE SET model_id = excluded.model_id"));

	return run_with(c, st, folded, model_id);
}

enum err
alias_drop(struct ctx *c, const char *folded)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM model_alias WHERE alias = ?"));

	bind_text(st, folded);
	return run(c, st);
}

enum err
alias_clear(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM model_alias"));

	return run(c, st);
}

enum err
alias_rows(struct ctx *c, struct json_object **ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT alias, model_id FROM model_alias ORDER BY alias LIMIT 10000"));
	struct json_object *all = json_keep(c, json_object_new_object());

	while (all != NULL && db_step(st))
		json_object_object_add(all, col_text(c, st, "alias"), json_object_new_string(col_text(c, st, "model_id")));
	*ret = all;
	return db_end(st) == ERR_OK && all != NULL ? ERR_OK : fail_db(c, st);
}

/* --- models ------------------------------------------------------------------------ */

static const char *
folded(struct ctx *c, const char *s)
{
	char small[CATALOG_NAME_MAX + 1];
	char *copy;

	if (catalog_fold(s, small))
		return ctx_strdup(c, small);
	if ((copy = ctx_strdup(c, s)) != NULL)
		for (char *p = copy; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
	return copy;
}

enum err
custom_put(struct ctx *c, const char *id, const char *provider, const char *facts)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO model_custom (id, provider, facts, created_ms) VALUES (?, ?, ?, ?)"));

	bind_text(st, folded(c, id));
	bind_text(st, provider);
	bind_text(st, facts);
	bind_i64(st, c->now_ms);
	if (db_exec(st) == ERR_OK)
		return ERR_OK;
	if (db_end(st) == ERR_CONFLICT)
		return fail(c, ERR_CONFLICT, "Model '%.200s' of provider '%s' is known already", id, provider);
	return fail_db(c, st);
}

enum err
custom_drop(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM model_custom WHERE id = ?"));

	bind_text(st, folded(c, id));
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	return db_changes(st) > 0 ? ERR_OK
	    : fail_code(c, ERR_NOT_FOUND, "model_not_found", "There is no custom model '%.200s'", id);
}

static enum err
settings_drop(struct ctx *c, const char *key)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM model_override WHERE lower(key) = lower(?)"));

	bind_text(st, key);
	return run(c, st);
}

static enum err
settings_add(struct ctx *c, const char *key, const char *settings)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO model_override (key, settings) VALUES (?, ?)"));

	return run_with(c, st, key, settings);
}

enum err
settings_put(struct ctx *c, const char *key, const char *settings)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = settings_drop(c, key);
	if (e == ERR_OK && settings != NULL && strcmp(settings, "{}") != 0)
		e = settings_add(c, key, settings);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* --- providers ------------------------------------------------------------------------ */

enum err
provider_key_noted(struct ctx *c, const char *id, bool set, bool suppressed)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_state (provider, key_set, suppressed) VALUES (?, ?, ?)"
	    " ON CONFLICT (provider) DO UPDATE SET key_set = excluded.key_set, suppressed = excluded.suppressed, auth = NULL"));

	bind_text(st, id);
	bind_i64(st, set);
	bind_i64(st, suppressed);
	return run(c, st);
}

enum err
provider_enable(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE provider_state SET suppressed = 0, auth = CASE WHEN ? = 1 THEN auth END WHERE provider = ?"));

	bind_i64(st, catalog_provider(id) == NULL);     /* whether it wants a key at all stays known */
	bind_text(st, id);
	return run(c, st);
}

enum err
provider_discover(struct ctx *c, const char *id, bool on)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_state (provider, discover) VALUES (?, ?)"
	    " ON CONFLICT (provider) DO UPDATE SET discover = excluded.discover,"
	    " live = CASE WHEN excluded.discover = 0 THEN NULL ELSE live END"));

	bind_text(st, id);
	bind_i64(st, on);
	return run(c, st);
}

enum err
provider_auth(struct ctx *c, const char *id, const char *auth)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_state (provider, auth) VALUES (?, ?)"
	    " ON CONFLICT (provider) DO UPDATE SET auth = excluded.auth"));

	return run_with(c, st, id, auth);
}

enum err
provider_program_model(struct ctx *c, const char *id, const char *model)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_state (provider, program_model) VALUES (?, ?)"
	    " ON CONFLICT (provider) DO UPDATE SET program_model = excluded.program_model"));

	return run_with(c, st, id, model);
}

enum err
provider_probed(struct ctx *c, const char *id, bool reachable, int64_t latency_ms, const char *error, const char *live)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO provider_state (provider, tested_ms, reachable, latency_ms, error, live, live_ms)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT (provider) DO UPDATE SET tested_ms = excluded.tested_ms, reachable = excluded.reachable,"
	    " latency_ms = excluded.latency_ms, error = excluded.error, live = coalesce(excluded.live, live),"
	    " live_ms = coalesce(excluded.live_ms, live_ms)"));

	bind_text(st, id);
	bind_i64(st, c->now_ms);
	bind_i64(st, reachable);
	bind_i64(st, latency_ms);
	bind_text(st, error);
	bind_text(st, live);
	if (live != NULL)
		bind_i64(st, c->now_ms);
	else
		bind_null(st);
	return run(c, st);
}

/* --- the catalog's own age ---------------------------------------------------------------- */

enum err
catalog_synced(struct ctx *c, int64_t *ret_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT value FROM meta WHERE name = 'catalog_synced_ms'"));

	*ret_ms = 0;
	while (db_step(st))
		*ret_ms = strtoll(col_text(c, st, "value"), NULL, 10);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
catalog_set_synced(struct ctx *c, int64_t ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('catalog_synced_ms', ?)"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));

	bind_text(st, ctx_printf(c, "%lld", (long long)ms));
	return run(c, st);
}

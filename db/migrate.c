/*
 * Migrations: numbered SQL texts inside the program, applied in order, each with its
 * version row in one transaction. Once on main a text is history.
 *
 * A migration's second line names the oldest program that can still read
 * the store after it ("min_reader: N", N being a migration number): an older
 * program refuses to open a store that has moved past it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"
#include "lib/base/embed.h"

EMBED(migration_0001, "db/migrations/0001_base.sql");
EMBED(migration_0002, "db/migrations/0002_login.sql");
EMBED(migration_0003, "db/migrations/0003_sessions.sql");
EMBED(migration_0004, "db/migrations/0004_usage.sql");
EMBED(migration_0005, "db/migrations/0005_loops.sql");
EMBED(migration_0006, "db/migrations/0006_uploads.sql");
EMBED(migration_0007, "db/migrations/0007_catalog.sql");
EMBED(migration_0008, "db/migrations/0008_events.sql");
EMBED(migration_0009, "db/migrations/0009_audit.sql");
EMBED(migration_0010, "db/migrations/0010_turn_open.sql");
EMBED(migration_0011, "db/migrations/0011_templates.sql");
EMBED(migration_0012, "db/migrations/0012_tasks.sql");
EMBED(migration_0013, "db/migrations/0013_search.sql");
EMBED(migration_0014, "db/migrations/0014_audit_rows.sql");
EMBED(migration_0015, "db/migrations/0015_task_board.sql");
EMBED(migration_0016, "db/migrations/0016_memory.sql");
EMBED(migration_0017, "db/migrations/0017_titles.sql");
EMBED(migration_0018, "db/migrations/0018_pins.sql");
EMBED(migration_0019, "db/migrations/0019_usage_agent.sql");
EMBED(migration_0020, "db/migrations/0020_memory_category.sql");
EMBED(migration_0021, "db/migrations/0021_task_wake.sql");
EMBED(migration_0022, "db/migrations/0022_memory_learn.sql");
EMBED(migration_0023, "db/migrations/0023_leftovers.sql");
EMBED(migration_0024, "db/migrations/0024_budget_event.sql");
EMBED(migration_0025, "db/migrations/0025_usage_use.sql");
EMBED(migration_0026, "db/migrations/0026_program_model.sql");
EMBED(migration_0027, "db/migrations/0027_usage_days.sql");

static const struct {
	const char *name;
	const char *text;
} migrations[] = {
	{ "0001_base", migration_0001 },
	{ "0002_login", migration_0002 },
	{ "0003_sessions", migration_0003 },
	{ "0004_usage", migration_0004 },
	{ "0005_loops", migration_0005 },
	{ "0006_uploads", migration_0006 },
	{ "0007_catalog", migration_0007 },
	{ "0008_events", migration_0008 },
	{ "0009_audit", migration_0009 },
	{ "0010_turn_open", migration_0010 },
	{ "0011_templates", migration_0011 },
	{ "0012_tasks", migration_0012 },
	{ "0013_search", migration_0013 },
	{ "0014_audit_rows", migration_0014 },
	{ "0015_task_board", migration_0015 },
	{ "0016_memory", migration_0016 },
	{ "0017_titles", migration_0017 },
	{ "0018_pins", migration_0018 },
	{ "0019_usage_agent", migration_0019 },
	{ "0020_memory_category", migration_0020 },
	{ "0021_task_wake", migration_0021 },
	{ "0022_memory_learn", migration_0022 },
	{ "0023_leftovers", migration_0023 },
	{ "0024_budget_event", migration_0024 },
	{ "0025_usage_use", migration_0025 },
	{ "0026_program_model", migration_0026 },
	{ "0027_usage_days", migration_0027 },
};

int
db_newest_version(void)
{
	return (int)ARRAY_LEN(migrations);
}

static int
number(struct db *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int v = -1;

	db->rc = sqlite3_prepare_v2(db->h, sql, -1, &s, NULL);
	if (db->rc == SQLITE_OK && (db->rc = sqlite3_step(s)) == SQLITE_ROW)
		v = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return v;
}

int
db_schema_version(struct db *db)
{
	return number(db, "SELECT max(version) FROM schema_version");
}

static bool
run(struct db *db, const char *sql)
{
	db->rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
	return db->rc == SQLITE_OK;
}

static int
min_reader(const char *text)
{
	const char *p = strstr(text, "min_reader:");

	return p == NULL ? 1 : atoi(p + strlen("min_reader:"));
}

static bool
apply(struct db *db, int version)
{
	const char *text = migrations[version - 1].text;
	char row[160];

	snprintf(row, sizeof(row),
	    "INSERT INTO schema_version (version, name, min_reader) VALUES (%d, '%s', %d)",
	    version, migrations[version - 1].name, min_reader(text));
	return run(db, text) && run(db, row);
}

enum err
db_migrate(struct db *db, char *err, size_t cap)
{
	int have, reader;

	if (!run(db, "BEGIN IMMEDIATE") ||
	    !run(db, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY,"
	        " name TEXT NOT NULL, min_reader BIGINT NOT NULL)"))
		goto out;
	have = number(db, "SELECT coalesce(max(version), 0) FROM schema_version");
	reader = number(db, "SELECT coalesce(max(min_reader), 0) FROM schema_version");
	if (have < 0 || reader < 0)
		goto out;
	if (reader > db_newest_version()) {
		snprintf(err, cap, "the store was written by a newer version (schema %d; this one knows %d)",
		    have, db_newest_version());
		(void)run(db, "ROLLBACK");
		return ERR_CONFLICT;
	}
	for (int v = have + 1; v <= db_newest_version(); v++)
		if (!apply(db, v))
			goto out;
	if (run(db, "COMMIT"))
		return ERR_OK;
out:
	snprintf(err, cap, "%s", sqlite3_errmsg(db->h));
	(void)run(db, "ROLLBACK");              /* nothing is open if BEGIN itself failed */
	return db_err(db->rc) == ERR_OK ? ERR_DB : db_err(db->rc);
}

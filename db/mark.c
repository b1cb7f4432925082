/*
 * Has anything been committed since? The engine counts commits of other
 * connections in data_version, and our own changes in total_changes.
 */
#include "db/db_internal.h"

int64_t
db_change_mark(struct db *db)
{
	SCOPED_STMT st = db_prepare(db, SQL("PRAGMA data_version"));

	if (!db_step(st))
		return 0;
	return col_i64(st, "data_version") << 32 ^ (int64_t)sqlite3_total_changes64(db->h);
}

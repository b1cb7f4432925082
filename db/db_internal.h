/* What the files of db/ share: the connection and the statement. */
#ifndef LF_DB_INTERNAL_H
#define LF_DB_INTERNAL_H
#include <sqlite3.h>

#include "db/db.h"

enum { DB_STMTS = 512, STMT_NAMES = 24 };

struct stmt {
	struct db *db;
	const char *sql;                /* the literal: its address is the key */
	sqlite3_stmt *s;
	int rc;                         /* SQLITE_OK, ROW, DONE, or what failed */
	int next_param;
	bool busy;                      /* borrowed */
	bool loose;                     /* not in the table: finalised when done */
	struct { const char *name; int at; } names[STMT_NAMES];
};

struct db {
	sqlite3 *h;
	int rc;                         /* of the last thing that was no statement */
	int64_t busy_since_us;
	struct stmt *table[DB_STMTS];   /* open addressing by literal address */
};

/* Engine result to ours. */
enum err db_err(int rc);
#endif

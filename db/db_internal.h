/* What the files of db/ share: the connection and the statement. */
#ifndef LF_DB_INTERNAL_H
#define LF_DB_INTERNAL_H
#include <pthread.h>
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
	bool writes;
	pthread_mutex_t *line;          /* while it writes outside of a transaction */
	struct { const char *name; int at; } names[STMT_NAMES];
};

struct db {
	sqlite3 *h;
	int rc;                         /* of the last thing that was no statement */
	int lost;                       /* why the engine gave up the transaction by itself; SQLITE_OK: it did not */
	int64_t busy_since_us, wait_us;
	int64_t stood_since_us;         /* in the writers' line, for the statement under way; 0: not at all */
	pthread_mutex_t *line;          /* while it is in a transaction that writes */
	bool in_tx;                     /* the same, once it has begun */
	struct stmt *table[DB_STMTS];   /* open addressing by literal address */
};

/* A place in the writers' line; NULL: not in that time. Left by the thread that entered. */
pthread_mutex_t *line_enter(int64_t wait_us, int64_t *ret_since_us);
void line_leave(pthread_mutex_t **);            /* NULL is fine, and is left behind */

/* A statement that takes and gives nothing, to its end. */
enum err db_run(struct ctx *, const char *sql) MUST_CHECK;
/* tx_begin() for one who has waited since then already; 0: not at all. */
enum err tx_begin_since(struct ctx *, struct tx *, int64_t waited_since_us) MUST_CHECK;

/* Engine result to ours. */
enum err db_err(int rc);
#endif

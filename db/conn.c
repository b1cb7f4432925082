/*
 * The connection: opening, pragmas, waiting for the write lock, transactions.
 *
 * SQLite's own busy handler sleeps up to 100 ms and lets a waiter starve; ours looks
 * again after 20 to 500 microseconds and gives up after five seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "lib/base/util.h"

enum {
	BUSY_US = 5 * 1000 * 1000,
	RESTART_US = 5 * 1000,          /* how long writers may wait for readers, so that the log starts anew; */
	RESTART_MUST_US = 100 * 1000,   /* when it is longer than LOG_MAX */
	LOG_MAX = 24 << 20,
	FRAME_BYTES = 4096 + 24,        /* of the log: a page and its head */
};

enum err
db_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK: case SQLITE_ROW: case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_BUSY: case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_FULL: case SQLITE_IOERR: case SQLITE_CANTOPEN: case SQLITE_READONLY:
		return ERR_UNAVAILABLE;
	case SQLITE_CONSTRAINT:
		return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY
		    ? ERR_CONFLICT : ERR_DB;
	default:
		return ERR_DB;
	}
}

static int
wait_for_lock(void *arg, int times)
{
	struct db *db = arg;
	int64_t now = clock_mono_us();
	long us = 20L << (times < 5 ? times : 5);

	if (times == 0)                 /* the time in line counts */
		db->busy_since_us = db->stood_since_us != 0 ? db->stood_since_us : now;
	if (now - db->busy_since_us > db->wait_us)
		return 0;
	nanosleep(&(struct timespec){ 0, (us > 500 ? 500 : us) * 1000 }, NULL);
	return 1;
}

static const char roll_back[] = SQL("ROLLBACK");

static bool
pragmas(struct db *db, bool create)
{
	const char *each[] = {
		create ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode",
		"PRAGMA synchronous = NORMAL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA cache_size = -1024",
		"PRAGMA wal_autocheckpoint = 0",        /* the daemon does it */
		"PRAGMA trusted_schema = OFF",
	};

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		db->rc = sqlite3_exec(db->h, each[i], NULL, NULL, NULL);
		if (db->rc != SQLITE_OK)
			return false;
	}
	return true;
}

/* It must be there when memory is not. */
static bool
keeps_rollback(struct db *db)
{
	SCOPED_STMT st = db_prepare(db, roll_back);

	db->rc = st->rc;
	return st->s != NULL;
}

static void
engine_init(void)
{
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);      /* a connection belongs to one thread at a time */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 128, 64);
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 8);    /* pages at first: all of them are written to */
	sqlite3_initialize();
}

enum err
db_open(struct db **ret, const char *path, bool create)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct db *db = calloc(1, sizeof(*db));
	enum err e;

	pthread_once(&once, engine_init);
	if (db == NULL)
		return ERR_NOMEM;
	if (create) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd >= 0)
			close(fd);
	} else if (access(path, F_OK) != 0) {
		free(db);
		return ERR_NOT_FOUND;
	}
	db->wait_us = BUSY_US;
	db->rc = sqlite3_open_v2(path, &db->h,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0), NULL);
	if (db->rc == SQLITE_OK) {
		sqlite3_extended_result_codes(db->h, 1);
		sqlite3_busy_handler(db->h, wait_for_lock, db);
		if (pragmas(db, create) && keeps_rollback(db)) {
			*ret = db;
			return ERR_OK;
		}
	}
	e = db_err(db->rc);
	db_close(db);
	return e == ERR_OK ? ERR_DB : e;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; i < DB_STMTS; i++)
		if (db->table[i] != NULL) {
			sqlite3_finalize(db->table[i]->s);
			free(db->table[i]);
		}
	sqlite3_close_v2(db->h);
	free(db);
}

const char *
db_error(struct db *db)
{
	return db == NULL ? "no connection" : sqlite3_errmsg(db->h);
}

/* The log's index in shared memory, as the engine documents it: the fifth word is the last frame's number. */
int64_t
db_log_bytes(struct db *db)
{
	enum { INDEX_BYTES = 32768, LAST_FRAME = 4 };
	sqlite3_file *f = NULL;
	void volatile *at = NULL;

	if (sqlite3_file_control(db->h, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || f == NULL ||
	    f->pMethods == NULL || f->pMethods->iVersion < 2 ||
	    f->pMethods->xShmMap(f, 0, INDEX_BYTES, 0, &at) != SQLITE_OK || at == NULL)
		return 0;
	return (int64_t)((uint32_t volatile *)at)[LAST_FRAME] * FRAME_BYTES;
}

/*
 * What can be folded while others write comes first and without a lock. Writers that never pause keep the log from
 * starting anew by themselves: they wait for the small rest of it, and for no long sync.
 */
void
db_checkpoint(struct db *db, bool quiet)
{
	pthread_mutex_t *line;
	int all = 0, folded = 0;

	/* busy readers leave a part for next time */
	(void)sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE, &all, &folded);
	if ((!quiet && db_log_bytes(db) <= (int64_t)folded * FRAME_BYTES) || (line = line_enter(BUSY_US, NULL)) == NULL)
		return;
	db->wait_us = db_log_bytes(db) > LOG_MAX ? RESTART_MUST_US : RESTART_US;
	(void)sqlite3_wal_checkpoint_v2(db->h, NULL, quiet ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART,
	    NULL, NULL);
	db->wait_us = BUSY_US;
	line_leave(&line);
}

static struct db *writer_db;

void
db_set_writer(struct db *db)
{
	pthread_mutex_t *line = line_enter(BUSY_US, NULL);

	if (db != NULL)
		(void)sqlite3_exec(db->h, "PRAGMA cache_size = -4096", NULL, NULL, NULL);
	if (db != NULL)                 /* busy all the time: its small pieces come from a place of their own */
		(void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_LOOKASIDE, NULL, 512, 256);
	writer_db = db;
	line_leave(&line);
}

void
db_rest(struct db *db)
{
	if (db != NULL)
		(void)sqlite3_db_release_memory(db->h);
}

void
db_writer_rest(void)
{
	pthread_mutex_t *line = line_enter(RESTART_US, NULL);

	if (line == NULL)
		return;
	db_rest(writer_db);
	line_leave(&line);
}

/* Back to the caller's own connection. No statement of the writer's may be in use any more. */
static void
leave(struct tx *tx)
{
	tx->open = false;
	tx->db->in_tx = false;
	tx->db->lost = SQLITE_OK;
	tx->c->db = tx->own;
	line_leave(&tx->db->line);
}

enum err
db_run(struct ctx *c, const char *sql)
{
	SCOPED_STMT st = db_prepare(c->db, sql);

	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
rollback(struct db *db)
{
	SCOPED_STMT st = db_prepare(db, roll_back);

	ignore_err(db_exec(st));        /* a failed engine has rolled back by itself */
}

void
db_settle(struct db *db)
{
	if (db != NULL && !db->in_tx && !sqlite3_get_autocommit(db->h))
		rollback(db);
}

enum err
tx_begin(struct ctx *c, struct tx *tx)
{
	return tx_begin_since(c, tx, 0);
}

enum err
tx_begin_since(struct ctx *c, struct tx *tx, int64_t waited_since_us)
{
	int64_t since_us, waited_us = waited_since_us == 0 ? 0 : clock_mono_us() - waited_since_us;
	pthread_mutex_t *line = line_enter(waited_us < BUSY_US ? BUSY_US - waited_us : 0, &since_us);
	enum err e;

	if (waited_since_us != 0)
		since_us = waited_since_us;
	*tx = (struct tx){ 0 };
	if (line == NULL) {
		c->fault = (struct fault){ .err = ERR_BUSY, .msg = "Service unavailable", .retry_after_s = 1 };
		return ERR_BUSY;
	}
	*tx = (struct tx){ .c = c, .db = writer_db != NULL ? writer_db : c->db, .own = c->db };
	if (tx->db == NULL) {
		line_leave(&line);
		return fail_db(c, db_prepare(NULL, ""));
	}
	tx->db->line = line;
	c->db = tx->db;
	tx->db->stood_since_us = since_us;
	if (!sqlite3_get_autocommit(tx->db->h))
		rollback(tx->db);       /* could not be done at its end */
	e = db_run(c, SQL("BEGIN IMMEDIATE"));
	tx->db->stood_since_us = 0;
	if (e != ERR_OK)
		leave(tx);
	else
		tx->db->in_tx = true;
	tx->open = e == ERR_OK;
	return e;
}

enum err
tx_commit(struct ctx *c, struct tx *tx)
{
	enum err e = memory_short ? fail(c, ERR_NOMEM, "out of memory") : db_run(c, SQL("COMMIT"));

	if (e == ERR_OK)
		leave(tx);
	return e;
}

void
tx_end(struct tx *tx)
{
	if (!tx->open)
		return;
	rollback(tx->db);
	leave(tx);
}

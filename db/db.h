/*
 * The store: one connection, its prepared statements, transactions.
 *
 * SQL text is a literal inside SQL(), prepared once per connection (the
 * literal's address is the key). Values are bound, never printed in. After a failure
 * bind and step do nothing, so one check at the end suffices. Nothing above
 * knows which engine runs. Writers wait at most 5 s for the lock, then ERR_BUSY (503).
 */
#ifndef LF_DB_H
#define LF_DB_H
#include "lib/base/base.h"

#define SQL(text) (text)

struct stmt;

/* Open <path>; create: only the daemon (it migrates). ERR_DB, ERR_NOT_FOUND, ERR_UNAVAILABLE. */
enum err db_open(struct db **ret, const char *path, bool create) MUST_CHECK;
void db_close(struct db *);
/* Bring the schema to the newest migration; text of what failed to err[cap]. */
enum err db_migrate(struct db *, char *err, size_t cap) MUST_CHECK;
int db_schema_version(struct db *);             /* -1: none yet */
int db_newest_version(void);
/* Fold the log back; called by the daemon when the log is long. quiet: nobody writes now, its file is cut too. */
void db_checkpoint(struct db *, bool quiet);
int64_t db_log_bytes(struct db *);              /* of the log in use; its file may be longer. Any thread. */
const char *db_error(struct db *);              /* the engine's words, for the log only */

/*
 * Copy the store at from to a new file (0600) while others write: the store of one moment, with all
 * that was committed before. Errors: NOT_FOUND: no store there; others with words in msg.
 */
enum err db_copy(const char *from, const char *to, char *msg, size_t cap) MUST_CHECK;
/*
 * Look into a store that this process has not open: is it whole (whole: every index too), and of which
 * schema. Errors: NOT_FOUND; others with words in fault.
 */
struct db_state { int version, min_reader; char fault[200]; };
enum err db_look(const char *path, bool whole, struct db_state *ret) MUST_CHECK;

/*
 * A number that is another one after anything was committed, by whomever; so that what was
 * read may be kept while it stands. Take it before reading. 0: unknown, keep nothing.
 */
int64_t db_change_mark(struct db *);

/*
 * No transaction of a connection stays open: what began one could not end it. The next to use it would read what the
 * store held then, for ever. Nothing inside of a tx_begin().
 */
void db_settle(struct db *);
/*
 * Give back the pages that were kept for whoever asks next; for when nobody does. db_writer_rest: of the
 * connection that db_set_writer() named; any thread, nothing if it is in use for long.
 */
void db_rest(struct db *);
void db_writer_rest(void);

/* A statement borrowed from the cache, reset when the scope ends. Never NULL. */
struct stmt *db_prepare(struct db *, const char *sql);
void db_stmt_done(struct stmt **);
#define SCOPED_STMT __attribute__((cleanup(db_stmt_done))) struct stmt *

void bind_text(struct stmt *, const char *);    /* NULL binds NULL; must live until the step */
void bind_textn(struct stmt *, const char *, size_t);
void bind_blob(struct stmt *, const void *, size_t);
void bind_i64(struct stmt *, int64_t);
void bind_f64(struct stmt *, double);
void bind_null(struct stmt *);

bool db_step(struct stmt *);                    /* true: a row is there. false: end or failure */
enum err db_exec(struct stmt *) MUST_CHECK;     /* run to the end */
enum err db_end(struct stmt *) MUST_CHECK;      /* how the stepping ended; ERR_OK, ERR_BUSY, ERR_DB, ERR_CONFLICT (unique) */
int64_t db_changes(struct stmt *);

/* Columns by name of the current row. Text is copied to c's arena. */
const char *col_text(struct ctx *, struct stmt *, const char *name);    /* NULL for SQL NULL */
const char *col_textn(struct ctx *, struct stmt *, const char *name, size_t *n);
int64_t col_i64(struct stmt *, const char *name);                       /* 0 for NULL */
double col_f64(struct stmt *, const char *name);                        /* 0 for NULL */
bool col_is_null(struct stmt *, const char *name);
/* Borrowed until the next step: no copy. */
const char *col_peek(struct stmt *, const char *name, size_t *n);
const void *col_blob(struct stmt *, const char *name, size_t *n);

/* fail() with the error of a statement or connection: BUSY and full disk become 503. */
enum err fail_db(struct ctx *, struct stmt *);

/* BEGIN IMMEDIATE; rolled back at the end of the scope unless committed. Nesting is not allowed. Statements
 * that were prepared before it do not belong to it. */
struct tx { struct ctx *c; struct db *db, *own; bool open; };
/*
 * A process of many threads: transactions run on this connection, whose page cache stays warm since
 * nobody else of the process writes; c->db is it until the transaction ends. NULL: on c's own again.
 */
void db_set_writer(struct db *);
enum err tx_begin(struct ctx *, struct tx *) MUST_CHECK;
enum err tx_commit(struct ctx *, struct tx *) MUST_CHECK;
/*
 * Do work in a transaction and commit it, together with what other threads of this process bring at the
 * same moment (group commit). Work runs on any of their threads, after or before that of others, with its c's
 * db the writer's; it begins and ends no transaction, waits for nobody, and keeps nothing that belongs to its thread.
 * When it fails its part is taken back. Returns its error, or that of the commit.
 */
enum err tx_shared(struct ctx *c, enum err (*work)(void *), void *arg) MUST_CHECK;
/*
 * For what must survive the plug: after the commit, wait until the write-ahead log is on the disk; those
 * who wait together share one flush. UNAVAILABLE: it is committed, and may be lost. db_flush_open() once
 * the log exists.
 */
bool db_flush_open(const char *db_path);
enum err db_flush(struct ctx *) MUST_CHECK;
void tx_end(struct tx *);
#define SCOPED_TX __attribute__((cleanup(tx_end))) struct tx
#endif

/* The store: migrations, statements, transactions, and what a failure becomes. */
#include <stdlib.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "t/tap.h"

static enum err
put(struct ctx *c, const char *k, const char *v)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES (?, ?)"));

	bind_text(st, k);
	bind_text(st, v);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static const char *
get(struct ctx *c, const char *k)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT value FROM meta WHERE name = ?"));

	bind_text(st, k);
	return db_step(st) ? col_text(c, st, "value") : NULL;
}

static enum err
both(struct ctx *c, bool commit)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = put(c, "t1", "1");
	if (e == ERR_OK)
		e = put(c, "t2", "2");
	if (e == ERR_OK && commit)
		e = tx_commit(c, &tx);
	return e;
}

/* A conflict for which the engine gives up the whole transaction. */
static void
gives_up(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT OR ROLLBACK INTO meta (name, value) VALUES ('t1', 'again')"));

	ok(db_exec(st) != ERR_OK, "a conflict takes back the transaction");
}

int
main(void)
{
	char dir[] = "/tmp/lf-db-XXXXXX", path[64], why[200];
	struct ctx c = { .arena = arena_new(4096) };
	struct db *other = NULL;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/x.db", dir);
	is_int(db_open(&c.db, path, false), ERR_NOT_FOUND, "a store that is not there is not made by a reader");
	is_int(db_open(&c.db, path, true), ERR_OK, "the daemon makes it");
	is_int(db_schema_version(c.db), -1, "a new store has no version");
	is_int(db_migrate(c.db, why, sizeof(why)), ERR_OK, "it is migrated");
	is_int(db_schema_version(c.db), db_newest_version(), "to the newest version");
	is_int(db_migrate(c.db, why, sizeof(why)), ERR_OK, "migrating again changes nothing");
	is_int(put(&c, "a", "1"), ERR_OK, "a row is written");
	is_str(get(&c, "a"), "1", "and read back");
	is_int(put(&c, "a", "2"), ERR_CONFLICT, "a second one of that key is a conflict");
	is_int(both(&c, false), ERR_OK, "a transaction that is not committed");
	is_str(get(&c, "t1"), NULL, "leaves nothing");
	is_int(both(&c, true), ERR_OK, "a committed one");
	is_str(get(&c, "t2"), "2", "stays");
	{
		SCOPED_TX tx = { 0 };

		is_int(tx_begin(&c, &tx), ERR_OK, "a transaction");
		gives_up(&c);
		ok(put(&c, "t3", "3") != ERR_OK, "what comes after in it is refused");
		ok(tx_commit(&c, &tx) != ERR_OK, "and so is its commit");
	}
	is_str(get(&c, "t3"), NULL, "nothing of it was written by itself");
	is_int(put(&c, "t4", "4"), ERR_OK, "and the next one is as any other");
	{
		SCOPED_STMT st = db_prepare(c.db, SQL("SAVEPOINT part"));

		is_int(db_exec(st), ERR_OK, "a part of a transaction begins by itself");
	}
	is_int(put(&c, "t5", "5"), ERR_OK, "and something in it");
	db_settle(c.db);
	is_str(get(&c, "t5"), NULL, "what nobody ended does not stay open");
	is_int(db_open(&other, path, false), ERR_OK, "a second connection opens");
	{
		SCOPED_TX tx = { 0 };
		struct ctx d = { .arena = arena_new(4096), .db = other };

		is_int(tx_begin(&c, &tx), ERR_OK, "while one holds the write lock");
		is_int(put(&d, "b", "1"), ERR_BUSY, "another gives up in time");
		is_int(err_status(d.fault.err), 503, "and says 503");
		arena_free(d.arena);
	}
	db_close(other);
	db_close(c.db);
	arena_free(c.arena);
	for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s; s++) {
		char p[80];

		snprintf(p, sizeof(p), "%s%s", path, *s);
		unlink(p);
	}
	rmdir(dir);
	return done();
}

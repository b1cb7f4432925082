/* Group commit: many threads, some of whose work fails, and a transaction that the engine gives up. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "t/tap.h"

enum { THREADS = 16, EACH = 300 };

enum mood { GOOD, FAILS, BREAKS };

struct piece { struct ctx *c; int thread, i; enum mood mood; bool slow; };

static char path[64];
static struct outcome { enum mood mood; enum err e; } out[THREADS][EACH];
static _Atomic unsigned inside, mixed;

static enum err
insert(struct ctx *c, int thread, int i)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES (?, 'x')"));

	bind_text(st, ctx_printf(c, "%d-%d", thread, i));
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
work(void *arg)
{
	const struct piece *p = arg;
	enum err e;

	if (atomic_fetch_add(&inside, 1) != 0)
		atomic_fetch_add(&mixed, 1);
	if (p->slow)
		usleep(200);
	e = insert(p->c, p->thread, p->i);
	if (e == ERR_OK && p->mood == BREAKS) {
		SCOPED_STMT st = db_prepare(p->c->db, SQL("ROLLBACK"));

		ignore_err(db_exec(st));
		e = fail(p->c, ERR_UNAVAILABLE, "broken");
	} else if (e == ERR_OK && p->mood == FAILS) {
		e = fail(p->c, ERR_CONFLICT, "no");
	}
	atomic_fetch_sub(&inside, 1);
	return e;
}

static void *
writer(void *arg)
{
	int me = (int)(intptr_t)arg;
	struct ctx c = { .arena = arena_new(4096) };

	for (int i = 0; i < EACH; i++) {
		int n = me * EACH + i;
		struct piece p = { &c, me, i, n % 7 == 3 ? FAILS : n % 97 == 5 ? BREAKS : GOOD, n % 50 == 0 };

		out[me][i] = (struct outcome){ p.mood, tx_shared(&c, work, &p) };
		arena_reset(c.arena);
	}
	arena_free(c.arena);
	return NULL;
}

static bool
is_there(struct db *db, struct ctx *c, int thread, int i)
{
	SCOPED_STMT st = db_prepare(db, SQL("SELECT 1 FROM meta WHERE name = ?"));

	bind_text(st, ctx_printf(c, "%d-%d", thread, i));
	return db_step(st);
}

static void
together(struct db *db)
{
	struct ctx c = { .arena = arena_new(4096) };
	pthread_t id[THREADS];
	unsigned good = 0, lost = 0, there = 0, failed = 0, dragged = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, writer, (void *)(intptr_t)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < EACH; i++) {
			bool is = is_there(db, &c, t, i);

			good += out[t][i].e == ERR_OK;
			lost += out[t][i].e == ERR_OK && !is;
			there += out[t][i].e != ERR_OK && is;
			failed += out[t][i].mood != GOOD && out[t][i].e == ERR_OK;
			dragged += out[t][i].mood == GOOD && out[t][i].e == ERR_UNAVAILABLE;
			arena_reset(c.arena);
		}
	ok(good > THREADS * EACH / 2, "%u pieces of work of %d were committed", good, THREADS * EACH);
	is_int(lost, 0, "each of them is there");
	is_int(there, 0, "nothing of what failed is there");
	is_int(failed, 0, "and who failed was told so");
	ok(dragged > 0, "%u were in a transaction that broke, and were told so", dragged);
	is_int(mixed, 0, "no two pieces ran at once");
	arena_free(c.arena);
}

struct late { struct ctx c; enum err e; int i; };

static void *
one(void *arg)
{
	struct late *l = arg;
	struct piece p = { &l->c, 100, l->i, GOOD, false };

	l->e = tx_shared(&l->c, work, &p);
	return NULL;
}

/* Somebody keeps the store: they wait their five seconds together, not one after the other. */
static void
kept_waiting(void)
{
	struct late l[4];
	struct db *other = NULL;
	pthread_t id[4];
	int64_t since;

	if (db_open(&other, path, false) != ERR_OK)
		return;
	SCOPED_STMT st = db_prepare(other, SQL("BEGIN IMMEDIATE"));
	ok(db_exec(st) == ERR_OK, "another connection keeps the store");
	db_stmt_done(&st);
	st = NULL;
	since = clock_mono_us();
	for (int i = 0; i < 4; i++) {
		l[i] = (struct late){ .c = { .arena = arena_new(4096) }, .i = i };
		pthread_create(&id[i], NULL, one, &l[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(id[i], NULL);
		is_int(l[i].e, ERR_BUSY, "waiter %d gives up", i);
		arena_free(l[i].c.arena);
	}
	ok(clock_mono_us() - since < 15000000, "after %.1f s, all of them", (double)(clock_mono_us() - since) / 1e6);
	db_close(other);
}

int
main(void)
{
	char dir[] = "/tmp/lf-shared-XXXXXX", why[200];
	struct db *db = NULL, *reader = NULL;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/x.db", dir);
	if (db_open(&db, path, true) != ERR_OK || db_migrate(db, why, sizeof(why)) != ERR_OK || db_open(&reader, path, false) != ERR_OK)
		return 1;
	db_set_writer(db);
	together(reader);
	kept_waiting();
	db_set_writer(NULL);
	db_close(reader);
	db_close(db);
	for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s; s++) {
		char p[80];

		snprintf(p, sizeof(p), "%s%s", path, *s);
		unlink(p);
	}
	rmdir(dir);
	return done();
}

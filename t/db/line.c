/* The writers' line across processes: who is killed in it, and the log that starts anew under writers. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "t/tap.h"

enum { WRITERS = 4, ENOUGH = 500, LOG_MAX = 4 << 20 };

static char path[64];
static struct shared { _Atomic bool end; _Atomic unsigned n[WRITERS], failed; } *all;

static enum err
put(struct ctx *c, int64_t n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('n', ?)"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));

	bind_i64(st, n);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* After fork() only: the engine's locks belong to the process that opened. */
static struct ctx
connect_to(void)
{
	struct ctx c = { .arena = arena_new(4096) };

	if (db_open(&c.db, path, false) != ERR_OK)
		c.db = NULL;
	return c;
}

static void
writer(unsigned i)
{
	struct ctx c = connect_to();
	int64_t n = (int64_t)i << 32;

	while (!atomic_load(&all->end)) {
		if (put(&c, ++n) == ERR_OK)
			atomic_fetch_add(&all->n[i], 1);
		else
			atomic_fetch_add(&all->failed, 1);
		arena_reset(c.arena);
	}
	_exit(0);
}

static unsigned
written(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WRITERS; i++)
		n += atomic_load(&all->n[i]);
	return n;
}

static unsigned
least(void)
{
	unsigned n = atomic_load(&all->n[0]);

	for (unsigned i = 1; i < WRITERS; i++)
		if (atomic_load(&all->n[i]) < n)
			n = atomic_load(&all->n[i]);
	return n;
}

static void
many(void)
{
	int64_t longest = 0, until = clock_mono_us() + 120000000;
	pid_t kid[WRITERS];
	struct ctx c;
	struct db *db;

	for (unsigned i = 0; i < WRITERS; i++)
		if ((kid[i] = fork()) == 0)
			writer(i);
	c = connect_to();
	db = c.db;
	while ((written() < 10000 || least() < ENOUGH) && clock_mono_us() < until) {    /* forty megabytes of log */
		int64_t n = db_log_bytes(db);

		longest = n > longest ? n : longest;
		if (n > LOG_MAX / 4)
			db_checkpoint(db, false);
		usleep(2000);
	}
	atomic_store(&all->end, true);
	for (unsigned i = 0; i < WRITERS; i++)
		waitpid(kid[i], NULL, 0);
	is_int(atomic_load(&all->failed), 0, "no write of %u by four processes failed", written());
	ok(least() >= ENOUGH, "none of them is starved: the last one wrote %u times", least());
	ok(longest > 0 && longest < 4 * LOG_MAX, "the log starts anew while they write: at most %lld KB",
	    (long long)longest / 1024);
	db_checkpoint(db, true);
	is_int(db_log_bytes(db), 0, "and is empty after the last fold");
	db_close(db);
	arena_free(c.arena);
}

static void
killed_holder(void)
{
	int64_t since;
	pid_t kid = fork();
	struct ctx c;

	if (kid == 0) {
		struct ctx d = connect_to();
		struct tx tx;

		if (tx_begin(&d, &tx) != ERR_OK || put(&d, 99) != ERR_OK)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(kid, NULL, 0);
	c = connect_to();
	since = clock_mono_us();
	is_int(put(&c, 7), ERR_OK, "a writer that is killed leaves the line to the next");
	ok(clock_mono_us() - since < 4000000, "and lets nobody wait for its time");
	db_close(c.db);
	arena_free(c.arena);
}

int
main(void)
{
	char dir[] = "/tmp/lf-line-XXXXXX", name[64], why[200];
	struct db *db = NULL;
	struct shm *made;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/x.db", dir);
	snprintf(name, sizeof(name), "/lf-line-%d", (int)getpid());
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED || shm_open_segment(name, true, &made) != ERR_OK || db_open(&db, path, true) != ERR_OK ||
	    db_migrate(db, why, sizeof(why)) != ERR_OK)
		return 1;
	db_close(db);
	killed_holder();
	many();
	shm_remove(name);
	for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s; s++) {
		char p[80];

		snprintf(p, sizeof(p), "%s%s", path, *s);
		unlink(p);
	}
	rmdir(dir);
	return done();
}

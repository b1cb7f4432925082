/*
 * The ledger and a process that dies: at each of its writes to the store in turn, before it and in the middle of it. Whatever is found
 * afterwards, each row has its part of every sum, and no sum has more.
 */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "lib/svc/budget.h"
#include "t/svc/store.h"

enum { CAP = 1000000000, STEPS_MAX = 4000, CALLS = 5 };

static struct config cfg = { .budget = { .alert_threshold = 0.8, .all.nanousd = { CAP, CAP, CAP }, .agent_tokens_hour = 100000 } };

/* --- dying -------------------------------------------------------------------------------- */

static int64_t left;
static bool torn;
static sqlite3_syscall_ptr real_pwrite, real_pwrite64, real_write, real_truncate;

/* Is it this one? */
static bool
is_the_one(void)
{
	return --left == 0;
}

static ssize_t
dies_at_offset(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *p, size_t n, off_t at)
{
	if (is_the_one()) {
		if (torn && n > 1)
			(void)!real(fd, p, n / 2, at);
		raise(SIGKILL);
	}
	return real(fd, p, n, at);
}

static ssize_t
dying_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return dies_at_offset((ssize_t (*)(int, const void *, size_t, off_t))real_pwrite, fd, p, n, at);
}

static ssize_t
dying_pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return dies_at_offset((ssize_t (*)(int, const void *, size_t, off_t))real_pwrite64, fd, p, n, at);
}

static ssize_t
dying_write(int fd, const void *p, size_t n)
{
	ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))real_write;

	if (is_the_one()) {
		if (torn && n > 1)
			(void)!real(fd, p, n / 2);
		raise(SIGKILL);
	}
	return real(fd, p, n);
}

static int
dying_truncate(int fd, off_t n)
{
	if (is_the_one())
		raise(SIGKILL);
	return ((int (*)(int, off_t))real_truncate)(fd, n);
}

static void
take(sqlite3_vfs *v, const char *name, sqlite3_syscall_ptr *real, sqlite3_syscall_ptr mine)
{
	*real = v->xGetSystemCall(v, name);
	if (*real != NULL)
		(void)v->xSetSystemCall(v, name, mine);
}

/* --- what is written ------------------------------------------------------------------------ */

static enum err
one_call(struct ctx *c, int i)
{
	static const char *const users[] = { "u1", NULL, "" };
	char turn[37] = "turn-0";
	const struct usage u = { .agent_id = i % 2 ? ADA : "gateway", .provider = i % 3 ? "openai" : "own", .model = "m", .user_id = users[i % 3],
		.session_id = i % 2 ? ADA_SESSION : NULL, .turn_id = turn, .tokens = { .input = 10 + i, .output = 3 }, .cost_nanousd = 1000 + i,
		.latency_ms = 7, .status = i == 3 ? USAGE_FAILED : USAGE_OK };
	struct budget_call b = { .hold = "hold", .epoch = 1, .nanousd = 5000, .tokens = 50 };
	SCOPED_TX tx = { 0 };
	enum err e;

	b.limit[BUDGET_ALL] = budget_of_all(&cfg);
	b.limit[BUDGET_AGENT] = budget_of_agent(&cfg, u.agent_id, "ada", NULL);
	budget_look(&b);
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = budget_hold(c, &b);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e == ERR_OK)
		e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = usage_insert(c, &u);
	if (e == ERR_OK)
		e = budget_settle(c, &b);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
its_tools(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = usage_add_tools(c, ADA, "turn-0", 0, 2);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* All of it, or until the write that it does not outlive. */
static void __attribute__((noreturn))
spend(const char *path, int64_t at, bool in_the_middle)
{
	struct ctx c = { .arena = arena_new(65536), .who = &root, .cfg = &cfg, .now_ms = clock_ms() };
	sqlite3_vfs *v = sqlite3_vfs_find(NULL);
	enum err e = db_open(&c.db, path, false);

	left = at;
	torn = in_the_middle;
	take(v, "pwrite", &real_pwrite, (sqlite3_syscall_ptr)dying_pwrite);
	take(v, "pwrite64", &real_pwrite64, (sqlite3_syscall_ptr)dying_pwrite64);
	take(v, "write", &real_write, (sqlite3_syscall_ptr)dying_write);
	take(v, "ftruncate", &real_truncate, (sqlite3_syscall_ptr)dying_truncate);
	for (int i = 0; e == ERR_OK && i < CALLS; i++)
		e = one_call(&c, i);
	if (e == ERR_OK)
		e = its_tools(&c);
	if (e == ERR_OK)
		db_close(c.db);                 /* which brings all of it into the store itself */
	_exit(e == ERR_OK ? 0 : 1);
}

/* --- what is found ---------------------------------------------------------------------------- */

static int64_t
number(struct stmt *st)
{
	return db_step(st) ? col_i64(st, "n") : -1;
}

/* Sums that the rows do not say, and the other way round. */
static int64_t
odd_sums(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH kind(span, scope) AS (VALUES ('day', 'agent'), ('day', 'all'), ('day', 'provider'),"
	    " ('day', 'user'), ('minute', 'agent'), ('minute', 'all'), ('minute', 'provider'), ('minute', 'use'), ('minute', 'user'),"
	    " ('total', 'agent'), ('total', 'model') UNION SELECT span, scope FROM usage_sum),"
	    " part AS (SELECT span, CASE span WHEN 'day' THEN ts_ms - ts_ms % 86400000 WHEN 'minute' THEN ts_ms - ts_ms % 60000 ELSE 0 END AS start_ms,"
	    " scope, CASE scope WHEN 'all' THEN '' WHEN 'agent' THEN agent_id WHEN 'provider' THEN provider WHEN 'model' THEN model"
	    " WHEN 'use' THEN agent_id || ' ' || provider || ' ' || model WHEN 'user' THEN nullif(user_id, '') END AS id, e.* FROM usage_event e CROSS JOIN kind),"
	    " said AS (SELECT span, start_ms, scope, id, sum(input_tokens), sum(output_tokens), sum(cost_nanousd), sum(tool_calls), count(*),"
	    " sum(status <> 'ok') FROM part WHERE id IS NOT NULL GROUP BY 1, 2, 3, 4),"
	    " kept AS (SELECT span, start_ms, scope, id, input_tokens, output_tokens, cost_nanousd, tool_calls, calls, failed FROM usage_sum)"
	    " SELECT (SELECT count(*) FROM (SELECT * FROM said EXCEPT SELECT * FROM kept))"
	    " + (SELECT count(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM said)) AS n"));

	return number(st);
}

/* The sums that lie elsewhere: of the session, of how long calls took, in all and in a day, and of the agent's hour; and what is put aside is at most one call's. */
static int64_t
odd_others(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT (SELECT count(*) FROM session s WHERE cost_nanousd <> (SELECT coalesce(sum(cost_nanousd), 0)"
	    " FROM usage_event WHERE session_id = s.id) OR tokens <> (SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM usage_event WHERE session_id = s.id))"
	    " + ((SELECT coalesce(sum(n), 0) FROM usage_speed WHERE start_ms = 0) <> (SELECT count(*) FROM usage_event WHERE status = 'ok'))"
	    " + ((SELECT coalesce(sum(n), 0) FROM usage_speed WHERE start_ms > 0) <> (SELECT count(*) FROM usage_event WHERE status = 'ok'))"
	    " + (SELECT count(*) FROM budget_tokens b WHERE used <> (SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM usage_event WHERE agent_id = b.agent_id))"
	    " + ((SELECT count(*) FROM budget_hold) > 1) AS n"));

	return number(st);
}

static int64_t
rows(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM usage_event"));

	return number(st);
}

static void
forget(struct ctx *c)
{
	static const char *const all[] = { SQL("DELETE FROM usage_event"), SQL("DELETE FROM usage_sum"), SQL("DELETE FROM usage_speed"),
		SQL("DELETE FROM budget_hold"), SQL("DELETE FROM budget_tokens"), SQL("UPDATE session SET cost_nanousd = 0, tokens = 0") };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		SCOPED_STMT st = db_prepare(c->db, all[i]);

		if (db_exec(st) != ERR_OK)
			exit(1);
	}
}

/* Nobody has the store open while the other one dies, so that it is recovered from its files alone. */
static bool
killed_at(struct ctx *c, int64_t at, bool in_the_middle, int64_t *bad, bool seen[static CALLS + 1])
{
	char path[64];
	int64_t n;
	int st = 0;
	pid_t pid;

	store_path(path);
	forget(c);
	db_close(c->db);
	if ((pid = fork()) == 0)
		spend(path, at, in_the_middle);
	(void)waitpid(pid, &st, 0);
	if (db_open(&c->db, path, false) != ERR_OK)
		exit(1);
	n = rows(c);
	*bad += odd_sums(c) != 0 || odd_others(c) != 0 || n < 0 || n > CALLS || (WIFEXITED(st) && WEXITSTATUS(st) != 0);
	if (n >= 0 && n <= CALLS)
		seen[n] = true;
	return WIFSIGNALED(st);
}

static void
all_of_them(struct ctx *c, bool in_the_middle)
{
	bool seen[CALLS + 1] = { false };
	int64_t bad = 0, at = 1;
	int states = 0;

	while (at < STEPS_MAX && killed_at(c, at, in_the_middle, &bad, seen))
		at++;
	for (int i = 0; i <= CALLS; i++)
		states += seen[i];
	ok(at > 20 && at < STEPS_MAX, "a process is killed %s each of its %d writes", in_the_middle ? "in the middle of" : "before", (int)at - 1);
	is_int(states, CALLS + 1, "after no call, after each, and after all of them");
	is_int(bad, 0, "each time the sums are those of the rows");
}

int
main(void)
{
	struct ctx c = { 0 };

	store_open(&c);
	c.cfg = &cfg;
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	store_session(&c, ADA_SESSION, ADA, "s", c.now_ms);
	all_of_them(&c, false);
	all_of_them(&c, true);
	is_int(odd_sums(&c), 0, "and those of a process that lives");
	is_int(rows(&c), CALLS, "of all its calls");
	store_close(&c);
	return done();
}

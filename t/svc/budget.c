/*
 * Budgets: nothing is spent beyond a cap, however many processes ask at the same moment; what a dead one had put
 * aside comes back; a refusal says why; what is reached is noted once.
 */
#include <signal.h>
#include <sys/wait.h>

#include "lib/svc/budget.h"
#include "lib/svc/turn_store.h"
#include "t/svc/store.h"

enum { PROCESSES = 4, CALLS = 50, PRICE = 1000000, CAP = 60 * PRICE + PRICE / 2, H = 3600000 };

static struct config cfg = { .budget = { .alert_threshold = 0.8 } };

static struct budget_call
a_call(const char *hold, int64_t usd, int64_t tokens)
{
	struct budget_call b = { .hold = hold, .epoch = 1, .nanousd = usd, .tokens = tokens };

	b.limit[BUDGET_ALL] = budget_of_all(&cfg);
	b.limit[BUDGET_AGENT] = budget_of_agent(&cfg, ADA, "ada", NULL);
	b.limit[BUDGET_PROVIDER] = budget_of_provider(&cfg, "openai");
	b.limit[BUDGET_USER] = budget_of_user(&cfg, "u1", "zoe");
	budget_look(&b);
	return b;
}

static enum err
hold(struct ctx *c, struct budget_call *b)
{
	SCOPED_TX tx = { 0 };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = budget_hold(c, b);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
settle(struct ctx *c, struct budget_call *b, int64_t usd, int64_t tokens)
{
	SCOPED_TX tx = { 0 };
	const struct usage u = { .agent_id = ADA, .provider = "openai", .model = "m", .user_id = "u1",
		.tokens = { .input = tokens }, .cost_nanousd = usd };
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = usage_insert(c, &u);
	if (e == ERR_OK)
		e = budget_settle(c, b);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static void
forget(struct ctx *c)
{
	static const char *const all[] = { SQL("DELETE FROM usage_event"), SQL("DELETE FROM usage_sum"),
		SQL("DELETE FROM budget_hold"), SQL("DELETE FROM budget_event"), SQL("DELETE FROM budget_tokens") };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		SCOPED_STMT st = db_prepare(c->db, all[i]);

		ok(db_exec(st) == ERR_OK, "nothing has been spent");
	}
	cfg.budget = (struct config_budget){ .alert_threshold = 0.8 };
}

static int64_t
spent_all(struct ctx *c)
{
	struct spent s = { -1, -1 };

	return usage_spent(c, USAGE_ALL, "", BUDGET_HOUR, clock_ms(), &s) == ERR_OK ? s.nanousd : -1;
}

/* --- many processes ------------------------------------------------------------------------ */

/* A process that makes calls at the cap; exits with how many were refused. victim: dies between two of its transactions. */
static void __attribute__((noreturn))
spend(const char *path, int64_t victim)
{
	struct ctx c = { .arena = arena_new(65536), .who = &root, .cfg = &cfg, .now_ms = clock_ms() };
	int refused = 0;

	if (db_open(&c.db, path, false) != ERR_OK)
		_exit(255);
	for (int i = 0; i < CALLS; i++) {
		char id[37];
		struct budget_call b;
		enum err e;

		uuid4(id);
		b = a_call(id, PRICE, 100);
		e = hold(&c, &b);
		refused += e == ERR_RATE_LIMITED;
		if (e != ERR_OK && e != ERR_RATE_LIMITED)
			_exit(254);
		if (e == ERR_OK && i == victim)
			raise(SIGKILL);
		if (e == ERR_OK && settle(&c, &b, PRICE, 100) != ERR_OK)
			_exit(253);
	}
	_exit(refused);
}

static void
at_the_cap(struct ctx *c)
{
	char path[64];
	pid_t pid[PROCESSES];
	int refused = 0, odd = 0;

	store_path(path);
	cfg.budget.all.nanousd[BUDGET_DAY] = CAP;
	for (int i = 0; i < PROCESSES; i++)
		if ((pid[i] = fork()) == 0)
			spend(path, -1);
	for (int i = 0; i < PROCESSES; i++) {
		int st = 0;

		(void)waitpid(pid[i], &st, 0);
		odd += !WIFEXITED(st) || WEXITSTATUS(st) > CALLS;
		refused += WIFEXITED(st) ? WEXITSTATUS(st) : 0;
	}
	is_int(odd, 0, "%d processes make %d calls at the cap", PROCESSES, PROCESSES * CALLS);
	is_int(spent_all(c), 60 * PRICE, "they spend as much as fits, and nothing more");
	is_int(refused, PROCESSES * CALLS - 60, "the rest is refused");
	forget(c);
}

static void
killed(struct ctx *c)
{
	struct budget_held h = { -1, -1, -1 };
	struct budget_call b;
	char path[64];
	int64_t epoch = 0;
	pid_t pid;
	int st = 0;

	store_path(path);
	cfg.budget.all.nanousd[BUDGET_DAY] = 11 * PRICE;
	if ((pid = fork()) == 0)
		spend(path, 10);
	(void)waitpid(pid, &st, 0);
	ok(WIFSIGNALED(st), "a process dies with a call under way");
	is_int(spent_all(c), 10 * PRICE, "what it spent before is in the ledger");
	is_int(budget_held(c, &h), ERR_OK, "and what it put aside");
	is_int(h.calls, 1, "is still there");
	b = a_call("next", PRICE, 1);
	is_int(hold(c, &b), ERR_RATE_LIMITED, "nobody may spend it");
	ok(strstr(c->fault.msg, "the global daily budget: $0.0100 spent, $0.0010 put aside for calls under way, up to $0.0010 for this call, of $0.0110") != NULL,
	    "and everybody hears why: %s", c->fault.msg);
	ok(epoch_next(c, &epoch) == ERR_OK && epoch_next(c, &epoch) == ERR_OK && budget_drop(c, epoch) == ERR_OK, "the next boot");
	is_int(budget_held(c, &h), ERR_OK, "looks");
	is_int(h.calls, 0, "and lets it go");
	is_int(spent_all(c), 10 * PRICE, "what was spent stays spent");
	is_int(hold(c, &b), ERR_OK, "the next call has room");
	is_int(hold(c, &b), ERR_OK, "its second part takes the place of the first");
	is_int(settle(c, &b, PRICE, 1), ERR_OK, "and ends");
	forget(c);
}

/* --- each cap --------------------------------------------------------------------------------- */

static void
refuses(struct ctx *c, const char *scope, const char *window, const char *unit)
{
	struct budget_call b = a_call("one", PRICE, 100);
	struct json_object *d;

	is_int(hold(c, &b), ERR_OK, "%s %s %s: one call has room", scope, window, unit);
	is_int(settle(c, &b, PRICE, 100), ERR_OK, "and is paid");
	b = a_call("two", PRICE, 100);
	is_int(hold(c, &b), ERR_RATE_LIMITED, "two have not");
	is_str(c->fault.code, "budget_exceeded", "the code says so");
	d = json_stored(c, c->fault.details_json);
	is_str(js_str(d, "scope"), scope, "the details whose");
	is_str(js_str(d, "window"), window, "which window");
	is_str(js_str(d, "unit"), unit, "of what");
	ok(js_str(d, "resets_at") != NULL && c->fault.retry_after_s > 0, "and until when: %s", js_str(d, "resets_at"));
	forget(c);
}

static void
each_cap(struct ctx *c)
{
	struct budget_named zoe_s = { .name = "Zoe", .alert_threshold = 0.5 }, openai_s = { .name = "openai", .alert_threshold = 0.8 };

	for (enum budget_span w = 0; w < BUDGET_SPANS; w++) {
		cfg.budget.all.nanousd[w] = 2 * PRICE - 1;
		refuses(c, "global", budget_span_names[w], "usd");
		cfg.budget.all.tokens[w] = 199;
		refuses(c, "global", budget_span_names[w], "tokens");
		zoe_s.caps.nanousd[w] = 2 * PRICE - 1;
		cfg.budget.users = &zoe_s, cfg.budget.n_users = 1;
		refuses(c, "user", budget_span_names[w], "usd");
		openai_s.caps.tokens[w] = 150;
		cfg.budget.providers = &openai_s, cfg.budget.n_providers = 1;
		refuses(c, "provider", budget_span_names[w], "tokens");
		zoe_s.caps = openai_s.caps = (struct budget_caps){ 0 };
	}
	cfg.budget.agent_tokens_hour = 150;
	cfg.budget.burst_ratio = 1;
	refuses(c, "agent", "hourly", "tokens");
	cfg.budget.agent_tokens_hour = 400;
	cfg.budget.burst_ratio = 0.2;
	refuses(c, "agent", "burst", "tokens");
}

/* --- a minute's share of an hour of tokens ------------------------------------------------------- */

static void
bursts(struct ctx *c)
{
	/* the agent's ratio and that of all (below 0: not said), what was used within the minute, cached tokens of it, and whether the next call has room */
	static const struct { double ratio, of_all; int64_t used, cached; bool fits; const char *name; } all[] = {
		{ -1, 0, 199, 0, true, "a fifth of the hour, when nobody says more" },
		{ -1, 0, 200, 0, false, "and no more" },
		{ -1, 0, 900, 701, true, "what came from a cache does not count" },
		{ -1, 0, 900, 700, false, "what did not does" },
		{ -1, 0.5, 499, 0, true, "as the configuration says" },
		{ -1, 0.5, 500, 0, false, "for all" },
		{ 0.3, 0.5, 299, 0, true, "as the manifest says" },
		{ 0.3, 0.5, 300, 0, false, "rather than that" },
		{ 0.001, 0, 9, 0, true, "a hundredth at least" },
		{ 0.001, 0, 10, 0, false, "is the least" },
		{ 1, 0, 900, 0, true, "all of it at once" },
		{ 7, 0, 900, 0, true, "more than all of it is that" },
		{ -1, 9, 900, 0, true, "for all, too" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct usage u = { .agent_id = ADA, .provider = "openai", .model = "m", .tokens = { .input = all[i].used, .cache_read = all[i].cached } };
		struct budget_call b;

		cfg.budget.agent_tokens_hour = 1000;
		cfg.budget.burst_ratio = all[i].of_all;
		b = a_call("next", 0, 10);
		if (all[i].ratio >= 0)
			b.limit[BUDGET_AGENT] = budget_of_agent(&cfg, ADA, "ada", json_stored(c, ctx_printf(c, "{\"resources\":{\"burst_ratio\":%g}}", all[i].ratio)));
		is_int(usage_insert(c, &u), ERR_OK, "%d tokens within a minute", (int)all[i].used);
		is_int(hold(c, &b), all[i].fits ? ERR_OK : ERR_RATE_LIMITED, "%s", all[i].name);
		if (!all[i].fits)
			is_int(c->fault.retry_after_s, 60, "for a minute");
		forget(c);
	}
}

/* --- an agent's hour begins with its first use ------------------------------------------------- */

static void
used_at(struct ctx *c, int64_t ts, int64_t tokens)
{
	const struct usage u = { .agent_id = ADA, .provider = "openai", .model = "m", .tokens = { .output = tokens }, .ts_ms = ts };

	ok(usage_insert(c, &u) == ERR_OK, "%d tokens are used", (int)tokens);
}

static void
first_use(struct ctx *c)
{
	int64_t now = clock_ms(), used = -1, ends = -1;
	struct budget_call b;

	is_int(budget_hour_of_agent(c, ADA, now, &used, &ends), ERR_OK, "an agent that did nothing");
	ok(used == 0 && ends == 0, "has no hour");
	used_at(c, now - 50 * 60000, 30);
	used_at(c, now - 10 * 60000, 12);
	is_int(budget_hour_of_agent(c, ADA, now, &used, &ends), ERR_OK, "when a limit is set later");
	ok(used == 42 && ends == now + 10 * 60000, "the hour has begun with the first use, and what was used counts");
	cfg.budget.agent_tokens_hour = 142;
	cfg.budget.burst_ratio = 1;
	b = a_call("x", 0, 101);
	is_int(hold(c, &b), ERR_RATE_LIMITED, "one token too much is refused");
	is_int(c->fault.retry_after_s, 600, "until the hour ends");
	b = a_call("x", 0, 100);
	is_int(hold(c, &b), ERR_OK, "what fits is not");
	is_int(settle(c, &b, 0, 60), ERR_OK, "it takes less");
	is_int(budget_hour_of_agent(c, ADA, now, &used, &ends), ERR_OK, "and");
	ok(used == 102 && ends == now + 10 * 60000, "is counted in the same hour: %d", (int)used);
	is_int(budget_hour_of_agent(c, ADA, now + 11 * 60000, &used, &ends), ERR_OK, "after its end");
	ok(used == 0 && ends == 0, "a new one has not begun");
	is_int(budget_hour_of_agent(c, ADA, now - 2 * H, &used, &ends), ERR_OK, "a clock that jumps back");
	ok(used >= 0, "does no harm");
	forget(c);
}

/* --- what is reached ------------------------------------------------------------------------------- */

static int64_t
events(struct ctx *c, const char *kind)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM budget_event WHERE kind = ?"));

	bind_text(st, kind);
	return db_step(st) ? col_i64(st, "n") : -1;
}

static void
noted(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	struct json_object *o;

	cfg.budget.all.nanousd[BUDGET_MONTH] = 10 * PRICE;
	for (int i = 0; i < 10; i++) {
		struct budget_call call = a_call("n", PRICE, 1);

		ok(hold(c, &call) == ERR_OK && settle(c, &call, PRICE, 1) == ERR_OK, "call %d", i + 1);
		is_int(events(c, "warning"), i >= 7, "a warning at eight of ten, once");
		is_int(events(c, "exceeded"), i >= 9, "and a word at the end");
	}
	is_int(budget_write_events(c, NULL, 5, &w), ERR_OK, "they are shown");
	SCOPED_STMT audited = db_prepare(c->db, SQL("SELECT count(*) AS n FROM audit_entries WHERE action = 'BudgetExceeded'"));

	is_int(db_step(audited) ? col_i64(audited, "n") : -1, 1, "the end of it is in the audit log, once");
	o = json_object_array_get_idx(json_stored(c, b.p), 0);
	ok(js_f64(o, "limit", 0) == 0.01 && js_str(o, "window") != NULL, "with the cap: %s", b.p);
	forget(c);
}

/* No cap: nothing is written at all. */
static void
free_of_charge(struct ctx *c)
{
	struct budget_call b = a_call("free", PRICE, 1);
	struct budget_held h = { -1, -1, -1 };

	ok(!b.any, "without a cap there is nothing to look at");
	ok(budget_hold(c, &b) == ERR_OK && budget_held(c, &h) == ERR_OK && h.calls == 0, "and nothing is put aside");
	cfg.budget.all.nanousd[BUDGET_HOUR] = INT64_MAX;
	b = a_call("much", INT64_MAX, INT64_MAX);
	is_int(hold(c, &b), ERR_OK, "absurd numbers fit once");
	b = a_call("more", INT64_MAX, INT64_MAX);
	is_int(hold(c, &b), ERR_RATE_LIMITED, "and not twice");
	forget(c);
}

int
main(void)
{
	struct ctx c = { 0 };

	store_open(&c);
	c.cfg = &cfg;
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	free_of_charge(&c);
	each_cap(&c);
	bursts(&c);
	first_use(&c);
	noted(&c);
	at_the_cap(&c);
	killed(&c);
	store_close(&c);
	return done();
}

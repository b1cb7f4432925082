/* The audit log: entries follow one another, and who changes, removes or cuts one off is seen. */
#include "db/db.h"
#include "lib/svc/audit.h"
#include "lib/svc/caller.h"
#include "t/svc/store.h"

static void
append(struct ctx *c, const char *action, const char *outcome)
{
	SCOPED_TX tx = { 0 };
	struct audit a = { .agent_id = ADA, .action = action, .detail = "some \"text\" of Zo\xc3\xab", .outcome = outcome, .channel = "api" };

	if (tx_begin(c, &tx) != ERR_OK || audit_append(c, &a) != ERR_OK || tx_commit(c, &tx) != ERR_OK)
		ok(false, "an entry is appended: %s", c->fault.msg);
}

static void
state(struct ctx *c, int64_t bad, int64_t n, const char *about)
{
	struct audit_chain got, tip;

	is_int(audit_verify(c, &got), ERR_OK, "it is looked at");
	is_int(got.bad, bad, "%s", about);
	is_int(got.entries, n, "%d entries", (int)n);
	is_int(audit_tip(c, &tip), ERR_OK, "so is its end");
	is_int(tip.last, got.last, "  the same");
	if (bad < 0)
		is_int(tip.entries, n, "  so many");
}

static void
run(struct ctx *c, const char *sql)
{
	SCOPED_STMT st = db_prepare(c->db, sql);

	if (db_exec(st) != ERR_OK)
		ok(false, "%s", sql);
}

static void
tampering(struct ctx *c)
{
	run(c, SQL("UPDATE audit_entries SET outcome = 'denied' WHERE seq = 2"));
	state(c, 2, 5, "an entry that was changed is found");
	run(c, SQL("UPDATE audit_entries SET outcome = 'ok' WHERE seq = 2"));
	state(c, -1, 5, "put back it is whole again");
	run(c, SQL("UPDATE audit_entries SET prev_hash = 'x' WHERE seq = 1"));
	state(c, 1, 5, "one that follows nothing is found");
	run(c, SQL("UPDATE audit_entries SET prev_hash = (SELECT hash FROM audit_entries WHERE seq = 0) WHERE seq = 1"));
	run(c, SQL("UPDATE audit_entries SET seq = 3000 WHERE seq = 3"));
	state(c, 3, 5, "a gap is found");
	run(c, SQL("UPDATE audit_entries SET seq = 3 WHERE seq = 3000"));
	state(c, -1, 5, "all is as it was");
}

static void
trimming(struct ctx *c)
{
	bool more = true;

	is_int(audit_trim(c, 30, &more), ERR_OK, "nothing is old");
	state(c, -1, 5, "nothing was trimmed");
	run(c, SQL("UPDATE audit_entries SET ts_ms = ts_ms - 86400000 * 31 WHERE seq < 3"));
	is_int(audit_trim(c, 30, &more), ERR_OK, "what is old goes");
	ok(!more, "all of it at once");
	state(c, -1, 3, "the rest still follows: two of before, and that it was trimmed");
	run(c, SQL("DELETE FROM audit_entries WHERE seq = 3"));
	state(c, 3, 2, "one more that is gone from the beginning is found");
}

static void
listing(struct ctx *c)
{
	struct buf b = BUF_INIT(1 << 16);
	struct jw w = JW_INIT(&b);
	int64_t n;

	jw_array(&w, NULL);
	is_int(audit_write_agent(c, ADA, "OK", 2, 1, &w, &n), ERR_OK, "an agent's are listed");
	jw_end(&w);
	is_int(n, 2, "as many as asked for");
	ok(b.p != NULL && strstr(b.p, "\"seq\":3") != NULL && strstr(b.p, "\"seq\":4") == NULL, "newest first, from the second on");
	buf_done(&b);
}

int
main(void)
{
	struct ctx c = { 0 };
	struct caller who = { .role = OWNER, .name = "root", .user_id = "5ab1b2c3-d4e5-4f60-8a9b-0c1d2e3f4a5b" };

	store_open(&c);
	state(&c, -1, 0, "an empty log is whole");
	append(&c, "AgentSpawn", "ok");
	c.who = &who;
	for (int i = 0; i < 4; i++)
		append(&c, "AgentMessage", "ok");
	state(&c, -1, 5, "a log is whole");
	listing(&c);
	tampering(&c);
	trimming(&c);
	store_close(&c);
	return done();
}

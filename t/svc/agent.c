/* Agents and sessions as they are shown. */
#include "lib/svc/agent.h"
#include "lib/svc/catalog.h"
#include "lib/svc/session_show.h"
#include "t/svc/store.h"

static struct json_object *
page(struct ctx *c, struct agent_filter f)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	if (f.limit == 0)
		f.limit = 500;
	if (agent_write_page(c, &f, &w) != ERR_OK || b.failed || w.depth != 0 ||
	    json_check(b.p, b.len, 32, NULL) != ERR_OK) {
		printf("# %s\n# %s\n", c->fault.msg, b.p == NULL ? "" : b.p);
		return NULL;
	}
	return json_stored(c, b.p);
}

static struct json_object *
item(struct json_object *page, size_t i)
{
	return json_object_array_get_idx(js_arr(page, "items"), i);
}

static void
filters(struct ctx *c)
{
	struct json_object *p = page(c, (struct agent_filter){ .q = NULL });

	is_int(js_i64(p, "total", -1), 3, "all agents are listed");
	is_str(js_str(item(p, 0), "name"), "Ada", "ordered by name, whatever the letter case");
	is_str(js_str(item(p, 1), "name"), "bea", "then the next");
	p = page(c, (struct agent_filter){ .order = "desc", .limit = 1 });
	is_str(js_str(item(p, 0), "name"), "cid%", "or the other way round");
	is_int(js_i64(p, "total", -1), 3, "a short page knows how many there are");
	is_int(json_object_array_length(js_arr(p, "items")), 1, "and shows as many as asked");
	p = page(c, (struct agent_filter){ .offset = 99 });
	is_int(js_i64(p, "total", -1), 3, "a page behind the end is empty and still knows");
	p = page(c, (struct agent_filter){ .q = "ADA" });
	is_int(js_i64(p, "total", -1), 1, "a text is looked for in any letter case");
	p = page(c, (struct agent_filter){ .q = "%" });
	is_str(js_str(item(p, 0), "name"), "cid%", "a percent sign is itself");
	is_int(js_i64(p, "total", -1), 1, "and no wildcard");
	p = page(c, (struct agent_filter){ .q = "second" });
	is_str(js_str(item(p, 0), "name"), "bea", "descriptions are searched too");
	p = page(c, (struct agent_filter){ .status = "RUNNING", .owner = "ZOE" });
	is_int(js_i64(p, "total", -1), 1, "state and owner in any letter case");
	p = page(c, (struct agent_filter){ .status = "nonsense" });
	is_int(js_i64(p, "total", -1), 0, "an unknown state finds nobody");
	for (size_t i = 0; i < 4; i++) {
		static const char *const sorts[] = { "name", "created_at", "last_active", "state" };

		ok(page(c, (struct agent_filter){ .sort = sorts[i], .order = "desc" }) != NULL, "sorting by %s works", sorts[i]);
	}
	ok(page(c, (struct agent_filter){ .sort = "colour" }) == NULL && c->fault.err == ERR_BAD_REQUEST, "by colour it does not");
	c->who = &zoe;
	p = page(c, (struct agent_filter){ .owner = "someone" });
	is_int(js_i64(p, "total", -1), 1, "a user sees their own agents, whoever they ask for");
	is_str(js_str(item(p, 0), "name"), "Ada", "and only those");
	c->who = &root;
}

static void
rows(struct ctx *c)
{
	struct json_object *p = page(c, (struct agent_filter){ .q = NULL }), *a = item(p, 0), *b = item(p, 1);

	is_int(json_object_object_length(a), 32, "a row has all its members");
	is_str(js_str(a, "model_provider"), "offline", "defaults are resolved");
	is_str(js_str(a, "model_tier"), "local", "the tier is the catalog's");
	ok(js_bool(a, "ready", false), "it is ready");
	is_str(js_str(a, "schedule"), "manual", "without a schedule it is started by hand");
	is_int(js_i64(a, "sessions_24h", -1), 1, "sessions of the last day are counted, older ones not");
	ok(js_f64(a, "cost_24h", 0) == 0.0025, "and what they cost");
	is_int(json_object_array_length(js_arr(a, "children")), 1, "children are named");
	is_str(js_str(b, "parent_agent_id"), ADA, "as are parents");
	ok(!js_bool(b, "parent_unknown", true), "who are known");
	ok(js_bool(item(p, 2), "parent_unknown", false), "or not");
	is_str(js_str(b, "schedule"), "continuous \xc2\xb7 60s", "a schedule is text");
	is_str(js_str(b, "auth_status"), "missing", "a provider without key");
	ok(!js_bool(b, "ready", true), "keeps an agent from being ready");
	is_str(json_object_get_string(json_object_array_get_idx(js_arr(b, "tags"), 0)), "x\"y", "tags come from the manifest");
	is_str(js_str(js_obj(b, "identity"), "emoji"), "\xf0\x9f\xa6\x8a", "and the look from its own column");
}

static void
detail(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *o;
	struct agent a;

	is_int(agent_load(c, NOBODY, &a), ERR_NOT_FOUND, "an unknown agent is not found");
	is_str(c->fault.code, "agent_not_found", "with its code");
	is_int(agent_load(c, BEA, &a), ERR_OK, "a known one is");
	agent_write_detail(c, &a, &w);
	o = json_stored(c, b.p);
	is_int(json_object_object_length(o), 34, "its detail has all its members");
	is_str(js_str(o, "model_name"), js_str(js_obj(o, "model"), "model"), "its model by the list's name as well");
	is_str(js_str(o, "model_provider"), js_str(js_obj(o, "model"), "provider"), "and its provider");
	ok(js_f64(js_obj(o, "model"), "temperature", 0) == 0.1, "numbers are those of the manifest");
	ok(strstr(b.p, "\"temperature\":0.1,") != NULL, "and look like them");
	ok(js_get(js_obj(o, "model"), "max_tokens") == NULL, "what is not set is null");
	is_str(js_str(o, "skills_mode"), "allowlist", "named skills are a list of what is allowed");
	is_str(js_str(o, "mcp_servers_mode"), "all", "a star is all servers");
	is_str(js_str(o, "system_prompt"), "Be brief.", "the prompt is shown");
	is_int(agent_load_by_name(c, "bea", &a), ERR_OK, "an agent is found by its name");
	is_int(agent_load_by_name(c, "BEA", &a), ERR_NOT_FOUND, "which is exact");
	c->who = &zoe;
	is_int(agent_load(c, BEA, &a), ERR_NOT_FOUND, "agents of others do not exist");
	is_int(agent_load(c, ADA, &a), ERR_OK, "their own do");
	c->who = &root;
}

static void
status(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	int64_t all, running;
	struct json_object *o;

	jw_array(&w, NULL);
	is_int(agent_write_status_rows(c, &w, &all, &running), ERR_OK, "the short rows are written");
	jw_end(&w);
	o = json_stored(c, b.p);
	is_int(all * 10 + running, 33, "and counted");
	ok(js_get(json_object_array_get_idx(o, 0), "profile") == NULL, "a profile may be null");
	is_str(js_str(json_object_array_get_idx(o, 1), "profile"), "coding", "or a word");
}

static void
history(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *o, *m, *t;
	struct agent a;

	store_message(c, ADA_SESSION, 1, "user", "\"Hello\"");
	store_message(c, ADA_SESSION, 2, "assistant", "[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"I\"},"
	    "{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"file_read\",\"input\":{\"path\":\"x\",\"n\":0.7}}]");
	store_message(c, ADA_SESSION, 3, "user", "[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"found\",\"is_error\":true}]");
	store_message(c, ADA_SESSION, 4, "user", "[{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AA==\"},{\"type\":\"new\"}]");
	store_message(c, ADA_SESSION, 5, "assistant", "broken");
	ok(agent_load(c, ADA, &a) == ERR_OK, "the agent is there");
	is_int(session_write_history(c, &a, NULL, NULL, &w), ERR_OK, "its history is written");
	ok(json_check(b.p, b.len, 32, NULL) == ERR_OK, "as JSON");
	o = json_stored(c, b.p);
	is_int(js_i64(o, "message_count", 0), 5, "all stored messages are counted");
	is_int(json_object_array_length(js_arr(o, "messages")), 3, "those with nothing to show are left out");
	m = json_object_array_get_idx(js_arr(o, "messages"), 1);
	is_str(js_str(m, "role"), "Assistant", "roles are capitalised");
	is_str(js_str(m, "content"), "I\nlook", "texts are joined by lines");
	is_str(js_str(m, "thinking"), "hm", "thinking stands apart");
	t = json_object_array_get_idx(js_arr(m, "tools"), 0);
	is_str(js_str(t, "result"), "found", "a result stands in its call");
	ok(js_bool(t, "is_error", false) && strstr(b.p, "\"n\":0.7") != NULL, "with its fate and its input");
	is_str(js_str(json_object_array_get_idx(js_arr(o, "messages"), 2), "content"), "[Image]", "an image is noted");
	buf_clear(&b);
	is_int(session_write_history(c, &a, BEA, NULL, &w), ERR_NOT_FOUND, "a session of another agent is refused");
	is_str(c->fault.code, "session_agent_mismatch", "with its code");
	ok(agent_load(c, BEA, &a) == ERR_OK, "an agent that never spoke");
	buf_clear(&b);
	w = (struct jw)JW_INIT(&b);
	is_int(session_write_history(c, &a, NULL, NULL, &w), ERR_OK, "has an empty history");
	ok(strstr(b.p, "\"messages\":[]") != NULL, "which is a list");
}

static void
sessions(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *o;
	struct agent a;

	ok(agent_load(c, ADA, &a) == ERR_OK, "the agent is there");
	jw_array(&w, NULL);
	is_int(session_write_list(c, &a, &w), ERR_OK, "its sessions are listed");
	jw_end(&w);
	o = json_stored(c, b.p);
	is_int(json_object_array_length(o), 2, "both");
	ok(js_bool(json_object_array_get_idx(o, 0), "is_canonical", false), "the newest comes first, and is the current one");
	ok(js_bool(json_object_array_get_idx(o, 0), "active", false), "in which a turn runs");
	is_str(js_str(json_object_array_get_idx(o, 1), "label"), "old \"one\"", "the other has its label");
}

static void
furnish(struct ctx *c)
{
	store_agent(c, ADA, "Ada", "zoe", NULL, "{}");
	store_agent(c, BEA, "bea", "someone", ADA,
	    "{\"description\":\"The Second\",\"profile\":\"coding\",\"tags\":[\"x\\\"y\"],\"schedule\":{\"continuous\":{\"check_interval_secs\":60}},"
	    "\"model\":{\"provider\":\"openai\",\"model\":\"gpt-5\",\"temperature\":0.1,\"system_prompt\":\"Be brief.\"},"
	    "\"skills\":[\"git\"],\"mcp_servers\":[\"*\"]}");
	store_agent(c, "44444444-4444-4444-8444-444444444444", "cid%", "", NOBODY, "{\"schedule\":{\"periodic\":{\"cron\":\"* * * * *\"}}}");
	store_session(c, ADA_SESSION, ADA, NULL, c->now_ms - 5);
	store_session(c, "aaaaaaaa-2222-4222-8222-222222222222", ADA, "old \"one\"", c->now_ms - 3 * 86400000LL);
	store_usage(c, ADA, c->now_ms - 1000, 2500000);
	store_usage(c, ADA, c->now_ms - 3 * 86400000LL, 9000000);
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent SET identity = '{\"emoji\":\"\xf0\x9f\xa6\x8a\"}' WHERE name = 'bea'"));
	ok(db_exec(st) == ERR_OK, "one has a look of its own");
	SCOPED_STMT turn = db_prepare(c->db, SQL("INSERT INTO turn (id, agent_id, session_id, epoch, state, origin, input, started_ms) "
	    "VALUES ('t', ?, ?, 1, 'running', 'api', '{}', 1)"));
	bind_text(turn, ADA);
	bind_text(turn, ADA_SESSION);
	ok(db_exec(turn) == ERR_OK, "and one a running turn");
}

int
main(void)
{
	struct config cfg = { .provider = "offline", .model = "offline" };
	struct ctx c = { .cfg = &cfg };
	char id[37];

	catalog_init();
	store_open(&c);
	furnish(&c);
	filters(&c);
	rows(&c);
	detail(&c);
	status(&c);
	history(&c);
	sessions(&c);
	is_int(agent_id_arg(&c, "11111111111141118111111111111111", 32, id), ERR_OK, "an id needs no dashes");
	is_str(id, ADA, "and becomes canonical");
	is_int(agent_id_arg(&c, ADA "\0x", 38, id), ERR_BAD_REQUEST, "but nothing may follow it");
	store_close(&c);
	return done();
}

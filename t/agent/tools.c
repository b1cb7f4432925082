/* Which tools an agent has, and what each does, on a real store and workspace. */
#include <sys/stat.h>
#include <time.h>

#include "lib/agent/tool.h"
#include "lib/agent/tools/tools.h"
#include "t/svc/store.h"
#include "t/tree.h"

static struct ctx ctx;
static struct db *the_db;
static unsigned borrowed;
static char work[] = "/tmp/lf-tools-XXXXXX";
static struct config cfg = { .provider = "offline", .model = "offline", .max_agent_call_depth = 3 };

/* --- the other ends ----------------------------------------------------------- */

static struct http_call seen;
static char seen_headers[512], seen_body[128];
static struct { enum err e; long status; const char *type, *body, *why; size_t n; } web;

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	seen = *call;
	seen_headers[0] = '\0';
	for (const char *const *h = call->headers; *h != NULL; h++) {
		size_t n = strlen(seen_headers);

		snprintf(seen_headers + n, sizeof(seen_headers) - n, "%s\n", *h);
	}
	snprintf(seen_body, sizeof(seen_body), "%.*s", (int)call->body_bytes, call->body != NULL ? call->body : "");
	*ret = (struct http_answer){ .status = web.status, .retry_after_s = -1, .body = BUF_INIT(call->max_bytes) };
	snprintf(ret->content_type, sizeof(ret->content_type), "%s", web.type != NULL ? web.type : "");
	snprintf(ret->why, sizeof(ret->why), "%s", web.why != NULL ? web.why : "");
	snprintf(ret->final_url, sizeof(ret->final_url), "%s", call->url);
	buf_add(&ret->body, web.body != NULL ? web.body : "", web.n > 0 ? web.n : web.body != NULL ? strlen(web.body) : 0);
	return web.e;
}

static struct db *
take(struct tool_env *env)
{
	(void)env;
	borrowed += the_db != NULL;
	return the_db;
}

static void
give(struct tool_env *env, struct db *db)
{
	(void)env;
	(void)db;
	borrowed--;
}

static enum err
answer(struct tool_env *env, const struct agent_question *q, struct buf *out)
{
	buf_printf(out, "%s asked %s: %s%s%s%s", env->agent_name, q->agent_id, q->message, q->async ? ", later" : "",
	    q->key != NULL ? ", about " : "", q->key != NULL ? q->key : "");
	buf_str(out, borrowed > 0 ? " (holding a connection)" : "");
	return ERR_OK;
}

static enum err
spawn(struct tool_env *env, const char *toml, struct buf *out)
{
	(void)env;
	buf_str(out, toml);
	return ERR_OK;
}

static enum err
end(struct tool_env *env, const char *id, struct buf *out)
{
	(void)env;
	buf_printf(out, "ended %s", id);
	return ERR_OK;
}

static struct tool_env env = { .c = &ctx, .agent_id = ADA, .agent_name = "ada", .workspace = work, .db_get = take,
	.db_put = give, .ask_agent = answer, .spawn_agent = spawn, .end_agent = end };
static struct buf out = BUF_INIT(16 << 20);

static enum err
run(const char *name, const char *json)
{
	struct json_object *o = json_keep(&ctx, json_tokener_parse(json));
	const struct tool *t = tool_find(name);
	enum err e;

	buf_clear(&out);
	e = t != NULL ? t->run(&env, o, &out) : ERR_INTERNAL;
	if (borrowed != 0 || ctx.db != NULL)
		ok(false, "%s gave its connection back", name);
	return e;
}

static void
gives(const char *name, const char *json, const char *want)
{
	enum err e = run(name, json);

	ok(e == ERR_OK && out.p != NULL && strstr(out.p, want) != NULL, "%s %.60s", name, json);
	if (e != ERR_OK || strstr(out.p, want) == NULL)
		printf("# %d: %.300s\n", e, out.p != NULL ? out.p : "");
}

static void
refuses(const char *name, const char *json, enum err want, const char *words)
{
	enum err e = run(name, json);

	ok(e == want && out.p != NULL && strstr(out.p, words) != NULL, "%s %.60s: %s", name, json, words);
	if (e != want || strstr(out.p, words) == NULL)
		printf("# %d: %.300s\n", e, out.p != NULL ? out.p : "");
}

/* --- granting ------------------------------------------------------------------------ */

static bool
granted(const char *manifest, const char *mode, const char *name)
{
	return tool_granted(json_keep(&ctx, json_tokener_parse(manifest)), mode, name);
}

static bool
holds(struct json_object *list, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(js_str_or(json_object_array_get_idx(list, i), "name", ""), name) == 0)
			return true;
	return false;
}

static struct toolset
set_of(const char *manifest, bool may_load, uint64_t loaded)
{
	return tools_of(&ctx, json_keep(&ctx, json_tokener_parse(manifest)), "full", may_load, loaded);
}

static void
loading(void)
{
	struct toolset s = set_of("{}", true, 0);

	ok(holds(s.granted, "task_post") && !holds(s.sent, "task_post"), "an unusual tool is not sent");
	ok(holds(s.sent, "file_read") && holds(s.sent, "tool_load") && holds(s.sent, "tool_search"), "the usual ones are, and those that bring others in");
	s = set_of("{}", true, tool_bit("task_post"));
	ok(holds(s.sent, "task_post") && !holds(s.sent, "task_list"), "one that was loaded is");
	ok(set_of("{}", true, tool_bit("task_post")).sent == s.sent && tools_last(s.sent), "such a list is made once");
	s = set_of("{\"metadata\":{\"lazy_tools\":false}}", true, 0);
	ok(s.sent == s.granted && holds(s.sent, "task_post") && !holds(s.sent, "tool_load"), "an agent that wants them all is sent them all");
	s = set_of("{\"capabilities\":{\"tools\":[\"file_read\",\"task_*\"]}}", true, 0);
	ok(s.sent == s.granted && holds(s.sent, "task_post"), "so is one with a list of its own");
	s = set_of("{\"tool_allowlist\":[\"file_read\",\"tool_load\"]}", true, 0);
	ok(!holds(s.sent, "tool_load"), "where nothing is to be loaded nothing loads");
	s = set_of("{\"tool_blocklist\":[\"task_*\"]}", true, tool_bit("task_post"));
	ok(!holds(s.sent, "task_post"), "what is not granted is never sent");
	is_int((int64_t)tool_bit("nothing"), 0, "what is no tool has no bit");
}

static void
grants(void)
{
	struct json_object *tools;

	ok(granted("{}", "full", "file_write") && granted("{\"capabilities\":{\"tools\":[]}}", NULL, "anything"), "nothing declared: all");
	ok(!granted("{\"tools_disabled\":true}", "full", "file_read"), "disabled: none");
	ok(granted("{\"capabilities\":{\"tools\":[\"file_*\"]}}", "full", "file_read") &&
	    !granted("{\"capabilities\":{\"tools\":[\"file_*\"]}}", "full", "web_fetch"), "declared patterns");
	ok(granted("{\"profile\":\"minimal\",\"capabilities\":{\"tools\":[\"*\"]}}", "full", "web_fetch"), "a star is all");
	ok(granted("{\"profile\":\"minimal\"}", "full", "file_list") && !granted("{\"profile\":\"minimal\"}", "full", "file_write"), "a profile");
	ok(granted("{\"profile\":\"messaging\"}", "full", "agent_send") && granted("{\"profile\":\"full\"}", "full", "x"), "others");
	ok(!granted("{\"tool_blocklist\":[\"web_*\"]}", "full", "web_fetch"), "the blocklist takes away");
	ok(!granted("{\"tool_allowlist\":[\"file_read\"]}", "full", "file_write"), "the allowlist narrows");
	ok(!granted("{\"tool_allowlist\":[\"file_read\"],\"capabilities\":{\"tools\":[\"web_fetch\"]}}", "full", "file_read"), "and never widens");
	ok(!granted("{}", "observe", "file_read"), "who observes has none");
	ok(granted("{}", "assist", "web_fetch") && !granted("{}", "assist", "file_write"), "who assists reads");
	tools = tools_for(&ctx, json_keep(&ctx, json_tokener_parse("{\"capabilities\":{\"tools\":[\"file_read\",\"shell_exec\"]}}")), "full");
	is_int(json_object_array_length(tools), 1, "only tools that are here are offered");
	ok(js_obj(json_object_array_get_idx(tools, 0), "input_schema") != NULL &&
	    js_get(json_object_array_get_idx(tools, 0), "read_only") == NULL, "as a model wants them");
	ok(tools_last(tools) && !tools_last(tool_catalog()), "a list of ours lasts");
	is_int(json_object_array_length(tools_for(&ctx, json_keep(&ctx, json_tokener_parse("{}")), "full")), 21, "twenty-one in all");
	loading();
	ok(tool_find("fs-write") == tool_find("file_write") && tool_find("fileRead") == tool_find("file_read"), "other spellings are understood");
	ok(tool_find("nothing") == NULL && tool_find("") == NULL, "but not every one");
}

static void
catalog(void)
{
	struct json_object *all = tool_catalog();
	bool same = true;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *t = json_object_array_get_idx(all, i);
		const struct tool *f = tool_find(js_str_or(t, "name", ""));

		same &= f != NULL && strcmp(f->name, js_str(t, "name")) == 0 && f->read_only == js_bool(t, "read_only", false) &&
		    js_str(t, "description") != NULL && js_str(t, "group") != NULL &&
		    strcmp(js_str_or(js_obj(t, "input_schema"), "type", ""), "object") == 0;
	}
	ok(same, "catalog and code agree");
}

static void
globs(void)
{
	static const struct { const char *p, *v; bool want; } t[] = {
		{ "*", "anything", true }, { "*", "../x", false }, { "a*c", "abbc", true }, { "a*c", "abbd", false },
		{ "*b*", "abc", true }, { "", "", true }, { "", "x", false }, { "abc", "abc", true },
		{ "src/*", "src/a", true }, { "src/*", "src/a/b", false }, { "src/**", "src/a/b", true },
		{ "src/**", "src/../b", false }, { "**/x*y", "x1/x2/xzy", true }, { "**/x*y", "x1/x2/xz/y", false },
		{ "*.example.org", "a.example.org", true }, { "*.example.org", "a.b.example.org", false },
		{ "**.example.org", "a.b.example.org", true }, { "agent-*", "agent-x.y", true }, { "a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaac", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		is_int(glob_match(t[i].p, t[i].v), t[i].want, "'%s' and '%s'", t[i].p, t[i].v);
}

/* --- running --------------------------------------------------------------------------- */

static void
file_tools(void)
{
	gives("file_write", "{\"path\":\"notes/a.txt\",\"content\":\"h\\u00e9llo\"}", "Wrote 6 bytes to notes/a.txt");
	gives("file_read", "{\"path\":\"notes/a.txt\"}", "h\xc3\xa9llo");
	gives("file_list", "{\"path\":\".\"}", "notes/\n");
	gives("file_write", "{\"path\":\"bin\",\"content\":\"a\\u0000b\"}", "Wrote 3");
	gives("file_read", "{\"path\":\"bin\"}", "binary file of 3 bytes");
	gives("file_write", "{\"path\":\"empty\",\"content\":\"\"}", "Wrote 0");
	gives("file_read", "{\"path\":\"empty\"}", "empty");
	gives("file_list", "{\"path\":\".\",\"limit\":1,\"offset\":1}", "(3 names in all; shown from 1)");
	gives("file_list", "{\"path\":\".\",\"offset\":9}", "no more names");
	refuses("file_read", "{}", ERR_INVALID, "missing parameter: path");
	refuses("file_read", "null", ERR_INVALID, "missing parameter: path");
	refuses("file_read", "{\"path\":5}", ERR_INVALID, "a string is expected");
	refuses("file_read", "{\"path\":\"../x\"}", ERR_FORBIDDEN, "Path traversal denied");
	refuses("file_read", "{\"path\":\"a\\u0000b\"}", ERR_INVALID, "control character");
	refuses("file_read", "{\"path\":\"none\"}", ERR_NOT_FOUND, "nothing there");
	refuses("file_write", "{\"path\":\"x\"}", ERR_INVALID, "missing parameter: content");
	refuses("file_write", "{\"path\":\"agent.toml\",\"content\":\"x\"}", ERR_FORBIDDEN, "managed by the system");
	refuses("file_list", "{\"path\":\".\",\"limit\":\"x\"}", ERR_INVALID, "a whole number");
}

static void
memory_tools(void)
{
	struct db *db = the_db;
	char *big = malloc(200000);

	gives("memory_store", "{\"key\":\"name\",\"value\":\"Ada \\\"L\\\"\"}", "Stored under 'name'");
	gives("memory_recall", "{\"key\":\"name\"}", "Ada \"L\"");
	gives("memory_store", "{\"key\":\"json\",\"value\":\"{\\\"a\\\": [1, 0.70]}\"}", "Stored");
	gives("memory_recall", "{\"key\":\"json\"}", "{\"a\":[1,0.70]}");
	gives("memory_store", "{\"key\":\"obj\",\"value\":{\"x\":true}}", "Stored");
	gives("memory_recall", "{\"key\":\"obj\"}", "{\"x\":true}");
	gives("memory_store", "{\"key\":\"e\",\"value\":\"\"}", "Stored");
	is_int(run("memory_recall", "{\"key\":\"e\"}"), ERR_OK, "an empty text is one");
	gives("memory_list", "{}", "(4 keys in all)");
	gives("memory_list", "{\"limit\":1,\"offset\":1}", "json\n(4 keys");
	refuses("memory_recall", "{\"key\":\"nothing\"}", ERR_NOT_FOUND, "Key 'nothing' not found");
	refuses("memory_store", "{\"key\":\"\",\"value\":\"x\"}", ERR_INVALID, "1 to 256 bytes");
	refuses("memory_store", "{\"key\":\"k\"}", ERR_INVALID, "missing parameter: value");
	env.sender_id = "tg:7%";
	refuses("memory_recall", "{\"key\":\"name\"}", ERR_NOT_FOUND, "Key 'name' not found");
	gives("memory_list", "{}", "(0 keys in all)");
	gives("memory_store", "{\"key\":\"name\",\"value\":\"Bea\"}", "Stored under 'name'");
	gives("memory_recall", "{\"key\":\"name\"}", "Bea");
	gives("memory_list", "{}", "name\n(1 keys in all)");
	env.sender_id = "tg";
	refuses("memory_recall", "{\"key\":\"7%25:name\"}", ERR_NOT_FOUND, "not found");
	gives("memory_list", "{}", "(0 keys in all)");
	env.sender_id = NULL;
	gives("memory_recall", "{\"key\":\"name\"}", "Ada \"L\"");
	gives("memory_list", "{}", "(4 keys in all)");
	refuses("memory_recall", "{\"key\":\"peer:tg%3A7%25:name\"}", ERR_INVALID, "begin with peer: are taken");
	refuses("memory_store", "{\"key\":\"peer:x\",\"value\":1}", ERR_INVALID, "begin with peer: are taken");
	memset(big, 'k', 300);
	snprintf(big + 300, 100, "\",\"value\":1}");
	memcpy(big, "{\"key\":\"", 8);
	refuses("memory_store", big, ERR_INVALID, "1 to 256 bytes");
	memset(big, 'v', 100000);
	memcpy(big, "{\"key\":\"b\",\"value\":\"", 20);
	memcpy(big + 99998, "\"}", 3);
	gives("memory_store", big, "Stored");
	gives("memory_recall", "{\"key\":\"b\"}", "bytes cut]");
	ok(out.len < 66000, "at most 64 KiB come back");
	free(big);
	env.agent_id = BEA;
	refuses("memory_recall", "{\"key\":\"name\"}", ERR_NOT_FOUND, "not found");
	env.agent_id = ADA;
	the_db = NULL;
	refuses("memory_recall", "{\"key\":\"name\"}", ERR_UNAVAILABLE, "busy");
	the_db = db;
}

/* All claims are eleven minutes old. */
static void
the_db_late(void)
{
	SCOPED_STMT st = db_prepare(the_db, SQL("UPDATE task SET claimed_ms = claimed_ms - 660000 WHERE claimed_ms IS NOT NULL"));

	ok(db_exec(st) == ERR_OK, "(what was taken was so long ago)");
}

static void
as(const char *id, const char *name)
{
	env.agent_id = id;
	env.agent_name = name;
}

static void
task_tools(void)
{
	char id[37], json[200];

	gives("task_claim", "{}", "none");
	gives("task_post", "{\"title\":\"count\",\"description\":\"count the files\",\"assigned_to\":\"bea\"}", "is on the board");
	memcpy(id, out.p + 5, 36);
	id[36] = '\0';
	gives("task_claim", "{}", "none");
	refuses("task_post", "{\"title\":\"\",\"description\":\"x\"}", ERR_INVALID, "title");
	refuses("task_post", "{\"title\":\"x\"}", ERR_INVALID, "missing parameter: description");
	refuses("task_post", "{\"title\":\"x\",\"description\":\"x\",\"assigned_to\":\"nobody\"}", ERR_NOT_FOUND, "no agent");
	snprintf(json, sizeof(json), "{\"task_id\":\"%s\",\"result\":\"12\"}", id);
	refuses("task_complete", json, ERR_FORBIDDEN, "not yours");
	as(BEA, "bea");
	gives("task_claim", "{}", "\"description\":\"count the files\"");
	gives("task_claim", "{}", "none");
	gives("task_list", "{\"status\":\"in_progress\"}", "\"assigned_to\":\"" BEA "\"");
	gives("task_complete", json, "is completed");
	refuses("task_complete", json, ERR_FORBIDDEN, "not yours");
	as(ADA, "ada");
	gives("task_status", json, "\"result\":\"12\"");
	gives("task_list", "{\"status\":\"pending\"}", "[]");
	gives("task_list", "{}", id);
	refuses("task_list", "{\"status\":1}", ERR_INVALID, "string");
	refuses("task_status", "{\"task_id\":\"none\"}", ERR_NOT_FOUND, "Task not found");
	gives("task_post", "{\"title\":\"free\",\"description\":\"for anybody\"}", "is on the board");
	as(BEA, "bea");
	gives("task_claim", "{}", "for anybody");
	as(ADA, "ada");
	gives("task_claim", "{}", "none");
	the_db_late();
	gives("task_claim", "{}", "for anybody");
}

static void
agent_tools(void)
{
	gives("agent_list", "{}", "ada (" ADA ") Running offline:offline (you)\n");
	gives("agent_list", "{}", "bea (" BEA ") Running openai:gpt-x\n");
	gives("agent_send", "{\"agent_id\":\"bea\",\"message\":\"hi\"}", "ada asked " BEA ": hi, later");
	ok(strstr(out.p, "holding") == NULL, "and no connection is held meanwhile");
	gives("agent_send", "{\"agent_id\":\"" BEA "\",\"message\":\"hi\",\"async\":false}", "ada asked " BEA ": hi");
	ok(strstr(out.p, "later") == NULL, "the answer is waited for");
	gives("agent_send", "{\"agent_id\":\"bea\",\"message\":\"hi\",\"conversation_key\":\"taxes\"}", "about taxes");
	refuses("agent_send", "{\"agent_id\":\"ada\",\"message\":\"hi\"}", ERR_FORBIDDEN, "itself");
	refuses("agent_send", "{\"agent_id\":\"" ADA "\",\"message\":\"hi\"}", ERR_FORBIDDEN, "itself");
	refuses("agent_send", "{\"agent_id\":\"nobody\",\"message\":\"hi\"}", ERR_NOT_FOUND, "no agent 'nobody'");
	refuses("agent_send", "{\"agent_id\":\"bea\"}", ERR_INVALID, "missing parameter: message");
	refuses("agent_send", "{\"agent_id\":\"bea\",\"message\":\" \"}", ERR_INVALID, "empty");
	refuses("agent_send", "{\"agent_id\":\"bea\",\"message\":\"hi\",\"conversation_key\":\"\"}", ERR_INVALID, "conversation_key");
	refuses("agent_send", "{\"agent_id\":\"bea\",\"message\":\"use sk-abcdefghijklmnopqr\"}", ERR_FORBIDDEN, "secret");
	env.depth = 3;
	refuses("agent_send", "{\"agent_id\":\"bea\",\"message\":\"hi\"}", ERR_FORBIDDEN, "3 deep");
	env.depth = 0;
	task_tools();
	gives("event_publish", "{\"event_type\":\"build.done\",\"payload\":{\"n\":1}}", "Published build.done");
	refuses("event_publish", "{\"event_type\":\"system.x\"}", ERR_FORBIDDEN, "not for agents");
	refuses("event_publish", "{\"event_type\":\"\"}", ERR_INVALID, "event_type");
	refuses("event_publish", "{\"event_type\":\"x\",\"payload\":[]}", ERR_INVALID, "object");
	gives("agent_find", "{\"query\":\"BE\"}", "\"name\":\"bea\"");
	gives("agent_find", "{\"query\":\"no such thing\"}", "[]");
	refuses("agent_find", "{\"query\":\" \"}", ERR_INVALID, "empty");
	refuses("agent_find", "{}", ERR_INVALID, "missing parameter: query");
	gives("agent_kill", "{\"agent_id\":\"bea\"}", "ended " BEA);
	refuses("agent_kill", "{\"agent_id\":\"ada\"}", ERR_FORBIDDEN, "itself");
	refuses("agent_kill", "{\"agent_id\":\"nobody\"}", ERR_NOT_FOUND, "no agent");
	refuses("agent_kill", "{}", ERR_INVALID, "missing parameter: agent_id");
	gives("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"You count.\",\"tools\":[\"file_read\"]}", "tools = [\"file_read\"]");
	gives("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"You count.\"}", "tools_disabled = true");
	gives("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"You count.\",\"network\":true}", "web_fetch");
	refuses("agent_spawn", "{\"name\":\"kid\"}", ERR_INVALID, "missing parameter: system_prompt");
	refuses("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"x\",\"tools\":\"all\"}", ERR_INVALID, "tools");
	refuses("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"x\",\"tools\":[1]}", ERR_INVALID, "tools");
	refuses("agent_spawn", "{\"name\":\"kid\",\"system_prompt\":\"use sk-abcdefghijklmnopqr\"}", ERR_FORBIDDEN, "secret");
	ctx.who = &zoe;
	refuses("agent_send", "{\"agent_id\":\"bea\",\"message\":\"hi\"}", ERR_NOT_FOUND, "no agent");
	ctx.who = &root;
}

static void
clock_tool(void)
{
	struct json_object *o;

	setenv("TZ", "Asia/Kolkata", 1);
	tzset();
	gives("system_time", "{}", "\"utc_offset\": \"+05:30\"");
	o = json_keep(&ctx, json_tokener_parse(out.p));
	is_str(js_str(o, "timezone"), "Asia/Kolkata", "with the zone's name");
	ok(js_i64(o, "unix_epoch", 0) > 1700000000 && strlen(js_str_or(o, "local", "")) == 25 &&
	    strstr(js_str_or(o, "day_of_week", ""), "day") != NULL, "and the rest");
}

static void
web_tool(void)
{
	char *long_text = malloc(200001);

	web.status = 200;
	web.type = "text/html; charset=utf-8";
	web.body = "<h1>T</h1><script>x</script><p>Hello <a href='/y'>you</a>";
	gives("web_fetch", "{\"url\":\"https://e.org/x\"}", "HTTP 200\ntext/html\n\n[external content ");
	ok(strstr(out.p, "# T\n\nHello you (https://e.org/y)\n[end of external content ") != NULL, "a page comes as text, marked as foreign");
	ok(seen.guard && seen.cut && seen.max_redirects == 10 && seen.timeout_ms == 30000 && seen.max_bytes == 10 << 20 &&
	    strcmp(seen.method, "GET") == 0, "guarded and bounded");
	web.type = "application/json";
	web.body = "{\"a\":1}";
	web.status = 404;
	gives("web_fetch", "{\"url\":\"http://e.org/\",\"method\":\"post\",\"body\":\"q\",\"headers\":{\"X-Q\":\"1\"}}", "HTTP 404\napplication/json\n\n");
	ok(strstr(out.p, "\n{\"a\":1}\n") != NULL && strstr(seen_headers, "X-Q: 1\n") != NULL && strcmp(seen_body, "q") == 0 &&
	    strcmp(seen.method, "POST") == 0, "other types as they are, with what was asked");
	web.type = "image/png";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "binary content of 7 bytes");
	web.type = "";
	web.body = "\x89PNG";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "binary content of 4 bytes");
	web.type = "text/plain; charset=ISO-8859-1";
	web.body = "caf\xe9";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\ncaf\xc3\xa9\n");
	web.type = "text/html";
	web.body = "<meta charset=\"windows-1251\">\xcf\xf0 x";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\xd0\x9f\xd1\x80 x");
	web.type = "text/plain; charset=ISO-2022-CN-EXT";
	web.body = "a\xe9z";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\na\xc3\xa9z\n");
	for (int i = 0; i < 100000; i++)
		memcpy(long_text + i * 2, "\xc3\xa9", 2);
	long_text[200000] = '\0';
	web.type = "text/plain";
	web.body = long_text;
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\xc3\xa9\n[cut after 50000 characters]");
	ok(utf8_ok(out.p, out.len) && out.len < 101000, "a long text is cut at a character");
	web.body = "\xc3\xa9\xc3";
	cfg.web_max_bytes = 3;
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\n\xc3\xa9\n[end");
	cfg.web_max_bytes = 0;
	web.body = "a\0b\x1b[31m";
	web.n = 8;
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "\nab[31m\n");
	web.n = 0;
	web.body = "";
	gives("web_fetch", "{\"url\":\"http://e.org/\"}", "(empty body)");
	free(long_text);
}

static void
web_refusals(void)
{
	refuses("web_fetch", "{}", ERR_INVALID, "missing parameter: url");
	refuses("web_fetch", "{\"url\":\"file:///etc/passwd\"}", ERR_INVALID, "http://");
	refuses("web_fetch", "{\"url\":\"http://e.org/ x\"}", ERR_INVALID, "blank");
	refuses("web_fetch", "{\"url\":\"http://e.org/?token=abc\"}", ERR_FORBIDDEN, "sensitive_key_name");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"method\":\"TRACE\"}", ERR_INVALID, "method");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"body\":\"x\"}", ERR_INVALID, "a GET has none");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"method\":\"POST\",\"body\":\"password=hunter22\"}", ERR_FORBIDDEN, "key_value_secret");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"Authorization\":\"x\"}}", ERR_FORBIDDEN, "credentials");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"X\":\"sk-abcdefghijklmnopqrst\"}}", ERR_FORBIDDEN, "well_known_prefix");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"Host\":\"x\"}}", ERR_INVALID, "set by the client");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"X\":\"a\\r\\nY: b\"}}", ERR_INVALID, "control character");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"X Y\":\"a\"}}", ERR_INVALID, "not a header name");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":{\"X\":1}}", ERR_INVALID, "a string");
	refuses("web_fetch", "{\"url\":\"http://e.org/\",\"headers\":[]}", ERR_INVALID, "an object");
	web.status = 200;
	web.type = "image/png";
	web.body = "\x89PNG";
	gives("web_fetch_to_file", "{\"url\":\"http://e.org/p\",\"dest_path\":\"img/p.png\"}", "bytes: 4\nsha256: 0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543\ncontent-type: image/png");
	ok(seen.guard && seen.max_bytes == 50 << 20 && !seen.cut, "guarded, and never cut");
	gives("file_list", "{\"path\":\"img\"}", "p.png");
	refuses("web_fetch_to_file", "{\"url\":\"http://e.org/p\"}", ERR_INVALID, "missing parameter: dest_path");
	refuses("web_fetch_to_file", "{\"url\":\"http://e.org/p\",\"dest_path\":\"../p.png\"}", ERR_FORBIDDEN, "");
	refuses("web_fetch_to_file", "{\"url\":\"http://e.org/p\",\"dest_path\":\"agent.toml\"}", ERR_FORBIDDEN, "managed");
	refuses("web_fetch_to_file", "{\"url\":\"file:///etc/passwd\",\"dest_path\":\"p\"}", ERR_INVALID, "http://");
	web.status = 404;
	refuses("web_fetch_to_file", "{\"url\":\"http://e.org/p\",\"dest_path\":\"gone.png\"}", ERR_NOT_FOUND, "HTTP 404");
	refuses("file_read", "{\"path\":\"gone.png\"}", ERR_NOT_FOUND, "");
	web.status = 200;
	web.e = ERR_FORBIDDEN;
	web.why = "the address 10.0.0.1 is private";
	refuses("web_fetch_to_file", "{\"url\":\"http://e.org/p\",\"dest_path\":\"p\"}", ERR_FORBIDDEN, "10.0.0.1 is private");
	refuses("web_fetch", "{\"url\":\"http://e.org/\"}", ERR_FORBIDDEN, "10.0.0.1 is private");
	web.e = ERR_CANCELLED;
	refuses("web_fetch", "{\"url\":\"http://e.org/\"}", ERR_CANCELLED, "cancelled");
	web.e = ERR_TIMEOUT;
	web.why = "no answer";
	refuses("web_fetch", "{\"url\":\"http://e.org/\"}", ERR_TIMEOUT, "no answer");
	web.e = ERR_OK;
}

int
main(void)
{
	if (mkdtemp(work) == NULL)
		return 1;
	ctx.cfg = &cfg;
	store_open(&ctx);
	store_agent(&ctx, ADA, "ada", "", NULL, "{}");
	store_agent(&ctx, BEA, "bea", "", NULL, "{\"model\":{\"provider\":\"openai\",\"model\":\"gpt-x\"}}");
	the_db = ctx.db;
	ctx.db = NULL;
	grants();
	catalog();
	globs();
	file_tools();
	memory_tools();
	agent_tools();
	clock_tool();
	web_tool();
	web_refusals();
	buf_done(&out);
	tree_remove(work);
	ctx.db = the_db;
	store_close(&ctx);
	return done();
}

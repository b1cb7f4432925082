/* The built-in engine: phrases become tool calls, results become sentences. */
#include <json-c/json.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/llm/llm.h"
#include "t/history.h"
#include "t/tap.h"

static struct buf seen = BUF_INIT(65536);
static unsigned chunks;
static void on_text(void *x, const char *p, size_t n) { (void)x; chunks++; buf_add(&seen, p, n); }
static void on_end(void *x, const char *id, const char *name, const char *in) { (void)x; (void)id; buf_printf(&seen, "%s%s", name, in); }
static const struct llm_sink sink = { .text = on_text, .tool_end = on_end };

static struct llm_answer a;
static struct json_object *tools;

static enum err
ask(struct json_object *messages, int64_t max_tokens)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct llm_request rq = { .provider = "offline", .model = "offline", .format = "offline",
	    .messages = history_of(&c, messages),
	    .tools = tools, .stream = true, .max_tokens = max_tokens };
	enum err e;

	buf_clear(&seen);
	chunks = 0;
	e = llm_call(&rq, &sink, 0, &a);
	json_object_put(messages);
	arena_free(c.arena);
	return e;
}

static struct json_object *
user(const char *text)
{
	struct json_object *list = json_object_new_array(), *m = json_object_new_object();

	json_object_object_add(m, "role", json_object_new_string("user"));
	json_object_object_add(m, "content", json_object_new_string(text));
	json_object_array_add(list, m);
	return list;
}

static void
calls(void)
{
	static const char *const t[][2] = {
		{ "remember that my name is Bea", "memory_store{\"key\":\"my name\",\"value\":\"Bea\"}" },
		{ "Please remember color = deep blue", "memory_store{\"key\":\"color\",\"value\":\"deep blue\"}" },
		{ "remember a=b", "memory_store{\"key\":\"a\",\"value\":\"b\"}" },
		{ "remember that buy milk", "memory_store{\"key\":\"buy milk\",\"value\":\"buy milk\"}" },
		{ "What do you know about my name?", "memory_recall{\"key\":\"my name\"}" },
		{ "recall \"color\".", "memory_recall{\"key\":\"color\"}" },
		{ "list files", "file_list{\"path\":\".\"}" },
		{ "list files in docs/x", "file_list{\"path\":\"docs/x\"}" },
		{ "read file notes.txt", "file_read{\"path\":\"notes.txt\"}" },
		{ "write file notes.txt: hello: world", "file_write{\"path\":\"notes.txt\",\"content\":\"hello: world\"}" },
		{ "what time is it?", "system_time{}" },
		{ "LIST AGENTS", "agent_list{}" },
		{ "fetch https://example.com/a?b=c", "web_fetch{\"url\":\"https://example.com/a?b=c\"}" },
		{ "run mcp_x {\"n\": [1, 2]}", "mcp_x{\"n\":[1,2]}" },
		{ "run system_time", "system_time{}" },
		{ "[Ada L. (tg)]: recall color", "memory_recall{\"key\":\"color\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct json_object *b;
		char got[512];

		is_int(ask(user(t[i][0]), 0), ERR_OK, "%s", t[i][0]);
		is_int(a.stop, LLM_TOOL_USE, "asks for a tool");
		b = json_object_array_get_idx(a.content, 0);
		snprintf(got, sizeof(got), "%s%s", js_str_or(b, "name", "-"), json_object_to_json_string_ext(js_get(b, "input"),
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		is_str(got, t[i][1], "with the right input");
		llm_answer_done(&a);
	}
}

static void
words(void)
{
	char first[4096];
	static const char *const odd[] = { "", "   ", "run", "run x {", "run x [1]", "write file", "fetch ftp://x", "remember", "remember ?",
	    "recall ?", "run no_such_tool {}", "read file", "running", "[", "[a]:", "[a]: ", "[a] recall b", "[a [b]: recall b", "\xf0\x9f\x98\x80" };

	is_int(ask(user("Hello there"), 0), ERR_OK, "a greeting is answered");
	snprintf(first, sizeof(first), "%s", seen.p);
	ok(strstr(first, "not a language model") != NULL, "by an engine that says what it is");
	ok(strstr(first, "You said: \"Hello there\"") != NULL && strstr(first, "config.toml") != NULL, "and what to do");
	ok(chunks > 5, "in pieces");
	is_int(a.stop, LLM_END_TURN, "and ends there");
	ok(a.usage_known && a.input_tokens > 0 && a.output_tokens == (int64_t)(strlen(first) + 3) / 4, "with its usage");
	llm_answer_done(&a);
	(void)!ask(user("Hello there"), 0);
	is_str(seen.p, first, "the same every time");
	llm_answer_done(&a);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		ok(ask(user(odd[i]), 0) == ERR_OK && a.stop == LLM_END_TURN && seen.len > 0, "words for \"%s\"", odd[i]);
		llm_answer_done(&a);
	}
	is_int(ask(user("hi"), 5), ERR_OK, "a limit of tokens");
	ok(a.stop == LLM_MAX_TOKENS && seen.len == 20, "is kept");
	llm_answer_done(&a);
}

static void
results(void)
{
	is_int(ask(json_tokener_parse("[{\"role\":\"user\",\"content\":\"list files\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
	    "\"id\":\"1\",\"name\":\"file_list\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\","
	    "\"tool_name\":\"file_list\",\"content\":\"a.txt\\nb/\",\"is_error\":false},{\"type\":\"tool_result\",\"tool_use_id\":\"2\","
	    "\"tool_name\":\"file_read\",\"content\":\"no such file\",\"is_error\":true}]}]"), 0), ERR_OK, "results are related");
	is_str(seen.p, "The tool file_list answered:\na.txt\nb/\n\nThe tool file_read failed:\nno such file", "as they are");
	is_int(a.stop, LLM_END_TURN, "and the turn ends");
	llm_answer_done(&a);
}

int
main(void)
{
	tools = json_tokener_parse("[{\"name\":\"memory_store\"},{\"name\":\"memory_recall\"},{\"name\":\"file_list\"},{\"name\":\"file_read\"},"
	    "{\"name\":\"file_write\"},{\"name\":\"system_time\"},{\"name\":\"agent_list\"},{\"name\":\"web_fetch\"},{\"name\":\"mcp_x\"}]");
	calls();
	words();
	results();
	json_object_put(tools);
	buf_done(&seen);
	return done();
}

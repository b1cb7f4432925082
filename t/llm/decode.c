/* Decoding without a network: events, split at every byte; text, thinking, arguments; bodies; errors. */
#include <json-c/json.h>

#include "lib/base/json.h"
#include "lib/llm/errors.h"
#include "lib/llm/openai.h"
#include "lib/base/arena.h"
#include "t/history.h"
#include "t/tap.h"

static struct ctx ctx;

/* --- a sink that writes down what it gets -------------------------------- */

static void s_text(void *a, const char *p, size_t n) { if (!utf8_ok(p, n)) buf_str(a, "BAD"); buf_add(a, p, n); }
static void s_think(void *a, const char *p, size_t n) { if (!utf8_ok(p, n)) buf_str(a, "BAD"); buf_str(a, "("); buf_add(a, p, n); buf_str(a, ")"); }
static void s_start(void *a, const char *id, const char *name) { buf_printf(a, "[%s %s", id, name); }
static void s_input(void *a, const char *id, const char *p, size_t n) { (void)id; buf_str(a, "|"); buf_add(a, p, n); }
static void s_end(void *a, const char *id, const char *name, const char *in) { (void)id; (void)name; buf_printf(a, " => %s]", in); }

static const struct llm_request rq = { .provider = "test", .model = "m-1", .api_key = "secret-key-123", .stream = true };

struct result { enum err e; struct llm_answer a; char seen[8192], all[8192]; };

static void
decode(struct result *r, const char *wire, size_t n, size_t step, bool cut)
{
	struct buf seen = BUF_INIT(8000);
	struct llm_sink sink = { &seen, s_text, s_think, s_start, s_input, s_end, NULL, 0 };
	struct intake d;

	memset(r, 0, sizeof(*r));
	if (intake_init(&d, &openai_driver, &rq, &sink, &r->a) != ERR_OK)
		exit(1);
	for (size_t i = 0; i < n; i += step)
		if (!intake_feed(&d, wire + i, n - i < step ? n - i : step))
			break;
	r->e = intake_end(&d, cut);
	intake_free(&d);
	snprintf(r->seen, sizeof(r->seen), "%s", seen.len ? seen.p : "");
	snprintf(r->all, sizeof(r->all), "%s", r->a.content ? json_object_to_json_string_ext(r->a.content,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "");
	buf_done(&seen);
	llm_answer_done(&r->a);
}

static struct result one;

static void
get(const char *wire)
{
	decode(&one, wire, strlen(wire), strlen(wire) ? strlen(wire) : 1, false);
}

#define D(json) "data: {\"choices\":[{\"index\":0,\"delta\":" json "}]}\n\n"
#define F(reason) "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static const char long_stream[] =
    ": a comment\r\n\r\nevent: x\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n"
    D("{\"content\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80 \"}")
    "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"two lines\"}}]}\n\n"
    D("{\"content\":\" <thi\"}") D("{\"content\":\"nk>deep</th\"}") D("{\"content\":\"ink>out <b>\"}")
    D("{\"reasoning_content\":\"why\"}")
    D("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
    D("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}")
    D("{\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}},"
    "{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}")
    F("tool_calls")
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n"
    DONE;
static const char long_content[] =
    "[{\"type\":\"thinking\",\"thinking\":\"deepwhy\"},"
    "{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80 two lines out <b>\"},"
    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"a\":1}},"
    "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]";

static void
streams(void)
{
	size_t n = sizeof(long_stream) - 1, bad = 0;
	char mac[sizeof(long_stream)];

	get(long_stream);
	is_int(one.e, ERR_OK, "a stream is read");
	is_str(one.all, long_content, "into its blocks");
	is_int(one.a.stop, LLM_TOOL_USE, "with its reason to stop");
	ok(one.a.usage_known && one.a.input_tokens == 11 && one.a.output_tokens == 7 && one.a.cache_read_tokens == 3, "and its usage");
	ok(strstr(one.seen, "[c1 f") != NULL && strstr(one.seen, "|{\"a\":") != NULL && strstr(one.seen, "=> {\"a\":1}]") != NULL,
	    "tool calls reach the sink as they come");
	for (size_t step = 1; step < n; step++) {
		decode(&one, long_stream, n, step, false);
		bad += one.e != ERR_OK || strcmp(one.all, long_content) != 0 || strstr(one.seen, "BAD") != NULL;
	}
	for (size_t at = 1; at < n; at++) {             /* two pieces, cut at each byte */
		struct llm_answer a = { 0 };
		struct intake d;

		if (intake_init(&d, &openai_driver, &rq, NULL, &a) != ERR_OK)
			exit(1);
		(void)intake_feed(&d, long_stream, at);
		(void)intake_feed(&d, long_stream + at, n - at);
		bad += intake_end(&d, false) != ERR_OK || strcmp(json_object_to_json_string_ext(a.content,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), long_content) != 0;
		intake_free(&d);
		llm_answer_done(&a);
	}
	is_int(bad, 0, "however the network splits it");
	memcpy(mac, long_stream, n + 1);
	for (size_t i = 0; i < n; i++)
		if (mac[i] == '\n')
			mac[i] = mac[i] == '\n' && i > 0 && mac[i - 1] == '\r' ? '\n' : '\r';
	decode(&one, mac, n, 5, false);
	is_str(one.all, long_content, "and with any line end");
}

/* Cut after each byte, with and without the connection's own end: before the provider was finished that is an error, and no content. */
static void
cuts(void)
{
	const char *last = strstr(long_stream, "\"finish_reason\":\"tool_calls\"}]}");
	size_t n = sizeof(long_stream) - 1, finish = (size_t)(last - long_stream) + strlen("\"finish_reason\":\"tool_calls\"}]}"), bad = 0;

	for (size_t at = 0; at <= n; at++)
		for (int cut = 0; cut < 2; cut++) {
			decode(&one, long_stream, at, at > 0 ? at : 1, cut);
			if (at < finish)
				bad += one.e != ERR_UPSTREAM || one.all[0] != '\0' || one.a.error == LLM_OK;
			else if (at > finish + 1)       /* and its blank line */
				bad += one.e != ERR_OK || strcmp(one.all, long_content) != 0;
		}
	is_int(bad, 0, "a stream that is cut is no answer, whatever byte was the last");
}

static void
endings(void)
{
	get(D("{\"content\":\"hi\"}") F("stop"));
	is_int(one.e, ERR_OK, "finish_reason alone ends a stream");
	get(D("{\"content\":\"hi\"}") DONE);
	is_int(one.e, ERR_OK, "[DONE] alone ends a stream");
	is_int(one.a.stop, LLM_END_TURN, "as an ordinary end");
	get(D("{\"content\":\"hi\"}"));
	is_int(one.e, ERR_UPSTREAM, "a stream that just stops is an error");
	is_int(one.a.error, LLM_BROKEN_STREAM, "a broken stream");
	ok(one.a.any_output, "of which something was seen");
	is_str(one.seen, "hi", "namely this");
	get("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}");
	is_int(one.e, ERR_OK, "a last event without its blank line counts");
	get("");
	is_int(one.e, ERR_UPSTREAM, "nothing at all is an error");
	get(DONE);
	is_int(one.e, ERR_UPSTREAM, "[DONE] without any answer too");
	get(": ping\n\n: ping\n\n");
	is_int(one.e, ERR_UPSTREAM, "and comments alone");
	get(D("{\"content\":\"a\"}") "data: {oops\n\ndata: \xff\xfe\n\ndata: 7\n\ndata: []\n\n" D("{\"content\":\"b\"}") F("stop") DONE);
	is_str(one.seen, "ab", "frames that make no sense are skipped");
	get("data: {oops\n\ndata: nonsense\n\n" DONE);
	is_int(one.a.error, LLM_BROKEN_STREAM, "a stream of nothing else is an error");
	get("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\ndata: [DONE]\n");
	is_str(one.seen, "ab", "events without blank lines between them are told apart");
	get("\xef\xbb\xbf" D("{\"content\":\"a\"}") DONE);
	is_str(one.seen, "a", "a byte order mark is skipped");
	get(D("{\"content\":\"a\"}") F("length") DONE);
	is_int(one.a.stop, LLM_MAX_TOKENS, "length: the limit was reached");
	get(D("{\"content\":\"a\"}") F("content_filter") DONE);
	is_int(one.a.stop, LLM_FILTERED, "content_filter: filtered");
	get(D("{\"content\":\"a\"}") F("tool_calls") DONE);
	is_int(one.a.stop, LLM_END_TURN, "tool_calls without calls: an ordinary end");
	get("data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n" D("{\"content\":\"a\"}") DONE);
	is_str(one.seen, "a", "other choices than the first are not mixed in");
}

static void
error_frames(void)
{
	static const struct { const char *frame; enum llm_error e; int status; } t[] = {
		{ "{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}", LLM_RATE_LIMITED, 429 },
		{ "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\"}}", LLM_BILLING, 402 },
		{ "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}", LLM_CONTEXT_OVERFLOW, 413 },
		{ "{\"error\":{\"message\":\"x\",\"code\":\"model_not_found\"}}", LLM_MODEL_NOT_FOUND, 404 },
		{ "{\"error\":{\"message\":\"x\",\"code\":\"invalid_api_key\"}}", LLM_AUTH, 401 },
		{ "{\"error\":{\"message\":\"x\",\"type\":\"overloaded_error\"}}", LLM_OVERLOADED, 503 },
		{ "{\"error\":{\"message\":\"x\",\"code\":529}}", LLM_OVERLOADED, 529 },
		{ "{\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}", LLM_UPSTREAM, 500 },
		{ "{\"error\":\"boom\"}", LLM_UPSTREAM, 502 },
		{ "{\"error\":503}", LLM_OVERLOADED, 503 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char w[512];

		snprintf(w, sizeof(w), D("{\"content\":\"a\"}") "data: %s\n\n" F("stop") DONE, t[i].frame);
		get(w);
		ok(one.e == ERR_UPSTREAM && one.a.error == t[i].e && one.a.http_status == t[i].status, "%s is %s, %d (%d)",
		    t[i].frame, llm_error_code(t[i].e), t[i].status, one.a.http_status);
		snprintf(w, sizeof(w), "%s", t[i].frame);
		get(w);
		is_int(one.a.error, t[i].e, "also as a whole answer");
	}
	get("data: {\"error\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{}}\n\n" F("stop"));
	is_int(one.e, ERR_OK, "null and {} are no errors");
}

static void
thinking(void)
{
	get(D("{\"content\":\"<think>one\\n\\ntwo last\"}") F("stop"));
	is_str(one.all, "[{\"type\":\"thinking\",\"thinking\":\"one\\n\\ntwo last\"},{\"type\":\"text\",\"text\":\"two last\"}]",
	    "an answer of thinking alone says its last paragraph");
	get(D("{\"content\":\"<think>a</think>\\n\\nb\"}") F("stop"));
	is_str(one.seen, "(a)b", "blank lines after thinking are dropped");
	get(D("{\"content\":\"1 < 2 <thin air <\"}") F("stop"));
	is_str(one.seen, "1 < 2 <thin air <", "what only looks like a tag is text");
	get(D("{\"content\":\"<<think>a</think>b\"}") F("stop"));
	is_str(one.seen, "<(a)b", "a tag behind a bracket is one");
	get(D("{\"reasoning\":\"r\"}") D("{\"content\":\"x\"}") F("stop"));
	is_str(one.seen, "(r)x", "reasoning is thinking too");
}

static void
characters(void)
{
	get(D("{\"content\":\"a\xf0\x9f\"}") D("{\"content\":\"\x98\x80z\"}") F("stop"));
	is_str(one.seen, "a\xf0\x9f\x98\x80z", "a character split between frames arrives whole");
	get(D("{\"content\":\"a\xf0\x9f\"}") D("{\"content\":\"z\xc3\"}") F("stop"));
	is_str(one.seen, "a\xef\xbf\xbdz\xef\xbf\xbd", "one that never gets whole is replaced");
	get(D("{\"content\":\"\xff\xc0\xaf\xed\xa0\x80!\"}") F("stop"));
	ok(utf8_ok(one.seen, strlen(one.seen)) && strstr(one.seen, "BAD") == NULL, "wrong bytes never reach the sink");
}

static void
whole(void)
{
	get(" {\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"r\",\"tool_calls\":["
	    "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":2}\"}},"
	    "{\"id\":\"\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	    "{\"id\":\"c3\",\"type\":\"function\",\"function\":{\"name\":\"h\",\"arguments\":{\"y\":3}}}]},"
	    "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6,\"prompt_cache_hit_tokens\":2}}");
	is_int(one.e, ERR_OK, "a whole answer is read");
	is_str(one.all, "[{\"type\":\"thinking\",\"thinking\":\"r\"},{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":2}},"
	    "{\"type\":\"tool_use\",\"id\":\"c3\",\"name\":\"h\",\"input\":{\"y\":3}}]", "calls without id are dropped");
	is_int(one.a.cache_read_tokens, 2, "cache hits are counted");
	get("{\"choices\":[]}");
	is_int(one.e, ERR_UPSTREAM, "an answer without choices is an error");
	get("{\"choices\":[{\"mess");
	is_int(one.a.error, LLM_BROKEN_STREAM, "half an answer is an error");
	get("<html>hello</html>");
	is_int(one.e, ERR_UPSTREAM, "a web page is an error");
}

static void
arguments(void)
{
	static const char *const t[][2] = {
		{ "", "{}" }, { "  ", "{}" }, { "null", "{}" }, { "{}", "{}" }, { "{\"a\":[1,2]}", "{\"a\":[1,2]}" },
		{ "\"{\\\"a\\\":1}\"", "{\"a\":1}" }, { "[1]", "{\"raw_input\":[1]}" }, { "7", "{\"raw_input\":7}" },
		{ "\"x\"", "{\"raw_input\":\"x\"}" }, { "{\"a\":1}}}", "{\"a\":1}" }, { "{\"a\":1} and so", "{\"a\":1}" },
	};
	struct json_object *o;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		o = tool_args(t[i][0], strlen(t[i][0]));
		is_str(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), t[i][1], "arguments: %s", t[i][0]);
		json_object_put(o);
	}
	o = tool_args("{\"a\":\"b", 7);
	ok(js_bool(o, "__args_truncated", false) && js_str(o, "__error") != NULL, "half an object says that it is one");
	json_object_put(o);
}

static const struct history *
conversation(const char *json)
{
	return history_of(&ctx, json_keep(&ctx, json_tokener_parse(json)));
}

static void
body_is(struct llm_request *r, const char *messages, const struct quirks *q, const char *want, const char *name)
{
	SCOPED_BUF b = BUF_INIT(65536);

	r->messages = messages ? conversation(messages) : NULL;
	is_int(oa_write_body(r, q ? q : &(struct quirks){ 0 }, &b), ERR_OK, "%s", name);
	is_str(b.p, want, "as it should be");
	r->messages = NULL;
}

static void
bodies(void)
{
	struct llm_request r = { .provider = "openai", .model = "gpt-4o", .system = "Be kind.", .max_tokens = 9,
	    .has_temperature = true, .temperature = 0.7, .stream = true };
	SCOPED_BUF b = BUF_INIT(1000);

	body_is(&r, "[{\"role\":\"system\",\"content\":\"old\"},{\"role\":\"user\",\"content\":\"hi \\\"you\\\"\"},"
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},{\"type\":\"text\",\"text\":\"calling\"},"
	    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"a\":0.7}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"\",\"is_error\":false},"
	    "{\"type\":\"text\",\"text\":\"dropped\"}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"QUJD\"},"
	    "{\"type\":\"image_file\",\"path\":\"/nonexistent/x.png\"},{\"type\":\"future\"}]},"
	    "{\"role\":\"assistant\",\"content\":\"\"}]", NULL,
	    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},"
	    "{\"role\":\"user\",\"content\":\"hi \\\"you\\\"\"},{\"role\":\"assistant\",\"content\":\"calling\",\"tool_calls\":[{\"id\":\"c1\","
	    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":0.7}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"(empty)\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}}]}],"
	    "\"max_tokens\":9,\"temperature\":0.7,\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "a conversation");

	r.system = NULL;
	r.stream = false;
	r.provider = "moonshot";
	r.model = "kimi-k2.5";
	body_is(&r, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"file\",\"file_id\":\"f-1\"}]}]", NULL,
	    "{\"model\":\"kimi-k2.5\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"file\",\"file_url\":{\"url\":\"fileid://f-1\"}}]}],"
	    "\"max_tokens\":9,\"temperature\":0.6,\"thinking\":{\"type\":\"disabled\"}}", "a file that Moonshot has");
	r.provider = "openai";
	r.model = "m";
	body_is(&r, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"file\",\"file_id\":\"f-1\"}]}]", NULL,
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":9,\"temperature\":0.7}", "is nothing to others");
	r.model = "o3-mini";
	body_is(&r, "[{\"role\":\"user\",\"content\":\"x\"}]", NULL,
	    "{\"model\":\"o3-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_completion_tokens\":9}", "a reasoning model");
	r.model = "m";
	r.extra = json_tokener_parse("{\"temperature\":0.1,\"top_p\":0.5,\"response_format\":{\"type\":\"json_object\"},\"stream\":true}");
	body_is(&r, "[{\"role\":\"user\",\"content\":\"x\"}]", NULL,
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":9,\"temperature\":0.1,\"top_p\":0.5,"
	    "\"response_format\":{\"type\":\"json_object\"}}", "extra members win");
	json_object_put(r.extra);
	r.extra = NULL;
	r.thinking_budget = 5000;
	r.response_format = json_tokener_parse("{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":true}");
	body_is(&r, "[{\"role\":\"user\",\"content\":\"x\"}]", NULL,
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":9,\"temperature\":0.7,\"reasoning_effort\":\"medium\","
	    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":true}}}", "thinking and a form");
	json_object_put(r.response_format);
	r.response_format = NULL;
	r.thinking_budget = 0;
	r.has_temperature = false;
	r.max_tokens = 0;
	r.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"$schema\":\"s\",\"type\":\"object\","
	    "\"additionalProperties\":false,\"$defs\":{\"P\":{\"type\":\"object\",\"properties\":{\"q\":{\"$ref\":\"#/$defs/P\"}}}},"
	    "\"properties\":{\"title\":{\"type\":[\"string\",\"null\"],\"title\":\"T\",\"default\":1},\"n\":{\"description\":\"dd\","
	    "\"anyOf\":[{\"type\":\"integer\",\"format\":\"int64\"},{\"type\":\"null\"}]},\"l\":{\"type\":\"array\",\"items\":{\"const\":1,\"enum\":[\"a\"]}}},"
	    "\"required\":[\"n\"]}}]");
	body_is(&r, "[{\"role\":\"user\",\"content\":\"x\"}]", NULL,
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\",\"nullable\":true},"
	    "\"n\":{\"type\":\"integer\",\"nullable\":true,\"description\":\"dd\"},\"l\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\"]}}},"
	    "\"required\":[\"n\"]}}}],\"tool_choice\":\"auto\"}", "tools");
	json_object_put(r.tools);
	r.tools = json_tokener_parse("[{\"name\":\"loop\",\"input_schema\":{\"$ref\":\"#/$defs/P\",\"$defs\":{\"P\":{\"type\":\"object\","
	    "\"properties\":{\"a\":{\"$ref\":\"#/$defs/P\"},\"b\":{\"$ref\":\"#/$defs/P\"}}},\"Q\":{\"$ref\":\"#/$defs/Q\"}}}}]");
	r.messages = conversation("[{\"role\":\"user\",\"content\":\"x\"}]");
	{
		SCOPED_BUF big = BUF_INIT(4 * 1024 * 1024);

		is_int(oa_write_body(&r, &(struct quirks){ 0 }, &big), ERR_OK, "a schema that refers to itself ends");
		is_int(json_check(big.p, big.len, 64, NULL), ERR_OK, "and is JSON");
	}
	for (int i = 0; i < 2; i++) {
		SCOPED_BUF kept = BUF_INIT(4 * 1024 * 1024);
		SCOPED_BUF made = BUF_INIT(4 * 1024 * 1024);

		r.tools_last = true;
		is_int(oa_write_body(&r, &(struct quirks){ 0 }, &kept), ERR_OK, "tools that last");
		r.tools_last = false;
		is_int(oa_write_body(&r, &(struct quirks){ 0 }, &made), ERR_OK, "and the same made anew");
		is_str(kept.p, made.p, "look the same");
	}
	json_object_put(r.tools);
	r.tools = NULL;
	r.messages = conversation("[{\"role\":\"assistant\",\"content\":\"\"}]");
	is_int(oa_write_body(&r, &(struct quirks){ 0 }, &b), ERR_INVALID, "no message at all is refused before sending");
}

static void
secrets(void)
{
	struct llm_answer a = { 0 };
	char t[] = "key sk-abcdefgh and Bearer abc.def, also secret-key-123 in monkey-business";

	llm_redact(t, "secret-key-123");
	is_str(t, "key *********** and Bearer *******, also ************** in monkey-business", "keys are blotted out");
	llm_blame_body(&a, &rq, 401, "{\"error\":{\"message\":\"Incorrect API key provided: secret-key-123\"}}", 66);
	is_str(a.why, "provider test refused the key", "a refused key is not repeated");
	is_int(a.error, LLM_AUTH, "and classed");
	llm_blame_body(&a, &rq, 400, "{\"error\":{\"message\":\"bad thing in secret-key-123\"}}", 51);
	is_str(a.why, "provider test refused the request: bad thing in **************", "a refusal says why");
	llm_blame_body(&a, &rq, 500, "<html><body>oops", 16);
	is_str(a.why, "provider test failed (HTTP 500): it sent a web page instead of an answer", "pages are not shown");
	llm_blame_body(&a, &rq, 429, "{\"error\":{\"message\":\"You exceeded your current quota\",\"code\":\"insufficient_quota\"}}", 82);
	is_int(a.error, LLM_BILLING, "an empty account is no rate limit");
	llm_blame_body(&a, &rq, 400, "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens\"}}", 76);
	is_int(a.error, LLM_CONTEXT_OVERFLOW, "too long a conversation");
	llm_blame_body(&a, &rq, 404, "", 0);
	is_str(a.why, "provider test has no model m-1", "no such model");
	llm_blame_body(&a, &rq, 529, "x", 1);
	is_int(a.error, LLM_OVERLOADED, "529 is overload");
}

int
main(void)
{
	ctx.arena = arena_new(4096);
	streams();
	cuts();
	endings();
	error_frames();
	thinking();
	characters();
	whole();
	arguments();
	bodies();
	secrets();
	arena_free(ctx.arena);
	return done();
}

/* Anthropic's messages: what is sent, and what is made of answers however they arrive. */
#include "lib/llm/anthropic.h"
#include "t/llm/asked.h"
#include "t/llm/wire.h"

#define EV(type, json) "event: " type "\ndata: {\"type\":\"" type "\"" json "}\n\n"
#define START EV("message_start", ",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]," \
    "\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":200,\"cache_creation\":{\"ephemeral_5m_input_tokens\":50,\"ephemeral_1h_input_tokens\":150},\"cache_read_input_tokens\":3000,\"output_tokens\":1}}")
#define END(reason) EV("message_delta", ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":42}") \
    EV("message_stop", "")

static const char stream[] = START EV("ping", "")
    EV("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
    EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Let me \"}")
    EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"see.\"}")
    EV("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}")
    EV("content_block_stop", ",\"index\":0")
    EV("content_block_start", ",\"index\":1,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web\",\"input\":{}}")
    EV("content_block_delta", ",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}")
    EV("content_block_stop", ",\"index\":1")
    EV("content_block_start", ",\"index\":2,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
    EV("content_block_delta", ",\"index\":2,\"delta\":{\"type\":\"text_delta\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"}")
    EV("content_block_stop", ",\"index\":2")
    EV("content_block_start", ",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}")
    EV("content_block_start", ",\"index\":4,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}")
    EV("content_block_delta", ",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}")
    EV("content_block_delta", ",\"index\":4,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}")
    EV("content_block_delta", ",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"[1,2]}\"}")
    EV("content_block_stop", ",\"index\":3") EV("content_block_stop", ",\"index\":4")
    END("tool_use");
static const char content[] =
    "[{\"type\":\"thinking\",\"thinking\":\"Let me see.\",\"provider_metadata\":{\"signature\":\"c2ln\"}},"
    "{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"},"
    "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{\"a\":[1,2]}},"
    "{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}]";

static void
answers(void)
{
	static const struct { const char *word; enum llm_stop stop; } stops[] = {
		{ "end_turn", LLM_END_TURN }, { "stop_sequence", LLM_END_TURN }, { "max_tokens", LLM_MAX_TOKENS }, { "refusal", LLM_FILTERED },
	};

	JUDGE(&anthropic_driver, stream, content, "a stream of thinking, text and two calls");
	is_int(wire(&anthropic_driver, stream, sizeof(stream) - 1, 7, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 3210 && wire_answer.cache_read_tokens == 3000 && wire_answer.cache_write_tokens == 200 && wire_answer.cache_hour_tokens == 150 &&
	    wire_answer.output_tokens == 42 && wire_answer.usage_known, "input is all of it, with what the cache read and wrote");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	is_str(wire_seen, "(Let me )(see.)Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80[toolu_1 f[toolu_2 g|{\"a\":|[1,2]} => {\"a\":[1,2]}] => {}]",
	    "and all of it was seen as it came, two calls side by side");
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		char w[2048];

		snprintf(w, sizeof(w), START EV("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"x\"}")
		    EV("message_delta", ",\"delta\":{\"stop_reason\":\"%s\"},\"usage\":{\"output_tokens\":2}") EV("message_stop", ""), stops[i].word);
		is_int(wire(&anthropic_driver, w, strlen(w), 9, false), ERR_OK, "%s", stops[i].word);
		is_int(wire_answer.stop, stops[i].stop, "is understood");
	}
	JUDGE(&anthropic_driver, "{\"type\":\"message\",\"content\":[{\"type\":\"redacted_thinking\",\"data\":\"zz\"},{\"type\":\"text\",\"text\":\"hi\"},"
	    "{\"type\":\"future\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"b\":1}}],\"stop_reason\":\"tool_use\","
	    "\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}",
	    "[{\"type\":\"thinking\",\"thinking\":\"\",\"provider_metadata\":{\"redacted\":\"zz\"}},{\"type\":\"text\",\"text\":\"hi\"},"
	    "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"b\":1}}]", "a whole answer");
}

static void
failures(void)
{
	const struct driver *drv = &anthropic_driver;

	wire_fails(drv, START EV("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"), LLM_OVERLOADED, 503, "overloaded in a stream");
	is_int(wire_answer.pause_units, 5, "comes again in a while");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}"), LLM_RATE_LIMITED, 429, "too fast");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"authentication_error\",\"message\":\"x\"}"), LLM_AUTH, 401, "a wrong key");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"permission_error\",\"message\":\"x\"}"), LLM_AUTH, 401, "a key that may not");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"billing_error\",\"message\":\"x\"}"), LLM_BILLING, 402, "no money");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}"), LLM_MODEL_NOT_FOUND, 404, "no such model");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"x\"}"), LLM_FORMAT, 400, "a question that it does not take");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long\"}"), LLM_CONTEXT_OVERFLOW, 400, "one that is too long");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"request_too_large\",\"message\":\"x\"}"), LLM_CONTEXT_OVERFLOW, 413, "and one that is too large");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"timeout_error\",\"message\":\"x\"}"), LLM_TIMEOUT, 504, "too slow");
	wire_fails(drv, EV("error", ",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}"), LLM_UPSTREAM, 500, "their fault");
	wire_fails(drv, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", LLM_OVERLOADED, 503, "whole");
	wire_fails(drv, START EV("message_stop", ""), LLM_BROKEN_STREAM, 0, "an end without a reason");
	wire_fails(drv, START, LLM_BROKEN_STREAM, 0, "a beginning alone");
	wire_fails(drv, "", LLM_BROKEN_STREAM, 0, "nothing at all");
	wire_fails(drv, "<html>gone</html>", LLM_BROKEN_STREAM, 0, "a web page");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"
#define MARK "\"cache_control\":{\"type\":\"ephemeral\"}"

static void
requests(void)
{
	struct llm_request rq = { .provider = "anthropic", .model = "claude-x", .format = "anthropic", .base_url = "https://a.example/v1/",
	    .api_key = "sk-ant-1", .system = "Be kind.", .has_temperature = true, .temperature = 0.7, .agent_id = "a-1" };

	asked_is(&anthropic_driver, &rq, "[" MSG("user", "hi") "]",
	    "{\"model\":\"claude-x\",\"max_tokens\":8192,\"temperature\":0.7,\"system\":[{\"type\":\"text\",\"text\":\"Be kind.\"," MARK "}],"
	    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"," MARK "}]}]}", "a question");
	is_str(asked_url, "https://a.example/v1/messages", "goes to the right place");
	ok(strstr(asked_headers, "x-api-key: sk-ant-1\n") && strstr(asked_headers, "anthropic-version: 2023-06-01\n") &&
	    strstr(asked_headers, "x-librefang-agent-id: a-1\n") && !strstr(asked_headers, "anthropic-beta"), "with its headers");
	rq.cache_strategy = "disabled";
	rq.stream = true;
	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"$defs\":{},\"properties\":{}}},"
	    "{\"name\":\"h\",\"input_schema\":{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]}},{\"name\":\"g\"}]");
	asked_is(&anthropic_driver, &rq,
	    "[{\"role\":\"system\",\"content\":\"old\"}," MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\","
	    "\"provider_metadata\":{\"signature\":\"s\"}},{\"type\":\"text\",\"text\":\" \"},{\"type\":\"tool_use\",\"id\":\"f:0\",\"name\":\"f\",\"input\":{\"a\":0.7}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"f:0\",\"content\":\"\",\"is_error\":true}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"QUJD\"},"
	    "{\"type\":\"image_file\",\"path\":\"/nonexistent/x.png\"},{\"type\":\"future\"}]}," MSG("assistant", "") "]",
	    "{\"model\":\"claude-x\",\"max_tokens\":8192,\"temperature\":0.7,\"stream\":true,\"system\":\"Be kind.\","
	    "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"$defs\":{},\"properties\":{}}},"
	    "{\"name\":\"h\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]}},"
	    "{\"name\":\"g\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
	    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"f_0\",\"name\":\"f\",\"input\":{\"a\":0.7}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"f_0\",\"content\":\"(empty)\",\"is_error\":true}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}}]}]}",
	    "a conversation, with nothing for the cache");
	rq.cache_strategy = NULL;
	is_int(asked(&anthropic_driver, &rq, "[" MSG("user", "1") "," MSG("assistant", "2") "," MSG("user", "3") "," MSG("assistant", "4") "," MSG("user", "5") "]"), ERR_OK, "a longer one");
	{
		unsigned marks = 0;

		for (const char *p = asked_body.p; (p = strstr(p, "cache_control")) != NULL; p++)
			marks++;
		is_int(marks, 4, "has four marks and no more");
		ok(strstr(asked_body.p, "\"input_schema\":{\"type\":\"object\",\"properties\":{}}," MARK "}]") != NULL, "one at the end of the last tool");
		ok(strstr(asked_body.p, "\"content\":\"3\"") != NULL && strstr(asked_body.p, "\"content\":\"5\"") == NULL, "the newest messages have the rest");
	}
	json_object_put(rq.tools);
	rq.tools = NULL;
	rq.cache_hour = true;
	is_int(asked(&anthropic_driver, &rq, "[" MSG("user", "hi") "]"), ERR_OK, "a cache of an hour");
	ok(strstr(asked_body.p, "\"ttl\":\"1h\"") && strstr(asked_headers, "anthropic-beta: extended-cache-ttl-2025-04-11"), "is asked for");
}

static void
thinking(void)
{
	static const char talk[] = "[" MSG("user", "old") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"past\",\"provider_metadata\":{\"signature\":\"p\"}},"
	    "{\"type\":\"text\",\"text\":\"ok\"}]}," MSG("user", "new") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"now\",\"provider_metadata\":{\"signature\":\"n\"}},"
	    "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"r\"}]}]";
	struct llm_request rq = { .provider = "anthropic", .model = "claude-x", .format = "anthropic", .base_url = "https://a.example", .api_key = "k", .has_temperature = true,
	    .temperature = 0.7, .cache_strategy = "disabled", .thinking_budget = 5000, .max_tokens = 100 };

	asked_is(&anthropic_driver, &rq, talk, "{\"model\":\"claude-x\",\"max_tokens\":6024,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000},"
	    "\"messages\":[{\"role\":\"user\",\"content\":\"old\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]},{\"role\":\"user\",\"content\":\"new\"},"
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"now\",\"signature\":\"n\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"r\"}]}]}",
	    "thinking: no temperature, room for the answer, and what led to the open call goes back signed");
	rq.thinking_budget = 1000;
	is_int(asked(&anthropic_driver, &rq, talk), ERR_OK, "a budget that is too small");
	ok(strstr(asked_body.p, "thinking") == NULL && strstr(asked_body.p, "temperature") != NULL, "is none");
}

static void
wishes(void)
{
	struct llm_request rq = { .provider = "anthropic", .model = "claude-x", .base_url = "https://a.example", .api_key = "k", .cache_strategy = "disabled" };

	rq.extra = json_tokener_parse("{\"top_k\":5,\"stop\":\"END\",\"seed\":7,\"top_p\":0.5,\"max_tokens\":11,\"response_format\":{\"type\":\"json_schema\","
	    "\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}},\"tool_choice\":\"required\"}");
	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]");
	asked_is(&anthropic_driver, &rq, "[" MSG("user", "x") "]",
	    "{\"model\":\"claude-x\",\"top_p\":0.5,\"stop_sequences\":[\"END\"],\"system\":\"Answer with one valid JSON value and nothing else: no fences, no words "
	    "around it. It must fit this JSON schema:\\n{\\\"type\\\":\\\"object\\\"}\",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}],"
	    "\"tool_choice\":{\"type\":\"any\"},\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":11,\"top_k\":5}",
	    "OpenAI's words are translated, its own pass through and win");
	json_object_put(rq.extra);
	json_object_put(rq.tools);
	rq.extra = rq.tools = NULL;
	is_int(asked(&anthropic_driver, &rq, "[" MSG("assistant", "") "]"), ERR_INVALID, "no message at all is refused before sending");
	rq.api_key = "k\r\nX: 1";
	is_int(asked(&anthropic_driver, &rq, "[" MSG("user", "x") "]"), ERR_FORBIDDEN, "a key with a line end is not sent");
	rq.base_url = "";
	is_int(asked(&anthropic_driver, &rq, "[" MSG("user", "x") "]"), ERR_INVALID, "nor anything to nowhere");
}

int
main(void)
{
	answers();
	failures();
	requests();
	thinking();
	wishes();
	asked_done();
	return done();
}

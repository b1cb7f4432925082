/* Cohere's chat, version 2: what is sent, and what is made of answers however they arrive. */
#include "t/llm/asked.h"
#include "t/llm/wire.h"

#define EV(type, json) "event: " type "\ndata: {\"type\":\"" type "\"" json "}\n\n"
#define TEXT(i, s) EV("content-delta", ",\"index\":" #i ",\"delta\":{\"message\":{\"content\":{\"text\":\"" s "\"}}}")
#define END(reason) EV("message-end", ",\"delta\":{\"finish_reason\":\"" reason "\",\"usage\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":2}," \
    "\"tokens\":{\"input_tokens\":71,\"output_tokens\":42},\"cached_tokens\":16}}")

static const char stream[] = EV("message-start", ",\"id\":\"x\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\"}}")
    EV("content-start", ",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"thinking\",\"thinking\":\"\"}}}")
    EV("content-delta", ",\"index\":0,\"delta\":{\"message\":{\"content\":{\"thinking\":\"Hm.\"}}}") EV("content-end", ",\"index\":0")
    EV("content-start", ",\"index\":1,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}")
    TEXT(1, "Gr\xc3\xbc\xc3\x9f\x65 ") TEXT(1, "\xf0\x9f\x98\x80") EV("content-end", ",\"index\":1")
    EV("tool-call-start", ",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"f_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}")
    EV("tool-call-start", ",\"index\":1,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"g_2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}}}")
    EV("tool-call-delta", ",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{\\\"a\\\":\"}}}}")
    EV("tool-call-delta", ",\"index\":1,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{}\"}}}}")
    EV("tool-call-delta", ",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"[1,2]}\"}}}}")
    EV("tool-call-end", ",\"index\":0") EV("tool-call-end", ",\"index\":1") END("TOOL_CALL");
static const char content[] = "[{\"type\":\"thinking\",\"thinking\":\"Hm.\"},{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"},"
    "{\"type\":\"tool_use\",\"id\":\"f_1\",\"name\":\"f\",\"input\":{\"a\":[1,2]}},{\"type\":\"tool_use\",\"id\":\"g_2\",\"name\":\"g\",\"input\":{}}]";

static void
answers(void)
{
	const struct driver *drv = &cohere_driver;

	JUDGE(drv, stream, content, "a stream of thinking, text and two calls");
	is_int(wire(drv, stream, sizeof(stream) - 1, 11, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 3 && wire_answer.output_tokens == 2 && wire_answer.cache_read_tokens == 0 && wire_answer.usage_known, "are the tokens that are paid");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	JUDGE(drv, "{\"id\":\"x\",\"finish_reason\":\"MAX_TOKENS\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],"
	    "\"tool_plan\":\"I will.\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}",
	    "[{\"type\":\"text\",\"text\":\"I will.\"},{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]", "a whole answer");
	is_int(wire(drv, EV("content-start", ",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}") END("MAX_TOKENS"),
	    strlen(EV("content-start", ",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}") END("MAX_TOKENS")), 3, false), ERR_OK, "an end by length");
	is_int(wire_answer.stop, LLM_MAX_TOKENS, "is one");
	wire_fails(drv, TEXT(0, "a") END("ERROR"), LLM_UPSTREAM, 500, "an end by error");
	wire_fails(drv, TEXT(0, "a"), LLM_BROKEN_STREAM, 0, "a stream that just stops");
	wire_fails(drv, "{\"message\":\"invalid api token\"}", LLM_BROKEN_STREAM, 0, "an answer without an answer");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"

static void
requests(void)
{
	struct llm_request rq = { .provider = "cohere", .model = "command-a", .base_url = "https://api.cohere.com/v2", .api_key = "k", .system = "Be kind.",
	    .has_temperature = true, .temperature = 1.5, .max_tokens = 9, .thinking_budget = 100 };

	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}]");
	rq.extra = json_tokener_parse("{\"k\":3,\"stop\":\"E\",\"top_p\":0.5,\"tool_choice\":\"required\",\"response_format\":{\"type\":\"json_object\"}}");
	asked_is(&cohere_driver, &rq, "[" MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"plan\"},"
	    "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":\"r\"}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}]}]",
	    "{\"model\":\"command-a\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"tool_plan\":\"plan\","
	    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}}]}],\"stream\":false,"
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"tool_choice\":\"REQUIRED\","
	    "\"max_tokens\":9,\"temperature\":1.0,\"p\":0.5,\"stop_sequences\":[\"E\"],\"response_format\":{\"type\":\"json_object\"},\"thinking\":{\"type\":\"enabled\",\"token_budget\":100},"
	    "\"k\":3}", "a conversation");
	is_str(asked_url, "https://api.cohere.com/v2/chat", "goes to the right place");
	json_object_put(rq.tools);
	json_object_put(rq.extra);
}

int
main(void)
{
	answers();
	requests();
	asked_done();
	return done();
}

/* OpenAI's responses: what is sent, and what is made of answers however they arrive. */
#include "t/llm/asked.h"
#include "t/llm/wire.h"

#define EV(type, json) "event: " type "\ndata: {\"type\":\"" type "\"" json "}\n\n"
#define MESSAGE "{\"id\":\"msg\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"}]}"
#define CALL "{\"id\":\"fc\",\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[1,2]}\"}"
#define CALL2 "{\"id\":\"fd\",\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"\"}"
#define THOUGHT "{\"id\":\"rs\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm.\"}]}"
#define USAGE "\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":40},\"output_tokens\":25}"

static const char stream[] = EV("response.created", ",\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"output\":[],\"error\":null}")
    EV("response.output_item.added", ",\"output_index\":0,\"item\":{\"type\":\"reasoning\",\"summary\":[]}")
    EV("response.reasoning_summary_text.delta", ",\"output_index\":0,\"summary_index\":0,\"delta\":\"Hm.\"")
    EV("response.output_item.done", ",\"output_index\":0,\"item\":" THOUGHT)
    EV("response.output_item.added", ",\"output_index\":1,\"item\":{\"type\":\"message\",\"content\":[]}")
    EV("response.output_text.delta", ",\"output_index\":1,\"content_index\":0,\"delta\":\"Gr\xc3\xbc\xc3\x9f\x65 \"")
    EV("response.output_text.delta", ",\"output_index\":1,\"content_index\":0,\"delta\":\"\xf0\x9f\x98\x80\"")
    EV("response.output_item.done", ",\"output_index\":1,\"item\":" MESSAGE)
    EV("response.output_item.added", ",\"output_index\":2,\"item\":{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"\"}")
    EV("response.output_item.added", ",\"output_index\":3,\"item\":{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"\"}")
    EV("response.function_call_arguments.delta", ",\"output_index\":2,\"delta\":\"{\\\"a\\\":\"")
    EV("response.function_call_arguments.delta", ",\"output_index\":2,\"delta\":\"[1,2]}\"")
    EV("response.function_call_arguments.done", ",\"output_index\":2,\"arguments\":\"{\\\"a\\\":[1,2]}\"")
    EV("response.output_item.done", ",\"output_index\":2,\"item\":" CALL) EV("response.output_item.done", ",\"output_index\":3,\"item\":" CALL2)
    EV("response.completed", ",\"response\":{\"status\":\"completed\",\"output\":[" THOUGHT "," MESSAGE "," CALL "," CALL2 "]," USAGE "}");
static const char content[] = "[{\"type\":\"thinking\",\"thinking\":\"Hm.\"},{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"},"
    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"a\":[1,2]}},{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]";

static void
ends(const char *tail, enum llm_stop stop, const char *name)
{
	char w[2048];

	snprintf(w, sizeof(w), EV("response.output_text.delta", ",\"delta\":\"a\"") "%s", tail);
	is_int(wire(&responses_driver, w, strlen(w), 5, false), ERR_OK, "%s", name);
	is_int(wire_answer.stop, stop, "is understood");
}

static void
answers(void)
{
	const struct driver *drv = &responses_driver;

	JUDGE(drv, stream, content, "a stream of thinking, text and two calls");
	is_int(wire(drv, stream, sizeof(stream) - 1, 11, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 100 && wire_answer.output_tokens == 25 && wire_answer.cache_read_tokens == 40 && wire_answer.usage_known, "are read");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	JUDGE(drv, "{\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"output\":[" THOUGHT "," MESSAGE "," CALL "," CALL2 "]," USAGE "}", content, "a whole answer");
	ends(EV("response.incomplete", ",\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}"), LLM_MAX_TOKENS, "an end by length");
	ends(EV("response.completed", ",\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"}}"), LLM_FILTERED, "an end by a filter");
	wire_fails(drv, EV("response.failed", ",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}"), LLM_RATE_LIMITED, 429, "a failure");
	wire_fails(drv, EV("error", ",\"code\":\"server_error\",\"message\":\"x\""), LLM_UPSTREAM, 500, "an error in a stream");
	wire_fails(drv, EV("response.output_text.delta", ",\"delta\":\"a\""), LLM_BROKEN_STREAM, 0, "a stream that just stops");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"
#define TALK "[" MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":1}}]}," \
    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":\"r\"}]}," \
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}]}]"

static void
requests(void)
{
	struct llm_request rq = { .provider = "openai", .model = "gpt-x", .base_url = "https://api.example/v1/", .api_key = "k", .system = "Be kind.",
	    .has_temperature = true, .temperature = 0.7, .max_tokens = 9, .stream = true, .thinking_budget = 5000 };

	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}]");
	rq.extra = json_tokener_parse("{\"tool_choice\":\"required\",\"truncation\":\"auto\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{},\"strict\":true}}}");
	asked_is(&responses_driver, &rq, TALK,
	    "{\"model\":\"gpt-x\",\"instructions\":\"Be kind.\",\"input\":[{\"role\":\"user\",\"content\":\"hi\"},{\"type\":\"message\",\"role\":\"assistant\",\"content\":"
	    "[{\"type\":\"output_text\",\"text\":\"ok\"}]},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
	    "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"r\"},{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"look\"},"
	    "{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,QUJD\"}]}],\"store\":false,\"stream\":true,\"max_output_tokens\":9,\"temperature\":0.7,"
	    "\"reasoning\":{\"effort\":\"medium\",\"summary\":\"auto\"},\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{},\"strict\":true}},"
	    "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{}},\"strict\":false}],\"tool_choice\":\"required\","
	    "\"truncation\":\"auto\"}", "a conversation");
	is_str(asked_url, "https://api.example/v1/responses", "goes to the right place");
	rq.base_url = "";
	rq.stream = false;
	asked_is(&chatgpt_driver, &rq, TALK, "{\"model\":\"gpt-x\",\"instructions\":\"Be kind.\",\"input\":[{\"role\":\"user\",\"content\":\"hi\"},"
	    "{\"role\":\"assistant\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"r\"},{\"role\":\"user\",\"content\":\"look\"}],\"store\":false,\"stream\":true}",
	    "a ChatGPT session takes text alone and always streams");
	is_str(asked_url, "https://chatgpt.com/backend-api/codex/responses", "at its own place");
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

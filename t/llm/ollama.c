/* Ollama's chat: what is sent, and what is made of answers however they arrive. */
#include "t/llm/asked.h"
#include "t/llm/wire.h"

#define L(message) "{\"model\":\"m\",\"created_at\":\"x\",\"message\":{\"role\":\"assistant\"," message "},\"done\":false}\n"
#define DONE(reason) "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"" reason "\"," \
    "\"prompt_eval_count\":26,\"eval_count\":9}\n"

static const char stream[] = L("\"content\":\"\",\"thinking\":\"Let me \"") L("\"content\":\"\",\"thinking\":\"see.\"")
    L("\"content\":\"Gr\xc3\xbc\xc3\x9f\x65 <thi\"") L("\"content\":\"nk>more</think>\"") L("\"content\":\"\xf0\x9f\x98\x80\"") "\r\n"
    L("\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,2]}}}]")
    L("\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,2]}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}}]")
    DONE("stop");
static const char content[] = "[{\"type\":\"thinking\",\"thinking\":\"Let me see.more\"},{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"},"
    "{\"type\":\"tool_use\",\"id\":\"ollama-call-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"name\":\"f\",\"input\":{\"a\":[1,2]}},"
    "{\"type\":\"tool_use\",\"id\":\"ollama-call-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"name\":\"g\",\"input\":{}}]";

static void
answers(void)
{
	static const char whole[] = "{\n \"model\":\"m\",\n \"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\n \"done\":true,\"done_reason\":\"length\",\"eval_count\":1}";

	wire_judge(&ollama_driver, stream, sizeof(stream) - 1, content, "ollama-call-", "a stream of thinking, text and two calls");
	is_int(wire(&ollama_driver, stream, sizeof(stream) - 1, 3, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 26 && wire_answer.output_tokens == 9 && wire_answer.usage_known, "are read");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	wire_rq.stream = false;
	JUDGE(&ollama_driver, whole, "[{\"type\":\"text\",\"text\":\"hi\"}]", "a whole answer over several lines");
	is_int(wire(&ollama_driver, whole, sizeof(whole) - 1, 3, false), ERR_OK, "its end");
	is_int(wire_answer.stop, LLM_MAX_TOKENS, "length: the limit was reached");
	JUDGE(&ollama_driver, L("\"content\":\"a\"") L("\"content\":\"b\"") DONE("stop"), "[{\"type\":\"text\",\"text\":\"ab\"}]", "a stream that nobody asked for");
	wire_rq.stream = true;
}

static void
failures(void)
{
	const struct driver *drv = &ollama_driver;

	wire_fails(drv, L("\"content\":\"a\"") "{\"error\":\"an error was encountered while running the model\"}\n", LLM_UPSTREAM, 502, "an error in a stream");
	wire_fails(drv, "{\"error\":\"model 'x' not found\"}\n", LLM_MODEL_NOT_FOUND, 404, "no such model");
	wire_fails(drv, L("\"content\":\"a\""), LLM_BROKEN_STREAM, 0, "a stream that just stops");
	wire_fails(drv, "nonsense\n\xff\xfe\n[]\n7\n", LLM_BROKEN_STREAM, 0, "nonsense alone");
	wire_fails(drv, "<html>\n", LLM_BROKEN_STREAM, 0, "a web page");
	is_int(wire(drv, "oops\n" L("\"content\":\"a\"") "{\"half\n" DONE("stop"), strlen("oops\n" L("\"content\":\"a\"") "{\"half\n" DONE("stop")), 4, false), ERR_OK,
	    "lines that make no sense are skipped");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"

static void
requests(void)
{
	struct llm_request rq = { .provider = "ollama", .model = "llama", .base_url = "http://127.0.0.1:11434/v1/", .system = "Be kind.",
	    .has_temperature = true, .temperature = 0.7, .max_tokens = 9, .stream = true, .thinking_budget = 100 };

	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{}}}]");
	rq.extra = json_tokener_parse("{\"keep_alive\":\"5m\",\"options\":{\"num_ctx\":8192,\"temperature\":0.1},\"stop\":[\"a\"],\"top_p\":0.5,"
	    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}}}");
	asked_is(&ollama_driver, &rq, "[" MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},"
	    "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":0.7}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
	    "\"tool_name\":\"f\",\"content\":\"r\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image\",\"media_type\":\"image/png\","
	    "\"data\":\"QUJD\"},{\"type\":\"image_file\",\"path\":\"/nonexistent\"}]}," MSG("assistant", "") "]",
	    "{\"model\":\"llama\",\"messages\":[{\"role\":\"system\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":\"hi\"},"
	    "{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"t\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":0.7}}}]},"
	    "{\"role\":\"tool\",\"content\":\"r\",\"tool_name\":\"f\"},{\"role\":\"user\",\"content\":\"look\",\"images\":[\"QUJD\"]}],\"stream\":true,"
	    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"
	    "\"think\":true,\"format\":{\"type\":\"object\"},\"options\":{\"num_predict\":9,\"top_p\":0.5,\"stop\":[\"a\"],\"num_ctx\":8192,\"temperature\":0.1},"
	    "\"keep_alive\":\"5m\"}", "a conversation");
	is_str(asked_url, "http://127.0.0.1:11434/api/chat", "goes to Ollama's own door");
	rq.base_url = "http://proxy.example/ollama/v1";
	is_int(asked(&ollama_driver, &rq, "[" MSG("user", "x") "]"), ERR_OK, "behind a longer path");
	is_str(asked_url, "http://proxy.example/ollama/v1/api/chat", "/v1 is part of it");
	json_object_put(rq.tools);
	json_object_put(rq.extra);
}

int
main(void)
{
	answers();
	failures();
	requests();
	asked_done();
	return done();
}

/* Gemini's generateContent: what is sent, and what is made of answers however they arrive. */
#include "lib/llm/gemini.h"
#include "t/llm/asked.h"
#include "t/llm/wire.h"

#define P(parts) "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts "]},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":7,\"totalTokenCount\":7}}\r\n\r\n"
#define F(reason, more) "data: {\"candidates\":[{\"finishReason\":\"" reason "\"" more ",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":100," \
    "\"candidatesTokenCount\":20,\"thoughtsTokenCount\":5,\"cachedContentTokenCount\":40,\"totalTokenCount\":125}}\n\n"
#define ID "call_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char stream[] = P("{\"text\":\"Let me \",\"thought\":true}") P("{\"text\":\"see.\",\"thought\":true}")
    P("{\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \"}") P("{\"text\":\"\xf0\x9f\x98\x80\",\"thoughtSignature\":\"c2ln\"}")
    P("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":[1,2]}},\"thoughtSignature\":\"c2lnMg==\"},{\"functionCall\":{\"name\":\"g\"}}")
    F("STOP", "");
static const char content[] = "[{\"type\":\"thinking\",\"thinking\":\"Let me see.\"},"
    "{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\",\"provider_metadata\":{\"thoughtSignature\":\"c2ln\"}},"
    "{\"type\":\"tool_use\",\"id\":\"" ID "\",\"name\":\"f\",\"input\":{\"a\":[1,2]},\"provider_metadata\":{\"thoughtSignature\":\"c2lnMg==\"}},"
    "{\"type\":\"tool_use\",\"id\":\"" ID "\",\"name\":\"g\",\"input\":{}}]";

static void
answers(void)
{
	static const char *const filtered[] = { "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE" };
	static const char *const one = "[{\"type\":\"text\",\"text\":\"hi\"}]";

	wire_judge(&gemini_driver, stream, sizeof(stream) - 1, content, "call_", "a stream of thinking, text and two calls");
	is_int(wire(&gemini_driver, stream, sizeof(stream) - 1, 11, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 100 && wire_answer.output_tokens == 25 && wire_answer.cache_read_tokens == 40 && wire_answer.usage_known,
	    "the last count, thoughts are output");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	for (size_t i = 0; i < ARRAY_LEN(filtered); i++) {
		char w[512];

		snprintf(w, sizeof(w), P("{\"text\":\"a\"}") "data: {\"candidates\":[{\"finishReason\":\"%s\"}]}\n\n", filtered[i]);
		is_int(wire(&gemini_driver, w, strlen(w), 5, false), ERR_OK, "%s", filtered[i]);
		is_int(wire_answer.stop, LLM_FILTERED, "is filtered");
	}
	JUDGE(&gemini_driver, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"MAX_TOKENS\"}]}", one, "a whole answer");
	is_int(wire_answer.error, LLM_BROKEN_STREAM, "which half is none");
	JUDGE(&gemini_driver, "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\"}]}}]}\n,{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"STOP\"}]}]",
	    one, "a stream as one array");
	is_int(wire(&gemini_driver, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", 44, 44, false), ERR_OK, "a question that was refused");
	is_int(wire_answer.stop, LLM_FILTERED, "is filtered too");
}

static void
failures(void)
{
	const struct driver *drv = &gemini_driver;

	wire_fails(drv, "{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota, check billing\",\"status\":\"RESOURCE_EXHAUSTED\","
	    "\"details\":[{\"@type\":\"x\"},{\"@type\":\"RetryInfo\",\"retryDelay\":\"23.5s\"}]}}", LLM_RATE_LIMITED, 429, "too fast");
	is_int(wire_answer.retry_after_s, 24, "and how long to wait");
	wire_fails(drv, "{\"error\":{\"code\":429,\"message\":\"x\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"99999999999999999999s\"}]}}",
	    LLM_RATE_LIMITED, 429, "for ever");
	is_int(wire_answer.retry_after_s, 999999999, "is as long as it can be");
	wire_fails(drv, "{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}", LLM_OVERLOADED, 503, "overloaded");
	is_str(wire_answer.why, "provider test is overloaded: UNAVAILABLE: The model is overloaded.", "in their words");
	wire_fails(drv, "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API key.\",\"status\":\"INVALID_ARGUMENT\"}}", LLM_AUTH, 400, "a wrong key");
	wire_fails(drv, "{\"error\":{\"code\":404,\"message\":\"models/x is not found\",\"status\":\"NOT_FOUND\"}}", LLM_MODEL_NOT_FOUND, 404, "no such model");
	wire_fails(drv, P("{\"text\":\"a\"}") "data: {\"error\":{\"code\":500,\"message\":\"x\",\"status\":\"INTERNAL\"}}\n\n", LLM_UPSTREAM, 500, "an error in a stream");
	wire_fails(drv, "{\"candidates\":[]}", LLM_BROKEN_STREAM, 0, "no candidates");
	wire_fails(drv, "{\"candidates\":[{\"finishReason\":\"STOP\"}]}", LLM_BROKEN_STREAM, 0, "a candidate without content");
	wire_fails(drv, "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}", LLM_UPSTREAM, 0, "a call that cannot be read");
	wire_fails(drv, P("{\"text\":\"a\"}"), LLM_BROKEN_STREAM, 0, "a stream that just stops");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"

static void
requests(void)
{
	struct llm_request rq = { .provider = "gemini", .model = "gemini-2.5/pro", .base_url = "https://g.example/", .api_key = "AIzaX", .system = "Be kind.",
	    .has_temperature = true, .temperature = 0.7, .max_tokens = 9, .stream = true, .thinking_budget = 100 };

	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"additionalProperties\":false,"
	    "\"properties\":{\"x\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}}}}]");
	rq.extra = json_tokener_parse("{\"safetySettings\":[],\"generationConfig\":{\"topK\":3,\"temperature\":0},\"stop\":\"E\",\"top_p\":0.5,\"tool_choice\":"
	    "{\"type\":\"function\",\"function\":{\"name\":\"f\"}},\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"object\",\"title\":\"T\"}}}}");
	asked_is(&gemini_driver, &rq, "[" MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},"
	    "{\"type\":\"text\",\"text\":\"\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{\"a\":0.7},\"provider_metadata\":{\"thoughtSignature\":\"s\"}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"tool_name\":\"f\",\"content\":\"r\"},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"d\",\"content\":\"\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},"
	    "{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"QUJD\"},{\"type\":\"image_file\",\"path\":\"/nonexistent\"}]}," MSG("assistant", "") "]",
	    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":[{\"text\":\"t\",\"thought\":true},"
	    "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":0.7}},\"thoughtSignature\":\"s\"}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
	    "\"response\":{\"result\":\"r\"}}},{\"functionResponse\":{\"name\":\"unknown_function\",\"response\":{\"result\":\"(empty)\"}}}]},"
	    "{\"role\":\"user\",\"parts\":[{\"text\":\"look\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"QUJD\"}}]}],"
	    "\"systemInstruction\":{\"parts\":[{\"text\":\"Be kind.\"}]},\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
	    "\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"nullable\":true}}}}]}],"
	    "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}},"
	    "\"generationConfig\":{\"maxOutputTokens\":9,\"topP\":0.5,\"stopSequences\":[\"E\"],\"thinkingConfig\":{\"thinkingBudget\":100,\"includeThoughts\":true},"
	    "\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":\"object\",\"properties\":{}},\"topK\":3,\"temperature\":0},"
	    "\"safetySettings\":[]}", "a conversation");
	is_str(asked_url, "https://g.example/v1beta/models/gemini-2.5%2Fpro:streamGenerateContent?alt=sse", "a name cannot leave its place in the path");
	ok(strstr(asked_headers, "x-goog-api-key: AIzaX\n") != NULL, "the key is in its header");
	rq.model = "..";
	is_int(asked(&gemini_driver, &rq, "[" MSG("user", "x") "]"), ERR_INVALID, "nor be a step up");
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

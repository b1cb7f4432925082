/* AWS Bedrock's converse: turns built anew, signatures, and the binary event stream. */
#include <stdlib.h>
#include <zlib.h>

#include "t/llm/asked.h"
#include "t/llm/wire.h"

static char bytes[8192];
static size_t n_bytes;

static void
number(uint32_t n)
{
	for (int i = 3; i >= 0; i--)
		bytes[n_bytes++] = (char)(n >> (8 * i));
}

static void
header(const char *name, const char *value)
{
	bytes[n_bytes++] = (char)strlen(name);
	memcpy(bytes + n_bytes, name, strlen(name));
	n_bytes += strlen(name);
	bytes[n_bytes++] = 7;
	bytes[n_bytes++] = (char)(strlen(value) >> 8);
	bytes[n_bytes++] = (char)strlen(value);
	memcpy(bytes + n_bytes, value, strlen(value));
	n_bytes += strlen(value);
}

static void
message(const char *kind, const char *type, const char *json)
{
	size_t at = n_bytes, headers;

	n_bytes += 12;
	header(":content-type", "application/json");
	header(strcmp(kind, "event") == 0 ? ":event-type" : ":exception-type", type);
	header(":message-type", kind);
	memcpy(bytes + n_bytes, "\5:flag\0\3:ts\10abcdefgh", 20);      /* a boolean and a time */
	n_bytes += 20;
	headers = n_bytes - at - 12;
	memcpy(bytes + n_bytes, json, strlen(json));
	n_bytes += strlen(json) + 4;
	{
		size_t end = n_bytes;

		n_bytes = at;
		number((uint32_t)(end - at));
		number((uint32_t)headers);
		number((uint32_t)crc32(0, (const Bytef *)bytes + at, 8));
		n_bytes = end - 4;
		number((uint32_t)crc32(0, (const Bytef *)bytes + at, (uInt)(end - 4 - at)));
	}
}

static void
talk(const char *reason)
{
	n_bytes = 0;
	message("event", "messageStart", "{\"role\":\"assistant\"}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"Hm.\"}}}");
	message("event", "contentBlockStop", "{\"contentBlockIndex\":0}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \"}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"\xf0\x9f\x98\x80\"}}");
	message("event", "contentBlockStart", "{\"contentBlockIndex\":2,\"start\":{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\"}}}");
	message("event", "contentBlockStart", "{\"contentBlockIndex\":3,\"start\":{\"toolUse\":{\"toolUseId\":\"t2\",\"name\":\"g\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":2,\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\\\":\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":2,\"delta\":{\"toolUse\":{\"input\":\"[1,2]}\"}}}");
	message("event", "messageStop", reason);
	message("event", "metadata", "{\"usage\":{\"inputTokens\":10,\"outputTokens\":42,\"cacheReadInputTokens\":5,\"cacheWriteInputTokens\":1},\"metrics\":{}}");
}

static const char content[] = "[{\"type\":\"thinking\",\"thinking\":\"Hm.\"},{\"type\":\"text\",\"text\":\"Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x98\x80\"},"
    "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":[1,2]}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}]";

static void
answers(void)
{
	const struct driver *drv = &bedrock_driver;
	unsigned taken = 0;
	size_t n;

	talk("{\"stopReason\":\"tool_use\"}");
	wire_judge(drv, bytes, n_bytes, content, "", "a stream of thinking, text and two calls");
	is_int(wire(drv, bytes, n_bytes, 100, false), ERR_OK, "its numbers");
	ok(wire_answer.input_tokens == 16 && wire_answer.output_tokens == 42 && wire_answer.cache_read_tokens == 5 && wire_answer.cache_write_tokens == 1,
	    "input is all of it");
	is_int(wire_answer.stop, LLM_TOOL_USE, "it wants tools");
	for (size_t at = 0; at < n_bytes; at++) {       /* every byte wrong once */
		enum err e;

		bytes[at] ^= 0x20;
		e = wire(drv, bytes, n_bytes, n_bytes, false);
		taken += e == ERR_OK && strcmp(wire_all, content) != 0;
		bytes[at] ^= 0x20;
	}
	is_int(taken, 0, "a byte that changed on the way is noticed, wherever");
	talk("{\"stopReason\":\"guardrail_intervened\"}");
	is_int(wire(drv, bytes, n_bytes, 9, false), ERR_OK, "a guardrail");
	is_int(wire_answer.stop, LLM_FILTERED, "filters");
	n_bytes = 0;
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"}}");
	n = n_bytes;
	message("exception", "throttlingException", "{\"message\":\"Too many requests\"}");
	is_int(wire(drv, bytes, n_bytes, 1, false), ERR_UPSTREAM, "an exception in a stream");
	ok(wire_answer.error == LLM_RATE_LIMITED && wire_answer.http_status == 429, "has its class");
	n_bytes = n;
	message("exception", "modelStreamErrorException", "");
	is_int(wire(drv, bytes, n_bytes, 1, false), ERR_UPSTREAM, "one without words");
	is_int(wire_answer.error, LLM_UPSTREAM, "too");
	JUDGE(drv, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"hi\"},{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{\"b\":1}}}]}},"
	    "\"stopReason\":\"max_tokens\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}",
	    "[{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"b\":1}}]", "a whole answer");
}

#define MSG(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"
#define RESULT(id, text) "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":\"" text "\"}]}"
#define USE(id) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":{}}"

static void
requests(void)
{
	struct llm_request rq = { .provider = "bedrock", .model = "anthropic.claude:1", .base_url = "https://bedrock-runtime.us-east-1.amazonaws.com", .api_key = "bearer-1",
	    .system = "Be kind.", .has_temperature = true, .temperature = 0.7, .max_tokens = 9, .stream = true };

	setenv("AWS_REGION", "eu-central-1", 1);
	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\",\"$defs\":{}}}]");
	asked_is(&bedrock_driver, &rq, "[" MSG("assistant", "first") "," MSG("user", "one") "," MSG("user", "two") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"calling\"},"
	    USE("a:1") "," USE("b") "," USE("b") "]}," RESULT("orphan", "x") "," MSG("user", "meanwhile") "," RESULT("a:1", "ra") "," MSG("assistant", "so") "]",
	    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"(empty)\"}]},{\"role\":\"assistant\",\"content\":[{\"text\":\"first\"}]},"
	    "{\"role\":\"user\",\"content\":[{\"text\":\"one\"},{\"text\":\"two\"}]},"
	    "{\"role\":\"assistant\",\"content\":[{\"text\":\"calling\"},{\"toolUse\":{\"toolUseId\":\"a_1\",\"name\":\"f\",\"input\":{}}},{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"f\",\"input\":{}}}]},"
	    "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"a_1\",\"content\":[{\"text\":\"ra\"}]}},"
	    "{\"toolResult\":{\"toolUseId\":\"b\",\"content\":[{\"text\":\"The call has no result: it was interrupted.\"}],\"status\":\"error\"}},{\"text\":\"meanwhile\"}]},"
	    "{\"role\":\"assistant\",\"content\":[{\"text\":\"so\"}]}],"
	    "\"system\":[{\"text\":\"Be kind.\"}],\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":0.7},"
	    "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"d\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"$defs\":{}}}}}],\"toolChoice\":{\"auto\":{}}}}",
	    "turns alternate, every call has its result in the next one");
	is_str(asked_url, "https://bedrock-runtime.eu-central-1.amazonaws.com/model/anthropic.claude%3A1/converse-stream", "AWS's address follows the region");
	ok(strstr(asked_headers, "Authorization: Bearer bearer-1\n") != NULL, "a key of Bedrock's own is borne");
	is_int(asked(&bedrock_driver, &rq, "[" MSG("user", "hi") ",{\"role\":\"assistant\",\"content\":[" USE("z") "]}]"), ERR_OK, "a call that nobody answered");
	ok(strstr(asked_body.p, "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"z\"") != NULL, "is answered");
	rq.api_key = "AKIDEXAMPLE:secret/key:session==";
	rq.base_url = "http://127.0.0.1:9999/";
	is_int(asked(&bedrock_driver, &rq, "[" MSG("user", "hi") "]"), ERR_OK, "an access key");
	is_str(asked_url, "http://127.0.0.1:9999/model/anthropic.claude%3A1/converse-stream", "another address stays");
	ok(strstr(asked_headers, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") && strstr(asked_headers, "/eu-central-1/bedrock/aws4_request") &&
	    strstr(asked_headers, "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token") && strstr(asked_headers, "X-Amz-Security-Token: session==\n"), "signs");
	ok(strstr(asked_headers, "secret/key") == NULL, "and is not sent");
	rq.api_key = "";
	is_int(asked(&bedrock_driver, &rq, "[" MSG("user", "hi") "]"), ERR_FORBIDDEN, "without any the request is not sent");
	json_object_put(rq.tools);
}

/* Thinking: asked for in each maker's words; Claude's comes signed and goes back so, behind the question that is open. */
static void
thinking(void)
{
	static const char talk[] = "[" MSG("user", "old") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"past\",\"provider_metadata\":{\"signature\":\"p\"}},"
	    "{\"type\":\"text\",\"text\":\"ok\"}]}," MSG("user", "new") ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"now\",\"provider_metadata\":{\"signature\":\"n\"}},"
	    "{\"type\":\"thinking\",\"thinking\":\"\",\"provider_metadata\":{\"redacted\":\"cg==\"}},{\"type\":\"thinking\",\"thinking\":\"another's\"}," USE("t1") "]}," RESULT("t1", "r") "]";
	struct llm_request rq = { .provider = "bedrock", .model = "eu.anthropic.claude-x", .format = "bedrock_converse", .base_url = "http://127.0.0.1:1",
	    .api_key = "b", .has_temperature = true, .temperature = 0.7, .max_tokens = 100, .thinking_budget = 5000 };
	struct outgoing o = { .rq = &rq };

	rq.extra = json_tokener_parse("{\"top_p\":0.5}");
	asked_is(&bedrock_driver, &rq, talk, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"old\"}]},{\"role\":\"assistant\",\"content\":[{\"text\":\"ok\"}]},"
	    "{\"role\":\"user\",\"content\":[{\"text\":\"new\"}]},{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"now\",\"signature\":\"n\"}}},"
	    "{\"reasoningContent\":{\"redactedContent\":\"cg==\"}},{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\",\"input\":{}}}]},"
	    "{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"t1\",\"content\":[{\"text\":\"r\"}]}}]}],"
	    "\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000}},\"inferenceConfig\":{\"maxTokens\":6024}}",
	    "Claude thinks: no temperature, room for the answer, signed thoughts of this question go back");
	is_int(llm_most_output(&rq), 6024, "which is what it may cost");
	ok(bedrock_driver.heal(&o, 400, "{\"message\":\"thinking is not supported by this model\"}") && o.quirks.no_thinking, "refused, it does without");
	ok(!bedrock_driver.heal(&o, 400, "{\"message\":\"thinking is not supported by this model\"}"), "once");
	rq.thinking_budget = 0;
	is_int(asked(&bedrock_driver, &rq, talk), ERR_OK, "without thinking");
	ok(strstr(asked_body.p, "reasoning") == NULL && strstr(asked_body.p, "\"maxTokens\":100,\"temperature\":0.7,\"topP\":0.5") != NULL, "none goes along");
	json_object_put(rq.extra);
	rq.extra = NULL;
	rq.thinking_budget = 5000;
	rq.model = "amazon.nova-2-lite";
	is_int(asked(&bedrock_driver, &rq, talk), ERR_OK, "Nova");
	ok(strstr(asked_body.p, "\"additionalModelRequestFields\":{\"reasoningConfig\":{\"type\":\"enabled\",\"maxReasoningEffort\":\"medium\"}},\"inferenceConfig\":{\"maxTokens\":100,\"temperature\":0.7}") != NULL, "has its own words");
	rq.thinking_budget = 20000;
	is_int(asked(&bedrock_driver, &rq, talk), ERR_OK, "thinking hard");
	ok(strstr(asked_body.p, "\"maxReasoningEffort\":\"high\"}},\"inferenceConfig\":{}") != NULL, "it takes no limit");
	rq.model = "openai.gpt-oss-120b-1:0";
	is_int(asked(&bedrock_driver, &rq, talk), ERR_OK, "gpt-oss");
	ok(strstr(asked_body.p, "\"additionalModelRequestFields\":{\"reasoning_effort\":\"high\"}") != NULL, "OpenAI's");
	rq.model = "meta.llama3";
	is_int(asked(&bedrock_driver, &rq, talk), ERR_OK, "others");
	ok(strstr(asked_body.p, "additionalModelRequestFields") == NULL, "none that we know of");
}

static void
thoughts(void)
{
	n_bytes = 0;
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"Hm\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\".\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"c2ln\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"cg==\"}}}");
	message("event", "contentBlockDelta", "{\"contentBlockIndex\":2,\"delta\":{\"text\":\"hi\"}}");
	message("event", "messageStop", "{\"stopReason\":\"end_turn\"}");
	message("event", "metadata", "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}");
	wire_judge(&bedrock_driver, bytes, n_bytes, "[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"provider_metadata\":{\"signature\":\"c2ln\"}},"
	    "{\"type\":\"thinking\",\"thinking\":\"\",\"provider_metadata\":{\"redacted\":\"cg==\"}},{\"type\":\"text\",\"text\":\"hi\"}]", "", "signed thoughts");
	JUDGE(&bedrock_driver, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"Hm.\",\"signature\":\"s\"}}},"
	    "{\"reasoningContent\":{\"redactedContent\":\"cg==\"}},{\"text\":\"hi\"}]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}",
	    "[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"provider_metadata\":{\"signature\":\"s\"}},"
	    "{\"type\":\"thinking\",\"thinking\":\"\",\"provider_metadata\":{\"redacted\":\"cg==\"}},{\"type\":\"text\",\"text\":\"hi\"}]", "whole, too");
}

int
main(void)
{
	unsetenv("AWS_BEARER_TOKEN_BEDROCK");
	unsetenv("AWS_ACCESS_KEY_ID");
	answers();
	requests();
	thinking();
	thoughts();
	asked_done();
	return done();
}

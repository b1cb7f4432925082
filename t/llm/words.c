/*
 * In which words each model is asked: what depends on its name, on its provider, or on where it is.
 */
#include <stdlib.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "t/llm/asked.h"

#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"
#define CALLED "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"well\"}," \
    "{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":\"r\"}]}]"
#define MARK "\"cache_control\""

static const struct ask {
	const char *provider, *model, *messages, *want, *lacks, *name;
	int64_t thinking;
} chats[] = {
	{ "openai", "gpt-4o", HI, "\"max_tokens\":99,\"temperature\":0.5", "max_completion_tokens", "most models", 0 },
	{ "openai", "GPT-5.1", HI, "\"max_completion_tokens\":99,\"temperature\":0.5", "\"max_tokens\"", "gpt-5, in any letter case", 0 },
	{ "openai", "gpt5-nano", HI, "\"max_completion_tokens\":99,\"temperature\":0.5", "\"max_tokens\"", "gpt5", 0 },
	{ "openai", "o1", HI, "\"max_completion_tokens\":99", "temperature", "o1", 0 },
	{ "openai", "o3-mini", HI, "\"max_completion_tokens\":99", "temperature", "o3", 0 },
	{ "openai", "o4-mini", HI, "\"max_completion_tokens\":99", "temperature", "o4", 0 },
	{ "openai", "gpt-5-mini", HI, "\"max_completion_tokens\":99", "temperature", "gpt-5-mini", 0 },
	{ "openai", "gpt5-mini-2", HI, "\"max_completion_tokens\":99", "temperature", "gpt5-mini", 0 },
	{ "xai", "grok-4-reasoning", HI, "\"max_tokens\":99", "temperature", "what reasons by its name", 0 },
	{ "together", "kimi-k2-instruct", HI, "\"temperature\":1", "0.5", "kimi-k2 elsewhere", 0 },
	{ "moonshot", "kimi-k2.5", HI, "\"temperature\":0.6,\"thinking\":{\"type\":\"disabled\"}", "reasoning_effort", "Kimi at home", 5000 },
	{ "moonshot", "kimi-k2.5", CALLED, "\"content\":\"\",\"reasoning_content\":\"\",\"tool_calls\"", "well", "Kimi, after a call", 0 },
	{ "deepseek", "deepseek-reasoner", CALLED, "\"content\":\"\",\"tool_calls\"", "reasoning_content", "DeepSeek R1 has its thoughts stripped", 0 },
	{ "deepseek", "deepseek-v4-flash", CALLED, "\"content\":\"\",\"reasoning_content\":\"well\",\"tool_calls\"", "\"well\",\"content\"", "DeepSeek V4 has them back", 0 },
	{ "deepseek", "deepseek-v4-pro", CALLED, "\"reasoning_content\":\"well\"", "thinking", "both of them", 0 },
	{ "openai", "gpt-4o", CALLED, "\"content\":\"\",\"tool_calls\"", "well", "others have none", 0 },
	{ "openai", "m", HI, "\"model\":\"m\"", "reasoning_effort", "too little to think with", 500 },
	{ "openai", "m", HI, "\"reasoning_effort\":\"low\"", "\"thinking\"", "a little thinking", 1024 },
	{ "openai", "m", HI, "\"reasoning_effort\":\"low\"", "medium", "up to here", 4096 },
	{ "openai", "m", HI, "\"reasoning_effort\":\"medium\"", "low", "some", 4097 },
	{ "openai", "m", HI, "\"reasoning_effort\":\"medium\"", "high", "up to here too", 16384 },
	{ "openai", "m", HI, "\"reasoning_effort\":\"high\"", "medium", "and much of it", 16385 },
	{ "openrouter", "anthropic/claude-x", "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"I will\"}]", "\"hi\"", "I will", "Claude does not go on with its own words", 0 },
	{ "openai", "gpt-4o", "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"I will\"}]", "I will", "\"\"", "others may", 0 },
	{ "openai", "gpt-4o", "[{\"role\":\"system\",\"content\":\"old rules\"},{\"role\":\"user\",\"content\":\"hi\"}]", "old rules", "kind", "a system message of the conversation", 0 },
};

static void
openai(void)
{
	for (size_t i = 0; i < ARRAY_LEN(chats); i++) {
		const struct ask *c = &chats[i];
		struct llm_request rq = { .provider = c->provider, .model = c->model, .base_url = "http://x.example/v1///", .api_key = "", .max_tokens = 99,
		    .has_temperature = true, .temperature = 0.5, .thinking_budget = c->thinking };

		is_int(asked(&openai_driver, &rq, c->messages), ERR_OK, "%s", c->name);
		if (!ok(strstr(asked_body.p, c->want) != NULL && strstr(asked_body.p, c->lacks) == NULL, "... in its words"))
			printf("# %s\n", asked_body.p);
	}
	is_str(asked_url, "http://x.example/v1/chat/completions", "slashes at the end of an address go");
	ok(strstr(asked_headers, "Authorization") == NULL, "without a key no key is shown");
}

static unsigned
count(const char *what)
{
	unsigned n = 0;

	for (const char *p = asked_body.p; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void
caching(void)
{
	static const char talk[] = "[{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"content\":\"2\"},{\"role\":\"user\",\"content\":\"3\"},"
	    "{\"role\":\"assistant\",\"content\":\"4\"},{\"role\":\"user\",\"content\":\"5\"}]";
	static const struct { const char *strategy; unsigned marks, system, last_tool, messages; } all[] = {
		{ "disabled", 0, 0, 0, 0 }, { "system_only", 1, 1, 0, 0 }, { "system_and_1", 3, 1, 1, 1 }, { "system_and_2", 4, 1, 1, 2 },
		{ NULL, 4, 1, 1, 2 }, { "system_and_9", 4, 1, 1, 2 }, { "system_and_0", 2, 1, 1, 0 },
	};
	struct llm_request rq = { .provider = "anthropic", .model = "claude-x", .base_url = "http://x.example", .api_key = "k", .system = "Be kind.",
	    .tools = json_tokener_parse("[{\"name\":\"f\"},{\"name\":\"g\"}]") };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		rq.cache_strategy = all[i].strategy;
		is_int(asked(&anthropic_driver, &rq, talk), ERR_OK, "%s", all[i].strategy != NULL ? all[i].strategy : "without a strategy");
		is_int(count(MARK), all[i].marks, "... so many marks");
		is_int(strstr(asked_body.p, "\"text\":\"Be kind.\"," MARK) != NULL, all[i].system, "... on the rules");
		is_int(strstr(asked_body.p, "\"properties\":{}}," MARK) != NULL, all[i].last_tool, "... on the last tool");
		is_int(count("\"text\":\"5\"," MARK) + count("\"text\":\"4\"," MARK) + count("\"text\":\"3\"," MARK), all[i].messages, "... on the newest messages");
		ok(strstr(asked_headers, "anthropic-beta") == NULL, "... for a while");
	}
	rq.cache_strategy = NULL;
	rq.cache_hour = true;
	is_int(asked(&anthropic_driver, &rq, talk), ERR_OK, "for an hour");
	ok(count("\"ttl\":\"1h\"") == 4 && strstr(asked_headers, "anthropic-beta: extended-cache-ttl-2025-04-11\n") != NULL, "it is said in both places");
	rq.cache_strategy = "disabled";
	is_int(asked(&anthropic_driver, &rq, talk), ERR_OK, "nothing for an hour");
	ok(count("ttl") == 0 && strstr(asked_headers, "anthropic-beta") == NULL, "is nothing");
	json_object_put(rq.tools);
}

/* Names are taken from the first place that has one. */
static void
places(void)
{
	static const char *const envs[] = { "VERTEX_AI_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "VERTEX_AI_REGION", "GOOGLE_CLOUD_REGION", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_API_VERSION" };
	struct llm_request rq = { .provider = "p", .model = "m", .base_url = "", .api_key = "k" };

	for (size_t i = 0; i < ARRAY_LEN(envs); i++)
		unsetenv(envs[i]);
	is_int(asked(&bedrock_driver, &rq, HI), ERR_OK, "Bedrock");
	is_str(asked_url, "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", "is where it usually is");
	setenv("AWS_DEFAULT_REGION", "eu-west-3", 1);
	is_int(asked(&bedrock_driver, &rq, HI), ERR_OK, "by its usual region");
	is_str(asked_url, "https://bedrock-runtime.eu-west-3.amazonaws.com/model/m/converse", "it is there");
	setenv("AWS_REGION", "ap-south-1", 1);
	is_int(asked(&bedrock_driver, &rq, HI), ERR_OK, "by the region of now");
	is_str(asked_url, "https://bedrock-runtime.ap-south-1.amazonaws.com/model/m/converse", "it is there");
	is_int(asked(&azure_driver, &rq, HI), ERR_INVALID, "Azure without an address");
	setenv("AZURE_OPENAI_ENDPOINT", "https://e.example/", 1);
	setenv("AZURE_OPENAI_DEPLOYMENT", "dep", 1);
	setenv("AZURE_OPENAI_API_VERSION", "2025-06-01", 1);
	is_int(asked(&azure_driver, &rq, HI), ERR_OK, "with the environment's");
	is_str(asked_url, "https://e.example/openai/deployments/dep/chat/completions?api-version=2025-06-01", "is there");
	rq.base_url = "https://b.example";
	is_int(asked(&azure_driver, &rq, HI), ERR_OK, "one that is set for it");
	is_str(asked_url, "https://b.example/openai/deployments/dep/chat/completions?api-version=2025-06-01", "goes before it");
	rq.settings = json_tokener_parse("{\"endpoint\":\"https://s.example\"}");
	is_int(asked(&azure_driver, &rq, HI), ERR_OK, "the section's own");
	is_str(asked_url, "https://s.example/openai/deployments/dep/chat/completions?api-version=2025-06-01", "before both");
	json_object_put(rq.settings);
	for (size_t i = 0; i < ARRAY_LEN(envs); i++)
		unsetenv(envs[i]);
}

int
main(void)
{
	openai();
	caching();
	places();
	asked_done();
	return done();
}

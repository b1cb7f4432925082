/* What providers say of the tokens of a call: cached, written to the cache, thought, and of pictures. */
#include "t/llm/wire.h"

static const struct llm_answer *
told(const struct driver *drv, const char *json, const char *name)
{
	is_int(wire(drv, json, strlen(json), strlen(json), false), ERR_OK, "%s: read", name);
	return &wire_answer;
}

static void
is_usage(const struct llm_answer *a, const char *want, const char *name)
{
	char got[200];

	snprintf(got, sizeof(got), "in %lld out %lld read %lld write %lld pictures %lld %lld", (long long)a->input_tokens, (long long)a->output_tokens,
	    (long long)a->cache_read_tokens, (long long)a->cache_write_tokens, (long long)a->image_input_tokens, (long long)a->image_output_tokens);
	is_str(got, want, "%s: what it took", name);
	ok(a->usage_known, "%s: it was said", name);
}

#define CHAT(usage) "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":" usage "}"
#define GEMINI(usage) "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":" usage "}"
#define CLAUDE(usage) "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"stop_reason\":\"end_turn\",\"usage\":" usage "}"
#define RESPONSE(usage) "{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}],\"usage\":" usage "}"

static void
judge(const struct driver *drv, const char *json, const char *want, const char *name)
{
	is_usage(told(drv, json, name), want, name);
}

int
main(void)
{
	judge(&openai_driver, CHAT("{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,\"prompt_tokens_details\":{\"cached_tokens\":40,\"cache_write_tokens\":8,\"image_tokens\":30},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":20,\"image_tokens\":10}}"), "in 100 out 50 read 40 write 8 pictures 30 10", "OpenAI, thinking within");
	judge(&openai_driver, CHAT("{\"prompt_tokens\":32,\"completion_tokens\":9,\"total_tokens\":135,\"completion_tokens_details\":{\"reasoning_tokens\":94}}"),
	    "in 32 out 103 read 0 write 0 pictures 0 0", "thinking apart");
	judge(&openai_driver, CHAT("{\"prompt_tokens\":100,\"completion_tokens\":5,\"prompt_cache_hit_tokens\":64}"), "in 100 out 5 read 64 write 0 pictures 0 0", "DeepSeek");
	judge(&openai_driver, CHAT("{\"prompt_tokens\":-1,\"completion_tokens\":\"many\",\"prompt_tokens_details\":null,\"completion_tokens_details\":7}"),
	    "in 0 out 0 read 0 write 0 pictures 0 0", "nonsense");
	judge(&gemini_driver, GEMINI("{\"promptTokenCount\":300,\"candidatesTokenCount\":20,\"thoughtsTokenCount\":5,\"cachedContentTokenCount\":100,"
	    "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":42},{\"modality\":\"IMAGE\",\"tokenCount\":258}],\"candidatesTokensDetails\":[{\"modality\":\"IMAGE\",\"tokenCount\":15},7,{}]}"),
	    "in 300 out 25 read 100 write 0 pictures 258 15", "Gemini");
	judge(&anthropic_driver, CLAUDE("{\"input_tokens\":10,\"cache_read_input_tokens\":30,\"cache_creation_input_tokens\":5,\"output_tokens\":7}"),
	    "in 45 out 7 read 30 write 5 pictures 0 0", "Claude");
	judge(&responses_driver, RESPONSE("{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":40,\"image_tokens\":20},\"output_tokens\":25,\"output_tokens_details\":{\"reasoning_tokens\":5,\"image_tokens\":3}}"),
	    "in 100 out 25 read 40 write 0 pictures 20 3", "OpenAI's responses");
	return done();
}

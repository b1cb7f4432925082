/* Models that know no system role: its text opens what the user says first, and nothing else changes. */
#include "lib/llm/openai.h"
#include "lib/llm/role.h"
#include "t/llm/asked.h"

static struct unruled u;

static void
judge(struct llm_request *rq, const char *messages, const char *want, const char *name)
{
	struct llm_request q = *rq;

	if (messages != NULL) {
		is_int(asked(&openai_driver, &q, messages), ERR_OK, "%s: as it was", name);
		rq->messages = q.messages;
	}
	is_int(without_system(rq, &u), ERR_OK, "%s", name);
	is_int(asked(&openai_driver, &u.rq, NULL), ERR_OK, "%s: it can be sent", name);
	if (!ok(strstr(asked_body.p, want) != NULL, "%s: its messages", name))
		printf("# %s\n", asked_body.p);
	unruled_done(&u);
}

#define M(text) "\"messages\":[" text "]"

int
main(void)
{
	struct llm_request rq = { .provider = "p", .model = "m", .base_url = "http://127.0.0.1:1", .api_key = "", .system = "Be \"kind\".", .no_system = true };

	judge(&rq, "[{\"role\":\"user\",\"content\":\"hi\\n\"},{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":\"more\"}]",
	    M("{\"role\":\"user\",\"content\":\"Be \\\"kind\\\".\\n\\nhi\\n\"},{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":\"more\"}"), "a text");
	judge(&rq, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AA==\"}]}]",
	    M("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Be \\\"kind\\\".\"},{\"type\":\"text\",\"text\":\"hi\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}]}"), "a picture");
	judge(&rq, "[{\"role\":\"assistant\",\"content\":\"first\"},{\"role\":\"user\",\"content\":\"hi\"}]",
	    M("{\"role\":\"user\",\"content\":\"Be \\\"kind\\\".\"},{\"role\":\"assistant\",\"content\":\"first\"},{\"role\":\"user\",\"content\":\"hi\"}"), "the assistant begins");
	judge(&rq, "[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":\"r\"}]}]",
	    M("{\"role\":\"user\",\"content\":\"Be \\\"kind\\\".\"},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"r\"}"), "results stay alone");
	rq.system = NULL;
	judge(&rq, "[{\"role\":\"system\",\"content\":\"one\"},{\"role\":\"system\",\"content\":\"two\"},{\"role\":\"user\",\"content\":\"hi\"}]",
	    M("{\"role\":\"user\",\"content\":\"one\\n\\ntwo\\n\\nhi\"}"), "of the history");
	judge(&rq, "[{\"role\":\"user\",\"content\":\"hi\"}]", M("{\"role\":\"user\",\"content\":\"hi\"}"), "there is none");
	rq.messages = NULL;
	rq.raw_messages = json_tokener_parse("[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]},"
	    "{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":\"x\"}]");
	judge(&rq, NULL, M("{\"role\":\"user\",\"content\":\"a\\n\\nb\\n\\nhi\"},{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"user\",\"content\":\"x\"}"), "in OpenAI's words");
	json_object_put(rq.raw_messages);
	rq.raw_messages = json_tokener_parse("[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]");
	judge(&rq, NULL, M("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"hi\"}]}"), "in parts");
	json_object_put(rq.raw_messages);
	rq.raw_messages = json_tokener_parse("[{\"role\":\"system\",\"content\":\"a\"}]");
	judge(&rq, NULL, M("{\"role\":\"user\",\"content\":\"a\"}"), "alone");
	json_object_put(rq.raw_messages);
	asked_done();
	return done();
}

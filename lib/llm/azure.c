/*
 * OpenAI's chat completions at Azure: another address, another header. The model is a deployment's name.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/llm/openai.h"

enum { MAX_URL = 1024 };

/* From the configuration's section, else the environment, else NULL. */
static const char *
setting(const struct llm_request *rq, const char *key, const char *env)
{
	const char *v = js_str(rq->settings, key);

	if (v == NULL || v[0] == '\0')
		v = getenv(env);
	return v != NULL && v[0] != '\0' ? v : NULL;
}

static enum err
address(struct outgoing *o)
{
	const struct llm_request *rq = o->rq;
	const char *endpoint = js_str(rq->settings, "endpoint"), *deployment = setting(rq, "deployment", "AZURE_OPENAI_DEPLOYMENT");
	const char *version = setting(rq, "api_version", "AZURE_OPENAI_API_VERSION");
	size_t n;
	enum err e;

	if (endpoint == NULL || endpoint[0] == '\0')
		endpoint = rq->base_url != NULL && rq->base_url[0] != '\0' ? rq->base_url : getenv("AZURE_OPENAI_ENDPOINT");
	n = endpoint != NULL ? strlen(endpoint) : 0;
	while (n > 0 && endpoint[n - 1] == '/')
		n--;
	if (n == 0 || n > MAX_URL) {
		o->why = "no endpoint is set ([azure_openai] endpoint)";
		return ERR_INVALID;
	}
	e = out_model(o, deployment != NULL ? deployment : rq->model);
	if (e != ERR_OK)
		return e;
	if (version != NULL && strspn(version, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(version)) {
		o->why = "its api_version can be none";
		return ERR_INVALID;
	}
	return out_url(o, "%.*s/openai/deployments/%s/chat/completions?api-version=%s", (int)n, endpoint, o->model,
	    version != NULL ? version : "2024-02-01");
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	enum err e = address(o);

	(void)a;
	if (e == ERR_OK)
		e = out_key(o, "api-key", o->rq->api_key);
	if (e == ERR_OK)
		e = out_usual_headers(o);
	return e == ERR_OK ? oa_prepare_body(o) : e;
}

const struct driver azure_driver = {
	.format = "azure_openai", .framing = FRAMES_SSE, .takes_openai = true, .stops = oa_stops, .prepare = prepare,
	.begin = oa_begin, .frame = oa_frame, .heal = oa_heal, .rescue = oa_rescue, .learn = oa_learn,
};

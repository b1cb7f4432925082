/*
 * AWS Bedrock's converse and converse-stream.
 *
 * Who may call is shown by a bearer key of Bedrock's own, or by a signature made with an
 * access key: AWS_ACCESS_KEY_ID with its secret from the environment, or "ID:SECRET[:SESSION]" as the key.
 */
#include "lib/llm/bedrock.h"
#include "lib/llm/wishes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/errors.h"
#include "lib/net/sigv4.h"

#define USUAL_HOST ".amazonaws.com"

/* --- where to, and who asks ---------------------------------------------- */

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static bool
is_word(const char *s, const char *more)
{
	size_t n = strlen(s);

	if (n == 0 || n > 128)
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr(more, *s) != NULL))
			return false;
	return true;
}

static const char *
region(void)
{
	const char *r = env("AWS_REGION");

	if (r == NULL)
		r = env("AWS_DEFAULT_REGION");
	return r != NULL && is_word(r, "-") ? r : "us-east-1";
}

/* AWS's own address follows the region; any other is as it was given. */
static enum err
address(struct outgoing *o)
{
	const char *base, *verb = o->rq->stream ? "converse-stream" : "converse";
	size_t n = out_base(o, &base);
	enum err e = out_model(o, o->rq->model);

	if (e != ERR_OK)
		return e;
	if (n == 0 || (n > sizeof(USUAL_HOST) && memcmp(base + n - (sizeof(USUAL_HOST) - 1), USUAL_HOST, sizeof(USUAL_HOST) - 1) == 0))
		return out_url(o, "https://bedrock-runtime.%s.amazonaws.com/model/%s/%s", region(), o->model, verb);
	return out_url(o, "%.*s/model/%s/%s", (int)n, base, o->model, verb);
}

struct identity {
	char id[160], secret[256];
	const char *session;
};

/* "ID:SECRET[:SESSION]", or an id whose secret the environment has. */
static bool
identity_of(const struct llm_request *rq, struct identity *who)
{
	const char *key = rq->api_key != NULL ? rq->api_key : "", *colon = strchr(key, ':'), *second;
	const char *id = env("AWS_ACCESS_KEY_ID"), *secret = env("AWS_SECRET_ACCESS_KEY");

	who->session = NULL;
	if (colon != NULL && strncmp(key, "A", 1) == 0) {
		second = strchr(colon + 1, ':');
		snprintf(who->id, sizeof(who->id), "%.*s", (int)(colon - key), key);
		snprintf(who->secret, sizeof(who->secret), "%.*s", second != NULL ? (int)(second - colon - 1) : (int)strlen(colon + 1), colon + 1);
		who->session = second != NULL && second[1] != '\0' ? second + 1 : NULL;
		return is_word(who->id, "");
	}
	if (id == NULL || secret == NULL || (key[0] != '\0' && strcmp(key, id) != 0))
		return false;
	snprintf(who->id, sizeof(who->id), "%s", id);
	snprintf(who->secret, sizeof(who->secret), "%s", secret);
	who->session = env("AWS_SESSION_TOKEN");
	return is_word(who->id, "");
}

static enum err
sign(struct outgoing *o, const struct identity *who)
{
	const char *host = strstr(o->url, "://") + 3, *path = strchr(host, '/');
	const char *const headers[] = { "Content-Type: application/json", NULL };
	char name[300], date[17];
	SCOPED_BUF auth = BUF_INIT(4096);
	struct sigv4 s = { .method = "POST", .host = name, .path = path, .headers = headers, .body = o->body.p, .body_bytes = o->body.len,
	    .key_id = who->id, .secret = who->secret, .token = who->session, .region = region(), .service = "bedrock", .now_ms = clock_ms() };
	enum err e;

	snprintf(name, sizeof(name), "%.*s", (int)(path - host < 299 ? path - host : 299), host);
	e = sigv4_sign(&s, &auth, date);
	if (e == ERR_OK)
		e = out_header(o, "X-Amz-Date", date);
	if (e == ERR_OK)
		e = out_key(o, "X-Amz-Security-Token", who->session);
	return e == ERR_OK ? out_key(o, "Authorization", auth.p) : e;
}

static enum err
authorize(struct outgoing *o)
{
	struct identity who = { .id = "" };
	const char *bearer = env("AWS_BEARER_TOKEN_BEDROCK"), *key = o->rq->api_key;
	enum err e;

	if (identity_of(o->rq, &who) && (bearer == NULL || (key != NULL && strchr(key, ':') != NULL)))
		e = sign(o, &who);
	else if (bearer != NULL || (key != NULL && key[0] != '\0'))
		e = out_bearer(o, bearer != NULL ? bearer : key);
	else
		e = ERR_FORBIDDEN;
	zero_bytes(&who, sizeof(who));
	return e;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	enum err e = address(o);

	(void)a;
	if (e == ERR_OK && strstr(o->url, "://") == NULL) {
		o->why = "its base_url is no address";
		e = ERR_INVALID;
	}
	if (e == ERR_OK)
		e = bedrock_write_body(o);
	if (e == ERR_OK)
		e = authorize(o);
	return e == ERR_OK ? out_usual_headers(o) : e;
}

/* --- the answer ---------------------------------------------------------- */

static const struct stop_word stops[] = {
	{ "max_tokens", LLM_MAX_TOKENS }, { "model_context_window_exceeded", LLM_MAX_TOKENS },
	{ "guardrail_intervened", LLM_FILTERED }, { "content_filtered", LLM_FILTERED }, { NULL, 0 },
};

static void
take_usage(struct intake *d, struct json_object *u)
{
	struct llm_answer *a = d->ans;

	if (u == NULL)
		return;
	a->cache_read_tokens = intake_count(u, "cacheReadInputTokens", 0);
	a->cache_write_tokens = intake_count(u, "cacheWriteInputTokens", 0);
	a->input_tokens = intake_count(u, "inputTokens", 0) + a->cache_read_tokens + a->cache_write_tokens;
	a->output_tokens = intake_count(u, "outputTokens", 0);
	a->usage_known = true;
}

static void
take_block(struct intake *d, int64_t index, struct json_object *o)
{
	struct json_object *use = js_obj(o, "toolUse"), *thought = js_obj(o, "reasoningContent");
	struct part *p;

	if (use != NULL) {
		p = intake_part(d, PART_CALL, index);
		intake_call(d, p, js_get(use, "toolUseId"), js_get(use, "name"));
		intake_args(d, p, js_get(use, "input"));
	} else if (thought != NULL) {           /* whole it has a member more around it */
		struct json_object *t = js_obj(thought, "reasoningText");

		if (t == NULL)
			t = thought;
		p = intake_part(d, PART_THINKING, index);
		intake_say(d, p, js_get(t, "text"));
		intake_meta(p, "signature", js_get(t, "signature"));
		intake_meta(p, "redacted", js_get(thought, "redactedContent"));
	} else if (js_get(o, "text") != NULL) {
		intake_say(d, intake_part(d, PART_TEXT, index), js_get(o, "text"));
	}
}

static bool
take_whole(struct intake *d, struct json_object *o)
{
	struct json_object *content = js_arr(js_obj(js_obj(o, "output"), "message"), "content");

	if (content == NULL)
		return true;
	d->usable = true;
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++)
		take_block(d, (int64_t)i, json_object_array_get_idx(content, i));
	take_usage(d, js_obj(o, "usage"));
	intake_finish(d, js_str_or(o, "stopReason", "end_turn"));
	return true;
}

static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;

	if (status != 400 || q->no_thinking || wish_thinking(o->rq) == 0 ||
	    !(has_substr_ci(body, "thinking") || has_substr_ci(body, "reasoning") || has_substr_ci(body, "extraneous key")))
		return false;
	return q->no_thinking = true;
}

/* An exception in a stream: its status by its name. */
static bool
take_exception(struct intake *d, const char *type, struct json_object *o)
{
	static const struct { const char *type; int status; } known[] = {
		{ "throttlingException", 429 }, { "serviceUnavailableException", 503 }, { "modelTimeoutException", 408 },
		{ "validationException", 400 }, { "accessDeniedException", 403 }, { "resourceNotFoundException", 404 },
	};
	int status = 500;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].type, type) == 0)
			status = known[i].status;
	return intake_error(d, status, o);
}

static bool
frame(struct intake *d, const char *event, struct json_object *o, bool whole)
{
	int64_t index = js_i64(o, "contentBlockIndex", 0);

	if (whole)
		return js_str(o, "message") != NULL && js_get(o, "output") == NULL ? intake_error(d, 500, o) : take_whole(d, o);
	if (strcmp(event, "contentBlockStart") == 0) {
		take_block(d, index, js_obj(o, "start"));
	} else if (strcmp(event, "contentBlockDelta") == 0) {
		take_block(d, index, js_obj(o, "delta"));
		d->usable = true;
	} else if (strcmp(event, "contentBlockStop") == 0) {
		intake_call_end(d, intake_find(d, index));
	} else if (strcmp(event, "messageStop") == 0) {
		intake_finish(d, js_str_or(o, "stopReason", "end_turn"));
		d->usable = true;
	} else if (strcmp(event, "metadata") == 0) {
		take_usage(d, js_obj(o, "usage"));
		d->done = d->finish[0] != '\0';
	} else if (event[0] == '!') {
		return take_exception(d, event + 1, o);
	}
	return true;
}

const struct driver bedrock_driver = {
	.format = "bedrock_converse", .framing = FRAMES_AWS, .fickle = true, .busy_wait_s = 5, .stops = stops, .prepare = prepare,
	.frame = frame, .heal = heal,
};

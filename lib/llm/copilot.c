/*
 * OpenAI's chat completions at GitHub Copilot: GitHub's token is exchanged for one that lives half an
 * hour, and that one may say where to go.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/openai.h"
#include "lib/llm/token.h"

#define USUAL_BASE "https://api.githubcopilot.com"
#define TOKEN_URL "https://api.github.com/copilot_internal/v2/token"

enum { TOKEN_TIMEOUT_MS = 10000 };

static enum err
exchange(const struct llm_request *rq, const struct token_key *key, struct llm_answer *a, struct buf *token)
{
	struct buf auth = BUF_INIT(65536);
	const char *headers[] = { NULL, "Accept: application/json", "User-Agent: GitHubCopilotChat/1.0", "Editor-Version: vscode/1.96.0", NULL };
	struct http_call call = { .proxy = rq->proxy, .url = js_str_or(rq->settings, "token_url", TOKEN_URL), .headers = headers,
	    .timeout_ms = TOKEN_TIMEOUT_MS, .max_bytes = 1 << 20, .cancel = rq->cancel };
	struct json_object *o = NULL;
	int64_t expires_s;
	enum err e;

	buf_printf(&auth, "Authorization: token %s", rq->api_key);
	headers[0] = auth.p;
	e = auth.failed ? driver_blame(rq, a, ERR_NOMEM, "out of memory") : token_fetch(rq, &call, a, &o);
	buf_zero_done(&auth);
	if (e != ERR_OK)
		return e;
	expires_s = js_i64(o, "expires_at", clock_ms() / 1000 + 600);
	if (js_str(o, "token") != NULL && is_header_text(js_str(o, "token"))) {
		token_put(key, js_str(o, "token"), expires_s > 1000000000000 ? 0 : expires_s * 1000);
		buf_str(token, js_str(o, "token"));
	}
	json_object_put(o);
	if (token->len > 0 && !token->failed)
		return ERR_OK;
	llm_blame(a, rq, LLM_AUTH, 0, NULL);
	return ERR_UPSTREAM;
}

/* ";proxy-ep=proxy.individual.example;": the host whose API the token is for. false: it names none that is safe. */
static bool
place_in(const char *token, char *out, size_t cap)
{
	const char *p = strstr(token, "proxy-ep=");
	size_t n;

	if (p == NULL || (p != token && p[-1] != ';'))
		return false;
	p += 9;
	if (strncasecmp(p, "https://", 8) == 0)
		p += 8;
	n = strcspn(p, ";");
	if (n == 0 || strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != n)
		return false;
	if (strncmp(p, "proxy.", 6) == 0)
		return (size_t)snprintf(out, cap, "https://api.%.*s", (int)n - 6, p + 6) < cap;
	return (size_t)snprintf(out, cap, "https://%.*s", (int)n, p) < cap;
}

static enum err
write_head(struct outgoing *o, const char *token)
{
	const char *base;
	char place[256];
	size_t n = out_base(o, &base);
	enum err e;

	if (n == 0 || (n == sizeof(USUAL_BASE) - 1 && memcmp(base, USUAL_BASE, n) == 0)) {
		base = place_in(token, place, sizeof(place)) ? place : USUAL_BASE;
		n = strlen(base);
	}
	e = out_url(o, "%.*s/chat/completions", (int)n, base);
	if (e == ERR_OK)
		e = out_bearer(o, token);
	if (e == ERR_OK)
		e = out_header(o, "Editor-Version", "vscode/1.96.0");
	if (e == ERR_OK)
		e = out_header(o, "Editor-Plugin-Version", "copilot/1.250.0");
	if (e == ERR_OK)
		e = out_header(o, "Copilot-Integration-Id", "vscode-chat");
	return e == ERR_OK ? out_usual_headers(o) : e;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const struct llm_request *rq = o->rq;
	struct token_key key = token_key("copilot", rq->api_key != NULL ? rq->api_key : "");
	struct buf token = BUF_INIT(65536);
	enum err e = ERR_OK;

	if (rq->api_key == NULL || rq->api_key[0] == '\0' || !is_header_text(rq->api_key)) {
		o->why = "no usable GitHub token is set";
		return ERR_FORBIDDEN;
	}
	if (!token_get(&key, &token))
		e = exchange(rq, &key, a, &token);
	if (e == ERR_OK)
		e = write_head(o, token.p);
	buf_zero_done(&token);
	return e == ERR_OK ? oa_prepare_body(o) : e;
}

/* A token may be taken back before its time. */
static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct token_key key;

	if (status != 401 || o->quirks.renewed > 0)
		return oa_heal(o, status, body);
	key = token_key("copilot", o->rq->api_key);
	token_drop(&key);
	o->quirks.renewed++;
	return true;
}

const struct driver copilot_driver = {
	.format = "copilot", .framing = FRAMES_SSE, .takes_openai = true, .stops = oa_stops, .prepare = prepare,
	.begin = oa_begin, .frame = oa_frame, .heal = heal, .learn = oa_learn,
};

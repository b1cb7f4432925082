/*
 * Errors of providers. Each says the same things in its own words; here they become a
 * dozen classes. Order matters: a 429 that speaks of an empty account is
 * about money, a 400 that speaks of too many tokens is about length.
 */
#include "lib/llm/errors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

enum { DETAIL_MAX = 300, DELAY_MAX_S = 999999999 };    /* three decades */

const char *
llm_error_code(enum llm_error e)
{
	static const char *const codes[] = {
		[LLM_OK] = "ok", [LLM_AUTH] = "auth_error", [LLM_RATE_LIMITED] = "rate_limited",
		[LLM_OVERLOADED] = "overloaded", [LLM_TIMEOUT] = "timeout",
		[LLM_CONTEXT_OVERFLOW] = "context_overflow", [LLM_MODEL_NOT_FOUND] = "model_not_found",
		[LLM_BILLING] = "billing_error", [LLM_FORMAT] = "format_error",
		[LLM_BROKEN_STREAM] = "broken_stream", [LLM_UPSTREAM] = "llm_error",
		[LLM_NO_MEMORY] = "out_of_memory", [LLM_CANCELLED] = "cancelled",
	};

	return (size_t)e < ARRAY_LEN(codes) ? codes[e] : "llm_error";
}

static bool
says(const char *code, const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if ((code != NULL && has_substr_ci(code, *words)) || (text != NULL && has_substr_ci(text, *words)))
			return true;
	return false;
}

static const char *const too_long[] = {
	"context_length", "context length", "context window", "maximum context", "too many tokens", "prompt is too long",
	"input is too long", "reduce the length", "exceeds the maximum number of tokens", "request_too_large", NULL,
};
static const char *const money[] = {
	"insufficient_quota", "billing", "credit balance", "exceeded your current quota", "payment required",
	"insufficient credit", "insufficient balance", "insufficient_balance", "out of credit", NULL,
};
static const char *const no_key[] = {
	"invalid_api_key", "invalid api key", "incorrect api key", "authentication", "unauthorized", "unauthenticated",
	"api key not valid", "permission_denied", "permission_error", NULL,
};
static const char *const too_fast[] = {
	"rate_limit", "rate limit", "too many requests", "rate-limit", "resource_exhausted", NULL,
};
static const char *const no_model[] = {
	"model_not_found", "model not found", "unknown model", "no such model", "invalid model", "model_not_available",
	"not a valid model", NULL,
};
static const char *const busy[] = {
	"overloaded", "at capacity", "over capacity", "server is busy", "service unavailable", "server_unavailable", NULL,
};

static bool
lacks_model(const char *code, const char *text)
{
	if (says(code, text, no_model))
		return true;
	return text != NULL && has_substr_ci(text, "model") &&
	    (has_substr_ci(text, "does not exist") || has_substr_ci(text, "not found") ||
	    has_substr_ci(text, "do not have access"));
}

enum llm_error
llm_classify(int status, const char *code, const char *text)
{
	bool client = status == 0 || (status >= 400 && status < 500);

	if (status == 413 || says(code, client ? text : NULL, too_long))
		return LLM_CONTEXT_OVERFLOW;
	if (status == 402 || says(code, client ? text : NULL, money))
		return LLM_BILLING;
	if (status == 403 && lacks_model(code, text))
		return LLM_MODEL_NOT_FOUND;
	if (status == 401 || status == 403)
		return LLM_AUTH;
	if (status == 429)
		return LLM_RATE_LIMITED;
	if (status == 404 || (client && lacks_model(code, text)))
		return LLM_MODEL_NOT_FOUND;
	if (client && says(code, text, no_key))
		return LLM_AUTH;
	if (client && says(code, text, too_fast))
		return LLM_RATE_LIMITED;
	if (status == 503 || status == 529 || says(code, text, busy))
		return LLM_OVERLOADED;
	if (status == 408 || status == 504)
		return LLM_TIMEOUT;
	return status >= 400 && status < 500 ? LLM_FORMAT : LLM_UPSTREAM;
}

int
llm_status_of_code(const char *code, const char *text)
{
	static const char *const broken[] = { "server_error", "internal_error", "internal server error", "api_error", NULL };
	bool number = code != NULL && strlen(code) == 3 && strspn(code, "0123456789") == 3;
	int n = number ? (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0') : 0;

	if (n >= 400 && n < 600)
		return n;
	switch (llm_classify(0, code, text)) {
	case LLM_CONTEXT_OVERFLOW: return 413;
	case LLM_BILLING: return 402;
	case LLM_AUTH: return 401;
	case LLM_RATE_LIMITED: return 429;
	case LLM_MODEL_NOT_FOUND: return 404;
	case LLM_OVERLOADED: return 503;
	default: return says(code, text, broken) ? 500 : 502;
	}
}

/* --- words that may be shown --------------------------------------------- */

static void
blot(char *p, size_t n)
{
	memset(p, '*', n);
}

/* Length of the key-like word at p, 0 if it is none. */
static size_t
key_length(const char *p)
{
	static const char *const marks[] = { "sk-", "key-", "sk_", "gsk_", "xai-", "AIza", "pk-", "hf_", "nvapi-",
		"ghp_", "gho_", "ghu_", "github_pat_", "ya29.", "AKIA", "ASIA", "eyJ" };
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*");

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strncmp(p, marks[i], strlen(marks[i])) == 0 && n > strlen(marks[i]) + 3)
			return n;
	return 0;
}

void
llm_redact(char *text, const char *key)
{
	size_t kn = key != NULL ? strlen(key) : 0;
	char *p = text;

	while (kn >= 6 && (p = strstr(p, key)) != NULL)
		blot(p, kn);
	for (p = text; *p != '\0'; ) {
		size_t n;

		if (p != text && (isalnum((unsigned char)p[-1]) || p[-1] == '*')) {
			p++;
		} else if ((n = key_length(p)) > 0) {
			blot(p, n);
			p += n;
		} else if (strncasecmp(p, "bearer ", 7) == 0) {
			p += 7;
			n = strcspn(p, " \t\r\n\"',;");
			blot(p, n);
			p += n;
		} else {
			p++;
		}
	}
}

/* The provider's words, fit to be shown: one line, no markup, no keys, at most DETAIL_MAX bytes. */
static void
present(const char *detail, const char *key, char out[static DETAIL_MAX + 1])
{
	char t[2048];
	size_t n = 0, cut;

	out[0] = '\0';
	if (detail == NULL)
		return;
	while (isspace((unsigned char)*detail))
		detail++;
	if (detail[0] == '<') {
		snprintf(out, DETAIL_MAX + 1, "it sent a web page instead of an answer");
		return;
	}
	for (; *detail != '\0' && n < sizeof(t) - 1; detail++)
		if (!isspace((unsigned char)*detail) || (n > 0 && t[n - 1] != ' '))
			t[n++] = isspace((unsigned char)*detail) || iscntrl((unsigned char)*detail) ? ' ' : *detail;
	while (n > 0 && t[n - 1] == ' ')
		n--;
	t[n] = '\0';
	llm_redact(t, key);
	cut = utf8_cut(t, n, DETAIL_MAX);
	if (!utf8_ok(t, cut))
		return;
	memcpy(out, t, cut);
	out[cut] = '\0';
}

static void
sentence(enum llm_error e, const struct llm_request *rq, int status, char *out, size_t cap)
{
	const char *p = rq->provider != NULL ? rq->provider : "?", *m = rq->model != NULL ? rq->model : "?";

	switch (e) {
	case LLM_AUTH:
		snprintf(out, cap, rq->api_key != NULL && rq->api_key[0] != '\0' ? "provider %.60s refused the key"
		    : "provider %.60s wants a key and none is set", p);
		break;
	case LLM_RATE_LIMITED:
		snprintf(out, cap, "provider %.60s limits the rate of requests", p);
		break;
	case LLM_OVERLOADED:
		snprintf(out, cap, "provider %.60s is overloaded", p);
		break;
	case LLM_TIMEOUT:
		snprintf(out, cap, "provider %.60s did not answer in time", p);
		break;
	case LLM_CONTEXT_OVERFLOW:
		snprintf(out, cap, "the conversation is too long for model %.80s of provider %.60s", m, p);
		break;
	case LLM_MODEL_NOT_FOUND:
		snprintf(out, cap, "provider %.60s has no model %.80s", p, m);
		break;
	case LLM_BILLING:
		snprintf(out, cap, "provider %.60s refused: the account has no credit left", p);
		break;
	case LLM_FORMAT:
		snprintf(out, cap, "provider %.60s refused the request", p);
		break;
	case LLM_BROKEN_STREAM:
		snprintf(out, cap, "the answer of provider %.60s broke off", p);
		break;
	case LLM_NO_MEMORY:
		snprintf(out, cap, "out of memory");
		break;
	case LLM_CANCELLED:
		snprintf(out, cap, "cancelled");
		break;
	default:
		snprintf(out, cap, status != 0 ? "provider %.60s failed (HTTP %d)" : "provider %.60s cannot be reached", p, status);
	}
}

void
llm_blame(struct llm_answer *a, const struct llm_request *rq, enum llm_error e, int status, const char *detail)
{
	char shown[DETAIL_MAX + 1];
	size_t n;

	if (memory_short && e != LLM_CANCELLED) {       /* what was made of the answer is not what it says */
		e = LLM_NO_MEMORY;
		status = 0;
	}
	a->error = e;
	a->http_status = status;
	sentence(e, rq, status, a->why, sizeof(a->why));
	if (e == LLM_AUTH || e == LLM_CANCELLED || e == LLM_NO_MEMORY)  /* their words often repeat the key */
		return;
	present(detail, rq->api_key, shown);
	n = strlen(a->why);
	if (shown[0] != '\0' && n + 3 < sizeof(a->why)) {
		size_t cut = utf8_cut(shown, strlen(shown), sizeof(a->why) - n - 3);

		snprintf(a->why + n, sizeof(a->why) - n, ": %.*s", (int)cut, shown);
	}
}

static const char *
text_of(struct json_object *o, const char *key, char *space, size_t cap)
{
	struct json_object *v = js_get(o, key);

	if (json_object_is_type(v, json_type_int)) {
		snprintf(space, cap, "%lld", (long long)json_object_get_int64(v));
		return space;
	}
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

/* "details":[{"@type":"…RetryInfo","retryDelay":"23s"}]; -1: none. */
static int64_t
google_delay_s(struct json_object *details)
{
	for (size_t i = 0, n = details != NULL ? json_object_array_length(details) : 0; i < n; i++) {
		const char *s = js_str(json_object_array_get_idx(details, i), "retryDelay");

		if (s != NULL && s[0] >= '0' && s[0] <= '9') {
			unsigned long whole = strtoul(s, NULL, 10);

			return whole < DELAY_MAX_S ? (int64_t)whole + (strchr(s, '.') != NULL) : DELAY_MAX_S;
		}
	}
	return -1;
}

void
llm_blame_json(struct llm_answer *a, const struct llm_request *rq, int status, struct json_object *error)
{
	char number[2][24];
	const char *code = NULL, *type = NULL, *text = NULL;
	char google[1024];
	enum llm_error e;

	if (json_object_is_type(error, json_type_object)) {
		code = text_of(error, "code", number[0], sizeof(number[0]));
		type = text_of(error, "type", number[1], sizeof(number[1]));
		text = js_str(error, "message");
		if (text == NULL)
			text = js_str(error, "detail");
		if (js_str(error, "status") != NULL && text != NULL) {  /* Google's word for it */
			type = js_str(error, "status");
			snprintf(google, sizeof(google), "%.60s: %.900s", type, text);
			text = google;
		}
		if (a->retry_after_s < 0)
			a->retry_after_s = google_delay_s(js_arr(error, "details"));
	} else if (json_object_is_type(error, json_type_string)) {
		text = json_object_get_string(error);
	} else if (error != NULL) {
		snprintf(number[0], sizeof(number[0]), "%lld", (long long)json_object_get_int64(error));
		code = number[0];
	}
	if (status == 0 || status / 100 == 2) {
		status = llm_status_of_code(code, text);
		if (status == 502)
			status = llm_status_of_code(type, text);
	}
	e = llm_classify(status, code, text);
	if (e == LLM_FORMAT || e == LLM_UPSTREAM || e == LLM_RATE_LIMITED)
		e = llm_classify(status, type, text);
	if (status == 429 && type != NULL && strcmp(type, "RESOURCE_EXHAUSTED") == 0)
		e = LLM_RATE_LIMITED;           /* a quota by the minute speaks of billing too */
	llm_blame(a, rq, e, status, text != NULL ? text : code);
}

void
llm_blame_body(struct llm_answer *a, const struct llm_request *rq, int status, const char *body, size_t n)
{
	struct json_object *o = NULL, *top, *error;

	if (n > 0 && json_check(body, n, JSON_DEPTH_MAX, NULL) == ERR_OK)
		o = json_parse(body, n);
	top = json_object_is_type(o, json_type_array) ? json_object_array_get_idx(o, 0) : o;
	error = js_get(top, "error");
	if (json_object_is_type(error, json_type_string) || json_object_is_type(error, json_type_object))
		llm_blame_json(a, rq, status, error);
	else if (json_object_is_type(top, json_type_object))
		llm_blame_json(a, rq, status, top);
	else
		llm_blame(a, rq, llm_classify(status, NULL, n > 0 ? body : NULL), status, n > 0 ? body : NULL);
	json_object_put(o);
}

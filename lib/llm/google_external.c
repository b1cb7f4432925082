/*
 * Somebody whom Google does not know, but knows who does (workload identity federation, AIP-4117): the token that another provider of
 * identities keeps in a file or hands out at an address is exchanged (RFC 8693) for one of Google's, and that, if the configuration
 * names one, for a service account's. Programs that print such a token, and what only runs at AWS, are not asked.
 */
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/google.h"

#define CLOUD "https://www.googleapis.com/auth/cloud-platform"

enum { TIMEOUT_MS = 15000, SUBJECT_MAX = 65536, HEADERS_MAX = 8, LIFE_S = 3600 };

static struct json_object *
source_of(struct json_object *account)
{
	return js_obj(account, "credential_source");
}

bool
external_ok(struct json_object *o)
{
	struct json_object *from = source_of(o);

	return js_str(o, "audience") != NULL && js_str(o, "subject_token_type") != NULL && js_str(o, "token_url") != NULL &&
	    js_str(from, "environment_id") == NULL && (js_str(from, "file") != NULL || js_str(from, "url") != NULL);
}

/* --- the token that shows who it is --------------------------------------------------------- */

/* Of what was read: all of it, or a member of the JSON that it is. false: there is none. */
static bool
pick(struct json_object *source, struct buf *b)
{
	struct json_object *format = js_obj(source, "format"), *o = NULL;
	const char *field = js_str_or(format, "subject_token_field_name", "access_token"), *s;

	if (strcmp(js_str_or(format, "type", "text"), "json") == 0) {
		o = json_check(b->p, b->len, JSON_DEPTH_MAX, NULL) == ERR_OK ? json_parse(b->p, b->len) : NULL;
		s = js_str(o, field);
		buf_zero_done(b);
		if (s != NULL)
			buf_str(b, s);
		json_object_put(o);
	}
	while (b->len > 0 && strchr(" \t\r\n", b->p[b->len - 1]) != NULL)
		b->p[--b->len] = '\0';
	return b->len > 0 && !b->failed;
}

/* "Name: value" of each header that the configuration has; false: they are too many, or none. */
static bool
headers_of(struct json_object *source, struct buf line[static HEADERS_MAX], const char *out[static HEADERS_MAX + 1])
{
	struct json_object *all = js_obj(source, "headers");
	size_t n = 0;

	if (all != NULL) {
		json_object_object_foreach(all, name, v) {
			const char *value = json_object_get_string(v);

			if (n == HEADERS_MAX || !is_header_text(name) || value == NULL || !is_header_text(value))
				return false;
			line[n] = (struct buf)BUF_INIT(8192);
			buf_printf(&line[n], "%s: %s", name, value);
			out[n] = line[n].p;
			if (line[n++].failed)
				return false;
		}
	}
	out[n] = NULL;
	return true;
}

static enum err
from_address(struct outgoing *o, struct json_object *source, struct llm_answer *a, struct buf *subject)
{
	struct buf line[HEADERS_MAX] = { 0 };
	const char *headers[HEADERS_MAX + 1];
	struct http_call call = { .method = "GET", .url = js_str(source, "url"), .headers = headers, .timeout_ms = TIMEOUT_MS,
	    .max_bytes = SUBJECT_MAX, .cancel = o->rq->cancel };
	struct http_answer h = { .status = 0 };
	enum err e = headers_of(source, line, headers) ? http_do(&call, &h) : ERR_FORBIDDEN;

	if (e == ERR_OK && h.status / 100 == 2 && h.body.len > 0)
		buf_add(subject, h.body.p, h.body.len);
	else if (e == ERR_OK || e == ERR_FORBIDDEN || e == ERR_BAD_REQUEST)
		e = ERR_FORBIDDEN;
	else
		e = driver_blame(o->rq, a, e, h.why);
	buf_zero_done(&h.body);
	for (size_t i = 0; i < HEADERS_MAX; i++)
		buf_zero_done(&line[i]);
	return e;
}

/* Append it. FORBIDDEN: there is none where the configuration says. */
static enum err
subject_token(struct outgoing *o, struct json_object *source, struct llm_answer *a, struct buf *subject)
{
	const char *file = js_str(source, "file");
	enum err e = file == NULL ? from_address(o, source, a, subject) : buf_read_file(subject, file) == ERR_OK ? ERR_OK : ERR_FORBIDDEN;

	if (e == ERR_OK && !pick(source, subject))
		e = ERR_FORBIDDEN;
	if (e == ERR_FORBIDDEN)
		o->why = "the token that shows who it is cannot be had (credential_source)";
	return e;
}

/* --- what it is worth ------------------------------------------------------------------------- */

static enum err
ask(struct outgoing *o, const char *url, const char *const *headers, const struct buf *body, struct llm_answer *a, struct json_object **ret)
{
	const struct http_call call = { .method = "POST", .url = url, .proxy = o->rq->proxy, .headers = headers, .body = body->p,
	    .body_bytes = body->len, .timeout_ms = TIMEOUT_MS, .max_bytes = 1 << 20, .cancel = o->rq->cancel };

	if (body->failed)
		return ERR_NOMEM;
	return token_fetch(o->rq, &call, a, ret);
}

static enum err
exchange(struct outgoing *o, struct json_object *account, const struct buf *subject, struct llm_answer *a, struct json_object **ret)
{
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL };
	struct buf body = BUF_INIT(4 * SUBJECT_MAX);
	enum err e;

	buf_str(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange");
	form_add(&body, "audience", js_str(account, "audience"));
	form_add(&body, "scope", CLOUD);
	form_add(&body, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
	form_add(&body, "subject_token_type", js_str(account, "subject_token_type"));
	form_add(&body, "subject_token", subject->p);
	e = ask(o, js_str(account, "token_url"), headers, &body, a, ret);
	buf_zero_done(&body);
	return e;
}

/* As a service account, with the token that the exchange gave. */
static enum err
impersonate(struct outgoing *o, struct json_object *account, const char *url, const char *token, struct llm_answer *a, struct json_object **ret)
{
	struct buf body = BUF_INIT(1024), bearer = BUF_INIT(SUBJECT_MAX);
	const char *headers[] = { "Content-Type: application/json", "Accept: application/json", NULL, NULL };
	int64_t life_s = js_i64(js_obj(account, "service_account_impersonation"), "token_lifetime_seconds", LIFE_S);
	enum err e = ERR_NOMEM;

	buf_printf(&bearer, "Authorization: Bearer %s", token);
	headers[2] = bearer.p;
	buf_printf(&body, "{\"scope\":[\"" CLOUD "\"],\"lifetime\":\"%llds\"}", (long long)life_s);
	if (!bearer.failed)
		e = is_header_text(token) ? ask(o, url, headers, &body, a, ret) : ERR_FORBIDDEN;
	buf_zero_done(&bearer);
	buf_done(&body);
	return e;
}

/* Keep it until its end. */
static enum err
take(struct outgoing *o, const struct google_who *who, const char *token, int64_t expires_ms, struct llm_answer *a, struct buf *out)
{
	if (token == NULL || !is_header_text(token)) {
		llm_blame(a, o->rq, LLM_AUTH, 0, NULL);
		return ERR_UPSTREAM;
	}
	buf_str(out, token);
	token_put(&who->key, token, expires_ms);
	return out->failed ? ERR_NOMEM : ERR_OK;
}

enum err
external_token(struct outgoing *o, const struct google_who *who, struct llm_answer *a, struct buf *token)
{
	const char *as = js_str(who->account, "service_account_impersonation_url"), *first;
	struct buf subject = BUF_INIT(SUBJECT_MAX);
	struct json_object *got = NULL, *second = NULL;
	enum err e = subject_token(o, source_of(who->account), a, &subject);

	if (e == ERR_OK)
		e = exchange(o, who->account, &subject, a, &got);
	buf_zero_done(&subject);
	first = js_str(got, "access_token");
	if (e == ERR_OK && (as == NULL || first == NULL))
		e = take(o, who, first, clock_ms() + 1000 * js_i64(got, "expires_in", LIFE_S), a, token);
	else if (e == ERR_OK && (e = impersonate(o, who->account, as, first, a, &second)) == ERR_OK)
		e = take(o, who, js_str(second, "accessToken"), time_parse(js_str_or(second, "expireTime", "")), a, token);
	json_object_put(got);
	json_object_put(second);
	return e;
}

/*
 * A login at GitHub for Copilot: a device shows a code, the person types it at GitHub (RFC 8628).
 *
 * What was begun is kept in memory until it expires. GitHub is asked once per poll, never by ourselves.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/probe.h"
#include "daemon/proxies.h"
#include "lib/api/api.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/net/http.h"
#include "lib/svc/catalog_edit.h"
#include "lib/svc/vault.h"

enum { FLOWS_MAX = 32, CODE_MAX = 256, PATIENCE_MS = 15000, ANSWER_MAX = 65536 };

#define CLIENT_ID "Iv1.b507a08c87ecfe98"        /* public, of Copilot's own plug-ins */
#define TOKEN_NAME "GITHUB_TOKEN"

struct reply copilot_start(struct ctx *, const struct request *);
struct reply copilot_poll(struct ctx *, const struct request *);

static struct flow {
	char id[37], code[CODE_MAX];
	int64_t until_us, interval_s;
} flows[FLOWS_MAX];
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;

/* Tests have a GitHub of their own. */
static const char *
github(void)
{
	const char *v = getenv("LF_GITHUB_URL");

	return v != NULL && v[0] != '\0' ? v : "https://github.com";
}

static enum err
read_answer(struct ctx *c, const struct http_answer *a, struct json_object **ret)
{
	enum err e = ERR_UPSTREAM;

	if (a->status < 500 && a->status != 404 && a->body.len > 0)
		e = json_read(c, a->body.p, a->body.len, ret);
	if (e == ERR_NOMEM || (e == ERR_OK && json_object_is_type(*ret, json_type_object)))
		return e;
	return fail_code(c, ERR_UPSTREAM, "github_refused", "GitHub gives no answer that can be read (%ld)", a->status);
}

static enum err
ask(struct ctx *c, const char *path, const char *form, struct json_object **ret)
{
	const char *const headers[] = { "Accept: application/json", "Content-Type: application/x-www-form-urlencoded", NULL };
	struct http_call call = {
		.method = "POST", .url = ctx_printf(c, "%s%s", github(), path), .headers = headers, .body = form, .body_bytes = strlen(form),
		.timeout_ms = PATIENCE_MS, .max_bytes = ANSWER_MAX,
	};
	struct http_answer a = { .status = 0 };
	enum err e = proxy_for(c, "github-copilot", call.url, &call.proxy);

	if (e != ERR_OK)
		return e;
	job_db_release(c);
	e = http_do(&call, &a);
	job_db_acquire(c);
	if (e == ERR_NOMEM)
		e = fail(c, e, "out of memory");
	else if (e != ERR_OK)
		e = fail_code(c, ERR_UPSTREAM, "github_unreachable", "GitHub cannot be reached: %.200s", a.why);
	else
		e = read_answer(c, &a, ret);
	buf_zero_done(&a.body);
	return e;
}

/* A place for a new flow: a free one, an expired one, else the one that ends first. */
static struct flow *
place(void)
{
	struct flow *best = &flows[0];

	for (size_t i = 0; i < FLOWS_MAX; i++)
		if (flows[i].until_us < best->until_us)
			best = &flows[i];
	return best;
}

struct reply
copilot_start(struct ctx *c, const struct request *rq)
{
	struct json_object *o = NULL;
	const char *code, *user, *uri;
	char id[37];
	int64_t expires, interval;
	struct jw *w;
	enum err e = ask(c, "/login/device/code", "client_id=" CLIENT_ID "&scope=read:user", &o);

	(void)rq;
	code = js_str(o, "device_code");
	user = js_str(o, "user_code");
	uri = js_str(o, "verification_uri");
	if (e == ERR_OK && (code == NULL || user == NULL || uri == NULL || strlen(code) >= CODE_MAX))
		e = fail_code(c, ERR_UPSTREAM, "github_refused", "GitHub gives no code");
	if (e != ERR_OK)
		return reply_fail(c);
	expires = js_i64(o, "expires_in", 900);
	interval = js_i64(o, "interval", 5);
	uuid4(id);
	pthread_mutex_lock(&mu);
	{
		struct flow *f = place();

		*f = (struct flow){ .until_us = clock_mono_us() + expires * 1000000, .interval_s = interval };
		memcpy(f->id, id, sizeof(id));
		memcpy(f->code, code, strlen(code) + 1);
	}
	pthread_mutex_unlock(&mu);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_str(w, "user_code", user);
	jw_str(w, "verification_uri", uri);
	jw_str(w, "poll_id", id);
	jw_i64(w, "expires_in", expires);
	jw_i64(w, "interval", interval);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* false: there is none of that id. */
static bool
find(const char *id, struct flow *ret)
{
	bool found = false;

	pthread_mutex_lock(&mu);
	for (size_t i = 0; i < FLOWS_MAX && !found; i++)
		if (flows[i].id[0] != '\0' && strcmp(flows[i].id, id) == 0) {
			*ret = flows[i];
			found = true;
		}
	pthread_mutex_unlock(&mu);
	return found;
}

static void
forget(const char *id)
{
	pthread_mutex_lock(&mu);
	for (size_t i = 0; i < FLOWS_MAX; i++)
		if (strcmp(flows[i].id, id) == 0)
			zero_bytes(&flows[i], sizeof(flows[i]));
	pthread_mutex_unlock(&mu);
}

static struct reply
said(struct ctx *c, const char *status, int64_t interval, const char *error)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "status", status);
	if (interval > 0)
		jw_i64(w, "interval", interval);
	if (error != NULL)
		jw_str(w, "error", error);
	jw_end(w);
	return reply_json(c, 200, w);
}

static struct reply
complete(struct ctx *c, const char *id, struct json_object *o, const char *token)
{
	char *copy = secret_keep(c, token, strlen(token));
	enum err e = copy != NULL ? vault_set(c, TOKEN_NAME, copy) : fail(c, ERR_NOMEM, "out of memory");

	zero_bytes((void *)(uintptr_t)token, strlen(token));
	(void)o;
	if (e == ERR_OK)
		e = provider_key_noted(c, "github-copilot", true, false);
	if (e == ERR_OK)
		e = catalog_changed(c);
	if (e != ERR_OK)
		return reply_fail(c);
	forget(id);
	return said(c, "complete", 0, NULL);
}

static struct reply
outcome(struct ctx *c, const struct flow *f, struct json_object *o)
{
	const char *error = js_str(o, "error"), *token = js_str(o, "access_token");
	int64_t slower = js_i64(o, "interval", f->interval_s + 5);

	if (token != NULL && token[0] != '\0')
		return complete(c, f->id, o, token);
	if (error == NULL)
		return said(c, "error", 0, "GitHub's answer cannot be read");
	if (strcmp(error, "authorization_pending") == 0)
		return said(c, "pending", 0, NULL);
	if (strcmp(error, "slow_down") == 0)
		return said(c, "pending", slower, NULL);
	forget(f->id);
	if (strcmp(error, "expired_token") == 0)
		return said(c, "expired", 0, NULL);
	if (strcmp(error, "access_denied") == 0)
		return said(c, "denied", 0, NULL);
	return said(c, "error", 0, js_str_or(o, "error_description", error));
}

struct reply
copilot_poll(struct ctx *c, const struct request *rq)
{
	struct json_object *o = NULL;
	struct flow f;
	const char *form;
	enum err e;

	if (!find(path_arg(rq, "poll_id"), &f)) {
		ignore_err(fail_code(c, ERR_NOT_FOUND, "not_found", "No login of that id is under way"));
		c->fault.extra = "\"status\":\"not_found\"";
		return reply_fail(c);
	}
	if (clock_mono_us() >= f.until_us) {
		forget(f.id);
		return said(c, "expired", 0, NULL);
	}
	form = ctx_printf(c, "client_id=" CLIENT_ID "&device_code=%s&grant_type=urn:ietf:params:oauth:grant-type:device_code", f.code);
	if (form == NULL)
		return reply_fail(c);
	e = ask(c, "/login/oauth/access_token", form, &o);
	return e == ERR_OK ? outcome(c, &f, o) : e == ERR_NOMEM ? reply_fail(c) : said(c, "error", 0, c->fault.msg);
}

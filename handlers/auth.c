/*
 * Browsers come in by a one-time link, ask who they are, and go.
 */
#include "handlers/handlers.h"

#include <string.h>

#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/login.h"

#define COOKIE_GONE "librefang_session=; Path=/dashboard; HttpOnly; SameSite=Lax; Secure; Max-Age=0"

static bool
is_token(const char *s)
{
	return strlen(s) == LOGIN_TOKEN && s[strspn(s, "0123456789abcdef")] == '\0';
}

struct reply
auth_link(struct ctx *c, const struct request *rq)
{
	const struct link_request *in = rq->body_struct;
	char token[65];
	int64_t expires_ms;
	struct jw *w;
	enum err e = auth_attempt(c, rq->peer);

	if (e == ERR_OK && (!is_token(in->token) || !link_take(c->cfg->home, in->token)))
		e = auth_failed(c, rq->peer, "This link was used already, or is older than 15 minutes");
	if (e == ERR_OK)
		e = login_create(c, LOGIN_LINK, token, &expires_ms);
	if (e != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_str(w, "token", token);
	jw_i64(w, "created_at", c->now_ms / 1000);
	jw_i64(w, "expires_at", expires_ms / 1000);
	jw_end(w);
	zero_bytes(token, sizeof(token));
	return reply_json(c, 200, w);
}

/* The session that the cookie names; NULL: none. */
static const char *
cookie_token(struct ctx *c, const struct request *rq)
{
	static const char name[] = "librefang_session=";
	const char *p = rq->h.cookie;

	for (size_t n; p != NULL && *p != '\0'; p += n) {
		p += strspn(p, "; \t");
		n = strcspn(p, ";");
		if (n == sizeof(name) - 1 + LOGIN_TOKEN && strncmp(p, name, sizeof(name) - 1) == 0)
			return ctx_strndup(c, p + sizeof(name) - 1, LOGIN_TOKEN);
	}
	return NULL;
}

/* What was presented ends, if it is a session; a key of the configuration stays what it is. */
struct reply
auth_logout(struct ctx *c, const struct request *rq)
{
	const char *tokens[] = { auth_token(c, rq), rq->h.x_api_key, cookie_token(c, rq) };
	struct reply r;
	struct jw *w;

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		if (tokens[i] != NULL && is_token(tokens[i]) && login_end(c, tokens[i]) != ERR_OK)
			return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_end(w);
	r = reply_json(c, 200, w);
	r.set_cookie = COOKIE_GONE;
	return r;
}

static void
jw_none(struct jw *w, const char *name)
{
	jw_array(w, name);
	jw_end(w);
}

/* No identity provider stands behind a key: there are no principals, groups or further roles. */
struct reply
auth_whoami(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	jw_object(w, NULL);
	jw_str(w, "name", c->who->name);
	jw_str(w, "user_id", c->who->user_id);
	jw_str(w, "role", role_names[c->who->role]);
	jw_null(w, "principal");
	jw_none(w, "groups");
	jw_none(w, "idp_groups");
	jw_none(w, "roles");
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
auth_leave(struct ctx *c, const struct request *rq)
{
	return auth_logout(c, rq);
}

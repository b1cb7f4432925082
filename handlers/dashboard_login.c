/*
 * LibreFang's own dashboard: what it asks before its login, and the login by name and password.
 */
#include "handlers/handlers.h"

#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/config.h"
#include "lib/svc/login.h"

/* --- how ------------------------------------------------------------------------ */

static bool
has_keys(const struct config *cfg)
{
	if (cfg->key_sha256 != NULL || cfg->key_hash != NULL || cfg->key_vault != NULL)
		return true;
	for (size_t i = 0; i < cfg->n_users; i++)
		if (cfg->users[i].key_hash != NULL)
			return true;
	return false;
}

/* The name is not told to who does not know it. */
struct reply
dashboard_check(struct ctx *c, const struct request *rq)
{
	static const char *const modes[2][2] = { { "none", "api_key" }, { "credentials", "hybrid" } };
	const char *mode = modes[c->cfg->dashboard.user != NULL][has_keys(c->cfg)];

	(void)rq;
	return reply_words(c, 200, "mode", mode, "username", "", NULL);
}

/* --- logging in ------------------------------------------------------------------- */

/* Did it come over TLS? Only a proxy that the configuration trusts can say so. */
static bool
came_by_tls(const struct config *cfg, const struct request *rq)
{
	const char *proto = rq->h.x_forwarded_proto;
	size_t n;

	if (proto == NULL || !peer_is_proxy(cfg, rq->front_peer))
		return false;
	proto += strspn(proto, " \t");
	n = strcspn(proto, ", \t");
	return n == 5 && strncasecmp(proto, "https", 5) == 0;
}

static const char *
cookie_of(struct ctx *c, const struct request *rq, const char *token)
{
	return ctx_printf(c, "librefang_session=%s; Path=/dashboard; HttpOnly; SameSite=Lax;%s Max-Age=%d", token,
	    came_by_tls(c->cfg, rq) ? " Secure;" : "", LOGIN_S);
}

static void
note(struct ctx *c, const struct request *rq, const char *outcome, struct audit *a)
{
	*a = (struct audit){ .action = "AuthAttempt", .channel = "api", .outcome = outcome,
	    .detail = ctx_printf(c, "dashboard login from %s", rq->peer) };
}

/* The session, and that it was made, or neither. */
static enum err
come_in(struct ctx *c, const struct request *rq, char token[static 65], int64_t *ret_expires_ms)
{
	SCOPED_TX tx = { 0 };
	struct audit a;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = login_create(c, LOGIN_PASSWORD, token, ret_expires_ms);
	note(c, rq, "ok", &a);
	if (e == ERR_OK)
		e = audit_append(c, &a);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static struct reply
refused(struct ctx *c, const struct request *rq)
{
	struct audit a;
	enum err e;

	note(c, rq, "denied", &a);
	if ((e = audit_alone(c, &a)) != ERR_OK)
		log_line(LOG_WARN, "rid=%s err=%s what=\"a refused login is not in the audit log\"", c->rid, err_code(e));
	ignore_err(fail(c, ERR_UNAUTHORIZED, "Invalid username or password"));
	c->fault.extra = "\"ok\":false";
	return reply_fail(c);
}

static struct reply
came_in(struct ctx *c, const struct request *rq, const char *token, int64_t expires_ms)
{
	struct jw *w = reply_open(c);
	struct reply r;

	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_str(w, "token", token);
	jw_i64(w, "created_at", expires_ms / 1000 - LOGIN_S);
	jw_i64(w, "expires_at", expires_ms / 1000);
	jw_end(w);
	r = reply_json(c, 200, w);
	if (r.status == 200)
		r.set_cookie = cookie_of(c, rq, token);
	return r;
}

static struct reply
needless(struct ctx *c)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_str(w, "token", "");
	jw_str(w, "message", "No credentials required");
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
dashboard_login(struct ctx *c, const struct request *rq)
{
	const struct login_request *in = rq->body_struct;
	const struct caller *nobody = c->who;
	struct caller who = { .role = OWNER, .name = c->cfg->dashboard.user, .dashboard = true };
	char token[65];
	int64_t expires_ms;
	struct reply r;
	bool good;
	enum err e;

	if (c->cfg->dashboard.user == NULL)
		return needless(c);
	e = dashboard_verify(c, rq->peer, in->username, in->password, &good);
	request_wipe(rq, in->password);
	if (e != ERR_OK)
		return reply_fail(c);
	if (!good)
		return refused(c, rq);
	caller_id_of(who.name, who.user_id);
	c->who = &who;
	r = come_in(c, rq, token, &expires_ms) == ERR_OK ? came_in(c, rq, token, expires_ms) : reply_fail(c);
	c->who = nobody;
	zero_bytes(token, sizeof(token));
	return r;
}

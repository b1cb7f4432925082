/*
 * The dashboard's name and password, changed by whoever knows the password: config.toml has the hash, every process
 * has taken it, and all sessions are over, before the answer goes out.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_write.h"
#include "daemon/dbpool.h"
#include "lib/api/api.h"
#include "lib/api/attempts.h"
#include "lib/api/schemas.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/login.h"
#include "lib/toml/toml.h"

struct reply password_change(struct ctx *, const struct request *);

enum { PASSWORD_MIN = 8, NAME_MIN = 2, PHC_MAX = 256 };

static struct reply
refused(struct ctx *c)
{
	if (c->fault.extra == NULL)
		c->fault.extra = "\"ok\":false";
	return reply_fail(c);
}

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Blanks around a name are no part of it. */
static const char *
name_of(struct ctx *c, const char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		;
	return ctx_strndup(c, s, n);
}

static enum err
check(struct ctx *c, const struct password_request *in, const char *name)
{
	const char *env = getenv("LIBREFANG_DASHBOARD_USER");

	if (c->cfg->dashboard.user == NULL)
		return fail(c, ERR_BAD_REQUEST, "Password authentication is not configured");
	if (in->new_password == NULL && in->new_username == NULL)
		return fail(c, ERR_BAD_REQUEST, "Provide at least a new password or new username");
	if (in->new_password != NULL && characters(in->new_password) < PASSWORD_MIN)
		return fail(c, ERR_BAD_REQUEST, "Password must be at least %d characters", PASSWORD_MIN);
	if (in->new_username == NULL)
		return ERR_OK;
	if (name == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (characters(name) < NAME_MIN)
		return fail(c, ERR_BAD_REQUEST, "Username must be at least %d characters", NAME_MIN);
	if (env != NULL && env[strspn(env, " \t\r\n")] != '\0')
		return fail(c, ERR_CONFLICT, "LIBREFANG_DASHBOARD_USER says the username; it cannot be changed here");
	return ERR_OK;
}

static enum err
verify(struct ctx *c, const struct request *rq, const char *current)
{
	bool good;
	enum err e = rq->control ? ERR_OK : auth_attempt(c, rq->peer);

	if (e == ERR_OK)
		e = dashboard_verify(c, rq->peer, NULL, current, &good);
	return e != ERR_OK || good ? e : auth_failed(c, rq->peer, "Current password is incorrect");
}

static const char *
quoted(struct ctx *c, const char *s)
{
	SCOPED_BUF b = BUF_INIT(16384);

	toml_quote(&b, s);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static enum err
hash_of(struct ctx *c, const struct request *rq, const char *pass, char *out, size_t cap)
{
	bool good;

	if (!argon_enter(true))
		return auth_busy(c, rq->peer);
	good = argon2_make(pass, out, cap);
	argon_leave();
	return good ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* The one at a time who may: what was verified is what is replaced. */
static enum err
change(struct ctx *c, const struct request *rq, const struct password_request *in, const char *name)
{
	struct config_change ch[3];
	char hash[PHC_MAX];
	size_t n = 0;
	enum err e;

	if (shm != NULL && atomic_load(&shm->generation) != c->cfg->generation)
		return fail(c, ERR_CONFLICT, "The configuration has just changed; try again");
	e = verify(c, rq, in->current_password);
	if (e == ERR_OK && in->new_password != NULL)
		e = hash_of(c, rq, in->new_password, hash, sizeof(hash));
	if (e != ERR_OK)
		return e;
	if (name != NULL)
		ch[n++] = (struct config_change){ .key = "dashboard_user", .literal = quoted(c, name) };
	if (in->new_password != NULL) {
		ch[n++] = (struct config_change){ .key = "dashboard_pass_hash", .literal = quoted(c, hash) };
		ch[n++] = (struct config_change){ .key = "dashboard_pass" };
	}
	for (size_t i = 0; i < n; i++)
		if (ch[i].literal == NULL && strcmp(ch[i].key, "dashboard_pass") != 0)
			return fail(c, ERR_NOMEM, "out of memory");
	return config_take(c, ch, n);
}

struct reply
password_change(struct ctx *c, const struct request *rq)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	const struct password_request *in = rq->body_struct;
	const char *name = in->new_username != NULL ? name_of(c, in->new_username) : NULL;
	enum err e = config_open(c);
	struct jw *w;

	if (e == ERR_OK)
		e = check(c, in, name);
	if (e == ERR_OK && pthread_mutex_trylock(&one_at_a_time) != 0) {
		e = fail(c, ERR_BUSY, "others are changing config.toml");
	} else if (e == ERR_OK) {
		job_db_release(c);      /* not held while Argon2 runs */
		e = change(c, rq, in, name);
		pthread_mutex_unlock(&one_at_a_time);
		job_db_acquire(c);
	}
	request_wipe(rq, in->current_password);
	if (in->new_password != NULL)
		zero_bytes((void *)(uintptr_t)in->new_password, strlen(in->new_password));
	if (e == ERR_OK)
		e = login_end_all(c, LOGIN_NONE);
	if (e != ERR_OK)
		return refused(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "ok", true);
	jw_str(w, "message", "Credentials changed successfully");
	jw_end(w);
	return reply_json(c, 200, w);
}

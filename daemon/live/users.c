/*
 * Users, changed: entries of [[users]] in config.toml are made, replaced and taken away, and the server has taken the file
 * before the answer goes out. A key is shown once; what is kept is its hash.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/audit_note.h"
#include "daemon/config_write.h"
#include "daemon/dbpool.h"
#include "daemon/live/agents.h"
#include "daemon/live/users.h"
#include "daemon/standing.h"
#include "daemon/user_follow.h"
#include "db/db.h"
#include "lib/api/schemas.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/svc/audit.h"
#include "lib/svc/caller.h"
#include "lib/svc/user.h"
#include "lib/toml/toml.h"

struct reply users_create(struct ctx *, const struct request *);
struct reply users_replace(struct ctx *, const struct request *);
struct reply users_remove(struct ctx *, const struct request *);
struct reply users_rotate(struct ctx *, const struct request *);

enum { MEMBERS_MAX = 4 };

/* --- what stands in the file ----------------------------------------------------------------- */

static const char *
quoted(struct ctx *c, const char *s)
{
	SCOPED_BUF b = BUF_INIT(4096);

	toml_quote(&b, s);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

/* { "telegram" = "42" } */
static const char *
bindings_literal(struct ctx *c, struct json_object *o)
{
	SCOPED_BUF b = BUF_INIT(1 << 16);
	const char *comma = "{ ";

	json_object_object_foreach(o, channel, v) {
		buf_str(&b, comma);
		toml_quote(&b, channel);
		buf_str(&b, " = ");
		toml_quote(&b, json_object_get_string(v));
		comma = ", ";
	}
	buf_str(&b, " }");
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static bool
has_bindings(const struct user_request *in)
{
	return in->channel_bindings != NULL && json_object_object_length(in->channel_bindings) > 0;
}

enum err
user_members(struct ctx *c, const struct user_request *in, struct config_change *ret)
{
	struct toml_member *m = ctx_alloc(c, MEMBERS_MAX * sizeof(*m));
	size_t n = 0;

	if (m == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	m[n++] = (struct toml_member){ "name", quoted(c, in->name) };
	m[n++] = (struct toml_member){ "role", quoted(c, in->role) };
	if (has_bindings(in))
		m[n++] = (struct toml_member){ "channel_bindings", bindings_literal(c, in->channel_bindings) };
	if (in->api_key_hash != NULL)
		m[n++] = (struct toml_member){ "api_key_hash", quoted(c, in->api_key_hash) };
	for (size_t i = 0; i < n; i++)
		if (m[i].literal == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	*ret = (struct config_change){ .user = in->name, .members = m, .n_members = n };
	return ERR_OK;
}

/* One more change; false: out of memory. */
static bool
put(const char *user, const char *key, const char *literal, struct config_change *ch, size_t *n)
{
	ch[(*n)++] = (struct config_change){ .user = user, .key = key, .literal = literal };
	return literal != NULL;
}

enum err
user_changes(struct ctx *c, const struct config_user *u, const struct user_request *in, bool whole, struct config_change *ch, size_t *n)
{
	struct json_object *had = u != NULL ? js_obj(user_entry(c->cfg, u), "channel_bindings") : NULL;
	const char *user = u != NULL ? u->name : in->name;
	bool same = had != NULL ? has_bindings(in) && json_object_equal(had, in->channel_bindings) : u != NULL && !has_bindings(in), good = true;

	if (u == NULL || strcmp(u->role, in->role) != 0)
		good = put(user, "role", quoted(c, in->role), ch, n);
	if (!same && (had != NULL || u == NULL))
		(void)put(user, "channel_bindings", NULL, ch, n);       /* also where it has a header of its own */
	if (!same && has_bindings(in))
		good &= put(user, "channel_bindings", bindings_literal(c, in->channel_bindings), ch, n);
	if (in->api_key_hash != NULL)
		good &= put(user, "api_key_hash", quoted(c, in->api_key_hash), ch, n);
	else if (whole)
		(void)put(user, "api_key_hash", NULL, ch, n);
	if (strcmp(user, in->name) != 0)
		good &= put(user, "name", quoted(c, in->name), ch, n);
	return good ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* --- what is asked for -------------------------------------------------------------------------- */

enum err
user_request_check(struct ctx *c, const struct user_request *in)
{
	enum err e = user_name_check(c, in->name);

	if (e == ERR_OK)
		e = user_role_check(c, in->role);
	if (e == ERR_OK && in->api_key_hash != NULL)
		e = user_hash_check(c, in->api_key_hash);
	return e == ERR_OK ? user_bindings_check(c, in->channel_bindings) : e;
}

/* An id on a channel is one person's. but: whose bindings are replaced. */
static enum err
bindings_free(struct ctx *c, const struct user_request *in, const struct config_user *but)
{
	if (!has_bindings(in))
		return ERR_OK;
	json_object_object_foreach(in->channel_bindings, channel, v) {
		for (size_t i = 0; i < c->cfg->n_users; i++) {
			const struct config_user *u = &c->cfg->users[i];
			const char *theirs = js_str(js_obj(user_entry(c->cfg, u), "channel_bindings"), channel);

			if (u != but && theirs != NULL && strcmp(theirs, json_object_get_string(v)) == 0)
				return fail(c, ERR_CONFLICT, "user '%s' has this id on %s already", u->name, channel);
		}
	}
	return ERR_OK;
}

/* Who may do what has changed, in words. */
void
user_note(struct ctx *c, const char *what, const char *name, const char *more)
{
	note_alone(c, &(struct audit){ .action = "RoleChange", .outcome = "ok",
	    .detail = ctx_printf(c, "user %s %s%s%s", name, what, more != NULL ? " " : "", more != NULL ? more : "") });
}

static struct reply
shown(struct ctx *c, int status, const char *name)
{
	const struct config_user *u = user_find(c->cfg, name);
	struct jw *w = reply_open(c);

	if (u == NULL) {
		ignore_err(fail(c, ERR_NOT_FOUND, "user '%s' not found", name));     /* gone again meanwhile */
		return reply_fail_user(c);
	}
	user_write(c->cfg, u, w);
	return reply_json(c, status, w);
}

/* --- rows ------------------------------------------------------------------------------------------ */

struct reply
users_create(struct ctx *c, const struct request *rq)
{
	const struct user_request *in = rq->body_struct;
	struct config_change ch;
	enum err e = user_request_check(c, in);

	if (e == ERR_OK && user_find(c->cfg, in->name) != NULL)
		e = fail(c, ERR_CONFLICT, "user '%s' already exists", in->name);
	if (e == ERR_OK)
		e = bindings_free(c, in, NULL);
	if (e == ERR_OK)
		e = user_members(c, in, &ch);
	if (e == ERR_OK)
		e = user_settled(c);
	if (e == ERR_OK)
		e = config_take(c, &ch, 1);
	if (e != ERR_OK)
		return reply_fail_user(c);
	user_note(c, "made as", in->name, in->role);
	return shown(c, 201, in->name);
}

struct reply
users_replace(struct ctx *c, const struct request *rq)
{
	const struct user_request *in = rq->body_struct;
	const struct config_user *u = NULL, *other;
	struct config_change ch[8];
	const char *old;
	size_t n = 0;
	enum err e = request_user(c, rq, &u);

	if (e == ERR_OK)
		e = user_request_check(c, in);
	if (e == ERR_OK && (other = user_find(c->cfg, in->name)) != NULL && other != u)
		e = fail(c, ERR_CONFLICT, "another user named '%s' already exists", other->name);
	if (e == ERR_OK)
		e = bindings_free(c, in, u);
	if (e != ERR_OK)
		return reply_fail_user(c);
	old = u->name;                  /* this job's configuration stays until it ends */
	e = user_changes(c, u, in, true, ch, &n);
	if (e == ERR_OK)                /* another letter case is another id, too */
		e = strcmp(old, in->name) != 0 ? user_moves(c, old, in->name, ch, n) : config_take(c, ch, n);
	if (e != ERR_OK)
		return reply_fail_user(c);
	user_note(c, strcmp(old, in->name) != 0 ? ctx_printf(c, "is %s now, as", in->name) : "is now", old, in->role);
	return shown(c, 200, in->name);
}

struct reply
users_remove(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	const char *name;
	enum err e = request_user(c, rq, &u);

	if (e != ERR_OK)
		return reply_fail_user(c);
	name = u->name;
	e = user_moves(c, name, NULL, &(struct config_change){ .user = name }, 1);
	if (e != ERR_OK)
		return reply_fail_user(c);
	user_note(c, "removed", name, NULL);
	return reply_empty(c);
}

struct reply
users_rotate(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	const char *name;
	uint8_t raw[32], sum[32];
	char key[65], hex[65];
	unsigned ended;
	struct jw *w = reply_open(c);
	enum err e = request_user(c, rq, &u);

	if (e != ERR_OK)
		return reply_fail_user(c);
	name = u->name;
	random_bytes(raw, sizeof(raw));
	hex_of(raw, sizeof(raw), key);
	sha256(key, sizeof(key) - 1, sum);
	hex_of(sum, sizeof(sum), hex);
	ended = standing_of(name);
	e = config_take(c, &(struct config_change){
	    .user = name, .key = "api_key_hash", .literal = ctx_printf(c, "\"$sha256$%s\"", hex) }, 1);
	if (e == ERR_OK) {
		user_note(c, "has a new key", name, NULL);
		jw_object(w, NULL);
		jw_str(w, "status", "ok");
		jw_str(w, "new_api_key", key);
		jw_i64(w, "sessions_invalidated", ended);
		jw_end(w);
	}
	zero_bytes(raw, sizeof(raw));
	zero_bytes(key, sizeof(key));
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail_user(c);
}

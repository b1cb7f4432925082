/*
 * What is a user's besides the entry itself: the policy, in config.toml too, and keys of providers, in the vault. The secret
 * of user U for provider P is named user.<id of U>.P there.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/keys.h"
#include "daemon/live/agents.h"
#include "daemon/live/users.h"
#include "daemon/user_follow.h"
#include "lib/svc/caller.h"
#include "lib/svc/catalog.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/user.h"
#include "lib/svc/vault.h"
#include "lib/toml/toml.h"

struct reply users_policy_set(struct ctx *, const struct request *);
struct reply users_keys(struct ctx *, const struct request *);
struct reply users_key_set(struct ctx *, const struct request *);
struct reply users_key_drop(struct ctx *, const struct request *);

/* --- the policy --------------------------------------------------------------------------------- */

static void
write_toml(struct buf *b, struct json_object *v)
{
	const char *between = "{ ";

	if (json_object_is_type(v, json_type_array)) {
		buf_ch(b, '[');
		for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
			buf_str(b, i > 0 ? ", " : "");
			write_toml(b, json_object_array_get_idx(v, i));
		}
		buf_ch(b, ']');
	} else if (json_object_is_type(v, json_type_object)) {
		json_object_object_foreach(v, name, member) {
			buf_str(b, between);
			toml_quote(b, name);
			buf_str(b, " = ");
			write_toml(b, member);
			between = ", ";
		}
		buf_str(b, json_object_object_length(v) > 0 ? " }" : "{ }");
	} else if (json_object_is_type(v, json_type_string)) {
		toml_quote(b, json_object_get_string(v));
	} else {
		buf_str(b, json_object_get_boolean(v) ? "true" : "false");
	}
}

struct reply
users_policy_set(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	const char *name = NULL;
	struct config_change ch[8];
	size_t n = 0;
	struct jw *w = reply_open(c);
	enum err e = request_user(c, rq, &u);

	if (e == ERR_OK) {
		name = u->name;
		json_object_object_foreach(rq->json, member, v) {
			SCOPED_BUF b = BUF_INIT(1 << 18);
			struct json_object *checked = NULL;

			if (v == NULL && strcmp(member, "channel_tool_rules") == 0)
				continue;
			if (v != NULL && (e = user_policy_check(c, member, v, &checked)) != ERR_OK)
				break;
			ch[n++] = (struct config_change){ .user = name, .key = member };        /* the old one, also where it has a header */
			if (v == NULL)
				continue;
			write_toml(&b, checked);
			ch[n] = (struct config_change){ .user = name, .key = member, .literal = b.failed ? NULL : ctx_strndup(c, b.p, b.len) };
			if (ch[n++].literal == NULL) {
				e = fail(c, ERR_TOO_LARGE, "%s is too large", member);
				break;
			}
		}
	}
	if (e == ERR_OK)
		e = config_take(c, ch, n);
	if (e == ERR_OK && (u = user_find(c->cfg, name)) == NULL)
		e = fail(c, ERR_NOT_FOUND, "user '%s' not found", name);
	if (e != ERR_OK)
		return reply_fail_user(c);
	if (n > 0)
		user_note(c, "has another policy", name, NULL);
	user_write_policy(c->cfg, u, w);
	return reply_json(c, 200, w);
}

/* --- keys of providers ----------------------------------------------------------------------------- */

static enum err
request_provider(struct ctx *c, const struct request *rq, const char **ret)
{
	const struct path_arg *a = path_arg_n(rq, "provider");
	struct provider own;

	*ret = a->value;
	if (a->n > 0 && a->n <= 64 && strspn(a->value, "abcdefghijklmnopqrstuvwxyz0123456789-_") == a->n &&
	    (catalog_provider(a->value) != NULL || catalog_provider_custom(c->cfg, a->value, &own)))
		return ERR_OK;
	return fail(c, ERR_BAD_REQUEST, "unknown provider '%.*s'", (int)utf8_cut(a->value, strlen(a->value), 64), a->value);
}

struct reply
users_keys(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	struct vault_names names = { .n = 0 };
	struct jw *w = reply_open(c);
	const char *prefix = NULL;
	enum err e = request_user(c, rq, &u);

	if (e == ERR_OK && (prefix = user_key_prefix(c, u->name)) == NULL)
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = vault_list(c, &names);
	if (e != ERR_OK)
		return reply_fail_user(c);
	jw_object(w, NULL);
	jw_array(w, "providers");
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.name[i], prefix, strlen(prefix)) == 0)
			jw_str(w, NULL, names.name[i] + strlen(prefix));
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
users_key_set(struct ctx *c, const struct request *rq)
{
	const struct user_key_request *in = rq->body_struct;
	const struct config_user *u = NULL;
	const char *provider = NULL, *key = text_trimmed(c, in->api_key), *prefix;
	enum err e = request_user(c, rq, &u);

	if (e == ERR_OK)
		e = request_provider(c, rq, &provider);
	if (e == ERR_OK && text_blank(key))
		e = fail(c, ERR_BAD_REQUEST, "api_key must not be empty");
	if (e == ERR_OK) {
		prefix = user_key_prefix(c, u->name);
		e = prefix != NULL ? vault_set(c, ctx_printf(c, "%s%s", prefix, provider), key) : fail(c, ERR_NOMEM, "out of memory");
	}
	request_wipe(rq, in->api_key);
	request_wipe(rq, key);
	if (e != ERR_OK)
		return reply_fail_user(c);
	user_note(c, "has a key of their own for", u->name, provider);
	return reply_words(c, 200, "status", "ok", "provider", provider, NULL);
}

struct reply
users_key_drop(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	const char *provider = NULL, *prefix;
	bool removed = false;
	struct jw *w = reply_open(c);
	enum err e = request_user(c, rq, &u);

	if (e == ERR_OK)
		e = request_provider(c, rq, &provider);
	if (e == ERR_OK) {
		prefix = user_key_prefix(c, u->name);
		e = prefix != NULL ? vault_remove(c, ctx_printf(c, "%s%s", prefix, provider)) : fail(c, ERR_NOMEM, "out of memory");
		removed = e == ERR_OK;
		if (e == ERR_NOT_FOUND)
			e = ERR_OK;
	}
	if (e != ERR_OK)
		return reply_fail_user(c);
	if (removed)
		user_note(c, "has no key of their own any more for", u->name, provider);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_str(w, "provider", provider);
	jw_bool(w, "removed", removed);
	jw_end(w);
	return reply_json(c, 200, w);
}

/*
 * Users as config.toml has them, and what may stand in an entry.
 */
#include "lib/svc/user.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/util.h"

enum { CHANNEL_MAX = 64, PLATFORM_ID_MAX = 256, BINDINGS_MAX = 64, HASH_MAX = 256 };

const struct config_user *
user_find(const struct config *cfg, const char *name)
{
	const struct config_user *folded = NULL;

	for (size_t i = 0; i < cfg->n_users; i++) {
		if (strcmp(cfg->users[i].name, name) == 0)
			return &cfg->users[i];
		if (folded == NULL && strcasecmp(cfg->users[i].name, name) == 0)
			folded = &cfg->users[i];
	}
	return folded;
}

struct json_object *
user_entry(const struct config *cfg, const struct config_user *u)
{
	struct json_object *all = js_arr(cfg->raw, "users");

	return all != NULL ? json_object_array_get_idx(all, (size_t)(u - cfg->users)) : NULL;
}

/* --- shown ----------------------------------------------------------------------------- */

static void
write_object(struct jw *w, const char *key, struct json_object *o)
{
	if (o != NULL) {
		jw_json(w, key, o);
		return;
	}
	jw_object(w, key);
	jw_end(w);
}

static bool
is_filled(struct json_object *o)
{
	return o != NULL && json_object_object_length(o) > 0;
}

void
user_write(const struct config *cfg, const struct config_user *u, struct jw *w)
{
	struct json_object *o = user_entry(cfg, u);

	jw_object(w, NULL);
	jw_str(w, "name", u->name);
	jw_str(w, "role", u->role);
	write_object(w, "channel_bindings", js_obj(o, "channel_bindings"));
	jw_bool(w, "has_api_key", u->key_hash != NULL);
	jw_bool(w, "has_policy", js_obj(o, "tool_policy") != NULL || js_obj(o, "tool_categories") != NULL ||
	    is_filled(js_obj(o, "channel_tool_rules")));
	jw_bool(w, "has_memory_access", js_obj(o, "memory_access") != NULL);
	jw_bool(w, "has_budget", js_obj(o, "budget") != NULL);
	jw_end(w);
}

/* --- what may stand in an entry ------------------------------------------------------------- */

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

enum err
user_name_check(struct ctx *c, const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || name[strspn(name, " ")] == '\0')
		return fail(c, ERR_BAD_REQUEST, "name must not be empty");
	if (n > USER_NAME_MAX)
		return fail(c, ERR_BAD_REQUEST, "name must have at most %d bytes", USER_NAME_MAX);
	if (has_control(name) || name[0] == ' ' || name[n - 1] == ' ')
		return fail(c, ERR_BAD_REQUEST, "name must have no control characters, and no blanks around it");
	/* the owner, work of the server's own, and a row beside theirs */
	if (strcasecmp(name, "root") == 0 || strcasecmp(name, "system") == 0 || strcmp(name, "import") == 0)
		return fail(c, ERR_BAD_REQUEST, "the name '%s' is taken by the server itself", name);
	return ERR_OK;
}

enum err
user_role_check(struct ctx *c, const char *role)
{
	static const char *const roles[] = { "owner", "admin", "user", "viewer" };

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strcmp(roles[i], role) == 0)
			return ERR_OK;
	return fail(c, ERR_BAD_REQUEST, "invalid role '%.*s' — expected one of: owner, admin, user, viewer",
	    (int)utf8_cut(role, strlen(role), 64), role);
}

/* $argon2id$v=19$m=19456,t=2,p=1$salt$hash; what it costs to try one is bounded. */
static bool
is_phc(const char *s)
{
	unsigned v, m, t, p;
	int end = 0;
	size_t salt, hash;

	if (sscanf(s, "$argon2id$v=%2u$m=%7u,t=%2u,p=%2u$%n", &v, &m, &t, &p, &end) != 4 || end == 0)
		return false;
	salt = strspn(s + end, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	if (salt < 11 || s[(size_t)end + salt] != '$')
		return false;
	s += (size_t)end + salt + 1;
	hash = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	return hash >= 16 && s[hash] == '\0' && v == 19 && m >= 8 && m <= 262144 && t >= 1 && t <= 16 && p >= 1 && p <= 16;
}

enum err
user_hash_check(struct ctx *c, const char *hash)
{
	uint8_t bytes[32];

	if (strlen(hash) <= HASH_MAX && (is_phc(hash) || (strncmp(hash, "$sha256$", 8) == 0 && hex_to(hash + 8, bytes, 32))))
		return ERR_OK;
	return fail(c, ERR_BAD_REQUEST, "api_key_hash: an Argon2id PHC string ($argon2id$v=19$...), or $sha256$ with 64 hex digits, is expected");
}

static bool
is_channel(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= CHANNEL_MAX &&
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

enum err
user_bindings_check(struct ctx *c, struct json_object *o)
{
	if (o == NULL)
		return ERR_OK;
	if (json_object_object_length(o) > BINDINGS_MAX)
		return fail(c, ERR_BAD_REQUEST, "channel_bindings: at most %d", BINDINGS_MAX);
	json_object_object_foreach(o, channel, v) {
		const char *id = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
		size_t n = strlen(id);

		if (!is_channel(channel))
			return fail(c, ERR_BAD_REQUEST, "channel_bindings: a channel's name is of letters, digits, _ and -, at most %d", CHANNEL_MAX);
		if (n == 0 || n > PLATFORM_ID_MAX || n != (size_t)json_object_get_string_len(v) || has_control(id) || id[strspn(id, " ")] == '\0')
			return fail(c, ERR_BAD_REQUEST, "channel_bindings.%s: a text of 1 to %d bytes is expected", channel, PLATFORM_ID_MAX);
	}
	return ERR_OK;
}

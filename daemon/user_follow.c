/*
 * Users get other names, and go. The note holds the old name and the new one, a line each; what the file says decides.
 */
#include "daemon/user_follow.h"

#include <pthread.h>
#include <string.h>

#include "daemon/live/agents.h"
#include "daemon/spawn.h"
#include "daemon/underway.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/vault.h"

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;

/* --- keys in the vault --------------------------------------------------------------------- */

const char *
user_key_prefix(struct ctx *c, const char *user)
{
	char id[37];

	caller_id_of(user, id);
	return ctx_printf(c, "user.%s.", id);
}

/* Each secret of theirs: kept under the other name, if there is one, then dropped. */
static enum err
move_keys(struct ctx *c, const char *old, const char *new)
{
	const char *from = user_key_prefix(c, old), *to = new == NULL ? NULL : user_key_prefix(c, new);
	struct vault_names all = { .n = 0 };
	enum err e = from != NULL && (new == NULL || to != NULL) ? vault_list(c, &all) : fail(c, ERR_NOMEM, "out of memory");

	for (size_t i = 0; e == ERR_OK && i < all.n; i++) {
		char *secret = NULL;

		if (strncmp(all.name[i], from, strlen(from)) != 0)
			continue;
		if (to != NULL && (e = vault_get(c, all.name[i], &secret)) == ERR_OK)
			e = vault_set(c, ctx_printf(c, "%s%s", to, all.name[i] + strlen(from)), secret);
		if (e == ERR_OK)
			e = vault_remove(c, all.name[i]);
	}
	return e;
}

/* --- agents ---------------------------------------------------------------------------------- */

static enum err
move_agent(struct ctx *c, const char *id, const char *author)
{
	struct json_object *m = NULL;
	struct agent a;
	enum err e = agent_load(c, id, &a);

	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	if (strcmp(js_str_or(a.manifest, "author", ""), author) == 0)
		return ERR_OK;
	if ((e = manifest_copy(c, &a, &m)) != ERR_OK)
		return e;
	member_put(m, "author", author);
	return agent_update(c, &a, m);
}

static enum err
move_agents(struct ctx *c, const char *old, const char *new)
{
	char (*ids)[37] = NULL;
	size_t n = 0;
	enum err e = agent_ids_of(c, old, &ids, &n);

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = move_agent(c, ids[i], new);
	return e;
}

/* --- the note ---------------------------------------------------------------------------------- */

static enum err
hold(struct ctx *c, const char *old, const char *new)
{
	const char *text = ctx_printf(c, "%s\n%s\n", old, new != NULL ? new : "");

	return text == NULL ? fail(c, ERR_NOMEM, "out of memory") : underway_hold(c, USER_NOTE, text, strlen(text));
}

/* new: NULL when there is none. NOT_FOUND: there is no note, or it is none of ours. */
static enum err
noted(struct ctx *c, const char **old, const char **new)
{
	const char *text = NULL, *nl;
	size_t n = 0;
	enum err e = underway_text(c, USER_NOTE, &text, &n);

	if (e != ERR_OK)
		return e;
	nl = strchr(text, '\n');
	if (nl == NULL || nl == text || text[n - 1] != '\n')
		return ERR_NOT_FOUND;
	*old = ctx_strndup(c, text, (size_t)(nl - text));
	*new = nl + 1 == text + n - 1 ? NULL : ctx_strndup(c, nl + 1, (size_t)(text + n - 1 - (nl + 1)));
	return *old != NULL && (*new != NULL || nl + 1 == text + n - 1) ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

static enum err
has_user(struct ctx *c, const char *name, bool *ret)
{
	struct json_object *users = NULL;
	enum err e = config_in_file(c, "users", &users);

	*ret = false;
	for (size_t i = 0; e == ERR_OK && json_object_is_type(users, json_type_array) && i < json_object_array_length(users); i++)
		*ret |= strcmp(js_str_or(json_object_array_get_idx(users, i), "name", ""), name) == 0;
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The file has the new name, or the old one no more: then the rest follows. */
static enum err
follow(struct ctx *c, const char *old, const char *new)
{
	bool there = false;
	enum err e = has_user(c, new != NULL ? new : old, &there);

	if (e == ERR_OK && memory_short)        /* it may not have been all of the file */
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e != ERR_OK || there != (new != NULL))
		return e;
	e = move_keys(c, old, new);
	return e == ERR_OK && new != NULL ? move_agents(c, old, new) : e;
}

/* With the mutex. */
static enum err
settle(struct ctx *c)
{
	const char *old = NULL, *new = NULL;
	enum err e;

	if (!underway_is(c, USER_NOTE))
		return ERR_OK;
	e = noted(c, &old, &new);
	if (e == ERR_OK)
		e = follow(c, old, new);
	return e == ERR_OK || e == ERR_NOT_FOUND ? underway_drop(c, USER_NOTE) : e;
}

enum err
user_settled(struct ctx *c)
{
	enum err e;

	pthread_mutex_lock(&names);
	e = settle(c);
	pthread_mutex_unlock(&names);
	return e;
}

static enum err
move(struct ctx *c, const char *old, const char *new, const struct config_change *ch, size_t n)
{
	struct vault_names all = { .n = 0 };
	struct fault f;
	enum err e = settle(c);

	if (e == ERR_OK)
		e = vault_list(c, &all);        /* one that is locked is told now */
	if (e == ERR_OK)
		e = hold(c, old, new);
	if (e != ERR_OK)
		return e;
	e = config_take(c, ch, n);
	f = c->fault;
	if (settle(c) != ERR_OK) {
		log_line(LOG_WARN, "rid=%s what=\"what goes with a user's name does not follow yet, it will\" err=%s", c->rid, err_code(c->fault.err));
		underway_later();
	}
	c->fault = f;
	return e;
}

enum err
user_moves(struct ctx *c, const char *old, const char *new, const struct config_change *ch, size_t n)
{
	enum err e;

	pthread_mutex_lock(&names);
	e = move(c, old, new, ch, n);
	pthread_mutex_unlock(&names);
	return e;
}

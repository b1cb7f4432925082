/*
 * Policies of users: which tools their turns may call, and which memory they may touch.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/svc/user.h"

enum { ENTRIES_MAX = 256, ENTRY_MAX = 128, CHANNELS_MAX = 64 };

/* The members of each part: lists, then flags. */
struct part {
	const char *name, *lists[2], *flags[3];
};

static const struct part parts[] = {
	{ "tool_policy", { "allowed_tools", "denied_tools" }, { NULL } },
	{ "tool_categories", { "allowed_groups", "denied_groups" }, { NULL } },
	{ "memory_access", { "readable_namespaces", "writable_namespaces" }, { "pii_access", "export_allowed", "delete_allowed" } },
	{ "channel_tool_rules", { "allowed_tools", "denied_tools" }, { NULL } },
};

/* --- shown ----------------------------------------------------------------------------- */

static void
write_part(const struct part *p, struct json_object *o, const char *key, struct jw *w)
{
	if (o == NULL) {
		jw_null(w, key);
		return;
	}
	jw_object(w, key);
	for (size_t i = 0; i < ARRAY_LEN(p->lists); i++) {
		struct json_object *list = js_arr(o, p->lists[i]);

		jw_array(w, p->lists[i]);
		for (size_t k = 0, n = list != NULL ? json_object_array_length(list) : 0; k < n; k++)
			jw_str(w, NULL, json_object_get_string(json_object_array_get_idx(list, k)));
		jw_end(w);
	}
	for (size_t i = 0; i < ARRAY_LEN(p->flags) && p->flags[i] != NULL; i++)
		jw_bool(w, p->flags[i], js_bool(o, p->flags[i], false));
	jw_end(w);
}

void
user_write_policy(const struct config *cfg, const struct config_user *u, struct jw *w)
{
	struct json_object *o = user_entry(cfg, u), *rules = js_obj(o, "channel_tool_rules");

	jw_object(w, NULL);
	for (size_t i = 0; i < 3; i++)
		write_part(&parts[i], js_obj(o, parts[i].name), parts[i].name, w);
	jw_object(w, "channel_tool_rules");
	if (rules != NULL) {
		json_object_object_foreach(rules, channel, rule)
			write_part(&parts[3], rule, channel, w);
	}
	jw_end(w);
	jw_end(w);
}

void
user_write_groups(const struct config *cfg, const struct config_user *u, struct jw *w)
{
	struct json_object *all = js_arr(cfg->raw, "groups");

	for (size_t i = 0, n = all != NULL ? json_object_array_length(all) : 0; i < n; i++) {
		struct json_object *g = json_object_array_get_idx(all, i), *members = js_arr(g, "members");
		bool in = false;

		for (size_t k = 0, m = members != NULL ? json_object_array_length(members) : 0; k < m && !in; k++)
			in = strcasecmp(json_object_get_string(json_object_array_get_idx(members, k)), u->name) == 0;
		if (in)
			jw_str(w, NULL, js_str(g, "name"));
	}
}

/* --- checked ------------------------------------------------------------------------------ */

static enum err
entry_check(struct ctx *c, struct json_object *list, size_t at, const char *where)
{
	struct json_object *v = json_object_array_get_idx(list, at);
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;

	if (s == NULL)
		return fail(c, ERR_BAD_REQUEST, "%s: texts are expected", where);
	if (s[strspn(s, " \t")] == '\0' || strlen(s) != (size_t)json_object_get_string_len(v) || strlen(s) > ENTRY_MAX)
		return fail(c, ERR_BAD_REQUEST, "%s: an entry must have 1 to %d bytes, and not be blank", where, ENTRY_MAX);
	for (size_t i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return fail(c, ERR_BAD_REQUEST, "%s: control characters are not allowed", where);
	for (size_t i = 0; i < at; i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), s) == 0)
			return fail(c, ERR_BAD_REQUEST, "%s: '%s' stands there twice", where, s);
	return ERR_OK;
}

static enum err
list_check(struct ctx *c, const char *where, struct json_object *in, struct json_object *out, const char *name)
{
	struct json_object *v = js_get(in, name), *list = json_object_new_array();
	enum err e = ERR_OK;

	where = ctx_printf(c, "%s.%s", where, name);
	if (list == NULL || json_object_object_add(out, name, list) != 0 || where == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (v != NULL && !json_object_is_type(v, json_type_array))
		return fail(c, ERR_BAD_REQUEST, "%s: a list is expected", where);
	if (v != NULL && json_object_array_length(v) > ENTRIES_MAX)
		return fail(c, ERR_BAD_REQUEST, "%s: at most %d entries", where, ENTRIES_MAX);
	for (size_t i = 0, n = v != NULL ? json_object_array_length(v) : 0; e == ERR_OK && i < n; i++) {
		e = entry_check(c, v, i, where);
		if (e == ERR_OK && json_object_array_add(list, json_object_get(json_object_array_get_idx(v, i))) != 0)
			e = fail(c, ERR_NOMEM, "out of memory");
	}
	return e;
}

static bool
is_member(const struct part *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(p->lists); i++)
		if (strcmp(p->lists[i], name) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(p->flags) && p->flags[i] != NULL; i++)
		if (strcmp(p->flags[i], name) == 0)
			return true;
	return false;
}

static enum err
part_check(struct ctx *c, const struct part *p, const char *where, struct json_object *in, struct json_object *out)
{
	enum err e = ERR_OK;

	if (!json_object_is_type(in, json_type_object))
		return fail(c, ERR_BAD_REQUEST, "%s: an object is expected", where);
	json_object_object_foreach(in, name, v) {
		(void)v;
		if (!is_member(p, name))
			return fail(c, ERR_BAD_REQUEST, "%s: unknown member %.64s", where, name);
	}
	for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(p->lists); i++)
		e = list_check(c, where, in, out, p->lists[i]);
	for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(p->flags) && p->flags[i] != NULL; i++) {
		struct json_object *v = js_get(in, p->flags[i]);

		if (v != NULL && !json_object_is_type(v, json_type_boolean))
			e = fail(c, ERR_BAD_REQUEST, "%s.%s: true or false is expected", where, p->flags[i]);
		else
			json_object_object_add(out, p->flags[i], json_object_new_boolean(v != NULL && json_object_get_boolean(v)));
	}
	return e;
}

/* Is all that this pattern names named by one of the list? */
static bool
is_covered(struct json_object *list, const char *pattern)
{
	for (size_t i = 0, n = json_object_array_length(list); i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));
		size_t k = strlen(s);

		if (strcmp(s, pattern) == 0 || (k > 0 && s[k - 1] == '*' && strncmp(s, pattern, k - 1) == 0))
			return true;
	}
	return false;
}

static enum err
written_is_read(struct ctx *c, struct json_object *access)
{
	struct json_object *w = js_arr(access, "writable_namespaces"), *r = js_arr(access, "readable_namespaces");

	for (size_t i = 0, n = json_object_array_length(w); i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(w, i));

		if (!is_covered(r, s))
			return fail(c, ERR_BAD_REQUEST, "memory_access: '%s' may be written and not read", s);
	}
	return ERR_OK;
}

static enum err
rules_check(struct ctx *c, const struct part *p, struct json_object *in, struct json_object *out)
{
	if (!json_object_is_type(in, json_type_object))
		return fail(c, ERR_BAD_REQUEST, "%s: an object is expected", p->name);
	if (json_object_object_length(in) > CHANNELS_MAX)
		return fail(c, ERR_BAD_REQUEST, "%s: at most %d channels", p->name, CHANNELS_MAX);
	json_object_object_foreach(in, channel, v) {
		size_t n = strlen(channel);
		struct json_object *rule = json_object_new_object();
		enum err e;

		if (rule == NULL || json_object_object_add(out, channel, rule) != 0)
			return fail(c, ERR_NOMEM, "out of memory");
		if (n == 0 || n > 64 || strspn(channel, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != n)
			return fail(c, ERR_BAD_REQUEST, "%s: a channel's name is of letters, digits, _ and -, at most 64", p->name);
		e = part_check(c, p, ctx_printf(c, "%s.%s", p->name, channel), v, rule);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

enum err
user_policy_check(struct ctx *c, const char *member, struct json_object *in, struct json_object **ret)
{
	struct json_object *out = json_keep(c, json_object_new_object());
	const struct part *p = parts;
	enum err e;

	while (strcmp(p->name, member) != 0)
		if (++p == parts + ARRAY_LEN(parts))
			return fail(c, ERR_BAD_REQUEST, "unknown member %.64s", member);
	if (out == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = p == &parts[3] ? rules_check(c, p, in, out) : part_check(c, p, p->name, in, out);
	if (e == ERR_OK && p == &parts[2])
		e = written_is_read(c, out);
	if (e == ERR_OK)
		*ret = out;
	return e;
}

/* --- memory -------------------------------------------------------------------------------------- */

const char *
user_memory_denies(struct ctx *c, const char *user, enum memory_right right, const char *space)
{
	static const char *const what[] = { "read", "change", "remove from", "export" };
	const struct config_user *u = user != NULL ? user_find(c->cfg, user) : NULL;
	struct json_object *o = u != NULL ? js_obj(user_entry(c->cfg, u), "memory_access") : NULL;
	bool writes = right == MEMORY_WRITE || right == MEMORY_REMOVE;
	struct json_object *list = js_arr(o, writes ? "writable_namespaces" : "readable_namespaces");

	if (o == NULL)
		return NULL;
	if (space != NULL && list != NULL && is_covered(list, space) && (right != MEMORY_REMOVE || js_bool(o, "delete_allowed", false)) &&
	    (right != MEMORY_EXPORT || js_bool(o, "export_allowed", false)))
		return NULL;
	return ctx_printf(c, "User %s may not %s this memory", u->name, what[right]);
}

/*
 * Reading manifests: TOML in, checked JSON with its defaults out.
 *
 * The table of members (manifest_keys.c) says what each must be; here is who
 * walks it, and the few rules that a table cannot say: names, modules, paths,
 * schedules. Every refusal names line and member, for the text comes from people. Lists
 * are read leniently: what is no string in them is left out.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/manifest_keys.h"
#include "lib/agent/shared.h"
#include "lib/svc/config.h"
#include "lib/svc/schedule.h"
#include "lib/toml/toml.h"

enum { PATH_CAP = 300 };

struct reading {
	struct ctx *c;
	struct json_object *lines;
	char path[PATH_CAP];            /* of the table at hand, "" or "model." */
};

/* "Invalid manifest: line 3: model.max_tokens: what" */
static enum err
refuse(struct reading *r, const char *member, const char *what)
{
	char key[PATH_CAP * 2];
	int64_t line;

	snprintf(key, sizeof(key), "%s%s", r->path, member);
	line = js_i64(r->lines, key, 0);
	if (line > 0)
		return fail_code(r->c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid manifest: line %jd: %s: %s",
		    (intmax_t)line, key, what);
	return fail_code(r->c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid manifest: %s: %s", key, what);
}

static bool
has_nul(struct json_object *v)
{
	return memchr(json_object_get_string(v), '\0', (size_t)json_object_get_string_len(v)) != NULL;
}

static bool
has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

/* --- kinds --------------------------------------------------------------------- */

static enum err read_table(struct reading *, const struct mkey *, struct json_object *);

/* Set a member; the value is taken over. */
static enum err
set(struct reading *r, struct json_object *o, const char *key, struct json_object *v)
{
	if (v != NULL && json_object_object_add(o, key, v) == 0)
		return ERR_OK;
	json_object_put(v);
	return fail(r->c, ERR_NOMEM, "out of memory");
}

/* Only the strings of what should be a list of strings. */
static enum err
read_strings(struct reading *r, struct json_object *o, const struct mkey *k, struct json_object *v)
{
	size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list != NULL && i < n; i++) {
		struct json_object *s = json_object_array_get_idx(v, i);

		if (json_object_is_type(s, json_type_string) && !has_nul(s) &&
		    json_object_array_add(list, json_object_get(s)) != 0) {
			json_object_put(s);
			json_object_put(list);
			list = NULL;
		}
	}
	return set(r, o, k->name, list);
}

static enum err
read_word(struct reading *r, const struct mkey *k, struct json_object *v)
{
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
	char what[256] = "one of these is expected:";

	for (size_t i = 0; k->words[i] != NULL; i++) {
		size_t n = strlen(what);

		if (s != NULL && strcmp(k->words[i], s) == 0)
			return ERR_OK;
		snprintf(what + n, sizeof(what) - n, " %s", k->words[i]);
	}
	return refuse(r, k->name, what);
}

/* Go into a table: name is "model" or "triggers[0]". */
static enum err
enter(struct reading *r, const char *name, const struct mkey *keys, struct json_object *o)
{
	size_t n = strlen(r->path), left = sizeof(r->path) - n;
	enum err e;

	if (snprintf(r->path + n, left, "%s.", name) >= (int)left) {
		r->path[n] = '\0';
		return refuse(r, "", "the key is too long");
	}
	e = read_table(r, keys, o);
	r->path[n] = '\0';
	return e;
}

static enum err
read_tables(struct reading *r, struct json_object *o, const struct mkey *k, struct json_object *v)
{
	char name[64];

	for (size_t i = 0; json_object_is_type(v, json_type_array) && i < json_object_array_length(v); i++) {
		struct json_object *t = json_object_array_get_idx(v, i);
		enum err e;

		if (!json_object_is_type(t, json_type_object)) {
			v = NULL;
			break;
		}
		snprintf(name, sizeof(name), "%s[%zu]", k->name, i);
		e = enter(r, name, k->keys, t);
		if (e != ERR_OK)
			return e;
	}
	if (json_object_is_type(v, json_type_array))
		return ERR_OK;
	if (!k->lenient)
		return refuse(r, k->name, "a list of tables is expected");
	json_object_object_del(o, k->name);
	return ERR_OK;
}

static bool
is_exec_word(const char *s)
{
	static const char *const words[] = { "deny", "none", "disabled", "allowlist", "restricted", "full",
		"allow", "all", "unrestricted" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return true;
	return false;
}

/* "reactive", or a table with exactly one of the three others. */
static enum err
read_schedule(struct reading *r, struct json_object *v)
{
	struct json_object *periodic = js_obj(v, "periodic"), *proactive = js_obj(v, "proactive");
	struct json_object *continuous = js_obj(v, "continuous");

	if (json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), "reactive") == 0)
		return ERR_OK;
	if (!json_object_is_type(v, json_type_object) || json_object_object_length(v) != 1 ||
	    (periodic == NULL && proactive == NULL && continuous == NULL))
		return refuse(r, "schedule", "\"reactive\", periodic, proactive or continuous is expected");
	if (periodic != NULL && js_str(periodic, "cron") == NULL)
		return refuse(r, "schedule.periodic", "cron = \"...\" is expected");
	if (proactive != NULL && js_arr(proactive, "conditions") == NULL)
		return refuse(r, "schedule.proactive", "conditions = [...] is expected");
	if (continuous == NULL)
		return ERR_OK;
	if (js_get(continuous, "check_interval_secs") == NULL)
		return set(r, continuous, "check_interval_secs", json_object_new_int64(300));
	if (js_i64(continuous, "check_interval_secs", 0) < 1)
		return refuse(r, "schedule.continuous.check_interval_secs", "a whole number above 0 is expected");
	return ERR_OK;
}

/* A word, or a table with that word as its mode. */
static enum err
read_exec(struct reading *r, struct json_object *v)
{
	const char *word = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : js_str_or(v, "mode", "allowlist");
	enum err e = json_object_is_type(v, json_type_object) ? enter(r, "exec_policy", manifest_exec_keys, v) : ERR_OK;

	if (e != ERR_OK)
		return e;
	if (json_object_is_type(v, json_type_object) || json_object_is_type(v, json_type_string))
		return is_exec_word(word) ? ERR_OK : refuse(r, "exec_policy", "deny, allowlist or full is expected");
	return refuse(r, "exec_policy", "deny, allowlist, full or a table is expected");
}

static enum err
read_custom(struct reading *r, const struct mkey *k, struct json_object *v)
{
	return strcmp(k->name, "schedule") == 0 ? read_schedule(r, v) : read_exec(r, v);
}

static enum err
read_value(struct reading *r, struct json_object *o, const struct mkey *k, struct json_object *v)
{
	enum json_type t = json_object_get_type(v);

	switch (k->kind) {
	case MK_STR:
		if (t != json_type_string)
			return refuse(r, k->name, "a string is expected");
		return has_nul(v) ? refuse(r, k->name, "the text holds a NUL character") : ERR_OK;
	case MK_BOOL:
		return t == json_type_boolean ? ERR_OK : refuse(r, k->name, "true or false is expected");
	case MK_UINT:
		return t == json_type_int && json_object_get_int64(v) >= 0 ? ERR_OK :
		    refuse(r, k->name, "a whole number, 0 or more, is expected");
	case MK_NUM:
		return t == json_type_int || (t == json_type_double && isfinite(json_object_get_double(v)))
		    ? ERR_OK : refuse(r, k->name, "a number is expected");
	case MK_STRS:
		return read_strings(r, o, k, v);
	case MK_WORD:
		return read_word(r, k, v);
	case MK_TABLE:
		return t == json_type_object ? enter(r, k->name, k->keys, v) : refuse(r, k->name, "a table is expected");
	case MK_TABLES:
		return read_tables(r, o, k, v);
	case MK_MAP:
		return t == json_type_object ? ERR_OK : set(r, o, k->name, json_object_new_object());
	case MK_CUSTOM:
		return read_custom(r, k, v);
	}
	return ERR_OK;
}

static enum err
read_table(struct reading *r, const struct mkey *keys, struct json_object *o)
{
	for (const struct mkey *k = keys; k->name != NULL; k++) {
		struct json_object *v = js_get(o, k->name);
		enum err e = ERR_OK;

		if (v == NULL && k->dflt != NULL) {
			e = set(r, o, k->name, mkey_default(k));
			v = k->kind == MK_TABLE ? js_get(o, k->name) : NULL;
		}
		if (e == ERR_OK && v != NULL)
			e = read_value(r, o, k, v);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* --- rules beyond kinds -------------------------------------------------------------- */

static const char *
name_fault(const char *s, size_t n)
{
	if (n == 0 || n > MANIFEST_NAME_MAX || s[strspn(s, " \t")] == '\0')
		return "1 to 256 bytes are expected";
	if (has_control(s, n))
		return "the name holds a control character";
	if (!utf8_ok(s, n))
		return "the name is not valid UTF-8";
	if (strncmp(s, "_operator:", 10) == 0)
		return "names that begin with _operator: are reserved";
	return NULL;
}

enum err
manifest_check_name(struct ctx *c, const char *name, size_t n)
{
	const char *why = name_fault(name, n);

	return why == NULL ? ERR_OK : fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid manifest: name: %s", why);
}

/* A relative path without tricks. */
static bool
is_plain_path(const char *s)
{
	if (*s == '\0' || *s == '/' || *s == '\\' || has_control(s, strlen(s)))
		return false;
	if (((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z')) && s[1] == ':')
		return false;
	while (*s != '\0') {
		size_t k = strcspn(s, "/\\");

		if (k == 2 && s[0] == '.' && s[1] == '.')
			return false;
		s += k;
		s += *s != '\0';
	}
	return true;
}

static bool
is_module(const char *s)
{
	if (strncmp(s, "builtin:", 8) == 0)
		return s[8] != '\0' && !has_control(s, strlen(s));
	if (strncmp(s, "wasm:", 5) == 0)
		return is_plain_path(s + 5);
	return strncmp(s, "python:", 7) == 0 && is_plain_path(s + 7);
}

/* Inside the directory of workspaces, and neither that itself nor one that holds those of others. */
bool
manifest_is_place(const struct ctx *c, const char *s)
{
	const char *root = c->cfg != NULL ? c->cfg->workspaces_dir : NULL;
	size_t n = root != NULL ? strlen(root) : 0;
	char clean[4096];
	size_t len = 0;

	if (*s == '/') {
		if (n == 0 || strncmp(s, root, n) != 0 || s[n] != '/')
			return false;
		s += n + 1;
		s += strspn(s, "/");
	}
	if (strlen(s) >= 1024 || !is_plain_path(s))
		return false;
	for (const char *p = s; *p != '\0'; p += *p == '/') {
		size_t k = strcspn(p, "/");

		if (k > 255)
			return false;
		if (k > 0 && !(k == 1 && *p == '.')) {
			if (len > 0)
				clean[len++] = '/';
			memcpy(clean + len, p, k);
			len += k;
		}
		p += k;
	}
	clean[len] = '\0';
	return len > 0 && strcmp(clean, "agents") != 0 && strcmp(clean, "hands") != 0 &&
	    strncmp(clean, ".ended-", 7) != 0 && strncmp(clean, ".coming-", 8) != 0;        /* those are swept away */
}

/* model.name is an older word for model.model; "openai/gpt-x" of provider openai is "gpt-x". */
static enum err
tidy_model(struct reading *r, struct json_object *m)
{
	struct json_object *alias = js_get(m, "name");
	const char *provider, *s;
	size_t n;

	if (alias != NULL && js_get(m, "model") == NULL &&
	    set(r, m, "model", json_object_get(alias)) != ERR_OK)
		return ERR_NOMEM;
	json_object_object_del(m, "name");
	provider = js_str_or(m, "provider", "default");
	s = js_str_or(m, "model", "default");
	n = strlen(provider);
	if (n > 0 && strncmp(s, provider, n) == 0 && s[n] == '/' && s[n + 1] != '\0')
		return set(r, m, "model", json_object_new_string(s + n + 1));
	return ERR_OK;
}

static enum err
check_injections(struct reading *r, struct json_object *list)
{
	for (size_t i = 0, n = list != NULL ? json_object_array_length(list) : 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(list, i);

		if (js_str(t, "name") == NULL || js_str(t, "content") == NULL)
			return refuse(r, "context_injection", "name and content are expected");
	}
	return ERR_OK;
}

/* The place where an agent's tools are to run must be there. */
static bool
has_backend(const struct config *cfg, const char *name)
{
	struct json_object *exec = cfg != NULL ? js_obj(cfg->raw, "tool_exec") : NULL;

	return strcmp(name, "local") == 0 || strcmp(js_str_or(exec, "kind", ""), name) == 0 || js_obj(exec, name) != NULL;
}

static enum err
check_rules(struct reading *r, struct json_object *o)
{
	const char *name = js_str_or(o, "name", ""), *workspace = js_str(o, "workspace");
	const char *why = name_fault(name, strlen(name)), *key;
	struct json_object *format = js_obj(o, "response_format");

	if (why != NULL)
		return refuse(r, "name", why);
	if (!is_module(js_str_or(o, "module", "")))
		return refuse(r, "module", "builtin:NAME, wasm:PATH or python:PATH is expected, the path relative and without ..");
	if (workspace != NULL && !manifest_is_place(r->c, workspace))
		return refuse(r, "workspace", "a directory inside the workspaces, without .., is expected");
	if ((why = shared_fault(r->c, o, &key)) != NULL)
		return refuse(r, key, why);
	if (!has_backend(r->c->cfg, js_str_or(o, "tool_exec_backend", "local")))
		return refuse(r, "tool_exec_backend", "that backend is not configured in [tool_exec]");
	if (format != NULL && js_str(format, "type") == NULL)
		return refuse(r, "response_format", "type is expected");
	if (format != NULL && strcmp(js_str(format, "type"), "json_schema") == 0 && (js_str(format, "name") == NULL || js_get(format, "schema") == NULL))
		return refuse(r, "response_format", "name and schema are expected");
	if ((why = plan_fault(o)) != NULL)
		return refuse(r, strncmp(why, "quiet_hours", 11) == 0 ? "autonomous.quiet_hours" : "schedule", why);
	return check_injections(r, js_arr(o, "context_injection"));
}

enum err
manifest_parse(struct ctx *c, const char *toml, size_t n, struct json_object **ret)
{
	struct reading r = { .c = c };
	struct json_object *o = NULL, *lines = NULL;
	struct toml_fault f = { .line = 0 };
	enum err e;

	if (n > MANIFEST_BYTES_MAX)
		return fail_code(c, ERR_TOO_LARGE, "manifest_too_large", "Manifest too large (max 1MB)");
	e = toml_parse(toml, n, &o, &lines, &f);
	if (e == ERR_NOMEM)
		return fail(c, e, "out of memory");
	if (e != ERR_OK)
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid manifest: line %d: %s", f.line, f.why);
	r.lines = json_keep(c, lines);
	o = json_keep(c, o);
	if (o == NULL || r.lines == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (js_obj(o, "model") != NULL)
		e = tidy_model(&r, js_obj(o, "model"));
	if (e == ERR_OK)
		e = read_table(&r, manifest_keys, o);
	if (e == ERR_OK)
		e = check_rules(&r, o);
	if (e == ERR_OK)
		*ret = o;
	return e;
}

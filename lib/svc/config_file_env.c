/*
 * The environment that a configuration is read in, and what of the
 * configuration may be shown.
 *
 * secrets.env and .env of the home become environment variables, so that keys of
 * providers are found in one place. A variable that was there before wins. What
 * came from these files follows them: a reload brings changes and removals.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config_file_parts.h"

enum { ENV_FILE_MAX = 256 * 1024, OWN_MAX = 256, NAME_MAX_BYTES = 128 };

/* The variables that came from the files. */
static struct own { char name[NAME_MAX_BYTES]; bool seen; } own[OWN_MAX];
static size_t n_own;

const char *
config_env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[strspn(s, " \t\r\n")] != '\0' ? s : NULL;
}

static struct own *
own_find(const char *name)
{
	for (size_t i = 0; i < n_own; i++)
		if (strcmp(own[i].name, name) == 0)
			return &own[i];
	return NULL;
}

static void
env_put(struct reading *r, const char *file, const char *name, const char *value)
{
	struct own *o = own_find(name);

	if (o == NULL) {
		if (getenv(name) != NULL)
			return;
		if (n_own == OWN_MAX) {
			config_warn(r, "%s: more than %d variables", file, OWN_MAX);
			return;
		}
		o = &own[n_own++];
		snprintf(o->name, sizeof(o->name), "%s", name);
	} else if (o->seen) {
		return;                         /* the first file wins */
	}
	o->seen = true;
	if (setenv(name, value, 1) != 0)
		config_warn(r, "%s: %s cannot be set", file, name);
}

bool
config_is_env_name(const char *s)
{
	if (isdigit((unsigned char)*s))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* NAME=value, perhaps with `export` and quotes; the line is cut up. false: it is none. */
static bool
env_line(char *line, char **name, char **value)
{
	char *eq, *end;

	if (strncmp(line, "export ", 7) == 0)
		line += 7;
	line += strspn(line, " \t");
	eq = strchr(line, '=');
	if (eq == NULL || eq == line)
		return false;
	for (end = eq; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	if (!config_is_env_name(line))
		return false;
	*name = line;
	line = eq + 1 + strspn(eq + 1, " \t");
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	if (end - line >= 2 && (*line == '"' || *line == '\'') && end[-1] == *line) {
		end[-1] = '\0';
		line++;
	}
	*value = line;
	return strlen(*name) > 0 && strlen(*name) < NAME_MAX_BYTES;
}

/* Whom each variable of a file is told. */
typedef void (*env_fn)(struct reading *, const char *file, const char *name, const char *value);

static void
env_text(struct reading *r, const char *file, char *text, env_fn put)
{
	char *next, *name, *value;
	unsigned n = 0;

	for (char *line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		n++;
		line += strspn(line, " \t\r");
		if (*line == '\0' || *line == '#')
			continue;
		if (env_line(line, &name, &value))
			put(r, file, name, value);
		else
			config_warn(r, "%s:%u: NAME=value is expected", file, n);
	}
}

static void
env_file(struct reading *r, const struct run_paths *p, const char *file, env_fn put)
{
	struct buf b = BUF_INIT(ENV_FILE_MAX);
	char path[4096 + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", p->home, file);
	if (stat(path, &st) != 0)
		return;
	if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0)) {
		config_warn(r, "%s is not a file of ours: it is not read", file);
		return;
	}
	if ((st.st_mode & 077) != 0)
		config_warn(r, "%s can be read by others: its mode should be 0600", file);
	if (buf_read_file(&b, path) != ERR_OK)
		config_warn(r, "%s cannot be read", file);
	else if (b.p != NULL && memchr(b.p, '\0', b.len) != NULL)
		config_warn(r, "%s is not a text", file);
	else if (b.p != NULL)
		env_text(r, file, b.p, put);
	buf_zero_done(&b);
}

void
config_load_env(struct reading *r, const struct run_paths *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < n_own; i++)
		own[i].seen = false;
	env_file(r, p, "secrets.env", env_put);
	env_file(r, p, ".env", env_put);
	for (size_t i = 0; i < n_own; i++) {
		if (own[i].seen)
			own[kept++] = own[i];
		else
			(void)unsetenv(own[i].name);    /* fails only for bad names */
	}
	n_own = kept;
}

struct listing { struct reading r; void (*each)(void *, const char *, const char *); void *arg; };

static void
env_list(struct reading *r, const char *file, const char *name, const char *value)
{
	const struct listing *l = (const struct listing *)(const void *)r;

	(void)file;
	l->each(l->arg, name, value);
}

void
config_env_each(const struct run_paths *p, void (*each)(void *, const char *name, const char *value), void *arg)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct listing l = { .r = { .c = &c, .file = "secrets.env" }, .each = each, .arg = arg };

	if (c.arena == NULL)
		return;
	l.r.warnings = json_keep(&c, json_object_new_array());  /* said by who makes the snapshot */
	env_file(&l.r, p, "secrets.env", env_list);
	env_file(&l.r, p, ".env", env_list);
	arena_free(c.arena);
}

/* --- what may be shown ------------------------------------------------------ */

static bool
ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcasecmp(s + n - m, end) == 0;
}

/* Names of things that are not secrets although they are called after one. */
static bool
is_about_secret(const char *name)
{
	static const char *const ends[] = { "_env", "_url", "_urls", "_secs", "_path", "_policy", "_cost" };

	if (strcasecmp(name, "credentials_path") == 0)
		return false;
	if (strcasecmp(name, "credential_pools") == 0)
		return true;                    /* names of variables; a key in their place is hidden as anywhere */
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends_in(name, ends[i]))
			return true;
	return false;
}

static bool
is_secret_name(const char *name)
{
	static const char *const parts[] = { "secret", "password", "passwd", "passphrase", "token", "credential", "_pass" };
	static const char *const ends[] = { "_key", "_hash", "apikey" };

	if (is_about_secret(name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (has_substr_ci(name, parts[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends_in(name, ends[i]))
			return true;
	return strcasecmp(name, "key") == 0 || strcasecmp(name, "pass") == 0;
}

static void
hide(struct json_object *v)
{
	if (json_object_get_string_len(v) > 0)
		(void)json_object_set_string(v, "***");         /* shorter or short: cannot fail in earnest */
}

/* Every text below v. */
static void
hide_all(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_string:
		hide(v);
		break;
	case json_type_array:
		for (size_t i = 0, n = json_object_array_length(v); i < n; i++)
			hide_all(json_object_array_get_idx(v, i));
		break;
	case json_type_object: {
		json_object_object_foreach(v, name, member) {
			(void)name;
			hide_all(member);
		}
		break;
	}
	default:
		break;
	}
}

/* "NAME=value" and "Name: value" keep their names. */
static void
hide_values(struct json_object *v)
{
	for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(v, i);
		const char *s = json_object_get_string(o);
		char text[256];
		size_t at;

		if (!json_object_is_type(o, json_type_string))
			continue;
		at = strcspn(s, "=:");
		if (s[at] == '\0')
			continue;
		snprintf(text, sizeof(text), "%.*s%s", (int)(at < 200 ? at : 200), s, s[at] == '=' ? "=***" : ": ***");
		(void)json_object_set_string(o, text);
	}
}

/* The user and password of a URL. */
static void
hide_userinfo(struct json_object *v)
{
	const char *s = json_object_get_string(v), *from, *at;
	struct buf b = BUF_INIT(16384);

	if (!json_object_is_type(v, json_type_string))
		return;
	from = strstr(s, "://");
	from = from != NULL ? from + 3 : s;
	at = strrchr(from, '@');
	if (at == NULL)
		return;
	buf_add(&b, s, (size_t)(from - s));
	buf_str(&b, "***");
	buf_str(&b, at);
	(void)json_object_set_string(v, b.failed ? "***" : b.p);
	buf_done(&b);
}

/* Names of variables may be shown; a key in their place may not. */
static void
hide_unless_env_name(struct json_object *v)
{
	if (json_object_is_type(v, json_type_string) && !config_is_env_name(json_object_get_string(v)))
		hide(v);
}

static void
redact_map(struct json_object *v, void (*each)(struct json_object *))
{
	if (!json_object_is_type(v, json_type_object))
		return;
	json_object_object_foreach(v, id, member) {
		(void)id;
		each(member);
	}
}

static void
redact_member(const char *name, struct json_object *v)
{
	bool list = json_object_is_type(v, json_type_array);

	if (is_secret_name(name))
		hide_all(v);
	else if (strcmp(name, "env") == 0 || strcmp(name, "headers") == 0)
		list ? hide_values(v) : hide_all(v);
	else if (ends_in(name, "_proxy") || strcmp(name, "otlp_endpoint") == 0)
		hide_userinfo(v);
	else if (ends_in(name, "_env"))
		hide_unless_env_name(v);
	else if (strcmp(name, "provider_proxy_urls") == 0)
		redact_map(v, hide_userinfo);
	else if (strcmp(name, "provider_api_keys") == 0)
		redact_map(v, hide_unless_env_name);
	else
		config_redact(v);
}

void
config_redact(struct json_object *o)
{
	if (json_object_is_type(o, json_type_array))
		for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
			config_redact(json_object_array_get_idx(o, i));
	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, name, v)
		redact_member(name, v);
}

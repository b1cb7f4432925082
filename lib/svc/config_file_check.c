/*
 * Is this a configuration? Every key against the table in config_keys.def.
 *
 * The walk carries two paths: the one in the file, for the user ("users[0].role"), and
 * the table's ("users[].role"). A key that the table does not know is kept and warned
 * about; one of the wrong type is refused with file, line and key, and never with
 * its value, which may be a secret in the wrong place.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/svc/config_file_parts.h"
#include "lib/toml/scan.h"
#include "lib/toml/toml.h"

enum type { INT = 1, NUM = 2, BOOL = 4, STR = 8, STRS = 16, MAP = 32, ANY = 64 };

struct key {
	const char *path;
	unsigned type;                  /* of enum type */
	const char *words;              /* the only texts, space between; NULL: any */
	int64_t lo, hi;                 /* hi 0: no upper end */
	int64_t zero;                   /* what 0 means, when not 0 */
	bool clamp;                     /* out of range becomes its end */
	bool minus;                     /* may be below 0 */
	bool must;                      /* its table is nothing without it */
};

static const struct key keys[] = {
#define K(p, t, ...) { .path = p, .type = t, __VA_ARGS__ },
#include "lib/svc/config_keys.def"
#undef K
};

/* Older names: the table's path of their parent, the name, and the name it stands for. */
static const struct alias { const char *parent, *name, *real; } aliases[] = {
	{ "", "listen_addr", "api_listen" },
	{ "", "approval_policy", "approval" },
	{ "terminal", "trust_proxy_headers", "require_proxy_headers" },
};

/* The walk. */
struct walk {
	struct reading *r;
	struct buf path, pattern;
};

static void
vsay(struct reading *r, const char *where, const char *fmt, va_list ap)
{
	size_t n;
	int wrote = snprintf(r->msg, r->cap, "%s", where);

	n = wrote < 0 ? 0 : (size_t)wrote;
	if (n < r->cap)
		vsnprintf(r->msg + n, r->cap - n, fmt, ap);
}

enum err
config_say(struct reading *r, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(r, "", fmt, ap);
	va_end(ap);
	return e;
}

/* "config.toml:12: key: " for a path of the file. */
static const char *
place(struct reading *r, const char *path)
{
	int64_t line = js_i64(r->lines, path, 0);
	const char *s = line > 0 ? ctx_printf(r->c, "%s:%" PRId64 ": %s: ", r->file, line, path)
	    : ctx_printf(r->c, "%s: %s: ", r->file, path);

	return s != NULL ? s : "";
}

enum err
config_say_at(struct reading *r, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(r, place(r, path), fmt, ap);
	va_end(ap);
	return ERR_INVALID;
}

static void
vwarn(struct reading *r, const char *where, const char *fmt, va_list ap)
{
	char text[1536];
	size_t n = json_object_array_length(r->warnings);
	int wrote = snprintf(text, sizeof(text), "%s", where);
	struct json_object *o;

	if (n >= CONFIG_WARNINGS_MAX || wrote < 0 || (size_t)wrote >= sizeof(text))
		return;
	vsnprintf(text + wrote, sizeof(text) - (size_t)wrote, fmt, ap);
	o = json_object_new_string(n == CONFIG_WARNINGS_MAX - 1 ? "there are more warnings" : text);
	if (o != NULL)
		json_object_array_add(r->warnings, o);
}

void
config_warn(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(r, "", fmt, ap);
	va_end(ap);
}

void
config_warn_at(struct reading *r, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(r, place(r, path), fmt, ap);
	va_end(ap);
}

/* What the table has at a path: a row of its own, and whether rows go on from it. */
struct known {
	const struct key *row;
	char on;                        /* '.' a table, '[' an array of tables, 0 nothing */
};

static bool
find(const char *pattern, struct known *ret)
{
	size_t n = strlen(pattern);

	*ret = (struct known){ .row = NULL };
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *path = keys[i].path;

		if (path[0] != pattern[0] || strncmp(path, pattern, n) != 0)
			continue;
		if (path[n] == '\0')
			ret->row = &keys[i];
		else if (ret->on == '\0' && (path[n] == '.' || path[n] == '['))
			ret->on = path[n];
	}
	return ret->row != NULL || ret->on != '\0';
}

static const char *
real_name(const char *parent, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].parent, parent) == 0 && strcmp(aliases[i].name, name) == 0)
			return aliases[i].real;
	return name;
}

static bool
is_word(const char *words, const char *s)
{
	size_t n = strlen(s);

	for (const char *at = words; n > 0 && (at = strstr(at, s)) != NULL; at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return strchr(s, ' ') == NULL;
	return false;
}

static bool
all_texts(struct json_object *a)
{
	for (size_t i = 0, n = json_object_array_length(a); i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(a, i), json_type_string))
			return false;
	return true;
}

/* The one type bit that this value satisfies, of those that t allows; 0: none. */
static unsigned
matches(struct json_object *v, unsigned t)
{
	switch (json_object_get_type(v)) {
	case json_type_int:
		return t & INT ? INT : t & NUM;
	case json_type_double:
		return t & NUM;
	case json_type_boolean:
		return t & BOOL;
	case json_type_string:
		return t & STR;
	case json_type_array:
		return t & STRS && all_texts(v) ? STRS : 0;
	case json_type_object:
		return t & MAP;
	default:
		return 0;
	}
}

static const char *
expected(unsigned t)
{
	switch (t) {
	case INT: return "a whole number is expected";
	case NUM: return "a number is expected";
	case BOOL: return "true or false is expected";
	case STR: return "a text in quotes is expected";
	case STRS: return "an array of texts is expected";
	case MAP: return "a table is expected";
	case STRS | BOOL: return "an array of texts, or true or false, is expected";
	case STR | MAP: return "a text in quotes or a table is expected";
	default: return "something else is expected";
	}
}

static enum err
refuse_words(struct walk *w, const char *words)
{
	char list[512];
	size_t o = 0;

	for (; *words != '\0' && o + 3 < sizeof(list); words++) {
		if (*words == ' ')
			list[o++] = ',';
		list[o++] = *words;
	}
	list[o] = '\0';
	return config_say_at(w->r, w->path.p, "one of %s is expected", list);
}

static enum err
refuse_range(struct walk *w, const struct key *k)
{
	int64_t lo = k->lo;

	if (k->hi > 0)
		return config_say_at(w->r, w->path.p, "a number from %" PRId64 " to %" PRId64 " is expected", lo, k->hi);
	return config_say_at(w->r, w->path.p, "a number of at least %" PRId64 " is expected", lo);
}

/* A number against its range; ends and zeros are put right in place. */
static enum err
check_number(struct walk *w, const struct key *k, struct json_object *v, unsigned type)
{
	double d = json_object_get_double(v);
	bool whole = json_object_is_type(v, json_type_int);
	int64_t to = d < (double)k->lo ? k->lo : k->hi;

	if (d == 0 && k->zero != 0) {
		(void)json_object_set_int64(v, k->zero);        /* an int: cannot fail */
		return ERR_OK;
	}
	if ((k->minus || d >= (double)k->lo) && (k->hi == 0 || d <= (double)k->hi))
		return ERR_OK;
	if (!k->clamp)
		return refuse_range(w, k);
	config_warn_at(w->r, w->path.p, "%" PRId64 " is used, the %s value", to,
	    to == k->lo ? "least" : "greatest");
	if (type == INT || whole)
		(void)json_object_set_int64(v, to);             /* as above */
	else
		(void)json_object_set_double(v, (double)to);    /* a double: cannot fail */
	return ERR_OK;
}

/* Somebody may have put the key where the name of its variable belongs. */
static void
check_env_name(struct walk *w, struct json_object *v)
{
	size_t n = w->pattern.len;

	if (((n > 4 && strcmp(w->pattern.p + n - 4, "_env") == 0) || strcmp(w->pattern.p, "provider_api_keys.*") == 0) &&
	    !config_is_env_name(json_object_get_string(v)))
		config_warn_at(w->r, w->path.p, "the name of an environment variable is expected");
}

static enum err
check_leaf(struct walk *w, const struct key *k, struct json_object *v)
{
	unsigned type = matches(v, k->type);

	if (k->type == ANY)
		return ERR_OK;
	if (type == 0)
		return config_say_at(w->r, w->path.p, "%s", expected(k->type));
	if (type == STR && k->words != NULL && !is_word(k->words, json_object_get_string(v)))
		return refuse_words(w, k->words);
	if (type == STR)
		check_env_name(w, v);
	return type == INT || type == NUM ? check_number(w, k, v, type) : ERR_OK;
}

static void
cut(struct buf *b, size_t n)
{
	b->len = n;
	b->p[n] = '\0';
}

static enum err table(struct walk *, struct json_object *);

/* Elements of an array of tables, and what they may not lack. */
static enum err
elements(struct walk *w, struct json_object *a)
{
	size_t path_n = w->path.len, pattern_n = w->pattern.len;

	buf_str(&w->pattern, "[]");
	for (size_t i = 0, n = json_object_array_length(a); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(a, i);
		enum err e;

		path_add_index(&w->path, i);
		if (w->path.failed || w->pattern.failed)
			return ERR_NOMEM;
		e = json_object_is_type(o, json_type_object) ? table(w, o)
		    : config_say_at(w->r, w->path.p, "a table is expected");
		if (e != ERR_OK)
			return e;
		for (size_t j = 0; j < ARRAY_LEN(keys); j++)
			if (keys[j].must && strncmp(keys[j].path, w->pattern.p, w->pattern.len) == 0 &&
			    keys[j].path[w->pattern.len] == '.' &&
			    js_get(o, keys[j].path + w->pattern.len + 1) == NULL)
				return config_say_at(w->r, w->path.p, "%s is missing",
				    keys[j].path + w->pattern.len + 1);
		cut(&w->path, path_n);
	}
	cut(&w->pattern, pattern_n);
	return ERR_OK;
}

/* The value at the two paths, of which the table says k. */
static enum err
value(struct walk *w, const struct known *k, struct json_object *v)
{
	if (k->row != NULL)
		return check_leaf(w, k->row, v);
	if (k->on == '.')
		return json_object_is_type(v, json_type_object) ? table(w, v)
		    : config_say_at(w->r, w->path.p, "a table is expected");
	return json_object_is_type(v, json_type_array) ? elements(w, v)
	    : config_say_at(w->r, w->path.p, "an array of tables is expected");
}

/* Add a name to the table's path: as it is, or as any name of a map. false: unknown. */
static bool
pattern_add(struct walk *w, const char *name, struct known *k)
{
	size_t n = w->pattern.len;

	buf_printf(&w->pattern, "%s%s", n > 0 ? "." : "", name);
	if (!w->pattern.failed && find(w->pattern.p, k))
		return true;
	cut(&w->pattern, n);
	buf_str(&w->pattern, n > 0 ? ".*" : "*");
	return !w->pattern.failed && find(w->pattern.p, k);
}

static enum err
table(struct walk *w, struct json_object *o)
{
	size_t path_n = w->path.len, pattern_n = w->pattern.len;

	json_object_object_foreach(o, name, v) {
		const char *real = real_name(w->pattern.p, name);
		struct known k;
		enum err e = ERR_OK;

		path_add_key(&w->path, name);
		if (pattern_add(w, real, &k))
			e = value(w, &k, v);
		else if (w->path.failed || w->pattern.failed)
			e = ERR_NOMEM;
		else if (js_bool(w->r->doc, "strict_config", false))
			e = config_say_at(w->r, w->path.p, "unknown key, and strict_config is on");
		else
			config_warn_at(w->r, w->path.p, "unknown key");
		if (e != ERR_OK)
			return e;
		cut(&w->path, path_n);
		cut(&w->pattern, pattern_n);
	}
	return ERR_OK;
}

static void
rename_alias(struct json_object *doc, const struct alias *a)
{
	struct json_object *o = a->parent[0] != '\0' ? js_obj(doc, a->parent) : doc;
	struct json_object *v = o != NULL ? js_get(o, a->name) : NULL;

	if (v == NULL)
		return;
	if (js_get(o, a->real) == NULL && json_object_object_add(o, a->real, json_object_get(v)) != 0)
		json_object_put(v);
	json_object_object_del(o, a->name);
}

static enum err
check(struct reading *r)
{
	struct walk w = { .r = r, .path = BUF_INIT(8192), .pattern = BUF_INIT(8192) };
	enum err e = ERR_NOMEM;

	buf_str(&w.path, "");
	buf_str(&w.pattern, "");
	if (!w.path.failed && !w.pattern.failed)
		e = table(&w, r->doc);
	buf_done(&w.path);
	buf_done(&w.pattern);
	if (e == ERR_NOMEM)
		return config_say(r, e, "out of memory");
	for (size_t i = 0; i < ARRAY_LEN(aliases) && e == ERR_OK; i++)
		rename_alias(r->doc, &aliases[i]);
	return e;
}

enum err
config_parse(struct reading *r, const char *text, size_t n)
{
	struct json_object *doc = NULL, *lines = NULL;
	struct toml_fault f;
	enum err e = toml_parse(text, n, &doc, &lines, &f);

	if (e != ERR_OK && f.line > 0)
		return config_say(r, ERR_INVALID, "%s:%d: %s", r->file, f.line, f.why);
	if (e != ERR_OK)
		return config_say(r, e == ERR_BAD_REQUEST ? ERR_INVALID : e, "%s: %s", r->file, f.why);
	r->doc = json_keep(r->c, doc);
	r->lines = json_keep(r->c, lines);
	if (r->doc == NULL || r->lines == NULL)
		return config_say(r, ERR_NOMEM, "out of memory");
	return check(r);
}

bool
config_key_is_text(const char *path)
{
	struct walk w = { .path = BUF_INIT(8192), .pattern = BUF_INIT(8192) };
	struct known k = { .row = NULL };
	enum path_part part;
	size_t index;
	bool known;

	buf_str(&w.pattern, "");
	known = !w.pattern.failed;
	while (known && ((part = path_next(&path, &w.path, &index)) == PART_KEY || part == PART_INDEX))
		if (part == PART_INDEX)
			buf_str(&w.pattern, "[]");
		else
			known = pattern_add(&w, real_name(w.pattern.p, w.path.p), &k);
	buf_done(&w.path);
	buf_done(&w.pattern);
	return known && k.row != NULL && k.row->type == STR;
}

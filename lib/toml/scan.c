/*
 * The scanner of TOML texts: which bytes are which key's value.
 *
 * The parser (toml.cc) has said yes before anyone comes here, so this does
 * not judge; it only must not run astray. Every loop either moves forward
 * or gives up, and the recursion follows brackets, which the parser bounds.
 */
#include "lib/toml/scan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/toml/toml.h"

enum { NEST_MAX = 64, KEY_BYTES_MAX = 8192 };

struct scan {
	const char *s;
	size_t n, i;
	struct buf path;                /* where we are */
	struct buf key;                 /* scratch: one decoded name */
	size_t head_n;                  /* bytes of path that the last header gave */
	struct json_object *counts;     /* array of tables -> elements so far */
	void (*visit)(void *, const struct place *);
	void *arg;
};

static bool
is_bare(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_' || ch == '-';
}

static char
peek(const struct scan *z)
{
	return z->i < z->n ? z->s[z->i] : '\0';
}

static void
skip_blank(struct scan *z)
{
	while (peek(z) == ' ' || peek(z) == '\t' || peek(z) == '\r')
		z->i++;
}

static void
skip_line(struct scan *z)
{
	const char *nl = memchr(z->s + z->i, '\n', z->n - z->i);

	z->i = nl != NULL ? (size_t)(nl - z->s) + 1 : z->n;
}

/* Blanks, newlines and comments, as they may stand between members of an array. */
static void
skip_space(struct scan *z)
{
	for (;;) {
		skip_blank(z);
		if (peek(z) == '#')
			skip_line(z);
		else if (peek(z) == '\n')
			z->i++;
		else
			return;
	}
}

static void
utf8_put(struct buf *b, unsigned long u)
{
	if (u < 0x80) {
		buf_ch(b, (char)u);
	} else if (u < 0x800) {
		buf_ch(b, (char)(0xc0 | u >> 6));
		buf_ch(b, (char)(0x80 | (u & 63)));
	} else if (u < 0x10000) {
		buf_ch(b, (char)(0xe0 | u >> 12));
		buf_ch(b, (char)(0x80 | (u >> 6 & 63)));
		buf_ch(b, (char)(0x80 | (u & 63)));
	} else {
		buf_ch(b, (char)(0xf0 | (u >> 18 & 7)));
		buf_ch(b, (char)(0x80 | (u >> 12 & 63)));
		buf_ch(b, (char)(0x80 | (u >> 6 & 63)));
		buf_ch(b, (char)(0x80 | (u & 63)));
	}
}

/* The escape at s (after the backslash) into out; its length, 0: none. */
static size_t
unescape(const char *s, size_t n, struct buf *out)
{
	static const char names[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
	const char *at;
	char hex[9] = "";
	size_t digits;

	if (n == 0)
		return 0;
	at = strchr(names, s[0]);
	if (at != NULL && s[0] != '\0') {
		buf_ch(out, bytes[at - names]);
		return 1;
	}
	digits = s[0] == 'u' ? 4 : s[0] == 'U' ? 8 : 0;
	if (digits == 0 || n < digits + 1)
		return 0;
	for (size_t i = 0; i < digits; i++) {
		if (!isxdigit((unsigned char)s[i + 1]))
			return 0;
		hex[i] = s[i + 1];
	}
	utf8_put(out, strtoul(hex, NULL, 16));
	return digits + 1;
}

/* One name at s into key, decoded; bytes read, 0: none. */
static size_t
read_name(const char *s, size_t n, struct buf *key)
{
	char q = n > 0 ? s[0] : '\0';
	size_t i = 0;

	buf_clear(key);
	buf_add(key, "", 0);
	if (q != '"' && q != '\'') {
		while (i < n && is_bare(s[i]))
			i++;
		buf_add(key, s, i);
		return key->failed ? 0 : i;
	}
	for (i = 1; i < n && s[i] != q && s[i] != '\n'; i++) {
		if (q == '"' && s[i] == '\\') {
			size_t len = unescape(s + i + 1, n - i - 1, key);

			if (len == 0)
				return 0;
			i += len;
		} else {
			buf_ch(key, s[i]);
		}
	}
	return i < n && s[i] == q && !key->failed ? i + 1 : 0;
}

void
path_add_key(struct buf *path, const char *key)
{
	size_t n = strlen(key), i = 0;

	if (path->len > 0)
		buf_ch(path, '.');
	while (i < n && is_bare(key[i]))
		i++;
	if (n > 0 && i == n)
		buf_add(path, key, n);
	else
		toml_quote(path, key);
}

void
path_add_index(struct buf *path, size_t index)
{
	buf_printf(path, "[%zu]", index);
}

enum path_part
path_next(const char **p, struct buf *key, size_t *index)
{
	const char *s = *p;
	char *end;
	size_t n;

	if (*s == '\0')
		return PART_END;
	if (*s == '[') {
		if (!isdigit((unsigned char)s[1]))
			return PART_BAD;
		*index = strtoul(s + 1, &end, 10);
		if (*end != ']' || (end[1] != '\0' && end[1] != '.' && end[1] != '['))
			return PART_BAD;
		*p = end + 1 + (end[1] == '.' && end[2] != '\0');
		return PART_INDEX;
	}
	n = read_name(s, strlen(s), key);
	if (n == 0 || key->p == NULL || key->failed || strlen(key->p) != key->len)
		return PART_BAD;
	if (s[n] == '.' && s[n + 1] != '\0' && s[n + 1] != '[')
		n++;
	else if (s[n] != '\0' && s[n] != '[')
		return PART_BAD;
	*p = s + n;
	return PART_KEY;
}

/* a."b".c at the cursor onto the path. tables: names of arrays of tables stand for their last element. */
static bool
dotted(struct scan *z, bool tables)
{
	for (;;) {
		size_t n;
		struct json_object *count;

		skip_blank(z);
		n = read_name(z->s + z->i, z->n - z->i, &z->key);
		if (n == 0)
			return false;
		z->i += n;
		path_add_key(&z->path, z->key.p);
		skip_blank(z);
		if (z->path.failed)
			return false;
		if (peek(z) != '.')
			return true;
		z->i++;
		if (tables && json_object_object_get_ex(z->counts, z->path.p, &count))
			path_add_index(&z->path, (size_t)json_object_get_int64(count) - 1);
	}
}

static bool
skip_string(struct scan *z)
{
	char q = peek(z);
	bool many = z->n - z->i >= 3 && z->s[z->i + 1] == q && z->s[z->i + 2] == q;

	for (z->i += many ? 3 : 1; z->i < z->n; z->i++) {
		const char *s = z->s + z->i;

		if (*s == '\\' && q == '"') {
			z->i++;
		} else if (*s == q && !many) {
			z->i++;
			return true;
		} else if (*s == q && z->n - z->i >= 3 && s[1] == q && s[2] == q) {
			for (z->i += 3; peek(z) == q; z->i++)
				;
			return true;
		}
	}
	return false;
}

static bool value(struct scan *, unsigned depth);

static void
tell(struct scan *z, enum place_kind kind, size_t from, size_t start, size_t end)
{
	struct place p = {
		.kind = kind, .path = z->path.p, .head_n = z->head_n,
		.from = from, .value = start, .value_end = end,
	};

	z->visit(z->arg, &p);
}

static void
path_cut(struct scan *z, size_t n)
{
	if (z->path.p == NULL)
		return;
	z->path.len = n;
	z->path.p[n] = '\0';
}

/* name = value at the cursor; the path is left at it. */
static bool
pair(struct scan *z, unsigned depth, size_t *start)
{
	if (!dotted(z, false) || peek(z) != '=')
		return false;
	z->i++;
	skip_blank(z);
	*start = z->i;
	return value(z, depth);
}

static bool
members(struct scan *z, char close, unsigned depth)
{
	size_t count = 0, mark = z->path.len;

	for (z->i++;;) {
		size_t from, start;

		skip_space(z);
		if (z->i >= z->n)
			return false;
		if (peek(z) == ',' || peek(z) == close) {
			if (z->s[z->i++] == close)
				return true;
			continue;
		}
		from = start = z->i;
		if (close == ']')
			path_add_index(&z->path, count++);
		if (close == ']' ? !value(z, depth + 1) : !pair(z, depth + 1, &start))
			return false;
		tell(z, close == ']' ? PLACE_ELEMENT : PLACE_INNER, from, start, z->i);
		path_cut(z, mark);
	}
}

/* The value at the cursor; the cursor ends right behind it. */
static bool
value(struct scan *z, unsigned depth)
{
	size_t start = z->i;

	if (depth > NEST_MAX)
		return false;
	switch (peek(z)) {
	case '{':
		return members(z, '}', depth);
	case '[':
		return members(z, ']', depth);
	case '"':
	case '\'':
		return skip_string(z);
	default:
		while (z->i < z->n && strchr(",]}#\n", z->s[z->i]) == NULL)
			z->i++;
		while (z->i > start && isspace((unsigned char)z->s[z->i - 1]))
			z->i--;
		return z->i > start;
	}
}

static bool
header(struct scan *z)
{
	struct place p = { .kind = PLACE_HEADER, .line = z->i };
	bool array;

	skip_blank(z);
	p.from = z->i++;
	array = peek(z) == '[';
	z->i += array;
	path_cut(z, 0);
	if (!dotted(z, true) || peek(z) != ']')
		return false;
	if (array) {
		struct json_object *count = NULL;
		int64_t n = json_object_object_get_ex(z->counts, z->path.p, &count)
		    ? json_object_get_int64(count) : 0;

		if (json_object_object_add(z->counts, z->path.p, json_object_new_int64(n + 1)) != 0)
			return false;
		path_add_index(&z->path, (size_t)n);
	}
	skip_line(z);
	if (z->path.failed)
		return false;
	z->head_n = z->path.len;
	p.path = z->path.p;
	p.head_n = z->head_n;
	p.line_end = z->i;
	z->visit(z->arg, &p);
	return true;
}

static bool
statement(struct scan *z)
{
	struct place p = { .kind = PLACE_PAIR, .line = z->i, .head_n = z->head_n };

	skip_blank(z);
	p.from = z->i;
	if (!pair(z, 0, &p.value))
		return false;
	p.value_end = z->i;
	skip_line(z);
	p.line_end = z->i;
	p.path = z->path.p;
	z->visit(z->arg, &p);
	path_cut(z, z->head_n);
	return true;
}

static bool
document(struct scan *z)
{
	if (z->n >= 3 && memcmp(z->s, "\xef\xbb\xbf", 3) == 0)
		z->i = 3;
	while (z->i < z->n) {
		size_t line = z->i;
		char ch;

		skip_blank(z);
		ch = peek(z);
		if (z->i >= z->n)
			break;
		if (ch == '\n' || ch == '#') {
			skip_line(z);
			continue;
		}
		z->i = line;
		if (ch == '[' ? !header(z) : !statement(z))
			return false;
	}
	return true;
}

bool
toml_scan(const char *text, size_t n, void (*visit)(void *, const struct place *), void *arg)
{
	struct scan z = {
		.s = text, .n = n, .visit = visit, .arg = arg,
		.path = BUF_INIT(KEY_BYTES_MAX), .key = BUF_INIT(KEY_BYTES_MAX),
		.counts = json_object_new_object(),
	};
	bool good = z.counts != NULL;

	buf_add(&z.path, "", 0);
	good = good && !z.path.failed && document(&z);
	buf_done(&z.path);
	buf_done(&z.key);
	json_object_put(z.counts);
	return good;
}

/*
 * Editing TOML as text, so that comments, order and spelling survive.
 *
 * The scanner says where the value stands, or the table that it would belong
 * to; the new text is put there and everything else is copied. Whatever
 * went wrong on the way cannot get out: the result is parsed, and must hold
 * the value that was asked for.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/toml/scan.h"
#include "lib/toml/toml.h"

enum { EDIT_PATH_MAX = 8192, DELETIONS_MAX = 1 << 20 };

/* A target path, canonical, and where its last part begins. */
struct target {
	struct buf path;
	size_t parent_n;                /* bytes of the table's path; 0: root */
	size_t last;                    /* where the last part stands */
	bool by_index;                  /* the last part is [n] */
};

/* What the scan found out about a target. */
struct site {
	const struct target *t;
	bool found, is_section;
	size_t value, value_end;
	bool table;                     /* its table has a header, or is the root: append at table_end */
	size_t table_end;
	bool dotted;                    /* its table is written as dotted keys of another */
	size_t dotted_end, dotted_n;
	bool braces;                    /* its table is { } */
	size_t open, close;
	size_t above_end, above_n;      /* the nearest table above it that has a header */
	bool in_table;
};

struct deletion { size_t from, to; };

static enum err
refuse(struct toml_fault *f, const char *why)
{
	*f = (struct toml_fault){ .line = 0 };
	snprintf(f->why, sizeof(f->why), "%s", why);
	return ERR_INVALID;
}

void
toml_quote(struct buf *out, const char *s)
{
	/* JSON's escapes are TOML's, and the same characters need them. */
	buf_ch(out, '"');
	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			buf_printf(out, "\\%c", ch);
		else if (ch == '\n')
			buf_str(out, "\\n");
		else if (ch == '\t')
			buf_str(out, "\\t");
		else if (ch < 0x20 || ch == 0x7f)
			buf_printf(out, "\\u%04x", ch);
		else
			buf_ch(out, (char)ch);
	}
	buf_ch(out, '"');
}

struct json_object *
toml_at(struct json_object *o, const char *dotted)
{
	struct buf key = BUF_INIT(EDIT_PATH_MAX);
	size_t index;

	for (;;) {
		struct json_object *next = NULL;

		switch (path_next(&dotted, &key, &index)) {
		case PART_END:
			buf_done(&key);
			return o;
		case PART_KEY:
			if (json_object_is_type(o, json_type_object))
				(void)json_object_object_get_ex(o, key.p, &next);  /* a miss leaves NULL */
			break;
		case PART_INDEX:
			if (json_object_is_type(o, json_type_array))
				next = json_object_array_get_idx(o, index);
			break;
		case PART_BAD:
			break;
		}
		if (next == NULL) {
			buf_done(&key);
			return NULL;
		}
		o = next;
	}
}

static bool
target_read(struct target *t, const char *dotted)
{
	struct buf key = BUF_INIT(EDIT_PATH_MAX);
	enum path_part part;
	size_t index;

	while ((part = path_next(&dotted, &key, &index)) == PART_KEY || part == PART_INDEX) {
		t->parent_n = t->path.len;
		t->by_index = part == PART_INDEX;
		t->last = t->path.len + (part == PART_KEY && t->path.len > 0);
		if (part == PART_KEY)
			path_add_key(&t->path, key.p);
		else
			path_add_index(&t->path, index);
	}
	buf_done(&key);
	return part == PART_END && t->path.len > 0 && !t->path.failed && t->path.p[0] != '[';
}

/* Is path the first n bytes of whole, and something of whole inside it? */
static bool
is_above(const char *path, size_t n, const char *whole)
{
	return strncmp(path, whole, n) == 0 && (n == 0 || whole[n] == '.' || whole[n] == '[');
}

static void
look_header(struct site *s, const struct place *p)
{
	const struct target *t = s->t;
	size_t n = strlen(p->path);

	s->in_table = n == t->parent_n && memcmp(p->path, t->path.p, n) == 0;
	if (s->in_table) {
		s->table = true;
		s->table_end = p->line_end;
	}
	if (strcmp(p->path, t->path.p) == 0 || is_above(t->path.p, t->path.len, p->path))
		s->is_section = true;
	if (n < t->parent_n && is_above(p->path, n, t->path.p)) {
		s->above_end = p->line_end;
		s->above_n = n;
	}
}

static void
look_pair(struct site *s, const struct place *p)
{
	const struct target *t = s->t;

	if (is_above(t->path.p, t->path.len, p->path))
		s->is_section = true;
	if (s->in_table) {
		s->table = true;
		s->table_end = p->line_end;
	}
	if (p->head_n < t->parent_n && strncmp(p->path, t->path.p, t->parent_n) == 0 &&
	    p->path[t->parent_n] == '.') {
		s->dotted = true;
		s->dotted_end = p->line_end;
		s->dotted_n = p->head_n;
	}
	if (s->above_n > 0 && p->head_n == s->above_n && strncmp(p->path, t->path.p, s->above_n) == 0)
		s->above_end = p->line_end;
}

static void
look(void *arg, const struct place *p)
{
	struct site *s = arg;
	const struct target *t = s->t;
	size_t n;

	if (p->kind == PLACE_HEADER) {
		look_header(s, p);
		return;
	}
	n = strlen(p->path);
	if (strcmp(p->path, t->path.p) == 0) {
		s->found = true;
		s->value = p->value;
		s->value_end = p->value_end;
	}
	if (n == t->parent_n && memcmp(p->path, t->path.p, n) == 0) {
		s->braces = true;
		s->open = p->value;
		s->close = p->value_end;
	}
	if (p->kind == PLACE_PAIR)
		look_pair(s, p);
}

/* Where a first key of the root goes: below the comment that heads the file. */
static size_t
root_start(const char *text, size_t n)
{
	size_t i = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < n && text[i] == '#') {
		const char *nl = memchr(text + i, '\n', n - i);

		i = nl != NULL ? (size_t)(nl - text) + 1 : n;
	}
	return i;
}

static void
put_line(struct buf *out, const char *text, size_t n, size_t at, const char *name, const char *literal)
{
	buf_add(out, text, at);
	if (at > 0 && text[at - 1] != '\n' && !(at == 3 && text[0] == '\xef'))
		buf_ch(out, '\n');
	buf_printf(out, "%s = ", name);
	buf_str(out, literal);
	buf_ch(out, '\n');
	buf_add(out, text + at, n - at);
}

/* Into { }: behind its last member. */
static void
put_inner(struct buf *out, const char *text, size_t n, const struct site *s, const char *literal)
{
	size_t end = s->close - 1;
	bool empty;

	while (end > s->open + 1 && isspace((unsigned char)text[end - 1]))
		end--;
	empty = end == s->open + 1;
	buf_add(out, text, end);
	buf_printf(out, "%s%s = ", empty ? " " : ", ", s->t->path.p + s->t->last);
	buf_str(out, literal);
	if (empty)
		buf_ch(out, ' ');
	buf_add(out, text + (empty ? s->close - 1 : end), n - (empty ? s->close - 1 : end));
}

static void
put_section(struct buf *out, const char *text, size_t n, const struct target *t, const char *literal)
{
	buf_add(out, text, n);
	if (n > 0 && text[n - 1] != '\n')
		buf_ch(out, '\n');
	if (n > 0)
		buf_ch(out, '\n');
	buf_ch(out, '[');
	buf_add(out, t->path.p, t->parent_n);
	buf_printf(out, "]\n%s = ", t->path.p + t->last);
	buf_str(out, literal);
	buf_ch(out, '\n');
}

static enum err
put_value(struct buf *out, const char *text, size_t n, const struct site *s, const char *literal,
    struct toml_fault *f)
{
	const struct target *t = s->t;
	const char *path = t->path.p;

	if (s->found) {
		buf_add(out, text, s->value);
		buf_str(out, literal);
		buf_add(out, text + s->value_end, n - s->value_end);
	} else if (s->is_section) {
		return refuse(f, "this is a table: set its keys");
	} else if (t->by_index) {
		return refuse(f, "the array has no such element");
	} else if (s->braces) {
		if (text[s->open] != '{')
			return refuse(f, "its parent is not a table");
		put_inner(out, text, n, s, literal);
	} else if (s->table) {
		put_line(out, text, n, s->table_end, path + t->last, literal);
	} else if (s->dotted) {
		put_line(out, text, n, s->dotted_end,
		    path + s->dotted_n + (s->dotted_n > 0), literal);
	} else if (memchr(path, '[', t->parent_n) != NULL) {
		if (s->above_n == 0)
			return refuse(f, "the array has no such element");
		put_line(out, text, n, s->above_end, path + s->above_n + 1, literal);
	} else {
		put_section(out, text, n, t, literal);
	}
	return ERR_OK;
}

enum err
toml_value(const char *literal, struct json_object **ret, struct toml_fault *f)
{
	struct buf b = BUF_INIT(1 << 20);
	struct json_object *doc = NULL;
	enum err e;

	buf_str(&b, "x = ");
	buf_str(&b, literal);
	buf_ch(&b, '\n');
	e = b.failed ? ERR_TOO_LARGE : toml_parse(b.p, b.len, &doc, NULL, f);
	buf_done(&b);
	if (e == ERR_BAD_REQUEST) {
		f->line = 0;
		return ERR_INVALID;
	}
	if (e != ERR_OK)
		return e;
	if (json_object_object_length(doc) == 1)
		*ret = json_object_get(toml_at(doc, "x"));
	json_object_put(doc);
	return *ret != NULL ? ERR_OK : refuse(f, "one value is expected");
}

/* Parse the result, and look for the value in it. want NULL: it must be gone. */
static enum err
verify(const struct buf *out, const char *path, struct json_object *want, struct toml_fault *f)
{
	struct json_object *doc = NULL, *got;
	bool good;
	enum err e;

	if (out->failed)
		return ERR_TOO_LARGE;
	e = toml_parse(out->p != NULL ? out->p : "", out->len, &doc, NULL, f);
	if (e != ERR_OK)
		return e == ERR_BAD_REQUEST ? ERR_INVALID : e;
	got = toml_at(doc, path);
	good = want != NULL ? json_object_equal(got, want) : got == NULL;
	json_object_put(doc);
	return good ? ERR_OK : refuse(f, "the text cannot be changed at this place");
}

/* The original must be TOML, or the scanner has nothing to stand on. */
static enum err
check_original(const char *text, size_t n, struct toml_fault *f)
{
	struct json_object *doc = NULL;
	enum err e = toml_parse(text, n, &doc, NULL, f);

	json_object_put(doc);
	return e;
}

static enum err
put(const char *text, size_t n, const struct target *t, const char *literal, struct buf *out, struct toml_fault *f)
{
	struct site s = { .t = t, .in_table = t->parent_n == 0 };
	enum err e;

	s.table = s.in_table;
	s.table_end = root_start(text, n);
	if (!toml_scan(text, n, look, &s))
		return refuse(f, "the text cannot be changed at this place");
	e = put_value(out, text, n, &s, literal, f);
	return e == ERR_OK && out->failed ? ERR_TOO_LARGE : e;
}

/* The literal without blanks around it: toml_value() has seen it whole. */
static void
trim(const char *literal, struct buf *out)
{
	size_t n;

	while (isspace((unsigned char)*literal))
		literal++;
	n = strlen(literal);
	while (n > 0 && isspace((unsigned char)literal[n - 1]))
		n--;
	buf_add(out, literal, n);
}

static enum err
set(const char *text, size_t n, const char *dotted, const char *literal, bool alone, struct buf *out, struct toml_fault *f)
{
	struct target t = { .path = BUF_INIT(EDIT_PATH_MAX) };
	struct buf lit = BUF_INIT(1 << 20);
	struct json_object *want = NULL;
	enum err e = ERR_OK;

	trim(literal, &lit);
	if (!target_read(&t, dotted))
		e = refuse(f, "not a key: a.b.c is expected");
	else if (lit.failed)
		e = ERR_TOO_LARGE;
	else if (alone)
		e = check_original(text, n, f);
	if (e == ERR_OK)
		e = toml_value(lit.p, &want, f);
	if (e == ERR_OK)
		e = put(text, n, &t, lit.p, out, f);
	if (e == ERR_OK && alone)
		e = verify(out, t.path.p, want, f);
	json_object_put(want);
	buf_done(&lit);
	buf_done(&t.path);
	return e;
}

enum err
toml_set(const char *text, size_t n, const char *dotted, const char *literal,
    struct buf *out, struct toml_fault *f)
{
	return set(text, n, dotted, literal, true, out, f);
}

enum err
toml_put(const char *text, size_t n, const char *dotted, const char *literal,
    struct buf *out, struct toml_fault *f)
{
	return set(text, n, dotted, literal, false, out, f);
}

/* What an unset takes away, in the order of the text. */
struct removal {
	const struct target *t;
	const char *text;
	size_t n;
	struct buf cuts;                /* struct deletion after struct deletion */
};

/* A member of { } or [ ] goes with one comma. */
static struct deletion
cut_member(const struct removal *r, const struct place *p)
{
	struct deletion d = { p->from, p->value_end };
	size_t i = d.to;

	while (i < r->n && isspace((unsigned char)r->text[i]))
		i++;
	if (i < r->n && r->text[i] == ',') {
		for (d.to = i + 1; d.to < r->n && (r->text[d.to] == ' ' || r->text[d.to] == '\t'); d.to++)
			;
		return d;
	}
	for (i = d.from; i > 0 && isspace((unsigned char)r->text[i - 1]); i--)
		;
	if (i > 0 && r->text[i - 1] == ',')
		d.from = i - 1;
	return d;
}

static void
remove_look(void *arg, const struct place *p)
{
	struct removal *r = arg;
	const struct target *t = r->t;
	bool same = strcmp(p->path, t->path.p) == 0;
	bool whole_lines = p->kind == PLACE_HEADER || p->kind == PLACE_PAIR;
	struct deletion d = { p->line, p->line_end };

	if (!same && !(whole_lines && is_above(t->path.p, t->path.len, p->path)))
		return;
	if (!whole_lines)
		d = cut_member(r, p);
	buf_add(&r->cuts, &d, sizeof(d));
}

static void
without(const struct removal *r, struct buf *out)
{
	size_t at = 0;

	for (size_t i = 0; i < r->cuts.len; i += sizeof(struct deletion)) {
		struct deletion d;

		memcpy(&d, r->cuts.p + i, sizeof(d));
		if (d.from < at)
			continue;
		buf_add(out, r->text + at, d.from - at);
		at = d.to;
	}
	buf_add(out, r->text + at, r->n - at);
}

static enum err
cut(struct removal *r, struct buf *out, struct toml_fault *f)
{
	if (!toml_scan(r->text, r->n, remove_look, r) || r->cuts.failed)
		return refuse(f, "the text cannot be changed at this place");
	if (r->cuts.len == 0) {
		(void)refuse(f, "no such key");         /* NOT_FOUND says it better */
		return ERR_NOT_FOUND;
	}
	without(r, out);
	return out->failed ? ERR_TOO_LARGE : ERR_OK;
}

static enum err
verify_gone(const struct target *t, struct buf *out, struct toml_fault *f)
{
	struct json_object *doc = NULL;
	enum err e;

	if (!t->by_index)
		return verify(out, t->path.p, NULL, f);
	/* The next element has moved up: only whether it is TOML can be asked. */
	e = toml_parse(out->p, out->len, &doc, NULL, f);
	json_object_put(doc);
	return e == ERR_BAD_REQUEST ? ERR_INVALID : e;
}

static enum err
unset(const char *text, size_t n, const char *dotted, bool alone, struct buf *out, struct toml_fault *f)
{
	struct target t = { .path = BUF_INIT(EDIT_PATH_MAX) };
	struct removal r = { .t = &t, .text = text, .n = n, .cuts = BUF_INIT(DELETIONS_MAX) };
	enum err e = target_read(&t, dotted) ? ERR_OK : refuse(f, "not a key: a.b.c is expected");

	if (e == ERR_OK && alone)
		e = check_original(text, n, f);
	if (e == ERR_OK)
		e = cut(&r, out, f);
	if (e == ERR_OK && alone)
		e = verify_gone(&t, out, f);
	buf_done(&r.cuts);
	buf_done(&t.path);
	return e;
}

enum err
toml_unset(const char *text, size_t n, const char *dotted, struct buf *out, struct toml_fault *f)
{
	return unset(text, n, dotted, true, out, f);
}

enum err
toml_cut(const char *text, size_t n, const char *dotted, struct buf *out, struct toml_fault *f)
{
	return unset(text, n, dotted, false, out, f);
}

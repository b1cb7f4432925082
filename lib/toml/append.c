/*
 * One more table for an array of tables: as [[name]] at the end of the text, or, where the array is
 * written as [ { … } ], as its last element. Everything else stays as it is.
 */
#include <stdio.h>
#include <string.h>

#include "lib/toml/scan.h"
#include "lib/toml/toml.h"

struct array {
	const char *name;
	bool in_brackets;
	size_t open;                    /* of [ */
	size_t last;                    /* the end of its last element; 0: it has none */
};

static enum err
refuse(struct toml_fault *f, const char *why)
{
	*f = (struct toml_fault){ .line = 0 };
	snprintf(f->why, sizeof(f->why), "%s", why);
	return ERR_INVALID;
}

static void
look(void *arg, const struct place *p)
{
	struct array *a = arg;
	size_t n = strlen(a->name);

	if (p->kind == PLACE_ELEMENT && strncmp(p->path, a->name, n) == 0 && p->path[n] == '[' &&
	    strchr(p->path + n, ']') == p->path + strlen(p->path) - 1)
		a->last = p->value_end;
	if (p->kind == PLACE_PAIR && strcmp(p->path, a->name) == 0) {
		a->in_brackets = true;
		a->open = p->value;
	}
}

static void
put_lines(struct buf *out, const char *text, size_t n, const char *name, const struct toml_member *m, size_t n_m)
{
	buf_add(out, text, n);
	if (n > 0 && text[n - 1] != '\n')
		buf_ch(out, '\n');
	/* a blank line, unless one that was removed has left its own */
	buf_printf(out, "%s[[%s]]\n", n > 0 && !(n > 1 && text[n - 1] == '\n' && text[n - 2] == '\n') ? "\n" : "", name);
	for (size_t i = 0; i < n_m; i++) {
		buf_printf(out, "%s = ", m[i].key);
		buf_str(out, m[i].literal);
		buf_ch(out, '\n');
	}
}

static void
put_element(struct buf *out, const char *text, size_t n, const struct array *a, const struct toml_member *m, size_t n_m)
{
	size_t at = a->last > 0 ? a->last : a->open + 1;

	buf_add(out, text, at);
	buf_str(out, a->last > 0 ? ", { " : "{ ");
	for (size_t i = 0; i < n_m; i++) {
		buf_printf(out, "%s%s = ", i > 0 ? ", " : "", m[i].key);
		buf_str(out, m[i].literal);
	}
	buf_str(out, " }");
	buf_add(out, text + at, n - at);
}

/* How many it has; ERR_BAD_REQUEST with *f: the text is no TOML. */
static enum err
count(const char *text, size_t n, const char *name, size_t *ret, struct toml_fault *f)
{
	struct json_object *doc = NULL, *a;
	enum err e = toml_parse(text, n, &doc, NULL, f);

	if (e != ERR_OK)
		return e;
	a = toml_at(doc, name);
	*ret = json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;
	if (a != NULL && !json_object_is_type(a, json_type_array))
		e = refuse(f, "this is no array");
	json_object_put(doc);
	return e;
}

enum err
toml_append(const char *text, size_t n, const char *name, const struct toml_member *m, size_t n_m, struct buf *out,
    struct toml_fault *f)
{
	struct array a = { .name = name };
	size_t before = 0, after = 0;
	enum err e = count(text, n, name, &before, f);

	if (e != ERR_OK)
		return e;
	if (!toml_scan(text, n, look, &a))
		return refuse(f, "the text cannot be changed at this place");
	if (a.in_brackets)
		put_element(out, text, n, &a, m, n_m);
	else
		put_lines(out, text, n, name, m, n_m);
	if (out->failed)
		return ERR_TOO_LARGE;
	e = count(out->p, out->len, name, &after, f);
	if (e != ERR_OK)
		return e == ERR_BAD_REQUEST ? ERR_INVALID : e;
	return after == before + 1 ? ERR_OK : refuse(f, "the text cannot be changed at this place");
}

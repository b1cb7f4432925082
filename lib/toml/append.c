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
	bool in_brackets, is_table;
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
	if (p->kind == PLACE_HEADER && strcmp(p->path, a->name) == 0)
		a->is_table = true;
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

enum err
toml_append(const char *text, size_t n, const char *name, const struct toml_member *m, size_t n_m, struct buf *out, struct toml_fault *f)
{
	struct array a = { .name = name };

	if (!toml_scan(text, n, look, &a))
		return refuse(f, "the text cannot be changed at this place");
	if (a.is_table || (a.in_brackets && text[a.open] != '['))
		return refuse(f, "this is no array");
	if (a.in_brackets)
		put_element(out, text, n, &a, m, n_m);
	else
		put_lines(out, text, n, name, m, n_m);
	return out->failed ? ERR_TOO_LARGE : ERR_OK;
}

struct tables { const char *name; size_t *at, n, cap; };

/* [[name]] is name[i] to the scanner; [name.x] below it is not, nor an element in brackets. */
static void
look_table(void *arg, const struct place *p)
{
	struct tables *t = arg;
	size_t n = strlen(t->name), len = strlen(p->path);

	if (p->kind != PLACE_HEADER || strncmp(p->path, t->name, n) != 0 || p->path[n] != '[' || strchr(p->path + n, ']') != p->path + len - 1)
		return;
	if (t->n < t->cap)
		t->at[t->n] = p->line;
	t->n++;
}

size_t
toml_tables(const char *text, size_t n, const char *name, size_t *at, size_t cap)
{
	struct tables t = { .name = name, .at = at, .cap = cap };

	return toml_scan(text, n, look_table, &t) && t.n <= cap ? t.n : 0;
}

/*
 * Tables: for people aligned and with a heading, for programs one line per row
 * with tabs between. What others wrote is cleaned: a name must not move the cursor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { TABLE_MAX = 16 << 20, COLUMNS_MAX = 12, WIDE = 60 };

void
table_begin(struct table *t, unsigned columns, const char *const *heads)
{
	*t = (struct table){ .columns = columns, .cells = BUF_INIT(TABLE_MAX), .headed = heads != NULL };
	for (unsigned i = 0; heads != NULL && i < columns; i++)
		table_cell(t, heads[i]);
}

/* How many bytes of a control character stand here: 1, 2 (C1 in UTF-8), 0: none. */
static int
control(const char *s)
{
	unsigned char ch = (unsigned char)s[0], next = ch != '\0' ? (unsigned char)s[1] : 0;

	if (ch < 0x20 || ch == 0x7f)
		return 1;
	return ch == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

void
table_cell(struct table *t, const char *s)
{
	for (s = s != NULL ? s : ""; *s != '\0'; s += control(s) == 2 ? 2 : 1)
		buf_ch(&t->cells, control(s) > 0 ? ' ' : *s);
	buf_ch(&t->cells, '\0');
	t->n++;
}

void
table_pair(struct table *t, const char *name, const char *value)
{
	table_cell(t, name);
	table_cell(t, value);
}

void
table_list(struct table *t, const char *name, struct json_object *a)
{
	SCOPED_BUF all = BUF_INIT(TABLE_MAX);

	for (size_t i = 0; a != NULL && i < json_object_array_length(a); i++)
		buf_printf(&all, "%s%s", i > 0 ? " " : "", json_object_get_string(json_object_array_get_idx(a, i)));
	table_pair(t, name, all.len > 0 ? all.p : "-");
}

/* Characters, not bytes. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
pad(size_t n)
{
	while (n-- > 0)
		putchar(' ');
}

static void
print_wide(const struct table *t, const size_t *max)
{
	const char *p = t->cells.p;

	for (size_t i = 0; i < t->n; i++) {
		size_t col = i % t->columns, w = width(p);

		fputs(p, stdout);
		if (col + 1 == t->columns)
			putchar('\n');
		else
			pad((w < max[col] ? max[col] - w : 0) + 2);
		p += strlen(p) + 1;
	}
}

void
table_print(struct table *t, bool tty)
{
	size_t max[COLUMNS_MAX] = { 0 };
	const char *p = t->cells.p;

	for (size_t i = 0; i < t->n && !t->cells.failed; i++) {
		size_t col = i % t->columns, w = width(p);

		if (!tty && (i >= t->columns || !t->headed))
			printf("%s%c", p, col + 1 == t->columns ? '\n' : '\t');
		if (w > max[col])
			max[col] = w < WIDE ? w : WIDE;
		p += strlen(p) + 1;
	}
	if (tty && !t->cells.failed)
		print_wide(t, max);
	buf_done(&t->cells);
}

void
print_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int skip = control(s + i);

		if (skip == 0 || s[i] == '\n' || s[i] == '\t')
			putchar((unsigned char)s[i]);
		i += skip == 2 ? 1 : 0;
	}
}

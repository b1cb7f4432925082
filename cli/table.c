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

void
table_cell(struct table *t, const char *s)
{
	for (s = s != NULL ? s : ""; *s != '\0'; s++)
		buf_ch(&t->cells, (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
	buf_ch(&t->cells, '\0');
	t->n++;
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
		unsigned char ch = (unsigned char)s[i];

		if ((ch >= 0x20 && ch != 0x7f) || ch == '\n' || ch == '\t')
			putchar(ch);
	}
}

/*
 * Names to places: the catalog's hash tables, and names in small letters.
 */
#include <locale.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
#include <wctype.h>

#include "lib/svc/catalog_set.h"

unsigned
index_start(const struct index *x, const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		h = (h ^ ch) * 16777619u;
	}
	return (h ^ h >> 15) & x->mask;
}

int
index_next(const struct index *x, const char *name, unsigned *i)
{
	for (; x->name[*i] != NULL; *i = (*i + 1) & x->mask) {
		unsigned here = *i;

		if (strcasecmp(x->name[here], name) != 0)
			continue;
		*i = (here + 1) & x->mask;
		return x->at[here];
	}
	return -1;
}

int
index_find(const struct index *x, const char *name)
{
	unsigned i = index_start(x, name);

	return index_next(x, name, &i);
}

bool
catalog_fold(const char *s, char out[static CATALOG_NAME_MAX + 1])
{
	static locale_t utf8;
	size_t n = strlen(s), o = 0, k;
	mbstate_t in = { 0 }, to = { 0 };
	wchar_t ch;

	if (n > CATALOG_NAME_MAX / 2 || !utf8_ok(s, n))
		return false;
	for (; *s != '\0' && (unsigned char)*s < 0x80; s++, n--) /* nearly always all of it: ASCII needs no locale */
		out[o++] = (char)(*s >= 'A' && *s <= 'Z' ? *s | 32 : *s);
	out[o] = '\0';
	if (n == 0)
		return true;
	if (utf8 == (locale_t)0)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0)
		return false;
	(void)uselocale(utf8);
	for (; n > 0; s += k, n -= k) {
		k = mbrtowc(&ch, s, n, &in);
		if (k == 0 || k > n)
			break;
		o += wcrtomb(out + o, (wchar_t)towlower((wint_t)ch), &to);
	}
	(void)uselocale(LC_GLOBAL_LOCALE);
	out[o] = '\0';
	return n == 0;
}

/*
 * Spans of JSON text: the place of one member's value, and a text without
 * its blanks. Both walk text that json_check() has passed, so there is no
 * fault to find here; the one care is that quotes and brackets inside
 * strings count for nothing.
 */
#include <string.h>

#include "lib/base/json.h"

static bool
is_blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static size_t
skip_blanks(const char *t, size_t n, size_t i)
{
	while (i < n && is_blank(t[i]))
		i++;
	return i;
}

/* i at the opening quote; returns the place behind the closing one. */
static size_t
skip_string(const char *t, size_t n, size_t i)
{
	for (i++; i < n && t[i] != '"'; i++)
		if (t[i] == '\\')
			i++;
	return i < n ? i + 1 : n;
}

/* i at the first byte of a value; returns the place behind it. */
static size_t
skip_value(const char *t, size_t n, size_t i)
{
	unsigned depth = 0;

	while (i < n) {
		switch (t[i]) {
		case '"':
			i = skip_string(t, n, i);
			break;
		case '{': case '[':
			depth++;
			i++;
			break;
		case '}': case ']':
			if (depth == 0)
				return i;
			depth--;
			i++;
			break;
		case ',': case ' ': case '\t': case '\n': case '\r':
			if (depth == 0)
				return i;
			i++;
			continue;
		default:
			i++;
			continue;
		}
		if (depth == 0)
			return i;
	}
	return n;
}

static int
hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = (char)(ch | 0x20);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : 0;
}

/* Does the string token t (quotes included) spell that ASCII name? Escapes count as what they mean. */
static bool
spells(const char *t, size_t n, const char *name)
{
	for (size_t i = 1; i + 1 < n; i++, name++) {
		int ch = (unsigned char)t[i];

		if (ch == '\\' && t[i + 1] == 'u' && i + 6 < n) {
			ch = hex_digit(t[i + 2]) << 12 | hex_digit(t[i + 3]) << 8 |
			    hex_digit(t[i + 4]) << 4 | hex_digit(t[i + 5]);
			i += 5;
		} else if (ch == '\\') {
			return false;           /* no name we look for holds what is left */
		}
		if (*name == '\0' || ch != *name)
			return false;
	}
	return *name == '\0';
}

bool
json_next_member(const char *t, size_t n, size_t *at, struct json_member *ret)
{
	size_t i = skip_blanks(t, n, *at), key;

	if (i >= n || t[i] != (*at == 0 ? '{' : ','))
		return false;
	key = skip_blanks(t, n, i + 1);
	if (key >= n || t[key] != '"')
		return false;
	i = skip_string(t, n, key);
	*ret = (struct json_member){ .name = t + key, .name_n = i - key };
	i = skip_blanks(t, n, i);
	i = skip_blanks(t, n, i + 1);                   /* behind the colon */
	*at = skip_value(t, n, i);
	ret->value = t + i;
	ret->value_n = *at - i;
	return true;
}

bool
json_member_span(const char *t, size_t n, const char *name, const char **ret, size_t *ret_n)
{
	struct json_member m;
	bool found = false;

	for (size_t at = 0; json_next_member(t, n, &at, &m); ) {
		if (!spells(m.name, m.name_n, name))
			continue;
		*ret = m.value;
		*ret_n = m.value_n;
		found = true;                           /* the last of that name counts */
	}
	return found;
}

size_t
json_compact(const char *t, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; ) {
		if (t[i] == '"') {
			size_t end = skip_string(t, n, i);

			memmove(out + len, t + i, end - i);
			len += end - i;
			i = end;
		} else {
			if (!is_blank(t[i]))
				out[len++] = t[i];
			i++;
		}
	}
	return len;
}

/*
 * From JSON text to json-c's objects.
 *
 * json-c's own parser ends the process, or leaves things out, where memory ends. This one is for text that the gate
 * (json_check.c) has let through, or that we wrote: it is safe with any bytes, but looks only as far as it must.
 * What json-c makes of a number it makes too: whole ones are 64 bits wide, others keep their digits.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

enum { DEPTH = JSON_DEPTH_MAX + 100, KEY_BYTES = 64, DIGITS = 64 };

struct reading {
	const char *p, *end;
	unsigned depth;
	bool bad;                       /* it is no JSON, or memory ended */
	struct buf text;                /* a string without its escapes */
};

static struct json_object *
bad(struct reading *r)
{
	r->bad = true;
	return NULL;
}

static void
blanks(struct reading *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

static bool
next_is(struct reading *r, char ch)
{
	blanks(r);
	if (r->p == r->end || *r->p != ch)
		return false;
	r->p++;
	return true;
}

/* --- strings --------------------------------------------------------------- */

static uint32_t
hex4(struct reading *r)
{
	char digits[5] = "", *end;
	unsigned long v;

	if (r->end - r->p < 4) {
		r->bad = true;
		return 0;
	}
	memcpy(digits, r->p, 4);
	v = strtoul(digits, &end, 16);
	if (end != digits + 4)
		r->bad = true;
	r->p += 4;
	return (uint32_t)v;
}

static void
add_char(struct buf *b, uint32_t ch)
{
	static const unsigned char first[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	char s[4];
	size_t n = ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; ch >>= 6)
		s[i] = (char)(0x80 | (ch & 0x3F));
	s[0] = (char)(first[n] | ch);
	buf_add(b, s, n);
}

/* After "\u". Half a pair is U+FFFD. */
static void
add_escape_u(struct reading *r)
{
	uint32_t ch = hex4(r), low;

	if (ch >= 0xD800 && ch < 0xDC00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
		r->p += 2;
		low = hex4(r);
		if (low >= 0xDC00 && low < 0xE000) {
			add_char(&r->text, 0x10000 + ((ch - 0xD800) << 10) + (low - 0xDC00));
			return;
		}
		r->p -= 6;
	}
	add_char(&r->text, ch >= 0xD800 && ch < 0xE000 ? 0xFFFD : ch);
}

static void
add_escape(struct reading *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = r->p < r->end && *r->p != '\0' ? strchr(from, *r->p) : NULL;

	if (r->p < r->end && *r->p == 'u') {
		r->p++;
		add_escape_u(r);
	} else if (at != NULL) {
		buf_ch(&r->text, to[at - from]);
		r->p++;
	} else {
		r->bad = true;
	}
}

/* From after the opening quote to after the closing one. The text lies in the input or in r->text. */
static const char *
string(struct reading *r, size_t *n)
{
	const char *from = r->p;

	while (r->p < r->end && *r->p != '"' && *r->p != '\\')
		r->p++;
	*n = (size_t)(r->p - from);
	if (r->p < r->end && *r->p == '"') {
		r->p++;
		return from;
	}
	buf_clear(&r->text);
	buf_add(&r->text, from, *n);
	while (r->p < r->end && !r->bad && *r->p != '"') {
		if (*r->p == '\\') {
			r->p++;
			add_escape(r);
			continue;
		}
		from = r->p;
		while (r->p < r->end && *r->p != '"' && *r->p != '\\')
			r->p++;
		buf_add(&r->text, from, (size_t)(r->p - from));
	}
	if (r->p == r->end || r->bad || r->text.failed) {
		r->bad = true;
		*n = 0;
		return "";
	}
	r->p++;
	*n = r->text.len;
	return r->text.len > 0 ? r->text.p : "";
}

static struct json_object *
string_value(struct reading *r)
{
	size_t n;
	const char *s;

	r->p++;
	s = string(r, &n);
	if (r->bad || n > INT32_MAX)
		return bad(r);
	return json_object_new_string_len(s, (int)n);
}

/* --- numbers --------------------------------------------------------------- */

static struct json_object *
number_of(const char *s)
{
	uint64_t u;

	if (strpbrk(s, ".eE") != NULL)
		return json_made(json_object_new_double_s(strtod(s, NULL), s));
	if (s[0] == '-')
		return json_object_new_int64(strtoll(s, NULL, 10));
	u = strtoull(s, NULL, 10);
	return u <= INT64_MAX ? json_object_new_int64((int64_t)u) : json_object_new_uint64(u);
}

static struct json_object *
number(struct reading *r)
{
	const char *from = r->p;
	char small[DIGITS];
	size_t n;

	while (r->p < r->end && *r->p != '\0' && strchr("+-0123456789.eE", *r->p) != NULL)
		r->p++;
	n = (size_t)(r->p - from);
	if (memchr("0123456789", from[n - 1], 10) == NULL)
		return bad(r);
	if (n < sizeof(small)) {
		memcpy(small, from, n);
		small[n] = '\0';
		return number_of(small);
	}
	buf_clear(&r->text);
	buf_add(&r->text, from, n);
	return r->text.failed ? bad(r) : number_of(r->text.p);
}

/* --- all the rest ------------------------------------------------------------ */

static struct json_object *value(struct reading *);

static bool
word(struct reading *r, const char *w, size_t n)
{
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
		r->bad = true;
	else
		r->p += n;
	return !r->bad;
}

static void
element(struct reading *r, struct json_object *list)
{
	struct json_object *v = value(r);

	if (!r->bad && json_object_array_add(list, v) == 0)
		return;
	json_object_put(v);
	r->bad = true;
}

static void
member(struct reading *r, struct json_object *o)
{
	SCOPED_BUF key = BUF_INIT(64 << 20);
	char small[KEY_BYTES];
	struct json_object *v;
	const char *s;
	size_t n;

	if (!next_is(r, '"')) {
		r->bad = true;
		return;
	}
	s = string(r, &n);
	if (n < sizeof(small)) {
		memcpy(small, s, n);
		small[n] = '\0';
		s = small;
	} else {
		buf_add(&key, s, n);
		s = key.p;
	}
	if (r->bad || key.failed || !next_is(r, ':')) {
		r->bad = true;
		return;
	}
	v = value(r);
	if (!r->bad && json_object_object_add(o, s, v) == 0)
		return;
	json_object_put(v);
	r->bad = true;
}

static struct json_object *
container(struct reading *r, struct json_object *o, char close, void (*part)(struct reading *, struct json_object *))
{
	if (o == NULL || ++r->depth > DEPTH) {
		r->bad = true;
	} else {
		r->p++;
		if (!next_is(r, close)) {
			do
				part(r, o);
			while (!r->bad && next_is(r, ','));
			if (!r->bad && !next_is(r, close))
				r->bad = true;
		}
		r->depth--;
	}
	if (!r->bad)
		return o;
	json_object_put(o);
	return NULL;
}

/* NULL: null, or r->bad. */
static struct json_object *
value(struct reading *r)
{
	struct json_object *o = NULL;
	bool null = false;

	blanks(r);
	if (r->p == r->end)
		return bad(r);
	switch (*r->p) {
	case '{':
		o = container(r, json_object_new_object(), '}', member);
		break;
	case '[':
		o = container(r, json_object_new_array(), ']', element);
		break;
	case '"':
		o = string_value(r);
		break;
	case 't':
		o = word(r, "true", 4) ? json_object_new_boolean(true) : NULL;
		break;
	case 'f':
		o = word(r, "false", 5) ? json_object_new_boolean(false) : NULL;
		break;
	case 'n':
		null = word(r, "null", 4);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		o = number(r);
		break;
	default:
		break;
	}
	if (o == NULL && !null)
		r->bad = true;
	return o;
}

bool
json_build(const char *text, size_t n, struct json_object **ret, size_t *ret_used)
{
	struct reading r = { .p = text, .end = text + n, .text = BUF_INIT(n < 64 ? 64 : n) };

	*ret = value(&r);
	buf_done(&r.text);
	if (ret_used != NULL)
		*ret_used = (size_t)(r.p - text);
	else if (!r.bad)
		blanks(&r);
	if (ret_used == NULL && r.p != r.end)
		r.bad = true;
	if (r.bad) {
		json_object_put(*ret);
		*ret = NULL;
	}
	return !r.bad;
}

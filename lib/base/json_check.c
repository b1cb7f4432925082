/*
 * The gate for JSON from outside: one pass over the bytes.
 *
 * json-c accepts bare NaN, overlong UTF-8, NUL inside keys and repeated keys, each of
 * which has been somebody's hole. This scanner holds text against RFC 8259
 * before json-c sees it. The difficult thing is repeated keys without
 * allocating: the keys of the open objects are remembered as hashes in a
 * fixed table on the stack; when it is full a heap table takes over.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

enum { DEPTH_CAP = 128, KEYS_INLINE = 256, KEYS_MAX = 1 << 20, WIDE = 19, LONG = 300, NUMBER_MAX = 1100 };

struct key {
	uint64_t hash;
	const char *at;
	size_t n;
};

struct scan {
	const char *start, *p, *end;
	unsigned depth, max_depth;
	const char *why;
	bool too_deep, wide;
	struct key fixed[KEYS_INLINE], *keys;
	size_t n_keys, cap_keys;
};

static bool
bad(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return false;
}

static void
blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

/* Bytes of the UTF-8 character at p, 0 if there is none. */
static size_t
utf8_char(const unsigned char *p, size_t left)
{
	static const unsigned char lo[] = { 0x80, 0xA0, 0x90 }, hi[] = { 0xBF, 0x9F, 0x8F };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;

	if (n < 2 || n > left)
		return n > left ? 0 : n;
	if (p[1] < (p[0] == 0xE0 ? lo[1] : p[0] == 0xF0 ? lo[2] : lo[0]) ||
	    p[1] > (p[0] == 0xED ? hi[1] : p[0] == 0xF4 ? hi[2] : hi[0]))
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return n;
}

bool
utf8_ok(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	while (n > 0) {
		size_t k = utf8_char(p, n);

		if (k == 0)
			return false;
		p += k;
		n -= k;
	}
	return true;
}

size_t
utf8_cut(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
		max--;
	return max;
}

size_t
utf8_first(const char *s, size_t n, size_t max)
{
	size_t i = 0;

	for (; i < n; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80 && max-- == 0)
			break;
	return i;
}

static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int ch = p[i], d;

		d = ch >= '0' && ch <= '9' ? ch - '0' :
		    ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 :
		    ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* After "\u": the four digits, a pair for a surrogate. */
static bool
unicode_escape(struct scan *s, bool *nul)
{
	int v = hex4(s->p, s->end);

	if (v < 0)
		return bad(s, "bad \\u escape");
	s->p += 4;
	if (v == 0)
		*nul = true;
	if (v >= 0xDC00 && v <= 0xDFFF)
		return bad(s, "lone surrogate");
	if (v < 0xD800 || v > 0xDBFF)
		return true;
	if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
		return bad(s, "lone surrogate");
	v = hex4(s->p + 2, s->end);
	if (v < 0xDC00 || v > 0xDFFF)
		return bad(s, "lone surrogate");
	s->p += 6;
	return true;
}

static bool
escape(struct scan *s, bool *nul)
{
	if (s->p == s->end)
		return bad(s, "unfinished string");
	switch (*s->p++) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		return true;
	case 'u':
		return unicode_escape(s, nul);
	default:
		return bad(s, "bad escape");
	}
}

/* From after the opening quote to after the closing one. */
static bool
string(struct scan *s, bool *nul, bool *escaped)
{
	*nul = *escaped = false;
	while (s->p < s->end) {
		unsigned char ch = (unsigned char)*s->p;

		if (ch == '"') {
			s->p++;
			return true;
		}
		if (ch < 0x20)
			return bad(s, "control character in a string");
		if (ch == '\\') {
			s->p++;
			*escaped = true;
			if (!escape(s, nul))
				return false;
		} else if (ch < 0x80) {
			s->p++;
		} else {
			size_t n = utf8_char((const unsigned char *)s->p, (size_t)(s->end - s->p));

			if (n == 0)
				return bad(s, "not UTF-8");
			s->p += n;
		}
	}
	return bad(s, "unfinished string");
}

static bool
digits(struct scan *s)
{
	const char *at = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > at ? true : bad(s, "bad number");
}

/* Is it a number at all for who reads doubles? Seldom looked at: it is long, or has an exponent. */
static bool
in_range(struct scan *s, const char *from)
{
	char t[NUMBER_MAX + 1];
	size_t n = (size_t)(s->p - from);

	if (n > NUMBER_MAX)
		return bad(s, "number out of range");
	memcpy(t, from, n);
	t[n] = '\0';
	return isfinite(strtod(t, NULL)) ? true : bad(s, "number out of range");
}

static bool
number(struct scan *s)
{
	const char *from = s->p;
	bool whole = true, power = false;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		whole = false;
		if (!digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		power = true;
		if (!digits(s))
			return false;
	}
	s->wide |= whole && !power && s->p - from >= WIDE;
	return power || s->p - from > LONG ? in_range(s, from) : true;
}

static bool
word(struct scan *s, const char *w, size_t n)
{
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return bad(s, "unknown word");
	s->p += n;
	return true;
}

static bool
keys_grow(struct scan *s)
{
	size_t cap = s->cap_keys * 4;
	struct key *k;

	if (cap > KEYS_MAX)
		return bad(s, "too many members");
	k = malloc(cap * sizeof(*k));
	if (k == NULL)
		return bad(s, "out of memory");
	memcpy(k, s->keys, s->n_keys * sizeof(*k));
	if (s->keys != s->fixed)
		free(s->keys);
	s->keys = k;
	s->cap_keys = cap;
	return true;
}

static uint64_t
hash_bytes(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
	return h;
}

static bool
key_seen(struct scan *s, const char *at, size_t n, size_t from)
{
	uint64_t h = hash_bytes(at, n);

	for (size_t i = from; i < s->n_keys; i++)
		if (s->keys[i].hash == h && s->keys[i].n == n && memcmp(s->keys[i].at, at, n) == 0)
			return true;
	if (s->n_keys == s->cap_keys && !keys_grow(s))
		return false;
	s->keys[s->n_keys++] = (struct key){ h, at, n };
	return false;
}

static bool value(struct scan *s);

/* Large objects: sort the remembered keys once instead of comparing each with each. */
static int
key_cmp(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(x->at, y->at, x->n);
}

enum { LINEAR_MAX = 32 };

static bool
keys_unique(struct scan *s, size_t from)
{
	size_t n = s->n_keys - from;

	if (n <= LINEAR_MAX)
		return true;
	qsort(s->keys + from, n, sizeof(*s->keys), key_cmp);
	for (size_t i = from + 1; i < s->n_keys; i++)
		if (key_cmp(&s->keys[i - 1], &s->keys[i]) == 0)
			return bad(s, "repeated member");
	return true;
}

static bool
member(struct scan *s, size_t from)
{
	const char *at;
	bool nul, escaped;

	if (s->p == s->end || *s->p != '"')
		return bad(s, "a member name is expected");
	at = ++s->p;
	if (!string(s, &nul, &escaped))
		return false;
	if (nul)
		return bad(s, "NUL in a member name");
	if (s->n_keys - from >= LINEAR_MAX) {
		if (s->n_keys == s->cap_keys && !keys_grow(s))
			return false;
		s->keys[s->n_keys++] = (struct key){
			hash_bytes(at, (size_t)(s->p - 1 - at)), at, (size_t)(s->p - 1 - at) };
	} else if (key_seen(s, at, (size_t)(s->p - 1 - at), from)) {
		return bad(s, "repeated member");
	}
	if (s->why != NULL)
		return false;           /* no memory for the name */
	blanks(s);
	if (s->p == s->end || *s->p != ':')
		return bad(s, "':' is expected");
	s->p++;
	return value(s);
}

static bool
object(struct scan *s)
{
	size_t from = s->n_keys;

	blanks(s);
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		return true;
	}
	for (;;) {
		blanks(s);
		if (!member(s, from))
			return false;
		blanks(s);
		if (s->p == s->end)
			return bad(s, "unfinished object");
		if (*s->p == '}') {
			s->p++;
			if (!keys_unique(s, from))
				return false;
			s->n_keys = from;
			return true;
		}
		if (*s->p++ != ',')
			return bad(s, "',' or '}' is expected");
	}
}

static bool
array(struct scan *s)
{
	blanks(s);
	if (s->p < s->end && *s->p == ']') {
		s->p++;
		return true;
	}
	for (;;) {
		if (!value(s))
			return false;
		blanks(s);
		if (s->p == s->end)
			return bad(s, "unfinished array");
		if (*s->p == ']') {
			s->p++;
			return true;
		}
		if (*s->p++ != ',')
			return bad(s, "',' or ']' is expected");
	}
}

static bool
nested(struct scan *s, bool (*kind)(struct scan *))
{
	bool good;

	if (++s->depth > s->max_depth) {
		s->too_deep = true;
		return bad(s, "too deep");
	}
	s->p++;
	good = kind(s);
	s->depth--;
	return good;
}

static bool
value(struct scan *s)
{
	bool nul, escaped;

	blanks(s);
	if (s->p == s->end)
		return bad(s, "a value is expected");
	switch (*s->p) {
	case '{':
		return nested(s, object);
	case '[':
		return nested(s, array);
	case '"':
		s->p++;
		return string(s, &nul, &escaped);
	case 't':
		return word(s, "true", 4);
	case 'f':
		return word(s, "false", 5);
	case 'n':
		return word(s, "null", 4);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return number(s);
	default:
		return bad(s, "a value is expected");
	}
}

enum err
json_check(const char *text, size_t n, unsigned max_depth, struct json_fault *f)
{
	struct scan s;
	bool good;

	s.start = s.p = text;
	s.end = text + n;
	s.depth = 0;
	s.max_depth = max_depth < DEPTH_CAP ? max_depth : DEPTH_CAP;
	s.why = NULL;
	s.too_deep = s.wide = false;
	s.keys = s.fixed;
	s.n_keys = 0;
	s.cap_keys = KEYS_INLINE;
	good = value(&s);
	if (good) {
		blanks(&s);
		if (s.p != s.end)
			good = bad(&s, "something follows the value");
	}
	if (s.keys != s.fixed)
		free(s.keys);
	if (f != NULL)
		*f = (struct json_fault){ s.why, (size_t)(s.p - s.start), s.too_deep, s.wide };
	if (good)
		return ERR_OK;
	return ERR_BAD_REQUEST;
}

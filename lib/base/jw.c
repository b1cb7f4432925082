/*
 * The JSON writer: straight into a buffer, commas by itself.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

static const char hexdigits[] = "0123456789abcdef";

static const bool is_special[256] = { [0x00 ... 0x1f] = true, ['"'] = true, ['\\'] = true, [0x7f] = true };

/*
 * From i on, the place of the next byte that is written another way; n: none. Eight bytes at a time: a set bit 7 of
 * `hit` says that one of them may be such (J. Mycroft's test for a zero byte, and for one less than a space).
 */
static size_t
next_special(const char *s, size_t i, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones << 7;

	for (; n - i >= 8; i += 8) {
		uint64_t w, quote, slash, del, hit;

		memcpy(&w, s + i, 8);
		quote = w ^ ones * '"';
		slash = w ^ ones * '\\';
		del = w ^ ones * 0x7f;
		hit = ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((del - ones) & ~del);
		if ((hit & tops) != 0)
			break;
	}
	while (i < n && !is_special[(unsigned char)s[i]])
		i++;
	return i;
}

void
json_quote(struct buf *b, const char *s, size_t n)
{
	size_t from = 0;

	buf_ch(b, '"');
	for (size_t i = next_special(s, 0, n); i < n; i = next_special(s, i + 1, n)) {
		unsigned char ch = (unsigned char)s[i];
		char esc[6] = { '\\', 0, '0', '0', 0, 0 };
		size_t len = 2;

		switch (ch) {
		case '"': case '\\': esc[1] = (char)ch; break;
		case '\n': esc[1] = 'n'; break;
		case '\r': esc[1] = 'r'; break;
		case '\t': esc[1] = 't'; break;
		default:
			esc[1] = 'u';
			esc[4] = hexdigits[ch >> 4];
			esc[5] = hexdigits[ch & 15];
			len = 6;
		}
		buf_add(b, s + from, i - from);
		buf_add(b, esc, len);
		from = i + 1;
	}
	buf_add(b, s + from, n - from);
	buf_ch(b, '"');
}

static void
lead(struct jw *w, const char *key)
{
	if (w->comma)
		buf_ch(w->b, ',');
	if (key != NULL) {
		json_quote(w->b, key, strlen(key));
		buf_ch(w->b, ':');
	}
	w->comma = true;
}

static void
opening(struct jw *w, const char *key, char open, char close)
{
	lead(w, key);
	buf_ch(w->b, open);
	w->comma = false;
	if (w->depth < sizeof(w->close))
		w->close[w->depth++] = close;
	else
		w->b->failed = true;
}

void
jw_object(struct jw *w, const char *key)
{
	opening(w, key, '{', '}');
}

void
jw_array(struct jw *w, const char *key)
{
	opening(w, key, '[', ']');
}

void
jw_end(struct jw *w)
{
	if (w->depth == 0) {
		w->b->failed = true;
		return;
	}
	buf_ch(w->b, w->close[--w->depth]);
	w->comma = true;
}

void
jw_strn(struct jw *w, const char *key, const char *s, size_t n)
{
	lead(w, key);
	json_quote(w->b, s, n);
}

void
jw_str(struct jw *w, const char *key, const char *s)
{
	if (s == NULL)
		jw_null(w, key);
	else
		jw_strn(w, key, s, strlen(s));
}

void
jw_i64(struct jw *w, const char *key, int64_t v)
{
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char t[20];
	size_t at = sizeof(t);

	do
		t[--at] = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (v < 0)
		t[--at] = '-';
	lead(w, key);
	buf_add(w->b, t + at, sizeof(t) - at);
}

/* The shortest of the decimal forms that reads back as the same double. */
static void
add_double(struct buf *b, double v)
{
	char t[40];

	if (!isfinite(v)) {
		buf_str(b, "null");
		return;
	}
	for (int prec = 15; prec <= 17; prec++) {
		snprintf(t, sizeof(t), "%.*g", prec, v);
		if (strtod(t, NULL) == v)
			break;
	}
	buf_str(b, t);
	if (strpbrk(t, ".en") == NULL)
		buf_str(b, ".0");
}

void
jw_f64(struct jw *w, const char *key, double v)
{
	lead(w, key);
	add_double(w->b, v);
}

void
jw_usd(struct jw *w, const char *key, int64_t nanousd)
{
	uint64_t u = nanousd < 0 ? 0 - (uint64_t)nanousd : (uint64_t)nanousd;
	char t[40];
	int n = snprintf(t, sizeof(t), "%s%" PRIu64 ".%09" PRIu64, nanousd < 0 ? "-" : "",
	    u / 1000000000u, u % 1000000000u);

	while (t[n - 1] == '0' && t[n - 2] != '.')
		n--;
	lead(w, key);
	buf_add(w->b, t, (size_t)n);
}

void
jw_bool(struct jw *w, const char *key, bool v)
{
	lead(w, key);
	buf_str(w->b, v ? "true" : "false");
}

void
jw_null(struct jw *w, const char *key)
{
	lead(w, key);
	buf_add(w->b, "null", 4);
}

void
jw_raw(struct jw *w, const char *key, const char *json, size_t n)
{
	lead(w, key);
	buf_add(w->b, json, n);
}

void
jw_again(struct jw *w, const char *key, size_t from)
{
	size_t n = from < w->b->len ? w->b->len - from : 0;
	char *p;

	lead(w, key);
	p = buf_room(w->b, n);                  /* may move what is copied */
	if (p == NULL)
		return;
	memcpy(p, w->b->p + from, n);
	w->b->len += n;
	w->b->p[w->b->len] = '\0';
}

void
jw_time(struct jw *w, const char *key, int64_t ms)
{
	char t[25];

	if (ms == 0) {
		jw_null(w, key);
		return;
	}
	time_rfc3339(ms, t);
	jw_strn(w, key, t, 24);
}

static void
jw_container(struct jw *w, const char *key, struct json_object *o)
{
	if (json_object_is_type(o, json_type_array)) {
		jw_array(w, key);
		for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
			jw_json(w, NULL, json_object_array_get_idx(o, i));
	} else {
		jw_object(w, key);
		json_object_object_foreach(o, k, v)
			jw_json(w, k, v);
	}
	jw_end(w);
}

void
jw_json(struct jw *w, const char *key, struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		jw_null(w, key);
		break;
	case json_type_boolean:
		jw_bool(w, key, json_object_get_boolean(o));
		break;
	case json_type_double:
		jw_f64(w, key, json_object_get_double(o));
		break;
	case json_type_int:
		if (json_object_get_int64(o) == INT64_MAX) {
			char t[24];
			int n = snprintf(t, sizeof(t), "%" PRIu64, json_object_get_uint64(o));

			jw_raw(w, key, t, (size_t)n);
		} else {
			jw_i64(w, key, json_object_get_int64(o));
		}
		break;
	case json_type_string:
		jw_strn(w, key, json_object_get_string(o), (size_t)json_object_get_string_len(o));
		break;
	case json_type_object:
	case json_type_array:
		jw_container(w, key, o);
		break;
	}
}

/*
 * Text from providers. Nothing here trusts that a chunk ends where a character, a tag or a
 * value does.
 */
#include "lib/llm/text.h"

#include <string.h>

#include "lib/base/json.h"

static const char replacement[] = "\xef\xbf\xbd";

void
text_init(struct text_out *t, size_t max, void (*put)(void *, const char *, size_t), void *arg)
{
	*t = (struct text_out){ .all = BUF_INIT(max), .put = put, .arg = arg };
}

void
text_done(struct text_out *t)
{
	buf_done(&t->all);
}

static void
hand_on(struct text_out *t, const char *p, size_t n)
{
	if (n == 0)
		return;
	buf_add(&t->all, p, n);
	if (t->put != NULL && !t->all.failed)
		t->put(t->arg, p, n);
}

/* Bytes that a character beginning with c has; 0: c begins none. NUL is none: it would end a text for whoever reads it. */
static size_t
char_length(unsigned char c)
{
	if (c < 0x80)
		return c != 0;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* Could these n bytes be the beginning of a character that is not whole yet? */
static bool
may_go_on(const char *p, size_t n)
{
	size_t want = char_length((unsigned char)p[0]);
	char t[4];

	if (n >= want)
		return false;
	memcpy(t, p, n);
	memset(t + n, 0x80, want - n);
	if (utf8_ok(t, want))
		return true;
	if (n == 1)                     /* e0, f0: the second byte is above 0x80 */
		return true;
	return false;
}

/* Split p into runs of good characters and single wrong bytes; the tail may be held. */
static void
mend(struct text_out *t, const char *p, size_t n)
{
	size_t good = 0;

	while (good < n) {
		size_t len = char_length((unsigned char)p[good]);

		if (len > 0 && len <= n - good && utf8_ok(p + good, len)) {
			good += len;
			continue;
		}
		hand_on(t, p, good);
		p += good;
		n -= good;
		good = 0;
		if (len > n && may_go_on(p, n)) {
			memcpy(t->held, p, n);
			t->n_held = (unsigned)n;
			return;
		}
		hand_on(t, replacement, 3);
		p++;
		n--;
	}
	hand_on(t, p, good);
}

/* The character that is held, completed byte by byte. */
static void
complete(struct text_out *t, const char **p, size_t *n)
{
	while (t->n_held > 0 && *n > 0) {
		char one[4];
		unsigned m = t->n_held;

		memcpy(one, t->held, m);
		if (((unsigned char)**p & 0xc0) != 0x80) {
			t->n_held = 0;
			hand_on(t, replacement, 3);
			return;
		}
		one[m++] = **p;
		++*p;
		--*n;
		t->n_held = 0;
		mend(t, one, m);        /* holds it again while it is not whole */
	}
}

void
text_add(struct text_out *t, const char *p, size_t n)
{
	if (t->n_held > 0)
		complete(t, &p, &n);
	if (n == 0)
		return;
	if (utf8_ok(p, n) && memchr(p, '\0', n) == NULL)
		hand_on(t, p, n);
	else
		mend(t, p, n);
}

void
text_end(struct text_out *t)
{
	if (t->n_held > 0)
		hand_on(t, replacement, 3);
	t->n_held = 0;
}

/* --- thinking ------------------------------------------------------------ */

static void
say(struct think *k, struct text_out *text, struct text_out *thinking, const char *p, size_t n)
{
	if (k->inside) {
		text_add(thinking, p, n);
		return;
	}
	while (k->skip_blank && n > 0 && strchr(" \t\r\n", *p) != NULL) {
		p++;
		n--;
	}
	if (n > 0)
		k->skip_blank = false;
	text_add(text, p, n);
}

static const char *
tag_of(const struct think *k)
{
	return k->inside ? "</think>" : "<think>";
}

void
think_add(struct think *k, struct text_out *text, struct text_out *thinking, const char *p, size_t n)
{
	while (n > 0) {
		const char *tag = tag_of(k);

		if (k->held == 0) {
			const char *lt = memchr(p, '<', n);
			size_t plain = lt != NULL ? (size_t)(lt - p) : n;

			say(k, text, thinking, p, plain);
			p += plain;
			n -= plain;
		}
		while (n > 0 && tag[k->held] != '\0' && *p == tag[k->held]) {
			k->held++;
			p++;
			n--;
		}
		if (tag[k->held] == '\0') {
			k->held = 0;
			k->inside = !k->inside;
			k->skip_blank = !k->inside && text->all.len == 0;
		} else if (n > 0) {     /* it was no tag after all */
			say(k, text, thinking, tag, k->held);
			k->held = 0;
		}
	}
}

void
think_end(struct think *k, struct text_out *text, struct text_out *thinking)
{
	say(k, text, thinking, tag_of(k), k->held);
	k->held = 0;
	text_end(text);
	text_end(thinking);
}

/* --- arguments ----------------------------------------------------------- */

static struct json_object *
first_value(const char *p, size_t n, bool *good)
{
	struct json_tokener *t;
	struct json_object *o;

	*good = json_build(p, n, &o, NULL);
	if (*good || memory_short || (t = json_tokener_new_ex(JSON_DEPTH_MAX)) == NULL)
		return o;
	o = json_tokener_parse_ex(t, p, (int)n);
	if (json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, " ", 1);   /* a bare number ends here */
	*good = json_tokener_get_error(t) == json_tokener_success && json_whole(o, p, json_tokener_get_parse_end(t) < n ? json_tokener_get_parse_end(t) : n);
	json_tokener_free(t);
	return o;
}

static struct json_object *
unreadable(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "__args_truncated", json_object_new_boolean(true));
	json_object_object_add(o, "__error", json_object_new_string(
	    "the arguments are no complete JSON object; call the tool again with shorter arguments"));
	return o;
}

struct json_object *
tool_args(const char *p, size_t n)
{
	struct json_object *o, *in;
	bool good, inner;

	while (n > 0 && strchr(" \t\r\n", *p) != NULL) {
		p++;
		n--;
	}
	if (n == 0)
		return json_object_new_object();
	if (n > INT32_MAX)
		return unreadable();
	o = first_value(p, n, &good);
	if (!good)
		return unreadable();
	if (o == NULL)
		return json_object_new_object();
	if (json_object_is_type(o, json_type_object))
		return o;
	if (json_object_is_type(o, json_type_string)) {
		in = first_value(json_object_get_string(o), (size_t)json_object_get_string_len(o), &inner);
		if (inner && json_object_is_type(in, json_type_object)) {
			json_object_put(o);
			return in;
		}
		json_object_put(in);
	}
	in = json_object_new_object();
	json_object_object_add(in, "raw_input", o);
	return in;
}

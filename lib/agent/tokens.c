/*
 * Token estimates. Counted in quarters of a token, so that all is whole numbers.
 */
#include "lib/agent/tokens.h"

#include <string.h>

#include "lib/agent/message.h"

enum { Q_CHAR = 1, Q_EAST = 6, Q_STRUCTURE = 2, Q_MORE = Q_STRUCTURE - Q_CHAR, Q_FRAME = 16, Q_IMAGE = 4 * 1000, Q_NUMBER = 3, FRAME_BYTES = 40 };

/* By the byte: those that go on with a character count nothing. */
static const uint8_t of_byte[256] = {
	[0x00 ... 0x7F] = Q_CHAR, [0xC0 ... 0xE2] = Q_CHAR, [0xE3 ... 0xED] = Q_EAST, [0xEE ... 0xEF] = Q_CHAR,
	[0xF0 ... 0xFF] = Q_EAST,
};

/* What JSON's own signs are more than a letter. */
static const uint8_t more_of_json[256] = {
	['{'] = Q_MORE, ['}'] = Q_MORE, ['['] = Q_MORE, [']'] = Q_MORE, ['"'] = Q_MORE, [':'] = Q_MORE, [','] = Q_MORE,
};

/* Without branches: a prompt and its tools are tens of thousands of bytes, with every question. */
static int64_t
quarters(const char *s, size_t n, bool json)
{
	int64_t q = 0;

	for (size_t i = 0; i < n; i++)
		q += of_byte[(unsigned char)s[i]];
	for (size_t i = 0; json && i < n; i++)
		q += more_of_json[(unsigned char)s[i]];
	return q;
}

static int64_t
up(int64_t q)
{
	return (q + 3) / 4;
}

int64_t
tokens_of_text(const char *s, size_t n)
{
	return up(quarters(s, n, false));
}

static int64_t
quarters_of_json(const struct json_object *o)
{
	int64_t q = 0;

	switch (json_object_get_type(o)) {
	case json_type_string:
		return 2 * Q_STRUCTURE + quarters(json_object_get_string((struct json_object *)o),
		    (size_t)json_object_get_string_len(o), true);
	case json_type_array:
		for (size_t i = 0, n = json_object_array_length(o); i < n; i++)
			q += Q_STRUCTURE + quarters_of_json(json_object_array_get_idx(o, i));
		return q + 2 * Q_STRUCTURE;
	case json_type_object: {
		json_object_object_foreach((struct json_object *)o, k, v)
			q += 4 * Q_STRUCTURE + quarters(k, strlen(k), true) + quarters_of_json(v);
		return q + 2 * Q_STRUCTURE;
	}
	default:
		return Q_NUMBER;
	}
}

int64_t
tokens_of_json(const struct json_object *o)
{
	return o == NULL ? 0 : up(quarters_of_json(o));
}

static int64_t
quarters_of_block(const struct json_object *b)
{
	struct json_object *content = js_get(b, "content");
	const char *s;

	if (block_is(b, "text") && (s = js_str(b, "text")) != NULL)
		return quarters(s, strlen(s), false);
	if (block_is(b, "thinking") && (s = js_str(b, "thinking")) != NULL)
		return quarters(s, strlen(s), false);
	if (block_is(b, "image") || block_is(b, "image_file"))
		return Q_IMAGE;
	if (block_is(b, "tool_result") && json_object_is_type(content, json_type_string))
		return Q_FRAME + quarters(json_object_get_string(content), (size_t)json_object_get_string_len(content), true);
	return quarters_of_json(b);
}

int64_t
tokens_of_message(const struct message *m)
{
	int64_t q = Q_FRAME;

	if (m->text != NULL)
		return up(q + quarters(m->text, m->n, false));
	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		q += quarters_of_block(message_block(m, i));
	return up(q);
}

int64_t
tokens_of_history(const struct history *h)
{
	int64_t t = 0;

	for (size_t i = 0; i < h->n; i++)
		t += tokens_of_message(&h->v[i]);
	return t;
}

size_t
history_bytes(const struct history *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += h->v[i].n + FRAME_BYTES;
	return n;
}

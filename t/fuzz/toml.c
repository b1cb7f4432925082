/*
 * Fuzz: TOML from outside, and edits of it at a key that the same bytes name.
 * sources: lib/base/*.c lib/toml/*.c lib/toml/*.cc
 */
#include <string.h>

#include "lib/toml/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The first line is the key, the second the literal, the rest the text. */
static void
edit(const char *s, size_t n)
{
	const char *nl = memchr(s, '\n', n), *nl2 = nl == NULL ? NULL : memchr(nl + 1, '\n', n - (size_t)(nl + 1 - s));
	struct buf key = BUF_INIT(4096), literal = BUF_INIT(4096), out = BUF_INIT(1 << 21);
	struct toml_fault f;

	if (nl2 == NULL)
		return;
	buf_add(&key, s, (size_t)(nl - s));
	buf_add(&literal, nl + 1, (size_t)(nl2 - nl - 1));
	if (!key.failed && !literal.failed) {
		const char *text = nl2 + 1;
		size_t m = n - (size_t)(text - s);

		/* Any answer is right, as long as it comes. */
		if (toml_set(text, m, key.p, literal.p, &out, &f) == ERR_OK)
			buf_clear(&out);
		if (toml_unset(text, m, key.p, &out, &f) == ERR_OK)
			buf_clear(&out);
	}
	buf_done(&key);
	buf_done(&literal);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_object *doc = NULL, *lines = NULL;
	struct toml_fault f;

	if (toml_parse((const char *)data, n, &doc, &lines, &f) == ERR_OK) {
		json_object_put(doc);
		json_object_put(lines);
	}
	edit((const char *)data, n);
	return 0;
}

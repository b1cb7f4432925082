/*
 * Fuzz: a raw query string into a struct.
 * sources: lib/base/*.c lib/api/schema.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "t/fuzz/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static const struct field fields[] = {
	F_STR(struct shape, s, .max = 8),
	F_STR(struct shape, word, .values = shape_words, .dflt_s = "red"),
	F_ID(struct shape, id),
	F_I64(struct shape, limit, .dflt = 50),
	F_I64(struct shape, i, .min = -5),
	F_BOOL(struct shape, b, .has_off = offsetof(struct shape, has_b)),
	F_END
};
static const struct schema query = { .name = "Query", .fields = fields, .bytes = sizeof(struct shape) };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *raw = arena_strndup(c.arena, (const char *)data, n);
	void *out = NULL;
	enum err e = query_decode(&c, &query, raw, &out);
	const struct shape *x = out;

	MUST(e == ERR_OK || (e == ERR_BAD_REQUEST && c.fault.err == ERR_BAD_REQUEST && c.fault.msg != NULL));
	if (e == ERR_OK) {
		MUST(x->s == NULL || (strlen(x->s) <= 8 && utf8_ok(x->s, strlen(x->s))));
		MUST(strcmp(x->word, "red") == 0 || strcmp(x->word, "green") == 0);
		MUST(x->id == NULL || strlen(x->id) == 36);
		MUST(x->limit >= 0);
	}
	arena_free(c.arena);
	return 0;
}

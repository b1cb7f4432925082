/*
 * Fuzz: JSON into a struct, by a shape that has every kind of member. What
 * was taken keeps the shape's promises.
 * sources: lib/base/*.c lib/api/schema.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "t/fuzz/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static const struct field fields[] = {
	F_STR(struct shape, s, .flags = FF_REQUIRED, .min = 1, .max = 8),
	F_STR(struct shape, word, .values = shape_words, .fold = true, .flags = FF_NULLABLE, .dflt_s = "red"),
	F_ID(struct shape, id),
	F_I64(struct shape, i, .min = -5, .max = 100, .dflt = 7),
	F_NUM(struct shape, d, .min = -1, .max = 2),
	F_BOOL(struct shape, b, .flags = FF_NULLABLE, .has_off = offsetof(struct shape, has_b)),
	F_OBJ(struct shape, o, &shape_inner),
	F_ARR(struct shape, objects, .of = &shape_inner, .min = 1, .max = 3),
	F_ARR(struct shape, strings, .item = FT_STRING),
	{ .name = "map", .type = FT_MAP, .item = FT_NUMBER, .off = offsetof(struct shape, map) },
	F_ANY(struct shape, any),
	{ .name = "content", .type = FT_STRING_OR_ARRAY, .off = offsetof(struct shape, content) },
	F_END
};
static const struct schema loose = { .name = "Loose", .fields = fields, .bytes = sizeof(struct shape) };
static const struct schema strict = {
	.name = "Strict", .fields = fields, .flags = SF_STRICT, .bytes = sizeof(struct shape),
};

static void
look(const struct shape *x)
{
	MUST(x->s != NULL && strlen(x->s) >= 1 && strlen(x->s) <= 8 && utf8_ok(x->s, strlen(x->s)));
	MUST(x->word != NULL && (strcasecmp(x->word, "red") == 0 || strcasecmp(x->word, "green") == 0));
	MUST(x->id == NULL || strlen(x->id) == 36);
	MUST(x->i >= -5 && x->i <= 100 && x->d >= -1 && x->d <= 2);
	MUST(x->o == NULL || (strlen(x->o->id) == 36 && x->o->n >= 1 && x->o->n <= 9));
	MUST(x->objects == NULL || (json_object_array_length(x->objects) >= 1 && json_object_array_length(x->objects) <= 3));
	MUST(x->map == NULL || json_object_is_type(x->map, json_type_object));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct json_object *o = NULL;
	void *a = NULL, *b = NULL;

	if (json_read(&c, (const char *)data, n, &o) == ERR_OK) {
		enum err e = schema_decode(&c, &loose, o, &a), strictly = schema_decode(&c, &strict, o, &b);

		MUST(e == ERR_OK || (e == ERR_INVALID && c.fault.msg != NULL));
		MUST(strictly != ERR_OK || e == ERR_OK);
		if (e == ERR_OK)
			look(a);
	}
	arena_free(c.arena);
	return 0;
}

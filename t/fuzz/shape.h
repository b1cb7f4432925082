/* A shape with every kind of member, for the targets that decode one. */
#ifndef LF_FUZZ_SHAPE_H
#define LF_FUZZ_SHAPE_H
#include "lib/api/schema.h"

struct inner { const char *id; int64_t n; };

struct shape {
	const char *s, *word, *id;
	int64_t i, limit;
	double d;
	bool b, has_b;
	struct inner *o;
	struct json_object *objects, *strings, *map, *any, *content;
};

static const char *const shape_words[] = { "red", "green", NULL };

static const struct field inner_fields[] = {
	F_ID(struct inner, id, .flags = FF_REQUIRED),
	F_I64(struct inner, n, .min = 1, .max = 9, .dflt = 5),
	F_END
};
static const struct schema shape_inner = {
	.name = "Inner", .fields = inner_fields, .flags = SF_STRICT, .bytes = sizeof(struct inner),
};
#endif

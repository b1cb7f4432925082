/*
 * Fuzz: histories. Whatever JSON comes, its repair must leave nothing to repair.
 * sources: lib/base/*.c lib/agent/repair.c lib/agent/message.c lib/agent/clean.c lib/agent/trim.c
 */
#include <stdlib.h>

#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct json_object *in, *out, *h;

	if (json_read(&c, (const char *)data, n, &in) == ERR_OK && json_object_is_type(in, json_type_array)) {
		out = session_repair(&c, in, NULL);
		if (out == NULL || session_repair(&c, out, NULL) != out)
			abort();
		h = history_for_model(&c, in, 4);
		if (h == NULL || session_repair(&c, h, NULL) != h)
			abort();
		for (size_t i = 0, k = json_object_array_length(h); i < k && i < 1; i++)
			if (!message_is_question(json_object_array_get_idx(h, i)))
				abort();
	}
	arena_free(c.arena);
	return 0;
}

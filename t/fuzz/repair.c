/*
 * Fuzz: histories. Whatever JSON comes, its repair must leave nothing to repair.
 * sources: lib/base/*.c lib/svc/conversation.c lib/agent/repair.c lib/agent/message.c lib/agent/clean.c lib/agent/trim.c
 */
#include <stdlib.h>

#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"
#include "t/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	const struct history *in, *out, *h;
	struct json_object *o;

	if (json_read(&c, (const char *)data, n, &o) == ERR_OK && json_object_is_type(o, json_type_array)) {
		in = history_of(&c, o);
		out = session_repair(&c, in, NULL);
		if (out == NULL || session_repair(&c, out, NULL) != out)
			abort();
		h = history_for_model(&c, in, 4);
		if (h == NULL || session_repair(&c, h, NULL) != h)
			abort();
		if (h->n > 0 && !message_is_question(&h->v[0]))
			abort();
	}
	arena_free(c.arena);
	return 0;
}

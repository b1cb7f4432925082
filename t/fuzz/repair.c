/*
 * Fuzz: histories. Whatever JSON comes, its repair must leave nothing to repair, and what providers accept.
 * sources: lib/base/*.c lib/svc/conversation.c lib/agent/repair.c lib/agent/repair_look.c lib/agent/repair_merge.c lib/agent/tokens.c lib/agent/message.c lib/agent/clean.c lib/agent/trim.c lib/agent/fit.c lib/agent/squeeze.c
 */
#include <stdlib.h>

#include "lib/agent/fit.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"
#include "t/history.h"
#include "t/valid.h"

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
		if (valid_why_not(h) != NULL || (h->n > 0 && !message_is_question(&h->v[0])))
			abort();
		h = fit_tail(&c, h, 3, "[notice]");
		if (h == NULL || valid_why_not(h) != NULL)
			abort();
		h = fit_guard(&c, h, 512);
		if (h == NULL || fit_guard(&c, h, 512) != h || valid_why_not(h) != NULL)
			abort();
	}
	arena_free(c.arena);
	return 0;
}

/*
 * Fuzz: what a user says, on its way in. The first line is a pattern of the configuration's, the rest the text. What comes out is
 * UTF-8, without addresses of mail; what has nothing in it stays as it is.
 * sources: lib/base/*.c lib/agent/incoming.c lib/agent/taint.c lib/agent/scan.c lib/agent/injections.c lib/agent/regex.c
 * libs: libpcre2-8
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/incoming.h"
#include "lib/agent/scan.h"
#include "lib/agent/taint.h"
#include "lib/base/arena.h"
#include "lib/svc/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void
look(struct ctx *c, const char *text)
{
	const char *out = incoming_text(c, text);
	size_t at, n;

	MUST(out != NULL && utf8_ok(out, strlen(out)));
	if (taint_pii(text, strlen(text), &at, &n) == NULL && !incoming_is_suspect(text) && js_arr(js_obj(c->cfg->raw, "privacy"), "redact_patterns") == NULL)
		MUST(strcmp(out, text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct config cfg = { .generation = 1 };
	struct ctx c = { .arena = arena_new(4096), .cfg = &cfg };
	const char *s = (const char *)data, *nl = n > 0 ? memchr(s, '\n', n) : NULL, *text;
	static const char *const rules[] = { "{\"privacy\":{\"mode\":\"redact\"}}", "{\"privacy\":{\"mode\":\"pseudonymize\"}}" };

	if (nl != NULL && utf8_ok(s, (size_t)(nl - s)) && utf8_ok(nl + 1, n - (size_t)(nl + 1 - s)) && nl - s < 40) {
		text = ctx_strndup(&c, nl + 1, n - (size_t)(nl + 1 - s));
		for (int i = 0; i < 2; i++) {
			struct json_object *own = json_object_new_array();

			cfg.raw = json_stored(&c, rules[i]);
			look(&c, text);
			json_object_array_add(own, json_object_new_string_len(s, (int)(nl - s)));
			json_object_object_add(js_obj(cfg.raw, "privacy"), "redact_patterns", own);
			look(&c, text);
		}
		(void)taint_find(text, strlen(text), TAINT_SECRET | TAINT_PII);
		(void)taint_url(text, TAINT_SECRET | TAINT_PII);
	}
	arena_free(c.arena);
	return 0;
}

/*
 * Fuzz: what a model says. However it is cut the same words go out, and what is read as calls of tools is well formed.
 * sources: lib/base/*.c lib/agent/speech.c lib/agent/recover.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/recover.h"
#include "lib/agent/speech.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
keep(void *arg, const char *s, size_t n)
{
	buf_add(arg, s, n);
}

static const char *
any(void *arg, const char *name)
{
	(void)arg;
	return name;
}

static void
in_pieces(const char *text, size_t k, const char *want, const struct speech *whole)
{
	SCOPED_BUF out = BUF_INIT(1 << 22);
	struct speech p = { .silent = false };

	speech_begin(&p, keep, &out);
	for (size_t i = 0, n = strlen(text); i < n; i += k)
		speech_add(&p, text + i, n - i < k ? n - i : k);
	speech_end(&p);
	if (strcmp(out.len > 0 ? out.p : "", want) != 0 || p.silent != whole->silent || p.leaked != whole->leaked)
		abort();
	speech_done(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *text = ctx_strndup(&c, (const char *)data, n);
	struct recovered v[RECOVERED_MAX];
	const char *out, *rest = NULL;
	struct speech whole = speech_whole(&c, text, &out);
	size_t calls;

	in_pieces(text, 1, out, &whole);
	in_pieces(text, 7, out, &whole);
	calls = recover_calls(&c, text, any, NULL, v, &rest);
	for (size_t i = 0; i < calls; i++)
		if (v[i].name == NULL || !json_object_is_type(v[i].input, json_type_object))
			abort();
	if (calls > 0 && (rest == NULL || strlen(rest) > strlen(text)))
		abort();
	arena_free(c.arena);
	return 0;
}

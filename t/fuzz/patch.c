/*
 * Fuzz: apply_patch, as a model writes it. What stands before "*** Begin Patch" is the file a.txt. What is refused leaves it
 * as it was and says why; what is taken has as many lines as the patch's signs say.
 * sources: lib/base/*.c lib/agent/sandbox.c lib/agent/tools/patch.c lib/agent/tools/common.c lib/agent/tools/place.c
 */
#include <sys/stat.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t
lines_in(const char *s, size_t n)
{
	size_t k = n > 0 && s[n - 1] != '\n';

	for (size_t i = 0; i < n; i++)
		k += s[i] == '\n';
	return k;
}

/* Lines that begin so. */
static size_t
begin_with(const char *s, size_t n, const char *word)
{
	size_t k = 0, w = strlen(word);

	for (size_t i = 0; i < n; i++)
		k += (i == 0 || s[i - 1] == '\n') && n - i >= w && memcmp(s + i, word, w) == 0;
	return k;
}

static void
look(const char *old, size_t old_n, const char *patch, size_t n)
{
	SCOPED_BUF b = BUF_INIT(64 << 20);

	if (begin_with(patch, n, "*** ") - begin_with(patch, n, "*** End of File") != 3 ||
	    begin_with(patch, n, "*** Update File: a.txt\n") != 1)
		return;
	MUST(buf_read_file(&b, place_of("a.txt")) == ERR_OK);
	MUST(lines_in(b.p, b.len) == lines_in(old, old_n) + begin_with(patch, n, "+") - begin_with(patch, n, "-"));
	MUST(utf8_ok(b.p != NULL ? b.p : "", b.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct tool_env env = { .c = &c, .workspace = place };
	const char *text = (const char *)data, *patch = n > 0 ? memmem(text, n, "*** Begin Patch", 15) : NULL;
	size_t old_n = patch != NULL ? (size_t)(patch - text) : 0;
	struct buf out = BUF_INIT(1 << 20);
	struct json_object *in = NULL;

	if (place[0] == '\0')
		place_begin();
	if (patch != NULL && utf8_ok(patch, n - old_n)) {
		in = json_keep(&c, json_object_new_object());
		json_object_object_add(in, "patch", json_object_new_string_len(patch, (int)(n - old_n)));
		place_put("a.txt", text, old_n);
		if (tool_apply_patch(&env, in, &out) == ERR_OK) {
			look(text, old_n, patch, n - old_n);
			place_clear();
		} else {
			MUST(out.len > 0 && utf8_ok(out.p, out.len));
			if (strstr(out.p, "what stands above is done") != NULL)
				place_clear();
			else
				MUST(place_holds("a.txt", text, old_n));
		}
	}
	buf_done(&out);
	arena_free(c.arena);
	return 0;
}

/*
 * Fuzz: what code_search is asked. The first line is the expression, the rest a file. Whatever it is, an answer comes soon; what is
 * found is a line of the file. A text without signs is found where it stands.
 * sources: lib/base/*.c lib/agent/sandbox.c lib/agent/regex.c lib/agent/tools/search.c lib/agent/tools/common.c lib/agent/tools/place.c
 * libs: libpcre2-8
 */
#include <ctype.h>
#include <sys/stat.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Letters and digits alone mean themselves. */
static bool
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != ' ' && *s != '_')
			return false;
	return true;
}

static void
look(const char *query, const char *text, size_t n, const char *out)
{
	bool there = false;

	for (const char *p = text, *nl; p < text + n; p = nl + 1) {
		size_t len;

		nl = memchr(p, '\n', n - (size_t)(p - text));
		nl = nl != NULL ? nl : text + n;
		len = (size_t)(nl - p);
		there |= len >= strlen(query) && memmem(p, len, query, strlen(query)) != NULL;
	}
	MUST(there == (strncmp(out, "a.txt:", 6) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct tool_env env = { .c = &c, .workspace = place };
	const char *s = (const char *)data, *nl = n > 0 ? memchr(s, '\n', n) : NULL, *query;
	struct buf out = BUF_INIT(8 << 20);
	struct json_object *in;
	enum err e;

	if (place[0] == '\0')
		place_begin();
	if (nl != NULL && utf8_ok(s, (size_t)(nl - s))) {
		size_t k = (size_t)(nl - s);

		query = ctx_strndup(&c, s, k);
		in = json_keep(&c, json_object_new_object());
		json_object_object_add(in, "query", json_object_new_string_len(query, (int)k));
		json_object_object_add(in, "case_sensitive", json_object_new_boolean(true));
		place_put("a.txt", nl + 1, n - k - 1);
		e = tool_code_search(&env, in, &out);
		MUST(out.len > 0 && utf8_ok(out.p, out.len));
		if (e == ERR_OK && strlen(query) == k && k > 0 && is_plain(query) && utf8_ok(nl + 1, n - k - 1) &&
		    memchr(nl + 1, '\0', n - k - 1) == NULL)
			look(query, nl + 1, n - k - 1, out.p);
	}
	buf_done(&out);
	arena_free(c.arena);
	return 0;
}

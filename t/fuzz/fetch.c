/*
 * Fuzz: a page as web_fetch brings it. The first line is its Content-Type, the rest its bytes, of whatever encoding. What the model
 * gets is UTF-8 and stands between marks that the page cannot end.
 * sources: lib/base/*.c lib/agent/html.c lib/agent/clean.c lib/agent/sandbox.c lib/agent/taint.c lib/agent/scan.c lib/agent/injections.c lib/agent/tools/web.c lib/agent/tools/common.c lib/agent/tools/place.c
 */
#include <sys/stat.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "lib/svc/config.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *type, *page;
static size_t page_n;

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	*ret = (struct http_answer){ .status = 200, .retry_after_s = -1, .body = BUF_INIT(call->max_bytes) };
	snprintf(ret->content_type, sizeof(ret->content_type), "%s", type);
	snprintf(ret->final_url, sizeof(ret->final_url), "https://h.example/x");
	buf_add(&ret->body, page, page_n);
	return ERR_OK;
}

/* What stands between the marks; NULL: there are none. */
static const char *
marked(const char *s, size_t *ret_n)
{
	static const char open[] = "[external content ", shut[] = "\n[end of external content ";
	const char *a = strstr(s, open), *nl, *end = NULL;
	char mark[13], last[64];

	if (a == NULL)
		return NULL;
	snprintf(mark, sizeof(mark), "%s", a + strlen(open));
	MUST(strspn(mark, "0123456789abcdef") == 12 && (nl = strchr(a, '\n')) != NULL);
	snprintf(last, sizeof(last), "%s%s]", shut, mark);
	for (const char *p = nl; (p = strstr(p, last)) != NULL; p++)
		end = p;
	MUST(end != NULL && strcmp(end, last) == 0 && strstr(nl, mark) == end + strlen(shut));
	*ret_n = (size_t)(end - nl);
	return nl;
}

static void
look(const struct buf *out)
{
	const char *s = out->p, *second = strchr(s, '\n'), *text;
	size_t n;

	MUST(strlen(s) == out->len && utf8_ok(s, out->len) && second != NULL);
	second++;
	MUST(strspn(second, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-/*") == strcspn(second, "\n") ||
	    strncmp(second, "(no content type)\n", 18) == 0);
	text = marked(s, &n);
	for (size_t i = 0; text != NULL && i < n; i++)
		MUST((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	struct tool_env env = { .c = &c, .workspace = place };
	struct json_object *in = json_stored(&c, "{\"url\":\"https://h.example/x\",\"dest_path\":\"a\"}");
	const char *nl = n > 0 ? memchr(data, '\n', n) : NULL;
	struct buf out = BUF_INIT(8 << 20);

	if (place[0] == '\0')
		place_begin();
	if (nl != NULL) {
		type = ctx_strndup(&c, (const char *)data, (size_t)(nl - (const char *)data));
		page = nl + 1;
		page_n = n - (size_t)(page - (const char *)data);
		MUST(tool_web_fetch(&env, in, &out) == ERR_OK);
		look(&out);
		MUST(tool_web_fetch_to_file(&env, in, &out) == ERR_OK && place_holds("a", page, page_n) && utf8_ok(out.p, out.len));
	}
	buf_done(&out);
	arena_free(c.arena);
	return 0;
}

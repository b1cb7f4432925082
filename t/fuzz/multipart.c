/*
 * Fuzz: forms. The first byte says in what pieces the rest arrives: whole, or in such pieces, the same must come out,
 * and no boundary is in the data. Types and names of files, too.
 * sources: lib/base/*.c lib/svc/upload_name.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/multipart.h"
#include "lib/svc/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct ctx c;

static bool
begin(void *arg, const char *name, const char *filename, const char *type)
{
	const char *clean = upload_name(&c, filename != NULL ? filename : name);

	buf_printf(arg, "<%s|%s|%s>", name, filename != NULL ? filename : "-", type != NULL ? type : "-");
	if (clean == NULL || clean[0] == '\0' || strpbrk(clean, "/\\") != NULL || strlen(clean) > UPLOAD_NAME_MAX ||
	    !utf8_ok(clean, strlen(clean)) || strcmp(clean, "..") == 0)
		abort();
	if (type != NULL && upload_type_ok(type) && strcasestr(type, "html") == type + 5 && strncasecmp(type, "text/html;", 10) == 0)
		abort();
	return true;
}

static bool
data(void *arg, const char *p, size_t n)
{
	if (n == 0)
		abort();
	buf_add(arg, p, n);
	return true;
}

static enum err
run(const char *p, size_t n, size_t step, struct buf *out, bool *done)
{
	const struct multipart_sink sink = { out, begin, data };
	struct multipart m;
	enum err e = ERR_OK;

	multipart_init(&m, "xYx", &sink);
	for (size_t i = 0; e == ERR_OK && i < n; i += step)
		e = multipart_feed(&m, p + i, n - i < step ? n - i : step);
	*done = multipart_done(&m);
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
	char boundary[MULTIPART_BOUNDARY_MAX + 1];
	const char *p = (const char *)bytes + 1;
	bool done_a, done_b;
	char *text;

	if (n < 2)
		return 0;
	c.arena = arena_new(4096);
	if (run(p, n - 1, n, &a, &done_a) != run(p, n - 1, bytes[0] % 32 + 1, &b, &done_b) || done_a != done_b ||
	    a.len != b.len || (a.len > 0 && memcmp(a.p, b.p, a.len) != 0))
		abort();
	text = arena_strndup(c.arena, p, n - 1);
	if (text != NULL && multipart_boundary(text, boundary) && strlen(boundary) > MULTIPART_BOUNDARY_MAX)
		abort();
	buf_done(&a);
	buf_done(&b);
	arena_free(c.arena);
	return 0;
}

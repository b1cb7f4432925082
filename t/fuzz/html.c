/*
 * Fuzz: web pages. The text must be UTF-8 when the page is.
 * sources: lib/base/*.c lib/agent/html.c lib/agent/clean.c
 */
#include <stdlib.h>

#include "lib/agent/clean.h"
#include "lib/agent/html.h"
#include "lib/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = BUF_INIT(1 << 22), clean = BUF_INIT(1 << 20);

	html_text((const char *)data, n, "https://example.org/a/b?c#d", &out);
	if (!out.failed && utf8_ok((const char *)data, n) && !utf8_ok(out.p != NULL ? out.p : "", out.len))
		abort();
	result_clean(&clean, (const char *)data, n);
	if (!clean.failed && clean.p != NULL && n < RESULT_TEXT_MAX && !result_is_clean(clean.p, clean.len))
		abort();
	buf_done(&out);
	buf_done(&clean);
	return 0;
}

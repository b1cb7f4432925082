/* Feeding a decoder whatever comes, for the targets of the framings: the sink gets valid UTF-8, and an answer is whole or blamed. */
#ifndef LF_FUZZ_INTAKE_H
#define LF_FUZZ_INTAKE_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/driver.h"
#include "lib/svc/catalog.h"

/* Nobody has logged in on this machine. */
bool
catalog_google_login(char *out, size_t cap)
{
	(void)out;
	(void)cap;
	return false;
}

/* arg: what was said, to be compared. */
static void
check_text(void *arg, const char *p, size_t n)
{
	if (n == 0 || !utf8_ok(p, n))
		abort();
	buf_add(arg, p, n);
}

static void
check_start(void *arg, const char *id, const char *name)
{
	(void)arg;
	if (id[0] == '\0' || name[0] == '\0')
		abort();
}

static void
check_input(void *arg, const char *id, const char *p, size_t n)
{
	(void)arg;
	(void)id;
	if (n == 0 || !utf8_ok(p, n))
		abort();
}

static void
check_end(void *arg, const char *id, const char *name, const char *in)
{
	check_start(arg, id, name);
	if (in[0] != '{')
		abort();
}

/* How it ended: LLM_OK, or what is blamed. */
static enum llm_error
feed_in(const struct driver *drv, const char *p, size_t n, size_t step, struct buf *said)
{
	static const struct llm_request rq = { .provider = "fuzz", .model = "m", .api_key = "sk-fuzzfuzz", .stream = true };
	const struct llm_sink sink = { said, check_text, check_text, check_start, check_input, check_end, NULL, 0 };
	struct llm_answer a = { 0 };
	enum llm_error error;
	struct intake d;

	if (intake_init(&d, drv, &rq, &sink, &a) == ERR_OK) {
		for (size_t i = 0; i < n; i += step)
			if (!intake_feed(&d, p + i, n - i < step ? n - i : step))
				break;
		if ((intake_end(&d, false) == ERR_OK) != (a.content != NULL))
			abort();
		if (a.content == NULL && (a.error == LLM_OK || !utf8_ok(a.why, strlen(a.why))))
			abort();
	}
	intake_free(&d);
	error = a.content == NULL ? a.error : LLM_OK;
	json_object_put(a.content);
	return error;
}

/* In pieces and whole: the same is said, and it ends the same way. */
static void
feed(const struct driver *drv, const char *p, size_t n, size_t step)
{
	SCOPED_BUF pieces = BUF_INIT(64 << 20);
	SCOPED_BUF whole = BUF_INIT(64 << 20);

	if (feed_in(drv, p, n, step, &pieces) != feed_in(drv, p, n, n, &whole) || pieces.len != whole.len ||
	    (whole.len > 0 && memcmp(pieces.p, whole.p, whole.len) != 0))
		abort();
}
#endif

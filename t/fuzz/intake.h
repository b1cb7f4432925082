/* Feeding a decoder whatever comes, for the targets of the framings: the sink gets valid UTF-8, and an answer is whole or blamed. */
#ifndef LF_FUZZ_INTAKE_H
#define LF_FUZZ_INTAKE_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/driver.h"

static void
check_text(void *arg, const char *p, size_t n)
{
	(void)arg;
	if (n == 0 || !utf8_ok(p, n))
		abort();
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
	(void)id;
	check_text(arg, p, n);
}

static void
check_end(void *arg, const char *id, const char *name, const char *in)
{
	check_start(arg, id, name);
	if (in[0] != '{')
		abort();
}

static void
feed(const struct driver *drv, const char *p, size_t n, size_t step)
{
	static const struct llm_request rq = { .provider = "fuzz", .model = "m", .api_key = "sk-fuzzfuzz", .stream = true };
	static const struct llm_sink sink = { NULL, check_text, check_text, check_start, check_input, check_end, NULL, 0 };
	struct llm_answer a = { 0 };
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
	json_object_put(a.content);
}
#endif

/*
 * Fuzz: what a provider sends as events. The first byte says in whose format, and in what pieces
 * the rest arrives; whatever comes, the sink gets valid UTF-8 and the answer's blocks are whole.
 * sources: lib/base/*.c lib/llm/*.c lib/net/*.c lib/svc/conversation.c
 * libs: libcurl zlib
 */
#include "t/fuzz/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct driver *const drivers[] = { &openai_driver, &anthropic_driver, &gemini_driver, &responses_driver, &cohere_driver };
	const struct driver *drv;

	if (n == 0)
		return 0;
	drv = drivers[data[0] / 16 % ARRAY_LEN(drivers)];
	feed(drv, (const char *)data + 1, n - 1, (size_t)data[0] % 16 + 1);
	return 0;
}

/*
 * Fuzz: what a provider sends as AWS's event stream. The first byte says in what pieces the rest
 * arrives; whatever comes, the sink gets valid UTF-8 and the answer's blocks are whole.
 * sources: lib/base/*.c lib/llm/*.c lib/net/*.c lib/svc/conversation.c
 * libs: libcurl zlib
 */
#include "t/fuzz/intake.h"

#include <zlib.h>

/* Checksums that nobody could guess are put right, so that what lies behind them is reached too. */
static void
put(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> (24 - 8 * i));
}

static void
mend(uint8_t *p, size_t n)
{
	while (n >= 16) {
		uint32_t all = (uint32_t)p[2] << 8 | p[3];      /* short ones are enough */

		if (all < 16 || all > n)
			return;
		p[0] = p[1] = 0;
		put(p + 8, (uint32_t)crc32(0, p, 8));
		put(p + all - 4, (uint32_t)crc32(0, p, all - 4));
		p += all;
		n -= all;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy;

	if (n == 0)
		return 0;
	feed(&bedrock_driver, (const char *)data + 1, n - 1, (size_t)data[0] % 16 + 1);
	copy = malloc(n);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, n);
	mend(copy + 1, n - 1);
	feed(&bedrock_driver, (const char *)copy + 1, n - 1, (size_t)data[0] % 16 + 1);
	free(copy);
	return 0;
}

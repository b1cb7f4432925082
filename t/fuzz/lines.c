/*
 * Fuzz: what comes as JSON lines, from Ollama and from programs that speak for a provider. The first byte says from whom, and in what
 * pieces the rest arrives; whatever comes, the sink gets valid UTF-8 and the answer's blocks are whole.
 * sources: lib/base/*.c lib/llm/*.c lib/net/*.c lib/svc/conversation.c
 * libs: libcurl zlib
 */
#include "lib/llm/cli.h"
#include "t/fuzz/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct driver *const drivers[] = { &ollama_driver, &cli_claude_lines, &cli_codex_lines, &cli_object };

	if (n > 0)
		feed(drivers[data[0] / 16 % ARRAY_LEN(drivers)], (const char *)data + 1, n - 1, (size_t)data[0] % 16 + 1);
	return 0;
}

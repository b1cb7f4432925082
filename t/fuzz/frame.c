/*
 * Fuzz: a text frame of the chat socket. It is one of four kinds; what is said in a message is
 * UTF-8 without control characters and without blanks around; cleaning twice changes nothing.
 * sources: lib/base/*.c daemon/ws_frame.c
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/ws_frame.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static bool
is_command(const char *name, size_t n)
{
	return (n == 3 && memcmp(name, "new", 3) == 0) || (n == 5 && memcmp(name, "model", 5) == 0);
}

static void
message(struct ctx *c, const char *text)
{
	struct json_object *frame;
	const char *content = ws_frame_content(c, text, &frame), *clean, *again;

	MUST(frame == NULL || json_object_is_type(frame, json_type_object));
	if (content == NULL)
		return;
	clean = ws_frame_clean(c, content);
	if (clean == NULL)
		return;
	MUST(utf8_ok(clean, strlen(clean)) && strchr(" \t\n", clean[0]) == NULL);
	MUST(strchr(" \t\n", clean[strlen(clean) - 1]) == NULL);
	for (const char *p = clean; *p != '\0'; p++)
		MUST(((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\n' || *p == '\t');
	again = ws_frame_clean(c, clean);
	MUST(again != NULL && strcmp(again, clean) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *text = ctx_strndup(&c, (const char *)data, n);
	struct ws_frame f;

	if (memchr(data, '\0', n) == NULL && utf8_ok(text, n)) {
		ws_frame_sort(&c, text, n, is_command, &f);
		MUST(f.kind == WS_PING || f.kind == WS_COMMAND || f.kind == WS_MESSAGE || f.kind == WS_UNKNOWN);
		MUST((f.line != NULL) == (f.kind == WS_COMMAND || f.kind == WS_UNKNOWN));
		MUST(f.kind != WS_UNKNOWN || (strlen(f.line) <= 64 && utf8_ok(f.line, strlen(f.line))));
		if (f.kind == WS_MESSAGE)
			message(&c, text);
	}
	arena_free(c.arena);
	return 0;
}

/*
 * Files inside the program: EMBED(name, "share/x.json") defines `name`
 * (the bytes, followed by a NUL) and `name_size`. The path is looked up in the source
 * and build trees' tops.
 */
#ifndef LF_EMBED_H
#define LF_EMBED_H
#include <stddef.h>

#define EMBED(name, file) \
	__asm__(".section .rodata\n" \
	    ".balign 16\n" \
	    ".local " #name "\n" #name ":\n" \
	    ".incbin \"" file "\"\n" \
	    ".local " #name "_end\n" #name "_end:\n" \
	    ".byte 0\n" \
	    ".previous\n"); \
	extern const char name[] __attribute__((visibility("hidden"))); \
	extern const char name##_end[] __attribute__((visibility("hidden")))
#define EMBED_SIZE(name) ((size_t)(name##_end - name))

#endif

/*
 * Arena: memory that ends all at once.
 *
 * Allocation failure returns NULL and marks the arena failed; arena_failed()
 * lets an owner check once at the end. Destructors registered with
 * arena_defer() run in reverse order at reset and free.
 */
#ifndef LF_ARENA_H
#define LF_ARENA_H
#include "lib/base/base.h"

struct arena *arena_new(size_t first_bytes);
void arena_free(struct arena *);                /* NULL is fine */
void arena_reset(struct arena *);               /* keeps its first block */
void *arena_alloc(struct arena *, size_t bytes) __attribute__((malloc)); /* zeroed, 16-byte aligned */
char *arena_strndup(struct arena *, const char *, size_t bytes);        /* adds a NUL */
char *arena_vprintf(struct arena *, const char *fmt, va_list);
int arena_defer(struct arena *, void (*end)(void *), void *what); /* -1: no memory, end was called */
size_t arena_bytes(const struct arena *);
#endif

/*
 * Arena: a list of blocks, newest first, and a list of destructors.
 *
 * The first block stays across resets, so a worker that has seen its
 * largest ordinary request allocates nothing any more.
 */
#include "lib/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer nobody may touch what was not asked for: a gap behind each piece, and what a reset took back. */
#if defined(__SANITIZE_ADDRESS__)
#define GUARDED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARDED 1
#endif
#endif
#ifdef GUARDED
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#else
enum { GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { BLOCK_MAX = 65536 };

struct block {
	struct block *next;
	size_t cap, used;
	_Alignas(16) char bytes[];
};

struct ending {
	struct ending *next;
	void (*end)(void *);
	void *what;
};

struct arena {
	struct block *blocks;           /* the newest; the last in the list is the first made */
	struct ending *endings;
	size_t first_bytes;
};

static struct block *
block_new(size_t cap)
{
	struct block *b = malloc(sizeof(*b) + cap);

	if (b == NULL) {
		memory_short = true;
		return NULL;
	}
	*b = (struct block){ .cap = cap };
	ASAN_POISON_MEMORY_REGION(b->bytes, cap);
	return b;
}

struct arena *
arena_new(size_t first_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->first_bytes = first_bytes < 256 ? 256 : first_bytes;
	a->blocks = block_new(a->first_bytes);
	if (a->blocks == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void
arena_reset(struct arena *a)
{
	while (a->endings != NULL) {
		struct ending *e = a->endings;

		a->endings = e->next;
		e->end(e->what);
	}
	while (a->blocks->next != NULL) {
		struct block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->blocks->used = 0;
	ASAN_POISON_MEMORY_REGION(a->blocks->bytes, a->blocks->cap);
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a->blocks);
	free(a);
}

/* Half of what there is already: a thousand arenas that wait must not be mostly empty. */
static size_t
next_cap(const struct arena *a, size_t bytes)
{
	size_t cap = arena_bytes(a) / 2;

	if (cap < a->first_bytes)
		cap = a->first_bytes;
	if (cap > BLOCK_MAX)
		cap = BLOCK_MAX;
	return cap < bytes ? bytes : cap;
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
	struct block *b = a->blocks;
	size_t asked = bytes;
	void *p;

	if (bytes > SIZE_MAX / 4)
		return NULL;
	bytes = ((bytes + 15) & ~(size_t)15) + GAP;
	if (b->cap - b->used < bytes) {
		b = block_new(next_cap(a, bytes));
		if (b == NULL)
			return NULL;
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += bytes;
	ASAN_UNPOISON_MEMORY_REGION(p, asked);
	return memset(p, 0, asked);
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (p != NULL)
		memcpy(p, s, n);
	return p;
}

char *
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char small[256], *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p != NULL && (size_t)n < sizeof(small))
		memcpy(p, small, (size_t)n);
	else if (p != NULL)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

int
arena_defer(struct arena *a, void (*end)(void *), void *what)
{
	struct ending *e = arena_alloc(a, sizeof(*e));

	if (e == NULL) {
		end(what);
		return -1;
	}
	*e = (struct ending){ a->endings, end, what };
	a->endings = e;
	return 0;
}

size_t
arena_bytes(const struct arena *a)
{
	size_t n = 0;

	for (const struct block *b = a->blocks; b != NULL; b = b->next)
		n += b->cap;
	return n;
}

/*
 * For tests in C: the n-th allocation is refused. A test includes this once; not under the sanitizers, which have an allocator
 * of their own.
 */
#ifndef LF_T_REFUSE_H
#define LF_T_REFUSE_H
#if !defined(__SANITIZE_ADDRESS__)
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static long until_memory;       /* the call that fails; 0: none */
static bool again;              /* and every one after it */
static unsigned refusals;

static bool
says_no(long *until)
{
	if (*until == 0 || --*until > 0)
		return false;
	*until = again ? 1 : 0;
	refusals++;
	return true;
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t n)
{
	if (!says_no(&until_memory))
		return __libc_malloc(n);
	errno = ENOMEM;
	return NULL;
}

void *
calloc(size_t n, size_t size)
{
	if (!says_no(&until_memory))
		return __libc_calloc(n, size);
	errno = ENOMEM;
	return NULL;
}

void *
realloc(void *p, size_t n)
{
	if (!says_no(&until_memory))
		return __libc_realloc(p, n);
	errno = ENOMEM;
	return NULL;
}

/* Never refused: json-c 0.16 does not look whether a member's name could be copied. */
char *
strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *to = __libc_malloc(n);

	return to == NULL ? NULL : memcpy(to, s, n);
}
#endif
#endif

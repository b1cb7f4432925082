/*
 * The job's context: errors said for the user, and shorthands on its arena.
 */
#include "lib/base/base.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"

__thread bool memory_short;

static const struct {
	int http;
	const char *code;
} errs[ERR_COUNT] = {
	[ERR_OK] = { 200, "ok" },
#define ERR(sym, http, code) [ERR_##sym] = { http, code },
#include "lib/base/err.def"
#undef ERR
};

int
err_status(enum err e)
{
	return errs[e].http;
}

const char *
err_code(enum err e)
{
	return errs[e].code;
}

void
scoped_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static enum err
vfail(struct ctx *c, enum err e, const char *code, const char *fmt, va_list ap)
{
	char *msg = memory_short ? NULL : arena_vprintf(c->arena, fmt, ap);

	if (memory_short) {
		e = ERR_NOMEM;
		code = NULL;
	}
	memory_short = false;
	c->fault = (struct fault){
		.err = e,
		.code = code,
		.msg = msg != NULL ? msg : "out of memory",
	};
	return e;
}

enum err
fail(struct ctx *c, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	e = vfail(c, e, NULL, fmt, ap);
	va_end(ap);
	return e;
}

void
fault_forget(struct ctx *c, struct fault before)
{
	memory_short |= c->fault.err == ERR_NOMEM && before.err != ERR_NOMEM;
	c->fault = before;
}

enum err
fail_code(struct ctx *c, enum err e, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	e = vfail(c, e, code, fmt, ap);
	va_end(ap);
	return e;
}

void *
ctx_alloc(struct ctx *c, size_t bytes)
{
	return arena_alloc(c->arena, bytes);
}

char *
ctx_strdup(struct ctx *c, const char *s)
{
	return s == NULL ? NULL : arena_strndup(c->arena, s, strlen(s));
}

char *
ctx_strndup(struct ctx *c, const char *s, size_t n)
{
	return arena_strndup(c->arena, s, n);
}

char *
ctx_printf(struct ctx *c, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = arena_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return s;
}

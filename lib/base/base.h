/*
 * lib/base: what every other room stands on, and nothing of this product.
 *
 * This header holds the small things used everywhere: attributes, the error
 * list, cleanup scopes and the context that each job (a request, a turn, a
 * command) carries with it.
 */
#ifndef LF_BASE_H
#define LF_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum err {
	ERR_OK = 0,
#define ERR(sym, http, code) ERR_##sym,
#include "lib/base/err.def"
#undef ERR
	ERR_COUNT
};

/* HTTP status and default wire code of an error; 200 and "ok" for ERR_OK. */
int err_status(enum err);
const char *err_code(enum err);

/* An error ignored on purpose; say why beside it. */
static inline void
ignore_err(enum err e)
{
	(void)e;
}

/* Scopes: the value's end comes with the block's. TAKE() hands it on. */
void scoped_fd_close(int *);
#define SCOPED_FD __attribute__((cleanup(scoped_fd_close))) int
#define TAKE_FD(fd) ({ int taken_ = (fd); (fd) = -1; taken_; })

struct arena;
struct db;
struct config;
struct caller;

/* What went wrong, for the user. Strings live in the context's arena. */
struct fault {
	enum err err;
	int status;                /* HTTP status if not err's own, else 0 */
	const char *code;          /* wire code if not err's own, else NULL */
	const char *msg;           /* a sentence */
	const char *details_json;  /* JSON text or NULL */
	const char *extra;         /* further members of the error object, as JSON text "k":v, or NULL */
	unsigned retry_after_s;    /* 0: no Retry-After */
};

/*
 * The context of one job. Memory made through it lives until the job ends.
 * A context belongs to one thread at a time.
 */
struct ctx {
	struct arena *arena;
	struct db *db;                  /* connection, or NULL while none is borrowed */
	const struct config *cfg;       /* this job's view of the configuration */
	const struct caller *who;       /* who asks; NULL: the system itself */
	int64_t now_ms;                 /* Unix time the job began */
	char rid[37];                   /* request id, UUID v4 text */
	struct fault fault;             /* set by fail() */
};

/*
 * Note what went wrong and return err, so that callers say
 * `return fail(c, ERR_NOT_FOUND, "no agent %s", id);`. The sentence is for
 * the user: no internals, no secrets. The last fault wins.
 */
enum err fail(struct ctx *, enum err, const char *fmt, ...) PRINTF(3, 4);
/* The same with a wire code of its own, e.g. "agent_not_found". */
enum err fail_code(struct ctx *, enum err, const char *code, const char *fmt, ...)
    PRINTF(4, 5);

/*
 * Memory was asked for on this thread and not had, and nobody has said so yet. Arenas, buffers and json.h set it; fail() takes it back, and
 * whatever else it was to say becomes NOMEM: what could not be looked up is not "not there". While it is set nothing is
 * written to the store, and no answer but an error goes out, so that nothing is made of half of a thing.
 */
extern __thread bool memory_short;

/*
 * What was tried and did not come off is told nobody: the fault is as it was before. That memory was short is noted again, for what
 * could not be looked up would pass for what is not there.
 */
void fault_forget(struct ctx *, struct fault before);

/* Arena shorthands on the job's arena; abort-free: NULL only when out of memory. */
void *ctx_alloc(struct ctx *, size_t bytes);               /* zeroed */
char *ctx_strdup(struct ctx *, const char *);              /* NULL stays NULL */
char *ctx_strndup(struct ctx *, const char *, size_t);
char *ctx_printf(struct ctx *, const char *fmt, ...) PRINTF(2, 3);

#endif

/*
 * A program that answers instead of a server: run with an environment of our choosing, in a process
 * group of its own, which is killed whole at its end, its deadline or a cancel.
 */
#ifndef LF_LLM_CHILD_H
#define LF_LLM_CHILD_H
#include "lib/base/buf.h"
#include "lib/net/http.h"

enum { CHILD_ERR_MAX = 4096 };

struct child {
	const char *path;               /* absolute */
	const char *const *argv, *const *envp;  /* NULL-ended */
	const char *dir;                /* where it runs */
	const char *input; size_t input_bytes;  /* its standard input */
	unsigned timeout_ms;
	size_t max_bytes;               /* of its output */
	struct cancel *cancel;
	bool (*on_bytes)(void *, const char *, size_t);         /* its output as it comes; false: enough */
	void (*on_quiet)(void *);       /* nothing came for quiet_ms; may be NULL */
	unsigned quiet_ms;
	void *arg;
	/* found */
	int exit_code;                  /* -1: a signal ended it */
	struct buf said;                /* the end of what it wrote to standard error; caller: buf_done */
};

enum { CHILD_ENV_MAX = 64 };
/* What a program gets of our environment: what it needs to run and what begins with its own prefix. Ended by NULL. */
struct child_env { unsigned n; const char *v[CHILD_ENV_MAX + 1]; };
void child_env(struct child_env *, const char *prefix);

/*
 * ERR_OK: it ran and closed its output (exit_code says how it ended), or on_bytes had enough. TIMEOUT; CANCELLED; TOO_LARGE;
 * UNAVAILABLE: it could not be started; NOMEM.
 */
enum err child_run(struct child *) MUST_CHECK;
#endif

/*
 * Names to addresses, by helper threads that a caller may abandon.
 *
 * getaddrinfo() cannot be interrupted, so it runs in a thread of its own; the caller
 * waits no longer than it wants to. Callers that ask for the same name at
 * the same time share one lookup, and answers are kept for a minute.
 */
#ifndef LF_RESOLVE_H
#define LF_RESOLVE_H
#include "lib/net/http.h"

enum { ADDRS_MAX = 16, HOST_MAX = 256, RESOLVE_THREADS = 32, RESOLVE_KEEP_S = 60 };

/* What a name means, as inet_ntop writes it. */
struct addrs {
	unsigned n;
	char text[ADDRS_MAX][46];
};

/*
 * host: a name, at most 255 bytes; not an address. deadline_us: by clock_mono_us().
 * Errors: UPSTREAM (no such name; *why says it, static text), TIMEOUT (also when
 * too many lookups hang), CANCELLED, NOMEM.
 */
enum err resolve(const char *host, int64_t deadline_us, const struct cancel *,
    struct addrs *ret, const char **why) MUST_CHECK;
/* Forget all answers. */
void resolve_forget(void);
/* Tests: look names up with this instead of getaddrinfo; NULL: getaddrinfo. 0 or an EAI_ code. */
void resolve_with(int (*lookup)(const char *host, struct addrs *));

/* The thread is going to wait (http_on_wait). */
void http_waits(void);
#endif

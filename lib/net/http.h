/*
 * The one HTTP client of the daemon, on libcurl.
 *
 * A call blocks its thread but ends within 200 ms once cancelled, also while
 * a name is being resolved or a peer is silent: names are resolved by helper threads
 * that a caller may abandon, transfers run on a multi handle that cancel
 * wakes. Idle connections are kept per origin and reused. No proxy from the
 * environment, no redirects of libcurl's own, no signals. Every hop is resolved, checked and pinned
 * anew: where clouds keep their secrets, and what is link-local, is never asked, wherever the address comes from.
 */
#ifndef LF_HTTP_H
#define LF_HTTP_H
#include <stdatomic.h>
#include "lib/base/base.h"
#include "lib/base/buf.h"

/* Shared by whoever runs something and whoever may stop it. */
struct cancel {
	_Atomic int why;                /* 0: go on; else one of: */
	_Atomic(void *) multi;          /* woken by cancel_now; internal to lib/net */
};
enum { CANCEL_NO = 0, CANCEL_USER = 1, CANCEL_GONE = 2, CANCEL_SHUTDOWN = 3, CANCEL_DEADLINE = 4 };
void cancel_now(struct cancel *, int why);      /* any thread; idempotent: the first reason stays */
/* Wait so long, or until it is cancelled: false then. NULL: nobody cancels. */
bool cancel_wait(const struct cancel *, int64_t ms);
/*
 * While watched, fd is readable once k is cancelled, for who polls something else as well; look at cancelled() after this. fd is -1
 * when nobody can cancel (k NULL), or none could be had: look now and then, as cancel_watch_ms() says.
 */
struct cancel_watch { int fd; const struct cancel *k; struct cancel_watch *next; };
void cancel_watch(struct cancel_watch *, const struct cancel *);
void cancel_unwatch(struct cancel_watch *);
/* How long poll() may wait beside it, until then at most. */
int cancel_watch_ms(const struct cancel_watch *, int64_t until_us);
static inline bool cancelled(const struct cancel *k) { return k && atomic_load(&k->why) != 0; }

struct http_call {
	const char *method;             /* "GET" */
	const char *url;
	const char *const *headers;     /* "Name: value", NULL-ended */
	const char *body; size_t body_bytes;   /* NULL: none */
	struct buf *spent;              /* what holds body: emptied once the answer begins, as a wait may be long. NULL: stays */
	const char *proxy;              /* NULL: none */
	unsigned timeout_ms;            /* whole call; 0: 300000 */
	unsigned connect_ms;            /* 0: 10000 */
	unsigned idle_ms;               /* no byte for so long: TIMEOUT; 0: off */
	size_t max_bytes;               /* of the answer; beyond: TOO_LARGE (or cut, see cut). 0: 64 MiB */
	bool cut;                       /* keep what came up to max_bytes, not an error */
	bool guard;                     /* SSRF guard: for addresses that others choose; without it only clouds' own are refused */
	struct json_object *allow;      /* guard's exceptions: array of host, *.suffix, IP, CIDR; NULL */
	unsigned max_redirects;         /* followed by us, each hop guarded; 0: none */
	struct cancel *cancel;          /* NULL: cannot be cancelled */
	/* Stream: called with bytes as they come (2xx only; other answers are collected in body). false stops: CANCELLED. */
	bool (*on_bytes)(void *, const char *, size_t);
	void *arg;
	/* Called with a line of an answer's head that is none of those that http_answer tells, its line end included; may be NULL. */
	void (*on_header)(void *, const char *, size_t);
	/* Stream: called once each time that no byte has come for quiet_ms (0: never), on the caller's thread. */
	void (*on_quiet)(void *);
	unsigned quiet_ms;
	/* Stream: set by on_bytes when it has all it needs; the rest is awaited 100 ms, then the answer counts as whole. NULL: none. */
	const bool *enough;
};

struct http_answer {
	long status;
	char content_type[128];
	char final_url[2048];
	int64_t retry_after_s;          /* -1: none; HTTP dates are turned into seconds */
	struct buf body;                /* unless streamed; caller: buf_done */
	char why[256];                  /* for the log and the user: no secrets */
};

void http_done(void);               /* closes what is idle; calls may come again */
/* Called on the caller's thread whenever a call begins to wait for a name or a peer. Set before the first call. */
void http_on_wait(void (*fn)(void));
void http_sweep(void);              /* close connections idle for a minute; for a timer (calls do it too) */
/*
 * ERR_OK: an HTTP answer of any status arrived whole. Else FORBIDDEN (guard, or a proxy that wants another password; why says it), TIMEOUT, UPSTREAM (connect,
 * DNS, TLS, broken transfer), CANCELLED, TOO_LARGE, BAD_REQUEST (url).
 */
enum err http_do(const struct http_call *, struct http_answer *ret) MUST_CHECK;

/* Does the URL lead to a port of this machine (127.x.x.x, localhost) where nobody listens? Waits 0.1 s at most. */
bool http_nobody_near(const char *url);

/* Is this address (text, any spelling inet_pton knows) one that the guard refuses? */
bool addr_refused(const char *ip, struct json_object *allow, const char *host);
#endif

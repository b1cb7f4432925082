/*
 * Small shared tools: clock, random, UUIDs, hashes, hex, log.
 */
#ifndef LF_UTIL_H
#define LF_UTIL_H
#include <time.h>
#include "lib/base/base.h"

/* The one clock. */
int64_t clock_ms(void);                   /* Unix time, for dates */
int64_t clock_mono_us(void);              /* monotonic, for intervals, shared by all processes of the machine */
/* The same as pthread_cond_clockwait() and its like take it. */
static inline struct timespec
timespec_of_us(int64_t us)
{
	return (struct timespec){ .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
}
/* RFC 3339 UTC, "2026-01-02T03:04:05.678Z" into out[25]. */
void time_rfc3339(int64_t ms, char out[static 25]);
int64_t time_parse(const char *);         /* RFC 3339 text with any offset to Unix milliseconds; -1: none */

void random_bytes(void *, size_t);        /* from the kernel; never fails */
void uuid4(char out[static 37]);
void uuid7(char out[static 37]);          /* begins with the time (RFC 9562): ids of rows that are made one after another */
/* Name-based, RFC 9562 version 5. ns: UUID text. */
void uuid5(const char *ns, const char *name, size_t n, char out[static 37]);
/* Canonical lower-case text of a UUID written in any case, with or without dashes; false: none. */
bool uuid_parse(const char *s, char out[static 37]);
/* 32 hex digits (or 36 characters) to a version-4 UUID text; false: malformed. */
bool uuid_from_hex(const char *hex, char out[static 37]);

void sha256(const void *, size_t, uint8_t out[static 32]);
void hmac_sha256(const void *key, size_t kn, const void *, size_t n, uint8_t out[static 32]);
/* Is that an Ed25519 signature (RFC 8032) of the message by the owner of the key? */
bool ed25519_ok(const uint8_t key[static 32], const void *message, size_t n, const uint8_t signature[static 64]);
void hex_of(const void *, size_t, char *out);            /* 2n+1 bytes */
bool hex_to(const char *hex, void *out, size_t n);       /* exactly 2n digits */
bool same_bytes(const void *, const void *, size_t);     /* constant time */
void zero_bytes(void *, size_t);                         /* not optimised away */
/* Argon2id: verify a PHC string (slow by design); make a new one into out. */
bool argon2_ok(const char *phc, const char *secret);
bool argon2_make(const char *secret, char *out, size_t cap);

/*
 * Log: one line per call to stderr (the supervisor gives it a file), as
 * `ts=... level=info prog=fcgi pid=1 k=v`. Values from outside go through %s only after
 * log_quote(). Process edges log; library code returns errors.
 */
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
void log_open(const char *prog, enum log_level);
void log_set_level(enum log_level);
enum log_level log_level_of(const char *name);           /* unknown: LOG_INFO */
bool log_wants(enum log_level);
void log_line(enum log_level, const char *fmt, ...) PRINTF(2, 3);
/* "…" with control characters and quotes escaped, cut at cap. */
const char *log_quote(const char *s, char *out, size_t cap);

/*
 * For programs that others start: --version prints the one text, --help both. true: something was
 * printed and the program is done.
 */
bool asked_only(int argc, char **argv, const char *version, const char *help);

/* Paths: mkdir -p with mode; true if it exists as a directory afterwards. */
bool dir_make(const char *path, mode_t mode);
/* An absolute path, in place, without "." and empty parts, so that one directory has one name; NULL stays NULL. */
char *path_tidy(char *);
/* flock() for writing, waited for so long at most. 0, or an errno: EWOULDBLOCK when somebody else still has it. */
int lock_within(int fd, unsigned ms);
/* Absolute path of a program in PATH, into out; false: it is not there, or its path is longer. */
bool path_find(const char *program, char *out, size_t cap);
/* Percent-decode in place a path segment ('+' stays); false: bad escape. *n is updated; may hold NUL. */
bool pct_decode(char *s, size_t *n, bool plus_is_space);
/* Case-insensitive (ASCII) substring. */
bool has_substr_ci(const char *hay, const char *needle);
#endif

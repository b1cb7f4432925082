/*
 * What stands between a guesser and the work of Argon2.
 */
#ifndef LF_ATTEMPTS_H
#define LF_ATTEMPTS_H
#include "lib/base/base.h"

/* The right to run one Argon2, in all processes together; may_wait: for half a second, if nobody else does. Then argon_leave(). */
bool argon_enter(bool may_wait) MUST_CHECK;
void argon_leave(void);
/* Has this peer failed ten times within a minute? */
bool failures_many(const char *peer);
void failures_count(const char *peer);
/* RATE_LIMITED: somebody else's Argon2 runs, or this peer has failed too often. */
enum err auth_busy(struct ctx *, const char *peer);
#endif

/*
 * How often somebody may try to come in, and how many Argon2 there are at once.
 *
 * Argon2id is slow and large by design: one runs at a time in all processes, and at most one more waits for
 * it, so that a crowd of wrong passwords never keeps more than two workers from their work. Both places are robust
 * mutexes: the kernel wakes the one who waits, and who is killed in one leaves it to the next.
 */
#include <errno.h>
#include <pthread.h>

#include "lib/api/api.h"
#include "lib/api/attempts.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { FAILS_MAX = 10, FAILS_WINDOW_S = 60, LOGINS_WINDOW_S = 15 * 60, ARGON_WAIT_US = 500000 };

static int64_t
now_s(void)
{
	return clock_mono_us() / 1000000 + 1;   /* never 0 */
}

static bool
taken(pthread_mutex_t *m, int rc)
{
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(m);       /* it guards no data */
	return rc == 0;
}

bool
argon_enter(bool may_wait)
{
	struct timespec until;
	bool good;

	if (shm == NULL || taken(&shm->argon, pthread_mutex_trylock(&shm->argon)))
		return true;
	if (!may_wait || !taken(&shm->argon_next, pthread_mutex_trylock(&shm->argon_next)))
		return false;
	until = timespec_of_us(clock_mono_us() + ARGON_WAIT_US);
	good = taken(&shm->argon, pthread_mutex_clocklock(&shm->argon, CLOCK_MONOTONIC, &until));
	pthread_mutex_unlock(&shm->argon_next);
	return good;
}

void
argon_leave(void)
{
	if (shm != NULL)
		pthread_mutex_unlock(&shm->argon);
}

bool
failures_many(const char *peer)
{
	return shm != NULL && tally(shm->authfail, peer_key(peer), FAILS_WINDOW_S, now_s(), false) >= FAILS_MAX;
}

void
failures_count(const char *peer)
{
	if (shm != NULL)
		(void)tally(shm->authfail, peer_key(peer), FAILS_WINDOW_S, now_s(), true);
}

static enum err
too_many(struct ctx *c, unsigned retry_after_s)
{
	ignore_err(fail(c, ERR_RATE_LIMITED, "Too many login attempts. Please wait before trying again."));
	c->fault.retry_after_s = retry_after_s;
	return ERR_RATE_LIMITED;
}

enum err
auth_attempt(struct ctx *c, const char *peer)
{
	return failures_many(peer) ? too_many(c, FAILS_WINDOW_S) : ERR_OK;
}

enum err
auth_failed(struct ctx *c, const char *peer, const char *why)
{
	failures_count(peer);
	return fail(c, ERR_UNAUTHORIZED, "%s", why);
}

enum err
login_limit_check(struct ctx *c, const char *peer)
{
	unsigned most = c->cfg->logins_per_ip;

	if (shm == NULL || most == 0 || tally(shm->logins, peer_key(peer), LOGINS_WINDOW_S, now_s(), true) <= most)
		return ERR_OK;
	return too_many(c, LOGINS_WINDOW_S);
}

enum err
auth_busy(struct ctx *c, const char *peer)
{
	ignore_err(fail(c, ERR_RATE_LIMITED, "Too many attempts. Please wait before trying again."));
	c->fault.retry_after_s = failures_many(peer) ? FAILS_WINDOW_S : 1;
	return ERR_RATE_LIMITED;
}

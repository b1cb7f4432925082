/*
 * The list of running and waiting turns, and a table of it by session.
 *
 * One mutex guards both: it is held for a look at one session, or for a walk over
 * what runs at this moment where that is asked for, never while anything is done. The oldest waiter of
 * a session is woken when its holder leaves.
 */
#include "daemon/running.h"

#include <string.h>
#include <time.h>

#include "daemon/threads.h"
#include "daemon/turn.h"
#include "lib/base/util.h"

enum { TABLE = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct running *all, **end = &all;       /* oldest first */
static struct running *table[TABLE];            /* so are these */
static bool closing;                            /* whoever comes now goes at once: it is for the next start */

static struct running **
slot_of(const char *session_id)
{
	uint32_t h = 2166136261u;

	for (; *session_id != '\0'; session_id++)
		h = (h ^ (uint8_t)*session_id) * 16777619u;
	return &table[h % TABLE];
}

static bool
taken(const char *session_id, const struct running *before)
{
	for (const struct running *r = *slot_of(session_id); r != NULL && r != before; r = r->after)
		if (strcmp(r->session_id, session_id) == 0)
			return true;
	return false;
}

static void
append(struct running *r)
{
	struct running **slot = slot_of(r->session_id);

	while (*slot != NULL)
		slot = &(*slot)->after;
	r->after = NULL;
	*slot = r;
	r->next = NULL;
	r->back = end;
	*end = r;
	end = &r->next;
}

static void
remove_entry(struct running *r)
{
	struct running **slot = slot_of(r->session_id);

	if (r->back == NULL)
		return;
	while (*slot != r)
		slot = &(*slot)->after;
	*slot = r->after;
	*r->back = r->next;
	if (r->next != NULL)
		r->next->back = r->back;
	else
		end = r->back;
	r->back = NULL;
}

/* r stands where a place was kept for its turn. */
static bool
take_place(struct running *r)
{
	struct running **slot = slot_of(r->session_id), *p;

	while (*slot != NULL && (*slot == r || strcmp((*slot)->turn_id, r->turn_id) != 0))
		slot = &(*slot)->after;
	p = *slot;
	if (p == NULL || strcmp(p->session_id, r->session_id) != 0)
		return false;
	*slot = r;
	r->after = p->after;
	r->next = p->next;
	r->back = p->back;
	*r->back = r;
	if (r->next != NULL)
		r->next->back = &r->next;
	else
		end = &r->next;
	p->back = NULL;
	return true;
}

void
running_keep(struct running *place)
{
	pthread_mutex_lock(&lock);
	pthread_cond_init(&place->wake, NULL);
	place->active = false;
	append(place);
	pthread_mutex_unlock(&lock);
}

bool
running_try(struct running *r)
{
	bool placed, free_now;

	pthread_mutex_lock(&lock);
	placed = take_place(r);
	free_now = !taken(r->session_id, placed ? r : NULL);
	if (free_now) {
		pthread_cond_init(&r->wake, NULL);
		r->active = true;
		if (!placed)
			append(r);
		if (closing)
			cancel_now(r->cancel, CANCEL_SHUTDOWN);
	}
	pthread_mutex_unlock(&lock);
	return free_now;
}

/* A cancel that comes from a closed connection does not know this list: look ten times a second. */
static void
doze(struct running *r)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 100 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_clockwait(&r->wake, &lock, CLOCK_MONOTONIC, &until);
}

static bool
gives_up(const struct running *r)
{
	return cancelled(r->cancel) || (r->until_us != 0 && clock_mono_us() >= r->until_us);
}

bool
running_wait(struct running *r)
{
	threads_rest();
	pthread_mutex_lock(&lock);
	pthread_cond_init(&r->wake, NULL);
	r->active = false;
	if (r->back == NULL)
		append(r);
	if (closing)
		cancel_now(r->cancel, CANCEL_SHUTDOWN);
	while (taken(r->session_id, r) && !gives_up(r))
		doze(r);
	r->active = !gives_up(r);
	pthread_mutex_unlock(&lock);
	if (!r->active)
		running_leave(r);
	return r->active;
}

void
running_leave(struct running *r)
{
	pthread_mutex_lock(&lock);
	remove_entry(r);
	for (struct running *w = *slot_of(r->session_id); w != NULL; w = w->after)
		if (!w->active && strcmp(w->session_id, r->session_id) == 0) {
			pthread_cond_signal(&w->wake);
			break;
		}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&r->wake);
}

static _Atomic unsigned places;

bool
running_place(unsigned most)
{
	if (atomic_fetch_add(&places, 1) < most)
		return true;
	atomic_fetch_sub(&places, 1);
	return false;
}

void
running_place_back(void)
{
	atomic_fetch_sub(&places, 1);
}

unsigned
turns_cancel(const char *agent_id, const char *session_id, int why)
{
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	closing |= agent_id == NULL && why == CANCEL_SHUTDOWN;
	for (struct running *r = all; r != NULL; r = r->next) {
		if (agent_id != NULL && strcmp(r->agent_id, agent_id) != 0)
			continue;
		if (session_id != NULL && strcmp(r->session_id, session_id) != 0)
			continue;
		cancel_now(r->cancel, why);
		pthread_cond_signal(&r->wake);
		n++;
	}
	pthread_mutex_unlock(&lock);
	if (n > 0)
		lanes_look();
	return n;
}

static bool
busy_locked(const char *agent_id)
{
	for (const struct running *r = all; r != NULL; r = r->next)
		if (agent_id == NULL || strcmp(r->agent_id, agent_id) == 0)
			return true;
	return false;
}

bool
turns_busy(const char *agent_id)
{
	bool busy;

	pthread_mutex_lock(&lock);
	busy = busy_locked(agent_id);
	pthread_mutex_unlock(&lock);
	return busy;
}

unsigned
turns_count(const char *agent_id)
{
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (const struct running *r = all; r != NULL; r = r->next)
		n += strcmp(r->agent_id, agent_id) == 0;
	pthread_mutex_unlock(&lock);
	return n;
}

bool
turns_wait_idle(const char *agent_id, unsigned timeout_ms)
{
	struct timespec until;
	bool busy;
	int rc = 0;

	threads_rest();
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	while ((busy = busy_locked(agent_id)) && rc == 0)
		rc = pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &until);
	pthread_mutex_unlock(&lock);
	return !busy;
}

/* --- what is said into running turns --------------------------------------------------- */

unsigned
running_turns(const char *agent_id, const char *session_id, char (*ret)[37], unsigned max)
{
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (const struct running *r = all; r != NULL && n < max; r = r->next)
		if (r->active && strcmp(r->agent_id, agent_id) == 0 &&
		    (session_id == NULL || strcmp(r->session_id, session_id) == 0))
			memcpy(ret[n++], r->turn_id, 37);
	pthread_mutex_unlock(&lock);
	return n;
}

bool
running_nudge(const char *turn_id)
{
	bool told = false;

	pthread_mutex_lock(&lock);
	for (struct running *r = all; r != NULL && !told; r = r->next)
		if (strcmp(r->turn_id, turn_id) == 0 && !r->closed)
			told = r->injected = true;
	pthread_mutex_unlock(&lock);
	return told;
}

bool
running_nudged(struct running *r, bool last)
{
	bool was;

	pthread_mutex_lock(&lock);
	was = r->injected;
	r->injected = false;
	r->closed = r->closed || (last && !was);
	pthread_mutex_unlock(&lock);
	return was;
}

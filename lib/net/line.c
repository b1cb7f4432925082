/*
 * The pool of idle lines, and waking a line that runs.
 *
 * Cancelling races with the end of the call: the multi handle may be given
 * back while somebody wants to wake it. So a waker holds wake_lock from reading the pointer
 * until the wakeup is sent, and the call's thread takes the same lock to clear it. The
 * other order (attach, then look at why; set why, then look for a multi) is safe because
 * both are sequentially consistent: one of the two sees the other.
 */
#include "lib/net/line.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lib/base/util.h"

enum { LOOK_MS = 100 };

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;        /* somebody was cancelled */
static struct cancel_watch *watches;    /* under wake_lock */
static struct line *idle;               /* the newest first */
static unsigned n_idle;

void
cancel_now(struct cancel *k, int why)
{
	int none = CANCEL_NO;
	CURLM *m;

	if (!atomic_compare_exchange_strong(&k->why, &none, why))
		return;
	pthread_mutex_lock(&wake_lock);
	pthread_cond_broadcast(&woken);
	m = atomic_load(&k->multi);
	if (m != NULL)
		(void)curl_multi_wakeup(m);     /* fails only for want of memory: then the poll's slice ends it */
	for (struct cancel_watch *w = watches; w != NULL; w = w->next)
		if (w->k == k && w->fd >= 0)
			(void)eventfd_write(w->fd, 1);
	pthread_mutex_unlock(&wake_lock);
}

bool
cancel_wait(const struct cancel *k, int64_t ms)
{
	struct timespec until = timespec_of_us(clock_mono_us() + ms * 1000);

	pthread_mutex_lock(&wake_lock);
	while (!cancelled(k) && pthread_cond_clockwait(&woken, &wake_lock, CLOCK_MONOTONIC, &until) == 0)
		;
	pthread_mutex_unlock(&wake_lock);
	return !cancelled(k);
}

void
cancel_watch(struct cancel_watch *w, const struct cancel *k)
{
	*w = (struct cancel_watch){ .fd = k != NULL ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1, .k = k };
	pthread_mutex_lock(&wake_lock);
	w->next = watches;
	watches = w;
	pthread_mutex_unlock(&wake_lock);
}

void
cancel_unwatch(struct cancel_watch *w)
{
	struct cancel_watch **at = &watches;

	pthread_mutex_lock(&wake_lock);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	pthread_mutex_unlock(&wake_lock);
	scoped_fd_close(&w->fd);
}

int
cancel_watch_ms(const struct cancel_watch *w, int64_t until_us)
{
	int64_t ms = (until_us - clock_mono_us() + 999) / 1000, most = w->fd >= 0 || w->k == NULL ? INT_MAX : LOOK_MS;

	return ms < 0 ? 0 : ms < most ? (int)ms : (int)most;
}

void
cancel_attach(struct cancel *k, CURLM *m)
{
	if (k != NULL)
		atomic_store(&k->multi, m);
}

void
cancel_detach(struct cancel *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&wake_lock);
	atomic_store(&k->multi, NULL);
	pthread_mutex_unlock(&wake_lock);
}

static void
line_free(struct line *l)
{
	if (l->easy != NULL)
		curl_easy_cleanup(l->easy);
	if (l->multi != NULL)
		curl_multi_cleanup(l->multi);
	free(l);
}

static void
free_all(struct line *l)
{
	while (l != NULL) {
		struct line *next = l->next;

		line_free(l);
		l = next;
	}
}

/* Under the lock: take out what is idle since before, to be freed outside. */
static struct line *
take_stale(int64_t before_us)
{
	struct line *stale = NULL, **p = &idle;

	while (*p != NULL) {
		struct line *l = *p;

		if (l->idle_us >= before_us) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		n_idle--;
		l->next = stale;
		stale = l;
	}
	return stale;
}

static struct line *
line_new(const uint8_t key[static 32])
{
	struct line *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	memcpy(l->key, key, sizeof(l->key));
	l->easy = curl_easy_init();
	l->multi = curl_multi_init();
	if (l->easy == NULL || l->multi == NULL) {
		line_free(l);
		return NULL;
	}
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 1L);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return l;
}

struct line *
line_take(const uint8_t key[static 32])
{
	struct line *stale, *found = NULL;

	pthread_mutex_lock(&pool_lock);
	stale = take_stale(clock_mono_us() - LINE_IDLE_S * 1000000ll);
	for (struct line **p = &idle; *p != NULL; p = &(*p)->next)
		if (memcmp((*p)->key, key, sizeof((*p)->key)) == 0) {
			found = *p;
			*p = found->next;
			n_idle--;
			break;
		}
	pthread_mutex_unlock(&pool_lock);
	free_all(stale);
	return found != NULL ? found : line_new(key);
}

void
line_give(struct line *l, bool broken)
{
	if (l == NULL)
		return;
	l->idle_us = clock_mono_us();
	if (!broken) {
		pthread_mutex_lock(&pool_lock);
		if (n_idle < LINES_IDLE_MAX) {
			l->next = idle;
			idle = l;
			n_idle++;
			l = NULL;
		}
		pthread_mutex_unlock(&pool_lock);
	}
	if (l != NULL)
		line_free(l);
}

void
lines_sweep(void)
{
	struct line *stale;

	pthread_mutex_lock(&pool_lock);
	stale = take_stale(clock_mono_us() - LINE_IDLE_S * 1000000ll);
	pthread_mutex_unlock(&pool_lock);
	free_all(stale);
}

void
lines_done(void)
{
	struct line *all;

	pthread_mutex_lock(&pool_lock);
	all = take_stale(INT64_MAX);
	pthread_mutex_unlock(&pool_lock);
	free_all(all);
}

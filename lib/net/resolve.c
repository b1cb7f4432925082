/*
 * The resolver: one detached thread per name that is being looked up.
 *
 * The difficult thing is ownership. A lookup is counted: its thread holds one
 * reference, every waiting caller another, and whoever lets go last frees it. So a caller
 * may leave at any moment, and a thread that hangs in the C library for
 * minutes harms nobody; there are at most RESOLVE_THREADS of them.
 */
#include "lib/net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/base/util.h"

enum {
	KEPT = 128,                     /* slots of the cache */
	THREAD_STACK = 256 * 1024,      /* getaddrinfo is fond of alloca */
	SLICE_US = 50000,               /* how often a waiter looks at its cancel */
};

struct lookup {
	struct lookup *next;            /* list of those that run */
	char host[HOST_MAX];
	unsigned refs;
	bool done;
	int rc;                         /* 0 or EAI_ */
	struct addrs found;
	pthread_cond_t ready;
};

struct kept {
	char host[HOST_MAX];
	int64_t until_us;
	struct addrs found;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *running;
static unsigned threads;
static struct kept kept[KEPT];
static int (*other_lookup)(const char *, struct addrs *);

void
resolve_with(int (*fn)(const char *, struct addrs *))
{
	pthread_mutex_lock(&lock);
	other_lookup = fn;
	pthread_mutex_unlock(&lock);
	resolve_forget();
}

void
resolve_forget(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < KEPT; i++)
		kept[i].until_us = 0;
	pthread_mutex_unlock(&lock);
}

static struct kept *
slot_of(const char *host)
{
	uint32_t h = 2166136261u;

	for (; *host != '\0'; host++)
		h = (h ^ (uint8_t)*host) * 16777619u;
	return &kept[h % KEPT];
}

static bool
add_addr(struct addrs *a, const struct sockaddr *sa)
{
	const void *bytes;
	char t[46];

	if (sa->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else
		return true;
	if (inet_ntop(sa->sa_family, bytes, t, sizeof(t)) == NULL)
		return true;
	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(a->text[i], t) == 0)
			return true;
	memcpy(a->text[a->n++], t, sizeof(t));
	return a->n < ADDRS_MAX;
}

static int
ask_system(const char *host, struct addrs *found)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &list);

	if (rc != 0)
		return rc;
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		if (!add_addr(found, ai->ai_addr))
			break;
	freeaddrinfo(list);
	return found->n > 0 ? 0 : EAI_NODATA;
}

/* Under the lock. */
static void
let_go(struct lookup *l)
{
	if (--l->refs > 0)
		return;
	pthread_cond_destroy(&l->ready);
	free(l);
}

static void
unlink_lookup(struct lookup *l)
{
	for (struct lookup **p = &running; *p != NULL; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

static void *
look_up(void *arg)
{
	struct lookup *l = arg;
	struct addrs found = { 0 };
	int (*fn)(const char *, struct addrs *);
	int rc;

	pthread_mutex_lock(&lock);
	fn = other_lookup;
	pthread_mutex_unlock(&lock);
	rc = fn != NULL ? fn(l->host, &found) : ask_system(l->host, &found);

	pthread_mutex_lock(&lock);
	l->rc = rc;
	l->found = found;
	l->done = true;
	threads--;
	unlink_lookup(l);
	if (rc == 0) {
		struct kept *k = slot_of(l->host);

		memcpy(k->host, l->host, sizeof(k->host));
		k->found = found;
		k->until_us = clock_mono_us() + RESOLVE_KEEP_S * 1000000ll;
	}
	pthread_cond_broadcast(&l->ready);
	let_go(l);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static bool
start_thread(struct lookup *l)
{
	pthread_attr_t at;
	pthread_t id;
	sigset_t all, old;
	int rc;

	if (pthread_attr_init(&at) != 0)
		return false;
	(void)pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&at, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);       /* signals are for the process's own threads */
	rc = pthread_create(&id, &at, look_up, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&at);
	return rc == 0;
}

/* Under the lock: a lookup of host, joined or begun, with a reference for the caller. */
static enum err
lookup_of(const char *host, struct lookup **ret)
{
	pthread_condattr_t ca;
	struct lookup *l;

	for (l = running; l != NULL; l = l->next)
		if (strcmp(l->host, host) == 0) {
			l->refs++;
			*ret = l;
			return ERR_OK;
		}
	if (threads >= RESOLVE_THREADS)
		return ERR_TIMEOUT;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ERR_NOMEM;
	memcpy(l->host, host, strlen(host) + 1);
	pthread_condattr_init(&ca);
	(void)pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&l->ready, &ca);
	pthread_condattr_destroy(&ca);
	l->refs = 2;
	if (!start_thread(l)) {
		l->refs = 1;
		let_go(l);
		return ERR_NOMEM;
	}
	threads++;
	l->next = running;
	running = l;
	*ret = l;
	return ERR_OK;
}

/* Under the lock: wait until it is done, the time is up, or the caller is cancelled. */
static enum err
wait_for(struct lookup *l, int64_t deadline_us, const struct cancel *k)
{
	while (!l->done) {
		int64_t now = clock_mono_us(), until = now + SLICE_US;
		struct timespec ts;

		if (cancelled(k))
			return ERR_CANCELLED;
		if (now >= deadline_us)
			return ERR_TIMEOUT;
		if (until > deadline_us)
			until = deadline_us;
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += (until - now) * 1000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&l->ready, &lock, &ts);
	}
	return ERR_OK;
}

static const char *
why_not(int rc)
{
	switch (rc) {
	case EAI_NONAME: case EAI_NODATA:
		return "no such host name";
	case EAI_AGAIN:
		return "the name server does not answer";
	default:
		return "the name could not be resolved";
	}
}

enum err
resolve(const char *host, int64_t deadline_us, const struct cancel *k, struct addrs *ret, const char **why)
{
	char name[HOST_MAX];
	size_t n = strlen(host);
	struct kept *slot;
	struct lookup *l;
	enum err e;

	*why = "the name could not be resolved";
	if (n == 0 || n >= sizeof(name))
		return ERR_UPSTREAM;
	for (size_t i = 0; i <= n; i++)
		name[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 32) : host[i];

	pthread_mutex_lock(&lock);
	slot = slot_of(name);
	if (slot->until_us > clock_mono_us() && strcmp(slot->host, name) == 0) {
		*ret = slot->found;
		pthread_mutex_unlock(&lock);
		return ERR_OK;
	}
	e = lookup_of(name, &l);
	if (e == ERR_OK) {
		pthread_mutex_unlock(&lock);
		http_waits();
		pthread_mutex_lock(&lock);
		e = wait_for(l, deadline_us, k);
		if (e == ERR_OK && l->rc == 0)
			*ret = l->found;
		else if (e == ERR_OK) {
			*why = why_not(l->rc);
			e = ERR_UPSTREAM;
		}
		let_go(l);
	} else if (e == ERR_TIMEOUT) {
		*why = "too many host names are being resolved";
	}
	pthread_mutex_unlock(&lock);
	return e;
}

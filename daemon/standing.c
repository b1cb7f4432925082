/*
 * A list of what is open, with a number for what let each of them in.
 */
#include "daemon/standing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf.h"
#include "daemon/conn.h"
#include "lib/api/api.h"

struct standing {
	struct standing *prev, *next;
	struct live *live;
	struct caller who;
	uint64_t mark;
	char name[];
};

static struct {
	pthread_mutex_t mu;
	struct standing *head;
} all = { .mu = PTHREAD_MUTEX_INITIALIZER };

struct standing *
standing_begin(struct live *l, struct ctx *c)
{
	size_t n = c->who != NULL && c->who->name != NULL ? strlen(c->who->name) + 1 : 0;
	struct standing *s = n > 0 ? calloc(1, sizeof(*s) + n) : NULL;

	if (s == NULL)
		return NULL;
	memcpy(s->name, c->who->name, n);
	s->who = *c->who;
	s->who.name = s->name;
	s->live = l;
	s->mark = auth_mark(c->cfg, &s->who);
	pthread_mutex_lock(&all.mu);
	s->next = all.head;
	if (all.head != NULL)
		all.head->prev = s;
	all.head = s;
	pthread_mutex_unlock(&all.mu);
	return s;
}

void
standing_end(struct standing *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&all.mu);
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		all.head = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	pthread_mutex_unlock(&all.mu);
	free(s);
}

/* A hold, unless the last one is just being given back. */
static bool
hold(struct live *l)
{
	unsigned n = atomic_load(&l->holds);

	while (n > 0)
		if (atomic_compare_exchange_weak(&l->holds, &n, n + 1))
			return true;
	return false;
}

unsigned
standing_of(const char *user)
{
	unsigned n = 0;

	pthread_mutex_lock(&all.mu);
	for (struct standing *s = all.head; s != NULL; s = s->next) {
		pthread_mutex_lock(&s->live->mu);
		n += strcmp(s->name, user) == 0 && strcmp(s->who.user_id, CALLER_ROOT_ID) != 0 && !s->live->gone && !s->live->ended;
		pthread_mutex_unlock(&s->live->mu);
	}
	pthread_mutex_unlock(&all.mu);
	return n;
}

/* The next that must go, held; NULL: none. */
static struct live *
next_void(const struct config *cfg)
{
	struct live *l = NULL;

	pthread_mutex_lock(&all.mu);
	for (struct standing *s = all.head; l == NULL && s != NULL; s = s->next) {
		if (s->mark == 0 || s->mark == auth_mark(cfg, &s->who) || !hold(s->live))
			continue;
		s->mark = 0;            /* it is told once */
		l = s->live;
	}
	pthread_mutex_unlock(&all.mu);
	return l;
}

void
standing_look(void)
{
	struct conf *k = conf_hold();
	struct live *l;

	while ((l = next_void(conf_of(k))) != NULL) {
		if (l->ws)
			live_ws_close(l, 4401, "the key that opened this holds no longer");      /* LibreFang's dashboard does not come back after it */
		else
			live_break(l);
		live_drop(l);
	}
	conf_drop(k);
}

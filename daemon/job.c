/*
 * A request on its thread: from the bytes to the reply. The story is short
 * because dispatch() tells the long part; here memory, the database connection and the
 * configuration come and go with the job.
 */
#include <stdlib.h>

#include "daemon/conn.h"
#include "daemon/dbpool.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"

enum { ARENA_BYTES = 4032, ARENAS_KEPT = 64 };   /* with malloc's own, a page */

static struct {
	pthread_mutex_t mu;
	struct arena *all[ARENAS_KEPT];
	unsigned n;
} arenas = { .mu = PTHREAD_MUTEX_INITIALIZER };

struct arena *
job_arena(void)
{
	struct arena *a = NULL;

	pthread_mutex_lock(&arenas.mu);
	if (arenas.n > 0)
		a = arenas.all[--arenas.n];
	pthread_mutex_unlock(&arenas.mu);
	return a != NULL ? a : arena_new(ARENA_BYTES);
}

void
job_arena_back(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	pthread_mutex_lock(&arenas.mu);
	if (arenas.n < ARENAS_KEPT) {
		arenas.all[arenas.n++] = a;
		a = NULL;
	}
	pthread_mutex_unlock(&arenas.mu);
	arena_free(a);
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	live_drop(j->live);
	buf_done(&j->body);
	conf_drop(j->conf);
	job_arena_back(j->arena);
	free(j);
}

void
ctx_for(struct ctx *c, struct job *j)
{
	*c = (struct ctx){ .arena = j->arena, .cfg = conf_of(j->conf), .now_ms = clock_ms() };
	for (size_t i = 0; i < sizeof(c->rid); i++)
		c->rid[i] = j->rid[i];
}

void
job_run(void *arg)
{
	struct job *j = arg;
	struct reply r;
	struct ctx c;
	uint64_t us;

	ctx_for(&c, j);
	job_db_acquire(&c);
	catalog_mend(&c);
	r = dispatch(&c, &j->rq, LIVE);
	job_db_release(&c);
	us = (uint64_t)(clock_mono_us() - j->began_us);
	metrics_count(j->rq.route, r.status, us);
	request_note(&c, &j->rq, &r, us);
	live_finish(j->live, &j->rq, &c, &r);
	job_free(j);
}

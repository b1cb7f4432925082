/*
 * Lending connections. The one given back last is lent first: its cache is
 * warm. A connection per thread would cost two hundred megabytes at a thousand threads.
 */
#include "daemon/dbpool.h"

#include <pthread.h>
#include <stdio.h>

#include "db/db.h"

static struct {
	pthread_mutex_t mu;
	pthread_cond_t back;
	struct db *idle[DBPOOL_MAX];
	unsigned n_idle, n_open;
	bool ending;
	char path[4096 + 64];
} pool = { .mu = PTHREAD_MUTEX_INITIALIZER, .back = PTHREAD_COND_INITIALIZER };

enum err
dbpool_init(const char *path)
{
	struct db *first;
	enum err e = db_open(&first, path, false);

	if (e != ERR_OK)
		return e;
	pthread_mutex_lock(&pool.mu);
	snprintf(pool.path, sizeof(pool.path), "%s", path);
	pool.ending = false;
	pool.n_open++;
	pool.idle[pool.n_idle++] = first;
	pthread_mutex_unlock(&pool.mu);
	return ERR_OK;
}

/* One more, if the engine lets us; called and returns with the lock. */
static struct db *
open_more(void)
{
	struct db *db = NULL;
	enum err e;

	pool.n_open++;
	pthread_mutex_unlock(&pool.mu);
	e = db_open(&db, pool.path, false);
	pthread_mutex_lock(&pool.mu);
	if (e == ERR_OK)
		return db;
	pool.n_open--;
	return NULL;
}

struct db *
dbpool_take(void)
{
	struct db *db = NULL;
	bool tried = false;

	pthread_mutex_lock(&pool.mu);
	while (db == NULL) {
		if (pool.n_idle > 0) {
			db = pool.idle[--pool.n_idle];
		} else if (!tried && pool.n_open < DBPOOL_MAX) {
			tried = true;
			db = open_more();
		} else {
			pthread_cond_wait(&pool.back, &pool.mu);
		}
	}
	pthread_mutex_unlock(&pool.mu);
	return db;
}

void
dbpool_put(struct db *db)
{
	if (db == NULL)
		return;
	db_settle(db);
	pthread_mutex_lock(&pool.mu);
	if (!pool.ending) {
		pool.idle[pool.n_idle++] = db;
		db = NULL;
	} else {
		pool.n_open--;
	}
	pthread_cond_signal(&pool.back);
	pthread_mutex_unlock(&pool.mu);
	db_close(db);
}

void
dbpool_rest(void)
{
	pthread_mutex_lock(&pool.mu);
	for (unsigned i = 0; i < pool.n_idle; i++)
		db_rest(pool.idle[i]);
	pthread_mutex_unlock(&pool.mu);
}

unsigned
dbpool_open_count(void)
{
	unsigned n;

	pthread_mutex_lock(&pool.mu);
	n = pool.n_open;
	pthread_mutex_unlock(&pool.mu);
	return n;
}

void
dbpool_done(void)
{
	struct db *idle[DBPOOL_MAX];
	unsigned n;

	pthread_mutex_lock(&pool.mu);
	pool.ending = true;
	n = pool.n_idle;
	for (unsigned i = 0; i < n; i++)
		idle[i] = pool.idle[i];
	pool.n_idle = 0;
	pool.n_open -= n;
	pthread_mutex_unlock(&pool.mu);
	while (n > 0)
		db_close(idle[--n]);
}

void
job_db_release(struct ctx *c)
{
	struct db *db = c->db;

	c->db = NULL;
	dbpool_put(db);
}

void
job_db_acquire(struct ctx *c)
{
	if (c->db == NULL)
		c->db = dbpool_take();
}

/*
 * Configuration snapshots, counted. The lock guards only the pointer to the
 * current one, so taking a hold costs no more than a counter.
 */
#include "daemon/conf.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/shm.h"
#include "lib/base/util.h"

struct conf {
	struct config *cfg;
	_Atomic unsigned holds;
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t another = PTHREAD_COND_INITIALIZER;       /* one was made current */
static struct conf *current;

const struct config *
conf_of(const struct conf *k)
{
	return k == NULL ? NULL : k->cfg;
}

void
conf_drop(struct conf *k)
{
	if (k == NULL || atomic_fetch_sub(&k->holds, 1) != 1)
		return;
	config_free(k->cfg);
	free(k);
}

struct conf *
conf_again(struct conf *k)
{
	if (k != NULL)
		atomic_fetch_add(&k->holds, 1);
	return k;
}

struct conf *
conf_hold(void)
{
	struct conf *k;

	pthread_mutex_lock(&mu);
	k = conf_again(current);
	pthread_mutex_unlock(&mu);
	return k;
}

static void
make_current(struct conf *k)
{
	struct conf *old;

	pthread_mutex_lock(&mu);
	old = current;
	current = k;
	pthread_cond_broadcast(&another);
	pthread_mutex_unlock(&mu);
	conf_drop(old);
}

enum err
conf_load(const char *path)
{
	struct conf *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_NOMEM;
	e = config_load_file(path, &k->cfg);
	if (e != ERR_OK) {
		free(k);
		return e;
	}
	atomic_init(&k->holds, 1);
	make_current(k);
	return ERR_OK;
}

bool
conf_await(uint32_t before, int64_t patience_us)
{
	struct timespec until = timespec_of_us(clock_mono_us() + patience_us);
	int rc = 0;
	bool other;

	pthread_mutex_lock(&mu);
	while (!(other = current != NULL && (int32_t)(current->cfg->generation - before) > 0) && rc == 0)
		rc = pthread_cond_clockwait(&another, &mu, CLOCK_MONOTONIC, &until);
	pthread_mutex_unlock(&mu);
	return other;
}

bool
conf_stale(void)
{
	struct conf *k = conf_hold();
	bool stale = k == NULL || (shm != NULL && atomic_load(&shm->generation) != k->cfg->generation);

	conf_drop(k);
	return stale;
}

void
conf_done(void)
{
	make_current(NULL);
}

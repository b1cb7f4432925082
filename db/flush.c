/*
 * Commits that survive the plug. A commit is in the write-ahead log when it
 * returns, and on the disk when the log has been flushed after that. Those
 * who wait share a flush: one of them does it, for everybody who had committed
 * when it began; who commits meanwhile waits for the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "lib/base/util.h"

static struct {
	pthread_mutex_t mu;
	pthread_cond_t done;
	uint64_t asked, flushed;        /* tickets */
	uint64_t failed_upto;           /* these were not flushed, and may never be */
	bool flushing;
	int fd;
} log = { .mu = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .fd = -1 };

bool
db_flush_open(const char *db_path)
{
	char path[4200];
	int fd;

	if (snprintf(path, sizeof(path), "%s-wal", db_path) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC);
	pthread_mutex_lock(&log.mu);
	if (log.fd >= 0)
		close(log.fd);
	log.fd = fd;
	pthread_mutex_unlock(&log.mu);
	return fd >= 0;
}

/* With the lock; gives it away meanwhile. */
static void
flush(void)
{
	uint64_t upto = log.asked;
	int fd = log.fd, rc;

	log.flushing = true;
	pthread_mutex_unlock(&log.mu);
	while ((rc = fd < 0 ? -1 : fdatasync(fd)) != 0 && errno == EINTR)
		;
	pthread_mutex_lock(&log.mu);
	log.flushing = false;
	log.flushed = upto;
	if (rc != 0)
		log.failed_upto = upto;
	pthread_cond_broadcast(&log.done);
}

enum err
db_flush(struct ctx *c)
{
	uint64_t mine;
	bool good;

	pthread_mutex_lock(&log.mu);
	mine = ++log.asked;
	while (log.flushed < mine)
		if (log.flushing)
			pthread_cond_wait(&log.done, &log.mu);
		else
			flush();
	good = log.failed_upto < mine;
	pthread_mutex_unlock(&log.mu);
	if (good)
		return ERR_OK;
	log_line(LOG_WARN, "rid=%s err=db what=\"the write-ahead log could not be flushed\"", c->rid);
	c->fault = (struct fault){ .err = ERR_UNAVAILABLE, .msg = "Service unavailable", .retry_after_s = 1 };
	return ERR_UNAVAILABLE;
}

/*
 * The daemon's database connections: at most four, opened when wanted, lent
 * to one thread at a time. Nobody holds one while waiting for anything but the store.
 */
#ifndef LF_DBPOOL_H
#define LF_DBPOOL_H
#include "lib/base/base.h"

enum { DBPOOL_MAX = 4 };

/* Opens the first one; it stays, so that taking one cannot fail. Errors: those of db_open(). */
enum err dbpool_init(const char *path) MUST_CHECK;
/* A connection, never NULL; waits until one is free. */
struct db *dbpool_take(void);
void dbpool_put(struct db *);                   /* NULL is fine */
unsigned dbpool_open_count(void);
/* Close the idle ones. Those still lent are closed when they come back. */
void dbpool_rest(void);                 /* those that are idle give back their pages */
void dbpool_done(void);

/* For handlers: give c->db back before a long wait, take one again after it. Both may be said twice. */
void job_db_release(struct ctx *);
void job_db_acquire(struct ctx *);
#endif

/*
 * The daemon's view of the configuration. A reload makes a new one the
 * current; who has a hold of an older one may go on reading it.
 */
#ifndef LF_CONF_H
#define LF_CONF_H
#include "lib/svc/config.h"

struct conf;

/* Load <run>/config.json as the current one. On failure the last good one stays. */
enum err conf_load(const char *path) MUST_CHECK;
/* Is the snapshot that shared memory speaks of another than the current one? */
bool conf_stale(void);
/* Wait until the current one is of a later generation; false: none came in that time. */
bool conf_await(uint32_t generation, int64_t patience_us);
/* A hold on the current one; never NULL after a conf_load() that succeeded. Any thread. */
struct conf *conf_hold(void);
struct conf *conf_again(struct conf *);         /* one more hold */
void conf_drop(struct conf *);                  /* NULL is fine */
const struct config *conf_of(const struct conf *);
void conf_done(void);                           /* the current one, at the end */
#endif

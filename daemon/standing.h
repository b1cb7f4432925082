/*
 * Who stands behind open streams and sockets. A request is asked once who it is; what stays open for hours is looked at again when
 * the configuration changes, and ends with the key or the role that it came in by.
 */
#ifndef LF_STANDING_H
#define LF_STANDING_H
#include "daemon/live.h"
#include "lib/svc/caller.h"

struct standing;

/* l is open for c->who. NULL: nobody to look at again, or no memory. Any thread. */
struct standing *standing_begin(struct live *l, struct ctx *c);
void standing_end(struct standing *);           /* NULL is fine; when l has no holder any more */
/* How many of them are that user's, and open. */
unsigned standing_of(const char *user);
/* The configuration is another one: end those who would not be let in as they were. */
void standing_look(void);
#endif

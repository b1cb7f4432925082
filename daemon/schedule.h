/*
 * The scheduler: agents whose manifest has a `schedule` act when their slot is due (lib/svc/schedule.h).
 */
#ifndef LF_DAEMON_SCHEDULE_H
#define LF_DAEMON_SCHEDULE_H
#include "lib/base/base.h"

/* Boot, before the loop runs: rows follow the manifests. */
enum err schedule_boot(struct ctx *) MUST_CHECK;
/* The loop runs: begin. */
void schedule_start(void);
/* Any thread: rows have changed, look now. */
void schedule_look(void);
#endif

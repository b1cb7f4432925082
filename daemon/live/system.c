/*
 * Stopping the server: the supervisor is told, and ends everything in order.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/live.h"
#include "lib/api/api.h"
#include "lib/base/util.h"

struct reply system_shutdown(struct ctx *, const struct request *);

struct reply
system_shutdown(struct ctx *c, const struct request *rq)
{
	const char *pid = getenv("LF_SUPERVISOR_PID");
	pid_t whom = pid != NULL ? (pid_t)atoi(pid) : getppid();
	struct reply r = reply_words(c, 200, "status", "shutting_down", NULL);

	(void)rq;
	if (r.status != 200)            /* who could not be answered is not obeyed */
		return r;
	log_line(LOG_INFO, "rid=%s what=shutdown by=%s", c->rid, c->who->name);
	/* ends are graceful: this answer is written before the connection goes */
	if (whom <= 1 || kill(whom, SIGTERM) != 0) {
		ignore_err(fail(c, ERR_INTERNAL, "the supervisor cannot be told"));
		return reply_fail(c);
	}
	return r;
}

/*
 * A session as others may have it: without credentials, paths of this machine and the bytes of pictures.
 */
#ifndef LF_TRAJECTORY_H
#define LF_TRAJECTORY_H
#include "lib/svc/agent.h"
#include "lib/svc/history.h"

/* As one document, or (lines) as lines of JSON: the metadata, then each message. */
enum err trajectory_write(struct ctx *, const struct agent *, const struct session *, bool lines, struct buf *) MUST_CHECK;
#endif

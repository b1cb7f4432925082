/*
 * What the rows of the system say, for answers that hold it as a part.
 */
#ifndef LF_HANDLERS_SYSTEM_H
#define LF_HANDLERS_SYSTEM_H
#include "lib/api/api.h"

/* Members of the open object: those of GET /api/health; the place and the defaults of GET /api/status. */
void system_write_health(struct ctx *, struct jw *);
void system_write_place(struct ctx *, struct jw *);
#endif

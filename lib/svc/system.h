/*
 * The installation as a whole: is it well, what does it use, what has it spent.
 */
#ifndef LF_SYSTEM_H
#define LF_SYSTEM_H
#include "lib/base/json.h"

/* Does the store answer? */
bool system_db_ok(struct ctx *);
/* Seconds since the supervisor started; of this process when there is no segment. */
int64_t system_uptime_s(const struct ctx *);
/* Resident memory of all processes of this installation in MB, a few seconds old; -1: unknown. */
int64_t system_memory_mb(void);
/* All sessions of agents that exist for the caller. */
enum err system_session_count(struct ctx *, int64_t *ret) MUST_CHECK;

struct spend { int64_t hour, day, month; };             /* nano-dollars */
/* The last 60 minutes, since midnight UTC, since the first of the month UTC. */
enum err system_spend(struct ctx *, struct spend *ret) MUST_CHECK;
/* The members of GET /api/health/detail behind the version, into the open object. */
enum err system_write_detail(struct ctx *, bool db_ok, struct jw *) MUST_CHECK;
#endif

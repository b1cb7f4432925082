/*
 * The task board: work that agents put up, take and finish. What was taken and not finished in time goes back; what is finished is kept
 * for a week. An agent sees the tasks of agents that it may see.
 */
#ifndef LF_TASK_H
#define LF_TASK_H
#include "lib/base/json.h"

enum { TASK_TITLE_MAX = 256, TASK_TEXT_MAX = 32768, TASKS_OPEN_MAX = 1000 };

/* RATE_LIMITED: TASKS_OPEN_MAX of that creator's are open. assigned_to: an agent's id or name, or "". */
enum err task_post(struct ctx *, const char *created_by, const char *title, const char *description, const char *assigned_to,
    char ret_id[static 37]) MUST_CHECK;
/* The most urgent, then oldest one that this agent may take is its own from now on, as one change. *ret NULL: there is none. */
enum err task_claim(struct ctx *, const char *agent_id, const char *name, struct json_object **ret) MUST_CHECK;
/* NOT_FOUND; CONFLICT: it is not that agent's at this moment. */
enum err task_complete(struct ctx *, const char *id, const char *agent_id, const char *result) MUST_CHECK;
/* Newest first, at most limit, of that status or (NULL) any, as objects into the open array. */
enum err task_write_list(struct ctx *, const char *status, int64_t limit, struct jw *) MUST_CHECK;
/* One, as an object. NOT_FOUND. */
enum err task_write(struct ctx *, const char *id, struct jw *) MUST_CHECK;
#endif

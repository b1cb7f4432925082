/*
 * The task board: work that agents put up, take and finish. What was taken and not finished in time goes back; what is finished is kept
 * for a week. An agent sees the tasks of agents that it may see.
 */
#ifndef LF_TASK_H
#define LF_TASK_H
#include "lib/base/json.h"

enum { TASK_TITLE_MAX = 256, TASK_TEXT_MAX = 32768, TASKS_OPEN_MAX = 1000, TASK_WAKES_MAX = 12 };

/*
 * RATE_LIMITED: TASKS_OPEN_MAX of that creator's are open. assigned_to: an agent's id or name, who is woken for it, or "". depth: events
 * in a row that led to it.
 */
enum err task_post(struct ctx *, const char *created_by, const char *title, const char *description, const char *assigned_to,
    unsigned depth, char ret_id[static 37]) MUST_CHECK;
/* The most urgent, then oldest one that this agent may take is its own from now on, as one change. *ret NULL: there is none. */
enum err task_claim(struct ctx *, const char *agent_id, const char *name, struct json_object **ret) MUST_CHECK;
/* NOT_FOUND; CONFLICT: it is not that agent's at this moment. */
enum err task_complete(struct ctx *, const char *id, const char *agent_id, const char *result) MUST_CHECK;
/* Newest first, at most limit, of that status or (NULL) any, as objects into the open array. */
enum err task_write_list(struct ctx *, const char *status, int64_t limit, struct jw *) MUST_CHECK;
/* One, as an object. NOT_FOUND. */
enum err task_write(struct ctx *, const char *id, struct jw *) MUST_CHECK;

/* --- task_wake.c: whoever was given a task is woken for it, TASK_WAKES_MAX times at most --- */

struct task_wake { const char *id, *title, *assigned_to; int64_t wake_ms, wakes, depth; };

/* Those whose moment has come: id and wake_ms. *ret_n: how many, at most max. */
enum err tasks_to_wake(struct ctx *, int64_t now_ms, struct task_wake *ret, size_t max, size_t *ret_n) MUST_CHECK;
/* The first moment after that one; INT64_MAX: there is none. */
enum err task_wake_first(struct ctx *, int64_t after_ms, int64_t *ret_ms) MUST_CHECK;
/* NOT_FOUND: the task is taken, or its moment another one. */
enum err task_wake_load(struct ctx *, const char *id, int64_t wake_ms, struct task_wake *ret) MUST_CHECK;
/* Its agent is woken (or not); next_ms: when again, -1: never. CONFLICT task_taken: see above. */
enum err task_wake_set(struct ctx *, const struct task_wake *, bool woken, int64_t next_ms) MUST_CHECK;
/* [task_board]: when again, after so many times; -1: never. */
int64_t task_wake_after(const struct config *, int64_t wakes, int64_t now_ms);
#endif

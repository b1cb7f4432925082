/*
 * Leftovers: directories of agents that are no more. Noted in the transaction that removes the agent, so that somebody
 * removes them for certain.
 */
#ifndef LF_LEFTOVER_H
#define LF_LEFTOVER_H
#include "lib/base/base.h"

/* Noting it twice is fine. */
enum err leftover_add(struct ctx *, const char *dir) MUST_CHECK;
/* Nothing of it is left. */
enum err leftover_drop(struct ctx *, const char *dir) MUST_CHECK;
enum err leftover_has(struct ctx *, const char *dir, bool *ret) MUST_CHECK;
/* All, at most a thousand, in c's arena. */
enum err leftovers(struct ctx *, const char ***ret, size_t *ret_n) MUST_CHECK;
#endif

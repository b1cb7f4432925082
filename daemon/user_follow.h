/*
 * What goes with a user's name: who made which agent, and keys of providers in the vault. It follows the entry in config.toml as
 * underway.h says: once that says the new name, or no such name, the rest is done, if not now then later, or by the next start.
 */
#ifndef LF_USER_FOLLOW_H
#define LF_USER_FOLLOW_H
#include "daemon/config_write.h"

#define USER_NOTE "user.name"

/*
 * Make these changes, by which a user gets another name (NULL: is gone), as config_take(), and let the rest follow.
 * Errors: also those of the vault (vault.h); then nothing is changed.
 */
enum err user_moves(struct ctx *, const char *old, const char *new, const struct config_change *, size_t n) MUST_CHECK;
/* What was left over is done: before a name is given to somebody. */
enum err user_settled(struct ctx *) MUST_CHECK;

/* What the names of a user's secrets begin with; NULL: no memory. */
const char *user_key_prefix(struct ctx *, const char *user);
#endif

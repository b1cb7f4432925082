/* What the handlers of users share. */
#ifndef LF_LIVE_USERS_H
#define LF_LIVE_USERS_H
#include "daemon/config_write.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"

/* BAD_REQUEST: name, role, hash or bindings. */
enum err user_request_check(struct ctx *, const struct user_request *) MUST_CHECK;
/* The change that makes them. */
enum err user_members(struct ctx *, const struct user_request *, struct config_change *ret) MUST_CHECK;
/*
 * Up to 5 changes, behind *n of them, that make u what was asked for. whole: without a hash the key goes. u NULL: of one who is made
 * by an earlier change, and keeps the name.
 */
enum err user_changes(struct ctx *, const struct config_user *u, const struct user_request *, bool whole, struct config_change *, size_t *n) MUST_CHECK;
/* A RoleChange in the audit log, in a transaction of its own. */
void user_note(struct ctx *, const char *what, const char *name, const char *more);
#endif

/*
 * What the rows of users share.
 */
#include <string.h>

#include "lib/api/api.h"
#include "lib/svc/user.h"

enum err
request_user(struct ctx *c, const struct request *rq, const struct config_user **ret)
{
	const struct path_arg *a = path_arg_n(rq, "name");

	*ret = strlen(a->value) == a->n ? user_find(c->cfg, a->value) : NULL;
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOT_FOUND, "user '%.*s' not found", (int)utf8_cut(a->value, strlen(a->value), USER_NAME_MAX), a->value);
}

/* Their clients read "status" first. */
struct reply
reply_fail_user(struct ctx *c)
{
	if (c->fault.extra == NULL)
		c->fault.extra = "\"status\":\"error\"";
	return reply_fail(c);
}

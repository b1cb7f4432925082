/*
 * Users, read: from the configuration, which every worker has.
 */
#include "handlers/handlers.h"
#include "lib/svc/user.h"

struct reply
users_list(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	jw_array(w, NULL);
	for (size_t i = 0; i < c->cfg->n_users; i++)
		user_write(c->cfg, &c->cfg->users[i], w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
users_show(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	struct jw *w = reply_open(c);

	if (request_user(c, rq, &u) != ERR_OK)
		return reply_fail_user(c);
	user_write(c->cfg, u, w);
	return reply_json(c, 200, w);
}

struct reply
users_policy(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	struct jw *w = reply_open(c);

	if (request_user(c, rq, &u) != ERR_OK)
		return reply_fail_user(c);
	user_write_policy(c->cfg, u, w);
	return reply_json(c, 200, w);
}

/* A group of ours gives nobody a role. */
struct reply
users_groups(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	struct jw *w = reply_open(c);

	if (request_user(c, rq, &u) != ERR_OK)
		return reply_fail_user(c);
	jw_object(w, NULL);
	jw_str(w, "name", u->name);
	jw_array(w, "groups");
	user_write_groups(c->cfg, u, w);
	jw_end(w);
	jw_array(w, "roles");
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

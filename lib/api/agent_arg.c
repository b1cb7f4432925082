/*
 * The agent, or the session, that a request names.
 */
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"

enum err
request_agent_id(struct ctx *c, const struct request *rq, char ret[static 37])
{
	const struct path_arg *a = path_arg_n(rq, "id");

	return agent_id_arg(c, a->value, a->n, ret);
}

enum err
request_agent(struct ctx *c, const struct request *rq, struct agent *ret)
{
	char id[37];
	enum err e = request_agent_id(c, rq, id);

	return e == ERR_OK ? agent_load(c, id, ret) : e;
}

enum err
session_id_of(struct ctx *c, const char *text, char ret[static 37])
{
	return uuid_parse(text, ret) ? ERR_OK : fail_code(c, ERR_BAD_REQUEST, "invalid_session_id", "Invalid session ID");
}

enum err
request_session_id(struct ctx *c, const struct request *rq, const char *arg, char ret[static 37])
{
	const struct path_arg *a = path_arg_n(rq, arg);

	return session_id_of(c, strnlen(a->value, a->n + 1) == a->n ? a->value : "", ret);
}

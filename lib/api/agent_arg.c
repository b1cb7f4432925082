/*
 * The agent that a path names.
 */
#include "lib/api/api.h"
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

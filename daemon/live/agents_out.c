/*
 * Rows that need what can not be configured yet: channels to send through, hands that own agents. They
 * check what they are told and say what is missing.
 */
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/agent.h"

struct reply agents_push(struct ctx *, const struct request *);
struct reply agents_hand_config(struct ctx *, const struct request *);
struct reply agents_hand_config_drop(struct ctx *, const struct request *);

struct reply
agents_push(struct ctx *c, const struct request *rq)
{
	const struct push_request *in = rq->body_struct;
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	if (in->channel[0] == '\0' || in->recipient[0] == '\0' || in->message[0] == '\0')
		ignore_err(fail(c, ERR_BAD_REQUEST, "channel, recipient, and message are required"));
	else
		ignore_err(fail_code(c, ERR_NOT_FOUND, "channel_not_found", "Channel '%s' is not configured", in->channel));
	return reply_fail(c);
}

static struct reply
of_no_hand(struct ctx *c, const struct request *rq)
{
	struct agent a;

	if (request_agent(c, rq, &a) == ERR_OK)
		ignore_err(a.is_hand ? fail(c, ERR_CONFLICT, "Hand role not found")
		    : fail(c, ERR_BAD_REQUEST, "agent is not managed by a hand"));
	return reply_fail(c);
}

struct reply
agents_hand_config(struct ctx *c, const struct request *rq)
{
	return of_no_hand(c, rq);
}

struct reply
agents_hand_config_drop(struct ctx *c, const struct request *rq)
{
	return of_no_hand(c, rq);
}

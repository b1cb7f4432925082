/*
 * Key/value memory of agents.
 *
 * A value passes through as text: it is cut out of the request and put into the
 * answer without being parsed.
 */
#include "handlers/handlers.h"
#include "lib/svc/agent.h"
#include "lib/svc/event.h"
#include "lib/svc/kv.h"

/* The agent's id from the path, when the caller may see that memory. */
static enum err
memory_of(struct ctx *c, const struct request *rq, enum memory_right right, char id[static 37])
{
	enum err e = request_agent_id(c, rq, id);

	return e != ERR_OK ? e : kv_may(c, id, right);
}

struct reply
memory_kv_list(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	char id[37];

	if (memory_of(c, rq, MEMORY_READ, id) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "kv_pairs");
	if (kv_write_all(c, id, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memory_kv_show(struct ctx *c, const struct request *rq)
{
	const struct path_arg *key = path_arg_n(rq, "key");
	struct jw *w = reply_open(c);
	const char *json;
	size_t n;
	char id[37];

	if (memory_of(c, rq, MEMORY_READ, id) != ERR_OK ||
	    kv_get(c, id, key->value, key->n, &json, &n) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_strn(w, "key", key->value, key->n);
	jw_raw(w, "value", json, n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
memory_kv_store(struct ctx *c, const struct request *rq)
{
	const struct path_arg *key = path_arg_n(rq, "key");
	const char *value = rq->body;
	size_t n = rq->body_bytes;
	struct jw *w = reply_open(c);
	char id[37];

	(void)json_member_span(rq->body, rq->body_bytes, "value", &value, &n); /* none: the body is the value */
	jw_object(w, NULL);             /* first what may fail, then what stays */
	jw_str(w, "status", "stored");
	jw_strn(w, "key", key->value, key->n);
	jw_end(w);
	if (w->b->failed)
		return reply_json(c, 200, w);
	if (memory_of(c, rq, MEMORY_WRITE, id) != ERR_OK ||
	    kv_put(c, id, key->value, key->n, value, n) != ERR_OK ||
	    event_publish(c, EVENT_MEMORY, id, key->value, key->n, 0) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
memory_kv_remove(struct ctx *c, const struct request *rq)
{
	const struct path_arg *key = path_arg_n(rq, "key");
	char id[37];

	if (memory_of(c, rq, MEMORY_REMOVE, id) != ERR_OK || kv_delete(c, id, key->value, key->n) != ERR_OK)
		return reply_fail(c);
	return reply_empty(c);
}

/*
 * What an agent did, as the audit log tells it; what it sent out; and a session to be given away.
 */
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/agent.h"
#include "lib/svc/audit.h"
#include "lib/svc/delivery.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/trajectory.h"

enum { LOGS = 100, LOGS_MAX = 1000, RECEIPTS = 50, RECEIPTS_MAX = 500, TRAJECTORY_MAX = 64 << 20 };

/* What is no number counts as not said. */
static int64_t
number(const char *s, int64_t dflt, int64_t max)
{
	size_t n = s == NULL ? 0 : strspn(s, "0123456789");
	int64_t v;

	if (n == 0 || n > 18 || s[n] != '\0')
		return dflt;
	v = strtoll(s, NULL, 10);
	return v > max ? max : v;
}

struct reply
agents_logs(struct ctx *c, const struct request *rq)
{
	const struct logs_query *q = rq->query;
	int64_t offset = number(q->offset, 0, INT64_MAX), n = 0;
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", a.id);
	jw_i64(w, "offset", offset);
	jw_array(w, "logs");
	if (audit_write_agent(c, a.id, q->level, number(q->n, LOGS, LOGS_MAX), offset, w, &n) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "count", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_deliveries(struct ctx *c, const struct request *rq)
{
	const struct receipts_query *q = rq->query;
	const char *who = path_arg(rq, "id");
	struct jw *w = reply_open(c);
	struct agent a;
	int64_t n = 0;
	char id[37];

	if ((uuid_parse(who, id) ? agent_load(c, id, &a) : agent_load_by_name(c, who, &a)) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", a.id);
	jw_array(w, "receipts");
	if (deliveries_write(c, a.id, number(q->limit, RECEIPTS, RECEIPTS_MAX), w, &n) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_i64(w, "count", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
sessions_trajectory(struct ctx *c, const struct request *rq)
{
	const struct trajectory_query *q = rq->query;
	bool lines = q->format != NULL && strcmp(q->format, "jsonl") == 0;
	struct jw *w = reply_open(c);
	struct session s;
	struct reply r;
	struct agent a;
	char id[37];

	if (request_agent(c, rq, &a) != ERR_OK || request_session_id(c, rq, "session_id", id) != ERR_OK ||
	    session_of(c, &a, id, &s) != ERR_OK || trajectory_write(c, &a, &s, lines, w->b) != ERR_OK)
		return reply_fail(c);
	r = reply_raw(c, 200, lines ? "application/x-ndjson" : NULL, w->b->p, w->b->len);
	r.extra_headers = ctx_printf(c, "Content-Disposition: attachment; filename=\"trajectory-%s.%s\"\r\n", id,
	    lines ? "jsonl" : "json");
	return r;
}

/*
 * The audit log, whole and of an agent; what an agent sent out; and a session to be given away.
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

enum { LOGS = 100, LOGS_MAX = 1000, RECENT = 50, RECEIPTS = 50, RECEIPTS_MAX = 500, TRAJECTORY_MAX = 64 << 20 };

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
audit_recent(struct ctx *c, const struct request *rq)
{
	const struct audit_query *q = rq->query;
	int64_t n = number(q->n, number(q->limit, RECENT, LOGS_MAX), LOGS_MAX);
	struct jw *w = reply_open(c);
	struct audit_chain chain;
	size_t from;

	if (audit_tip(c, &chain) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "items");
	from = w->b->len - 1;
	if (audit_write_recent(c, n, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_again(w, "entries", from);
	jw_i64(w, "total", chain.entries);
	jw_i64(w, "offset", 0);
	jw_i64(w, "limit", n);
	jw_str(w, "tip_hash", chain.tip);
	jw_end(w);
	return reply_json(c, 200, w);
}

static void
seq(struct jw *w, const char *key, int64_t v)
{
	if (v < 0)
		jw_null(w, key);
	else
		jw_i64(w, key, v);
}

struct reply
audit_check(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct audit_chain chain;

	(void)rq;
	if (audit_verify(c, &chain) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_bool(w, "valid", chain.bad < 0);
	if (chain.bad >= 0)
		jw_str(w, "error", ctx_printf(c, "chain break at seq %lld: it is not what was written, or does not follow from the entry before",
		    (long long)chain.bad));
	jw_str(w, "status", chain.bad < 0 ? "valid" : "invalid");
	jw_i64(w, "entries", chain.entries);
	jw_i64(w, "chain_length", chain.entries);
	seq(w, "first_entry", chain.first);
	seq(w, "last_entry", chain.last);
	jw_str(w, "tip_hash", chain.tip);
	jw_bool(w, "anchor_enabled", false);
	jw_null(w, "anchor_path");
	jw_str(w, "anchor_status", "none");
	if (chain.entries == 0)
		jw_str(w, "warning", "there are no entries");
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

/*
 * The ledger as a file. It goes out piece by piece: neither the rows nor a database connection are held while the client
 * takes its time.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/live.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/buf.h"
#include "lib/svc/usage.h"

struct reply usage_export(struct ctx *, const struct request *);

enum { PIECE_MAX = 8 << 20, BEHIND_MAX = 256 * 1024, PATIENCE_MS = 60000, DAY_MS = 86400000 };

static void
send_all(struct ctx *c, struct live *l, struct usage_at at)
{
	SCOPED_BUF b = BUF_INIT(PIECE_MAX);
	bool more = true;

	usage_csv_head(&b);
	while (more) {
		bool sent;

		job_db_acquire(c);
		sent = usage_csv_piece(c, &at, &more, &b) == ERR_OK && !b.failed;
		job_db_release(c);
		if (!sent || !live_send(l, b.p, b.len) || !live_wait(l, BEHIND_MAX, PATIENCE_MS)) {
			live_break(l);                  /* a file that is not whole must not look so */
			return;
		}
		buf_clear(&b);
	}
}

static enum err
days_asked(struct ctx *c, const struct export_query *q, struct usage_at *at)
{
	struct usage_range r;
	enum err e = usage_range_of(c, q->start_date, q->end_date, &r);

	if (e == ERR_OK && !usage_is_all(&r))
		*at = (struct usage_at){ .ts_ms = r.from_ms, .until_ms = r.until_ms + DAY_MS };
	return e;
}

struct reply
usage_export(struct ctx *c, const struct request *rq)
{
	const struct export_query *q = rq->query;
	struct usage_at at = { .ts_ms = INT64_MIN };
	enum err e = strcmp(q->format, "csv") == 0 ? days_asked(c, q, &at) : fail(c, ERR_BAD_REQUEST, "format: csv is expected");

	if (e == ERR_OK)
		e = live_begin(rq->live, c, "text/csv; charset=utf-8");
	if (e != ERR_OK)
		return reply_fail(c);
	if (!rq->head)
		send_all(c, rq->live, at);
	live_end(rq->live);
	return reply_streamed(c);
}

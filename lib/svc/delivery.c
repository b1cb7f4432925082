/* Receipts are written by the channels, when there are any; here they are read. */
#include "lib/svc/delivery.h"

#include "db/db.h"

enum err
deliveries_write(struct ctx *c, const char *agent_id, int64_t limit, struct jw *w, int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT message_id, channel, recipient, status, ts_ms, error FROM delivery"
	    " WHERE agent_id = ? ORDER BY ts_ms DESC, message_id DESC LIMIT ?"));

	bind_text(st, agent_id);
	bind_i64(st, limit);
	for (*ret_n = 0; db_step(st); ++*ret_n) {
		jw_object(w, NULL);
		jw_str(w, "message_id", col_text(c, st, "message_id"));
		jw_str(w, "channel", col_text(c, st, "channel"));
		jw_str(w, "recipient", col_text(c, st, "recipient"));
		jw_str(w, "status", col_text(c, st, "status"));
		jw_time(w, "timestamp", col_i64(st, "ts_ms"));
		jw_str(w, "error", col_text(c, st, "error"));
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

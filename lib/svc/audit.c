/*
 * Appending to and reading the chain. Whoever appends is in a transaction that holds the write lock,
 * so the tip cannot move in between.
 */
#include "lib/svc/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"

enum { HASHED_MAX = 1 << 20, TRIM_AT_ONCE = 5000 };
static const char genesis[] = "0000000000000000000000000000000000000000000000000000000000000000";

struct entry {
	int64_t seq;
	const char *timestamp, *agent_id, *action, *detail, *outcome, *user_id, *channel, *prev_hash;
};

static void
part(struct buf *b, const char *name, const void *value, size_t n)
{
	buf_ch(b, '\x1f');
	buf_str(b, name);
	buf_ch(b, '=');
	buf_add(b, value, n);
}

/* The 16 bytes of a UUID's text. */
static bool
uuid_bytes(const char *text, uint8_t out[static 16])
{
	char hex[33];
	size_t k = 0;

	for (; *text != '\0' && k < 32; text++)
		if (*text != '-')
			hex[k++] = *text;
	hex[k] = '\0';
	return k == 32 && hex_to(hex, out, 16);
}

static bool
hash_of(const struct entry *e, char out[static 65])
{
	SCOPED_BUF b = BUF_INIT(HASHED_MAX);
	uint8_t sum[32], user[16];
	char seq[24];

	snprintf(seq, sizeof(seq), "%" PRId64, e->seq);
	part(&b, "seq", seq, strlen(seq));
	part(&b, "timestamp", e->timestamp, strlen(e->timestamp));
	part(&b, "agent_id", e->agent_id, strlen(e->agent_id));
	part(&b, "action", e->action, strlen(e->action));
	part(&b, "detail", e->detail, strlen(e->detail));
	part(&b, "outcome", e->outcome, strlen(e->outcome));
	if (e->user_id != NULL && uuid_bytes(e->user_id, user))
		part(&b, "user_id", user, sizeof(user));
	if (e->channel != NULL)
		part(&b, "channel", e->channel, strlen(e->channel));
	part(&b, "prev_hash", e->prev_hash, strlen(e->prev_hash));
	if (b.failed)
		return false;
	sha256(b.p, b.len, sum);
	hex_of(sum, 32, out);
	return true;
}

static enum err
load_tip(struct ctx *c, struct entry *e)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, hash FROM audit_entries ORDER BY seq DESC LIMIT 1"));

	e->seq = 0;
	e->prev_hash = genesis;
	if (db_step(st)) {
		e->seq = col_i64(st, "seq") + 1;
		e->prev_hash = col_text(c, st, "hash");
		return e->prev_hash != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
insert(struct ctx *c, const struct entry *e, int64_t ms, const char *hash)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO audit_entries (seq, timestamp, ts_ms, agent_id, action, detail,"
	    " outcome, user_id, channel, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));

	bind_i64(st, e->seq);
	bind_text(st, e->timestamp);
	bind_i64(st, ms);
	bind_text(st, e->agent_id);
	bind_text(st, e->action);
	bind_text(st, e->detail);
	bind_text(st, e->outcome);
	bind_text(st, e->user_id);
	bind_text(st, e->channel);
	bind_text(st, e->prev_hash);
	bind_text(st, hash);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
audit_append(struct ctx *c, const struct audit *a)
{
	int64_t ms = clock_ms();
	char at[25], stamp[40], hash[65];
	struct entry e = {
		.timestamp = stamp, .agent_id = a->agent_id != NULL ? a->agent_id : "system", .action = a->action,
		.detail = a->detail, .outcome = a->outcome, .channel = a->channel,
		.user_id = c->who != NULL && c->who->user_id[0] != '\0' ? c->who->user_id : NULL,
	};
	enum err r = load_tip(c, &e);

	time_rfc3339(ms, at);
	snprintf(stamp, sizeof(stamp), "%.23s000000+00:00", at);
	if (r == ERR_OK && !hash_of(&e, hash))
		r = fail(c, ERR_NOMEM, "out of memory");
	return r == ERR_OK ? insert(c, &e, ms, hash) : r;
}

enum err
audit_alone(struct ctx *c, const struct audit *a)
{
	SCOPED_TX tx = { 0 };
	struct fault before = c->fault;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = audit_append(c, a);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	tx_end(&tx);
	c->fault = before;
	return e;
}

/* --- reading ------------------------------------------------------------------------- */

enum err
audit_write_agent(struct ctx *c, const char *agent_id, const char *outcome, int64_t limit, int64_t offset, struct jw *w,
    int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, timestamp, action, detail, outcome FROM audit_entries"
	    " WHERE agent_id = ?1 AND (?2 IS NULL OR lower(outcome) = lower(?2)) ORDER BY seq DESC LIMIT ?3 OFFSET ?4"));

	bind_text(st, agent_id);
	bind_text(st, outcome);
	bind_i64(st, limit);
	bind_i64(st, offset);
	for (*ret_n = 0; db_step(st); ++*ret_n) {
		jw_object(w, NULL);
		jw_i64(w, "seq", col_i64(st, "seq"));
		jw_str(w, "timestamp", col_text(c, st, "timestamp"));
		jw_str(w, "action", col_text(c, st, "action"));
		jw_str(w, "detail", col_text(c, st, "detail"));
		jw_str(w, "outcome", col_text(c, st, "outcome"));
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
audit_write_recent(struct ctx *c, int64_t n, struct jw *w)
{
	static const char *const texts[] = { "timestamp", "agent_id", "action", "detail", "outcome", "hash" };
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, timestamp, agent_id, action, detail, outcome, hash FROM audit_entries"
	    " WHERE seq > (SELECT max(seq) FROM audit_entries) - ? ORDER BY seq"));
	size_t len;

	bind_i64(st, n);
	while (db_step(st)) {
		jw_object(w, NULL);
		jw_i64(w, "seq", col_i64(st, "seq"));
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			jw_str(w, texts[i], col_peek(st, texts[i], &len));
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* Nothing of it is copied: the chain may be long. */
static bool
follows(struct stmt *st, const char *prev, char hash[static 65])
{
	size_t n;
	struct entry e = {
		.seq = col_i64(st, "seq"), .timestamp = col_peek(st, "timestamp", &n), .agent_id = col_peek(st, "agent_id", &n),
		.action = col_peek(st, "action", &n), .detail = col_peek(st, "detail", &n), .outcome = col_peek(st, "outcome", &n),
		.user_id = col_peek(st, "user_id", &n), .channel = col_peek(st, "channel", &n),
		.prev_hash = col_peek(st, "prev_hash", &n),
	};
	const char *said = col_peek(st, "hash", &n);

	return said != NULL && e.prev_hash != NULL && strcmp(e.prev_hash, prev) == 0 && hash_of(&e, hash) &&
	    strcmp(hash, said) == 0;
}

/* Where the chain begins: after what was trimmed, else with the first entry ever. */
static int64_t
start_of(const char *stored, char hash[static 65])
{
	int64_t seq = 0;

	memcpy(hash, genesis, sizeof(genesis));
	if (stored == NULL || sscanf(stored, "%" SCNd64 " %64s", &seq, hash) != 2)
		seq = 0;
	return seq;
}

enum err
audit_tip(struct ctx *c, struct audit_chain *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, hash, (SELECT min(seq) FROM audit_entries) AS first FROM audit_entries"
	    " ORDER BY seq DESC LIMIT 1"));
	const char *hash;
	size_t n;

	*ret = (struct audit_chain){ .first = -1, .last = -1, .bad = -1 };
	memcpy(ret->tip, genesis, sizeof(genesis));
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
	ret->first = col_i64(st, "first");
	ret->last = col_i64(st, "seq");
	ret->entries = ret->last - ret->first + 1;
	hash = col_peek(st, "hash", &n);
	snprintf(ret->tip, sizeof(ret->tip), "%s", hash != NULL ? hash : "");
	return ERR_OK;
}

enum err
audit_verify(struct ctx *c, struct audit_chain *ret)
{
	/* in one statement, so that nothing is trimmed in between */
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, timestamp, agent_id, action, detail, outcome, user_id, channel,"
	    " prev_hash, hash, (SELECT value FROM meta WHERE name = 'audit_start') AS start FROM audit_entries ORDER BY seq"));
	char hash[65] = "";
	int64_t seq = 0;
	size_t n;

	*ret = (struct audit_chain){ .first = -1, .last = -1, .bad = -1 };
	memcpy(ret->tip, genesis, sizeof(genesis));
	for (; db_step(st); ret->entries++, seq++) {
		if (ret->entries == 0)
			seq = start_of(col_peek(st, "start", &n), ret->tip);
		if (ret->bad < 0 && (col_i64(st, "seq") != seq || !follows(st, ret->tip, hash)))
			ret->bad = seq;
		memcpy(ret->tip, hash, sizeof(ret->tip));
		ret->last = col_i64(st, "seq");
		if (ret->first < 0)
			ret->first = ret->last;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- trimming --------------------------------------------------------------------------- */

/* The newest entry that goes, if any. */
static enum err
last_to_drop(struct ctx *c, int64_t before_ms, int64_t *ret_seq, const char **ret_hash)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, hash FROM audit_entries WHERE ts_ms < ?1 AND seq <"
	    " (SELECT min(seq) FROM audit_entries) + ?2 ORDER BY seq DESC LIMIT 1"));

	bind_i64(st, before_ms);
	bind_i64(st, TRIM_AT_ONCE);
	*ret_hash = NULL;
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
	*ret_seq = col_i64(st, "seq");
	*ret_hash = col_text(c, st, "hash");
	return *ret_hash != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

static enum err
drop(struct ctx *c, int64_t seq, const char *hash, int64_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM audit_entries WHERE seq <= ?"));
	SCOPED_STMT start = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('audit_start', ?)"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));

	bind_i64(st, seq);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*ret_n = db_changes(st);
	bind_text(start, ctx_printf(c, "%" PRId64 " %s", seq + 1, hash));
	return db_exec(start) == ERR_OK ? ERR_OK : fail_db(c, start);
}

enum err
audit_trim(struct ctx *c, int64_t days, bool *ret_more)
{
	SCOPED_TX tx = { 0 };
	const char *hash = NULL;
	int64_t seq = 0, n = 0;
	enum err e = tx_begin(c, &tx);

	*ret_more = false;
	if (e == ERR_OK)
		e = last_to_drop(c, clock_ms() - days * 86400000, &seq, &hash);
	if (e != ERR_OK || hash == NULL)
		return e;
	e = drop(c, seq, hash, &n);
	if (e == ERR_OK)
		e = audit_append(c, &(struct audit){ .action = "RetentionTrim", .outcome = "ok",
		    .detail = ctx_printf(c, "%" PRId64 " entries of more than %" PRId64 " days", n, days) });
	*ret_more = n >= TRIM_AT_ONCE;
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

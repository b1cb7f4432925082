/*
 * Idempotency-Key: the first answer of a key is kept a day and replayed.
 *
 * A key is reserved by a unique row before the handler runs, so two processes
 * cannot both run it. A reservation names the process that made it and counts
 * only while that process lives.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/api/api.h"
#include "lib/base/util.h"

enum { KEY_MAX = 255, KEEP_MS = 24 * 3600 * 1000 };

static enum err
check_key(struct ctx *c, const char *raw, const char **ret)
{
	size_t n;

	raw += strspn(raw, " \t");
	n = strlen(raw);
	while (n > 0 && (raw[n - 1] == ' ' || raw[n - 1] == '\t'))
		n--;
	if (n == 0)
		return fail_code(c, ERR_BAD_REQUEST, "idempotency_key_invalid", "Idempotency-Key must not be empty");
	if (n > KEY_MAX)
		return fail_code(c, ERR_BAD_REQUEST, "idempotency_key_invalid", "Idempotency-Key exceeds 255 bytes");
	for (size_t i = 0; i < n; i++)
		if (raw[i] < 33 || raw[i] > 126)
			return fail_code(c, ERR_BAD_REQUEST, "idempotency_key_invalid",
			    "Idempotency-Key must be printable ASCII");
	*ret = ctx_strndup(c, raw, n);
	return ERR_OK;
}

/* "pid:start" of this process: a pid that came round again has another start time. */
static void
self_name(pid_t pid, char out[static 64])
{
	char path[64], text[1024], *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	snprintf(out, 64, "%d:0", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	for (int i = 0; p != NULL && i < 20; i++)       /* field 22: start time */
		p = strchr(p + 1, ' ');
	if (p != NULL)
		snprintf(out, 64, "%d:%lu", (int)pid, strtoul(p + 1, NULL, 10));
}

static bool
owner_alive(const char *owner)
{
	pid_t pid = (pid_t)atoi(owner);
	char now[64];

	if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
		return false;
	self_name(pid, now);
	return strcmp(owner, now) == 0;
}

static enum err
drop_old(struct ctx *c, const char *principal, const char *route, const char *key, const char *owner)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM idempotency WHERE (state = 'done' AND done_ms < ?)"
	    " OR (principal = ? AND route = ? AND key = ? AND state = 'pending' AND owner = ?)"));

	bind_i64(st, c->now_ms - KEEP_MS);
	bind_text(st, principal);
	bind_text(st, route);
	bind_text(st, key);
	bind_text(st, owner != NULL ? owner : "");
	return db_exec(st);
}

static enum err
reserve(struct ctx *c, const char *principal, const char *route, const char *key, const char *hash, int64_t *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO idempotency"
	    " (principal, route, key, body_hash, owner, state, created_ms) VALUES (?, ?, ?, ?, ?, 'pending', ?)"
	    " RETURNING id"));
	char me[64];
	enum err e;

	self_name(getpid(), me);
	bind_text(st, principal);
	bind_text(st, route);
	bind_text(st, key);
	bind_text(st, hash);
	bind_text(st, me);
	bind_i64(st, c->now_ms);
	if (db_step(st))
		*id = col_i64(st, "id");
	e = db_exec(st);
	return e;
}

/* What is known of a key that is taken. true: *owner is set and its process is gone. */
static enum idem
taken(struct ctx *c, const char *principal, const char *route, const char *key, const char *hash,
    struct reply *replay, const char **dead)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT body_hash, owner, state, status, body FROM idempotency"
	    " WHERE principal = ? AND route = ? AND key = ?"));
	const char *owner, *state;
	size_t n;

	bind_text(st, principal);
	bind_text(st, route);
	bind_text(st, key);
	*dead = NULL;
	if (!db_step(st)) {
		if (db_end(st) != ERR_OK)
			ignore_err(fail_code(c, ERR_UNAVAILABLE, "idempotency_store_unavailable",
			    "Idempotency store unavailable"));
		else
			*dead = "";     /* it went away between the two looks: try again */
		return IDEM_FAIL;
	}
	owner = col_text(c, st, "owner");
	state = col_text(c, st, "state");
	if (strcmp(col_text(c, st, "body_hash"), hash) != 0 && (state[0] == 'd' || owner_alive(owner))) {
		ignore_err(fail_code(c, ERR_CONFLICT, "idempotency_key_conflict",
		    "Idempotency-Key was reused with a different request body"));
		return IDEM_FAIL;
	}
	if (state[0] == 'd') {
		const char *body = col_textn(c, st, "body", &n);

		*replay = reply_raw(c, (int)col_i64(st, "status"), "application/json", body, n);
		return IDEM_REPLAY;
	}
	if (!owner_alive(owner))
		*dead = owner;
	else
		ignore_err(fail_code(c, ERR_CONFLICT, "idempotency_key_in_use",
		    "A request with this Idempotency-Key is already in progress"));
	return IDEM_FAIL;
}

enum idem
idem_begin(struct ctx *c, const struct request *rq, int64_t *id, struct reply *replay)
{
	const char *key = NULL, *dead = NULL, *route = ctx_printf(c, "%s %s", verb_names[rq->route->verb], rq->route->path);
	uint8_t d[32];
	char hash[65];

	if (check_key(c, rq->h.idempotency_key, &key) != ERR_OK)
		return IDEM_FAIL;
	sha256(rq->body != NULL ? rq->body : "", rq->body_bytes, d);
	hex_of(d, 32, hash);
	for (int tries = 0; tries < 5; tries++) {
		enum err e = drop_old(c, c->who->name, route, key, dead);
		enum idem got;

		if (e == ERR_OK)
			e = reserve(c, c->who->name, route, key, hash, id);
		if (e == ERR_OK)
			return IDEM_RUN;
		if (e != ERR_CONFLICT)
			break;
		got = taken(c, c->who->name, route, key, hash, replay, &dead);
		if (dead == NULL)
			return got;
	}
	ignore_err(fail_code(c, ERR_UNAVAILABLE, "idempotency_store_unavailable", "Idempotency store unavailable"));
	return IDEM_FAIL;
}

void
idem_finish(struct ctx *c, int64_t id, const struct reply *r)
{
	if (r->status >= 200 && r->status < 300) {
		SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE idempotency SET state = 'done', status = ?, body = ?,"
		    " done_ms = ? WHERE id = ?"));

		bind_i64(st, r->status);
		bind_textn(st, r->body != NULL ? r->body : "", r->body_bytes);
		bind_i64(st, clock_ms());
		bind_i64(st, id);
		if (db_exec(st) != ERR_OK)
			log_line(LOG_WARN, "rid=%s err=idempotency what=\"the answer could not be kept\"", c->rid);
	} else {
		SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM idempotency WHERE id = ?"));

		bind_i64(st, id);
		ignore_err(db_exec(st));        /* left pending, it is freed when this process ends */
	}
}

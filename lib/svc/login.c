/*
 * Sessions of browsers: their rows. Whether a token is known is remembered in
 * shared memory by whoever asks (lib/api/auth.c), so a row is read about once an hour.
 */
#include "lib/svc/login.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { HOUR_MS = 3600000 };

/* Which key holds: a few digits of a hash of its hash. */
static void
made_under(const struct config *cfg, char out[static 65])
{
	const char *key = cfg->key_sha256 != NULL ? cfg->key_sha256 : cfg->key_hash != NULL ? cfg->key_hash : "";
	char in_vault[65];
	uint8_t d[32];

	if (cfg->key_vault != NULL && shm != NULL && atomic_load(&shm->vault_key_known) != 0) {
		uint64_t sum[4];

		for (int i = 0; i < 4; i++)
			sum[i] = atomic_load(&shm->vault_key[i]);
		hex_of(sum, sizeof(sum), in_vault);
		key = in_vault;
	}
	sha256(key, strlen(key), d);
	hex_of(d, sizeof(d), out);
	out[16] = '\0';
}

static void
hash_of(const char *token, char hex[static 65])
{
	uint8_t d[32];

	sha256(token, strlen(token), d);
	hex_of(d, sizeof(d), hex);
}

static enum err
drop_expired(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE expires_ms <= ?"));

	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
login_create(struct ctx *c, char ret_token[static 65], int64_t *ret_expires_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO login (token, role, made_under, created_ms, expires_ms)"
	    " VALUES (?, 'owner', ?, ?, ?)"));
	uint8_t raw[32];
	char hash[65], under[65];
	enum err e = drop_expired(c);

	if (e != ERR_OK)
		return e;
	random_bytes(raw, sizeof(raw));
	hex_of(raw, sizeof(raw), ret_token);
	zero_bytes(raw, sizeof(raw));
	hash_of(ret_token, hash);
	made_under(c->cfg, under);
	*ret_expires_ms = c->now_ms + (int64_t)LOGIN_S * 1000;
	bind_text(st, hash);
	bind_text(st, under);
	bind_i64(st, c->now_ms);
	bind_i64(st, *ret_expires_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

bool
login_known(struct ctx *c, const char *token_sha256)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM login WHERE token = ? AND made_under = ? AND expires_ms > ?"));
	char under[65];

	made_under(c->cfg, under);
	bind_text(st, token_sha256);
	bind_text(st, under);
	bind_i64(st, c->now_ms);
	return db_step(st);
}

enum err
login_count(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM login WHERE made_under = ? AND expires_ms > ?"));
	char under[65];

	made_under(c->cfg, under);
	bind_text(st, under);
	bind_i64(st, c->now_ms);
	for (*ret = 0; db_step(st);)
		*ret = col_i64(st, "n");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
login_end(struct ctx *c, const char *token)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE token = ?"));
	char hash[65];

	hash_of(token, hash);
	bind_text(st, hash);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (shm != NULL && db_changes(st) > 0)
		atomic_fetch_add(&shm->logouts, 1);
	return ERR_OK;
}

uint32_t
login_mark(const struct ctx *c)
{
	uint32_t ended = shm == NULL ? 0 : atomic_load(&shm->logouts);

	return (c->cfg->generation * 2654435761u + ended * 2246822519u + (uint32_t)(c->now_ms / HOUR_MS)) | 1;
}

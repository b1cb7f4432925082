/*
 * Sessions of browsers: their rows. Whether a token is known is remembered in
 * shared memory by whoever asks (lib/api/auth.c), so a row is read about once an hour.
 */
#include "lib/svc/login.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

/* Which key holds: a few digits of a hash of its hash. */
static void
made_under(const struct config *cfg, char out[static 65])
{
	const char *key = cfg->key_sha256 != NULL ? cfg->key_sha256 : cfg->key_hash != NULL ? cfg->key_hash : "";
	char in_vault[65];
	uint8_t d[32];

	if (cfg->key_vault != NULL && shm != NULL && shm_digest_get(&shm->vault_key, in_vault))
		key = in_vault;
	sha256(key, strlen(key), d);
	hex_of(d, sizeof(d), out);
	out[16] = '\0';
}

const char *
login_password_id(const struct config *cfg, char room[static 65])
{
	const struct config_dashboard *d = &cfg->dashboard;

	if (d->user == NULL || d->pass_vault == NULL)
		return d->user == NULL ? NULL : d->pass_hash != NULL ? d->pass_hash : d->pass_sha256;
	return shm != NULL && shm_digest_get(&shm->vault_pass, room) ? room : NULL;
}

/*
 * Which name and password hold, told by a hash under the token itself: of a password that people can
 * remember, any other hash in the store would be something to try guesses on.
 */
static bool
made_with(const struct config *cfg, const char *token, char out[static 65])
{
	SCOPED_BUF b = BUF_INIT(1 << 16);
	char room[65];
	const char *id = login_password_id(cfg, room);
	uint8_t d[32];

	if (id == NULL)
		return false;
	buf_str(&b, id);
	buf_ch(&b, '\n');
	buf_str(&b, cfg->dashboard.user);
	if (b.failed)
		return false;
	hmac_sha256(token, LOGIN_TOKEN, b.p, b.len, d);
	hex_of(d, sizeof(d), out);
	out[0] = 'p';
	out[32] = '\0';
	return true;
}

void
login_derived(const char *pass, const char *user, char ret[static 65])
{
	static const char what[] = "librefang-dashboard-session";
	SCOPED_BUF b = BUF_INIT(1 << 16);
	uint8_t d[32];

	buf_str(&b, user);
	buf_str(&b, what);
	hmac_sha256(pass, strlen(pass), b.p, b.failed ? 0 : b.len, d);
	hex_of(d, sizeof(d), ret);
}

static void
hash_of(const char *token, char hex[static 65])
{
	uint8_t d[32];

	sha256(token, strlen(token), d);
	hex_of(d, sizeof(d), hex);
}

enum err
login_sweep(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE expires_ms <= ?"));

	bind_i64(st, c->now_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
not_told(struct ctx *c)
{
	return fail(c, ERR_UNAVAILABLE, "the password lies in the vault, which nobody has read yet");
}

enum err
login_create(struct ctx *c, enum login_kind kind, char ret_token[static 65], int64_t *ret_expires_ms)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO login (token, role, made_under, created_ms, expires_ms)"
	    " VALUES (?, 'owner', ?, ?, ?)"));
	uint8_t raw[32];
	char hash[65], under[65];
	enum err e = login_sweep(c);

	if (e != ERR_OK)
		return e;
	random_bytes(raw, sizeof(raw));
	hex_of(raw, sizeof(raw), ret_token);
	zero_bytes(raw, sizeof(raw));
	hash_of(ret_token, hash);
	if (kind == LOGIN_LINK)
		made_under(c->cfg, under);
	else if (!made_with(c->cfg, ret_token, under))
		return not_told(c);
	*ret_expires_ms = c->now_ms + (int64_t)LOGIN_S * 1000;
	bind_text(st, hash);
	bind_text(st, under);
	bind_i64(st, c->now_ms);
	bind_i64(st, *ret_expires_ms);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* One whose password is another now. That it stays is no harm: it opens nothing. */
static void
drop(struct ctx *c, const char *token_sha256)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE token = ?"));

	bind_text(st, token_sha256);
	ignore_err(db_exec(st));
}

static enum err
judge(struct ctx *c, const char *token, const char *token_sha256, const char *under, struct login *l)
{
	char now[65];
	bool by_password = under[0] == 'p';

	if (!by_password)
		made_under(c->cfg, now);
	else if (c->cfg->dashboard.user != NULL && !made_with(c->cfg, token, now))
		return not_told(c);
	else if (c->cfg->dashboard.user == NULL)
		now[0] = '\0';
	if (strlen(under) == strlen(now) && same_bytes(under, now, strlen(now)))
		l->kind = by_password ? LOGIN_PASSWORD : LOGIN_LINK;
	else if (by_password)
		drop(c, token_sha256);
	return ERR_OK;
}

enum err
login_find(struct ctx *c, const char *token, const char *token_sha256, struct login *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT role, made_under, expires_ms FROM login WHERE token = ? AND expires_ms > ?"));
	struct login l = { .kind = LOGIN_NONE };
	const char *under = NULL;
	enum err e;

	bind_text(st, token_sha256);
	bind_i64(st, c->now_ms);
	if (db_step(st)) {
		l.role = col_text(c, st, "role");
		under = col_text(c, st, "made_under");
		l.expires_ms = col_i64(st, "expires_ms");
	}
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	if (under != NULL && (e = judge(c, token, token_sha256, under, &l)) != ERR_OK)
		return e;
	*ret = l;
	return ERR_OK;
}

enum err
login_count(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM login WHERE (made_under = ? OR (? = 1 AND made_under LIKE 'p%'))"
	    " AND expires_ms > ?"));
	char under[65];

	made_under(c->cfg, under);
	bind_text(st, under);
	bind_i64(st, c->cfg->dashboard.user != NULL);
	bind_i64(st, c->now_ms);
	for (*ret = 0; db_step(st);)
		*ret = col_i64(st, "n");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
ended(struct ctx *c, struct stmt *st)
{
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (shm != NULL && db_changes(st) > 0)
		atomic_fetch_add(&shm->logouts, 1);
	return ERR_OK;
}

enum err
login_end(struct ctx *c, const char *token)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE token = ?"));
	char hash[65];

	hash_of(token, hash);
	bind_text(st, hash);
	return ended(c, st);
}

enum err
login_end_all(struct ctx *c, enum login_kind kind)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("DELETE FROM login WHERE ? = 0 OR made_under LIKE 'p%'"));

	bind_i64(st, kind == LOGIN_PASSWORD);
	return ended(c, st);
}

uint32_t
login_mark(const struct ctx *c)
{
	uint32_t ended_n = shm == NULL ? 0 : atomic_load(&shm->logouts);

	return (c->cfg->generation * 2654435761u + ended_n * 2246822519u + (uint32_t)(c->now_ms / LOGIN_MARK_MS)) | 1;
}

/*
 * Who asks, and how often they may.
 *
 * Argon2 is slow by design, so it never runs per request: a token that passed
 * once is remembered in shared memory as an HMAC under a key made at boot, void when the
 * configuration changes; failures are limited per peer before it runs.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/api/api.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/login.h"

enum { ARGON_STALE_S = 5, FAILS_MAX = 10, FAILS_WINDOW_MS = 60000 };

#define A_LOGIN UINT32_MAX              /* instead of a user's number, in what is remembered */


static const char *
token_of(struct ctx *c, const struct headers *h)
{
	const char *p;

	if (h->authorization != NULL && strncmp(h->authorization, "Bearer ", 7) == 0)
		return h->authorization + 7;
	if (h->x_api_key != NULL)
		return h->x_api_key;
	for (p = h->ws_protocol; p != NULL && *p != '\0';) {
		size_t n;

		p += strspn(p, ", \t");
		n = strcspn(p, ", \t");
		if (n > 7 && strncmp(p, "bearer.", 7) == 0)
			return ctx_strndup(c, p + 7, n - 7);
		p += n;
	}
	return NULL;
}

/* Digests of the token that tests share, made once. */
struct proof {
	const char *token;
	char hex[65];
	uint64_t mac[4];
};

static bool
remembered(const struct proof *p, uint32_t generation, uint32_t user)
{
	unsigned at = (unsigned)(p->mac[0] % SHM_AUTH_SLOTS);

	if (shm == NULL || atomic_load(&shm->verified[at].generation) != generation ||
	    atomic_load(&shm->verified[at].user) != user)
		return false;
	for (int i = 0; i < 4; i++)
		if (atomic_load(&shm->verified[at].mac[i]) != p->mac[i])
			return false;
	/* once more: the slot may have been written for another user in between */
	return atomic_load(&shm->verified[at].generation) == generation &&
	    atomic_load(&shm->verified[at].user) == user;
}

static void
remember(const struct proof *p, uint32_t generation, uint32_t user)
{
	unsigned at = (unsigned)(p->mac[0] % SHM_AUTH_SLOTS);

	if (shm == NULL)
		return;
	atomic_store(&shm->verified[at].generation, 0);
	for (int i = 0; i < 4; i++)
		atomic_store(&shm->verified[at].mac[i], p->mac[i]);
	atomic_store(&shm->verified[at].user, user);
	atomic_store(&shm->verified[at].generation, generation);
}

/* One Argon2 at a time in all processes; a holder that died is passed over. */
static bool
argon_turn(void)
{
	uint32_t now = (uint32_t)(clock_mono_us() / 1000000) + 1, held;

	if (shm == NULL)
		return true;
	held = atomic_load(&shm->argon_busy);
	if (held != 0 && now - held < ARGON_STALE_S)
		return false;
	return atomic_compare_exchange_strong(&shm->argon_busy, &held, now);
}

static bool
too_many_failures(const char *peer, bool count)
{
	uint64_t key = peer_key(peer);
	int64_t now = clock_mono_us() / 1000;
	unsigned at = (unsigned)(key % SHM_AUTH_SLOTS);

	if (shm == NULL)
		return false;
	if (atomic_load(&shm->authfail[at].key) != key ||
	    now - atomic_load(&shm->authfail[at].since_ms) > FAILS_WINDOW_MS) {
		if (!count)
			return false;
		atomic_store(&shm->authfail[at].key, key);
		atomic_store(&shm->authfail[at].since_ms, now);
		atomic_store(&shm->authfail[at].n, 0);
	}
	if (count)
		return atomic_fetch_add(&shm->authfail[at].n, 1) + 1 > FAILS_MAX;
	return atomic_load(&shm->authfail[at].n) >= FAILS_MAX;
}

/* Does the token fit this verifier? *busy: it could not be tried now. */
static bool
fits(struct ctx *c, const struct proof *p, const char *hash, uint32_t user, const char *peer, bool *busy)
{
	bool good;

	if (hash == NULL)
		return false;
	if (strncmp(hash, "$sha256$", 8) == 0)
		return strlen(hash) == 8 + 64 && same_bytes(hash + 8, p->hex, 64);
	if (strncmp(hash, "$argon2", 7) != 0)
		return false;
	if (remembered(p, c->cfg->generation, user))
		return true;
	if (too_many_failures(peer, false) || !argon_turn()) {
		*busy = true;
		return false;
	}
	good = argon2_ok(hash, p->token);
	if (shm != NULL)
		atomic_store(&shm->argon_busy, 0);
	if (good)
		remember(p, c->cfg->generation, user);
	else
		(void)too_many_failures(peer, true);
	return good;
}

/* A browser's session? */
static bool
is_login(struct ctx *c, const struct proof *p)
{
	uint32_t mark = login_mark(c);

	if (strlen(p->token) != LOGIN_TOKEN)
		return false;
	if (remembered(p, mark, A_LOGIN))
		return true;
	if (!login_known(c, p->hex))
		return false;
	remember(p, mark, A_LOGIN);
	return true;
}

static enum role
role_of(const char *name)
{
	for (int r = VIEWER; r <= OWNER; r++)
		if (strcasecmp(name, role_names[r]) == 0)
			return (enum role)r;
	return VIEWER;
}

static void
be_root(struct caller *w)
{
	w->role = OWNER;
	w->name = "root";
	memcpy(w->user_id, CALLER_ROOT_ID, sizeof(CALLER_ROOT_ID));
}

void
caller_of_user(struct caller *w, const struct config_user *u)
{
	w->role = role_of(u->role);
	w->name = u->name;
	caller_id_of(u->name, w->user_id);
}

static void
prove(struct proof *p, const char *token)
{
	uint8_t d[32];
	size_t n = strlen(token);

	p->token = token;
	sha256(token, n, d);
	hex_of(d, 32, p->hex);
	if (shm != NULL)
		hmac_sha256(shm->boot_key, sizeof(shm->boot_key), token, n, (uint8_t *)p->mac);
	zero_bytes(d, sizeof(d));
}

/* Is it the master key, which only the daemon could read? */
static bool
is_vault_key(const struct config *cfg, const struct proof *p)
{
	uint64_t sum[4];
	char hex[65];

	if (cfg->key_vault == NULL || shm == NULL || atomic_load(&shm->vault_key_known) == 0)
		return false;
	for (int i = 0; i < 4; i++)
		sum[i] = atomic_load(&shm->vault_key[i]);
	hex_of(sum, sizeof(sum), hex);
	return atomic_load(&shm->vault_key_known) != 0 && same_bytes(hex, p->hex, 64);
}

static enum err
check_token(struct ctx *c, const char *token, const char *peer, struct caller *w)
{
	const struct config *cfg = c->cfg;
	bool busy = false, good;
	struct proof p = { 0 };

	prove(&p, token);
	good = cfg->key_sha256 != NULL && strlen(cfg->key_sha256) == 64 &&
	    same_bytes(cfg->key_sha256, p.hex, 64);
	if (good || is_vault_key(cfg, &p) || is_login(c, &p) || fits(c, &p, cfg->key_hash, 0, peer, &busy)) {
		be_root(w);
		zero_bytes(&p, sizeof(p));
		return ERR_OK;
	}
	for (size_t i = 0; i < cfg->n_users; i++)
		if (fits(c, &p, cfg->users[i].key_hash, (uint32_t)i + 1, peer, &busy)) {
			caller_of_user(w, &cfg->users[i]);
			zero_bytes(&p, sizeof(p));
			return ERR_OK;
		}
	zero_bytes(&p, sizeof(p));
	if (busy) {
		ignore_err(fail(c, ERR_RATE_LIMITED, "Too many attempts. Please wait before trying again."));
		c->fault.retry_after_s = too_many_failures(peer, false) ? 60 : 1;
		return ERR_RATE_LIMITED;
	}
	return fail(c, ERR_UNAUTHORIZED, "Invalid API key");
}

const char *
auth_token(struct ctx *c, const struct request *rq)
{
	return token_of(c, &rq->h);
}

enum err
auth_attempt(struct ctx *c, const char *peer)
{
	if (!too_many_failures(peer, false))
		return ERR_OK;
	ignore_err(fail(c, ERR_RATE_LIMITED, "Too many login attempts. Please wait before trying again."));
	c->fault.retry_after_s = FAILS_WINDOW_MS / 1000;
	return ERR_RATE_LIMITED;
}

enum err
auth_failed(struct ctx *c, const char *peer, const char *why)
{
	(void)too_many_failures(peer, true);
	return fail(c, ERR_UNAUTHORIZED, "%s", why);
}

enum err
auth_check(struct ctx *c, const struct request *rq, struct caller *w)
{
	const char *token = token_of(c, &rq->h);

	*w = (struct caller){ .name = "root" };
	if (rq->control) {
		be_root(w);
		w->control = true;
		return ERR_OK;
	}
	if (c->cfg->open_mode) {
		if (!c->cfg->allow_no_auth && !rq->local)
			return fail(c, ERR_UNAUTHORIZED, "API key required for non-loopback requests. Set api_key in "
			    "config.toml, bind to 127.0.0.1, or set LIBREFANG_ALLOW_NO_AUTH=1 to opt out.");
		be_root(w);
		w->open_mode = true;
		return ERR_OK;
	}
	if (token == NULL || token[0] == '\0')
		return fail(c, ERR_UNAUTHORIZED, "Missing Authorization: Bearer <api_key> header");
	return check_token(c, token, rq->peer, w);
}

uint64_t
auth_mark(const struct config *cfg, const struct caller *w)
{
	const struct config_user *u = NULL;
	uint8_t sum[32];
	char text[1024];
	uint64_t mark;

	if (w->control)
		return 0;
	for (size_t i = 0; u == NULL && i < cfg->n_users; i++)
		if (strcmp(cfg->users[i].name, w->name) == 0)
			u = &cfg->users[i];
	if (w->open_mode)
		snprintf(text, sizeof(text), "open %d", cfg->open_mode);
	else if (strcmp(w->user_id, CALLER_ROOT_ID) == 0)
		snprintf(text, sizeof(text), "root %s %s %s", cfg->key_sha256 != NULL ? cfg->key_sha256 : "",
		    cfg->key_hash != NULL ? cfg->key_hash : "", cfg->key_vault != NULL ? cfg->key_vault : "");
	else
		snprintf(text, sizeof(text), "%s %s", u != NULL ? u->role : "", u != NULL && u->key_hash != NULL ? u->key_hash : "");
	sha256(text, strlen(text), sum);
	memcpy(&mark, sum, sizeof(mark));
	return mark | 1;
}

/* --- open mode: no web page and no rebound name may act as the owner ---------- */

static bool
host_is_loopback(const char *host)
{
	char h[64];
	size_t n;

	if (host == NULL)
		return false;
	if (host[0] == '[') {
		n = strcspn(++host, "]");
	} else {
		n = strcspn(host, ":");
	}
	if (n == 0 || n >= sizeof(h))
		return false;
	memcpy(h, host, n);
	h[n] = '\0';
	return strcasecmp(h, "localhost") == 0 || addr_is_loopback(h);
}

enum err
open_mode_check(struct ctx *c, const struct request *rq)
{
	const char *o = rq->h.origin, *site = rq->h.fetch_site, *authority;

	if (c->cfg->allow_no_auth)
		return ERR_OK;
	if (!host_is_loopback(rq->h.host))
		return fail(c, ERR_FORBIDDEN, "Without an API key only loopback host names are served");
	if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return fail(c, ERR_FORBIDDEN, "Without an API key other sites may not call this server");
	if (o == NULL)
		return ERR_OK;
	authority = strstr(o, "://");
	if (authority == NULL || strcasecmp(authority + 3, rq->h.host) != 0)
		return fail(c, ERR_FORBIDDEN, "Without an API key other origins may not call this server");
	return ERR_OK;
}

bool
cors_allowed(const struct config *cfg, const char *origin)
{
	static const char *const always[] = {
		"tauri://localhost", "https://tauri.localhost", "http://127.0.0.1:3000", "http://127.0.0.1:8080",
		"http://localhost:3000", "http://localhost:8080",
	};
	char own[300];

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (strcmp(origin, always[i]) == 0)
			return true;
	snprintf(own, sizeof(own), "http://%s", cfg->listen);
	if (strcmp(origin, own) == 0)
		return true;
	snprintf(own, sizeof(own), "http://localhost:%d", cfg->listen_port);
	if (strcmp(origin, own) == 0)
		return true;
	snprintf(own, sizeof(own), "http://127.0.0.1:%d", cfg->listen_port);
	if (strcmp(origin, own) == 0)
		return true;
	for (size_t i = 0; i < cfg->n_cors; i++)
		if (strcmp(origin, cfg->cors_origins[i]) == 0)
			return true;
	return false;
}

enum err
limit_check(struct ctx *c, const char *peer, unsigned cost)
{
	if (shm == NULL || gcra_take(shm, peer_key(peer), cost, c->cfg->api_requests_per_minute,
	    (uint64_t)clock_mono_us()))
		return ERR_OK;
	ignore_err(fail(c, ERR_RATE_LIMITED, "Rate limit exceeded"));
	c->fault.retry_after_s = c->cfg->retry_after_s;
	return ERR_RATE_LIMITED;
}

bool
caller_owns(const struct caller *w, const char *author)
{
	return w == NULL || w->role >= ADMIN || (author != NULL && strcasecmp(author, w->name) == 0);
}

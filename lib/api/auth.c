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
#include "lib/api/attempts.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/login.h"

#define LOGINS_FROM 0xffffff00u          /* instead of a user's number, in what is remembered: the session's kind and role */

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

/* Whose number it passed as in that generation. */
static bool
remembered_as(const struct proof *p, uint32_t generation, uint32_t *ret_user)
{
	unsigned at = (unsigned)(p->mac[0] % SHM_AUTH_SLOTS);
	uint32_t user;

	if (shm == NULL || atomic_load(&shm->verified[at].generation) != generation)
		return false;
	user = atomic_load(&shm->verified[at].user);
	for (int i = 0; i < 4; i++)
		if (atomic_load(&shm->verified[at].mac[i]) != p->mac[i])
			return false;
	*ret_user = user;
	/* once more: the slot may have been written for another user in between */
	return atomic_load(&shm->verified[at].generation) == generation &&
	    atomic_load(&shm->verified[at].user) == user;
}

static bool
remembered(const struct proof *p, uint32_t generation, uint32_t user)
{
	uint32_t was;

	return remembered_as(p, generation, &was) && was == user;
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
	if (failures_many(peer) || !argon_enter(false)) {
		*busy = true;
		return false;
	}
	good = argon2_ok(hash, p->token);
	argon_leave();
	if (good)
		remember(p, c->cfg->generation, user);
	else
		failures_count(peer);
	return good;
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

static void
be_dashboard(struct caller *w, const struct config *cfg, enum role role)
{
	w->role = role;
	w->name = cfg->dashboard.user;
	w->dashboard = true;
	caller_id_of(w->name, w->user_id);
}

/* A browser's session? Then *w is whose. */
static enum err
try_login(struct ctx *c, const struct proof *p, struct caller *w, bool *ret)
{
	uint32_t mark = login_mark(c), as;
	struct login l;
	enum err e;

	*ret = false;
	if (strlen(p->token) != LOGIN_TOKEN)
		return ERR_OK;
	if (!remembered_as(p, mark, &as) || as < LOGINS_FROM) {
		if ((e = login_find(c, p->token, p->hex, &l)) != ERR_OK || l.kind == LOGIN_NONE)
			return e;
		as = LOGINS_FROM | (uint32_t)l.kind << 4 | (uint32_t)role_of(l.role);
		if (l.expires_ms / LOGIN_MARK_MS > c->now_ms / LOGIN_MARK_MS)
			remember(p, mark, as);
	}
	*ret = true;
	if ((as >> 4 & 15) == LOGIN_PASSWORD)
		be_dashboard(w, c->cfg, (enum role)(as & 15));
	else
		be_root(w);
	return ERR_OK;
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

static bool
is_digest(const struct proof *p, const char *hex)
{
	return hex != NULL && strlen(hex) == 64 && same_bytes(hex, p->hex, 64);
}

/* Is it what only the daemon could read? */
static bool
is_told(const struct proof *p, const char *named, const struct shm_digest *d)
{
	char hex[65];

	return named != NULL && shm != NULL && shm_digest_get(d, hex) && is_digest(p, hex);
}

/* The token that LibreFang once made of the dashboard's password. */
static bool
is_derived(const struct config *cfg, const struct proof *p)
{
	return is_digest(p, cfg->dashboard.token_sha256) ||
	    (shm != NULL && is_told(p, cfg->dashboard.pass_vault, &shm->vault_token));
}

static enum err
try_keys(struct ctx *c, const struct proof *p, const char *peer, struct caller *w)
{
	const struct config *cfg = c->cfg;
	bool busy = false, login;
	enum err e;

	be_root(w);
	if (is_digest(p, cfg->key_sha256) || (shm != NULL && is_told(p, cfg->key_vault, &shm->vault_key)))
		return ERR_OK;
	if (is_derived(cfg, p)) {
		w->dashboard = true;
		return ERR_OK;
	}
	if ((e = try_login(c, p, w, &login)) != ERR_OK || login || fits(c, p, cfg->key_hash, 0, peer, &busy))
		return e;
	for (size_t i = 0; i < cfg->n_users; i++)
		if (fits(c, p, cfg->users[i].key_hash, (uint32_t)i + 1, peer, &busy)) {
			caller_of_user(w, &cfg->users[i]);
			return ERR_OK;
		}
	return busy ? auth_busy(c, peer) : fail(c, ERR_UNAUTHORIZED, "Invalid API key");
}

static enum err
check_token(struct ctx *c, const char *token, const char *peer, struct caller *w)
{
	struct proof p = { 0 };
	enum err e;

	prove(&p, token);
	e = try_keys(c, &p, peer, w);
	zero_bytes(&p, sizeof(p));
	if (e != ERR_OK)
		*w = (struct caller){ .name = "root" };
	return e;
}

const char *
auth_token(struct ctx *c, const struct request *rq)
{
	return token_of(c, &rq->h);
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
	char text[2048], room[65];
	const char *id;
	uint64_t mark;

	if (w->control)
		return 0;
	for (size_t i = 0; u == NULL && i < cfg->n_users; i++)
		if (strcmp(cfg->users[i].name, w->name) == 0)
			u = &cfg->users[i];
	if (w->open_mode)
		snprintf(text, sizeof(text), "open %d", cfg->open_mode);
	else if (w->dashboard)
		snprintf(text, sizeof(text), "dashboard %s %s", (id = login_password_id(cfg, room)) != NULL ? id : "",
		    cfg->dashboard.user != NULL ? cfg->dashboard.user : "");
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

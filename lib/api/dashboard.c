/*
 * The name and the password of the dashboard.
 */
#include <string.h>

#include "lib/api/api.h"
#include "lib/api/attempts.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/login.h"

/* Whatever their lengths, the same work. */
static bool
same_text(const char *a, const char *b)
{
	uint8_t x[32], y[32];
	bool same;

	sha256(a, strlen(a), x);
	sha256(b, strlen(b), y);
	same = same_bytes(x, y, sizeof(x));
	zero_bytes(x, sizeof(x));
	return same;
}

static bool
is_sha256_of(const char *hex, const char *pass)
{
	uint8_t d[32];
	char is[65];
	bool same;

	sha256(pass, strlen(pass), d);
	hex_of(d, sizeof(d), is);
	same = strlen(hex) == 64 && same_bytes(is, hex, 64);
	zero_bytes(d, sizeof(d));
	zero_bytes(is, sizeof(is));
	return same;
}

enum err
dashboard_verify(struct ctx *c, const char *peer, const char *user, const char *pass, bool *ret)
{
	const struct config_dashboard *d = &c->cfg->dashboard;
	bool name = d->user != NULL && (user == NULL || same_text(user, d->user)), good;
	char room[65];
	const char *id = login_password_id(c->cfg, room);

	*ret = false;
	if (d->user == NULL)
		return ERR_OK;
	if (id == NULL)
		return fail(c, ERR_UNAVAILABLE, "the password lies in the vault, which nobody has read yet");
	if (d->pass_hash == NULL) {
		good = is_sha256_of(id, pass);
	} else {
		if (!argon_enter(true))
			return auth_busy(c, peer);
		good = argon2_ok(d->pass_hash, pass);
		argon_leave();
	}
	*ret = good & name;             /* not &&: both are always asked */
	return ERR_OK;
}

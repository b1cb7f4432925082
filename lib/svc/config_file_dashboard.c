/*
 * The dashboard's login: dashboard_user with dashboard_pass or dashboard_pass_hash, environment over file.
 */
#include <ctype.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/svc/config_file_parts.h"
#include "lib/svc/login.h"

/* Without the blanks around it; NULL: nothing is left. */
static const char *
trimmed(struct reading *r, const char *s)
{
	size_t n;

	if (s == NULL)
		return NULL;
	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
		;
	return n > 0 ? ctx_strndup(r->c, s, n) : NULL;
}

static const char *
setting(struct reading *r, const char *env, const char *key)
{
	const char *s = env != NULL ? config_env(env) : NULL;

	return trimmed(r, s != NULL ? s : js_str(r->doc, key));
}

static void
digest_hex(const void *p, size_t n, char out[static 65])
{
	uint8_t sum[32];

	sha256(p, n, sum);
	hex_of(sum, sizeof(sum), out);
}

enum err
config_dashboard(struct reading *r, bool master_key, struct dashboard_login *ret)
{
	const char *user = setting(r, "LIBREFANG_DASHBOARD_USER", "dashboard_user"), *hash = setting(r, NULL, "dashboard_pass_hash"),
	    *pass = setting(r, "LIBREFANG_DASHBOARD_PASS", "dashboard_pass"), *factor = js_str(js_obj(r->doc, "approval"), "second_factor");
	char token[65];

	if (hash != NULL && strncmp(hash, "$argon2id$", 10) != 0)
		return config_say_at(r, "dashboard_pass_hash", "an Argon2id hash ($argon2id$...) is expected");
	if (user == NULL || (hash == NULL && pass == NULL))
		return ERR_OK;
	if (factor != NULL && (strcmp(factor, "login") == 0 || strcmp(factor, "both") == 0))
		config_warn_at(r, "approval.second_factor", "one-time codes are not there yet: the dashboard's login asks for its password alone");
	ret->user = user;
	if (hash != NULL) {
		ret->pass_hash = pass = hash;
	} else if (strncmp(pass, "vault:", 6) == 0 && pass[6] != '\0') {
		ret->pass_vault = pass + 6;
		return ERR_OK;
	} else {
		digest_hex(pass, strlen(pass), ret->pass_sha);
	}
	if (master_key) {
		login_derived(pass, user, token);
		digest_hex(token, 64, ret->token_sha);
		zero_bytes(token, sizeof(token));
	}
	return ERR_OK;
}

void
config_dashboard_write(const struct dashboard_login *d, struct jw *w)
{
	jw_object(w, "dashboard");
	jw_str(w, "user", d->user);
	jw_str(w, "pass_hash", d->pass_hash);
	jw_str(w, "pass_vault", d->pass_vault);
	jw_str(w, "pass_sha256", d->pass_sha[0] != '\0' ? d->pass_sha : NULL);
	jw_str(w, "token_sha256", d->token_sha[0] != '\0' ? d->token_sha : NULL);
	jw_end(w);
}

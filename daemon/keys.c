/*
 * Where keys are found. What secrets.env says, and the passwords of proxies, is kept in memory of its own, so
 * that no environment shows it, and read again with the configuration.
 */
#include "daemon/keys.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/secret.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"
#include "lib/svc/login.h"
#include "lib/svc/vault.h"

enum { FILES_MAX = 512 << 10 };

/* "NAME\0value\0"…, of both files. */
struct lines { size_t n; char text[FILES_MAX]; };

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct lines *lines;             /* NULL: the files have none */

static const char *
find(const struct lines *l, const char *name)
{
	for (const char *p = l->text, *end = p + l->n; p < end;) {
		const char *value = p + strlen(p) + 1;

		if (strcmp(p, name) == 0)
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}

static void
add(void *arg, const char *name, const char *value)
{
	struct lines **l = arg;
	size_t k = strlen(name) + 1, n = strlen(value) + 1;

	if (*l == NULL)
		*l = secret_alloc(sizeof(**l));
	if (*l == NULL || n == 1 || find(*l, name) != NULL || k + n > FILES_MAX - (*l)->n)
		return;
	memcpy((*l)->text + (*l)->n, name, k);
	memcpy((*l)->text + (*l)->n + k, value, n);
	(*l)->n += k + n;
}

/* No variable has such a name. */
static void
add_proxy(void *arg, const char *name, const char *url)
{
	char key[160];

	snprintf(key, sizeof(key), "proxy:%.150s", name);
	add(arg, key, url);
}

void
keys_load(const struct run_paths *p)
{
	struct lines *fresh = NULL, *old;

	config_env_each(p, add, &fresh);
	config_proxies_each(p, add_proxy, &fresh);
	pthread_mutex_lock(&mu);
	old = lines;
	lines = fresh;
	pthread_mutex_unlock(&mu);
	secret_free(old);
}

static const char *
in_files(struct ctx *c, const char *name)
{
	const char *v, *copy = NULL;

	pthread_mutex_lock(&mu);
	v = lines != NULL ? find(lines, name) : NULL;
	if (v != NULL)
		copy = secret_keep(c, v, strlen(v));
	pthread_mutex_unlock(&mu);
	return copy;
}

/* Secrets of the server itself are nobody's key: whoever may name a key for an agent may also say where it is sent. */
static bool
is_ours(const struct ctx *c, const char *name)
{
	const char *pass = c->cfg->dashboard.pass_vault;

	return strncmp(name, "LIBREFANG_", 10) == 0 || (c->cfg->key_vault != NULL && strcmp(name, c->cfg->key_vault) == 0) ||
	    (pass != NULL && strcmp(name, pass) == 0);
}

const char *
key_named(struct ctx *c, const char *name)
{
	struct fault before = c->fault;
	const char *s;
	char *kept;
	enum err e;

	if (name == NULL || name[0] == '\0' || is_ours(c, name))
		return NULL;
	e = vault_get(c, name, &kept);
	if (e == ERR_OK)
		return kept;
	memory_short |= e == ERR_NOMEM;         /* nobody's other key takes its place */
	if (e == ERR_NOT_FOUND)
		c->fault = before;
	s = getenv(name);
	return s != NULL && s[0] != '\0' ? s : in_files(c, name);
}

const char *
key_of_proxy(struct ctx *c, const char *name)
{
	return in_files(c, ctx_printf(c, "proxy:%.150s", name));
}

/* What was remembered of a digest that is another one now counts no more. */
static void
tell_digest(struct shm_digest *d, const uint8_t sum[32])
{
	char before[65], after[65];
	bool was = shm_digest_get(d, before);

	shm_digest_set(d, sum);
	if (was != shm_digest_get(d, after) || (was && strcmp(before, after) != 0))
		atomic_fetch_add(&shm->logouts, 1);
}

static void
tell_text(struct shm_digest *d, const char *text)
{
	uint8_t sum[32];

	if (text != NULL)
		sha256(text, strlen(text), sum);
	tell_digest(d, text != NULL ? sum : NULL);
}

/* NULL: not named, or not there, which is logged. */
static const char *
of_vault(struct ctx *c, const char *setting, const char *name)
{
	struct fault before = c->fault;
	char *secret, q[300];

	if (name == NULL)
		return NULL;
	if (vault_get(c, name, &secret) != ERR_OK) {
		log_line(LOG_ERROR, "what=%s why=%s", setting, log_quote(c->fault.msg, q, sizeof(q)));
		secret = NULL;
	}
	c->fault = before;
	return secret;
}

void
keys_publish(struct ctx *c)
{
	const struct config *cfg = c->cfg;
	const char *pass;
	char token[65];

	if (shm == NULL)
		return;
	tell_text(&shm->vault_key, of_vault(c, "api_key", cfg->key_vault));
	pass = of_vault(c, "dashboard_pass", cfg->dashboard.pass_vault);
	tell_text(&shm->vault_pass, pass);
	if (pass != NULL)
		login_derived(pass, cfg->dashboard.user, token);
	tell_text(&shm->vault_token, pass != NULL && (cfg->key_sha256 != NULL || cfg->key_hash != NULL || cfg->key_vault != NULL) ? token : NULL);
	zero_bytes(token, sizeof(token));
}

void
keys_logins(struct ctx *c)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	static uint8_t last[32];
	static bool known;
	char room[65];
	const char *id = login_password_id(c->cfg, room), *text = id != NULL ? ctx_printf(c, "%s %s", id, c->cfg->dashboard.user) : "";
	uint8_t sum[32];

	if (text == NULL || (id == NULL && c->cfg->dashboard.pass_vault != NULL))
		return;
	sha256(text, strlen(text), sum);
	pthread_mutex_lock(&one);
	if (known && !same_bytes(sum, last, sizeof(sum)))
		ignore_err(login_end_all(c, LOGIN_PASSWORD));   /* they open nothing in any case */
	memcpy(last, sum, sizeof(sum));
	known = true;
	pthread_mutex_unlock(&one);
}

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
	return strncmp(name, "LIBREFANG_", 10) == 0 || (c->cfg->key_vault != NULL && strcmp(name, c->cfg->key_vault) == 0);
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

void
keys_publish(struct ctx *c)
{
	union { uint8_t bytes[32]; uint64_t word[4]; } sum;
	struct fault before = c->fault;
	char *key, q[300];
	enum err e;

	if (shm == NULL)
		return;
	e = c->cfg->key_vault != NULL ? vault_get(c, c->cfg->key_vault, &key) : ERR_NOT_FOUND;
	atomic_store(&shm->vault_key_known, 0);
	if (e == ERR_OK) {
		sha256(key, strlen(key), sum.bytes);
		for (int i = 0; i < 4; i++)
			atomic_store(&shm->vault_key[i], sum.word[i]);
		atomic_store(&shm->vault_key_known, 1);
	} else if (c->cfg->key_vault != NULL) {
		log_line(LOG_ERROR, "what=api_key why=%s", log_quote(c->fault.msg, q, sizeof(q)));
	}
	c->fault = before;
}

/* --- what came and must not stay ------------------------------------------------- */

static void
wipe_json(struct json_object *o)
{
	if (json_object_is_type(o, json_type_string)) {
		zero_bytes((void *)(uintptr_t)json_object_get_string(o), (size_t)json_object_get_string_len(o));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, k, v) {
			(void)k;
			wipe_json(v);
		}
	}
}

void
request_wipe(const struct request *rq, const char *text)
{
	if (text != NULL)
		zero_bytes((void *)(uintptr_t)text, strlen(text));
	if (rq->body_bytes > 0)
		zero_bytes((void *)(uintptr_t)rq->body, rq->body_bytes);
	wipe_json(rq->json);
}

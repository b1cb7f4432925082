/*
 * Keys of providers while the daemon runs: where they are found, and what the
 * other programs are told of them.
 */
#ifndef LF_KEYS_H
#define LF_KEYS_H
#include "lib/api/api.h"
#include "lib/svc/config.h"

/* secrets.env and .env, and passwords of proxies in config.toml, are read, now or again. Before the first other call, and on reload. Any thread. */
void keys_load(const struct run_paths *);
/*
 * The secret of that name: from the vault, else the environment, else secrets.env or .env. It lives as
 * long as the job and is wiped then; NULL: there is none (c->fault says why if the vault could not be opened).
 */
const char *key_named(struct ctx *, const char *name);
/* The address of a proxy with its password, by its name as config_proxies_each() says it; as above. NULL: it has none. */
const char *key_of_proxy(struct ctx *, const char *name);
/* The digests of the master key and of the dashboard's password, when they are in the vault, into shared memory. After the vault or the configuration changed. */
void keys_publish(struct ctx *);
/* After that, with the store: logins that were made with a password which is no longer the dashboard's are forgotten. */
void keys_logins(struct ctx *);
#endif

/*
 * Writing config.toml from the daemon, and having it taken.
 */
#ifndef LF_CONFIG_WRITE_H
#define LF_CONFIG_WRITE_H
#include "daemon/conf.h"
#include "lib/svc/config_file.h"

/* May it be written at all? LOCKED config_managed: LIBREFANG_CONFIG_MODE=managed. */
enum err config_open(struct ctx *) MUST_CHECK;
/*
 * Make the changes (config_file_change(): comments stay, the file before is backups/config.toml.prev), have the supervisor
 * load them, and wait until this process has. *ret: a hold on the configuration then; conf_drop(). Errors: LOCKED
 * config_managed: LIBREFANG_CONFIG_MODE=managed; NOT_FOUND; BAD_REQUEST: the file would be no good;
 * CONFLICT: it is no good already; UNAVAILABLE: written, and not yet taken; BUSY: somebody else has the file's lock for
 * seconds, nothing is changed.
 */
enum err config_write(struct ctx *, const struct config_change *, size_t n, struct conf **ret) MUST_CHECK;
/* The same; c->cfg is the new configuration afterwards, for the rest of the job. */
enum err config_take(struct ctx *, const struct config_change *, size_t n) MUST_CHECK;
/* What the file says of a key now, in force or not; kept with the job. NOT_FOUND, IO, CONFLICT. */
enum err config_in_file(struct ctx *, const char *key, struct json_object **ret) MUST_CHECK;
#endif

/*
 * config.toml: reading, checking, editing. Linked into the supervisor and
 * the daemon only (it needs lib/toml).
 */
#ifndef LF_CONFIG_FILE_H
#define LF_CONFIG_FILE_H
#include "lib/base/buf.h"
#include "lib/svc/config.h"

/* What environment and command line say over the file; NULL: nothing. */
struct config_over {
	const char *listen;             /* --listen, else LIBREFANG_LISTEN */
	const char *ollama_model;       /* of a server that answers on this machine; NULL, "": there is none */
};

/*
 * Read and check p->config, apply environment and overrides, resolve the
 * default provider, and write the snapshot JSON to out. A missing file is an empty one. Unknown
 * keys become warnings. Errors: INVALID with msg "config.toml:12: rate_limit.max_ws_per_ip: a whole
 * number is expected".
 */
enum err config_file_snapshot(const struct run_paths *p, const struct config_over *over,
    uint32_t generation, struct buf *out, char *msg, size_t cap) MUST_CHECK;

/*
 * Text edits that keep comments and order. key: dotted path. value: TOML literal text; text that is no
 * TOML, or belongs to a key that takes text, is quoted. The new file is checked as
 * config_file_snapshot() would before it replaces the old one, which stays as
 * <home>/backups/config.toml.prev. get shows secrets. Errors: NOT_FOUND, INVALID, CONFLICT when
 * the file there is broken, IO, BUSY when somebody else changes it for longer than five seconds.
 */
enum err config_file_get(const struct run_paths *, const char *key, struct buf *json, char *msg, size_t cap) MUST_CHECK;
enum err config_file_set(const struct run_paths *, const char *key, const char *toml_value, char *msg, size_t cap) MUST_CHECK;
enum err config_file_unset(const struct run_paths *, const char *key, char *msg, size_t cap) MUST_CHECK;

/*
 * Several changes at once, all or none; otherwise as above. key: dotted path, with user set below that [[users]] entry (that
 * name, else in any letter case). literal: the value as TOML, NULL: the key goes, if it is there. user without a key: with
 * members, a new entry of these (user is its name); without, the entry goes. Errors: also NOT_FOUND: no such user; CONFLICT: it is there
 * already, or the users stand in an included file.
 */
struct toml_member;
struct config_change {
	const char *user, *key, *literal;
	const struct toml_member *members;
	size_t n_members;
};
enum err config_file_change(const struct run_paths *, const struct config_change *, size_t n, char *msg, size_t cap) MUST_CHECK;

/*
 * First start: config.toml with a fresh api_key (0600) when none is there.
 * key[65]: the new key's text, "" when the file existed.
 */
enum err config_file_init(const struct run_paths *, char key[static 65], char *msg, size_t cap) MUST_CHECK;

/*
 * KEY=value lines of <home>/secrets.env and <home>/.env, in order; of a name that comes again the first
 * counts, and the environment over both. Texts are wiped when each() has returned.
 */
void config_env_each(const struct run_paths *, void (*each)(void *arg, const char *name, const char *value), void *arg);

/*
 * Proxies whose address holds a user or a password, which the snapshot only shows as ***: by the provider's id, and http_proxy
 * and https_proxy of [proxy]. None when the file there cannot be read. Texts are wiped when this returns.
 */
void config_proxies_each(const struct run_paths *, void (*each)(void *arg, const char *name, const char *url), void *arg);
#endif

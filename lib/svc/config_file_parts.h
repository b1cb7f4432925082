/*
 * What the files of config_file.h share among themselves.
 */
#ifndef LF_CONFIG_FILE_PARTS_H
#define LF_CONFIG_FILE_PARTS_H
#include "lib/base/json.h"
#include "lib/svc/config_file.h"

enum { CONFIG_BYTES_MAX = 1 << 20, CONFIG_WARNINGS_MAX = 100 };

/* One reading of the configuration. Everything lives in c's arena. */
struct reading {
	struct ctx *c;
	const char *file;               /* short name for messages */
	struct json_object *doc, *lines;
	struct json_object *warnings;   /* array of text */
	char *msg;                      /* what went wrong */
	size_t cap;
};

/* Note what went wrong and return e. */
enum err config_say(struct reading *, enum err, const char *fmt, ...) PRINTF(3, 4);
/* "config.toml:12: key: fmt…"; the line is looked up. */
enum err config_say_at(struct reading *, const char *path, const char *fmt, ...) PRINTF(3, 4);
void config_warn(struct reading *, const char *fmt, ...) PRINTF(2, 3);
void config_warn_at(struct reading *, const char *path, const char *fmt, ...) PRINTF(3, 4);

/* Parse text into r->doc and r->lines; check every key; aliases get their own names. INVALID. */
enum err config_parse(struct reading *, const char *text, size_t n) MUST_CHECK;
/* What the files that r->doc includes add to it: the last named wins over those before it, the including one over all. INVALID. */
enum err config_includes(struct reading *, const struct run_paths *) MUST_CHECK;
/* Is this key (dotted, a pattern's) one that takes text? For values typed without quotes. */
bool config_key_is_text(const char *path);

/* KEY=value lines of <home>/secrets.env and <home>/.env into the environment; what stands there already stays. */
void config_load_env(struct reading *, const struct run_paths *);
/* A variable's value; NULL: unset or blank. */
const char *config_env(const char *name);

/* Could this be the name of an environment variable? Empty counts as one. */
bool config_is_env_name(const char *);

/* Replace every secret in the tree by "***". */
void config_redact(struct json_object *);

/* The dashboard's login, as it goes into the snapshot. Passwords stay here: digests. */
struct dashboard_login {
	const char *user;               /* NULL: there is no login */
	const char *pass_hash;          /* Argon2id, counts alone when it is there; NULL */
	const char *pass_vault;         /* name in the vault; NULL */
	char pass_sha[65];              /* "" none */
	char token_sha[65];             /* of the token that LibreFang once made of the password; "" none */
};
/* master_key: there is one, which that token needs. INVALID. */
enum err config_dashboard(struct reading *, bool master_key, struct dashboard_login *ret) MUST_CHECK;
void config_dashboard_write(const struct dashboard_login *, struct jw *);

/* Snapshot of this text, for checking an edit before it is written. */
enum err config_snapshot_text(const struct run_paths *, const struct config_over *, uint32_t generation,
    const char *text, size_t n, bool exists, bool load_env, struct buf *out, char *msg, size_t cap) MUST_CHECK;
#endif

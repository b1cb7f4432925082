/*
 * Browsers: how they come in - a one-time link, or the dashboard's name and password - and the sessions that they get.
 *
 * Tokens are 32 random bytes as 64 hex digits. Nothing that is kept could be used to
 * come in: of a link the SHA-256 is the name of a file in <home>/links, of a session it is the
 * key of a row. A session ends after 30 days, by logging out, or when what it was made with - api_key, or the
 * dashboard's name and password - is another one.
 */
#ifndef LF_LOGIN_H
#define LF_LOGIN_H
#include "lib/base/base.h"
#include "lib/svc/config.h"

enum { LINK_S = 15 * 60, LOGIN_S = 30 * 24 * 3600, LOGIN_TOKEN = 64, LOGIN_MARK_MS = 3600000 };

enum login_kind { LOGIN_NONE, LOGIN_LINK, LOGIN_PASSWORD };
struct login { enum login_kind kind; const char *role; int64_t expires_ms; };

/* A new link, for whoever may write into the home; drops links that are too old. ERR_IO. */
enum err link_make(const char *home, char ret_token[static 65]) MUST_CHECK;
/* Use one up: true once, for LINK_S seconds. */
bool link_take(const char *home, const char *token);

/* A new session, for the owner; inside the caller's transaction, if there is one. UNAVAILABLE: as login_find. */
enum err login_create(struct ctx *, enum login_kind, char ret_token[static 65], int64_t *ret_expires_ms) MUST_CHECK;
/*
 * Whose session is that? LOGIN_NONE: nobody's. UNAVAILABLE: it was made with a password that lies in the vault, and the daemon,
 * which alone can look, has not said yet whether it still is that one. DB, BUSY.
 */
enum err login_find(struct ctx *, const char *token, const char *token_sha256, struct login *ret) MUST_CHECK;
/* Forget it; one that is not there is no error. */
enum err login_end(struct ctx *, const char *token) MUST_CHECK;
/* Forget all of them; of LOGIN_PASSWORD: all that were made with one. */
enum err login_end_all(struct ctx *, enum login_kind) MUST_CHECK;
/* Forget those whose time is over. */
enum err login_sweep(struct ctx *) MUST_CHECK;
/* Sessions that hold now. */
enum err login_count(struct ctx *, int64_t *ret) MUST_CHECK;
/* A number that changes when what login_find() said may be no longer so: at a logout, and every LOGIN_MARK_MS of the clock. */
uint32_t login_mark(const struct ctx *);

/* Which password the dashboard has: its hash, or the SHA-256 of it, in room or for as long as the configuration. NULL: none, or not known yet. */
const char *login_password_id(const struct config *, char room[static 65]);
/* The token that LibreFang once made of name and password (or its hash): never ends, and comes in where a master key is set, too. */
void login_derived(const char *pass, const char *user, char ret[static 65]);
#endif

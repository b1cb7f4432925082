/*
 * Browsers: one-time links, and the sessions they are exchanged for.
 *
 * Tokens are 32 random bytes as 64 hex digits. Nothing that is kept could be used to
 * come in: of a link the SHA-256 is the name of a file in <home>/links, of a session it is the
 * key of a row. A session ends after 30 days, by logging out, or when api_key changes.
 */
#ifndef LF_LOGIN_H
#define LF_LOGIN_H
#include "lib/base/base.h"

enum { LINK_S = 15 * 60, LOGIN_S = 30 * 24 * 3600, LOGIN_TOKEN = 64 };

/* A new link, for whoever may write into the home; drops links that are too old. ERR_IO. */
enum err link_make(const char *home, char ret_token[static 65]) MUST_CHECK;
/* Use one up: true once, for LINK_S seconds. */
bool link_take(const char *home, const char *token);

enum err login_create(struct ctx *, char ret_token[static 65], int64_t *ret_expires_ms) MUST_CHECK;
/* Is that the SHA-256 (hex) of a session's token? Also false when the store cannot say. */
bool login_known(struct ctx *, const char *token_sha256);
/* Forget it; one that is not there is no error. */
enum err login_end(struct ctx *, const char *token) MUST_CHECK;
/* Sessions that hold now. */
enum err login_count(struct ctx *, int64_t *ret) MUST_CHECK;
/* A number that changes when what login_known() said may be no longer so: at a logout, and every hour. */
uint32_t login_mark(const struct ctx *);
#endif

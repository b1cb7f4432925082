/*
 * The vault: names and secrets in <home>/vault.enc (0600), sealed. Only the
 * daemon opens it; the command asks the daemon.
 *
 * The file: "LFVAULT1", Argon2id's memory (KiB) and passes as little-endian u32, 16 bytes of salt, 16
 * by which a key is known to fit, 12 of nonce, then AES-256-GCM over "NAME=value\n" lines; all before the
 * nonce's end is vouched for too. The key is Argon2id of a master key of 32 bytes, which comes from
 * LIBREFANG_VAULT_KEY, else systemd's credential librefang-vault-key, else <home>/vault.key (0600); as
 * base64 or 64 hex digits.
 *
 * Errors of all: locked (423 vault_locked) when there is no key or it does not fit, INTERNAL vault_crypto when
 * the file was changed or cut, INTERNAL vault_io. Whatever is wrong, the file stays as it is.
 */
#ifndef LF_VAULT_H
#define LF_VAULT_H
#include "lib/base/base.h"

enum { VAULT_NAME_MAX = 128, VAULT_VALUE_MAX = 16384 };

/* Where it is, for the whole process; before anything else here. */
void vault_at(const char *home);
bool vault_name_ok(const char *);               /* letters, digits, _ . -; begins with a letter or _ */

/* An empty one, with a master key if none is there. CONFLICT: there is one. */
enum err vault_init(struct ctx *) MUST_CHECK;
/* A secret's text, wiped at the job's end. NOT_FOUND (also without a vault). */
enum err vault_get(struct ctx *, const char *name, char **ret) MUST_CHECK;
/* Keep a secret; the vault is made when there is none. BAD_REQUEST: name or value. */
enum err vault_set(struct ctx *, const char *name, const char *value) MUST_CHECK;
enum err vault_remove(struct ctx *, const char *name) MUST_CHECK;      /* NOT_FOUND */
/* A new master key in vault.key, and everything sealed anew. CONFLICT: the key comes from elsewhere. */
enum err vault_rotate(struct ctx *) MUST_CHECK;

struct vault_names { bool exists; const char *key_from; size_t n; const char **name; };   /* names in order */
enum err vault_list(struct ctx *, struct vault_names *ret) MUST_CHECK;
/* Changes whenever what the vault says may be another thing. */
uint64_t vault_mark(void);
#endif

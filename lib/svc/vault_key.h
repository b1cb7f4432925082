/*
 * The vault's master key and its place. For vault.c alone.
 */
#ifndef LF_VAULT_KEY_H
#define LF_VAULT_KEY_H
#include "lib/svc/vault.h"

enum { MASTER = 32 };

const char *vault_home(void);
/* A file of the home. */
void vault_path(const char *name, char out[static 4352]);
/* 423 vault_locked; INTERNAL vault_io with errno's words. */
enum err vault_locked(struct ctx *, const char *fmt, ...) PRINTF(2, 3);
enum err vault_no_io(struct ctx *, const char *what);

/* Where the master key comes from: "environment", "credential", "file" or "none". */
const char *vault_key_from(void);
/* file: of the home, when the key is there. NOT_FOUND, with no word said: there is none. Locked: it is no key. */
enum err vault_master(struct ctx *, const char *file, uint8_t out[static MASTER]) MUST_CHECK;
/* A fresh one into that file of the home. */
enum err vault_master_new(struct ctx *, const char *file) MUST_CHECK;
#endif

/*
 * Memory for what nobody may find: keys and passwords. It is wiped when it
 * ends, written into no core, and where the limits allow kept out of swap.
 */
#ifndef LF_SECRET_H
#define LF_SECRET_H
#include "lib/base/base.h"

/* Zeroed pages of their own, at least n bytes; NULL: no memory. */
void *secret_alloc(size_t n);
void secret_free(void *);                               /* wiped first; NULL is fine */
/* A copy, NUL-terminated, that is wiped when c's arena ends; NULL: no memory. */
char *secret_keep(struct ctx *, const char *, size_t n);

/*
 * For the start of a process, before it has threads: the values of all variables move from
 * where /proc/PID/environ shows them into ordinary memory, and no core is ever written.
 */
void secret_process(void);

/*
 * AES-256-GCM (NIST SP 800-38D): n bytes into n + SEAL_TAG bytes, and back. more: further bytes that
 * are vouched for. false: the bytes are not what was sealed.
 */
enum { SEAL_KEY = 32, SEAL_NONCE = 12, SEAL_TAG = 16 };
void seal(const uint8_t key[static SEAL_KEY], const uint8_t nonce[static SEAL_NONCE], const void *more, size_t more_n,
    const void *text, size_t n, uint8_t *out);
bool seal_open(const uint8_t key[static SEAL_KEY], const uint8_t nonce[static SEAL_NONCE], const void *more, size_t more_n,
    const uint8_t *sealed, size_t sealed_n, void *out) MUST_CHECK;
/* Argon2id (RFC 9106) of a secret into n bytes; slow by design. */
bool argon2_stretch(const void *secret, size_t secret_n, const uint8_t salt[static 16], unsigned memory_kib,
    unsigned passes, uint8_t *out, size_t n) MUST_CHECK;
#endif

/*
 * Secrets in memory, and sealing them: libargon2 makes the key, nettle seals.
 */
#include "lib/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <argon2.h>
#include <nettle/gcm.h>

#include "lib/base/arena.h"
#include "lib/base/util.h"

#if defined(__SANITIZE_ADDRESS__)
#define LF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LF_ASAN 1
#endif
#endif

extern char **environ;

/* What stands before the bytes that the caller gets. */
struct head { size_t bytes; max_align_t align[]; };

void *
secret_alloc(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct head *h;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + sizeof(*h) + page - 1) / page * page;
	h = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h == MAP_FAILED)
		return NULL;
	(void)madvise(h, n, MADV_DONTDUMP);     /* old kernels; the process is not dumped anyway */
	(void)mlock(h, n);                      /* only as far as the limits allow */
	h->bytes = n;
	return h->align;
}

void
secret_free(void *p)
{
	struct head *h;
	size_t n;

	if (p == NULL)
		return;
	h = (struct head *)(void *)((char *)p - offsetof(struct head, align));
	n = h->bytes;
	zero_bytes(h, n);
	munmap(h, n);
}

static void
wipe(void *p)
{
	zero_bytes(p, strlen(p));
	free(p);
}

char *
secret_keep(struct ctx *c, const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (p != NULL && arena_defer(c->arena, wipe, p) == 0)
		return p;
	if (p != NULL)
		wipe(p);
	memory_short = true;
	return NULL;
}

void
secret_process(void)
{
	struct rlimit none = { 0, 0 };

	for (char **v = environ; v != NULL && *v != NULL; v++) {
		char *copy = strdup(*v), *eq = strchr(*v, '=');

		if (copy == NULL)
			continue;
		if (eq != NULL)
			zero_bytes(eq + 1, strlen(eq + 1));
		*v = copy;
	}
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef LF_ASAN                                 /* the leak checker looks at us as a debugger does */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* --- sealing ------------------------------------------------------------------- */

static void
begin(struct gcm_aes256_ctx *g, const uint8_t *key, const uint8_t *nonce, const void *more, size_t more_n)
{
	gcm_aes256_set_key(g, key);
	gcm_aes256_set_iv(g, SEAL_NONCE, nonce);
	gcm_aes256_update(g, more_n, more);
}

void
seal(const uint8_t key[static SEAL_KEY], const uint8_t nonce[static SEAL_NONCE], const void *more, size_t more_n,
    const void *text, size_t n, uint8_t *out)
{
	struct gcm_aes256_ctx g;

	begin(&g, key, nonce, more, more_n);
	gcm_aes256_encrypt(&g, n, out, text);
	gcm_aes256_digest(&g, SEAL_TAG, out + n);
	zero_bytes(&g, sizeof(g));
}

bool
seal_open(const uint8_t key[static SEAL_KEY], const uint8_t nonce[static SEAL_NONCE], const void *more, size_t more_n,
    const uint8_t *sealed, size_t sealed_n, void *out)
{
	struct gcm_aes256_ctx g;
	uint8_t tag[SEAL_TAG];
	size_t n = sealed_n - SEAL_TAG;
	bool good;

	if (sealed_n < SEAL_TAG)
		return false;
	begin(&g, key, nonce, more, more_n);
	gcm_aes256_decrypt(&g, n, out, sealed);
	gcm_aes256_digest(&g, SEAL_TAG, tag);
	good = same_bytes(tag, sealed + n, SEAL_TAG);
	if (!good)
		zero_bytes(out, n);
	zero_bytes(&g, sizeof(g));
	return good;
}

bool
argon2_stretch(const void *secret, size_t secret_n, const uint8_t salt[static 16], unsigned memory_kib,
    unsigned passes, uint8_t *out, size_t n)
{
	return argon2id_hash_raw(passes, memory_kib, 1, secret, secret_n, salt, 16, out, n) == ARGON2_OK;
}

/*
 * Hashes and comparisons: nettle for SHA-256 and HMAC (and SHA-1, which UUID version 5
 * is made of), libargon2 for passwords.
 */
#include <argon2.h>
#include <nettle/hmac.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"

void
sha256(const void *p, size_t n, uint8_t out[static 32])
{
	struct sha256_ctx h;

	sha256_init(&h);
	sha256_update(&h, n, p);
	sha256_digest(&h, 32, out);
}

void
hmac_sha256(const void *key, size_t kn, const void *p, size_t n, uint8_t out[static 32])
{
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, kn, key);
	hmac_sha256_update(&h, n, p);
	hmac_sha256_digest(&h, 32, out);
	zero_bytes(&h, sizeof(h));
}

void
uuid5(const char *ns, const char *name, size_t n, char out[static 37])
{
	struct sha1_ctx h;
	uint8_t b[20], space[16];
	char hex[33], plain[33];
	size_t k = 0;

	for (const char *p = ns; *p != '\0' && k < 32; p++)
		if (*p != '-')
			plain[k++] = *p;
	plain[k] = '\0';
	if (!hex_to(plain, space, 16))
		abort();                /* namespaces are constants of ours */
	sha1_init(&h);
	sha1_update(&h, 16, space);
	sha1_update(&h, n, (const uint8_t *)name);
	sha1_digest(&h, 20, b);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x50);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	hex_of(b, 16, hex);
	if (!uuid_parse(hex, out))
		abort();
}

void
hex_of(const void *p, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = hex[b[i] >> 4];
		*out++ = hex[b[i] & 15];
	}
	*out = '\0';
}

static int
nibble(char ch)
{
	return ch >= '0' && ch <= '9' ? ch - '0' :
	    ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 :
	    ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

bool
hex_to(const char *hex, void *out, size_t n)
{
	uint8_t *b = out;

	if (strnlen(hex, 2 * n + 1) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

bool
same_bytes(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

void
zero_bytes(void *p, size_t n)
{
	explicit_bzero(p, n);
}

bool
argon2_ok(const char *phc, const char *secret)
{
	return argon2id_verify(phc, secret, strlen(secret)) == ARGON2_OK;
}

bool
argon2_make(const char *secret, char *out, size_t cap)
{
	uint8_t salt[16];

	random_bytes(salt, sizeof(salt));
	return argon2id_hash_encoded(2, 19456, 1, secret, strlen(secret), salt, sizeof(salt),
	    32, out, cap) == ARGON2_OK;
}

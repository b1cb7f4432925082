/*
 * Ed25519 (RFC 8032), verifying only. A file of its own, so that programs that check no signature are not
 * linked with the library's big numbers.
 */
#include <nettle/eddsa.h>

#include "lib/base/util.h"

bool
ed25519_ok(const uint8_t key[static 32], const void *message, size_t n, const uint8_t signature[static 64])
{
	return ed25519_sha512_verify(key, n, message, signature) == 1;
}

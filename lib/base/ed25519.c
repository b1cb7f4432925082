/*
 * Ed25519 (RFC 8032), verifying only. The library's big numbers come with the first signature.
 */
#include "config.h"

#include <nettle/eddsa.h>

#include "lib/base/late.h"
#include "lib/base/util.h"

static struct late_lib hogweed = { .soname = LF_HOGWEED_SO };

LATE(hogweed, int, 0, nettle_ed25519_sha512_verify, (const uint8_t *pub, size_t n, const uint8_t *msg, const uint8_t *sig), (pub, n, msg, sig))

bool
ed25519_ok(const uint8_t key[static 32], const void *message, size_t n, const uint8_t signature[static 64])
{
	return ed25519_sha512_verify(key, n, message, signature) == 1;
}

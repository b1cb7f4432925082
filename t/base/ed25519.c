/* Ed25519: the test vectors of RFC 8032, 7.1, and what must not pass. */
#include <string.h>

#include "lib/base/util.h"
#include "t/tap.h"

static const struct { const char *name, *key, *message, *signature; } vectors[] = {
	{ "test 1", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "test 2", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "test 3", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	{ "test SHA(abc)", "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	  "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704" },
};

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t key[32], sig[64], msg[64];
		size_t n = strlen(vectors[i].message) / 2;

		if (!hex_to(vectors[i].key, key, 32) || !hex_to(vectors[i].signature, sig, 64) || !hex_to(vectors[i].message, msg, n)) {
			ok(false, "the vector is hex");
			continue;
		}
		ok(ed25519_ok(key, msg, n, sig), "RFC 8032, %s", vectors[i].name);
		sig[i] ^= 1;
		ok(!ed25519_ok(key, msg, n, sig), "with another R it is none");
		sig[i] ^= 1;
		sig[40] ^= 4;
		ok(!ed25519_ok(key, msg, n, sig), "nor with another S");
		sig[40] ^= 4;
		msg[0] ^= 1;
		ok(!ed25519_ok(key, msg, n == 0 ? 1 : n, sig), "nor of another text");
		msg[0] ^= 1;
		key[3] ^= 1;
		ok(!ed25519_ok(key, msg, n, sig), "nor under another key");
		key[3] ^= 1;
		sig[63] |= 0xe0;
		ok(!ed25519_ok(key, msg, n, sig), "nor with an S beyond the group's order");
	}
	return done();
}

/*
 * Signed manifests: an envelope of JSON with the text, its SHA-256 in hex, an Ed25519 signature of that
 * hex text, and the signer's key, which the configuration must trust. With no trusted key nothing is.
 */
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

static enum err
no(struct ctx *c, const char *why)
{
	return fail_code(c, ERR_FORBIDDEN, "signature_invalid", "Manifest signature verification failed: %s", why);
}

/* An array of exactly n numbers from 0 to 255. */
static bool
bytes_of(struct json_object *list, uint8_t *out, size_t n)
{
	if (list == NULL || json_object_array_length(list) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);
		int64_t b = json_object_get_int64(v);

		if (!json_object_is_type(v, json_type_int) || b < 0 || b > 255)
			return false;
		out[i] = (uint8_t)b;
	}
	return true;
}

static bool
trusted(const struct config *cfg, const uint8_t key[static 32])
{
	struct json_object *list = js_arr(cfg->raw, "trusted_manifest_signers");

	for (size_t i = 0, n = list == NULL ? 0 : json_object_array_length(list); i < n; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);
		uint8_t one[32];

		if (json_object_is_type(v, json_type_string) && hex_to(json_object_get_string(v), one, 32) && same_bytes(one, key, 32))
			return true;
	}
	return false;
}

/* White space around it does not count. */
static const char *
trim(const char *s, size_t *n)
{
	size_t lead = strspn(s, " \t\r\n");

	s += lead;
	for (*n = strlen(s); *n > 0 && strchr(" \t\r\n", s[*n - 1]) != NULL; --*n)
		;
	return s;
}

static bool
same_text(const char *a, const char *b)
{
	size_t an, bn;

	a = trim(a, &an);
	b = trim(b, &bn);
	return an == bn && memcmp(a, b, an) == 0;
}

enum err
manifest_signed(struct ctx *c, const char *envelope, const char *toml)
{
	struct json_object *o = json_try(c, envelope, strlen(envelope));
	uint8_t key[32], signature[64], sum[32];
	const char *manifest, *hash;
	char hex[65];

	if (o == NULL)
		return no(c, "the envelope is no JSON");
	manifest = js_str(o, "manifest");
	hash = js_str(o, "content_hash");
	if (manifest == NULL || hash == NULL || js_str(o, "signer_id") == NULL ||
	    !bytes_of(js_arr(o, "signature"), signature, sizeof(signature)) ||
	    !bytes_of(js_arr(o, "signer_public_key"), key, sizeof(key)))
		return no(c, "the envelope is not whole");
	if (!trusted(c->cfg, key))
		return no(c, "the signer is not trusted");
	sha256(manifest, strlen(manifest), sum);
	hex_of(sum, sizeof(sum), hex);
	if (strcmp(hash, hex) != 0)
		return no(c, "the hash is not that of the manifest");
	if (!ed25519_ok(key, hex, 64, signature))
		return no(c, "the signature is not the signer's");
	if (toml == NULL || !same_text(manifest, toml))
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Signed manifest content does not match manifest_toml");
	return ERR_OK;
}

/*
 * Shapes of the vault.
 */
#include "lib/api/schemas.h"

static const char *const words_key_from[] = { "environment", "credential", "file", "none", NULL };

static const struct field vault_request_fields[] = {
	F_STR(struct vault_request, value, .flags = FF_REQUIRED | FF_SECRET, .max = 16384, .doc = "one line"),
	F_END
};
const struct schema vault_request = {
	.name = "VaultRequest", .fields = vault_request_fields, .flags = SF_STRICT, .bytes = sizeof(struct vault_request),
};

static const struct field vault_list_fields[] = {
	R_(BOOL, "exists"),
	R_(STRING, "key_from", .values = words_key_from),
	R_(ARRAY, "names", .item = FT_STRING),
	R_(INT, "total"),
	F_END
};
const struct schema vault_listed = { .name = "VaultList", .fields = vault_list_fields };

static const struct field vault_made_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "key_from", .values = words_key_from),
	F_END
};
const struct schema vault_made = { .name = "VaultMade", .fields = vault_made_fields, .status = 201 };

static const struct field vault_stored_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "name"),
	F_END
};
const struct schema vault_stored = { .name = "VaultStored", .fields = vault_stored_fields };

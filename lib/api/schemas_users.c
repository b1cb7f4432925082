/*
 * Shapes of users.
 */
#include "lib/api/schemas.h"

#define REQUEST_FIELDS \
	F_STR(struct user_request, name, .flags = FF_REQUIRED, .doc = "1 to 128 bytes"), \
	F_STR(struct user_request, role, .dflt_s = "user", .doc = "owner, admin, user or viewer"), \
	{ .name = "channel_bindings", .type = FT_MAP, .flags = FF_NULLABLE, .item = FT_STRING, \
	  .off = offsetof(struct user_request, channel_bindings), .doc = "channel to the id that they have there" }, \
	F_STR(struct user_request, api_key_hash, .flags = FF_NULLABLE | FF_SECRET, .doc = "of a key made elsewhere: Argon2id's PHC string, or $sha256$ and 64 hex digits; absent: no key"), \
	F_END

static const struct field user_request_fields[] = { REQUEST_FIELDS };
const struct schema user_request = {
	.name = "UserRequest", .fields = user_request_fields, .flags = SF_STRICT, .bytes = sizeof(struct user_request),
};

static const struct field users_import_fields[] = {
	F_ARR(struct users_import_request, rows, .of = &user_request, .flags = FF_NULLABLE, .doc = "1 to 1000"),
	F_BOOL(struct users_import_request, dry_run, .doc = "only tell what would come of it"),
	F_END
};
const struct schema users_import_request = {
	.name = "UsersImportRequest", .fields = users_import_fields, .flags = SF_STRICT, .bytes = sizeof(struct users_import_request),
};

static const struct field user_key_fields[] = {
	F_STR(struct user_key_request, api_key, .flags = FF_REQUIRED | FF_SECRET, .max = 16384),
	F_END
};
const struct schema user_key_request = {
	.name = "UserKeyRequest", .fields = user_key_fields, .flags = SF_STRICT, .bytes = sizeof(struct user_key_request),
};

#define LISTS(a, b) R_(ARRAY, a, .item = FT_STRING), R_(ARRAY, b, .item = FT_STRING)

static const struct field tool_rule_fields[] = { LISTS("allowed_tools", "denied_tools"), F_END };
static const struct schema tool_rule = { .name = "UserToolPolicy", .fields = tool_rule_fields };
static const struct field category_fields[] = { LISTS("allowed_groups", "denied_groups"), F_END };
static const struct schema categories = { .name = "UserToolCategories", .fields = category_fields };
static const struct field access_fields[] = {
	LISTS("readable_namespaces", "writable_namespaces"),
	R_(BOOL, "pii_access"),
	R_(BOOL, "export_allowed"),
	R_(BOOL, "delete_allowed"),
	F_END
};
static const struct schema access_part = { .name = "UserMemoryAccess", .fields = access_fields };

static const struct field policy_fields[] = {
	R_NULL(OBJECT, "tool_policy", .of = &tool_rule),
	R_NULL(OBJECT, "tool_categories", .of = &categories),
	R_NULL(OBJECT, "memory_access", .of = &access_part),
	R_(MAP, "channel_tool_rules", .of = &tool_rule),
	F_END
};
const struct schema user_policy = { .name = "UserPolicy", .fields = policy_fields };

/* Checked by user_policy_check(): what is left out and what is null are not the same here. */
static const struct field policy_request_fields[] = {
	F_ANY(struct user_policy_request, tool_policy, .doc = "{allowed_tools, denied_tools}: names or patterns of tools"),
	F_ANY(struct user_policy_request, tool_categories, .doc = "{allowed_groups, denied_groups}: groups of [tool_policy], or of the tools themselves"),
	F_ANY(struct user_policy_request, memory_access, .doc = "{readable_namespaces, writable_namespaces, pii_access, export_allowed, delete_allowed}"),
	F_ANY(struct user_policy_request, channel_tool_rules, .doc = "by channel: {allowed_tools, denied_tools}"),
	F_END
};
const struct schema user_policy_request = {
	.name = "UserPolicyRequest", .fields = policy_request_fields, .bytes = sizeof(struct user_policy_request),
};

#define USER_FIELDS \
	R_(STRING, "name"), \
	R_(STRING, "role"), \
	R_(MAP, "channel_bindings", .item = FT_STRING), \
	R_(BOOL, "has_api_key"), \
	R_(BOOL, "has_policy"), \
	R_(BOOL, "has_memory_access"), \
	R_(BOOL, "has_budget"), \
	F_END

static const struct field user_fields[] = { USER_FIELDS };
const struct schema user_item = { .name = "User", .fields = user_fields };
const struct schema user_list = { .name = "Users", .fields = user_fields, .flags = SF_ARRAY };
const struct schema user_made = { .name = "UserMade", .fields = user_fields, .status = 201 };

static const struct field user_groups_fields[] = {
	R_(STRING, "name"),
	R_(ARRAY, "groups", .item = FT_STRING),
	R_(ARRAY, "roles", .item = FT_STRING),
	F_END
};
const struct schema user_groups = { .name = "UserGroups", .fields = user_groups_fields };

static const struct field user_keys_fields[] = {
	R_(ARRAY, "providers", .item = FT_STRING),
	F_END
};
const struct schema user_keys = { .name = "UserKeys", .fields = user_keys_fields };

static const struct field user_key_set_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "provider"),
	F_END
};
const struct schema user_key_set = { .name = "UserKeySet", .fields = user_key_set_fields };

static const struct field user_key_gone_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "provider"),
	R_(BOOL, "removed", .doc = "false: there was none"),
	F_END
};
const struct schema user_key_gone = { .name = "UserKeyGone", .fields = user_key_gone_fields };

static const struct field user_key_new_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "new_api_key", .doc = "64 hex digits; kept as a hash, so this is the only time"),
	R_(INT, "sessions_invalidated", .doc = "sockets and streams of the old key that ended"),
	F_END
};
const struct schema user_key_new = { .name = "UserKeyNew", .fields = user_key_new_fields };

static const struct field import_row_fields[] = {
	R_(INT, "index"),
	R_(STRING, "name"),
	R_(STRING, "status", .doc = "created, updated or failed"),
	R_NULL(STRING, "error"),
	F_END
};
static const struct schema import_row = { .name = "UserImportRow", .fields = import_row_fields };
static const struct field users_imported_fields[] = {
	R_(INT, "created"),
	R_(INT, "updated"),
	R_(INT, "failed"),
	R_(BOOL, "dry_run"),
	R_(ARRAY, "rows", .of = &import_row),
	F_END
};
const struct schema users_imported = { .name = "UsersImported", .fields = users_imported_fields };

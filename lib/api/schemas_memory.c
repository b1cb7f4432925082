/*
 * Shapes of memories.
 */
#include "lib/api/schemas.h"

static const char *const words_level[] = { "user", "session", "agent", NULL };

static const struct field list_query_fields[] = {
	F_STR(struct memories_query, category),
	F_STR(struct memories_query, level, .values = words_level),
	F_I64(struct memories_query, offset, .max = INT32_MAX),
	F_I64(struct memories_query, limit, .max = INT32_MAX, .dflt = 10, .doc = "at most 100"),
	F_END
};
const struct schema memories_query = { .name = "MemoriesQuery", .fields = list_query_fields, .bytes = sizeof(struct memories_query) };

static const struct field search_query_fields[] = {
	F_STR(struct memory_search_query, q, .flags = FF_REQUIRED, .max = 4096, .doc = "a part of the text"),
	F_STR(struct memory_search_query, level, .values = words_level),
	F_ID(struct memory_search_query, agent_id),
	F_I64(struct memory_search_query, limit, .max = INT32_MAX, .dflt = 10, .doc = "at most 100"),
	F_END
};
const struct schema memory_search_query = { .name = "MemorySearchQuery", .fields = search_query_fields, .bytes = sizeof(struct memory_search_query) };

static const struct field count_query_fields[] = {
	F_STR(struct memory_count_query, level, .doc = "another word counts all"),
	F_END
};
const struct schema memory_count_query = { .name = "MemoryCountQuery", .fields = count_query_fields, .bytes = sizeof(struct memory_count_query) };

static const struct field text_fields[] = {
	F_STR(struct memory_text, content, .flags = FF_REQUIRED),
	F_END
};
const struct schema memory_text = { .name = "MemoryText", .fields = text_fields, .flags = SF_STRICT, .bytes = sizeof(struct memory_text) };

static const struct field ids_fields[] = {
	F_ARR(struct memory_ids, ids, .flags = FF_REQUIRED, .item = FT_ANY, .doc = "what is no id counts as failed"),
	F_END
};
const struct schema memory_ids = { .name = "MemoryIds", .fields = ids_fields, .bytes = sizeof(struct memory_ids) };

const struct schema memories_import_request = { .name = "MemoriesImportRequest", .flags = SF_ANY };

static const struct field item_fields[] = {
	R_(UUID, "id"),
	R_(STRING, "content"),
	R_(STRING, "level", .values = words_level),
	R_NULL(STRING, "category"),
	R_(MAP, "metadata", .item = FT_ANY),
	R_(TIME, "created_at"),
	R_(STRING, "source"),
	R_(NUMBER, "confidence"),
	R_(TIME, "accessed_at"),
	R_(INT, "access_count"),
	R_(UUID, "agent_id"),
	R_(STRING, "scope"),
	F_END
};
static const struct schema item = { .name = "MemoryItem", .fields = item_fields };

static const struct field page_fields[] = {
	R_(ARRAY, "memories", .of = &item),
	R_(INT, "total"),
	R_(INT, "offset"),
	R_(INT, "limit"),
	R_OPT(BOOL, "proactive_enabled"),
	F_END
};
const struct schema memories_page = { .name = "MemoriesPage", .fields = page_fields };

static const struct field found_fields[] = { R_(ARRAY, "memories", .of = &item), F_END };
const struct schema memories_found = { .name = "MemoriesFound", .fields = found_fields };

static const struct field stats_fields[] = {
	R_(INT, "total"), R_(INT, "user_count"), R_(INT, "session_count"), R_(INT, "agent_count"), R_(MAP, "categories", .item = FT_INT),
	R_(BOOL, "enabled"), R_(BOOL, "auto_memorize_enabled"), R_(BOOL, "auto_retrieve_enabled"), R_(BOOL, "llm_extraction"),
	R_OPT(BOOL, "proactive_enabled"), R_OPT(MAP, "by_agent", .item = FT_INT),
	F_END
};
const struct schema memory_stats = { .name = "MemoryStats", .fields = stats_fields };

static const struct field cleaned_fields[] = { R_(BOOL, "cleaned_up"), R_(INT, "deleted_count"), R_(INT, "session_ttl_hours"), F_END };
const struct schema memory_cleaned = { .name = "MemoryCleaned", .fields = cleaned_fields };
static const struct field decayed_fields[] = { R_(BOOL, "decayed"), R_(NUMBER, "decay_rate"), F_END };
const struct schema memory_decayed = { .name = "MemoryDecayed", .fields = decayed_fields };
static const struct field deleted_fields[] = { R_(INT, "deleted"), R_(INT, "failed"), R_(INT, "total"), F_END };
const struct schema memories_deleted = { .name = "MemoriesDeleted", .fields = deleted_fields };
static const struct field updated_fields[] = { R_(BOOL, "updated"), R_(UUID, "memory_id"), F_END };
const struct schema memory_updated = { .name = "MemoryUpdated", .fields = updated_fields };

static const struct field version_fields[] = { R_(STRING, "content"), R_(TIME, "replaced_at"), F_END };
static const struct schema version = { .name = "MemoryVersion", .fields = version_fields };
static const struct field versions_fields[] = {
	R_(UUID, "memory_id"), R_(ARRAY, "versions", .of = &version), R_(INT, "version_count"), F_END
};
const struct schema memory_versions = { .name = "MemoryVersions", .fields = versions_fields };

static const struct field count_fields[] = { R_(UUID, "agent_id"), R_(INT, "count"), R_NULL(STRING, "level"), F_END };
const struct schema memory_count = { .name = "MemoryCount", .fields = count_fields };
static const struct field groups_fields[] = { R_(INT, "duplicate_groups"), R_(ARRAY, "groups", .item = FT_ANY, .doc = "arrays of MemoryItem"), F_END };
const struct schema memory_groups_found = { .name = "MemoryGroups", .fields = groups_fields };
static const struct field merged_fields[] = { R_(BOOL, "consolidated"), R_(INT, "merged_count"), F_END };
const struct schema memory_merged = { .name = "MemoryMerged", .fields = merged_fields };

static const struct field exported_fields[] = {
	R_(STRING, "content"), R_(STRING, "level"), R_(STRING, "category"), R_(NUMBER, "confidence"), R_(TIME, "created_at"),
	R_NULL(STRING, "updated_at"), R_(MAP, "metadata", .item = FT_ANY),
	F_END
};
static const struct schema exported = { .name = "ExportedMemory", .fields = exported_fields };
static const struct field export_fields[] = { R_(UUID, "agent_id"), R_(INT, "count"), R_(ARRAY, "memories", .of = &exported), F_END };
const struct schema memories_exported = { .name = "MemoriesExported", .fields = export_fields };
static const struct field imported_fields[] = { R_(INT, "imported"), R_(UUID, "agent_id"), F_END };
const struct schema memories_imported = { .name = "MemoriesImported", .fields = imported_fields };

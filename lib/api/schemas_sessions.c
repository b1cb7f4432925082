/*
 * Shapes of sessions and of key/value memory.
 */
#include "lib/api/schemas.h"

static const char *const words_role[] = { "User", "Assistant", "System", NULL };

static const struct field session_query_fields[] = {
	F_STR(struct session_query, session_id, .doc = "UUID; the current session when absent"),
	F_END
};
const struct schema session_query = {
	.name = "SessionQuery", .fields = session_query_fields, .bytes = sizeof(struct session_query),
};

static const struct field history_query_fields[] = {
	F_STR(struct history_query, session_id, .doc = "UUID; the current session when absent"),
	F_I64(struct history_query, limit, .doc = "at most so many messages, the newest; all when absent"),
	F_I64(struct history_query, before, .doc = "those before the message of this number; the first one is 1"),
	F_END
};
const struct schema history_query = {
	.name = "HistoryQuery", .fields = history_query_fields, .bytes = sizeof(struct history_query),
};

static const struct field session_request_fields[] = {
	F_STR(struct session_request, label, .flags = FF_NULLABLE,
	    .doc = "1 to 128 letters, digits, blanks, - and _"),
	F_END
};
const struct schema session_request = {
	.name = "SessionRequest", .fields = session_request_fields, .bytes = sizeof(struct session_request),
};

static const struct field session_made_fields[] = {
	R_(UUID, "session_id"),
	R_(UUID, "agent_id"),
	R_NULL(STRING, "label"),
	R_(INT, "message_count"),
	R_(TIME, "created_at"),
	F_END
};
const struct schema session_made = { .name = "SessionMade", .fields = session_made_fields };

static const struct field upload_made_fields[] = {
	R_(UUID, "file_id"),
	R_(STRING, "filename"),
	R_(STRING, "content_type"),
	R_(INT, "size"),
	R_OPT(STRING, "transcription"),
	F_END
};
const struct schema upload_made = { .name = "UploadMade", .fields = upload_made_fields, .status = 201 };
const struct schema upload_bytes = { .name = "UploadBytes", .flags = SF_TEXT, .media = "*/*" };

static const struct field session_reset_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "message"),
	R_(UUID, "agent_id"),
	R_(UUID, "new_session_id"),
	F_END
};
const struct schema session_reset = { .name = "SessionReset", .fields = session_reset_fields };

static const struct field session_item_fields[] = {
	R_(UUID, "session_id"),
	R_(UUID, "agent_id"),
	R_(INT, "message_count"),
	R_(TIME, "created_at"),
	R_NULL(STRING, "label"),
	R_NULL(STRING, "title", .doc = "the label, or else the first question"),
	R_(BOOL, "active", .doc = "a turn runs now"),
	R_(BOOL, "is_canonical", .doc = "the agent's current session"),
	F_END
};
static const struct schema session_item = { .name = "SessionItem", .fields = session_item_fields };

static const struct field session_list_fields[] = {
	R_(ARRAY, "sessions", .of = &session_item),
	F_END
};
const struct schema session_list = { .name = "SessionList", .fields = session_list_fields };

static const struct field history_tool_fields[] = {
	R_(STRING, "name"),
	R_(ANY, "input"),
	R_(BOOL, "running"),
	R_(BOOL, "expanded"),
	R_OPT(STRING, "result"),
	R_OPT(BOOL, "is_error"),
	F_END
};
static const struct schema history_tool = { .name = "HistoryTool", .fields = history_tool_fields };

static const struct field history_image_fields[] = {
	R_(UUID, "file_id", .doc = "at /api/uploads/{file_id}"),
	R_(STRING, "filename"),
	F_END
};
static const struct schema history_image = { .name = "HistoryImage", .fields = history_image_fields };

static const struct field history_message_fields[] = {
	R_(STRING, "role", .values = words_role),
	R_(STRING, "content"),
	R_OPT(ARRAY, "tools", .of = &history_tool),
	R_OPT(ARRAY, "images", .of = &history_image),
	R_OPT(STRING, "thinking"),
	R_OPT(TIME, "timestamp"),
	F_END
};
static const struct schema history_message = { .name = "HistoryMessage", .fields = history_message_fields };

static const struct field session_history_fields[] = {
	R_(UUID, "session_id"),
	R_(UUID, "agent_id"),
	R_(INT, "message_count", .doc = "stored messages"),
	R_(INT, "context_window_tokens", .doc = "estimate of what they fill"),
	R_NULL(STRING, "label"),
	R_(ARRAY, "messages", .of = &history_message),
	R_NULL(STRING, "compacted_summary"),
	F_END
};
const struct schema session_history = { .name = "SessionHistory", .fields = session_history_fields };

/* --- sessions of all agents ---------------------------------------------------------- */

static const struct field page_query_fields[] = {
	F_STR(struct page_query, agent, .doc = "id or name; of all agents when absent"),
	F_I64(struct page_query, limit, .dflt = 50, .doc = "at most 500"),
	F_I64(struct page_query, offset),
	F_END
};
const struct schema page_query = {
	.name = "PageQuery", .fields = page_query_fields, .bytes = sizeof(struct page_query),
};

static const struct field search_query_fields[] = {
	F_STR(struct search_query, q, .doc = "words; \"a phrase\", begin*, OR, NOT as the full-text engine reads them"),
	F_STR(struct search_query, agent_id, .doc = "UUID; of all agents when absent"),
	F_I64(struct search_query, limit, .dflt = 50, .doc = "at most 500"),
	F_I64(struct search_query, offset),
	F_END
};
const struct schema search_query = {
	.name = "SearchQuery", .fields = search_query_fields, .bytes = sizeof(struct search_query),
};

static const struct field search_hit_fields[] = {
	R_(UUID, "session_id"),
	R_(UUID, "agent_id"),
	R_(STRING, "snippet", .doc = "what stands around the best match"),
	R_(NUMBER, "rank", .doc = "of the best message; lower is better"),
	R_(BOOL, "active", .doc = "a turn runs now"),
	F_END
};
static const struct schema search_hit = { .name = "SearchHit", .fields = search_hit_fields };

static const struct field search_page_fields[] = {
	R_(ARRAY, "items", .of = &search_hit), R_(INT, "total", .doc = "exact on the last page, else one more than is shown"),
	R_(INT, "offset"), R_(INT, "limit"), F_END
};
const struct schema search_page = { .name = "SearchPage", .fields = search_page_fields };

const struct schema session_model_request = { .name = "SessionModelRequest", .flags = SF_ANY };
const struct schema session_import_request = { .name = "SessionImportRequest", .flags = SF_ANY };
const struct schema memory_import_request = { .name = "MemoryImportRequest", .flags = SF_ANY };

#define SESSION_COMMON \
	R_(UUID, "session_id"), \
	R_(UUID, "agent_id"), \
	R_(INT, "message_count"), \
	R_(INT, "context_window_tokens", .doc = "estimate of what the messages fill"), \
	R_(TIME, "created_at"), \
	R_NULL(STRING, "label", .doc = "its own, else from the first thing said"), \
	R_NULL(INT, "duration_ms", .doc = "from the first to the last message"), \
	R_(NUMBER, "cost_usd"), \
	R_(INT, "total_tokens"), \
	R_(BOOL, "active", .doc = "a turn runs now")

static const struct field summary_fields[] = { SESSION_COMMON, F_END };
static const struct schema summary = { .name = "SessionSummary", .fields = summary_fields };

static const struct field page_fields[] = {
	R_(ARRAY, "items", .of = &summary),
	R_(ARRAY, "sessions", .of = &summary, .doc = "the same, for clients that look there"),
	R_(INT, "total"), R_(INT, "offset"), R_(INT, "limit"), F_END
};
const struct schema session_page = { .name = "SessionPage", .fields = page_fields };

static const char *const words_stored_role[] = { "user", "assistant", "system", NULL };

static const struct field stored_fields[] = {
	R_(STRING, "role", .values = words_stored_role),
	R_(ANY, "content", .doc = "a text, or an array of content blocks"),
	R_(BOOL, "pinned"),
	R_(TIME, "timestamp"),
	F_END
};
static const struct schema stored = { .name = "StoredMessage", .fields = stored_fields };

static const struct field raw_fields[] = {
	SESSION_COMMON,
	R_NULL(STRING, "model_override"),
	R_(ARRAY, "messages", .of = &stored),
	F_END
};
const struct schema session_raw = { .name = "SessionDetail", .fields = raw_fields };

static const struct field labelled_fields[] = {
	R_(STRING, "status"), R_(UUID, "session_id"), R_NULL(STRING, "label"), F_END
};
const struct schema session_labelled = { .name = "SessionLabelled", .fields = labelled_fields };

static const struct field model_set_fields[] = {
	R_(STRING, "status"), R_(UUID, "session_id"), R_NULL(STRING, "model_override"), F_END
};
const struct schema session_model_set = { .name = "SessionModelSet", .fields = model_set_fields };

static const struct field found_fields[] = {
	R_(UUID, "session_id"), R_(UUID, "agent_id"), R_(STRING, "label"), R_(INT, "message_count"), F_END
};
const struct schema session_found = { .name = "SessionFound", .fields = found_fields };

static const struct schema metadata = { .name = "ExportMetadata", .flags = SF_OPEN };

static const struct field export_fields[] = {
	R_(INT, "version"),
	R_(STRING, "agent_name"),
	R_(UUID, "agent_id"),
	R_(UUID, "session_id"),
	R_(ARRAY, "messages", .of = &stored),
	R_(INT, "context_window_tokens"),
	R_NULL(STRING, "label"),
	R_(TIME, "exported_at"),
	R_(OBJECT, "metadata", .of = &metadata),
	F_END
};
const struct schema session_export = { .name = "SessionExport", .fields = export_fields };

static const struct field imported_fields[] = {
	R_(STRING, "status"), R_(UUID, "session_id"), R_(STRING, "message"), F_END
};
const struct schema session_imported = { .name = "SessionImported", .fields = imported_fields };

static const struct field stopped_fields[] = { R_(STRING, "status"), R_(BOOL, "stopped"), F_END };
const struct schema session_stopped = { .name = "SessionStopped", .fields = stopped_fields };

static const struct field cleaned_fields[] = { R_(INT, "sessions_deleted"), F_END };
const struct schema sessions_cleaned = { .name = "SessionsCleaned", .fields = cleaned_fields };

/* --- a turn that runs ------------------------------------------------------------------ */

static const struct field inject_fields[] = {
	F_STR(struct inject_request, message, .flags = FF_REQUIRED, .max = 8 << 20, .doc = "at most 16384 bytes"),
	F_STR(struct inject_request, session_id, .flags = FF_NULLABLE, .doc = "UUID; every running session when absent"),
	F_END
};
const struct schema inject_request = {
	.name = "InjectRequest", .fields = inject_fields, .flags = SF_STRICT, .bytes = sizeof(struct inject_request),
};

static const struct field injected_fields[] = { R_(BOOL, "injected", .doc = "false: nothing runs"), F_END };
const struct schema injected = { .name = "Injected", .fields = injected_fields };

static const char *const words_source[] = { "agent_override", "model_override", "catalog", "fallback", NULL };
static const char *const words_pressure[] = { "low", "medium", "high", "critical", NULL };

static const struct field context_fields[] = {
	R_(INT, "used_tokens", .doc = "estimate of what the next turn would send"),
	R_(INT, "max_context_tokens"),
	R_(STRING, "max_context_tokens_source", .values = words_source),
	R_(BOOL, "max_context_tokens_assumed"),
	R_(NUMBER, "pct"),
	R_(STRING, "model"),
	R_(STRING, "pressure", .values = words_pressure),
	F_END
};
const struct schema session_context = { .name = "SessionContext", .fields = context_fields };

/* --- key/value memory --------------------------------------------------------------- */

const struct schema kv_value = { .name = "KvValue", .flags = SF_ANY | SF_RAW };

static const struct field kv_pair_fields[] = {
	R_(STRING, "key"),
	R_(ANY, "value"),
	F_END
};
const struct schema kv_pair = { .name = "KvPair", .fields = kv_pair_fields };

static const struct field kv_all_fields[] = {
	R_(ARRAY, "kv_pairs", .of = &kv_pair),
	F_END
};
const struct schema kv_all = { .name = "KvPairs", .fields = kv_all_fields };

static const struct field kv_stored_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "key"),
	F_END
};
const struct schema kv_stored = { .name = "KvStored", .fields = kv_stored_fields };

static const struct field memory_export_fields[] = {
	R_(UUID, "agent_id"), R_(INT, "version"), R_(MAP, "kv", .item = FT_ANY), F_END
};
const struct schema memory_export = { .name = "MemoryExport", .fields = memory_export_fields };

static const struct field memory_imported_fields[] = {
	R_(STRING, "status", .doc = "imported or partial"), R_(INT, "keys_imported"),
	R_OPT(ARRAY, "failed_keys", .item = FT_STRING), F_END
};
const struct schema memory_imported = { .name = "MemoryImported", .fields = memory_imported_fields };

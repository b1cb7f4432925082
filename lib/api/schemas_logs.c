/*
 * Shapes of what agents did, sent out and said, for others to read.
 */
#include "lib/api/schemas.h"

static const struct field logs_query_fields[] = {
	F_STR(struct logs_query, n, .doc = "a number: 100, at most 1000"),
	F_STR(struct logs_query, offset, .doc = "a number: 0"),
	F_STR(struct logs_query, level, .doc = "only entries of that outcome, like ok"),
	F_END
};
const struct schema logs_query = {
	.name = "LogsQuery", .fields = logs_query_fields, .bytes = sizeof(struct logs_query),
};

static const struct field receipts_query_fields[] = {
	F_STR(struct receipts_query, limit, .doc = "a number: 50, at most 500"),
	F_END
};
const struct schema receipts_query = {
	.name = "ReceiptsQuery", .fields = receipts_query_fields, .bytes = sizeof(struct receipts_query),
};

static const char *const words_format[] = { "json", "jsonl", NULL };

static const struct field trajectory_query_fields[] = {
	F_STR(struct trajectory_query, format, .values = words_format),
	F_END
};
const struct schema trajectory_query = {
	.name = "TrajectoryQuery", .fields = trajectory_query_fields, .bytes = sizeof(struct trajectory_query),
};

static const struct field push_request_fields[] = {
	F_STR(struct push_request, channel, .flags = FF_REQUIRED),
	F_STR(struct push_request, recipient, .flags = FF_REQUIRED),
	F_STR(struct push_request, message, .flags = FF_REQUIRED),
	F_STR(struct push_request, thread_id, .flags = FF_NULLABLE),
	F_END
};
const struct schema push_request = {
	.name = "PushRequest", .fields = push_request_fields, .flags = SF_STRICT, .bytes = sizeof(struct push_request),
};

static const struct field pushed_fields[] = {
	R_(BOOL, "success"),
	R_(STRING, "detail"),
	R_(UUID, "agent_id"),
	F_END
};
const struct schema pushed = { .name = "Pushed", .fields = pushed_fields };

static const struct field log_entry_fields[] = {
	R_(INT, "seq", .doc = "its place in the audit log"),
	R_(STRING, "timestamp", .doc = "RFC 3339 with nanoseconds"),
	R_(STRING, "action", .doc = "AgentSpawn, AgentMessage, ToolInvoke ..."),
	R_(STRING, "detail"),
	R_(STRING, "outcome"),
	F_END
};
static const struct schema log_entry = { .name = "LogEntry", .fields = log_entry_fields };

static const struct field agent_logs_fields[] = {
	R_(UUID, "agent_id"),
	R_(INT, "count"),
	R_(INT, "offset"),
	R_(ARRAY, "logs", .of = &log_entry, .doc = "newest first"),
	F_END
};
const struct schema agent_logs = { .name = "AgentLogs", .fields = agent_logs_fields };

static const struct field audit_query_fields[] = {
	F_STR(struct audit_query, n, .doc = "a number: 50, at most 1000"),
	F_STR(struct audit_query, limit, .doc = "the same"),
	F_END
};
const struct schema audit_query = {
	.name = "AuditQuery", .fields = audit_query_fields, .bytes = sizeof(struct audit_query),
};

static const struct field audit_entry_fields[] = {
	R_(INT, "seq"),
	R_(STRING, "timestamp", .doc = "RFC 3339 with nanoseconds"),
	R_(STRING, "agent_id", .doc = "a UUID, or system"),
	R_(STRING, "action", .doc = "AgentSpawn, ConfigChange ..."),
	R_(STRING, "detail"),
	R_(STRING, "outcome"),
	R_(STRING, "hash"),
	F_END
};
static const struct schema audit_entry = { .name = "AuditEntry", .fields = audit_entry_fields };

static const struct field audit_page_fields[] = {
	R_(ARRAY, "items", .of = &audit_entry, .doc = "the newest, the oldest of them first"),
	R_(ARRAY, "entries", .of = &audit_entry, .doc = "the same"),
	R_(INT, "total"),
	R_(INT, "offset"),
	R_(INT, "limit"),
	R_(STRING, "tip_hash"),
	F_END
};
const struct schema audit_page = { .name = "AuditPage", .fields = audit_page_fields };

static const char *const words_anchor[] = { "none", NULL };
static const char *const words_chain[] = { "valid", "invalid", NULL };
static const struct field audit_state_fields[] = {
	R_(BOOL, "valid"),
	R_OPT(STRING, "error", .doc = "where it is broken"),
	R_(STRING, "status", .values = words_chain),
	R_(INT, "entries"),
	R_(INT, "chain_length"),
	R_NULL(INT, "first_entry", .doc = "seq"),
	R_NULL(INT, "last_entry"),
	R_(STRING, "tip_hash"),
	R_(BOOL, "anchor_enabled", .doc = "false: the store keeps no second copy of its end"),
	R_NULL(STRING, "anchor_path"),
	R_(STRING, "anchor_status", .values = words_anchor),
	R_OPT(STRING, "warning"),
	F_END
};
const struct schema audit_state = { .name = "AuditState", .fields = audit_state_fields };

static const struct field receipt_fields[] = {
	R_(STRING, "message_id"),
	R_(STRING, "channel"),
	R_(STRING, "recipient"),
	R_(STRING, "status", .doc = "sent, delivered, failed or best_effort"),
	R_(TIME, "timestamp"),
	R_NULL(STRING, "error"),
	F_END
};
static const struct schema receipt = { .name = "Receipt", .fields = receipt_fields };

static const struct field agent_receipts_fields[] = {
	R_(UUID, "agent_id"),
	R_(INT, "count"),
	R_(ARRAY, "receipts", .of = &receipt, .doc = "newest first"),
	F_END
};
const struct schema agent_receipts = { .name = "AgentReceipts", .fields = agent_receipts_fields };

static const struct field metadata_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "agent_name"),
	R_(UUID, "session_id"),
	R_OPT(STRING, "session_label"),
	R_(STRING, "model"),
	R_(STRING, "provider"),
	R_(STRING, "system_prompt_sha256"),
	R_(INT, "message_count"),
	R_(INT, "context_window_tokens"),
	R_(TIME, "exported_at"),
	R_(STRING, "librefang_version"),
	R_(BOOL, "redaction_credentials"),
	R_(BOOL, "redaction_workspace_paths"),
	R_OPT(NUMBER, "cache_hit_ratio"),
	F_END
};
static const struct schema metadata = { .name = "TrajectoryMetadata", .fields = metadata_fields };

static const struct field trajectory_message_fields[] = {
	R_(STRING, "role"),
	R_(BOOL, "pinned"),
	R_OPT(TIME, "timestamp"),
	R_(ARRAY, "content", .item = FT_ANY, .doc = "blocks; of an image only its media_type and data_bytes"),
	F_END
};
static const struct schema trajectory_message = { .name = "TrajectoryMessage", .fields = trajectory_message_fields };

static const struct field trajectory_fields[] = {
	R_(INT, "schema_version"),
	R_(OBJECT, "metadata", .of = &metadata),
	R_(ARRAY, "messages", .of = &trajectory_message),
	F_END
};
const struct schema trajectory = { .name = "Trajectory", .fields = trajectory_fields };

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
	F_END
};
const struct schema session_made = { .name = "SessionMade", .fields = session_made_fields };

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
	R_(INT, "message_count"),
	R_(TIME, "created_at"),
	R_NULL(STRING, "label"),
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

static const struct field history_message_fields[] = {
	R_(STRING, "role", .values = words_role),
	R_(STRING, "content"),
	R_OPT(ARRAY, "tools", .of = &history_tool),
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

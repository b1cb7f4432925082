/*
 * Shapes of agents: requests, lists, details, answers to messages.
 */
#include "lib/api/schemas.h"

enum { BODY_TEXT_MAX = 64 << 20 };      /* what the body's own limit lets through; the handler's rule is narrower */

static const char *const words_search[] = { "off", "auto", "always", NULL };
static const char *const words_reset[] = { "idle", "daily", "suspended", "manual", NULL };
static const char *const words_skills_mode[] = { "all", "allowlist", "none", NULL };
static const char *const words_servers_mode[] = { "none", "all", "allowlist", NULL };
static const char *const words_reasoning[] = { "none", "low", "high", "max", NULL };
static const char *const words_mode_request[] = { "observe", "assist", "full", "stable", "normal", NULL };

/* --- queries and bodies --------------------------------------------------------- */

static const struct field agents_query_fields[] = {
	F_STR(struct agents_query, q, .doc = "part of the name or description"),
	F_STR(struct agents_query, status, .doc = "state, in any letter case"),
	F_STR(struct agents_query, owner, .doc = "author"),
	F_BOOL(struct agents_query, include_hands),
	F_STR(struct agents_query, sort, .doc = "name, created_at, last_active or state"),
	F_STR(struct agents_query, order, .doc = "asc or desc"),
	F_I64(struct agents_query, limit, .dflt = 500, .doc = "at most 500"),
	F_I64(struct agents_query, offset),
	F_END
};
const struct schema agents_query = {
	.name = "AgentsQuery", .fields = agents_query_fields, .bytes = sizeof(struct agents_query),
};

static const struct field confirm_query_fields[] = {
	F_BOOL(struct confirm_query, confirm),
	F_END
};
const struct schema confirm_query = {
	.name = "ConfirmQuery", .fields = confirm_query_fields, .bytes = sizeof(struct confirm_query),
};

static const struct field spawn_fields[] = {
	F_STR(struct spawn_request, manifest_toml, .max = BODY_TEXT_MAX, .doc = "text of agent.toml, at most 1 MiB"),
	F_STR(struct spawn_request, template, .doc = "name of a template, used when manifest_toml is blank"),
	F_STR(struct spawn_request, name, .doc = "wins over the manifest's name"),
	F_STR(struct spawn_request, signed_manifest, .max = BODY_TEXT_MAX),
	F_END
};
const struct schema spawn_request = {
	.name = "SpawnRequest", .fields = spawn_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct spawn_request),
};

const struct schema agent_patch = { .name = "AgentPatch", .flags = SF_ANY };

struct attachment { const char *file_id, *filename, *content_type; };

static const struct field attachment_fields[] = {
	F_STR(struct attachment, file_id, .flags = FF_REQUIRED),
	F_STR(struct attachment, filename, .dflt_s = ""),
	F_STR(struct attachment, content_type, .dflt_s = ""),
	F_END
};
static const struct schema attachment = {
	.name = "Attachment", .fields = attachment_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct attachment),
};

struct participant { const char *jid, *display_name; };

static const struct field participant_fields[] = {
	F_STR(struct participant, jid, .flags = FF_REQUIRED),
	F_STR(struct participant, display_name, .flags = FF_REQUIRED),
	F_END
};
static const struct schema participant = {
	.name = "GroupParticipant", .fields = participant_fields, .bytes = sizeof(struct participant),
};

static const struct field message_fields[] = {
	F_STR(struct message_request, message, .flags = FF_REQUIRED, .max = BODY_TEXT_MAX,
	    .doc = "at most 262144 bytes and 100000 characters"),
	F_ARR(struct message_request, attachments, .of = &attachment),
	F_STR(struct message_request, sender_id, .flags = FF_NULLABLE),
	F_STR(struct message_request, sender_name, .flags = FF_NULLABLE),
	F_STR(struct message_request, channel_type, .flags = FF_NULLABLE, .dflt_s = "api"),
	F_BOOL(struct message_request, is_group),
	F_BOOL(struct message_request, was_mentioned),
	F_ARR(struct message_request, group_participants, .flags = FF_NULLABLE, .of = &participant),
	F_BOOL(struct message_request, ephemeral, .doc = "a question beside the conversation: no tools, nothing kept"),
	F_BOOL(struct message_request, thinking, .flags = FF_NULLABLE,
	    .has_off = offsetof(struct message_request, has_thinking)),
	F_STR(struct message_request, reasoning_mode, .flags = FF_NULLABLE, .values = words_reasoning),
	F_BOOL(struct message_request, show_thinking, .flags = FF_NULLABLE, .dflt = 1),
	F_STR(struct message_request, session_id, .flags = FF_NULLABLE, .doc = "UUID of one of the agent's sessions"),
	F_BOOL(struct message_request, incognito, .doc = "nothing is written to history or memory"),
	F_END
};
const struct schema message_request = {
	.name = "MessageRequest", .fields = message_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct message_request),
};

static const struct field model_request_fields[] = {
	F_STR(struct model_request, model, .doc = "required; provider/model is understood"),
	F_STR(struct model_request, provider, .flags = FF_NULLABLE),
	F_END
};
const struct schema model_request = {
	.name = "ModelRequest", .fields = model_request_fields, .bytes = sizeof(struct model_request),
};

static const struct field mode_request_fields[] = {
	F_STR(struct mode_request, mode, .flags = FF_REQUIRED, .values = words_mode_request, .fold = true),
	F_END
};
const struct schema mode_request = {
	.name = "ModeRequest", .fields = mode_request_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct mode_request),
};

/* --- the list ------------------------------------------------------------------------ */

static const struct field identity_fields[] = {
	R_NULL(STRING, "emoji"),
	R_NULL(STRING, "avatar_url"),
	R_NULL(STRING, "color"),
	F_END
};
static const struct schema identity = { .name = "AgentIdentity", .fields = identity_fields };

static const struct field agent_item_fields[] = {
	R_(UUID, "id"),
	R_(STRING, "name"),
	R_(STRING, "description"),
	R_(BOOL, "is_hand"),
	R_(STRING, "state", .values = words_agent_state),
	R_(STRING, "mode", .values = words_agent_mode),
	R_(TIME, "created_at"),
	R_(TIME, "last_active"),
	R_(STRING, "model_provider"),
	R_(STRING, "model_name"),
	R_(STRING, "model_tier", .values = words_tier),
	R_(STRING, "auth_status", .values = words_auth_status),
	R_(BOOL, "supports_thinking"),
	R_(BOOL, "ready", .doc = "it runs, and its provider has what it needs"),
	R_NULL(STRING, "source_template"),
	R_NULL(STRING, "profile"),
	R_(STRING, "schedule", .doc = "manual, a cron expression, proactive, or continuous with its seconds"),
	R_(STRING, "web_search_augmentation", .values = words_search),
	R_(ARRAY, "tags", .item = FT_STRING),
	R_(INT, "sessions_24h"),
	R_(NUMBER, "cost_24h"),
	R_(OBJECT, "identity", .of = &identity),
	R_NULL(UUID, "parent_agent_id"),
	R_(BOOL, "parent_unknown"),
	R_(ARRAY, "children", .item = FT_UUID),
	R_(UUID, "session_id"),
	R_(BOOL, "onboarding_completed"),
	R_NULL(TIME, "onboarding_completed_at"),
	R_(BOOL, "force_session_wipe"),
	R_(BOOL, "resume_pending"),
	R_NULL(STRING, "reset_reason", .values = words_reset),
	R_(BOOL, "has_processed_message"),
	F_END
};
const struct schema agent_item = { .name = "AgentItem", .fields = agent_item_fields };

static const struct field agent_page_fields[] = {
	R_(ARRAY, "items", .of = &agent_item),
	R_(INT, "total"),
	R_(INT, "offset"),
	R_(INT, "limit"),
	F_END
};
const struct schema agent_page = { .name = "AgentPage", .fields = agent_page_fields };

/* --- the detail ------------------------------------------------------------------------ */

static const struct field agent_model_fields[] = {
	R_(STRING, "provider"),
	R_(STRING, "model"),
	R_NULL(INT, "max_tokens"),
	R_NULL(NUMBER, "temperature"),
	R_NULL(NUMBER, "top_p"),
	R_NULL(NUMBER, "frequency_penalty"),
	R_NULL(NUMBER, "presence_penalty"),
	R_NULL(INT, "context_window"),
	R_NULL(INT, "max_output_tokens"),
	F_END
};
static const struct schema agent_model = { .name = "AgentModel", .fields = agent_model_fields };

static const struct field agent_can_fields[] = {
	R_(ARRAY, "tools", .item = FT_STRING),
	R_(ARRAY, "network", .item = FT_STRING),
	F_END
};
static const struct schema agent_can = { .name = "AgentCapabilities", .fields = agent_can_fields };

static const struct field fallback_fields[] = {
	R_(STRING, "provider"),
	R_(STRING, "model"),
	R_NULL(STRING, "api_key_env"),
	R_NULL(STRING, "base_url"),
	F_END
};
static const struct schema fallback = { .name = "FallbackModel", .fields = fallback_fields };

static const struct field agent_detail_fields[] = {
	R_(UUID, "id"),
	R_(STRING, "name"),
	R_(BOOL, "is_hand"),
	R_(STRING, "state", .values = words_agent_state),
	R_(STRING, "mode", .values = words_agent_mode),
	R_NULL(STRING, "profile"),
	R_(TIME, "created_at"),
	R_(TIME, "last_active"),
	R_(UUID, "session_id"),
	R_(STRING, "model_provider", .doc = "model.provider, as the list has it"),
	R_(STRING, "model_name"),
	R_(OBJECT, "model", .of = &agent_model),
	R_(OBJECT, "capabilities", .of = &agent_can),
	R_(STRING, "system_prompt"),
	R_(STRING, "description"),
	R_NULL(STRING, "source_template"),
	R_(ARRAY, "tags", .item = FT_STRING),
	R_(OBJECT, "identity", .of = &identity),
	R_(STRING, "schedule"),
	R_(ARRAY, "skills", .item = FT_STRING),
	R_(STRING, "skills_mode", .values = words_skills_mode),
	R_(BOOL, "skills_disabled"),
	R_(ARRAY, "pending_skills", .item = FT_STRING, .doc = "assigned, not loaded yet"),
	R_(ARRAY, "mcp_servers", .item = FT_STRING),
	R_(STRING, "mcp_servers_mode", .values = words_servers_mode),
	R_(BOOL, "mcp_disabled"),
	R_(ARRAY, "pending_mcp_servers", .item = FT_STRING),
	R_(BOOL, "tools_disabled"),
	R_NULL(ARRAY, "fallback_models", .of = &fallback),
	R_(BOOL, "auto_evolve"),
	R_(STRING, "web_search_augmentation", .values = words_search),
	R_(INT, "injected_footprint_tokens"),
	R_NULL(UUID, "parent_agent_id", .doc = "the agent that made it"),
	R_(ARRAY, "children", .item = FT_UUID, .doc = "agents that it made"),
	F_END
};
const struct schema agent_detail = { .name = "AgentDetail", .fields = agent_detail_fields };

/* --- short answers ------------------------------------------------------------------------ */

static const struct field agent_made_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "name"),
	F_END
};
const struct schema agent_made = { .name = "AgentMade", .fields = agent_made_fields, .status = 201 };

static const struct field agent_patched_fields[] = {
	R_(STRING, "status"),
	R_(UUID, "agent_id"),
	R_OPT(STRING, "name"),
	R_OPT(STRING, "note", .doc = "after a new manifest"),
	F_END
};
const struct schema agent_patched = { .name = "AgentPatched", .fields = agent_patched_fields };

static const struct field agent_killed_fields[] = {
	R_(STRING, "status", .doc = "killed or already-deleted"),
	R_(UUID, "agent_id"),
	R_OPT(BOOL, "identity_purged"),
	F_END
};
const struct schema agent_killed = { .name = "AgentKilled", .fields = agent_killed_fields };

static const struct field model_set_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "model"),
	R_(STRING, "provider"),
	F_END
};
const struct schema model_set = { .name = "ModelSet", .fields = model_set_fields };

static const struct field mode_set_fields[] = {
	R_(STRING, "status"),
	R_(UUID, "agent_id"),
	R_(STRING, "mode", .doc = "the word that was sent"),
	F_END
};
const struct schema mode_set = { .name = "ModeSet", .fields = mode_set_fields };

/* --- the answer to a message ----------------------------------------------------------------- */

static const struct field trace_fields[] = {
	R_(STRING, "tool_use_id"),
	R_(STRING, "tool_name"),
	R_(ANY, "input"),
	R_NULL(STRING, "rationale"),
	R_(BOOL, "recovered_from_text"),
	R_(INT, "execution_ms"),
	R_(BOOL, "is_error"),
	R_(STRING, "output_summary"),
	R_(INT, "iteration"),
	R_(TIME, "timestamp"),
	F_END
};
static const char *const words_weight[] = { "simple", "medium", "complex", NULL };
static const struct field routing_choice_fields[] = {
	R_(STRING, "weight", .values = words_weight),
	R_(INT, "score", .doc = "about as many tokens as the question has"),
	R_(STRING, "model"),
	F_END
};
static const struct schema routing_choice = { .name = "RoutingChoice", .fields = routing_choice_fields };

const struct schema decision_trace = { .name = "DecisionTrace", .fields = trace_fields };

static const struct field conflict_fields[] = {
	R_(STRING, "old_content"),
	R_(STRING, "new_content"),
	R_(STRING, "memory_id"),
	F_END
};
static const struct schema conflict = { .name = "MemoryConflict", .fields = conflict_fields };

static const struct field directives_fields[] = {
	R_OPT(STRING, "reply_to", .flags = FF_NULLABLE),
	R_(BOOL, "current_thread"),
	R_(BOOL, "silent"),
	F_END
};
static const struct schema reply_directives = { .name = "ReplyDirectives", .fields = directives_fields };

static const struct field message_response_fields[] = {
	R_(STRING, "response"),
	R_OPT(BOOL, "silent", .doc = "the agent chose not to answer"),
	R_OPT(OBJECT, "directives", .of = &reply_directives, .doc = "how the answer is to be delivered, as the model said in [[...]]"),
	R_(INT, "input_tokens"),
	R_(INT, "output_tokens"),
	R_(INT, "iterations"),
	R_OPT(NUMBER, "cost_usd", .flags = FF_NULLABLE),
	R_OPT(ARRAY, "decision_traces", .of = &decision_trace),
	R_OPT(OBJECT, "routing", .of = &routing_choice, .doc = "which model was chosen by the question's weight"),
	R_OPT(ARRAY, "memories_saved", .item = FT_STRING),
	R_OPT(ARRAY, "memories_used", .item = FT_STRING),
	R_OPT(ARRAY, "memory_conflicts", .of = &conflict),
	R_OPT(STRING, "thinking"),
	R_OPT(STRING, "owner_notice"),
	R_OPT(UUID, "session_id", .doc = "where the turn landed, when the request named none"),
	F_END
};
const struct schema message_response = { .name = "MessageResponse", .fields = message_response_fields };

const struct schema agent_events = { .name = "AgentEvents", .flags = SF_STREAM };
const struct schema agent_socket = { .name = "AgentSocket", .flags = SF_STREAM };

/*
 * Shapes of what is set on agents, of many at once, and of what they have done.
 */
#include "lib/api/schemas.h"

enum { TEXT_MAX = 8 << 20 };            /* what the body's own limit lets through; the handler's rule is narrower */

static const char *const words_search[] = { "off", "auto", "always", NULL };
static const char *const words_skills_mode[] = { "all", "allowlist", "none", NULL };
static const char *const words_servers_mode[] = { "none", "all", "allowlist", NULL };
static const char *const words_channels_mode[] = { "all", "allowlist", NULL };

static const struct field events_query_fields[] = {
	F_I64(struct events_query, limit, .dflt = 30, .doc = "at most 200"),
	F_END
};
const struct schema events_query = {
	.name = "EventsQuery", .fields = events_query_fields, .bytes = sizeof(struct events_query),
};

/* --- bodies ------------------------------------------------------------------------------ */

static const struct field bulk_spawn_fields[] = {
	F_ARR(struct bulk_spawn_request, agents, .flags = FF_REQUIRED, .of = &spawn_request, .doc = "1 to 50"),
	F_END
};
const struct schema bulk_spawn_request = {
	.name = "BulkSpawnRequest", .fields = bulk_spawn_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct bulk_spawn_request),
};

static const struct field bulk_fields[] = {
	F_ARR(struct bulk_request, agent_ids, .flags = FF_REQUIRED, .item = FT_STRING, .doc = "1 to 50"),
	F_END
};
const struct schema bulk_request = {
	.name = "BulkRequest", .fields = bulk_fields, .flags = SF_STRICT, .bytes = sizeof(struct bulk_request),
};

#define LOOKS(s, m, ...) { .name = #m, .type = FT_STRING, .flags = FF_NULLABLE, .max = TEXT_MAX, \
	.off = offsetof(s, m), __VA_ARGS__ }
#define LOOKS_IN(s, m, ...) { .name = #m, .type = FT_STRING, .flags = FF_NULLABLE, .max = TEXT_MAX, \
	.off = offsetof(s, identity) + offsetof(struct identity_request, m), __VA_ARGS__ }

static const struct field identity_fields[] = {
	LOOKS(struct identity_request, emoji),
	LOOKS(struct identity_request, avatar_url, .doc = "http:, https: or data:"),
	LOOKS(struct identity_request, color, .doc = "#rrggbb"),
	LOOKS(struct identity_request, archetype),
	LOOKS(struct identity_request, vibe),
	LOOKS(struct identity_request, greeting_style),
	F_END
};
const struct schema identity_request = {
	.name = "IdentityRequest", .fields = identity_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct identity_request),
};

struct fallback { const char *provider, *model, *api_key_env, *base_url; };

static const struct field fallback_fields[] = {
	F_STR(struct fallback, provider, .flags = FF_REQUIRED),
	F_STR(struct fallback, model, .flags = FF_REQUIRED),
	F_STR(struct fallback, api_key_env, .flags = FF_NULLABLE),
	F_STR(struct fallback, base_url, .flags = FF_NULLABLE),
	F_END
};
static const struct schema fallback = {
	.name = "FallbackRequest", .fields = fallback_fields, .bytes = sizeof(struct fallback),
};

#define SENT(m) .flags = FF_NULLABLE, .has_off = offsetof(struct agent_config_request, has_##m)

static const struct field config_fields[] = {
	LOOKS(struct agent_config_request, name, .doc = "at most 256 bytes"),
	LOOKS(struct agent_config_request, description, .doc = "at most 4096 bytes"),
	LOOKS(struct agent_config_request, system_prompt, .doc = "at most 65536 bytes"),
	LOOKS_IN(struct agent_config_request, emoji),
	LOOKS_IN(struct agent_config_request, avatar_url, .doc = "http:, https: or data:"),
	LOOKS_IN(struct agent_config_request, color, .doc = "#rrggbb"),
	LOOKS_IN(struct agent_config_request, archetype),
	LOOKS_IN(struct agent_config_request, vibe),
	LOOKS_IN(struct agent_config_request, greeting_style),
	F_STR(struct agent_config_request, model, .flags = FF_NULLABLE),
	F_STR(struct agent_config_request, provider, .flags = FF_NULLABLE),
	F_STR(struct agent_config_request, api_key_env, .flags = FF_NULLABLE, .doc = "empty: the provider's own"),
	F_STR(struct agent_config_request, base_url, .flags = FF_NULLABLE, .doc = "empty: the provider's own"),
	F_I64(struct agent_config_request, max_tokens, SENT(max_tokens), .doc = "above 0"),
	F_NUM(struct agent_config_request, temperature, SENT(temperature), .doc = "0 to 2"),
	F_NUM(struct agent_config_request, top_p, SENT(top_p), .doc = "0 to 1"),
	F_NUM(struct agent_config_request, frequency_penalty, SENT(frequency_penalty), .doc = "-2 to 2"),
	F_NUM(struct agent_config_request, presence_penalty, SENT(presence_penalty), .doc = "-2 to 2"),
	F_I64(struct agent_config_request, context_window, SENT(context_window)),
	F_I64(struct agent_config_request, max_output_tokens, SENT(max_output_tokens)),
	F_ARR(struct agent_config_request, fallback_models, .flags = FF_NULLABLE, .of = &fallback),
	F_STR(struct agent_config_request, web_search_augmentation, .flags = FF_NULLABLE, .values = words_search),
	F_END
};
const struct schema agent_config_request = {
	.name = "AgentConfigRequest", .fields = config_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct agent_config_request),
};

static const struct field clone_fields[] = {
	F_STR(struct clone_request, new_name, .flags = FF_REQUIRED, .max = TEXT_MAX, .doc = "at most 256 bytes"),
	F_BOOL(struct clone_request, include_skills, .dflt = 1),
	F_BOOL(struct clone_request, include_tools, .dflt = 1),
	F_END
};
const struct schema clone_request = {
	.name = "CloneRequest", .fields = clone_fields, .flags = SF_STRICT, .bytes = sizeof(struct clone_request),
};

static const struct field tools_fields[] = {
	F_ARR(struct agent_tools_request, capabilities_tools, .flags = FF_NULLABLE, .item = FT_STRING),
	F_ARR(struct agent_tools_request, tool_allowlist, .flags = FF_NULLABLE, .item = FT_STRING),
	F_ARR(struct agent_tools_request, tool_blocklist, .flags = FF_NULLABLE, .item = FT_STRING),
	F_BOOL(struct agent_tools_request, disabled, .flags = FF_NULLABLE,
	    .has_off = offsetof(struct agent_tools_request, has_disabled)),
	F_END
};
const struct schema agent_tools_request = {
	.name = "AgentToolsRequest", .fields = tools_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct agent_tools_request),
};

static const struct field skills_fields[] = {
	F_ARR(struct skills_request, skills, .item = FT_STRING, .doc = "none: all that are installed"),
	F_END
};
const struct schema skills_request = {
	.name = "SkillsRequest", .fields = skills_fields, .bytes = sizeof(struct skills_request),
};

static const struct field servers_fields[] = {
	F_ARR(struct servers_request, mcp_servers, .flags = FF_REQUIRED, .item = FT_STRING, .doc = "* is all of them"),
	F_END
};
const struct schema servers_request = {
	.name = "ServersRequest", .fields = servers_fields, .bytes = sizeof(struct servers_request),
};

static const struct field channels_fields[] = {
	F_ARR(struct channels_request, channels, .flags = FF_REQUIRED, .item = FT_STRING, .doc = "none: all"),
	F_END
};
const struct schema channels_request = {
	.name = "ChannelsRequest", .fields = channels_fields, .bytes = sizeof(struct channels_request),
};

static const struct field file_fields[] = {
	F_STR(struct file_request, content, .flags = FF_REQUIRED, .max = TEXT_MAX, .doc = "at most 32768 bytes"),
	F_END
};
const struct schema file_request = {
	.name = "FileRequest", .fields = file_fields, .flags = SF_STRICT, .bytes = sizeof(struct file_request),
};

/* --- many at once --------------------------------------------------------------------------- */

static const struct field made_one_fields[] = {
	R_(INT, "index"),
	R_(BOOL, "success"),
	R_OPT(UUID, "agent_id"),
	R_OPT(STRING, "name"),
	R_OPT(STRING, "error"),
	F_END
};
static const struct schema made_one = { .name = "BulkMadeOne", .fields = made_one_fields };

static const struct field bulk_made_fields[] = {
	R_(INT, "total"), R_(INT, "succeeded"), R_(INT, "failed"), R_(ARRAY, "results", .of = &made_one), F_END
};
const struct schema bulk_made = { .name = "BulkMade", .fields = bulk_made_fields };

static const struct field done_one_fields[] = {
	R_(STRING, "agent_id", .doc = "as it was sent"),
	R_(BOOL, "success"),
	R_OPT(STRING, "message"),
	R_OPT(STRING, "error"),
	F_END
};
static const struct schema done_one = { .name = "BulkDoneOne", .fields = done_one_fields };

static const struct field bulk_done_fields[] = {
	R_(INT, "total"), R_(INT, "succeeded"), R_(INT, "failed"), R_(ARRAY, "results", .of = &done_one), F_END
};
const struct schema bulk_done = { .name = "BulkDone", .fields = bulk_done_fields };

/* --- settings -------------------------------------------------------------------------------- */

static const struct field updated_fields[] = {
	R_(STRING, "status"), R_(UUID, "agent_id"), R_(STRING, "name"),
	R_OPT(STRING, "note", .doc = "after a new manifest"), F_END
};
const struct schema agent_updated = { .name = "AgentUpdated", .fields = updated_fields };

static const struct field settled_fields[] = { R_(STRING, "status"), R_(UUID, "agent_id"), F_END };
const struct schema agent_settled = { .name = "AgentSettled", .fields = settled_fields };
const struct schema agent_state = { .name = "AgentState", .fields = settled_fields };

static const struct field configured_fields[] = {
	R_(STRING, "status"), R_(UUID, "agent_id"), R_(ARRAY, "warnings", .item = FT_STRING), F_END
};
const struct schema agent_configured = { .name = "AgentConfigured", .fields = configured_fields };

static const struct field cloned_fields[] = {
	R_(UUID, "agent_id"), R_(STRING, "name"),
	R_(BOOL, "partial", .doc = "something could not be copied: see warnings"),
	R_(ARRAY, "warnings", .item = FT_STRING), F_END
};
const struct schema agent_cloned = { .name = "AgentCloned", .fields = cloned_fields, .status = 201 };

static const struct field tools_reply_fields[] = {
	R_(ARRAY, "capabilities_tools", .item = FT_STRING),
	R_(ARRAY, "tool_allowlist", .item = FT_STRING),
	R_(ARRAY, "tool_blocklist", .item = FT_STRING),
	R_(BOOL, "disabled"),
	R_OPT(ARRAY, "warnings", .item = FT_STRING),
	F_END
};
const struct schema agent_tools = { .name = "AgentTools", .fields = tools_reply_fields };

static const struct field assigned_skills_fields[] = {
	R_(ARRAY, "assigned", .item = FT_STRING),
	R_(ARRAY, "available", .item = FT_STRING),
	R_(STRING, "mode", .values = words_skills_mode),
	R_(BOOL, "disabled"),
	R_(ARRAY, "pending", .item = FT_STRING, .doc = "assigned, not installed"),
	F_END
};
const struct schema assigned_skills = { .name = "AssignedSkills", .fields = assigned_skills_fields };

static const struct field skills_set_fields[] = { R_(STRING, "status"), R_(ARRAY, "skills", .item = FT_STRING), F_END };
const struct schema skills_set = { .name = "SkillsSet", .fields = skills_set_fields };

static const struct field assigned_servers_fields[] = {
	R_(ARRAY, "assigned", .item = FT_STRING),
	R_(ARRAY, "available", .item = FT_STRING),
	R_(STRING, "mode", .values = words_servers_mode),
	R_(ARRAY, "pending", .item = FT_STRING),
	F_END
};
const struct schema assigned_servers = { .name = "AssignedServers", .fields = assigned_servers_fields };

static const struct field servers_set_fields[] = {
	R_(STRING, "status"), R_(ARRAY, "mcp_servers", .item = FT_STRING), F_END
};
const struct schema servers_set = { .name = "ServersSet", .fields = servers_set_fields };

static const struct field assigned_channels_fields[] = {
	R_(ARRAY, "assigned", .item = FT_STRING),
	R_(ARRAY, "available", .item = FT_STRING),
	R_(ARRAY, "instances", .item = FT_ANY),
	R_(STRING, "mode", .values = words_channels_mode),
	F_END
};
const struct schema assigned_channels = { .name = "AssignedChannels", .fields = assigned_channels_fields };

static const struct field channels_set_fields[] = {
	R_(STRING, "status"), R_(ARRAY, "channels", .item = FT_STRING), F_END
};
const struct schema channels_set = { .name = "ChannelsSet", .fields = channels_set_fields };

/* --- identity files ---------------------------------------------------------------------------- */

static const struct field file_item_fields[] = { R_(STRING, "name"), R_(BOOL, "exists"), R_(INT, "size_bytes"), F_END };
static const struct schema file_item = { .name = "AgentFileItem", .fields = file_item_fields };

static const struct field files_fields[] = { R_(ARRAY, "files", .of = &file_item), F_END };
const struct schema agent_files = { .name = "AgentFiles", .fields = files_fields };

static const struct field file_reply_fields[] = {
	R_(STRING, "name"), R_(STRING, "content"), R_(INT, "size_bytes"), F_END
};
const struct schema agent_file = { .name = "AgentFile", .fields = file_reply_fields };

static const struct field file_stored_fields[] = {
	R_(STRING, "status"), R_(STRING, "name"), R_(INT, "size_bytes"), F_END
};
const struct schema file_stored = { .name = "FileStored", .fields = file_stored_fields };

static const struct field file_removed_fields[] = { R_(STRING, "status"), R_(STRING, "name"), F_END };
const struct schema file_removed = { .name = "FileRemoved", .fields = file_removed_fields };

/* --- what they have done -------------------------------------------------------------------------- */

static const struct field tokens_fields[] = {
	R_(INT, "session_tokens"), R_(INT, "total_input_tokens"), R_(INT, "total_output_tokens"),
	R_(INT, "total_tokens"), F_END
};
static const struct schema tokens = { .name = "AgentTokens", .fields = tokens_fields };

static const struct field tool_calls_fields[] = { R_(INT, "session_tool_calls"), R_(INT, "total_tool_calls"), F_END };
static const struct schema tool_calls = { .name = "AgentToolCalls", .fields = tool_calls_fields };

static const struct field metrics_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "name"),
	R_(STRING, "state", .values = words_agent_state),
	R_(INT, "uptime_secs", .doc = "since it was made"),
	R_(INT, "message_count", .doc = "of the current session"),
	R_(OBJECT, "token_usage", .of = &tokens),
	R_(OBJECT, "tool_calls", .of = &tool_calls),
	R_(NUMBER, "cost_usd"),
	R_(INT, "call_count"),
	R_(INT, "error_count", .doc = "turns of the last week that failed"),
	R_NULL(NUMBER, "avg_response_time_ms"),
	F_END
};
const struct schema agent_metrics = { .name = "AgentMetrics", .fields = metrics_fields };

static const struct field day_fields[] = {
	R_(INT, "sessions_24h"), R_(NUMBER, "cost_24h"), R_(INT, "p95_latency_ms"), F_END
};
static const struct schema day = { .name = "AgentDay", .fields = day_fields };

static const struct field stats_fields[] = {
	R_(INT, "sessions_24h"),
	R_(NUMBER, "cost_24h"),
	R_(INT, "p95_latency_ms"),
	R_(INT, "active_now", .doc = "sessions in which something was said in the last five minutes"),
	R_(INT, "samples"),
	R_(OBJECT, "prev", .of = &day, .doc = "the day before"),
	F_END
};
const struct schema agent_stats = { .name = "AgentStats", .fields = stats_fields };

static const struct field usage_one_fields[] = {
	R_(TIME, "timestamp"), R_(STRING, "model"), R_(STRING, "provider"), R_(INT, "input_tokens"),
	R_(INT, "output_tokens"), R_(NUMBER, "cost_usd"), R_(INT, "tool_calls"), R_(INT, "latency_ms"), F_END
};
static const struct schema usage_one = { .name = "AgentUsageEvent", .fields = usage_one_fields };

static const struct field usage_fields[] = { R_(ARRAY, "events", .of = &usage_one), F_END };
const struct schema agent_usage = { .name = "AgentUsage", .fields = usage_fields };

static const struct field traces_fields[] = { R_(ARRAY, "traces", .of = &decision_trace), F_END };
const struct schema agent_traces = { .name = "AgentTraces", .fields = traces_fields };

static const struct field runtime_fields[] = {
	R_(UUID, "session_id"), R_(TIME, "started_at"), R_(STRING, "state"), F_END
};
const struct schema agent_runtime = { .name = "AgentRuntime", .fields = runtime_fields, .flags = SF_ARRAY };

static const struct field name_fields[] = {
	R_(STRING, "name"), R_(UUID, "canonical_uuid"), R_NULL(TIME, "created_at"), F_END
};
const struct schema name_list = { .name = "AgentNames", .fields = name_fields, .flags = SF_ARRAY };

static const struct field name_reset_fields[] = {
	R_(STRING, "status"), R_(STRING, "name"), R_(UUID, "previous_canonical_uuid"), F_END
};
const struct schema name_reset = { .name = "NameReset", .fields = name_reset_fields };

/*
 * Shapes of the system's rows, and the small ones that others share.
 */
#include "lib/api/schemas.h"

static const char *const words_ok[] = { "ok", "degraded", NULL };
static const char *const words_check[] = { "ok", "warn", "error", "skipped", NULL };
static const char *const words_ready[] = { "ready", "not_ready", NULL };
static const char *const words_role[] = { "viewer", "user", "admin", "owner", NULL };
static const char *const words_database[] = { "connected", "error", NULL };

const char *const words_agent_state[] = {
	"Created", "Running", "Suspended", "Terminated", "Crashed", NULL
};
const char *const words_agent_mode[] = { "observe", "assist", "full", NULL };
const char *const words_auth_status[] = {
	"validated_key", "configured", "configured_cli", "auto_detected", "invalid_key", "missing",
	"not_required", "cli_not_installed", "local_offline", "unknown", NULL
};
const char *const words_tier[] = {
	"frontier", "smart", "balanced", "fast", "local", "custom", "unknown", NULL
};

/* --- shared ------------------------------------------------------------------ */

const struct schema nothing = { .name = "Nothing", .flags = SF_EMPTY };

static const struct field status_only_fields[] = {
	R_(STRING, "status"),
	F_END
};
const struct schema status_only = { .name = "Status", .fields = status_only_fields };

static const struct field status_message_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "message"),
	F_END
};
const struct schema status_message = { .name = "StatusMessage", .fields = status_message_fields };

/* --- health ------------------------------------------------------------------- */

static const struct field check_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "status", .values = words_check),
	F_END
};
static const struct schema check = { .name = "Check", .fields = check_fields };

static const struct field health_fields[] = {
	R_(STRING, "status", .values = words_ok),
	R_(STRING, "version"),
	R_(INT, "uptime_seconds"),
	R_(ARRAY, "checks", .of = &check),
	F_END
};
const struct schema health = { .name = "Health", .fields = health_fields };

static const struct field ready_check_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "status", .values = words_check),
	R_(BOOL, "required", .doc = "the server is not ready while this check fails"),
	F_END
};
static const struct schema ready_check = { .name = "ReadyCheck", .fields = ready_check_fields };

static const struct field readiness_fields[] = {
	R_(STRING, "status", .values = words_ready),
	R_(ARRAY, "checks", .of = &ready_check),
	F_END
};
const struct schema readiness = { .name = "Readiness", .fields = readiness_fields };

static const struct field memory_health_fields[] = {
	R_(BOOL, "embedding_available"),
	R_NULL(STRING, "embedding_provider"),
	R_(STRING, "embedding_model"),
	R_(BOOL, "proactive_memory_enabled"),
	R_NULL(STRING, "extraction_model"),
	F_END
};
static const struct schema memory_health = { .name = "MemoryHealth", .fields = memory_health_fields };

static const struct field event_bus_fields[] = {
	R_(INT, "dropped_events"),
	F_END
};
static const struct schema event_bus = { .name = "EventBus", .fields = event_bus_fields };

#define WINDOW(w) \
	R_(NUMBER, w "_spend_usd"), \
	R_(NUMBER, w "_limit_usd", .doc = "0: unlimited"), \
	R_NULL(NUMBER, w "_spend_percent", .doc = "null without a limit")

static const struct field budget_health_fields[] = {
	WINDOW("hourly"),
	WINDOW("daily"),
	WINDOW("monthly"),
	R_(NUMBER, "alert_threshold"),
	F_END
};
static const struct schema budget_health = { .name = "BudgetHealth", .fields = budget_health_fields };

static const struct field llm_health_fields[] = {
	R_(INT, "total_calls"),
	R_(NUMBER, "avg_latency_ms"),
	R_(INT, "max_latency_ms"),
	R_(INT, "model_count"),
	F_END
};
static const struct schema llm_health = { .name = "LlmHealth", .fields = llm_health_fields };

static const struct field health_detail_fields[] = {
	R_(STRING, "status", .values = words_ok),
	R_(STRING, "version"),
	R_(INT, "uptime_seconds"),
	R_(INT, "panic_count"),
	R_(INT, "restart_count"),
	R_(INT, "agent_count"),
	R_(STRING, "database", .values = words_database),
	R_(OBJECT, "memory", .of = &memory_health),
	R_(ARRAY, "config_warnings", .item = FT_STRING),
	R_(OBJECT, "event_bus", .of = &event_bus),
	R_(OBJECT, "budget", .of = &budget_health),
	R_(OBJECT, "llm", .of = &llm_health),
	F_END
};
const struct schema health_detail = { .name = "HealthDetail", .fields = health_detail_fields };

/* --- status -------------------------------------------------------------------- */

static const struct field status_agent_fields[] = {
	R_(UUID, "id"),
	R_(STRING, "name"),
	R_(STRING, "state", .values = words_agent_state),
	R_(STRING, "mode", .values = words_agent_mode),
	R_(TIME, "created_at"),
	R_(STRING, "model_provider"),
	R_(STRING, "model_name"),
	R_NULL(STRING, "profile"),
	F_END
};
static const struct schema status_agent = { .name = "StatusAgent", .fields = status_agent_fields };

static const struct field system_state_fields[] = {
	R_(STRING, "status"),
	R_(STRING, "version"),
	R_(INT, "agent_count"),
	R_(INT, "active_agent_count"),
	R_(INT, "session_count"),
	STATUS_PLACE,
	R_(ARRAY, "agents", .of = &status_agent),
	F_END
};
const struct schema system_state = { .name = "SystemStatus", .fields = system_state_fields };

/* --- versions ------------------------------------------------------------------- */

static const struct field api_support_fields[] = {
	R_(STRING, "current"),
	R_(ARRAY, "supported", .item = FT_STRING),
	R_(ARRAY, "deprecated", .item = FT_STRING),
	F_END
};
static const struct schema api_support = { .name = "ApiSupport", .fields = api_support_fields };

static const struct field version_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "version"),
	R_(STRING, "build_date"),
	R_(STRING, "git_sha"),
	R_(STRING, "rust_version"),
	R_(STRING, "platform"),
	R_(STRING, "arch"),
	R_(STRING, "compat", .doc = "the LibreFang release whose clients work"),
	R_(OBJECT, "api", .of = &api_support),
	F_END
};
const struct schema version_info = { .name = "Version", .fields = version_fields };

static const struct field api_version_fields[] = {
	R_(STRING, "version"),
	R_(STRING, "status"),
	R_(STRING, "url_prefix"),
	F_END
};
static const struct schema api_version = { .name = "ApiVersion", .fields = api_version_fields };

static const struct field negotiation_fields[] = {
	R_(STRING, "header"),
	R_(STRING, "media_type_pattern"),
	R_(STRING, "example"),
	F_END
};
static const struct schema negotiation = { .name = "VersionNegotiation", .fields = negotiation_fields };

static const struct field api_versions_fields[] = {
	R_(STRING, "current"),
	R_(ARRAY, "supported", .item = FT_STRING),
	R_(ARRAY, "deprecated", .item = FT_STRING),
	R_(ARRAY, "details", .of = &api_version),
	R_(OBJECT, "negotiation", .of = &negotiation),
	F_END
};
const struct schema api_versions = { .name = "ApiVersions", .fields = api_versions_fields };

/* --- documents ------------------------------------------------------------------- */

const struct schema metrics_text = {
	.name = "Metrics", .flags = SF_TEXT, .media = "text/plain; version=0.0.4; charset=utf-8",
};

static const struct field openapi_fields[] = {
	R_(STRING, "openapi"),
	R_(MAP, "info", .item = FT_ANY),
	R_(MAP, "paths", .item = FT_ANY),
	R_OPT(MAP, "components", .item = FT_ANY),
	F_END
};
const struct schema openapi_document = {
	.name = "OpenApiDocument", .fields = openapi_fields, .flags = SF_OPEN,
};

/* --- configuration ------------------------------------------------------------ */

const struct schema config_value = { .name = "ConfigValue", .flags = SF_ANY };         /* {path, value}, where null is a value */

static const char *const words_set[] = { "applied", "saved_reload_failed", NULL };
static const struct field config_was_set_fields[] = {
	R_(STRING, "status", .values = words_set),
	R_(STRING, "path"),
	R_OPT(STRING, "reload_error"),
	F_END
};
const struct schema config_was_set = { .name = "ConfigWasSet", .fields = config_was_set_fields };

/* --- browsers ---------------------------------------------------------------- */

static const struct field link_request_fields[] = {
	F_STR(struct link_request, token, .flags = FF_REQUIRED, .max = 128, .doc = "64 hex digits, from the link"),
	F_END
};
const struct schema link_request = {
	.name = "LinkRequest", .fields = link_request_fields, .bytes = sizeof(struct link_request),
};

static const struct field login_session_fields[] = {
	R_(BOOL, "ok"),
	R_(STRING, "token"),
	R_(INT, "created_at"),
	R_(INT, "expires_at"),
	F_END
};
const struct schema login_session = { .name = "LoginSession", .fields = login_session_fields };

static const struct field login_ended_fields[] = {
	R_(BOOL, "ok"),
	F_END
};
const struct schema login_ended = { .name = "LoginEnded", .fields = login_ended_fields };

static const struct field who_asks_fields[] = {
	R_(STRING, "name"),
	R_(UUID, "user_id"),
	R_(STRING, "role", .values = words_role),
	R_NULL(STRING, "principal"),
	R_(ARRAY, "groups", .item = FT_STRING),
	R_(ARRAY, "idp_groups", .item = FT_STRING),
	R_(ARRAY, "roles", .item = FT_STRING),
	F_END
};
const struct schema who_asks = { .name = "WhoAsks", .fields = who_asks_fields };

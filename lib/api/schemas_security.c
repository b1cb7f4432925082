/*
 * Shapes of the dashboard's login and of the report on protections.
 */
#include "lib/api/schemas.h"

static const char *const words_mode[] = { "none", "api_key", "credentials", "hybrid", NULL };
static const char *const words_auth[] = { "none", "localhost_only", "bearer_token", NULL };
static const char *const words_active[] = { "active", "inactive", NULL };

/* --- the dashboard's login ------------------------------------------------------- */

static const struct field login_modes_fields[] = {
	R_(STRING, "mode", .values = words_mode),
	R_(STRING, "username"),
	F_END
};
const struct schema login_modes = { .name = "LoginModes", .fields = login_modes_fields };

static const struct field login_request_fields[] = {
	F_STR(struct login_request, username, .max = 1024, .dflt_s = ""),
	F_STR(struct login_request, password, .flags = FF_SECRET, .max = 4096, .dflt_s = ""),
	F_STR(struct login_request, totp_code, .flags = FF_SECRET | FF_NULLABLE, .max = 64, .doc = "Not looked at"),
	F_END
};
const struct schema login_request = {
	.name = "LoginRequest", .fields = login_request_fields, .bytes = sizeof(struct login_request),
};

static const struct field dashboard_session_fields[] = {
	R_(BOOL, "ok"),
	R_(STRING, "token", .doc = "64 hex digits; empty when there is no login"),
	R_OPT(INT, "created_at"),
	R_OPT(INT, "expires_at"),
	R_OPT(STRING, "message"),
	F_END
};
const struct schema dashboard_session = { .name = "DashboardSession", .fields = dashboard_session_fields };

static const struct field password_request_fields[] = {
	F_STR(struct password_request, current_password, .flags = FF_REQUIRED | FF_SECRET, .max = 4096),
	F_STR(struct password_request, new_password, .flags = FF_SECRET | FF_NULLABLE, .max = 4096, .doc = "At least 8 characters"),
	F_STR(struct password_request, new_username, .flags = FF_NULLABLE, .max = 1024, .doc = "At least 2 characters"),
	F_END
};
const struct schema password_request = {
	.name = "PasswordRequest", .fields = password_request_fields, .flags = SF_STRICT, .bytes = sizeof(struct password_request),
};

static const struct field password_changed_fields[] = {
	R_(BOOL, "ok"),
	R_(STRING, "message"),
	F_END
};
const struct schema password_changed = { .name = "PasswordChanged", .fields = password_changed_fields };

/* --- protections ------------------------------------------------------------------- */

static const struct field limiter_fields[] = {
	R_(BOOL, "enabled"), R_(INT, "tokens_per_minute"), R_(STRING, "algorithm"),
	F_END
};
static const struct schema limiter = { .name = "SecurityLimiter", .fields = limiter_fields };

static const struct field socket_limits_fields[] = {
	R_(INT, "max_per_ip"), R_(INT, "idle_timeout_secs"), R_(INT, "max_message_size"), R_(INT, "max_messages_per_minute"),
	F_END
};
static const struct schema socket_limits = { .name = "SecuritySocketLimits", .fields = socket_limits_fields };

static const struct field wasm_fields[] = {
	R_(BOOL, "fuel_metering"), R_(BOOL, "epoch_interruption"), R_(INT, "default_timeout_secs"), R_(INT, "default_fuel_limit"),
	F_END
};
static const struct schema wasm = { .name = "SecurityWasm", .fields = wasm_fields };

static const struct field auth_fields[] = {
	R_(STRING, "mode", .values = words_auth), R_(BOOL, "api_key_set"),
	F_END
};
static const struct schema auth = { .name = "SecurityAuth", .fields = auth_fields };

static const struct field configurable_fields[] = {
	R_(OBJECT, "rate_limiter", .of = &limiter),
	R_(OBJECT, "websocket_limits", .of = &socket_limits),
	R_(OBJECT, "wasm_sandbox", .of = &wasm),
	R_(OBJECT, "auth", .of = &auth),
	F_END
};
static const struct schema configurable = { .name = "SecuritySettings", .fields = configurable_fields };

static const struct field trail_fields[] = {
	R_(BOOL, "enabled"), R_(STRING, "algorithm"), R_(INT, "entry_count"),
	F_END
};
static const struct schema trail = { .name = "SecurityTrail", .fields = trail_fields };

static const struct field taint_fields[] = {
	R_(BOOL, "enabled"), R_(ARRAY, "tracked_labels", .item = FT_STRING),
	F_END
};
static const struct schema taint = { .name = "SecurityTaint", .fields = taint_fields };

static const struct field outbound_fields[] = {
	R_(BOOL, "enabled"), R_(ARRAY, "labels", .item = FT_STRING),
	F_END
};
static const struct schema outbound = { .name = "SecurityOutbound", .fields = outbound_fields };

static const struct field signing_fields[] = {
	R_(STRING, "algorithm"), R_(BOOL, "available"),
	F_END
};
static const struct schema signing = { .name = "SecuritySigning", .fields = signing_fields };

static const struct field monitoring_fields[] = {
	R_(OBJECT, "audit_trail", .of = &trail),
	R_(OBJECT, "taint_tracking", .of = &taint),
	R_(OBJECT, "outbound_filter", .of = &outbound),
	R_(OBJECT, "manifest_signing", .of = &signing),
	F_END
};
static const struct schema monitoring = { .name = "SecurityMonitoring", .fields = monitoring_fields };

static const struct field core_fields[] = {
	R_(BOOL, "path_traversal"), R_(BOOL, "ssrf_protection"), R_(BOOL, "capability_system"), R_(BOOL, "privilege_escalation_prevention"),
	R_(BOOL, "subprocess_isolation"), R_(BOOL, "security_headers"), R_(BOOL, "wire_hmac_auth"), R_(BOOL, "request_id_tracking"),
	F_END
};
static const struct schema core = { .name = "SecurityCore", .fields = core_fields };

#define SYSTEM(name) R_(STRING, name, .values = words_active)
static const struct field systems_fields[] = {
	SYSTEM("merkle_audit_trail"), SYSTEM("taint_tracking"), SYSTEM("wasm_dual_metering"), SYSTEM("security_headers"),
	SYSTEM("health_redaction"), SYSTEM("subprocess_sandbox"), SYSTEM("manifest_signing"), SYSTEM("gcra_rate_limiter"),
	SYSTEM("secret_zeroization"), SYSTEM("path_traversal_prevention"), SYSTEM("ssrf_protection"),
	SYSTEM("capability_inheritance_validation"), SYSTEM("ofp_hmac_auth"), SYSTEM("prompt_injection_scanning"), SYSTEM("loop_guard"),
	SYSTEM("session_repair"),
	F_END
};
static const struct schema systems = { .name = "SecuritySystems", .fields = systems_fields };

static const struct field security_report_fields[] = {
	R_(OBJECT, "core_protections", .of = &core),
	R_(OBJECT, "configurable", .of = &configurable),
	R_(OBJECT, "monitoring", .of = &monitoring),
	R_(BOOL, "secret_zeroization"),
	R_(OBJECT, "security_systems", .of = &systems),
	R_(INT, "total_systems"),
	R_(BOOL, "all_active"),
	R_(INT, "total_features", .doc = "Systems that are active"),
	F_END
};
const struct schema security_report = { .name = "SecurityReport", .fields = security_report_fields };

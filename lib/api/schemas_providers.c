/*
 * Shapes of what is changed in the catalog and at providers.
 */
#include "lib/api/schemas.h"

static const char *const words_modality[] = { "text", "image", "audio", "video", "music", NULL };
static const char *const words_type[] = { "chat", "speech", "embedding", NULL };

static const struct field alias_request_fields[] = {
	F_STR(struct alias_request, alias, .flags = FF_REQUIRED, .min = 1, .max = 256),
	F_STR(struct alias_request, model_id, .flags = FF_REQUIRED, .min = 1, .max = 256),
	F_END
};
const struct schema alias_request = {
	.name = "AliasRequest", .fields = alias_request_fields, .bytes = sizeof(struct alias_request),
};

static const struct field alias_made_fields[] = {
	R_(STRING, "alias"),
	R_(STRING, "model_id"),
	R_(STRING, "status"),
	F_END
};
const struct schema alias_made = { .name = "AliasMade", .fields = alias_made_fields, .status = 201 };

static const struct field custom_request_fields[] = {
	F_STR(struct custom_request, id, .flags = FF_REQUIRED, .min = 1, .max = 256),
	F_STR(struct custom_request, provider, .flags = FF_NULLABLE, .min = 1, .max = 64, .doc = "the default provider when absent"),
	F_STR(struct custom_request, display_name, .flags = FF_NULLABLE, .min = 1, .max = 256),
	F_STR(struct custom_request, modality, .flags = FF_NULLABLE, .values = words_modality, .dflt_s = "text"),
	F_I64(struct custom_request, context_window, .flags = FF_NULLABLE, .max = INT32_MAX, .dflt = 128000),
	F_I64(struct custom_request, max_output_tokens, .flags = FF_NULLABLE, .max = INT32_MAX, .dflt = 8192),
	F_NUM(struct custom_request, input_cost_per_m, .flags = FF_NULLABLE, .max = 1000000),
	F_NUM(struct custom_request, output_cost_per_m, .flags = FF_NULLABLE, .max = 1000000),
	F_NUM(struct custom_request, image_input_cost_per_m, .flags = FF_NULLABLE, .max = 1000000,
	    .has_off = offsetof(struct custom_request, has_image_input)),
	F_NUM(struct custom_request, image_output_cost_per_m, .flags = FF_NULLABLE, .max = 1000000,
	    .has_off = offsetof(struct custom_request, has_image_output)),
	F_NUM(struct custom_request, cache_read_cost_per_m, .flags = FF_NULLABLE, .max = 1000000, .doc = "what is read from a cache; absent: a tenth of the input's",
	    .has_off = offsetof(struct custom_request, has_cache_read)),
	F_NUM(struct custom_request, cache_write_cost_per_m, .flags = FF_NULLABLE, .max = 1000000, .doc = "what is written to one; absent: five quarters",
	    .has_off = offsetof(struct custom_request, has_cache_write)),
	F_NUM(struct custom_request, cache_hour_cost_per_m, .flags = FF_NULLABLE, .max = 1000000, .doc = "the same, kept for an hour; absent: twice",
	    .has_off = offsetof(struct custom_request, has_cache_hour)),
	F_NUM(struct custom_request, audio_input_cost_per_m, .flags = FF_NULLABLE, .max = 1000000, .doc = "absent: the input's",
	    .has_off = offsetof(struct custom_request, has_audio_input)),
	F_NUM(struct custom_request, audio_output_cost_per_m, .flags = FF_NULLABLE, .max = 1000000, .doc = "absent: the output's",
	    .has_off = offsetof(struct custom_request, has_audio_output)),
	F_BOOL(struct custom_request, supports_tools, .flags = FF_NULLABLE, .dflt = 1),
	F_BOOL(struct custom_request, supports_vision, .flags = FF_NULLABLE, .has_off = offsetof(struct custom_request, has_vision)),
	F_BOOL(struct custom_request, supports_streaming, .flags = FF_NULLABLE, .dflt = 1),
	F_BOOL(struct custom_request, supports_thinking, .flags = FF_NULLABLE),
	F_END
};
const struct schema custom_request = {
	.name = "CustomModelRequest", .fields = custom_request_fields, .bytes = sizeof(struct custom_request),
};

static const struct field custom_made_fields[] = {
	R_(STRING, "id"),
	R_(STRING, "provider"),
	R_(STRING, "status"),
	F_END
};
const struct schema custom_made = { .name = "CustomModelMade", .fields = custom_made_fields, .status = 201 };

#define SETS(t, m, ...) { .name = #m, .type = t, .flags = FF_NULLABLE, .off = offsetof(struct settings_request, m), \
	.has_off = offsetof(struct settings_request, has_##m), __VA_ARGS__ }

static const struct field settings_request_fields[] = {
	F_STR(struct settings_request, model_type, .flags = FF_NULLABLE, .values = words_type),
	SETS(FT_NUMBER, temperature, .max = 2),
	SETS(FT_NUMBER, top_p, .max = 1),
	SETS(FT_INT, max_tokens, .min = 1, .max = INT32_MAX),
	SETS(FT_INT, context_window, .min = 1, .max = INT32_MAX, .doc = "in the place of what the catalog says"),
	SETS(FT_INT, max_output_tokens, .min = 1, .max = INT32_MAX, .doc = "so is this"),
	SETS(FT_NUMBER, frequency_penalty, .min = -2, .max = 2),
	SETS(FT_NUMBER, presence_penalty, .min = -2, .max = 2),
	F_STR(struct settings_request, reasoning_effort, .flags = FF_NULLABLE, .max = 32),
	SETS(FT_NUMBER, input_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, output_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, cache_read_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, cache_write_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, cache_hour_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, audio_input_cost_per_m, .max = 1000000),
	SETS(FT_NUMBER, audio_output_cost_per_m, .max = 1000000),
	SETS(FT_BOOL, use_max_completion_tokens),
	SETS(FT_BOOL, no_system_role),
	SETS(FT_BOOL, force_max_tokens),
	SETS(FT_BOOL, supports_tools),
	SETS(FT_BOOL, supports_vision),
	SETS(FT_BOOL, supports_streaming),
	SETS(FT_BOOL, supports_thinking),
	F_END
};
const struct schema settings_request = {
	.name = "ModelSettingsRequest", .fields = settings_request_fields, .bytes = sizeof(struct settings_request),
};

static const struct field model_settings_fields[] = {
	R_OPT(STRING, "model_type"), R_OPT(NUMBER, "temperature"), R_OPT(NUMBER, "top_p"), R_OPT(INT, "max_tokens"),
	R_OPT(INT, "context_window"), R_OPT(INT, "max_output_tokens"),
	R_OPT(NUMBER, "frequency_penalty"), R_OPT(NUMBER, "presence_penalty"), R_OPT(STRING, "reasoning_effort"),
	R_OPT(BOOL, "use_max_completion_tokens"), R_OPT(BOOL, "no_system_role"), R_OPT(BOOL, "force_max_tokens"),
	R_OPT(BOOL, "supports_tools"), R_OPT(BOOL, "supports_vision"), R_OPT(BOOL, "supports_streaming"),
	R_OPT(BOOL, "supports_thinking"),
	R_OPT(NUMBER, "input_cost_per_m"), R_OPT(NUMBER, "output_cost_per_m"), R_OPT(NUMBER, "cache_read_cost_per_m"),
	R_OPT(NUMBER, "cache_write_cost_per_m"), R_OPT(NUMBER, "cache_hour_cost_per_m"), R_OPT(NUMBER, "audio_input_cost_per_m"),
	R_OPT(NUMBER, "audio_output_cost_per_m"),
	F_END
};
const struct schema model_settings = { .name = "ModelSettings", .fields = model_settings_fields };

static const struct field catalog_state_fields[] = {
	R_NULL(TIME, "last_sync"),
	R_(INT, "providers"),
	R_(INT, "models"),
	F_END
};
const struct schema catalog_state_reply = { .name = "CatalogStatus", .fields = catalog_state_fields };

static const struct field catalog_updated_fields[] = {
	R_(STRING, "status"),
	R_(INT, "files_downloaded"),
	R_(INT, "models_count", .doc = "of the catalog's own files"),
	R_(TIME, "timestamp"),
	R_OPT(STRING, "note", .doc = "why what was there stayed"),
	F_END
};
const struct schema catalog_updated = { .name = "CatalogUpdated", .fields = catalog_updated_fields };

/* --- providers -------------------------------------------------------------------- */

static const struct field key_request_fields[] = {
	F_STR(struct key_request, key, .flags = FF_NULLABLE | FF_SECRET, .max = 16384),
	F_STR(struct key_request, api_key, .flags = FF_NULLABLE | FF_SECRET, .max = 16384, .doc = "the same, by another name"),
	F_END
};
const struct schema key_request = { .name = "ProviderKeyRequest", .fields = key_request_fields, .bytes = sizeof(struct key_request) };

static const struct field url_request_fields[] = {
	F_STR(struct url_request, base_url, .flags = FF_NULLABLE, .max = 2000),
	F_STR(struct url_request, url, .flags = FF_NULLABLE, .max = 2000, .doc = "the same, by another name"),
	F_ANY(struct url_request, proxy_url, .doc = "http, https, socks5 or socks5h; empty: none"),
	F_END
};
const struct schema url_request = { .name = "ProviderUrlRequest", .fields = url_request_fields, .bytes = sizeof(struct url_request) };

static const struct field default_request_fields[] = {
	F_STR(struct default_request, model, .flags = FF_NULLABLE, .min = 1, .max = 128),
	F_END
};
const struct schema default_request = { .name = "ProviderDefaultRequest", .fields = default_request_fields, .bytes = sizeof(struct default_request) };

static const struct field discovery_request_fields[] = {
	F_BOOL(struct discovery_request, discover_models, .flags = FF_REQUIRED),
	F_END
};
const struct schema discovery_request = {
	.name = "ProviderDiscoveryRequest", .fields = discovery_request_fields, .bytes = sizeof(struct discovery_request),
};

static const struct field ollama_found_fields[] = { R_(BOOL, "available"), R_(ARRAY, "models", .item = FT_STRING), F_END };
const struct schema ollama_detected = { .name = "OllamaFound", .fields = ollama_found_fields };

static const struct field copilot_begun_fields[] = {
	R_(STRING, "user_code"), R_(STRING, "verification_uri"), R_(UUID, "poll_id"), R_(INT, "expires_in"), R_(INT, "interval"),
	F_END
};
const struct schema copilot_begun = { .name = "CopilotBegun", .fields = copilot_begun_fields };

static const char *const words_poll[] = { "pending", "complete", "expired", "denied", "error", NULL };
static const struct field copilot_polled_fields[] = {
	R_(STRING, "status", .values = words_poll), R_OPT(INT, "interval"), R_OPT(STRING, "error"),
	F_END
};
const struct schema copilot_polled = { .name = "CopilotPolled", .fields = copilot_polled_fields };

static const struct field provider_saved_fields[] = {
	R_(STRING, "status"), R_(STRING, "provider"), R_OPT(BOOL, "switched_default", .doc = "it is the default provider now"),
	R_OPT(STRING, "message"), R_OPT(STRING, "new_model"),
	F_END
};
const struct schema provider_saved = { .name = "ProviderSaved", .fields = provider_saved_fields };

static const struct field provider_tested_fields[] = {
	R_(STRING, "status", .doc = "ok or error"), R_(STRING, "provider"), R_OPT(INT, "latency_ms"), R_OPT(STRING, "error"),
	R_OPT(STRING, "code", .doc = "what kind of error: auth_error, timeout, unreachable, not_installed"),
	R_OPT(INT, "discovered_models"), R_OPT(INT, "models_refreshed"), R_OPT(STRING, "note"),
	F_END
};
const struct schema provider_tested = { .name = "ProviderTested", .fields = provider_tested_fields };

static const struct field provider_moved_fields[] = {
	R_(STRING, "status"), R_(STRING, "provider"), R_(STRING, "base_url"), R_(BOOL, "reachable"), R_(INT, "latency_ms"),
	R_OPT(ARRAY, "discovered_models", .item = FT_STRING), R_OPT(ARRAY, "discovered_model_info", .item = FT_ANY),
	F_END
};
const struct schema provider_moved = { .name = "ProviderMoved", .fields = provider_moved_fields };

static const struct field provider_default_fields[] = {
	R_(STRING, "status"), R_(STRING, "provider"), R_(STRING, "model"), R_(STRING, "api_key_env"), R_(BOOL, "persisted"),
	F_END
};
const struct schema provider_default = { .name = "ProviderDefault", .fields = provider_default_fields };

static const struct field provider_discovery_fields[] = { R_(STRING, "status"), R_(STRING, "provider"), R_(BOOL, "discover_models"), F_END };
const struct schema provider_discovery = { .name = "ProviderDiscovery", .fields = provider_discovery_fields };

static const struct field provider_words_fields[] = { R_(STRING, "status"), R_(STRING, "provider"), F_END };
const struct schema provider_words = { .name = "ProviderWords", .fields = provider_words_fields };

static const struct field pool_key_fields[] = {
	R_(STRING, "label"), R_(STRING, "key_hint", .doc = "its last four characters"), R_(INT, "priority"), R_(INT, "request_count"),
	R_(BOOL, "is_exhausted"), R_NULL(ANY, "cooldown_remaining_secs", .doc = "seconds, or permanent"),
	F_END
};
static const struct schema pool_key = { .name = "CredentialPoolKey", .fields = pool_key_fields };

static const struct field pool_fields[] = {
	R_(STRING, "provider"), R_(STRING, "strategy"), R_(INT, "available_count"), R_(INT, "total_count"),
	R_(ARRAY, "credentials", .of = &pool_key),
	F_END
};
const struct schema credential_pools = { .name = "CredentialPool", .fields = pool_fields, .flags = SF_ARRAY };

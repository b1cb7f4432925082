/*
 * Shapes of the catalog (models, providers, tools) and of OpenAI's doors.
 */
#include "lib/api/schemas.h"

static const char *const words_modality[] = { "text", "image", "audio", "video", "music", NULL };
static const char *const words_vision[] = { "supported", "unsupported", "unknown", NULL };

static const struct field models_query_fields[] = {
	F_STR(struct models_query, provider, .doc = "provider id, in any letter case"),
	F_STR(struct models_query, tier),
	F_STR(struct models_query, available, .doc = "true or 1: only those that can be used now"),
	F_END
};
const struct schema models_query = {
	.name = "ModelsQuery", .fields = models_query_fields, .bytes = sizeof(struct models_query),
};

/* --- models ----------------------------------------------------------------------- */

#define ABILITIES \
	R_(BOOL, "supports_tools"), \
	R_(BOOL, "supports_vision"), \
	R_(BOOL, "supports_streaming"), \
	R_(BOOL, "supports_thinking")

static const struct field abilities_fields[] = { ABILITIES, F_END };
static const struct schema abilities = { .name = "ModelAbilities", .fields = abilities_fields };

static const struct field limits_fields[] = {
	R_(INT, "context_window"),
	R_(INT, "max_output_tokens"),
	F_END
};
static const struct schema limits = { .name = "ModelLimits", .fields = limits_fields };

#define MODEL_COMMON \
	R_(STRING, "id"), \
	R_(STRING, "display_name"), \
	R_(STRING, "tier", .values = words_tier), \
	R_(STRING, "modality", .values = words_modality), \
	R_(INT, "context_window"), \
	R_(INT, "max_output_tokens"), \
	R_(NUMBER, "input_cost_per_m", .doc = "dollars per million tokens"), \
	R_(NUMBER, "output_cost_per_m"), \
	R_(BOOL, "pricing_known"), \
	R_(BOOL, "limits_known"), \
	R_(STRING, "vision_support", .values = words_vision), \
	R_NULL(NUMBER, "image_input_cost_per_m"), \
	R_NULL(NUMBER, "image_output_cost_per_m"), \
	{ .name = "cache_read_cost_per_m", .type = FT_NUMBER, .doc = "what is read from a cache; absent: a tenth of the input's" }, \
	{ .name = "cache_write_cost_per_m", .type = FT_NUMBER, .doc = "what is written to one; absent: five quarters" }, \
	{ .name = "cache_hour_cost_per_m", .type = FT_NUMBER, .doc = "the same, kept for an hour; absent: twice" }, \
	{ .name = "audio_input_cost_per_m", .type = FT_NUMBER, .doc = "absent: the input's" }, \
	{ .name = "audio_output_cost_per_m", .type = FT_NUMBER, .doc = "absent: the output's" }, \
	ABILITIES, \
	R_(OBJECT, "capabilities_catalog", .of = &abilities), \
	R_(OBJECT, "limits_catalog", .of = &limits)

#define MODEL_LISTED \
	MODEL_COMMON, \
	R_(STRING, "provider"), \
	R_OPT(STRING, "source", .doc = "cli_config: the configuration of a command-line program names it"), \
	R_(ARRAY, "aliases", .item = FT_STRING), \
	R_(BOOL, "available", .doc = "its provider can be used now")

static const struct field model_item_fields[] = { MODEL_LISTED, F_END };
static const struct schema model_item = { .name = "Model", .fields = model_item_fields };

static const struct field model_list_fields[] = {
	R_(ARRAY, "models", .of = &model_item),
	R_(INT, "total", .doc = "of the whole catalog"),
	R_(INT, "available"),
	F_END
};
const struct schema model_list = { .name = "ModelList", .fields = model_list_fields };

static const struct field model_detail_fields[] = {
	MODEL_LISTED,
	R_NULL(MAP, "overrides", .item = FT_ANY),
	F_END
};
const struct schema model_detail = { .name = "ModelDetail", .fields = model_detail_fields };

static const struct field alias_fields[] = {
	R_(STRING, "alias"),
	R_(STRING, "model_id"),
	F_END
};
static const struct schema alias = { .name = "ModelAlias", .fields = alias_fields };

static const struct field alias_list_fields[] = {
	R_(ARRAY, "aliases", .of = &alias),
	R_(INT, "total"),
	F_END
};
const struct schema alias_list = { .name = "ModelAliases", .fields = alias_list_fields };

/* --- providers ----------------------------------------------------------------------- */

static const struct field region_fields[] = {
	R_(STRING, "base_url"),
	R_NULL(STRING, "api_key_env"),
	F_END
};
static const struct schema region = { .name = "ProviderRegion", .fields = region_fields };

#define PROVIDER_COMMON \
	R_(STRING, "id"), \
	R_(STRING, "display_name"), \
	R_(STRING, "auth_status", .values = words_auth_status), \
	R_(INT, "model_count"), \
	R_(BOOL, "key_required"), \
	R_(STRING, "api_key_env", .doc = "environment variable that holds the key"), \
	R_(STRING, "base_url"), \
	R_NULL(STRING, "proxy_url"), \
	R_(ARRAY, "media_capabilities", .item = FT_STRING), \
	R_(BOOL, "is_custom"), \
	R_(BOOL, "suppressed"), \
	R_(BOOL, "is_coding_agent"), \
	R_NULL(INT, "max_output_tokens", .doc = "of the provider's default model"), \
	R_(BOOL, "discover_models"), \
	R_(BOOL, "key_present"), \
	R_OPT(MAP, "regions", .of = &region), \
	R_OPT(STRING, "active_region"), \
	R_OPT(BOOL, "is_local"), \
	R_OPT(BOOL, "reachable", .doc = "of the newest test or probe"), \
	R_OPT(INT, "latency_ms"), \
	R_OPT(TIME, "last_tested"), \
	R_OPT(STRING, "error_message"), \
	R_OPT(ARRAY, "discovered_models", .item = FT_STRING), \
	R_OPT(ARRAY, "discovered_model_info", .item = FT_ANY)

static const struct field provider_item_fields[] = { PROVIDER_COMMON, F_END };
const struct schema provider_item = { .name = "Provider", .fields = provider_item_fields };

static const struct field provider_list_fields[] = {
	R_(ARRAY, "providers", .of = &provider_item),
	R_(INT, "total"),
	F_END
};
const struct schema provider_list = { .name = "ProviderList", .fields = provider_list_fields };

static const struct field provider_model_fields[] = { MODEL_COMMON, F_END };
static const struct schema provider_model = { .name = "ProviderModel", .fields = provider_model_fields };

static const struct field provider_detail_fields[] = {
	PROVIDER_COMMON,
	R_(ARRAY, "models", .of = &provider_model),
	F_END
};
const struct schema provider_detail = { .name = "ProviderDetail", .fields = provider_detail_fields };

/* --- tools ------------------------------------------------------------------------------ */

static const char *const words_source[] = { "builtin", "mcp", NULL };

static const struct field tool_item_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "description"),
	R_(MAP, "input_schema", .item = FT_ANY, .doc = "JSON Schema of what the tool takes"),
	R_(STRING, "source", .values = words_source),
	R_OPT(STRING, "mcp_server"),
	F_END
};
const struct schema tool_item = { .name = "Tool", .fields = tool_item_fields };

static const struct field tool_list_fields[] = {
	R_(ARRAY, "tools", .of = &tool_item),
	R_(INT, "total"),
	F_END
};
const struct schema tool_list = { .name = "ToolList", .fields = tool_list_fields };

static const struct field profile_fields[] = {
	R_(STRING, "name"),
	R_(ARRAY, "tools", .item = FT_STRING, .doc = "names; *: every tool"),
	F_END
};
const struct schema profile_item = { .name = "ToolProfile", .fields = profile_fields };
const struct schema profile_list = { .name = "ToolProfiles", .fields = profile_fields, .flags = SF_ARRAY };

/* --- OpenAI ------------------------------------------------------------------------------- */

struct chat_message {
	const char *role, *name, *tool_call_id;
	struct json_object *content, *tool_calls;
};

static const struct field chat_message_fields[] = {
	F_STR(struct chat_message, role, .flags = FF_REQUIRED),
	{ .name = "content", .type = FT_STRING_OR_ARRAY, .flags = FF_NULLABLE,
	    .item = FT_ANY, .off = offsetof(struct chat_message, content) },
	F_STR(struct chat_message, name, .flags = FF_NULLABLE),
	F_ARR(struct chat_message, tool_calls, .flags = FF_NULLABLE, .item = FT_ANY),
	F_STR(struct chat_message, tool_call_id, .flags = FF_NULLABLE),
	F_END
};
static const struct schema chat_message = {
	.name = "ChatMessage", .fields = chat_message_fields, .bytes = sizeof(struct chat_message),
};

static const struct field chat_request_fields[] = {
	F_STR(struct chat_request, model, .flags = FF_REQUIRED,
	    .doc = "librefang:NAME, an agent's id or name, a model id, or provider/model"),
	F_ARR(struct chat_request, messages, .flags = FF_REQUIRED, .of = &chat_message),
	F_BOOL(struct chat_request, stream, .flags = FF_NULLABLE),
	{ .name = "stream_options", .type = FT_MAP, .flags = FF_NULLABLE, .item = FT_ANY,
	    .off = offsetof(struct chat_request, stream_options) },
	F_I64(struct chat_request, max_tokens, .flags = FF_NULLABLE, .max = INT32_MAX),
	F_I64(struct chat_request, max_completion_tokens, .flags = FF_NULLABLE, .max = INT32_MAX),
	F_NUM(struct chat_request, temperature, .flags = FF_NULLABLE, .max = 2,
	    .has_off = offsetof(struct chat_request, has_temperature)),
	F_NUM(struct chat_request, top_p, .flags = FF_NULLABLE, .max = 1,
	    .has_off = offsetof(struct chat_request, has_top_p)),
	F_ARR(struct chat_request, tools, .flags = FF_NULLABLE, .item = FT_ANY),
	F_ANY(struct chat_request, tool_choice),
	F_ANY(struct chat_request, stop),
	F_ANY(struct chat_request, response_format),
	F_STR(struct chat_request, user, .flags = FF_NULLABLE),
	F_END
};
const struct schema chat_request = {
	.name = "ChatRequest", .fields = chat_request_fields, .bytes = sizeof(struct chat_request),
};

static const struct field chat_answer_fields[] = {
	R_(STRING, "role"),
	R_NULL(STRING, "content"),
	R_OPT(ARRAY, "tool_calls", .item = FT_ANY),
	F_END
};
static const struct schema chat_answer = {
	.name = "ChatAnswer", .fields = chat_answer_fields, .flags = SF_OPEN,
};

static const struct field chat_choice_fields[] = {
	R_(INT, "index"),
	R_(OBJECT, "message", .of = &chat_answer),
	R_NULL(STRING, "finish_reason"),
	F_END
};
static const struct schema chat_choice = {
	.name = "ChatChoice", .fields = chat_choice_fields, .flags = SF_OPEN,
};

static const struct field chat_usage_fields[] = {
	R_(INT, "prompt_tokens"),
	R_(INT, "completion_tokens"),
	R_(INT, "total_tokens"),
	F_END
};
static const struct schema chat_usage = {
	.name = "ChatUsage", .fields = chat_usage_fields, .flags = SF_OPEN,
};

static const struct field chat_completion_fields[] = {
	R_(STRING, "id"),
	R_(STRING, "object"),
	R_(INT, "created"),
	R_(STRING, "model"),
	R_(ARRAY, "choices", .of = &chat_choice),
	R_(OBJECT, "usage", .of = &chat_usage),
	F_END
};
const struct schema chat_completion = {
	.name = "ChatCompletion", .fields = chat_completion_fields, .flags = SF_OPEN | SF_STREAM,
};

static const struct field openai_model_fields[] = {
	R_(STRING, "id"),
	R_(STRING, "object"),
	R_(INT, "created"),
	R_(STRING, "owned_by"),
	F_END
};
static const struct schema openai_model = { .name = "OpenAIModel", .fields = openai_model_fields };

static const struct field openai_model_list_fields[] = {
	R_(STRING, "object"),
	R_(ARRAY, "data", .of = &openai_model),
	F_END
};
const struct schema openai_model_list = { .name = "OpenAIModelList", .fields = openai_model_list_fields };

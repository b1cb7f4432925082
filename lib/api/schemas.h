/*
 * Every shape that a row names, and the structs that requests fill.
 *
 * A struct's members are those of the JSON. Strings are NULL when absent
 * unless a default is said; json objects are checked and live in the job.
 */
#ifndef LF_SCHEMAS_H
#define LF_SCHEMAS_H
#include "lib/api/schema.h"

/* --- queries ------------------------------------------------------------------ */

struct agents_query {
	const char *q, *status, *owner, *sort, *order;
	int64_t limit, offset;                  /* limit: 500 when absent */
	bool include_hands;
};
extern const struct schema agents_query;

struct history_query { const char *session_id; int64_t limit, before; };
extern const struct schema history_query;
struct session_query {
	const char *session_id;                 /* any text: the handler says invalid_session_id */
};
extern const struct schema session_query;

struct confirm_query { bool confirm; };
extern const struct schema confirm_query;

struct page_query { const char *agent; int64_t limit, offset; };        /* limit: 50 when absent */
struct search_query { const char *q, *agent_id; int64_t limit, offset; };
extern const struct schema search_query, search_page;
extern const struct schema page_query;

struct events_query { int64_t limit; };                         /* 30 when absent */
extern const struct schema events_query;

struct usage_query { const char *start_date, *end_date; };
struct days_query { const char *start_date, *end_date; int64_t days; bool has_days; };
struct export_query { const char *format, *start_date, *end_date; };
extern const struct schema usage_query, days_query, export_query;

struct all_query { bool all; };
extern const struct schema all_query;
struct limit_query { const char *limit; };                       /* any text: the handler takes what is no number as absent */
extern const struct schema limit_query;

struct logs_query { const char *n, *offset, *level; };          /* numbers are read leniently */
extern const struct schema logs_query;
struct audit_query { const char *n, *limit; };                  /* read leniently */
extern const struct schema config_value, config_was_set;
extern const struct schema audit_query, audit_page, audit_state;

struct receipts_query { const char *limit; };
extern const struct schema receipts_query;

struct trajectory_query { const char *format; };                /* json jsonl */
extern const struct schema trajectory_query;

struct models_query { const char *provider, *tier, *available; };
extern const struct schema models_query;

/* --- bodies -------------------------------------------------------------------- */

struct alias_request { const char *alias, *model_id; };
extern const struct schema alias_request;

struct custom_request {
	const char *id, *provider, *display_name, *modality;
	int64_t context_window, max_output_tokens;
	double input_cost_per_m, output_cost_per_m, image_input_cost_per_m, image_output_cost_per_m;
	double cache_read_cost_per_m, cache_write_cost_per_m, cache_hour_cost_per_m, audio_input_cost_per_m, audio_output_cost_per_m;
	bool has_image_input, has_image_output, has_cache_read, has_cache_write, has_cache_hour, has_audio_input, has_audio_output;
	bool supports_tools, supports_vision, supports_streaming, supports_thinking, has_vision;
};
extern const struct schema custom_request;

struct settings_request {
	const char *model_type, *reasoning_effort;
	double temperature, top_p, frequency_penalty, presence_penalty;
	double input_cost_per_m, output_cost_per_m, cache_read_cost_per_m, cache_write_cost_per_m, cache_hour_cost_per_m,
	    audio_input_cost_per_m, audio_output_cost_per_m;
	int64_t max_tokens, context_window, max_output_tokens;
	bool use_max_completion_tokens, no_system_role, force_max_tokens, supports_tools, supports_vision, supports_streaming,
	    supports_thinking;
	bool has_temperature, has_top_p, has_frequency_penalty, has_presence_penalty, has_max_tokens, has_context_window, has_max_output_tokens,
	    has_use_max_completion_tokens, has_no_system_role, has_force_max_tokens, has_supports_tools, has_supports_vision,
	    has_supports_streaming, has_supports_thinking, has_input_cost_per_m, has_output_cost_per_m, has_cache_read_cost_per_m,
	    has_cache_write_cost_per_m, has_cache_hour_cost_per_m, has_audio_input_cost_per_m, has_audio_output_cost_per_m;
};
extern const struct schema settings_request;

struct key_request { const char *key, *api_key; };
struct url_request { const char *base_url, *url; struct json_object *proxy_url; };
struct default_request { const char *model; };
struct discovery_request { bool discover_models; };
extern const struct schema key_request, url_request, default_request, discovery_request;

struct user_request { const char *name, *role; struct json_object *channel_bindings; const char *api_key_hash; };
struct users_import_request { struct json_object *rows; bool dry_run; };
struct user_key_request { const char *api_key; };
struct user_policy_request { struct json_object *tool_policy, *tool_categories, *memory_access, *channel_tool_rules; };
extern const struct schema user_request, users_import_request, user_key_request, user_policy_request;

struct vault_request { const char *value; };
extern const struct schema vault_request;

struct link_request { const char *token; };
extern const struct schema link_request;

struct login_request { const char *username, *password, *totp_code; };
extern const struct schema login_request;

struct password_request { const char *current_password, *new_password, *new_username; };
extern const struct schema password_request;

struct spawn_request {
	const char *manifest_toml, *template, *name, *signed_manifest;
};
extern const struct schema spawn_request;

struct message_request {
	const char *message;                    /* any length up to the body's limit */
	struct json_object *attachments;        /* array of {file_id, filename?, content_type?} or NULL */
	const char *sender_id, *sender_name;
	const char *channel_type;               /* "api" when absent */
	bool is_group, was_mentioned;
	struct json_object *group_participants; /* array of {jid, display_name} or NULL */
	bool ephemeral, incognito;
	bool thinking, has_thinking;
	const char *reasoning_mode;             /* none low high max */
	bool show_thinking;                     /* true when absent */
	const char *session_id;                 /* any text: the handler says invalid_session_id */
};
extern const struct schema message_request;

struct session_request { const char *label; };          /* the label's rule is the handler's */
extern const struct schema session_request;

struct model_request { const char *model, *provider; }; /* both may be NULL: the handler answers 400 */
extern const struct schema model_request;

struct mode_request { const char *mode; };              /* observe assist full stable normal, any letter case */
extern const struct schema mode_request;

struct bulk_spawn_request { struct json_object *agents; };      /* of spawn_request, checked */
extern const struct schema bulk_spawn_request;

struct bulk_request { struct json_object *agent_ids; };         /* texts */
extern const struct schema bulk_request;

struct identity_request {                                       /* NULL: not sent */
	const char *emoji, *avatar_url, *color, *archetype, *vibe, *greeting_style;
};
extern const struct schema identity_request;

struct agent_config_request {
	struct identity_request identity;
	const char *name, *description, *system_prompt, *model, *provider, *api_key_env, *base_url;
	const char *web_search_augmentation;
	int64_t max_tokens, context_window, max_output_tokens;
	double temperature, top_p, frequency_penalty, presence_penalty;
	bool has_max_tokens, has_context_window, has_max_output_tokens, has_temperature, has_top_p,
	    has_frequency_penalty, has_presence_penalty;
	struct json_object *fallback_models;                    /* of {provider, model, api_key_env?, base_url?} */
};
extern const struct schema agent_config_request;

struct clone_request { const char *new_name; bool include_skills, include_tools; };
extern const struct schema clone_request;

struct agent_tools_request {
	struct json_object *capabilities_tools, *tool_allowlist, *tool_blocklist;       /* texts; NULL: not sent */
	bool disabled, has_disabled;
};
extern const struct schema agent_tools_request;

struct skills_request { struct json_object *skills; };
struct servers_request { struct json_object *mcp_servers; };
struct channels_request { struct json_object *channels; };
extern const struct schema skills_request, servers_request, channels_request;

struct push_request { const char *channel, *recipient, *message, *thread_id; };
extern const struct schema push_request;

struct template_request {                                       /* NULL: not sent */
	const char *name, *description, *system_prompt, *provider, *model;
	struct json_object *tools, *skills;
};
extern const struct schema template_request;

struct inject_request { const char *message, *session_id; };
extern const struct schema inject_request;

struct file_request { const char *content; };
extern const struct schema file_request;

/* OpenAI's; members not named here are in request.json. */
struct chat_request {
	const char *model;
	struct json_object *messages;
	bool stream;
	struct json_object *stream_options;     /* object or NULL */
	int64_t max_tokens, max_completion_tokens;      /* 0: not sent */
	double temperature, top_p;
	bool has_temperature, has_top_p;
	struct json_object *tools;              /* array or NULL */
	struct json_object *tool_choice, *stop, *response_format;
	const char *user;
};
extern const struct schema chat_request;

/* Amounts: whether one was sent is seen in request.json. */
struct budget_request {
	double max_hourly_usd, hourly_limit, max_daily_usd, daily_limit, max_monthly_usd, monthly_limit, alert_threshold;
	int64_t default_max_llm_tokens_per_hour;
};
struct agent_budget_request {
	double max_cost_per_hour_usd, max_cost_per_day_usd, max_cost_per_month_usd;
	int64_t max_llm_tokens_per_hour;
};
struct provider_budget_request {
	double max_cost_per_hour_usd, max_cost_per_day_usd, max_cost_per_month_usd;
	int64_t max_tokens_per_hour;
};
struct user_budget_request { double max_hourly_usd, max_daily_usd, max_monthly_usd, alert_threshold; };
extern const struct schema budget_request, agent_budget_request, provider_budget_request, user_budget_request;

/* Any JSON: agent_patch is parsed into request.json, kv_value stays bytes. */
extern const struct schema agent_patch, kv_value, session_model_request, session_import_request, memory_import_request;

struct memories_query { const char *category, *level; int64_t offset, limit; };
struct memory_search_query { const char *q, *level, *agent_id; int64_t limit; };
struct memory_count_query { const char *level; };
struct memory_text { const char *content; };
struct memory_ids { struct json_object *ids; };
extern const struct schema memories_query, memory_search_query, memory_count_query, memory_text, memory_ids, memories_import_request;

/* --- replies -------------------------------------------------------------------- */

extern const struct schema status_only, status_message, nothing;
extern const struct schema health, health_detail, readiness, system_state, version_info, api_versions,
    metrics_text, openapi_document;
extern const struct schema agent_page, agent_detail, agent_made, agent_patched, agent_killed,
    message_response, agent_events, agent_socket, session_history, session_list, session_made, upload_made, upload_bytes,
    session_reset, model_set, mode_set;
extern const struct schema bulk_made, bulk_done, agent_updated, agent_settled, agent_configured, agent_cloned, agent_tools,
    assigned_skills, skills_set, assigned_servers, servers_set, assigned_channels, channels_set, agent_files,
    agent_file, file_stored, file_removed, agent_state, agent_metrics, agent_stats, agent_usage, agent_traces,
    agent_runtime, name_list, name_reset;
extern const struct schema template_list, template_detail, template_made, template_gone, template_toml, template_history;
extern const struct schema injected, session_context, agent_logs, agent_receipts, pushed, trajectory;
extern const struct schema session_page, session_raw, session_labelled, session_model_set, session_found, session_export,
    session_imported, session_stopped, sessions_cleaned, memory_export, memory_imported;
extern const struct schema login_session, login_ended, who_asks, login_modes, dashboard_session, password_changed, security_report;
extern const struct schema kv_all, kv_pair, kv_stored;
extern const struct schema memories_page, memories_found, memory_stats, memory_cleaned, memory_decayed, memories_deleted, memory_updated,
    memory_versions, memory_count, memory_groups_found, memory_merged, memories_exported, memories_imported;
extern const struct schema model_list, model_detail, alias_list, provider_list, provider_detail;
extern const struct schema alias_made, custom_made, model_settings, catalog_state_reply, catalog_updated;
extern const struct schema ollama_detected, copilot_begun, copilot_polled, provider_saved, provider_tested, provider_moved,
    provider_default, provider_discovery, provider_words, credential_pools;
extern const struct schema user_list, user_item, user_made, user_policy, user_groups, user_keys, user_key_set, user_key_gone,
    user_key_new, users_imported;
extern const struct schema vault_listed, vault_made, vault_stored;
extern const struct schema usage_page, usage_totals, usage_by_model, usage_by_speed, usage_by_day, usage_file;
extern const struct schema budget_status, budget_page, budget_of_one, agent_resources, provider_budgets, provider_caps, user_budgets,
    user_budget, user_caps;
extern const struct schema tool_list, tool_item, profile_list, profile_item, openai_model_list, chat_completion;

/* Words that several shapes share; NULL-ended. */
extern const struct schema decision_trace;
extern const char *const words_agent_state[], *const words_agent_mode[], *const words_auth_status[],
    *const words_tier[];
/* Where it runs and what its defaults are: in the status, and in the snapshot of everything. */
#define STATUS_PLACE \
	R_NULL(INT, "memory_used_mb", .doc = "of all processes"), \
	R_(STRING, "default_provider"), \
	R_(STRING, "default_model"), \
	R_(INT, "uptime_seconds"), \
	R_(STRING, "api_listen"), \
	R_(STRING, "home_dir"), \
	R_(STRING, "data_dir"), \
	R_(STRING, "log_level"), \
	R_NULL(STRING, "hostname"), \
	R_(BOOL, "network_enabled"), \
	R_(BOOL, "terminal_enabled"), \
	R_(BOOL, "config_exists")
extern const struct schema agent_item, provider_item;
extern const struct schema dashboard, chat_command, command_list;
#endif

/*
 * The members of a manifest, their kinds and defaults, in the order in which
 * they are written. One table, so that reading, filling in and writing agree.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/manifest_keys.h"
#include "lib/base/json.h"
#include "version.h"

#define WORDS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define STR(n, d) { .name = n, .kind = MK_STR, .dflt = d }
#define BOOL(n, d) { .name = n, .kind = MK_BOOL, .dflt = d }
#define UINT(n, d) { .name = n, .kind = MK_UINT, .dflt = d }
#define NUM(n, d) { .name = n, .kind = MK_NUM, .dflt = d }
#define LIST(n) { .name = n, .kind = MK_STRS, .dflt = "[]" }
#define WORD(n, d, ...) { .name = n, .kind = MK_WORD, .dflt = d, .words = WORDS(__VA_ARGS__) }
#define OLIST(n) { .name = n, .kind = MK_STRS }         /* as LIST, but not filled in */
#define TABLE(n, k) { .name = n, .kind = MK_TABLE, .keys = k }
#define TABLE_ALWAYS(n, k) { .name = n, .kind = MK_TABLE, .keys = k, .dflt = "{}" }
#define TABLES(n, k) { .name = n, .kind = MK_TABLES, .keys = k }
#define END { .name = NULL }

static const struct mkey model_keys[] = {
	STR("provider", "default"), STR("model", "default"), UINT("max_tokens", NULL), NUM("temperature", NULL),
	STR("system_prompt", "You are a helpful AI agent."), STR("api_key_env", NULL), STR("base_url", NULL),
	UINT("context_window", NULL), UINT("max_output_tokens", NULL), END
};
static const struct mkey fallback_keys[] = {
	STR("provider", ""), STR("model", ""), STR("api_key_env", NULL), STR("base_url", NULL), END
};
static const struct mkey resource_keys[] = {
	UINT("max_memory_bytes", "268435456"), UINT("max_cpu_time_ms", "30000"),
	UINT("max_tool_calls_per_minute", "60"), UINT("max_llm_tokens_per_hour", NULL), NUM("burst_ratio", NULL),
	UINT("max_network_bytes_per_hour", "104857600"), NUM("max_cost_per_hour_usd", "0"),
	NUM("max_cost_per_day_usd", "0"), NUM("max_cost_per_month_usd", "0"), END
};
static const struct mkey capability_keys[] = {
	LIST("network"), LIST("tools"), LIST("memory_read"), LIST("memory_write"), BOOL("agent_spawn", "false"),
	LIST("agent_message"), LIST("shell"), BOOL("ofp_discover", "false"), LIST("ofp_connect"), END
};
static const struct mkey routing_keys[] = {
	STR("simple_model", "claude-haiku-4-5-20251001"), STR("medium_model", "claude-sonnet-4-20250514"),
	STR("complex_model", "claude-sonnet-4-20250514"), UINT("simple_threshold", "100"),
	UINT("complex_threshold", "500"), END
};
static const struct mkey autonomous_keys[] = {
	STR("quiet_hours", NULL), UINT("max_iterations", "50"), UINT("max_restarts", "10"),
	UINT("heartbeat_interval_secs", "30"), UINT("heartbeat_timeout_secs", NULL),
	UINT("heartbeat_keep_recent", NULL), STR("heartbeat_channel", NULL),
	UINT("block_stall_degrade_after", "2"), END
};
static const struct mkey thinking_keys[] = {
	UINT("budget_tokens", "10000"), BOOL("stream_thinking", "false"), END
};
static const struct mkey injection_keys[] = {
	STR("name", NULL), STR("content", NULL), WORD("position", "system", "system", "before_user", "after_reset"),
	STR("condition", NULL), END
};
static const struct mkey memory_keys[] = {
	BOOL("enabled", NULL), BOOL("auto_memorize", NULL), BOOL("auto_retrieve", NULL), STR("extraction_model", NULL), END
};
static const struct mkey compaction_keys[] = {
	UINT("threshold_messages", NULL), UINT("keep_recent", NULL), UINT("max_summary_tokens", NULL),
	NUM("token_threshold_ratio", NULL), UINT("max_chunk_chars", NULL), UINT("max_retries", NULL),
	BOOL("aggregate_developer_loops", NULL), UINT("max_loop_steps_before_aggregate", NULL),
	UINT("strip_reasoning_after_turns", NULL), END
};
static const struct mkey trigger_keys[] = {
	STR("prompt_template", ""), UINT("max_fires", "0"), UINT("cooldown_secs", "0"),
	WORD("session_mode", NULL, "persistent", "new"), STR("target_agent", NULL), STR("workflow_id", NULL),
	BOOL("enabled", "true"), END
};
static const struct mkey async_keys[] = {
	UINT("default_timeout_secs", NULL), BOOL("notify_on_timeout", "true"), END
};
static const struct mkey format_keys[] = {
	WORD("type", NULL, "text", "json", "json_schema"), STR("name", NULL), BOOL("strict", NULL), END
};
static const struct mkey export_keys[] = { BOOL("enabled", NULL), END };
const struct mkey manifest_exec_keys[] = {
	STR("mode", NULL), OLIST("safe_bins"), BOOL("safe_bins_skip_approval", NULL), BOOL("full_mode_skips_approval", NULL),
	OLIST("allowed_commands"), OLIST("allowed_env_vars"), UINT("timeout_secs", NULL), UINT("max_output_bytes", NULL),
	UINT("no_output_timeout_secs", NULL), END
};
static const struct mkey channel_keys[] = {
	STR("model", NULL), STR("system_prompt", NULL), WORD("dm_policy", NULL, "respond", "allowed_only", "ignore"),
	WORD("group_policy", NULL, "all", "mention_only", "commands_only", "ignore"), OLIST("group_trigger_patterns"),
	BOOL("reply_precheck", NULL), STR("reply_precheck_model", NULL), UINT("rate_limit_per_minute", NULL),
	UINT("rate_limit_per_user", NULL), BOOL("threading", NULL),
	WORD("output_format", NULL, "markdown", "telegram_html", "slack_mrkdwn", "plain_text"),
	WORD("usage_footer", NULL, "off", "tokens", "cost", "full"), WORD("typing_mode", NULL, "instant", "message", "thinking", "never"),
	UINT("message_debounce_ms", NULL), UINT("message_debounce_max_ms", NULL), UINT("message_debounce_max_buffer", NULL),
	BOOL("clear_done_reaction", NULL), BOOL("disable_commands", NULL), OLIST("allowed_commands"), OLIST("blocked_commands"),
	WORD("auto_route", NULL, "off", "explicit_only", "sticky_ttl", "sticky_heuristic"), UINT("auto_route_ttl_minutes", NULL),
	UINT("auto_route_confidence_threshold", NULL), UINT("auto_route_sticky_bonus", NULL), UINT("auto_route_divergence_count", NULL),
	WORD("prefix_agent_name", NULL, "off", "bracket", "bold_bracket"), BOOL("thread_ownership_enabled", NULL),
	UINT("conversation_ownership_ttl_seconds", NULL), BOOL("conversation_ownership_include_dms", NULL), END
};
static const struct mkey workshop_keys[] = {
	BOOL("enabled", NULL), BOOL("auto_capture", NULL), WORD("approval_policy", NULL, "pending", "auto"),
	WORD("review_mode", NULL, "heuristic", "threshold_llm", "none"), UINT("max_pending", NULL), UINT("max_pending_age_days", NULL),
	WORD("evolution_mode", NULL, "free", "controlled"), END
};
static const struct mkey no_keys[] = { END };
static const struct mkey engine_keys[] = { STR("engine", NULL), STR("plugin", NULL), OLIST("plugin_stack"), END };

const struct mkey manifest_keys[] = {
	STR("name", "unnamed"), STR("version", LF_VERSION), STR("description", ""), STR("author", ""),
	STR("module", "builtin:chat"),
	{ .name = "schedule", .kind = MK_CUSTOM, .dflt = "reactive" },
	WORD("session_mode", "persistent", "persistent", "new"),
	WORD("priority", "Normal", "Low", "Normal", "High", "Critical"),
	WORD("profile", NULL, "minimal", "coding", "research", "messaging", "automation", "full", "custom"),
	LIST("tags"), LIST("skills"), BOOL("skills_disabled", "false"),
	LIST("mcp_servers"), BOOL("mcp_disabled", "false"), LIST("channels"),
	LIST("tool_allowlist"), LIST("tool_blocklist"), BOOL("tools_disabled", "false"),
	STR("pinned_model", NULL), STR("workspace", NULL), BOOL("generate_identity_files", "true"),
	{ .name = "exec_policy", .kind = MK_CUSTOM },
	BOOL("enabled", "true"), LIST("allowed_plugins"), BOOL("inherit_parent_context", "true"),
	BOOL("is_hand", "false"), WORD("web_search_augmentation", "auto", "off", "auto", "always"),
	BOOL("auto_dream_enabled", "false"), NUM("auto_dream_min_hours", NULL), UINT("auto_dream_min_sessions", NULL),
	BOOL("show_progress", "true"), BOOL("auto_evolve", "true"), UINT("max_history_messages", NULL),
	UINT("max_concurrent_invocations", NULL), BOOL("assignee_wake", NULL), BOOL("cache_context", "false"),
	WORD("tool_exec_backend", NULL, "local", "docker", "ssh", "daytona"),
	WORD("reconcile_orphans", "keep", "keep", "warn", "delete"),
	TABLE_ALWAYS("model", model_keys),
	{ .name = "fallback_models", .kind = MK_TABLES, .keys = fallback_keys, .lenient = true },
	TABLE_ALWAYS("capabilities", capability_keys), TABLE_ALWAYS("resources", resource_keys),
	TABLE("autonomous", autonomous_keys), TABLE("routing", routing_keys), TABLE("thinking", thinking_keys),
	TABLE("response_format", format_keys), TABLE("proactive_memory", memory_keys),
	TABLE("compaction", compaction_keys), TABLE("async_tasks", async_keys), TABLE("rl_export", export_keys),
	TABLE("channel_overrides", channel_keys), TABLE("skill_workshop", workshop_keys), TABLE("context_engine", engine_keys),
	TABLES("context_injection", injection_keys), TABLES("triggers", trigger_keys),
	TABLE("workspaces", no_keys),
	{ .name = "tools", .kind = MK_MAP }, { .name = "metadata", .kind = MK_MAP },
	END
};

const struct mkey *
mkey_find(const struct mkey *k, const char *name)
{
	for (; k != NULL && k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

struct json_object *
mkey_default(const struct mkey *k)
{
	if (k->dflt == NULL)
		return NULL;
	switch (k->kind) {
	case MK_BOOL:
		return json_object_new_boolean(k->dflt[0] == 't');
	case MK_UINT:
		return json_object_new_int64(strtoll(k->dflt, NULL, 10));
	case MK_NUM:
		return json_object_new_double(strtod(k->dflt, NULL));
	case MK_STRS:
	case MK_TABLES:
		return json_object_new_array();
	case MK_TABLE:
	case MK_MAP:
		return json_object_new_object();
	default:
		return json_object_new_string(k->dflt);
	}
}

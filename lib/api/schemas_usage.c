/*
 * Shapes of what was used and of what may be.
 */
#include "lib/api/schemas.h"

#define USD_MAX 1000000000
#define TOKENS_MAX 1000000000000000

/* --- requests ------------------------------------------------------------------------------ */

#define BETWEEN(s) \
	F_STR(s, start_date, .doc = "from this UTC day on, YYYY-MM-DD; absent or empty: from the first"), \
	F_STR(s, end_date, .doc = "up to this UTC day and with it")

static const struct field usage_query_fields[] = { BETWEEN(struct usage_query), F_END };
const struct schema usage_query = { .name = "UsageQuery", .fields = usage_query_fields, .bytes = sizeof(struct usage_query) };

static const struct field days_query_fields[] = {
	BETWEEN(struct days_query),
	F_I64(struct days_query, days, .has_off = offsetof(struct days_query, has_days),
	    .doc = "the last 1 to 366 days; 7 when nothing is said. Not beside dates"),
	F_END
};
const struct schema days_query = { .name = "UsageDaysQuery", .fields = days_query_fields, .bytes = sizeof(struct days_query) };

static const struct field export_query_fields[] = {
	F_STR(struct export_query, format, .dflt_s = "", .doc = "csv"),
	BETWEEN(struct export_query),
	F_END
};
const struct schema export_query = { .name = "ExportQuery", .fields = export_query_fields, .bytes = sizeof(struct export_query) };

static const struct field all_query_fields[] = {
	F_BOOL(struct all_query, all, .doc = "also those that cost nothing today, up to 1000"),
	F_END
};
const struct schema all_query = { .name = "AllQuery", .fields = all_query_fields, .bytes = sizeof(struct all_query) };

static const struct field limit_query_fields[] = {
	F_STR(struct limit_query, limit, .doc = "1 to 1000; 25 when it is absent or no number"),
	F_END
};
const struct schema limit_query = { .name = "LimitQuery", .fields = limit_query_fields, .bytes = sizeof(struct limit_query) };

#define DOLLARS(s, m, ...) F_NUM(s, m, .max = USD_MAX, __VA_ARGS__)
#define MAYBE .flags = FF_NULLABLE
#define MUST .flags = FF_REQUIRED

static const struct field budget_request_fields[] = {
	DOLLARS(struct budget_request, max_hourly_usd, MAYBE, .doc = "dollars; 0: no limit"),
	DOLLARS(struct budget_request, hourly_limit, MAYBE, .doc = "an older name of it"),
	DOLLARS(struct budget_request, max_daily_usd, MAYBE),
	DOLLARS(struct budget_request, daily_limit, MAYBE),
	DOLLARS(struct budget_request, max_monthly_usd, MAYBE),
	DOLLARS(struct budget_request, monthly_limit, MAYBE),
	F_NUM(struct budget_request, alert_threshold, .max = 1, MAYBE, .doc = "share of a limit from which on it is told"),
	F_I64(struct budget_request, default_max_llm_tokens_per_hour, .max = TOKENS_MAX, MAYBE, .doc = "of agents that have no limit of their own"),
	F_END
};
const struct schema budget_request = { .name = "BudgetRequest", .fields = budget_request_fields, .bytes = sizeof(struct budget_request) };

static const struct field agent_budget_request_fields[] = {
	DOLLARS(struct agent_budget_request, max_cost_per_hour_usd, MAYBE),
	DOLLARS(struct agent_budget_request, max_cost_per_day_usd, MAYBE),
	DOLLARS(struct agent_budget_request, max_cost_per_month_usd, MAYBE),
	F_I64(struct agent_budget_request, max_llm_tokens_per_hour, .max = TOKENS_MAX, MAYBE, .doc = "0: no limit, whatever the default is"),
	F_END
};
const struct schema agent_budget_request = {
	.name = "AgentBudgetRequest", .fields = agent_budget_request_fields, .bytes = sizeof(struct agent_budget_request),
};

static const struct field provider_budget_request_fields[] = {
	DOLLARS(struct provider_budget_request, max_cost_per_hour_usd, MAYBE),
	DOLLARS(struct provider_budget_request, max_cost_per_day_usd, MAYBE),
	DOLLARS(struct provider_budget_request, max_cost_per_month_usd, MAYBE),
	F_I64(struct provider_budget_request, max_tokens_per_hour, .max = TOKENS_MAX, MAYBE),
	F_END
};
const struct schema provider_budget_request = {
	.name = "ProviderBudgetRequest", .fields = provider_budget_request_fields, .bytes = sizeof(struct provider_budget_request),
};

static const struct field user_budget_request_fields[] = {
	DOLLARS(struct user_budget_request, max_hourly_usd, MUST),
	DOLLARS(struct user_budget_request, max_daily_usd, MUST),
	DOLLARS(struct user_budget_request, max_monthly_usd, MUST),
	F_NUM(struct user_budget_request, alert_threshold, .max = 1, MUST),
	F_END
};
const struct schema user_budget_request = {
	.name = "UserBudgetRequest", .fields = user_budget_request_fields, .bytes = sizeof(struct user_budget_request),
};

/* --- usage ------------------------------------------------------------------------------------ */

static const struct field usage_agent_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "name"),
	R_(BOOL, "is_hand"),
	R_(INT, "total_tokens"),
	R_(INT, "input_tokens"),
	R_(INT, "output_tokens"),
	R_(NUMBER, "total_cost_usd"),
	R_(NUMBER, "cost", .doc = "the same"),
	R_(INT, "call_count", .doc = "calls of models"),
	R_(INT, "tool_calls"),
	F_END
};
static const struct schema usage_agent = { .name = "UsageAgent", .fields = usage_agent_fields };

#define PAGE_OF(s) \
	R_(ARRAY, "items", .of = s), \
	R_(ARRAY, "agents", .of = s, .doc = "the same, for older clients"), \
	R_(INT, "total"), \
	R_(INT, "offset"), \
	R_NULL(INT, "limit")

static const struct field usage_page_fields[] = { PAGE_OF(&usage_agent), F_END };
const struct schema usage_page = { .name = "UsagePage", .fields = usage_page_fields };

static const struct field usage_totals_fields[] = {
	R_(INT, "total_input_tokens"),
	R_(INT, "total_output_tokens"),
	R_(NUMBER, "total_cost_usd"),
	R_(INT, "call_count"),
	R_(INT, "failed_count", .doc = "of the calls: failed and cancelled ones"),
	R_(INT, "total_tool_calls"),
	F_END
};
const struct schema usage_totals = { .name = "UsageTotals", .fields = usage_totals_fields };

#define USED_OF_MODEL \
	R_(STRING, "model"), \
	R_(NUMBER, "total_cost_usd"), \
	R_(INT, "total_input_tokens"), \
	R_(INT, "total_output_tokens"), \
	R_(INT, "call_count")

static const struct field usage_model_fields[] = { USED_OF_MODEL, F_END };
static const struct schema usage_model = { .name = "UsageModel", .fields = usage_model_fields };
static const struct field usage_by_model_fields[] = { R_(ARRAY, "models", .of = &usage_model), F_END };
const struct schema usage_by_model = { .name = "UsageByModel", .fields = usage_by_model_fields };

static const struct field usage_speed_fields[] = {
	USED_OF_MODEL,
	R_(NUMBER, "avg_latency_ms", .doc = "of the calls that did not fail"),
	R_(INT, "min_latency_ms"),
	R_(INT, "max_latency_ms"),
	R_(INT, "p95_latency_ms", .doc = "to three hundredths"),
	R_(NUMBER, "cost_per_call"),
	R_(NUMBER, "avg_latency_per_call"),
	F_END
};
static const struct schema usage_speed = { .name = "UsageSpeed", .fields = usage_speed_fields };
static const struct field usage_by_speed_fields[] = { R_(ARRAY, "models", .of = &usage_speed), F_END };
const struct schema usage_by_speed = { .name = "UsageBySpeed", .fields = usage_by_speed_fields };

static const struct field usage_day_fields[] = {
	R_(STRING, "date", .doc = "YYYY-MM-DD, UTC"),
	R_(NUMBER, "cost_usd"),
	R_(INT, "tokens"),
	R_(INT, "calls"),
	F_END
};
static const struct schema usage_day = { .name = "UsageDay", .fields = usage_day_fields };
static const struct field usage_by_day_fields[] = {
	R_(ARRAY, "days", .of = &usage_day),
	R_(NUMBER, "today_cost_usd"),
	R_NULL(TIME, "first_event_date"),
	R_(INT, "retention_days"),
	F_END
};
const struct schema usage_by_day = { .name = "UsageByDay", .fields = usage_by_day_fields };
const struct schema usage_file = { .name = "UsageFile", .flags = SF_TEXT, .media = "text/csv; charset=utf-8" };

/* --- budgets ------------------------------------------------------------------------------------ */

static const struct field budget_alert_fields[] = {
	R_(UUID, "id"),
	R_(TIME, "timestamp"),
	R_(STRING, "kind", .doc = "warning: the threshold was passed; exceeded: the limit was reached"),
	R_(STRING, "scope", .doc = "global, agent, provider, user"),
	R_(STRING, "scope_id"),
	R_(STRING, "unit", .doc = "usd, tokens"),
	R_(STRING, "window", .doc = "hourly, daily, monthly"),
	R_(TIME, "window_start"),
	R_(NUMBER, "spent"),
	R_(NUMBER, "limit"),
	F_END
};
static const struct schema budget_alert = { .name = "BudgetAlert", .fields = budget_alert_fields };

#define WINDOW(n) \
	R_(NUMBER, n "_spend"), \
	R_(NUMBER, n "_limit"), \
	R_(NUMBER, n "_pct", .doc = "share of the limit; 0 without one"), \
	R_(INT, n "_tokens"), \
	R_(INT, n "_token_limit")

static const struct field budget_status_fields[] = {
	WINDOW("hourly"),
	WINDOW("daily"),
	WINDOW("monthly"),
	R_(NUMBER, "alert_threshold"),
	R_(INT, "default_max_llm_tokens_per_hour"),
	R_(ARRAY, "alerts", .of = &budget_alert, .doc = "the last ten"),
	F_END
};
const struct schema budget_status = { .name = "BudgetStatus", .fields = budget_status_fields };

static const struct field budget_item_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "name"),
	R_(NUMBER, "daily_cost_usd"),
	R_(NUMBER, "hourly_limit"),
	R_(NUMBER, "daily_limit"),
	R_(NUMBER, "monthly_limit"),
	R_(INT, "max_llm_tokens_per_hour"),
	F_END
};
static const struct schema budget_item = { .name = "BudgetItem", .fields = budget_item_fields };
static const struct field budget_page_fields[] = { PAGE_OF(&budget_item), F_END };
const struct schema budget_page = { .name = "BudgetPage", .fields = budget_page_fields };

static const struct field spend_window_fields[] = {
	R_(NUMBER, "spend"),
	R_(NUMBER, "limit"),
	R_(NUMBER, "pct"),
	F_END
};
static const struct schema spend_window = { .name = "SpendWindow", .fields = spend_window_fields };
static const struct field token_window_fields[] = {
	R_(INT, "used"),
	R_(INT, "limit"),
	R_(NUMBER, "pct"),
	R_NULL(TIME, "resets_at", .doc = "the hour begins with the first use"),
	F_END
};
static const struct schema token_window = { .name = "TokenWindow", .fields = token_window_fields };

#define SPEND_WINDOWS \
	R_(OBJECT, "hourly", .of = &spend_window), \
	R_(OBJECT, "daily", .of = &spend_window), \
	R_(OBJECT, "monthly", .of = &spend_window)

static const struct field budget_of_one_fields[] = {
	R_(UUID, "agent_id"),
	R_(STRING, "agent_name"),
	SPEND_WINDOWS,
	R_(OBJECT, "tokens", .of = &token_window),
	F_END
};
const struct schema budget_of_one = { .name = "AgentBudget", .fields = budget_of_one_fields };

static const struct field agent_resources_fields[] = {
	R_(INT, "max_memory_bytes"),
	R_(INT, "max_cpu_time_ms"),
	R_(INT, "max_tool_calls_per_minute"),
	R_OPT(INT, "max_llm_tokens_per_hour"),
	R_OPT(NUMBER, "burst_ratio"),
	R_(INT, "max_network_bytes_per_hour"),
	R_(NUMBER, "max_cost_per_hour_usd"),
	R_(NUMBER, "max_cost_per_day_usd"),
	R_(NUMBER, "max_cost_per_month_usd"),
	F_END
};
const struct schema agent_resources = { .name = "AgentResources", .fields = agent_resources_fields };

static const struct field provider_budget_fields[] = {
	R_(STRING, "provider"),
	R_(BOOL, "unconfigured", .doc = "it has no limits"),
	R_(NUMBER, "cap_hourly_usd"),
	R_(NUMBER, "cap_daily_usd"),
	R_(NUMBER, "cap_monthly_usd"),
	R_(INT, "cap_tokens_per_hour"),
	R_(NUMBER, "spend_hourly_usd"),
	R_(NUMBER, "spend_daily_usd"),
	R_(NUMBER, "spend_monthly_usd"),
	R_(INT, "tokens_this_hour"),
	R_(BOOL, "is_exhausted"),
	R_NULL(STRING, "exhaustion_reason"),
	R_NULL(INT, "exhaustion_remaining_ms"),
	F_END
};
static const struct schema provider_budget = { .name = "ProviderBudget", .fields = provider_budget_fields };
static const struct field provider_budgets_fields[] = {
	R_(ARRAY, "providers", .of = &provider_budget),
	R_(NUMBER, "alert_threshold"),
	F_END
};
const struct schema provider_budgets = { .name = "ProviderBudgets", .fields = provider_budgets_fields };

static const struct field provider_caps_fields[] = {
	R_(STRING, "provider"),
	R_(NUMBER, "max_cost_per_hour_usd"),
	R_(NUMBER, "max_cost_per_day_usd"),
	R_(NUMBER, "max_cost_per_month_usd"),
	R_(INT, "max_tokens_per_hour"),
	F_END
};
const struct schema provider_caps = { .name = "ProviderCaps", .fields = provider_caps_fields };

static const struct field user_caps_fields[] = {
	R_(NUMBER, "max_hourly_usd"),
	R_(NUMBER, "max_daily_usd"),
	R_(NUMBER, "max_monthly_usd"),
	R_(NUMBER, "alert_threshold"),
	F_END
};
const struct schema user_caps = { .name = "UserCaps", .fields = user_caps_fields };

static const struct field user_spend_fields[] = {
	R_(UUID, "user_id"),
	R_NULL(STRING, "name"),
	R_(NUMBER, "hourly_cost_usd"),
	R_(NUMBER, "daily_cost_usd"),
	R_(NUMBER, "monthly_cost_usd"),
	R_(INT, "call_count", .doc = "this month"),
	R_NULL(OBJECT, "limits", .of = &user_caps),
	F_END
};
static const struct schema user_spend = { .name = "UserSpend", .fields = user_spend_fields };
static const struct field user_budgets_fields[] = {
	R_(ARRAY, "users", .of = &user_spend),
	R_(INT, "total"),
	R_(INT, "limit"),
	F_END
};
const struct schema user_budgets = { .name = "UserBudgets", .fields = user_budgets_fields };

static const struct field user_budget_fields[] = {
	R_(UUID, "user_id"),
	R_NULL(STRING, "name"),
	R_NULL(STRING, "role"),
	SPEND_WINDOWS,
	R_(NUMBER, "alert_threshold"),
	R_(BOOL, "alert_breach"),
	R_(BOOL, "enforced"),
	F_END
};
const struct schema user_budget = { .name = "UserBudget", .fields = user_budget_fields };

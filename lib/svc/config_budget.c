/*
 * The money part of the configuration: [budget], its providers, and the budgets of users.
 */
#include <limits.h>
#include <math.h>

#include "lib/base/json.h"
#include "lib/svc/config.h"

enum { UNKNOWN_MAX_OUTPUT = 32768 };

int64_t
config_money(const struct json_object *o, const char *key)
{
	double x = js_f64(o, key, 0) * 1e9, near = nearbyint(x);

	if (!(x > 0))
		return 0;
	if (x > 9e18)
		return INT64_MAX;
	if (fabs(x - near) > 1e-6 * fmax(1.0, fabs(x) * 1e-9))
		near = ceil(x);
	return near < 1 ? 1 : (int64_t)near;
}

static int64_t
price(const struct json_object *o, const char *key, int64_t dflt)
{
	return js_get(o, key) != NULL ? config_money(o, key) : dflt;
}

static int64_t
count(const struct json_object *o, const char *key)
{
	int64_t n = js_i64(o, key, 0);

	return n > 0 ? n : 0;
}

static struct budget_caps
caps_of(const struct json_object *o, const char *const money[BUDGET_SPANS])
{
	return (struct budget_caps){
		.nanousd = { config_money(o, money[0]), config_money(o, money[1]), config_money(o, money[2]) },
		.tokens = { count(o, "max_tokens_per_hour"), count(o, "max_tokens_per_day"), count(o, "max_tokens_per_month") },
	};
}

static const char *const of_all[] = { "max_hourly_usd", "max_daily_usd", "max_monthly_usd" };
static const char *const of_provider[] = { "max_cost_per_hour_usd", "max_cost_per_day_usd", "max_cost_per_month_usd" };

static bool
load_providers(struct ctx *c, struct json_object *map, struct config_budget *b)
{
	b->providers = ctx_alloc(c, ((size_t)(map != NULL ? json_object_object_length(map) : 0) + 1) * sizeof(*b->providers));
	if (b->providers == NULL || map == NULL)
		return b->providers != NULL;
	json_object_object_foreach(map, id, o)
		b->providers[b->n_providers++] = (struct budget_named){ id, caps_of(o, of_provider), b->alert_threshold };
	return true;
}

static bool
load_users(struct ctx *c, struct json_object *list, struct config_budget *b)
{
	size_t n = list != NULL ? json_object_array_length(list) : 0;

	b->users = ctx_alloc(c, (n + 1) * sizeof(*b->users));
	for (size_t i = 0; b->users != NULL && i < n; i++) {
		struct json_object *u = json_object_array_get_idx(list, i), *o = js_obj(u, "budget");

		if (o != NULL)
			b->users[b->n_users++] = (struct budget_named){ js_str_or(u, "name", ""), caps_of(o, of_all),
				js_f64(o, "alert_threshold", BUDGET_ALERT) };
	}
	return b->users != NULL;
}

bool
config_load_budget(struct ctx *c, struct json_object *raw, struct config_budget *b)
{
	struct json_object *o = js_obj(raw, "budget");

	*b = (struct config_budget){
		.all = caps_of(o, of_all),
		.alert_threshold = js_f64(o, "alert_threshold", BUDGET_ALERT),
		.agent_tokens_hour = count(o, "default_max_llm_tokens_per_hour"),
		.burst_ratio = js_f64(o, "default_burst_ratio", 0),
		.unpriced_input_nanousd = price(o, "unpriced_input_cost_per_m", 1000000000),
		.unpriced_output_nanousd = price(o, "unpriced_output_cost_per_m", 3000000000),
		.unknown_max_output = count(o, "unknown_max_output_tokens"),
	};
	if (b->unknown_max_output == 0)
		b->unknown_max_output = UNKNOWN_MAX_OUTPUT;
	return load_providers(c, js_obj(o, "providers"), b) && load_users(c, js_arr(raw, "users"), b);
}

/*
 * librefang budget: what may be spent, by everybody, an agent, a provider, a user.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"

/* Whose budget. None of them: everybody's. */
struct whose { const char *agent, *provider, *user; };

static const struct { const char *option, *all, *agent, *provider, *user; } limits[] = {
	{ "--hourly", "max_hourly_usd", "max_cost_per_hour_usd", "max_cost_per_hour_usd", "max_hourly_usd" },
	{ "--daily", "max_daily_usd", "max_cost_per_day_usd", "max_cost_per_day_usd", "max_daily_usd" },
	{ "--monthly", "max_monthly_usd", "max_cost_per_month_usd", "max_cost_per_month_usd", "max_monthly_usd" },
	{ "--tokens", "default_max_llm_tokens_per_hour", "max_llm_tokens_per_hour", "max_tokens_per_hour", NULL },
	{ "--alert", "alert_threshold", NULL, NULL, "alert_threshold" },
};

static int
take_whose(int *argc, char **argv, struct whose *w)
{
	int n;

	w->agent = option_value(argc, argv, "--agent");
	w->provider = option_value(argc, argv, "--provider");
	w->user = option_value(argc, argv, "--user");
	n = (w->agent != NULL) + (w->provider != NULL) + (w->user != NULL);
	if (n > 1)
		return usage("budget: one of --agent, --provider and --user");
	return n == 1 ? only_text(w->agent != NULL ? w->agent : w->provider, w->user) : EXIT_GOOD;
}

static int
target_of(struct cli *cli, const struct whose *w, struct buf *target)
{
	char id[64];
	int rc = EXIT_GOOD;

	buf_str(target, "/api/budget");
	if (w->agent != NULL) {
		rc = agent_find(cli, w->agent, id);
		buf_printf(target, "/agents/%s", rc == EXIT_GOOD ? id : "");
	} else if (w->provider != NULL || w->user != NULL) {
		buf_str(target, w->provider != NULL ? "/providers/" : "/users/");
		buf_segment(target, w->provider != NULL ? w->provider : w->user);
	}
	return rc == EXIT_GOOD && target->failed ? usage("budget: that name is too long") : rc;
}

/* --- showing ------------------------------------------------------------------------------- */

static void
share_cell(struct table *t, double share, bool limited)
{
	char n[32];

	snprintf(n, sizeof(n), limited ? "%.0f%%" : "-", 100 * share);
	table_cell(t, n);
}

static void
window_row(struct table *t, const char *name, struct json_object *o, const char *spend, const char *limit, const char *pct)
{
	bool limited = js_f64(o, limit, 0) > 0;

	table_cell(t, name);
	dollars_cell(t, o, spend);
	if (limited)
		dollars_cell(t, o, limit);
	else
		table_cell(t, "-");
	share_cell(t, js_f64(o, pct, 0), limited);
}

static const char *const window_heads[] = { "WINDOW", "SPENT", "LIMIT", "SHARE" };

static void
show_all(struct cli *cli, struct json_object *o)
{
	struct table t;

	table_begin(&t, 4, window_heads);
	window_row(&t, "hour", o, "hourly_spend", "hourly_limit", "hourly_pct");
	window_row(&t, "day", o, "daily_spend", "daily_limit", "daily_pct");
	window_row(&t, "month", o, "monthly_spend", "monthly_limit", "monthly_pct");
	table_print(&t, cli->tty);
}

/* An agent's or a user's. */
static void
show_one(struct cli *cli, struct json_object *o)
{
	struct json_object *tokens = js_obj(o, "tokens");
	bool limited = js_i64(tokens, "limit", 0) > 0;
	struct table t;

	table_begin(&t, 4, window_heads);
	window_row(&t, "hour", js_obj(o, "hourly"), "spend", "limit", "pct");
	window_row(&t, "day", js_obj(o, "daily"), "spend", "limit", "pct");
	window_row(&t, "month", js_obj(o, "monthly"), "spend", "limit", "pct");
	if (tokens != NULL) {
		table_cell(&t, "tokens");
		count_cell(&t, tokens, "used");
		if (limited)
			count_cell(&t, tokens, "limit");
		else
			table_cell(&t, "-");
		share_cell(&t, js_f64(tokens, "pct", 0), limited);
	}
	table_print(&t, cli->tty);
}

static int
show(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF target = BUF_INIT(4096);
	SCOPED_ANSWER a = { 0 };
	struct whose w;
	int rc = take_whose(&argc, argv, &w);

	if (rc == EXIT_GOOD)
		rc = only_words(&argc, argv);
	if (rc == EXIT_GOOD && argc > 1)
		return usage("budget show: what is \"%s\"?", argv[1]);
	if (rc == EXIT_GOOD && w.provider != NULL)
		return usage("budget show: \"librefang budget providers\" lists them");
	if (rc == EXIT_GOOD)
		rc = target_of(cli, &w, &target);
	if (rc == EXIT_GOOD)
		rc = call(cli, "GET", target.p, NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	if (w.agent != NULL || w.user != NULL)
		show_one(cli, a.json);
	else
		show_all(cli, a.json);
	return EXIT_GOOD;
}

/* --- lists ----------------------------------------------------------------------------------- */

struct column { const char *key; bool count, text; };

static int
print_rows(struct cli *cli, const char *target, const char *list, const char *const *heads, const struct column *cols, unsigned n)
{
	SCOPED_ANSWER a = { 0 };
	struct json_object *rows;
	struct table t;
	int rc = callf(cli, "GET", NULL, &a, "%s", target);

	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	rows = js_arr(a.json, list);
	table_begin(&t, n, heads);
	for (size_t i = 0; i < js_len(rows); i++)
		for (unsigned k = 0; k < n; k++) {
			struct json_object *o = json_object_array_get_idx(rows, i);

			if (cols[k].text)
				table_cell(&t, js_str_or(o, cols[k].key, "-"));
			else if (cols[k].count)
				count_cell(&t, o, cols[k].key);
			else
				dollars_cell(&t, o, cols[k].key);
		}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
agents(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "TODAY", "PER HOUR", "PER DAY", "PER MONTH", "TOKENS PER HOUR", "AGENT" };
	static const struct column cols[] = { { .key = "daily_cost_usd" }, { .key = "hourly_limit" }, { .key = "daily_limit" },
		{ .key = "monthly_limit" }, { .key = "max_llm_tokens_per_hour", .count = true }, { .key = "name", .text = true } };

	(void)argc;
	(void)argv;
	return print_rows(cli, "/api/budget/agents", "items", heads, cols, ARRAY_LEN(cols));
}

static int
providers(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "HOUR", "PER HOUR", "DAY", "PER DAY", "MONTH", "PER MONTH", "TOKENS", "PER HOUR", "PROVIDER" };
	static const struct column cols[] = { { .key = "spend_hourly_usd" }, { .key = "cap_hourly_usd" }, { .key = "spend_daily_usd" },
		{ .key = "cap_daily_usd" }, { .key = "spend_monthly_usd" }, { .key = "cap_monthly_usd" }, { .key = "tokens_this_hour", .count = true },
		{ .key = "cap_tokens_per_hour", .count = true }, { .key = "provider", .text = true } };

	(void)argc;
	(void)argv;
	return print_rows(cli, "/api/budget/providers", "providers", heads, cols, ARRAY_LEN(cols));
}

static int
users(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "HOUR", "DAY", "MONTH", "CALLS", "ID", "USER" };
	static const struct column cols[] = { { .key = "hourly_cost_usd" }, { .key = "daily_cost_usd" }, { .key = "monthly_cost_usd" },
		{ .key = "call_count", .count = true }, { .key = "user_id", .text = true }, { .key = "name", .text = true } };

	(void)argc;
	(void)argv;
	return print_rows(cli, "/api/budget/users?limit=1000", "users", heads, cols, ARRAY_LEN(cols));
}

/* --- setting ------------------------------------------------------------------------------------ */

static const char *
member_of(size_t i, const struct whose *w)
{
	return w->agent != NULL ? limits[i].agent : w->provider != NULL ? limits[i].provider : w->user != NULL ? limits[i].user : limits[i].all;
}

/* A number, as it was typed. */
static bool
is_number(const char *s)
{
	char *end;

	return s[0] != '\0' && strspn(s, "0123456789.eE+-") == strlen(s) && (strtod(s, &end), *end == '\0');
}

/* A user's budget is set whole: what was not named stays. */
static int
user_now(struct cli *cli, const char *target, struct json_object **ret)
{
	static const char *const windows[] = { "hourly", "daily", "monthly" };
	SCOPED_ANSWER a = { 0 };
	struct cli plain = *cli;
	int rc;

	plain.json = false;
	rc = call(&plain, "GET", target, NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD)
		return rc;
	*ret = json_object_new_object();
	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		json_object_object_add(*ret, limits[i].user, json_object_new_double(js_f64(js_obj(a.json, windows[i]), "limit", 0)));
	json_object_object_add(*ret, "alert_threshold", json_object_new_double(js_f64(a.json, "alert_threshold", 0.8)));
	return EXIT_GOOD;
}

static int
write_body(struct cli *cli, const char *target, const struct whose *w, const char *const *values, struct buf *body)
{
	struct json_object *now = NULL;
	struct jw out = JW_INIT(body);
	int rc = w->user != NULL ? user_now(cli, target, &now) : EXIT_GOOD;

	if (rc != EXIT_GOOD)
		return rc;
	jw_object(&out, NULL);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const char *member = member_of(i, w);

		if (member != NULL && values[i] != NULL)
			jw_raw(&out, member, values[i], strlen(values[i]));
		else if (member != NULL && now != NULL)
			jw_json(&out, member, js_get(now, member));
	}
	jw_end(&out);
	json_object_put(now);
	return body->failed ? complain(EXIT_FAILED, "no memory") : EXIT_GOOD;
}

static int
put(struct cli *cli, const struct whose *w, const char *const *values)
{
	SCOPED_BUF target = BUF_INIT(4096);
	SCOPED_BUF body = BUF_INIT(4096);
	SCOPED_ANSWER a = { 0 };
	int rc = target_of(cli, w, &target);

	if (rc == EXIT_GOOD)
		rc = write_body(cli, target.p, w, values, &body);
	if (rc == EXIT_GOOD)
		rc = call(cli, "PUT", target.p, body.p, QUICK_MS, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("set\n");
	return rc;
}

static int
set(struct cli *cli, int argc, char **argv)
{
	const char *values[ARRAY_LEN(limits)];
	struct whose w;
	size_t n = 0;
	int rc = take_whose(&argc, argv, &w);

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		values[i] = option_value(&argc, argv, limits[i].option);
		n += values[i] != NULL;
		if (rc == EXIT_GOOD && values[i] != NULL && !is_number(values[i]))
			rc = usage("budget set: %s takes a number", limits[i].option);
		if (rc == EXIT_GOOD && values[i] != NULL && member_of(i, &w) == NULL)
			rc = usage("budget set: %s is not set for that", limits[i].option);
	}
	if (rc == EXIT_GOOD)
		rc = only_words(&argc, argv);
	if (rc == EXIT_GOOD && (argc > 1 || n == 0))
		return usage("budget set: --hourly, --daily, --monthly (dollars), --tokens (per hour) or --alert (share) is expected; 0: no limit");
	return rc == EXIT_GOOD ? put(cli, &w, values) : rc;
}

static int
clear(struct cli *cli, int argc, char **argv)
{
	static const char *const zeros[ARRAY_LEN(limits)] = { "0", "0", "0", "0", NULL };
	SCOPED_BUF target = BUF_INIT(4096);
	SCOPED_ANSWER a = { 0 };
	struct whose w;
	int rc = take_whose(&argc, argv, &w);

	if (rc == EXIT_GOOD)
		rc = only_words(&argc, argv);
	if (rc == EXIT_GOOD && argc > 1)
		return usage("budget clear: what is \"%s\"?", argv[1]);
	if (rc != EXIT_GOOD || w.user == NULL)
		return rc == EXIT_GOOD ? put(cli, &w, zeros) : rc;
	rc = target_of(cli, &w, &target);
	if (rc == EXIT_GOOD)
		rc = call(cli, "DELETE", target.p, NULL, QUICK_MS, &a);
	if (rc == EXIT_GOOD && !cli->json)
		printf("cleared\n");
	return rc;
}

int
cmd_budget(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "show", show, 0, SUB_PARSES }, { "agents", agents, 0, 0 }, { "providers", providers, 0, 0 }, { "users", users, 0, 0 },
		{ "set", set, 0, SUB_PARSES }, { "clear", clear, 0, SUB_PARSES },
	};

	return argc == 1 ? show(cli, argc, argv) : run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

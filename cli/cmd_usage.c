/*
 * librefang usage: what was used and what it cost, from the ledger's sums, or the ledger itself as CSV.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"

const char *
dollars(struct json_object *o, const char *key, char out[static 32])
{
	double v = js_f64(o, key, 0);

	snprintf(out, 32, v != 0 && v < 0.01 ? "%.6f" : "%.2f", v);
	return out;
}

void
count_cell(struct table *t, struct json_object *o, const char *key)
{
	char n[24];

	snprintf(n, sizeof(n), "%" PRId64, js_i64(o, key, 0));
	table_cell(t, n);
}

void
dollars_cell(struct table *t, struct json_object *o, const char *key)
{
	char n[32];

	table_cell(t, dollars(o, key, n));
}

/* --- views ------------------------------------------------------------------------------ */

static int
summary(struct cli *cli, int argc, char **argv)
{
	static const struct { const char *name, *key; } each[] = {
		{ "input tokens", "total_input_tokens" }, { "output tokens", "total_output_tokens" }, { "calls", "call_count" },
		{ "of them failed", "failed_count" }, { "tool calls", "total_tool_calls" },
	};
	SCOPED_ANSWER a = { 0 };
	struct table t;
	int rc = callf(cli, "GET", NULL, &a, "/api/usage/summary");

	(void)argc;
	(void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	table_begin(&t, 2, NULL);
	table_cell(&t, "dollars");
	dollars_cell(&t, a.json, "total_cost_usd");
	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		table_cell(&t, each[i].name);
		count_cell(&t, a.json, each[i].key);
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
agents(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "DOLLARS", "INPUT", "OUTPUT", "CALLS", "TOOLS", "AGENT" };
	SCOPED_ANSWER a = { 0 };
	struct table t;
	int rc = callf(cli, "GET", NULL, &a, "/api/usage");

	(void)argc;
	(void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	table_begin(&t, 6, heads);
	for (size_t i = 0; i < js_len(items_of(a.json)); i++) {
		struct json_object *o = json_object_array_get_idx(items_of(a.json), i);

		dollars_cell(&t, o, "total_cost_usd");
		count_cell(&t, o, "input_tokens");
		count_cell(&t, o, "output_tokens");
		count_cell(&t, o, "call_count");
		count_cell(&t, o, "tool_calls");
		table_cell(&t, js_str_or(o, "name", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
models(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "DOLLARS", "INPUT", "OUTPUT", "CALLS", "MS", "MS OF 95%", "MODEL" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *list;
	struct table t;
	int rc = callf(cli, "GET", NULL, &a, "/api/usage/by-model/performance");

	(void)argc;
	(void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	list = js_arr(a.json, "models");
	table_begin(&t, 7, heads);
	for (size_t i = 0; i < js_len(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		char ms[32];

		snprintf(ms, sizeof(ms), "%.0f", js_f64(o, "avg_latency_ms", 0));
		dollars_cell(&t, o, "total_cost_usd");
		count_cell(&t, o, "total_input_tokens");
		count_cell(&t, o, "total_output_tokens");
		count_cell(&t, o, "call_count");
		table_cell(&t, ms);
		count_cell(&t, o, "p95_latency_ms");
		table_cell(&t, js_str_or(o, "model", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
days(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "DAY", "DOLLARS", "TOKENS", "CALLS" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *list;
	struct table t;
	int rc = callf(cli, "GET", NULL, &a, "/api/usage/daily");

	(void)argc;
	(void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	list = js_arr(a.json, "days");
	table_begin(&t, 4, heads);
	for (size_t i = 0; i < js_len(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		table_cell(&t, js_str_or(o, "date", ""));
		dollars_cell(&t, o, "cost_usd");
		count_cell(&t, o, "tokens");
		count_cell(&t, o, "calls");
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

/* A file that is not whole is no file: it is taken away again. */
static int
export(struct cli *cli, int argc, char **argv)
{
	const char *path = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
	FILE *out = path != NULL ? fopen(path, "wxe") : stdout;
	int rc;

	if (out == NULL)
		return complain(EXIT_FAILED, "%s cannot be made: %s", path, strerror(errno));
	rc = call_copy(cli, "/api/usage/export?format=csv", out);
	if (path != NULL && fclose(out) != 0 && rc == EXIT_GOOD)
		rc = complain(EXIT_FAILED, "%s cannot be written: %s", path, strerror(errno));
	if (path != NULL && rc != EXIT_GOOD)
		(void)remove(path);
	return rc;
}

int
cmd_usage(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "summary", summary, 0, 0 }, { "agents", agents, 0, 0 }, { "models", models, 0, 0 }, { "days", days, 0, 0 },
		{ "export", export, 0, 1 },
	};

	return argc == 1 ? summary(cli, argc, argv) : run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

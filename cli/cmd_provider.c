/*
 * provider and models: where models come from, and which there are. A key comes from standard
 * input or is typed unseen, and never stands among arguments.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { BODY_MAX = 131072, PROBE_MS = 60000 };

/* Ask about one; body may be NULL. */
static int
ask(struct cli *cli, const char *verb, const char *before, const char *name, const char *after, const char *body, struct answer *a)
{
	SCOPED_BUF target = BUF_INIT(4096);
	int rc = only_text(name, body);

	buf_str(&target, before);
	buf_segment(&target, name);
	buf_str(&target, after);
	if (rc == EXIT_GOOD && target.failed)
		rc = usage("the name is too long");
	return rc == EXIT_GOOD ? call(cli, verb, target.p, body, PROBE_MS, a) : rc;
}

/* {"a": one, "b": other}; other NULL: only the first. */
static void
body_of(struct buf *out, const char *a, const char *one, const char *b, const char *other)
{
	buf_printf(out, "{\"%s\":", a);
	json_quote(out, one, strlen(one));
	if (other != NULL) {
		buf_printf(out, ",\"%s\":", b);
		json_quote(out, other, strlen(other));
	}
	buf_str(out, "}");
}

static const char *
yes(bool v)
{
	return v ? "yes" : "no";
}

/* --- providers ---------------------------------------------------------------------- */

static int
provider_list(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "ID", "STATUS", "MODELS", "ADDRESS" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *all;
	struct table t;
	char n[24];
	int rc = call(cli, "GET", "/api/providers", NULL, QUICK_MS, &a);

	(void)argc, (void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	all = js_arr(a.json, "providers");
	table_begin(&t, 4, heads);
	for (size_t i = 0; i < js_len(all); i++) {
		struct json_object *p = json_object_array_get_idx(all, i);

		snprintf(n, sizeof(n), "%lld", (long long)js_i64(p, "model_count", 0));
		table_cell(&t, js_str_or(p, "id", ""));
		table_cell(&t, js_bool(p, "suppressed", false) ? "put away" : js_str_or(p, "auth_status", ""));
		table_cell(&t, n);
		table_cell(&t, js_str_or(p, "base_url", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
provider_show(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = { "id", "display_name", "auth_status", "api_key_env", "base_url", "proxy_url", "last_tested", "error_message" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *all;
	struct table t;
	int rc = ask(cli, "GET", "/api/providers/", argv[1], "", NULL, &a);

	(void)argc;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	table_begin(&t, 2, NULL);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (js_str(a.json, words[i]) != NULL && js_str(a.json, words[i])[0] != '\0')
			table_pair(&t, words[i], js_str(a.json, words[i]));
	table_pair(&t, "key_present", yes(js_bool(a.json, "key_present", false)));
	table_pair(&t, "suppressed", yes(js_bool(a.json, "suppressed", false)));
	all = js_arr(a.json, "models");
	for (size_t i = 0; i < js_len(all); i++)
		table_pair(&t, i == 0 ? "models" : "", js_str_or(json_object_array_get_idx(all, i), "id", ""));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
provider_key(struct cli *cli, int argc, char **argv)
{
	struct buf body = BUF_INIT(BODY_MAX);
	SCOPED_ANSWER a = { 0 };
	int rc = secret_body("key", "Key: ", &body);

	(void)argc;
	if (rc == EXIT_GOOD)
		rc = ask(cli, "POST", "/api/providers/", argv[1], "/key", body.p, &a);
	buf_zero_done(&body);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "message", "saved"));
	return rc;
}

static int
provider_forget(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	int rc = ask(cli, "DELETE", "/api/providers/", argv[1], "/key", NULL, &a);

	(void)argc;
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("removed\n");
	return rc;
}

static int
provider_url(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(BODY_MAX);
	SCOPED_ANSWER a = { 0 };
	int rc = only_text(argv[2], NULL);

	(void)argc;
	body_of(&body, "base_url", argv[2], NULL, NULL);
	if (rc == EXIT_GOOD)
		rc = ask(cli, "PUT", "/api/providers/", argv[1], "/url", body.p, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s %s\n", js_str_or(a.json, "base_url", ""), js_bool(a.json, "reachable", false) ? "answers" : "does not answer");
	return rc;
}

static int
provider_test(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	bool good;
	int rc = ask(cli, "POST", "/api/providers/", argv[1], "/test", NULL, &a);

	(void)argc;
	if (rc != EXIT_GOOD)
		return rc;
	good = strcmp(js_str_or(a.json, "status", ""), "ok") == 0;
	if (print_raw(cli, &a))
		return good ? EXIT_GOOD : EXIT_FAILED;
	if (!good)
		return complain(EXIT_FAILED, "%s", js_str_or(a.json, "error", "it does not work"));
	printf("ok");
	if (js_get(a.json, "latency_ms") != NULL)
		printf(", %lld ms", (long long)js_i64(a.json, "latency_ms", 0));
	printf("\n");
	return EXIT_GOOD;
}

static int
provider_default(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(BODY_MAX);
	SCOPED_ANSWER a = { 0 };
	int rc = only_text(argc > 2 ? argv[2] : NULL, NULL);

	if (argc > 2)
		body_of(&body, "model", argv[2], NULL, NULL);
	else
		buf_str(&body, "{}");
	if (rc == EXIT_GOOD)
		rc = ask(cli, "POST", "/api/providers/", argv[1], "/default", body.p, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s/%s\n", js_str_or(a.json, "provider", ""), js_str_or(a.json, "model", ""));
	return rc;
}

static int
provider_enable(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	int rc = ask(cli, "POST", "/api/providers/", argv[1], "/enable", NULL, &a);

	(void)argc;
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("enabled\n");
	return rc;
}

int
cmd_provider(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "list", provider_list, 0, 0 }, { "show", provider_show, 1, 1 }, { "set-key", provider_key, 1, 1 },
		{ "remove-key", provider_forget, 1, 1 }, { "url", provider_url, 2, 2 }, { "test", provider_test, 1, 1 },
		{ "default", provider_default, 1, 2 }, { "enable", provider_enable, 1, 1 },
	};

	return run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

/* --- models --------------------------------------------------------------------------- */

static void
model_row(struct table *t, struct json_object *m)
{
	char window[24], in[32], out[32];

	snprintf(window, sizeof(window), "%lld", (long long)js_i64(m, "context_window", 0));
	snprintf(in, sizeof(in), "%g", js_f64(m, "input_cost_per_m", 0));
	snprintf(out, sizeof(out), "%g", js_f64(m, "output_cost_per_m", 0));
	table_cell(t, js_str_or(m, "id", ""));
	table_cell(t, js_str_or(m, "provider", ""));
	table_cell(t, js_str_or(m, "tier", ""));
	table_cell(t, window);
	table_cell(t, in);
	table_cell(t, out);
	table_cell(t, yes(js_bool(m, "available", false)));
}

static int
models_list(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "ID", "PROVIDER", "TIER", "WINDOW", "$/M IN", "$/M OUT", "USABLE" };
	const char *provider = option_value(&argc, argv, "--provider"), *tier = option_value(&argc, argv, "--tier");
	bool usable = option_flag(&argc, argv, "--usable");
	SCOPED_BUF target = BUF_INIT(4096);
	SCOPED_ANSWER a = { 0 };
	struct json_object *all;
	struct table t;
	int rc = only_words(&argc, argv);

	if (rc == EXIT_GOOD && argc > 1)
		return usage("models list: what is \"%s\"?", argv[1]);
	buf_str(&target, "/api/models");
	buf_parameter(&target, "provider", provider);
	buf_parameter(&target, "tier", tier);
	buf_parameter(&target, "available", usable ? "true" : NULL);
	if (rc == EXIT_GOOD && target.failed)
		return usage("models list: that is too long");
	if (rc == EXIT_GOOD)
		rc = call(cli, "GET", target.p, NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	all = js_arr(a.json, "models");
	table_begin(&t, 7, heads);
	for (size_t i = 0; i < js_len(all); i++)
		model_row(&t, json_object_array_get_idx(all, i));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
models_show(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = { "id", "display_name", "provider", "tier", "modality", "vision_support" };
	static const char *const figures[] = { "context_window", "max_output_tokens", "input_cost_per_m", "output_cost_per_m" };
	static const char *const bools[] = { "supports_tools", "supports_streaming", "supports_thinking", "available" };
	SCOPED_ANSWER a = { 0 };
	struct table t;
	char n[32];
	int rc = ask(cli, "GET", "/api/models/", argv[1], "", NULL, &a);

	(void)argc;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	table_begin(&t, 2, NULL);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		table_pair(&t, words[i], js_str_or(a.json, words[i], ""));
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		snprintf(n, sizeof(n), "%g", js_f64(a.json, figures[i], 0));
		table_pair(&t, figures[i], n);
	}
	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		table_pair(&t, bools[i], yes(js_bool(a.json, bools[i], false)));
	table_list(&t, "aliases", js_arr(a.json, "aliases"));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
models_aliases(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "ALIAS", "MODEL" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *all;
	struct table t;
	int rc = call(cli, "GET", "/api/models/aliases", NULL, QUICK_MS, &a);

	(void)argc, (void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	all = js_arr(a.json, "aliases");
	table_begin(&t, 2, heads);
	for (size_t i = 0; i < js_len(all); i++) {
		struct json_object *o = json_object_array_get_idx(all, i);

		table_pair(&t, js_str_or(o, "alias", ""), js_str_or(o, "model_id", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
models_alias(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(BODY_MAX);
	SCOPED_ANSWER a = { 0 };
	int rc = only_text(argv[1], argv[2]);

	(void)argc;
	body_of(&body, "alias", argv[1], "model_id", argv[2]);
	if (rc == EXIT_GOOD)
		rc = call(cli, "POST", "/api/models/aliases", body.p, QUICK_MS, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "alias", ""));
	return rc;
}

static int
models_unalias(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	int rc = ask(cli, "DELETE", "/api/models/aliases/", argv[1], "", NULL, &a);

	(void)argc;
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("removed\n");
	return rc;
}

static int
models_update(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	const char *note;
	int rc = call(cli, "POST", "/api/catalog/update", NULL, PROBE_MS, &a);

	(void)argc, (void)argv;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	note = js_str(a.json, "note");
	if (note != NULL)
		return complain(EXIT_FAILED, "%s", note);
	printf("%lld models\n", (long long)js_i64(a.json, "models_count", 0));
	return EXIT_GOOD;
}

int
cmd_models(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "list", models_list, 0, SUB_PARSES }, { "show", models_show, 1, 1 }, { "aliases", models_aliases, 0, 0 },
		{ "alias", models_alias, 2, 2 }, { "unalias", models_unalias, 1, 1 }, { "update", models_update, 0, 0 },
	};

	return run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

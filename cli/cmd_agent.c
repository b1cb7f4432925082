/*
 * librefang agent: who there is, and all that can be done to one of them.
 *
 * Each word after "agent" is a row of a table; agents go by name or by id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { MANIFEST_MAX = 1 << 20, SETTING_MAX = 65536 };

static void
agent_row(struct table *t, struct json_object *g)
{
	char model[256];

	snprintf(model, sizeof(model), "%s/%s", js_str_or(g, "model_provider", "default"),
	    js_str_or(g, "model_name", "default"));
	table_cell(t, js_str_or(g, "name", ""));
	table_cell(t, js_str_or(g, "state", ""));
	table_cell(t, model);
	table_cell(t, js_str_or(g, "id", ""));
}

static int
agent_list(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "NAME", "STATE", "MODEL", "ID" };
	const char *text = option_value(&argc, argv, "--search"), *state = option_value(&argc, argv, "--state");
	SCOPED_BUF target = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct json_object *items;
	struct table t;
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc > 1)
		return usage("agent list: what is \"%s\"?", argv[1]);
	buf_str(&target, "/api/agents?limit=500");
	buf_parameter(&target, "q", text);
	buf_parameter(&target, "status", state);
	rc = call(cli, "GET", target.p, NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	items = items_of(a.json);
	table_begin(&t, 4, heads);
	for (size_t i = 0; i < js_len(items); i++)
		agent_row(&t, json_object_array_get_idx(items, i));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

int
agent_find(struct cli *cli, const char *who, char id[static 64])
{
	SCOPED_ANSWER a = { 0 };
	struct cli plain = *cli;
	struct json_object *items;
	char uuid[37];
	int rc;

	if (uuid_parse(who, uuid)) {
		snprintf(id, 64, "%s", uuid);
		return EXIT_GOOD;
	}
	plain.json = false;
	rc = call(&plain, "GET", "/api/agents?limit=500&include_hands=true", NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD)
		return rc;
	items = items_of(a.json);
	for (size_t i = 0; i < js_len(items); i++) {
		struct json_object *g = json_object_array_get_idx(items, i);
		const char *name = js_str_or(g, "name", ""), *its = js_str_or(g, "id", "");

		if (strcmp(name, who) == 0 && strlen(its) < 64) {
			snprintf(id, 64, "%s", its);
			return EXIT_GOOD;
		}
	}
	return complain(EXIT_REFUSED, "there is no agent \"%s\"", who);
}

/* VERB /api/agents/ID<more> for the agent of that name. */
static int
agent_call(struct cli *cli, const char *verb, const char *who, const char *more, const char *body, struct answer *a)
{
	char id[64];
	int rc = agent_find(cli, who, id);

	return rc != EXIT_GOOD ? rc : callf(cli, verb, body, a, "/api/agents/%s%s", id, more);
}

static int
agent_show(struct cli *cli, int argc, char **argv)
{
	static const char *const plain[] = { "name", "id", "state", "mode", "description", "created_at", "last_active",
		"session_id", "schedule", "source_template" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *model;
	struct table t;
	int rc = agent_call(cli, "GET", argv[1], "", NULL, &a);

	(void)argc;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	model = js_obj(a.json, "model");
	table_begin(&t, 2, NULL);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		table_pair(&t, plain[i], js_str_or(a.json, plain[i], "-"));
	table_pair(&t, "provider", js_str_or(model, "provider", "-"));
	table_pair(&t, "model", js_str_or(model, "model", "-"));
	table_list(&t, "tools", js_arr(js_obj(a.json, "capabilities"), "tools"));
	table_list(&t, "tags", js_arr(a.json, "tags"));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

/* --- made --------------------------------------------------------------------------- */

static int
agent_make(struct cli *cli, const char *body)
{
	SCOPED_ANSWER a = { 0 };
	int rc = call(cli, "POST", "/api/agents", body, QUICK_MS, &a);

	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf(cli->tty ? "Agent %s runs, id %s\n" : "%s\t%s\n", js_str_or(a.json, "name", ""),
		    js_str_or(a.json, "agent_id", ""));
	return rc;
}

static int
agent_spawn(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF text = BUF_INIT(MANIFEST_MAX);
	SCOPED_BUF body = BUF_INIT(MANIFEST_MAX * 6 + 64);
	enum err e = buf_read_file(&text, argv[1]);

	(void)argc;
	if (e != ERR_OK)
		return complain(e == ERR_NOT_FOUND ? EXIT_REFUSED : EXIT_FAILED, "%s: %s", argv[1],
		    e == ERR_NOT_FOUND ? "there is no such file" :
		    e == ERR_TOO_LARGE ? "longer than 1 MiB" : "cannot be read");
	if (!utf8_ok(text.p, text.len))
		return complain(EXIT_FAILED, "%s: not UTF-8 text", argv[1]);
	buf_str(&body, "{\"manifest_toml\":");
	json_quote(&body, text.p, text.len);
	buf_str(&body, "}");
	return body.failed ? complain(EXIT_FAILED, "no memory") : agent_make(cli, body.p);
}

static int
agent_new(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(SETTING_MAX);
	struct jw w = JW_INIT(&body);
	const char *name = option_value(&argc, argv, "--name");
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc != 2)
		return usage("agent new: the name of a template is expected");
	rc = only_text(argv[1], name);
	if (rc != EXIT_GOOD)
		return rc;
	jw_object(&w, NULL);
	jw_str(&w, "template", argv[1]);
	if (name != NULL)
		jw_str(&w, "name", name);
	jw_end(&w);
	return body.failed ? complain(EXIT_FAILED, "that is too long") : agent_make(cli, body.p);
}

static int
agent_clone(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(SETTING_MAX);
	SCOPED_ANSWER a = { 0 };
	struct jw w = JW_INIT(&body);
	int rc = only_text(argv[1], argv[2]);

	(void)argc;
	if (rc != EXIT_GOOD)
		return rc;
	jw_object(&w, NULL);
	jw_str(&w, "new_name", argv[2]);
	jw_end(&w);
	if (body.failed)
		return complain(EXIT_FAILED, "that is too long");
	rc = agent_call(cli, "POST", argv[1], "/clone", body.p, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\t%s\n", js_str_or(a.json, "name", ""), js_str_or(a.json, "agent_id", ""));
	return rc;
}

/* --- changed ------------------------------------------------------------------------ */

/* What is a number in agent.toml goes as one. */
static bool
is_number(const char *key)
{
	static const char *const numbers[] = { "max_tokens", "temperature", "top_p", "frequency_penalty",
		"presence_penalty", "context_window", "max_output_tokens" };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i], key) == 0)
			return true;
	return false;
}

static int
agent_set(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(SETTING_MAX * 6 + 512);
	SCOPED_ANSWER a = { 0 };
	const char *key = argv[2], *value = argv[3];
	struct jw w = JW_INIT(&body);
	bool mode = strcmp(key, "mode") == 0;
	int rc = only_text(key, value);

	(void)argc;
	if (rc != EXIT_GOOD)
		return rc;
	jw_object(&w, NULL);
	if (is_number(key) && json_check(value, strlen(value), 1, NULL) == ERR_OK)
		jw_raw(&w, key, value, strlen(value));
	else
		jw_str(&w, key, value);
	jw_end(&w);
	if (body.failed)
		return complain(EXIT_FAILED, "the value is too long");
	rc = agent_call(cli, mode ? "PUT" : "PATCH", argv[1], mode ? "/mode" : "/config", body.p, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "status", "ok"));
	return rc;
}

/* What needs no more than a verb and a path; prints what became of it. */
static int
agent_do(struct cli *cli, const char *verb, const char *who, const char *more)
{
	SCOPED_ANSWER a = { 0 };
	int rc = agent_call(cli, verb, who, more, NULL, &a);

	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "message", js_str_or(a.json, "status", "ok")));
	return rc;
}

#define AGENT_DO(fn, verb, more) \
	static int \
	fn(struct cli *cli, int argc, char **argv) \
	{ \
		(void)argc; \
		return agent_do(cli, verb, argv[1], more); \
	}

AGENT_DO(agent_stop, "POST", "/stop")
AGENT_DO(agent_suspend, "PUT", "/suspend")
AGENT_DO(agent_resume, "PUT", "/resume")
AGENT_DO(agent_reload, "POST", "/reload")
AGENT_DO(agent_kill, "DELETE", "?confirm=true")

/* --- looked at ---------------------------------------------------------------------- */

static int
agent_traces(struct cli *cli, int argc, char **argv)
{
	static const char *const heads[] = { "WHEN", "TOOL", "MS", "RESULT" };
	SCOPED_ANSWER a = { 0 };
	struct json_object *items;
	struct table t;
	int rc = agent_call(cli, "GET", argv[1], "/traces", NULL, &a);

	(void)argc;
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	items = js_arr(a.json, "traces");
	table_begin(&t, 4, heads);
	for (size_t i = 0; i < js_len(items); i++) {
		struct json_object *g = json_object_array_get_idx(items, i);
		char ms[24];

		snprintf(ms, sizeof(ms), "%lld", (long long)js_i64(g, "execution_ms", 0));
		table_cell(&t, js_str_or(g, "timestamp", ""));
		table_cell(&t, js_str_or(g, "tool_name", ""));
		table_cell(&t, ms);
		table_cell(&t, js_str_or(g, "output_summary", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

int
cmd_agent(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "list", agent_list, 0, SUB_PARSES },
		{ "show", agent_show, 1, 1 },
		{ "new", agent_new, 0, SUB_PARSES },
		{ "spawn", agent_spawn, 1, 1 },
		{ "clone", agent_clone, 2, 2 },
		{ "set", agent_set, 3, 3 },
		{ "stop", agent_stop, 1, 1 },
		{ "suspend", agent_suspend, 1, 1 },
		{ "resume", agent_resume, 1, 1 },
		{ "reload", agent_reload, 1, 1 },
		{ "traces", agent_traces, 1, 1 },
		{ "kill", agent_kill, 1, 1 },
	};

	return run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

/*
 * librefang sessions: the conversations of all agents, and of one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { EXPORT_MAX = 8 << 20 };

/* --- lists --------------------------------------------------------------------------- */

static void
row(struct table *t, struct json_object *s)
{
	char n[24];

	snprintf(n, sizeof(n), "%lld", (long long)js_i64(s, "message_count", 0));
	table_cell(t, js_str_or(s, "session_id", ""));
	table_cell(t, js_str_or(s, "created_at", ""));
	table_cell(t, n);
	table_cell(t, js_bool(s, "active", false) ? "runs" : js_bool(s, "is_canonical", false) ? "current" : "-");
	table_cell(t, js_str_or(s, "label", "-"));
}

static int
print_list(struct cli *cli, const struct answer *a)
{
	static const char *const heads[] = { "ID", "BEGUN", "MESSAGES", "STATE", "LABEL" };
	struct json_object *items = js_arr(a->json, "sessions");
	struct table t;

	if (print_raw(cli, a))
		return EXIT_GOOD;
	if (items == NULL)
		items = items_of(a->json);
	table_begin(&t, 5, heads);
	for (size_t i = 0; i < js_len(items); i++)
		row(&t, json_object_array_get_idx(items, i));
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

/* Those in which something was said, the best match first. */
static int
search(struct cli *cli, const char *text)
{
	static const char *const heads[] = { "ID", "STATE", "WORDS" };
	SCOPED_BUF target = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct json_object *items;
	struct table t;
	int rc;

	buf_str(&target, "/api/sessions/search");
	buf_parameter(&target, "q", text);
	if (target.failed)
		return complain(EXIT_FAILED, "that is too long");
	rc = call(cli, "GET", target.p, NULL, QUICK_MS, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	items = items_of(a.json);
	table_begin(&t, 3, heads);
	for (size_t i = 0; i < js_len(items); i++) {
		struct json_object *s = json_object_array_get_idx(items, i);

		table_cell(&t, js_str_or(s, "session_id", ""));
		table_cell(&t, js_bool(s, "active", false) ? "runs" : "-");
		table_cell(&t, js_str_or(s, "snippet", ""));
	}
	table_print(&t, cli->tty);
	return EXIT_GOOD;
}

static int
list(struct cli *cli, int argc, char **argv)
{
	const char *who = option_value(&argc, argv, "--agent"), *text = option_value(&argc, argv, "--search"),
	    *count = option_value(&argc, argv, "-n");
	SCOPED_BUF target = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	char id[64];
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc > 1)
		return usage("sessions list: what is \"%s\"?", argv[1]);
	if ((who != NULL) + (text != NULL) + (count != NULL) > 1)
		return usage("sessions list: one of --agent, --search and -n is expected");
	if (text != NULL)
		return search(cli, text);
	if (who != NULL) {
		rc = agent_find(cli, who, id);
		if (rc == EXIT_GOOD)
			rc = callf(cli, "GET", NULL, &a, "/api/agents/%s/sessions", id);
		return rc != EXIT_GOOD ? rc : print_list(cli, &a);
	}
	buf_str(&target, "/api/sessions");
	buf_parameter(&target, "limit", count != NULL ? count : "50");
	rc = call(cli, "GET", target.p, NULL, QUICK_MS, &a);
	return rc != EXIT_GOOD ? rc : print_list(cli, &a);
}

/* --- one of them ----------------------------------------------------------------------- */

/* The session and, for rows that want both, its agent. */
static int
find(struct cli *cli, const char *id, char session[static 37], char agent[static 37])
{
	SCOPED_ANSWER a = { 0 };
	struct cli plain = *cli;
	int rc;

	if (!uuid_parse(id, session))
		return complain(EXIT_REFUSED, "\"%s\" is no id of a session", id);
	plain.json = false;
	rc = callf(&plain, "GET", NULL, &a, "/api/sessions/%s", session);
	if (rc == EXIT_GOOD && !uuid_parse(js_str_or(a.json, "agent_id", ""), agent))
		return complain(EXIT_FAILED, "the answer names no agent");
	return rc;
}

static void
print_message(struct json_object *m)
{
	struct json_object *content = js_get(m, "content");
	const char *role = js_str_or(m, "role", "?");

	for (size_t i = 0; json_object_is_type(content, json_type_array) && i < js_len(content); i++) {
		struct json_object *b = json_object_array_get_idx(content, i);
		const char *text = js_str(b, "text"), *name = js_str(b, "name");

		if (text == NULL && name == NULL)
			continue;
		printf("%s: ", role);
		print_text(text != NULL ? text : name, strlen(text != NULL ? text : name));
		putchar('\n');
	}
	if (!json_object_is_type(content, json_type_string))
		return;
	printf("%s: ", role);
	print_text(json_object_get_string(content), (size_t)json_object_get_string_len(content));
	putchar('\n');
}

static int
show(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	struct json_object *messages;
	char id[37];
	int rc;

	(void)argc;
	if (!uuid_parse(argv[1], id))
		return complain(EXIT_REFUSED, "\"%s\" is no id of a session", argv[1]);
	rc = callf(cli, "GET", NULL, &a, "/api/sessions/%s", id);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	messages = js_arr(a.json, "messages");
	for (size_t i = 0; i < js_len(messages); i++)
		print_message(json_object_array_get_idx(messages, i));
	return EXIT_GOOD;
}

static int
begin(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct jw w = JW_INIT(&body);
	const char *label = option_value(&argc, argv, "--label");
	char id[64];
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc != 2)
		return usage("sessions new: the name of an agent is expected");
	rc = only_text(label, NULL);
	if (rc == EXIT_GOOD)
		rc = agent_find(cli, argv[1], id);
	if (rc != EXIT_GOOD)
		return rc;
	jw_object(&w, NULL);
	if (label != NULL)
		jw_str(&w, "label", label);
	jw_end(&w);
	if (body.failed)
		return complain(EXIT_FAILED, "that is too long");
	rc = callf(cli, "POST", body.p, &a, "/api/agents/%s/sessions", id);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "session_id", ""));
	return rc;
}

static int
label(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF body = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct jw w = JW_INIT(&body);
	char id[37];
	int rc = only_text(argv[2], NULL);

	(void)argc;
	if (rc != EXIT_GOOD)
		return rc;
	if (!uuid_parse(argv[1], id))
		return complain(EXIT_REFUSED, "\"%s\" is no id of a session", argv[1]);
	jw_object(&w, NULL);
	jw_str(&w, "label", argv[2][0] != '\0' ? argv[2] : NULL);
	jw_end(&w);
	if (body.failed)
		return complain(EXIT_FAILED, "that is too long");
	rc = callf(cli, "PUT", body.p, &a, "/api/sessions/%s/label", id);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "status", "updated"));
	return rc;
}

/* POST /api/agents/AGENT/sessions/SESSION/<more> */
static int
post(struct cli *cli, const char *which, const char *more)
{
	SCOPED_ANSWER a = { 0 };
	char session[37], agent[37];
	int rc = find(cli, which, session, agent);

	if (rc == EXIT_GOOD)
		rc = callf(cli, "POST", NULL, &a, "/api/agents/%s/sessions/%s/%s", agent, session, more);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "message", js_bool(a.json, "stopped", true) ? "Done" : "Nothing runs there"));
	return rc;
}

static int
go_to(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	return post(cli, argv[1], "switch");
}

static int
stop(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	return post(cli, argv[1], "stop");
}

static int
drop(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	char session[37], agent[37];
	int rc = find(cli, argv[1], session, agent);

	(void)argc;
	return rc != EXIT_GOOD ? rc : callf(cli, "DELETE", NULL, &a, "/api/sessions/%s", session);
}

/* --- out and in ------------------------------------------------------------------------ */

static int
take_out(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	struct cli raw = *cli;
	char session[37], agent[37];
	int rc = find(cli, argv[1], session, agent);

	(void)argc;
	raw.json = true;
	if (rc == EXIT_GOOD)
		rc = callf(cli, "GET", NULL, &a, "/api/agents/%s/sessions/%s/export", agent, session);
	if (rc == EXIT_GOOD)
		print_raw(&raw, &a);
	return rc;
}

static int
bring_in(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF text = BUF_INIT(EXPORT_MAX);
	SCOPED_ANSWER a = { 0 };
	char id[64];
	enum err e = buf_read_file(&text, argv[2]);
	int rc;

	(void)argc;
	if (e != ERR_OK)
		return complain(e == ERR_NOT_FOUND ? EXIT_REFUSED : EXIT_FAILED, "%s: %s", argv[2],
		    e == ERR_NOT_FOUND ? "there is no such file" :
		    e == ERR_TOO_LARGE ? "longer than 8 MiB" : "cannot be read");
	if (json_check(text.p, text.len, JSON_DEPTH_MAX, NULL) != ERR_OK)
		return complain(EXIT_FAILED, "%s: not an export of a session", argv[2]);
	rc = agent_find(cli, argv[1], id);
	if (rc == EXIT_GOOD)
		rc = callf(cli, "POST", text.p, &a, "/api/agents/%s/sessions/import", id);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "session_id", ""));
	return rc;
}

int
cmd_sessions(struct cli *cli, int argc, char **argv)
{
	static const struct subcommand verbs[] = {
		{ "list", list, 0, SUB_PARSES },
		{ "show", show, 1, 1 },
		{ "new", begin, 0, SUB_PARSES },
		{ "switch", go_to, 1, 1 },
		{ "label", label, 2, 2 },
		{ "stop", stop, 1, 1 },
		{ "export", take_out, 1, 1 },
		{ "import", bring_in, 2, 2 },
		{ "delete", drop, 1, 1 },
	};

	/* without a verb: the list */
	if (argc < 2 || argv[1][0] == '-')
		return list(cli, argc, argv);
	return run_subcommand(cli, verbs, ARRAY_LEN(verbs), argc, argv);
}

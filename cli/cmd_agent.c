/*
 * agent list, spawn, kill; message; chat; openapi: what asks the API.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { MANIFEST_MAX = 1 << 20, MESSAGE_MAX = 262144, LINE_MAX_BYTES = 65536 };

/* The list is a page with "items", or, from older servers, the bare array. */
static struct json_object *
items_of(struct json_object *j)
{
	return json_object_is_type(j, json_type_array) ? j : js_arr(j, "items");
}

static size_t
length(struct json_object *a)
{
	return a != NULL ? json_object_array_length(a) : 0;
}

/* --- agents -------------------------------------------------------------------------- */

static int
agent_list(struct cli *cli)
{
	static const char *const heads[] = { "NAME", "STATE", "MODEL", "ID" };
	SCOPED_ANSWER a = { 0 };
	int rc = call(cli, "GET", "/api/agents?limit=500", NULL, QUICK_MS, &a);
	struct json_object *items;
	struct table t;

	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	items = items_of(a.json);
	table_begin(&t, 4, heads);
	for (size_t i = 0; i < length(items); i++) {
		struct json_object *g = json_object_array_get_idx(items, i);
		char model[256];

		snprintf(model, sizeof(model), "%s/%s", js_str_or(g, "model_provider", "default"),
		    js_str_or(g, "model_name", "default"));
		table_cell(&t, js_str_or(g, "name", ""));
		table_cell(&t, js_str_or(g, "state", ""));
		table_cell(&t, model);
		table_cell(&t, js_str_or(g, "id", ""));
	}
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
	for (size_t i = 0; i < length(items); i++) {
		struct json_object *g = json_object_array_get_idx(items, i);
		const char *name = js_str_or(g, "name", ""), *its = js_str_or(g, "id", "");

		if (strcmp(name, who) == 0 && strlen(its) < 64) {
			snprintf(id, 64, "%s", its);
			return EXIT_GOOD;
		}
	}
	return complain(EXIT_REFUSED, "there is no agent \"%s\"", who);
}

static int
agent_spawn(struct cli *cli, const char *file)
{
	SCOPED_BUF text = BUF_INIT(MANIFEST_MAX);
	SCOPED_BUF body = BUF_INIT(MANIFEST_MAX * 6 + 64);
	SCOPED_ANSWER a = { 0 };
	enum err e = buf_read_file(&text, file);
	int rc;

	if (e != ERR_OK)
		return complain(e == ERR_NOT_FOUND ? EXIT_REFUSED : EXIT_FAILED, "%s: %s", file,
		    e == ERR_NOT_FOUND ? "there is no such file" :
		    e == ERR_TOO_LARGE ? "longer than 1 MiB" : "cannot be read");
	if (!utf8_ok(text.p, text.len))
		return complain(EXIT_FAILED, "%s: not UTF-8 text", file);
	buf_str(&body, "{\"manifest_toml\":");
	json_quote(&body, text.p, text.len);
	buf_str(&body, "}");
	if (body.failed)
		return complain(EXIT_FAILED, "no memory");
	rc = call(cli, "POST", "/api/agents", body.p, QUICK_MS, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf(cli->tty ? "Agent %s runs, id %s\n" : "%s\t%s\n", js_str_or(a.json, "name", ""),
		    js_str_or(a.json, "agent_id", ""));
	return rc;
}

static int
agent_kill(struct cli *cli, const char *who)
{
	SCOPED_BUF target = BUF_INIT(1024);
	SCOPED_ANSWER a = { 0 };
	char id[64];
	int rc = agent_find(cli, who, id);

	if (rc != EXIT_GOOD)
		return rc;
	buf_str(&target, "/api/agents/");
	buf_segment(&target, id);
	buf_str(&target, "?confirm=true");
	rc = call(cli, "DELETE", target.p, NULL, QUICK_MS, &a);
	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", js_str_or(a.json, "status", "killed"));
	return rc;
}

int
cmd_agent(struct cli *cli, int argc, char **argv)
{
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return agent_list(cli);
	if (argc == 3 && strcmp(argv[1], "spawn") == 0)
		return agent_spawn(cli, argv[2]);
	if (argc == 3 && strcmp(argv[1], "kill") == 0)
		return agent_kill(cli, argv[2]);
	return usage("agent: list, spawn FILE or kill NAME is expected");
}

/* --- message and chat ------------------------------------------------------------------- */

static int
message_body(struct buf *body, struct buf *target, const char *id, const char *text, size_t n,
    const char *more)
{
	if (!utf8_ok(text, n))
		return complain(EXIT_FAILED, "the message is not UTF-8 text");
	buf_str(body, "{\"message\":");
	json_quote(body, text, n);
	buf_str(body, "}");
	buf_str(target, "/api/agents/");
	buf_segment(target, id);
	buf_str(target, more);
	return body->failed || target->failed ? complain(EXIT_FAILED, "the message is too long") : EXIT_GOOD;
}

static int
say(struct cli *cli, const char *id, const char *text, size_t n)
{
	SCOPED_BUF body = BUF_INIT(MESSAGE_MAX * 6 + 64);
	SCOPED_BUF target = BUF_INIT(1024);
	SCOPED_ANSWER a = { 0 };
	const char *answer;
	int rc = message_body(&body, &target, id, text, n, "/message");

	if (rc == EXIT_GOOD)
		rc = call(cli, "POST", target.p, body.p, SLOW, &a);
	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	answer = js_str_or(a.json, "response", "");
	if (cli->tty)
		print_text(answer, strlen(answer));
	else
		fputs(answer, stdout);
	putchar('\n');
	return EXIT_GOOD;
}

static int
read_stdin(struct buf *b)
{
	char part[16384];
	ssize_t n;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(b, part, (size_t)n);
	while (b->len > 0 && b->p[b->len - 1] == '\n')
		b->p[--b->len] = '\0';
	return b->failed ? complain(EXIT_FAILED, "the message is too long") : EXIT_GOOD;
}

int
cmd_message(struct cli *cli, int argc, char **argv)
{
	SCOPED_BUF in = BUF_INIT(MESSAGE_MAX);
	const char *who = option_value(&argc, argv, "--agent");
	char id[64];
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc != 2)
		return usage("message: one text is expected (quote it, or - for standard input)");
	if (strcmp(argv[1], "-") == 0)
		rc = read_stdin(&in);
	else
		buf_str(&in, argv[1]);
	if (rc != EXIT_GOOD)
		return rc;
	if (in.failed || in.len == 0)
		return usage("message: the text is %s", in.failed ? "too long" : "empty");
	rc = agent_find(cli, who != NULL ? who : "assistant", id);
	return rc != EXIT_GOOD ? rc : say(cli, id, in.p, in.len);
}

struct chat { struct cli *cli; bool done, broken, at_line_start; };

static bool
chat_event(void *arg, const char *event, const char *data, size_t n)
{
	struct chat *ch = arg;
	struct json_object *j;
	const char *text, *tool;

	if (ch->cli->json) {
		printf("%.*s\n", (int)n, data);
		fflush(stdout);
		ch->done = ch->done || strcmp(event, "done") == 0;
		return true;
	}
	j = json_check(data, n, JSON_DEPTH_MAX * 2, NULL) == ERR_OK ? json_tokener_parse(data) : NULL;
	text = js_str(j, "content");
	tool = js_str(j, "tool");
	if (text != NULL && text[0] != '\0') {
		print_text(text, strlen(text));
		ch->at_line_start = text[strlen(text) - 1] == '\n';
	} else if (tool != NULL && strcmp(event, "tool_use") == 0 && ch->cli->tty) {
		printf("%s[%.100s]\n", ch->at_line_start ? "" : "\n", tool);
		ch->at_line_start = true;
	}
	ch->broken = ch->broken || (strcmp(event, "phase") == 0 &&
	    strcmp(js_str_or(j, "phase", ""), "error") == 0);
	ch->done = ch->done || js_bool(j, "done", false);
	json_object_put(j);
	fflush(stdout);
	return true;
}

static int
chat_line(struct cli *cli, const char *id, const char *text)
{
	SCOPED_BUF body = BUF_INIT(MESSAGE_MAX * 6 + 64);
	SCOPED_BUF target = BUF_INIT(1024);
	struct chat ch = { .cli = cli, .at_line_start = true };
	int rc = message_body(&body, &target, id, text, strlen(text), "/message/stream");

	if (rc == EXIT_GOOD)
		rc = call_stream(cli, target.p, body.p, chat_event, &ch);
	if (!ch.at_line_start && !cli->json)
		putchar('\n');
	if (rc == EXIT_GOOD && (ch.broken || !ch.done))
		return complain(EXIT_FAILED, "the turn failed; the log says why");
	return rc;
}

/* 1: a command of the chat was done; 0: it is a message; -1: leave. */
static int
chat_command(const char *line)
{
	if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0)
		return -1;
	if (strcmp(line, "/help") != 0)
		return 0;
	printf("/exit leaves. Everything else is said to the agent.\n");
	return 1;
}

int
cmd_chat(struct cli *cli, int argc, char **argv)
{
	bool talk = cli->tty && isatty(STDIN_FILENO) && !cli->json;
	int rc = only_words(&argc, argv), last = EXIT_GOOD;
	char *line = NULL, id[64];
	size_t cap = 0;
	ssize_t n;

	if (rc != EXIT_GOOD)
		return rc;
	if (argc > 2)
		return usage("chat: one agent is expected");
	rc = agent_find(cli, argc == 2 ? argv[1] : "assistant", id);
	if (rc != EXIT_GOOD)
		return rc;
	for (;;) {
		if (talk)
			fputs("> ", stdout), fflush(stdout);
		n = getline(&line, &cap, stdin);
		if (n <= 0)
			break;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		rc = n == 0 ? 1 : chat_command(line);
		if (rc < 0)
			break;
		if (rc == 0)
			last = chat_line(cli, id, line);
		if (last == EXIT_DOWN)
			break;
	}
	free(line);
	if (talk && n <= 0)
		putchar('\n');
	return last;
}

int
cmd_openapi(struct cli *cli, int argc, char **argv)
{
	SCOPED_ANSWER a = { 0 };
	struct cli raw = *cli;
	int rc = only_words(&argc, argv);

	if (rc == EXIT_GOOD && argc > 1)
		return usage("openapi: what is \"%s\"?", argv[1]);
	if (rc == EXIT_GOOD)
		rc = call(cli, "GET", "/api/openapi.json", NULL, QUICK_MS, &a);
	raw.json = true;
	if (rc == EXIT_GOOD)
		print_raw(&raw, &a);
	return rc;
}

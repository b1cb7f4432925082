/*
 * librefang chat: talk, line by line.
 *
 * A line is said to the agent, or is a command when it begins with "/". While an answer comes, an
 * interrupt (^C) cancels the turn instead of ending the chat.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/line.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

struct chat {
	struct cli *cli;
	char id[64];                    /* of the agent */
	bool talk;                      /* with a person */
	bool over;                      /* /exit */
	bool done, broken, at_line_start;       /* of the turn */
};

/* --- a turn ------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* In the middle of an answer: whoever waits for it wants no more of it. */
static void
cancel(void *arg)
{
	struct chat *ch = arg;
	struct cli quiet = *ch->cli;
	SCOPED_ANSWER a = { 0 };

	if (!interrupted)
		return;
	interrupted = 0;
	quiet.json = false;
	if (callf(&quiet, "POST", NULL, &a, "/api/agents/%s/stop", ch->id) != EXIT_GOOD)
		return;                 /* it has said what went wrong */
}

static bool
on_event(void *arg, const char *event, const char *data, size_t n)
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
	j = json_check(data, n, JSON_DEPTH_MAX * 2, NULL) == ERR_OK ? json_parse(data, n) : NULL;
	text = js_str(j, "content");
	tool = js_str(j, "tool");
	if (text != NULL && text[0] != '\0') {
		print_text(text, strlen(text));
		ch->at_line_start = text[strlen(text) - 1] == '\n';
	} else if (tool != NULL && strcmp(event, "tool_use") == 0 && ch->cli->tty) {
		printf("%s[", ch->at_line_start ? "" : "\n");
		print_text(tool, strnlen(tool, 100));
		printf("]\n");
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
say(struct chat *ch, const char *text)
{
	SCOPED_BUF body = BUF_INIT(MESSAGE_MAX * 6 + 64);
	SCOPED_BUF target = BUF_INIT(1024);
	struct stream to = { .on = on_event, .interrupt = ch->talk ? cancel : NULL, .arg = ch };
	struct sigaction old, ours = { .sa_handler = on_interrupt };
	int rc = message_body(&body, &target, ch->id, text, strlen(text), "/message/stream");

	if (rc != EXIT_GOOD)
		return rc;
	ch->done = ch->broken = false;
	ch->at_line_start = true;
	interrupted = 0;
	if (ch->talk)
		(void)sigaction(SIGINT, &ours, &old);   /* cannot fail with a signal that exists */
	rc = call_stream(ch->cli, target.p, body.p, &to);
	if (ch->talk)
		(void)sigaction(SIGINT, &old, NULL);
	if (!ch->at_line_start && !ch->cli->json)
		putchar('\n');
	if (rc == EXIT_GOOD && (ch->broken || !ch->done))
		return complain(EXIT_FAILED, "the turn ended without an answer; the log says why");
	return rc;
}

/* --- commands ------------------------------------------------------------------------ */

static int chat_help(struct chat *, const char *);

/* POST /api/agents/ID<more>; prints the sentence that comes back. */
static int
post(struct chat *ch, const char *more, const char *fallback)
{
	SCOPED_ANSWER a = { 0 };
	int rc = callf(ch->cli, "POST", NULL, &a, "/api/agents/%s%s", ch->id, more);

	if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
		printf("%s\n", js_str_or(a.json, "message", fallback));
	return rc;
}

static int
chat_new(struct chat *ch, const char *label)
{
	SCOPED_BUF body = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct jw w = JW_INIT(&body);
	int rc;

	jw_object(&w, NULL);
	if (label[0] != '\0')
		jw_str(&w, "label", label);
	jw_end(&w);
	rc = callf(ch->cli, "POST", body.failed ? "{}" : body.p, &a, "/api/agents/%s/sessions", ch->id);
	if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
		printf("New session %s.\n", js_str_or(a.json, "session_id", ""));
	return rc;
}

static int
chat_reset(struct chat *ch, const char *rest)
{
	(void)rest;
	return post(ch, "/session/reset", "The session begins anew.");
}

static int
chat_compact(struct chat *ch, const char *rest)
{
	(void)rest;
	return post(ch, "/session/compact", "Done.");
}

static int
chat_stop(struct chat *ch, const char *rest)
{
	(void)rest;
	return post(ch, "/stop", "Done.");
}

static int
chat_model(struct chat *ch, const char *name)
{
	SCOPED_BUF body = BUF_INIT(8192);
	SCOPED_ANSWER a = { 0 };
	struct jw w = JW_INIT(&body);
	int rc;

	if (name[0] == '\0') {
		rc = callf(ch->cli, "GET", NULL, &a, "/api/agents/%s", ch->id);
		if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
			printf("%s/%s\n", js_str_or(js_obj(a.json, "model"), "provider", ""),
			    js_str_or(js_obj(a.json, "model"), "model", ""));
		return rc;
	}
	jw_object(&w, NULL);
	jw_str(&w, "model", name);
	jw_end(&w);
	rc = callf(ch->cli, "PUT", body.failed ? "{}" : body.p, &a, "/api/agents/%s/model", ch->id);
	if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
		printf("%s/%s\n", js_str_or(a.json, "provider", ""), js_str_or(a.json, "model", name));
	return rc;
}

static int
chat_context(struct chat *ch, const char *rest)
{
	SCOPED_ANSWER a = { 0 };
	int rc = callf(ch->cli, "GET", NULL, &a, "/api/agents/%s/session/context", ch->id);

	(void)rest;
	if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
		printf("%lld of %lld tokens (%.1f %%), pressure %s\n", (long long)js_i64(a.json, "used_tokens", 0),
		    (long long)js_i64(a.json, "max_context_tokens", 0), js_f64(a.json, "pct", 0),
		    js_str_or(a.json, "pressure", "?"));
	return rc;
}

static int
chat_usage(struct chat *ch, const char *rest)
{
	SCOPED_ANSWER a = { 0 }, s = { 0 };
	int rc = callf(ch->cli, "GET", NULL, &a, "/api/agents/%s/session", ch->id);

	(void)rest;
	if (rc == EXIT_GOOD)
		rc = callf(ch->cli, "GET", NULL, &s, "/api/sessions/%s", js_str_or(a.json, "session_id", ""));
	if (rc == EXIT_GOOD && !print_raw(ch->cli, &s))
		printf("%lld messages, %lld tokens, $%.4f\n", (long long)js_i64(s.json, "message_count", 0),
		    (long long)js_i64(s.json, "total_tokens", 0), js_f64(s.json, "cost_usd", 0));
	return rc;
}

static int
chat_sessions(struct chat *ch, const char *rest)
{
	char *words[] = { (char[]){ "sessions" }, (char[]){ "--agent" }, ch->id, NULL };

	(void)rest;
	return cmd_sessions(ch->cli, 3, words);
}

static int
chat_switch(struct chat *ch, const char *session)
{
	SCOPED_ANSWER a = { 0 };
	char id[37];
	int rc;

	if (!uuid_parse(session, id))
		return complain(EXIT_USAGE, "/switch: the id of a session is expected; /sessions lists them");
	rc = callf(ch->cli, "POST", NULL, &a, "/api/agents/%s/sessions/%s/switch", ch->id, id);
	if (rc == EXIT_GOOD && !print_raw(ch->cli, &a))
		printf("%s\n", js_str_or(a.json, "message", "Done."));
	return rc;
}

static int
chat_agent(struct chat *ch, const char *who)
{
	char id[64];
	int rc = who[0] == '\0' ? complain(EXIT_USAGE, "/agent: a name is expected") : agent_find(ch->cli, who, id);

	if (rc != EXIT_GOOD)
		return rc;
	memcpy(ch->id, id, sizeof(id));
	if (!ch->cli->json)
		printf("You talk to %s.\n", who);
	return EXIT_GOOD;
}

static int
chat_clear(struct chat *ch, const char *rest)
{
	(void)rest;
	if (ch->talk)
		fputs("\033[H\033[2J", stdout);
	return EXIT_GOOD;
}

static int
chat_exit(struct chat *ch, const char *rest)
{
	(void)rest;
	ch->over = true;
	return EXIT_GOOD;
}

static const struct chat_command {
	const char *name, *args, *help;
	int (*run)(struct chat *, const char *rest);
} commands[] = {
	{ "/help", "", "this", chat_help },
	{ "/new", "[LABEL]", "begin a new session", chat_new },
	{ "/reset", "", "begin anew, with what mattered kept in memory", chat_reset },
	{ "/sessions", "", "the agent's sessions", chat_sessions },
	{ "/switch", "ID", "go on in another session", chat_switch },
	{ "/compact", "", "replace what was said first by a summary", chat_compact },
	{ "/context", "", "how full the model's window is", chat_context },
	{ "/usage", "", "what the session has cost", chat_usage },
	{ "/model", "[NAME]", "which model answers, or another one", chat_model },
	{ "/agent", "NAME", "talk to another agent", chat_agent },
	{ "/stop", "", "cancel what the agent does elsewhere", chat_stop },
	{ "/clear", "", "an empty screen", chat_clear },
	{ "/exit", "", "leaves the chat", chat_exit },
	{ "/quit", "", "leaves the chat", chat_exit },
};

static int
chat_help(struct chat *ch, const char *rest)
{
	(void)ch;
	(void)rest;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("%-9s %-8s %s\n", commands[i].name, commands[i].args, commands[i].help);
	printf("Everything else is said to the agent. A \"\\\" at the end of a line: it goes on in the next.\n");
	return EXIT_GOOD;
}

/* Is the line a command? Then *rc is what became of it. */
static bool
command(struct chat *ch, const char *line, int *rc)
{
	size_t n = strcspn(line, " \t\n");
	const char *rest = line + n + strspn(line + n, " \t\n");

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strncmp(commands[i].name, line, n) == 0 && commands[i].name[n] == '\0') {
			*rc = commands[i].run(ch, rest);
			return true;
		}
	return false;
}

static int
one_line(struct chat *ch, const char *line, int last)
{
	int rc = last;

	if (line[strspn(line, " \t\n")] == '\0')
		return last;
	if (line[0] == '/' && !utf8_ok(line, strlen(line)))
		return complain(EXIT_FAILED, "that is not UTF-8 text");
	return line[0] == '/' && command(ch, line, &rc) ? rc : say(ch, line);
}

static void
prepare(struct chat *ch)
{
	static const char *words[ARRAY_LEN(commands) + 1];
	static char history[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		words[i] = commands[i].name;
	snprintf(history, sizeof(history), "%s/chat_history", ch->cli->paths.home);
	line_open(history, words);
}

int
cmd_chat(struct cli *cli, int argc, char **argv)
{
	struct chat ch = { .cli = cli };
	int rc = only_words(&argc, argv), last = EXIT_GOOD;
	char *line;

	if (rc != EXIT_GOOD)
		return rc;
	if (argc > 2)
		return usage("chat: one agent is expected");
	ch.talk = cli->tty && isatty(STDIN_FILENO) && !cli->json;
	rc = agent_find(cli, argc == 2 ? argv[1] : "assistant", ch.id);
	if (rc != EXIT_GOOD)
		return rc;
	if (ch.talk && cli_locate(cli, false))
		prepare(&ch);
	while (!ch.over && last != EXIT_DOWN && (line = line_read(ch.talk ? "> " : "")) != NULL) {
		last = one_line(&ch, line, last);
		free(line);
	}
	if (ch.talk && !ch.over)
		putchar('\n');
	return last;
}

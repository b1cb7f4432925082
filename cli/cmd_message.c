/*
 * librefang message: one question, one answer. And the description of the API, as it comes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/json.h"

int
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
	if (argc == 3 && who == NULL) {         /* as LibreFang's command has it: AGENT TEXT */
		who = argv[1];
		argv++;
		argc--;
	}
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

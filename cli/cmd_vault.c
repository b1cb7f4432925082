/*
 * vault: secrets by name. Only the daemon opens the file, so all of it is asked of the daemon; a
 * secret comes from standard input or is typed unseen, and never stands among arguments.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { VALUE_MAX = 16384 };

bool
secret_line(const char *prompt, struct buf *out)
{
	bool typed = isatty(STDIN_FILENO) == 1;
	struct termios was, unseen;
	char ch;
	ssize_t n;

	if (typed) {
		fputs(prompt, stderr);
		fflush(stderr);
		typed = tcgetattr(STDIN_FILENO, &was) == 0;
		unseen = was;
		unseen.c_lflag &= ~(tcflag_t)ECHO;
		typed = typed && tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) == 0;
	}
	while ((n = read(STDIN_FILENO, &ch, 1)) == 1 && ch != '\n')
		buf_ch(out, ch);
	if (typed) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);        /* as it was before */
		fputc('\n', stderr);
	}
	while (out->len > 0 && (out->p[out->len - 1] == '\r' || out->p[out->len - 1] == ' '))
		out->p[--out->len] = '\0';
	return n >= 0 && !out->failed && out->len > 0;
}

int
secret_body(const char *member, const char *prompt, struct buf *body)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	int rc = EXIT_GOOD;

	if (!secret_line(prompt, &value))
		rc = complain(EXIT_USAGE, "a secret of one line is expected on standard input");
	else if (!utf8_ok(value.p, value.len))
		rc = complain(EXIT_USAGE, "the secret is not UTF-8 text");
	if (rc == EXIT_GOOD) {
		buf_printf(body, "{\"%s\":", member);
		json_quote(body, value.p, value.len);
		buf_str(body, "}");
	}
	buf_zero_done(&value);
	return rc == EXIT_GOOD && body->failed ? complain(EXIT_FAILED, "no memory") : rc;
}

static int
vault_words(struct cli *cli, const char *verb, const char *target, const char *body, const char *said)
{
	SCOPED_ANSWER a = { 0 };
	int rc = call(cli, verb, target, body, QUICK_MS, &a);

	if (rc == EXIT_GOOD && !print_raw(cli, &a))
		printf("%s\n", said);
	return rc;
}

static int
vault_list(struct cli *cli)
{
	SCOPED_ANSWER a = { 0 };
	struct json_object *names;
	int rc = call(cli, "GET", "/api/vault", NULL, QUICK_MS, &a);

	if (rc != EXIT_GOOD || print_raw(cli, &a))
		return rc;
	if (!js_bool(a.json, "exists", false))
		return complain(EXIT_REFUSED, "there is no vault yet; \"librefang vault set NAME\" makes one");
	names = js_arr(a.json, "names");
	for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++)
		printf("%s\n", json_object_get_string(json_object_array_get_idx(names, i)));
	return EXIT_GOOD;
}

static int
vault_named(struct cli *cli, const char *verb, const char *name)
{
	struct buf body = BUF_INIT(VALUE_MAX * 6 + 64);
	SCOPED_BUF target = BUF_INIT(1024);
	bool set = strcmp(verb, "PUT") == 0;
	int rc = set ? secret_body("value", "Secret: ", &body) : EXIT_GOOD;

	buf_str(&target, "/api/vault/");
	buf_segment(&target, name);
	if (rc == EXIT_GOOD && target.failed)
		rc = usage("vault: the name is too long");
	if (rc == EXIT_GOOD)
		rc = vault_words(cli, verb, target.p, set ? body.p : NULL, set ? "saved" : "removed");
	buf_zero_done(&body);
	return rc;
}

int
cmd_vault(struct cli *cli, int argc, char **argv)
{
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc == 2 && strcmp(argv[1], "init") == 0)
		return vault_words(cli, "POST", "/api/vault/init", NULL, "created");
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return vault_list(cli);
	if (argc == 2 && strcmp(argv[1], "rotate-key") == 0)
		return vault_words(cli, "POST", "/api/vault/rotate-key", NULL, "rotated");
	if (argc == 3 && strcmp(argv[1], "set") == 0)
		return vault_named(cli, "PUT", argv[2]);
	if (argc == 3 && strcmp(argv[1], "remove") == 0)
		return vault_named(cli, "DELETE", argv[2]);
	return usage("vault: init, list, set NAME, remove NAME or rotate-key is expected; the secret comes from standard input");
}

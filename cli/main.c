/*
 * librefang: the command.
 *
 * One table says what there is; help is printed from it. Global options may
 * stand anywhere before "--".
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "version.h"

#define SITE_ARGS "--server-name NAME [--cert FILE --key FILE | --plain] [--listen ADDRESS] [--access-log FILE]"

static const struct command {
	const char *name;
	command_fn run;
	const char *args, *help;
} commands[] = {
	{ "init", cmd_init, "", "make home, configuration and api_key" },
	{ "start", cmd_start, "[--listen HOST:PORT] [--workers N] [--foreground]", "start; prints the address" },
	{ "stop", cmd_stop, "", "stop, and wait until all is gone" },
	{ "restart", cmd_restart, "[options of start]", "stop and start" },
	{ "status", cmd_status, "", "what runs, and how it is" },
	{ "doctor", cmd_doctor, "", "check home, configuration, ports, programs, store, kernel" },
	{ "login", cmd_login, "", "print a link that signs a browser in, once, within 15 minutes" },
	{ "hash-password", cmd_hash_password, "", "the password of the dashboard's login, from standard input, as dashboard_pass_hash wants it" },
	{ "chat", cmd_chat, "[AGENT]", "talk, line by line; /help tells what else a line may be" },
	{ "message", cmd_message, "[AGENT] TEXT | TEXT --agent NAME", "one message; prints the answer (TEXT -: standard input)" },
	{ "agent", cmd_agent, "list [--search TEXT] [--state STATE] | show NAME | new TEMPLATE [--name NAME] | spawn FILE |\n"
	    "        clone NAME NEW | set NAME KEY VALUE | stop NAME | suspend NAME | resume NAME | reload NAME |\n"
	    "        traces NAME | kill NAME", "agents" },
	{ "sessions", cmd_sessions, "[list] [--agent NAME | --search TEXT | -n COUNT] | show ID | new NAME [--label TEXT] |\n"
	    "        switch ID | label ID TEXT | stop ID | export ID | import NAME FILE | delete ID",
	    "conversations" },
	{ "config", cmd_config, "show | get KEY | set KEY VALUE", "config.toml; KEY is a dotted path" },
	{ "models", cmd_models, "list [--provider ID] [--tier TIER] [--usable] | show MODEL | aliases | alias NAME MODEL |\n"
	    "        unalias NAME | update", "models that are known, and other names for them" },
	{ "provider", cmd_provider, "list | show ID | set-key ID | remove-key ID | url ID URL | test ID | default ID [MODEL] |\n"
	    "        enable ID", "where models come from; a key comes from standard input" },
	{ "vault", cmd_vault, "init | list | set NAME | remove NAME | rotate-key", "secrets; a value comes from standard input" },
	{ "usage", cmd_usage, "[summary | agents | models | days | export [FILE]]", "what was used, and what it cost; export: as CSV" },
	{ "budget", cmd_budget, "[show] [--agent NAME | --user NAME] | agents | providers | users |\n"
	    "        set [--agent NAME | --provider ID | --user NAME] [--hourly USD] [--daily USD] [--monthly USD]\n"
	    "        [--tokens N] [--alert SHARE] | clear [--agent NAME | --provider ID | --user NAME]",
	    "what may be spent; 0: no limit" },
	{ "nginx-conf", cmd_nginx_conf, SITE_ARGS, "print a site for this machine's nginx" },
	{ "apache-conf", cmd_apache_conf, SITE_ARGS, "the same for Apache" },
	{ "lighttpd-conf", cmd_lighttpd_conf, SITE_ARGS " [--cgi] [--script] [--script-file FILE]", "the same for lighttpd" },
	{ "backup", cmd_backup, "[FILE | DIR]", "all of the home as one file, also while it runs; prints its name" },
	{ "restore", cmd_restore, "FILE", "put a backup in place of what is there; not while it runs" },
	{ "logs", cmd_logs, "[-f] [-n LINES] [--access | --errors]", "what was written last; -f: and what comes" },
	{ "openapi", cmd_openapi, "", "the API's description (OpenAPI 3.1)" },
	{ "version", cmd_version, "", "this program's version" },
};

int
complain(int code, const char *fmt, ...)
{
	va_list ap;

	fputs("librefang: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

int
usage(const char *fmt, ...)
{
	va_list ap;

	fputs("librefang: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry \"librefang --help\".\n", stderr);
	return EXIT_USAGE;
}

static void
drop_args(int *argc, char **argv, int at, int n)
{
	for (int i = at; i + n <= *argc; i++)
		argv[i] = argv[i + n];
	*argc -= n;
}

const char *
option_value(int *argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		const char *v;

		if (strncmp(argv[i], name, n) != 0)
			continue;
		if (argv[i][n] == '=') {
			v = argv[i] + n + 1;
			drop_args(argc, argv, i, 1);
			return v;
		}
		if (argv[i][n] == '\0' && i + 1 < *argc) {
			v = argv[i + 1];
			drop_args(argc, argv, i, 2);
			return v;
		}
	}
	return NULL;
}

bool
option_flag(int *argc, char **argv, const char *name)
{
	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], name) == 0) {
			drop_args(argc, argv, i, 1);
			return true;
		}
	return false;
}

static void
help(const struct command *only)
{
	printf("Usage: librefang [--home DIR] [--json] COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (only == NULL || only == &commands[i])
			printf("  %s %s\n        %s\n", commands[i].name, commands[i].args, commands[i].help);
	printf("\n  --home DIR  instead of LIBREFANG_HOME or ~/.librefang\n"
	    "  --json      the answer as JSON\n"
	    "  --help      this; after a command, that command's\n"
	    "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 refused or not found\n");
}

bool
cli_locate(struct cli *cli, bool make)
{
	char msg[600];

	if (cli->located && !make)
		return true;
	if (settings_load(&cli->set, &cli->paths, cli->home, make, msg, sizeof(msg)) != ERR_OK) {
		complain(EXIT_FAILED, "%s", msg);
		return false;
	}
	cli->located = true;
	return true;
}

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int
only_words(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			drop_args(argc, argv, i, 1);
			break;
		}
		if (argv[i][0] == '-' && argv[i][1] == '-')
			return usage("%s: there is no option %s", argv[0], argv[i]);
	}
	return EXIT_GOOD;
}

int
cmd_version(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (cli->json)
		printf("{\"name\":\"librefang\",\"version\":\"%s\",\"git_sha\":\"%s\",\"build_date\":\"%s\"}\n",
		    LF_VERSION, LF_GIT_SHA, LF_BUILD_DATE);
	else
		printf("librefang %s (%s, %s)\n", LF_VERSION, LF_GIT_SHA, LF_BUILD_DATE);
	return EXIT_GOOD;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	const struct command *cmd = find(argv[1]);

	if (cmd == NULL)
		return usage("there is no command \"%s\"", argv[1]);
	return cmd->run(cli, argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
	struct cli cli = { .tty = isatty(STDOUT_FILENO) == 1 };
	bool asked;
	int rc;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	asked = option_flag(&argc, argv, "--help") || option_flag(&argc, argv, "-h");
	cli.json = option_flag(&argc, argv, "--json");
	cli.home = option_value(&argc, argv, "--home");
	if (option_flag(&argc, argv, "--version"))
		return cmd_version(&cli, argc, argv);
	if (asked || argc < 2) {
		help(argc > 1 ? find(argv[1]) : NULL);
		return asked ? EXIT_GOOD : EXIT_USAGE;
	}
	if (cli.home != NULL && cli.home[0] == '\0')
		return usage("--home needs a directory");
	rc = run(&cli, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			complain(EXIT_FAILED, "cannot write the answer");
		return rc != EXIT_GOOD ? rc : EXIT_FAILED;
	}
	return rc;
}

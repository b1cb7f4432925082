/*
 * Commands like "agent" and "sessions": their first word says what is to be done.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/json.h"

static int
none_such(const struct subcommand *v, size_t n, int argc, char **argv)
{
	SCOPED_BUF names = BUF_INIT(4096);

	for (size_t i = 0; i < n; i++)
		buf_printf(&names, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", v[i].name);
	return argc < 2 ? usage("%s: %s is expected", argv[0], names.p) :
	    usage("%s: \"%s\" is none of %s", argv[0], argv[1], names.p);
}

int
run_subcommand(struct cli *cli, const struct subcommand *verbs, size_t n, int argc, char **argv)
{
	const char *command = argv[0];

	for (size_t i = 0; i < n && argc > 1; i++) {
		const struct subcommand *v = &verbs[i];
		int words, rc;

		if (strcmp(v->name, argv[1]) != 0)
			continue;
		argc--;
		argv++;
		if (v->most == SUB_PARSES)
			return v->run(cli, argc, argv);
		rc = only_words(&argc, argv);
		words = argc - 1;
		if (rc == EXIT_GOOD && (words < v->least || words > v->most))
			return usage("%s %s: %s; \"librefang %s --help\" tells them", command, v->name,
			    words < v->least ? "a word is missing" : "there is a word too many", command);
		return rc != EXIT_GOOD ? rc : v->run(cli, argc, argv);
	}
	return none_such(verbs, n, argc, argv);
}

int
only_text(const char *one, const char *other)
{
	if ((one == NULL || utf8_ok(one, strlen(one))) && (other == NULL || utf8_ok(other, strlen(other))))
		return EXIT_GOOD;
	return complain(EXIT_FAILED, "that is not UTF-8 text");
}

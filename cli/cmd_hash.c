/*
 * hash-password: what dashboard_pass_hash holds, so that no file has the password. It needs no home and no server.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/util.h"

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 4096, PHC_MAX = 256 };

/* Typed twice, as nobody sees it. */
static int
read_password(struct buf *out)
{
	struct buf again = BUF_INIT(PASSWORD_MAX);
	int rc = EXIT_GOOD;

	if (!secret_line("Password: ", out) || !utf8_ok(out->p, out->len) || memchr(out->p, '\0', out->len) != NULL)
		rc = complain(EXIT_USAGE, "a password of one line of text is expected on standard input");
	else if (out->len < PASSWORD_MIN)
		rc = complain(EXIT_USAGE, "a password has at least %d characters", PASSWORD_MIN);
	else if (isatty(STDIN_FILENO) == 1 && (!secret_line("Again: ", &again) || again.len != out->len || memcmp(again.p, out->p, out->len) != 0))
		rc = complain(EXIT_USAGE, "these are two different ones");
	buf_zero_done(&again);
	return rc;
}

int
cmd_hash_password(struct cli *cli, int argc, char **argv)
{
	struct buf pass = BUF_INIT(PASSWORD_MAX);
	char hash[PHC_MAX];
	int rc;

	if (argc > 1)
		return usage("%s: the password comes from standard input, not from \"%s\"", argv[0], argv[1]);
	rc = read_password(&pass);
	if (rc == EXIT_GOOD && !argon2_make(pass.p, hash, sizeof(hash)))
		rc = complain(EXIT_FAILED, "no memory");
	buf_zero_done(&pass);
	if (rc == EXIT_GOOD)
		printf(cli->json ? "{\"dashboard_pass_hash\":\"%s\"}\n" : "%s\n", hash);
	return rc;
}

/*
 * login: a link for a browser. Whoever may write into the home is its owner, so
 * nothing has to be asked.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/login.h"

enum err
login_link(const struct run_paths *p, char *out, size_t cap)
{
	char url[400], token[65];
	enum err e;

	sup_url(p, url, sizeof(url));
	if (url[0] == '\0')
		return ERR_NOT_FOUND;
	if ((e = link_make(p->home, token)) != ERR_OK)
		return e;
	snprintf(out, cap, "%s/#link=%s", url, token);
	zero_bytes(token, sizeof(token));
	return ERR_OK;
}

int
cmd_login(struct cli *cli, int argc, char **argv)
{
	char link[512];

	if (argc > 1)
		return usage("%s: what is \"%s\"?", argv[0], argv[1]);
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	if (sup_running(&cli->paths) == 0)
		return complain(EXIT_DOWN, "LibreFang does not run here; start it first");
	if (login_link(&cli->paths, link, sizeof(link)) != ERR_OK)
		return complain(EXIT_FAILED, "no link can be made in %s/links", cli->paths.home);
	if (cli->json)
		printf("{\"url\":\"%s\",\"expires_in\":%d}\n", link, LINK_S);
	else
		printf("%s\n", link);
	zero_bytes(link, sizeof(link));
	return EXIT_GOOD;
}

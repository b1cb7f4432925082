/*
 * config show, get, set: config.toml, edited in place, with its comments.
 *
 * A change that would not load is taken back before anybody sees it; a running
 * supervisor is then asked to reload.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"
#include "lib/toml/toml.h"

enum { CONFIG_MAX = 8 << 20, SNAPSHOT_MAX = 16 << 20 };

/* Everything that is set, secrets redacted, as JSON. */
static int
config_show(struct cli *cli)
{
	SCOPED_BUF out = BUF_INIT(SNAPSHOT_MAX);
	struct config_over over = { 0 };
	struct config *cfg;
	char msg[600];

	if (config_file_snapshot(&cli->paths, &over, 0, &out, msg, sizeof(msg)) != ERR_OK)
		return complain(EXIT_FAILED, "%s", msg);
	if (config_load(out.p, out.len, &cfg) != ERR_OK)
		return complain(EXIT_FAILED, "the configuration could not be read");
	printf("%s\n", json_object_to_json_string_ext(cfg->raw, JSON_C_TO_STRING_NOSLASHESCAPE |
	    (cli->json ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED)));
	config_free(cfg);
	return EXIT_GOOD;
}

static int
config_get(struct cli *cli, const char *key)
{
	SCOPED_BUF out = BUF_INIT(CONFIG_MAX);
	char msg[600];
	enum err e = config_file_get(&cli->paths, key, &out, msg, sizeof(msg));
	struct json_object *j;

	if (e != ERR_OK)
		return complain(e == ERR_NOT_FOUND ? EXIT_REFUSED : EXIT_FAILED, "%s", msg);
	j = cli->json ? NULL : json_parse(out.p, out.len);
	if (json_object_is_type(j, json_type_string))
		printf("%s\n", json_object_get_string(j));
	else
		printf("%s\n", out.p);
	json_object_put(j);
	return EXIT_GOOD;
}

/* As a TOML value if it is one, else as a string. */
static enum err
set_value(struct cli *cli, const char *key, const char *value, char *msg, size_t cap)
{
	SCOPED_BUF quoted = BUF_INIT(CONFIG_MAX);
	enum err e;

	if (value[0] != '\0') {
		e = config_file_set(&cli->paths, key, value, msg, cap);
		if (e != ERR_INVALID && e != ERR_BAD_REQUEST)
			return e;
	}
	toml_quote(&quoted, value);
	return quoted.failed ? ERR_TOO_LARGE : config_file_set(&cli->paths, key, quoted.p, msg, cap);
}

static enum err
still_loads(struct cli *cli, char *msg, size_t cap)
{
	SCOPED_BUF out = BUF_INIT(SNAPSHOT_MAX);
	struct config_over over = { 0 };

	return config_file_snapshot(&cli->paths, &over, 0, &out, msg, cap);
}

static int
config_set(struct cli *cli, const char *key, const char *value)
{
	SCOPED_BUF before = BUF_INIT(CONFIG_MAX);
	enum err had = buf_read_file(&before, cli->paths.config);
	char msg[600] = "it cannot be set";
	pid_t pid;

	if (had != ERR_OK && had != ERR_NOT_FOUND)
		return complain(EXIT_FAILED, "%s cannot be read", cli->paths.config);
	if (set_value(cli, key, value, msg, sizeof(msg)) != ERR_OK)
		return complain(EXIT_REFUSED, "%s: %s", key, msg);
	if (still_loads(cli, msg, sizeof(msg)) != ERR_OK) {
		if (file_keep(cli->paths.config, before.p != NULL ? before.p : "", before.len, 0600) != ERR_OK)
			return complain(EXIT_FAILED, "%s; and the old file could not be put back", msg);
		return complain(EXIT_REFUSED, "%s", msg);
	}
	pid = sup_running(&cli->paths);
	if (pid != 0)
		(void)kill(pid, SIGHUP);        /* if it just ended, the next start reads the file */
	if (cli->json)
		printf("{\"status\":\"ok\",\"reloaded\":%s}\n", pid != 0 ? "true" : "false");
	return EXIT_GOOD;
}

int
cmd_config(struct cli *cli, int argc, char **argv)
{
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	umask(077);
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	if (argc == 2 && strcmp(argv[1], "show") == 0)
		return config_show(cli);
	if (argc == 3 && strcmp(argv[1], "get") == 0)
		return config_get(cli, argv[2]);
	if (argc == 4 && strcmp(argv[1], "set") == 0)
		return config_set(cli, argv[2], argv[3]);
	return usage("config: show, get KEY or set KEY VALUE is expected");
}

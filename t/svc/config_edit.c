/* config.toml changed by hand of the command: first file, get, set, unset. */
#include <sys/wait.h>

#include "t/svc/home.h"

static struct home h;

static const char first[] =
    "# my settings\n"
    "api_key = \"sesame\"  # secret\n"
    "\n"
    "[rate_limit]\n"
    "max_ws_per_ip = 5 # enough\n";

static enum err
set(const char *key, const char *value)
{
	return config_file_set(&h.p, key, value, h.msg, sizeof(h.msg));
}

static const char *
get(const char *key)
{
	static char text[4096];
	struct buf b = BUF_INIT(sizeof(text) - 1);
	enum err e = config_file_get(&h.p, key, &b, h.msg, sizeof(h.msg));

	snprintf(text, sizeof(text), "%s", e == ERR_OK && b.p != NULL ? b.p : err_code(e));
	buf_done(&b);
	return text;
}

static void
first_start(void)
{
	struct buf snap = BUF_INIT(1 << 20);
	struct stat st;
	char key[65], again[65];

	is_int(config_file_init(&h.p, key, h.msg, sizeof(h.msg)), ERR_OK, "a first start writes a configuration");
	is_int(strlen(key), 64, "... with a key of 64 digits");
	ok(stat(h.p.config, &st) == 0 && (st.st_mode & 0777) == 0600, "... for us alone");
	ok(strstr(home_read(&h, "config.toml"), key) != NULL, "... in which the key stands");
	is_int(config_file_snapshot(&h.p, NULL, 1, &snap, h.msg, sizeof(h.msg)), ERR_OK, "it is a good configuration");
	ok(strstr(snap.p, "\"warnings\":[]") != NULL, "... without a warning");
	ok(strstr(snap.p, "\"open_mode\":false") != NULL && strstr(snap.p, key) == NULL, "... closed, its key unseen");
	is_int(config_file_init(&h.p, again, h.msg, sizeof(h.msg)), ERR_OK, "a second start leaves it alone");
	is_str(again, "", "... and tells no key");
	ok(strstr(home_read(&h, "config.toml"), key) != NULL, "... the first one still stands");
	unlink(h.p.config);
	ok(config_file_init(&h.p, again, h.msg, sizeof(h.msg)) == ERR_OK && strcmp(key, again) != 0, "every key is another");
	buf_done(&snap);
}

static void
getting(void)
{
	home_write(&h, "config.toml", first);
	is_str(get("api_key"), "\"sesame\"", "the owner may see a secret");
	is_str(get("rate_limit"), "{\"max_ws_per_ip\":5}", "a table is shown whole");
	is_str(get("rate_limit.max_ws_per_ip"), "5", "a number is a number");
	is_str(get("rate_limit.nothing"), "not_found", "what is not there is not found");
	is_str(get(""), "not_found", "... nor what has no name");
	home_write(&h, "config.toml", "a = \n");
	is_str(get("a"), "conflict", "a broken file is said to be broken");
	ok(strncmp(h.msg, "config.toml:1: ", 15) == 0, "... with the line");
	unlink(h.p.config);
	is_str(get("a"), "not_found", "no file has no keys");
}

static void
setting(void)
{
	struct stat st;

	home_write(&h, "config.toml", first);
	is_int(set("rate_limit.max_ws_per_ip", "9"), ERR_OK, "a value is set");
	is_str(home_read(&h, "config.toml"), "# my settings\napi_key = \"sesame\"  # secret\n\n[rate_limit]\nmax_ws_per_ip = 9 # enough\n",
	    "... and comments and order stay");
	is_str(home_read(&h, "backups/config.toml.prev"), first, "the file before it is kept");
	ok(stat(h.p.config, &st) == 0 && (st.st_mode & 0777) == 0600, "the file is for us alone");
	is_int(set("default_model.model", "gpt-4o"), ERR_OK, "a word needs no quotes");
	is_str(get("default_model.model"), "\"gpt-4o\"", "... to be a text");
	is_int(set("api_key", "123456"), ERR_OK, "nor do digits where a text belongs");
	is_str(get("api_key"), "\"123456\"", "... to be one");
	is_int(set("default_model.model", "\"gpt-5\""), ERR_OK, "quotes may be given");
	is_str(get("default_model.model"), "\"gpt-5\"", "... and are no part of it");
	is_int(set("api_listen", "[::1]:4545"), ERR_OK, "brackets of an address are no list");
	is_int(set("cors_origin", "[\"https://a\"]"), ERR_OK, "a list is a list");
	is_str(get("cors_origin"), "[\"https://a\"]", "... and stays one");
	is_int(set("language", ""), ERR_OK, "nothing is a text too");
}

static void
refusing(void)
{
	home_write(&h, "config.toml", first);
	is_int(set("rate_limit.max_ws_per_ip", "many"), ERR_INVALID, "a value of the wrong type is refused");
	is_str(h.msg, "config.toml:5: rate_limit.max_ws_per_ip: a whole number is expected", "... with the reason");
	is_int(set("log_level", "loud"), ERR_INVALID, "so is a word that is none");
	is_int(set("rate_limit", "1"), ERR_INVALID, "so is a value for a table");
	is_int(set("a..b", "1"), ERR_INVALID, "so is a key that is none");
	is_int(set("cors_origin", "[\"https://a"), ERR_INVALID, "so is half a list");
	is_int(set("api_key_hash", "x"), ERR_INVALID, "so is what a start would refuse");
	is_str(home_read(&h, "config.toml"), first, "and nothing has changed");
	home_write(&h, "config.toml", "a = \n");
	is_int(set("language", "de"), ERR_CONFLICT, "a broken file is not edited");
	is_str(home_read(&h, "config.toml"), "a = \n", "... nor lost");
}

static void
unsetting(void)
{
	char link[300];
	struct stat st;

	home_write(&h, "config.toml", first);
	is_int(config_file_unset(&h.p, "rate_limit.max_ws_per_ip", h.msg, sizeof(h.msg)), ERR_OK, "a key is removed");
	is_str(home_read(&h, "config.toml"), "# my settings\napi_key = \"sesame\"  # secret\n\n[rate_limit]\n", "... with its line");
	is_int(config_file_unset(&h.p, "rate_limit.max_ws_per_ip", h.msg, sizeof(h.msg)), ERR_NOT_FOUND, "it cannot go twice");
	home_write(&h, "real.toml", first);
	snprintf(link, sizeof(link), "%s/real.toml", h.dir);
	ok(unlink(h.p.config) == 0 && symlink(link, h.p.config) == 0 && set("language", "de") == ERR_OK, "a link is followed");
	ok(lstat(h.p.config, &st) == 0 && S_ISLNK(st.st_mode) && strstr(home_read(&h, "real.toml"), "language = \"de\"") != NULL,
	    "... and stays a link");
}

/* Two processes, many changes: none is lost. */
static void
together(void)
{
	enum { EACH = 20 };
	int got = 0;
	pid_t pid;

	unlink(h.p.config);
	pid = fork();
	for (int i = 0; i < EACH; i++) {
		char key[64];

		snprintf(key, sizeof(key), "tool_timeouts.%c%d", pid == 0 ? 'a' : 'b', i);
		if (set(key, "1") != ERR_OK)
			break;
	}
	if (pid == 0)
		_exit(0);
	ok(pid > 0 && waitpid(pid, NULL, 0) == pid, "two change the file at once");
	for (const char *p = get("tool_timeouts"); (p = strchr(p, ':')) != NULL; p++)
		got++;
	is_int(got, 2 * EACH, "... and no change is lost");
}

int
main(void)
{
	home_new(&h);
	first_start();
	getting();
	setting();
	refusing();
	unsetting();
	together();
	home_done(&h);
	return done();
}

/* config.toml changed by hand of the command: first file, get, set, unset. */
#include <sys/wait.h>

#include "lib/toml/toml.h"
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

/* --- many changes at once ------------------------------------------------------------------- */

enum { ROUNDS = 40, CHANGES = 60, USERS = 90 };

static uint64_t seed = 88172645463325252u;

static unsigned
dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* Names as they stand in the file, and the text as edits of the whole of it, one by one, make it. */
struct model {
	char name[USERS][16];
	size_t n, made;
	char text[65536];
};

static const char many_users[] =
    "# above all\n[budget] # money\nmax_daily_usd = 5\n\n"
    "# the first\n[[users]]\nname = \"u0\" # zero\nrole = 'user'\n[users.channel_bindings]\ntelegram = \"0\"\n\n"
    "[[users]]\nname = \"u1\"\n# nothing more\n\n[rate_limit]\nmax_ws_per_ip = 5\n\n"
    "[[users]]\nchannel_bindings = { slack = \"2\" }\nrole = \"admin\"\nname = \"u2\"\n# the end";

static const char in_brackets[] =
    "users = [ { name = \"u0\", role = 'user' }, { name = \"u1\" }, # one\n { name = \"u2\" } ]\n[budget]\n";

static void
apply(struct model *m, const struct config_change *ch, size_t at)
{
	struct buf out = BUF_INIT(sizeof(m->text) - 1);
	struct toml_fault f;
	char key[80];
	enum err e;

	if (ch->user == NULL)
		snprintf(key, sizeof(key), "%s", ch->key);
	else
		snprintf(key, sizeof(key), "users[%zu]%s%s", at, ch->key != NULL ? "." : "", ch->key != NULL ? ch->key : "");
	if (ch->members != NULL)
		e = toml_append(m->text, strlen(m->text), "users", ch->members, ch->n_members, &out, &f);
	else if (ch->literal != NULL)
		e = toml_set(m->text, strlen(m->text), key, ch->literal, &out, &f);
	else
		e = toml_unset(m->text, strlen(m->text), key, &out, &f);
	if (e == ERR_OK)
		snprintf(m->text, sizeof(m->text), "%s", out.p);
	else if (e != ERR_NOT_FOUND)
		ok(false, "%s: %s", key, f.why);
	buf_done(&out);
}

/* Any change; the texts of names live in the table, whose rows are not used again. */
static struct config_change
any_change(struct model *m, bool brackets, char (*names)[16], const struct toml_member *cyd)
{
	static const char *const literals[] = { NULL, "\"9\"", "'eight'" }, *const wholes[] = { NULL, "{ telegram = \"9\" }", "{}" };
	static const char *const roles[] = { "\"viewer\"", "'admin'", "\"user\"" };
	size_t at = dice((unsigned)m->n);
	unsigned what = dice(12);
	struct config_change ch = { .user = m->name[at] };

	snprintf(names[0], sizeof(*names), "%s", m->name[at]);
	ch.user = names[0];
	if (what < 4) {
		ch.key = "role", ch.literal = roles[dice(3)];
	} else if (what < 8) {
		ch.literal = (brackets ? wholes : literals)[dice(3)];
		ch.key = brackets ? "channel_bindings" : ch.literal == NULL && dice(2) ? "channel_bindings" : "channel_bindings.telegram";
	} else if (what == 8) {
		ch.user = NULL, ch.key = "budget.max_daily_usd", ch.literal = dice(2) ? "7" : NULL;
	} else if (what == 9 && m->n > 2) {
		apply(m, &ch, at);
		memmove(m->name[at], m->name[at + 1], (--m->n - at) * sizeof(m->name[0]));
		return ch;
	} else if (what == 10) {
		snprintf(names[1], sizeof(*names), "\"r%zu\"", ++m->made);
		snprintf(m->name[at], sizeof(m->name[0]), "r%zu", m->made);
		ch.key = "name", ch.literal = names[1];
	} else {
		snprintf(names[0], sizeof(*names), "n%zu", ++m->made);
		snprintf(names[1], sizeof(*names), "\"n%zu\"", m->made);
		snprintf(m->name[m->n++], sizeof(m->name[0]), "n%zu", m->made);
		ch.members = cyd, ch.n_members = 2;
	}
	apply(m, &ch, at);
	return ch;
}

static void
many_from(const char *text, const char *what)
{
	static struct model m;
	struct config_change ch[CHANGES];
	struct toml_member cyd[CHANGES][2];
	char names[CHANGES][2][16];
	int bad = 0;

	for (int round = 0; round < ROUNDS; round++) {
		m = (struct model){ .name = { "u0", "u1", "u2" }, .n = 3 };
		snprintf(m.text, sizeof(m.text), "%s", text);
		home_write(&h, "config.toml", text);
		for (int i = 0; i < CHANGES; i++) {
			cyd[i][0] = (struct toml_member){ "name", names[i][1] };
			cyd[i][1] = (struct toml_member){ "role", "\"viewer\"" };
			ch[i] = any_change(&m, text == in_brackets, names[i], cyd[i]);
		}
		bad += config_file_change(&h.p, ch, CHANGES, h.msg, sizeof(h.msg)) != ERR_OK || strcmp(home_read(&h, "config.toml"), m.text) != 0;
		if (bad == 1)
			printf("# %s\n", h.msg);
	}
	is_int(bad, 0, "%s", what);
}

static void
many(void)
{
	static const struct config_change twice[] = { { .user = "u1", .key = "role", .literal = "\"admin\"" }, { .user = "nobody", .key = "role", .literal = "\"user\"" } };
	static const struct config_change below[] = { { .user = "u0", .key = "channel_bindings", .literal = "{ a = \"b\" }" } };

	many_from(many_users, "many changes at once leave the text that they leave one by one");
	many_from(in_brackets, "... where users stand in brackets, too");
	home_write(&h, "config.toml", many_users);
	is_int(config_file_change(&h.p, twice, 2, h.msg, sizeof(h.msg)), ERR_NOT_FOUND, "one that cannot be");
	is_str(home_read(&h, "config.toml"), many_users, "... takes the others with it");
	is_int(config_file_change(&h.p, below, 1, h.msg, sizeof(h.msg)), ERR_INVALID, "a value in the place of a table is refused");
	is_str(home_read(&h, "config.toml"), many_users, "... and nothing is written");
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
	many();
	home_done(&h);
	return done();
}

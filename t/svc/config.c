/* From config.toml and the environment to what the programs see. */
#include "t/svc/home.h"

#include "lib/base/json.h"
#include "lib/base/util.h"

static struct home h;
static struct buf snap = BUF_INIT(8 << 20);
static struct config *cfg;

static enum err
read_with(const struct config_over *over)
{
	enum err e;

	buf_clear(&snap);
	config_free(cfg);
	cfg = NULL;
	e = config_file_snapshot(&h.p, over, 7, &snap, h.msg, sizeof(h.msg));
	if (e != ERR_OK)
		return e;
	return config_load(snap.p, snap.len, &cfg);
}

/* This text as config.toml; with(NULL) without one. */
static enum err
with(const char *text)
{
	if (text != NULL)
		home_write(&h, "config.toml", text);
	else
		unlink(h.p.config);
	return read_with(NULL);
}

static bool
warned(const char *what)
{
	for (size_t i = 0; cfg != NULL && i < json_object_array_length(cfg->warnings); i++)
		if (strstr(json_object_get_string(json_object_array_get_idx(cfg->warnings, i)), what) != NULL)
			return true;
	return false;
}

static void
refused(const char *text, const char *msg, const char *what)
{
	is_int(with(text), ERR_INVALID, "%s is refused", what);
	is_str(h.msg, msg, "... and the sentence names the place");
}

static void
defaults(void)
{
	char want[256];

	ok(with(NULL) == ERR_OK && cfg != NULL, "no configuration is an empty one");
	if (cfg == NULL)
		return;
	ok(!cfg->config_exists && cfg->generation == 7, "... and is known as such");
	is_str(cfg->listen, "127.0.0.1:4545", "it listens on loopback");
	ok(strcmp(cfg->listen_host, "127.0.0.1") == 0 && cfg->listen_port == 4545, "... host and port apart");
	snprintf(want, sizeof(want), "%s/data/librefang-c.db", h.dir);
	is_str(cfg->db_path, want, "the database is in the home");
	snprintf(want, sizeof(want), "%s/workspaces", h.dir);
	is_str(cfg->workspaces_dir, want, "so are the workspaces");
	ok(cfg->api_requests_per_minute == 500 && cfg->retry_after_s == 60 && cfg->max_ws_per_ip == 5 &&
	    cfg->ws_messages_per_minute == 10 && cfg->ws_idle_s == 1800 && cfg->ws_debounce_ms == 100 &&
	    cfg->ws_debounce_chars == 200 && cfg->max_body_bytes == 8388608, "limits have their defaults");
	ok(cfg->message_timeout_s == 300 && cfg->tool_timeout_s == 120 && cfg->max_agent_call_depth == 5 &&
	    cfg->agent_max_iterations == 0 && cfg->turn_threads == 1024 && !cfg->on_disconnect_cancel &&
	    cfg->web_max_bytes == 10485760 && cfg->web_timeout_s == 30, "so have turns");
	ok(cfg->budget.all.nanousd[BUDGET_HOUR] == 0 && cfg->budget.alert_threshold == 0.8 && !cfg->durability_power &&
	    cfg->proactive_memory && !cfg->network_enabled, "so has the rest");
	ok(cfg->open_mode && cfg->reads_open && warned("no api_key"), "without a key it is open, and says so");
	is_str(cfg->provider, "offline", "without a provider's key the built-in one answers");
	is_str(cfg->model, "offline", "... with its model");
	is_str(cfg->provider_cfg, "auto", "... because nothing was chosen");
}

static void
settings(void)
{
	ok(with("api_key = \"k\"\nlisten_addr = \"127.0.0.1:4600\"\ndurability = \"power\"\ncors_origin = [\"https://a\", \"https://b\"]\n"
	    "mode = \"dev\"\nagent_max_iterations = 9\n"
	    "[turn]\non_disconnect = \"cancel\"\nmax_threads = 16\n"
	    "[rate_limit]\napi_requests_per_minute = 4000000000\nws_debounce_ms = 0\n"
	    "[budget]\nmax_hourly_usd = 0.1\nmax_daily_usd = 0.0000000001\nmax_monthly_usd = 12\n"
	    "[web.fetch]\nmax_response_bytes = 0\ntimeout_secs = 500\nssrf_allowed_hosts = [\"10.0.0.1\"]\n") == ERR_OK && cfg != NULL,
	    "settings of all kinds are read");
	if (cfg == NULL)
		return;
	is_str(cfg->listen, "127.0.0.1:4600", "listen_addr stands for api_listen");
	ok(cfg->durability_power && cfg->on_disconnect_cancel && cfg->turn_threads == 16, "our own keys are understood");
	ok(cfg->api_requests_per_minute == 4000000000u, "four billion requests a minute are a limit too");
	is_int(cfg->ws_debounce_ms, 0, "0 is a setting");
	is_int(cfg->budget.all.nanousd[BUDGET_HOUR], 100000000, "ten cents are 100,000,000 nano-dollars");
	is_int(cfg->budget.all.nanousd[BUDGET_DAY], 1, "a tiny cap is still a cap");
	is_int(cfg->budget.all.nanousd[BUDGET_MONTH], 12000000000, "whole dollars may be written without a point");
	ok(cfg->web_max_bytes == 5000000 && cfg->web_timeout_s == 120, "values out of range come to its end");
	ok(warned("web.fetch.timeout_secs: 120 is used"), "... with a warning");
	ok(cfg->n_cors == 2 && strcmp(cfg->cors_origins[1], "https://b") == 0, "lists are lists");
	ok(json_object_array_length(cfg->ssrf_allowed_hosts) == 1, "... wherever they are");
	is_str(js_str(cfg->raw, "api_listen"), "127.0.0.1:4600", "the tree has the alias by its own name");
}

static void
wrong(void)
{
	refused("a = 1\n\n[rate_limit]\nmax_ws_per_ip = \"5\"\n",
	    "config.toml:4: rate_limit.max_ws_per_ip: a whole number is expected", "a text for a number");
	refused("trust_forwarded_for = 1\n",
	    "config.toml:1: trust_forwarded_for: true or false is expected", "a number for a boolean");
	refused("cors_origin = [\"a\", 1]\n",
	    "config.toml:1: cors_origin: an array of texts is expected", "a number among texts");
	refused("rate_limit = 5\n", "config.toml:1: rate_limit: a table is expected", "a number for a table");
	refused("users = 5\n", "config.toml:1: users: an array of tables is expected", "a number for tables");
	refused("log_level = \"loud\"\n",
	    "config.toml:1: log_level: one of trace, debug, info, warn, error, off is expected", "a word that is none");
	refused("\n[turn]\non_disconnect = \"can\"\n",
	    "config.toml:3: turn.on_disconnect: one of finish, cancel is expected", "half a word");
	refused("max_agent_call_depth = -1\n",
	    "config.toml:1: max_agent_call_depth: a number from 0 to 100 is expected", "a number below zero");
	refused("[budget]\nalert_threshold = 1.5\n",
	    "config.toml:2: budget.alert_threshold: a number from 0 to 1 is expected", "a share above one");
	refused("[[users]]\nname = \"a\"\n[[users]]\nrole = \"root\"\n",
	    "config.toml:4: users[1].role: one of owner, admin, user, viewer is expected", "a role that is none");
	refused("[[users]]\nrole = \"user\"\n", "config.toml:1: users[0]: name is missing", "a user without a name");
	refused("[[users]]\nname = \"a\"\n[[users]]\nname = \"a\"\n",
	    "config.toml:4: users[1].name: another user has this name", "a second user of that name");
	refused("[provider_request_timeout_secs]\n\"my.own\" = true\n",
	    "config.toml:2: provider_request_timeout_secs.\"my.own\": a whole number is expected", "a wrong value in a map");
	refused("api_key_hash = \"abc\"\n",
	    "config.toml:1: api_key_hash: $sha256$ with 64 hex digits, or an Argon2 hash, is expected", "a hash that is none");
	refused("network_enabled = true\n",
	    "config.toml:1: network_enabled: network.shared_secret must be set", "a network without its secret");
	refused("strict_config = true\nfoo = 1\n",
	    "config.toml:2: foo: unknown key, and strict_config is on", "an unknown key where strictness was asked for");
	is_int(with("a = \n"), ERR_INVALID, "what is not TOML is refused");
	ok(strncmp(h.msg, "config.toml:1: ", 15) == 0, "... with file and line");
	is_int(with("api_key = 99999999999999999999987654321\n"), ERR_INVALID, "a key without quotes is refused");
	ok(strstr(h.msg, "987654321") == NULL, "... and not repeated");
}

static void
unknown_keys(void)
{
	ok(with("foo = 1\n[rate_limit]\nbar = 2\n[what.ever]\nx = 1\n[channels.telegram]\nany = [1, \"x\"]\n") == ERR_OK,
	    "unknown keys do no harm");
	ok(warned("config.toml:1: foo: unknown key") && warned("config.toml:3: rate_limit.bar: unknown key") &&
	    warned("what: unknown key"), "... but are named");
	ok(!warned("telegram"), "... except where any key may stand");
	is_int(js_i64(js_obj(cfg->raw, "rate_limit"), "bar", 0), 2, "... and they are kept");
}

static void
addresses(void)
{
	static const struct { const char *text, *host; int port; } good[] = {
		{ "0.0.0.0:80", "0.0.0.0", 80 }, { "[::1]:4545", "::1", 4545 }, { "localhost:1", "localhost", 1 },
		{ "example.org:65535", "example.org", 65535 },
	};
	static const char *const bad[] = { "", "4545", ":4545", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:80x", "::1:80", "[]:80", "a b:80", "a/b:80", "127.0.0.1:99999999999999999999" };
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "api_key = \"k\"\napi_listen = \"%s\"\n", good[i].text);
		ok(with(text) == ERR_OK && strcmp(cfg->listen_host, good[i].host) == 0 &&
		    cfg->listen_port == good[i].port, "%s is an address", good[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "api_key = \"k\"\napi_listen = \"%s\"\n", bad[i]);
		ok(with(text) == ERR_INVALID && strncmp(h.msg, "config.toml:2: api_listen: ", 27) == 0, "\"%s\" is none", bad[i]);
	}
}

static void
who_wins(void)
{
	struct config_over flag = { .listen = "127.0.0.1:3" };

	setenv("LIBREFANG_LISTEN", "127.0.0.1:2", 1);
	ok(with("api_listen = \"127.0.0.1:1\"\n") == ERR_OK, "file and environment both give an address");
	is_str(cfg->listen, "127.0.0.1:2", "the environment wins over the file");
	ok(read_with(&flag) == ERR_OK, "the command line gives one too");
	is_str(cfg->listen, "127.0.0.1:3", "... and wins over both");
	flag.listen = "nonsense";
	ok(read_with(&flag) == ERR_INVALID && strncmp(h.msg, "--listen: ", 10) == 0, "a wrong one is named by its flag");
	setenv("LIBREFANG_LISTEN", "nonsense", 1);
	ok(read_with(NULL) == ERR_INVALID && strncmp(h.msg, "LIBREFANG_LISTEN: ", 18) == 0, "... or variable");
	setenv("LIBREFANG_LISTEN", "  ", 1);
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->listen, "127.0.0.1:1") == 0, "a blank variable says nothing");
	unsetenv("LIBREFANG_LISTEN");
}

static const char *
sha_hex(const char *s)
{
	static char hex[65];
	uint8_t sum[32];

	sha256(s, strlen(s), sum);
	hex_of(sum, sizeof(sum), hex);
	return hex;
}

static void
keys(void)
{
	ok(with("api_key = \"  sesame-123  \"\n") == ERR_OK && !cfg->open_mode, "a key closes the door");
	is_str(cfg->key_sha256, sha_hex("sesame-123"), "its digest is kept, without blanks around it");
	ok(strstr(snap.p, "sesame") == NULL, "the key itself is nowhere in the snapshot");
	is_str(js_str(cfg->raw, "api_key"), "***", "... but it shows that there is one");
	ok(!cfg->reads_open, "reads are closed then");
	setenv("LIBREFANG_API_KEY", "from-env", 1);
	ok(read_with(NULL) == ERR_OK, "the environment may give the key");
	is_str(cfg->key_sha256, sha_hex("from-env"), "... and wins");
	ok(strstr(snap.p, "from-env") == NULL, "... and is as secret");
	unsetenv("LIBREFANG_API_KEY");
	ok(with("api_key = \"vault:main\"\n") == ERR_OK && !cfg->open_mode && cfg->key_sha256 == NULL && strcmp(cfg->key_vault, "main") == 0,
	    "a key in the vault does not open the door to all");
	ok(with("[[users]]\nname = \"ada\"\nrole = \"admin\"\napi_key_hash = \"$argon2id$v=19$x\"\n[[users]]\nname = \"bea\"\n") == ERR_OK &&
	    !cfg->open_mode, "a user's key closes it too");
	ok(cfg->n_users == 2 && strcmp(cfg->users[0].role, "admin") == 0 &&
	    strcmp(cfg->users[0].key_hash, "$argon2id$v=19$x") == 0 && strcmp(cfg->users[1].role, "user") == 0 &&
	    cfg->users[1].key_hash == NULL, "... and users have their roles");
	setenv("LIBREFANG_DASHBOARD_USER", "u", 1);
	ok(with("dashboard_pass = \"hush-hush\"\n") == ERR_OK && cfg->dashboard.user != NULL && !cfg->open_mode, "so does a dashboard login");
	ok(strstr(snap.p, "hush") == NULL, "... whose password stays here");
	unsetenv("LIBREFANG_DASHBOARD_USER");
	ok(with("api_key = \"k\"\nrequire_auth_for_reads = false\n") == ERR_OK && !cfg->reads_open &&
	    with("api_key = \"k\"\nrequire_auth_for_reads = false\nexternal_auth_proxy = true\n") == ERR_OK &&
	    cfg->reads_open, "reads open only behind a proxy that authenticates");
}

static void
open_mode(void)
{
	refused("# open\napi_listen = \"0.0.0.0:4545\"\n",
	    "config.toml:2: api_listen: others can reach this address, but no key is set: set api_key,"
	    " listen on 127.0.0.1, or set LIBREFANG_ALLOW_NO_AUTH=1", "an open server for everybody");
	ok(with("api_listen = \"[::1]:4545\"\napi_key = \"\"\n") == ERR_OK && cfg->open_mode, "loopback may be open");
	setenv("LIBREFANG_ALLOW_NO_AUTH", "maybe", 1);
	is_int(with("api_listen = \"0.0.0.0:4545\"\n"), ERR_INVALID, "only a clear yes opens it to all");
	setenv("LIBREFANG_ALLOW_NO_AUTH", "yes", 1);
	ok(with("api_listen = \"0.0.0.0:4545\"\n") == ERR_OK && cfg->open_mode && cfg->allow_no_auth && warned("everybody"),
	    "... and then with a warning");
	unsetenv("LIBREFANG_ALLOW_NO_AUTH");
}

static void
secrets(void)
{
	ok(with("api_key = \"k\"\nnetwork.shared_secret = \"SECRET1\"\nmy_own_token = \"SECRET2\"\n"
	    "[vertex_ai]\ncredentials_path = \"SECRET3\"\n[proxy]\nhttp_proxy = \"http://me:SECRET4@proxy:1\"\n"
	    "[provider_api_keys]\nopenai = \"sk-SECRET5\"\ngroq = \"GROQ_X\"\n"
	    "[[sidecar_channels]]\nname = \"s\"\ncommand = \"c\"\nenv = { T = \"SECRET6\" }\n"
	    "[[mcp_servers]]\nname = \"m\"\nenv = [\"A=SECRET7\", \"PLAIN\"]\nheaders = [\"Authorization: SECRET8\"]\n"
	    "[default_model]\nprovider = \"openai\"\napi_key_env = \"sk-SECRET9\"\n") == ERR_OK, "secrets in many places");
	ok(strstr(snap.p, "SECRET") == NULL, "... are in none of the snapshot");
	ok(strstr(snap.p, "http://***@proxy:1") != NULL && strstr(snap.p, "\"A=***\"") != NULL &&
	    strstr(snap.p, "\"PLAIN\"") != NULL && strstr(snap.p, "GROQ_X") != NULL, "... and what is none is");
	ok(warned("provider_api_keys.openai: the name of an environment variable is expected"),
	    "a key where its variable's name belongs is pointed out");
}

static void
providers(void)
{
	ok(with("api_key = \"k\"\n[default_model]\nprovider = \"auto\"\n") == ERR_OK &&
	    strcmp(cfg->provider, "offline") == 0, "auto without any key is offline");
	setenv("GROQ_API_KEY", "x1y2z3", 1);
	setenv("XAI_API_KEY", "x1y2z3", 1);
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->provider, "groq") == 0, "auto takes the first provider with a key");
	ok(cfg->model[0] != '\0' && strcmp(cfg->model, "offline") != 0, "... and its model");
	setenv("OPENAI_API_KEY", "x1y2z3", 1);
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->provider, "openai") == 0, "... in a fixed order");
	ok(js_bool(js_obj(cfg->providers, "openai"), "key_present", false) &&
	    !js_bool(js_obj(cfg->providers, "anthropic"), "key_present", true), "what the environment holds is known");
	ok(strstr(snap.p, "x1y2z3") == NULL, "... but no key");
	ok(with("api_key = \"k\"\n[providers]\nallowed = [\"xai\"]\n") == ERR_OK && strcmp(cfg->provider, "xai") == 0,
	    "auto keeps to the allowed ones");
	unsetenv("OPENAI_API_KEY");
	setenv("GOOGLE_API_KEY", "x", 1);
	ok(with("api_key = \"k\"\n") == ERR_OK && js_bool(js_obj(cfg->providers, "gemini"), "alt", false),
	    "an alternate key counts");
	is_str(cfg->provider, "gemini", "... whatever its wire format");
	unsetenv("GROQ_API_KEY");
	unsetenv("XAI_API_KEY");
	unsetenv("GOOGLE_API_KEY");
	setenv("ANTHROPIC_API_KEY", "x", 1);
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->provider, "anthropic") == 0, "one key alone makes its provider the default");
	unsetenv("ANTHROPIC_API_KEY");
	setenv("GITHUB_TOKEN", "x", 1);
	setenv("ELEVENLABS_API_KEY", "x", 1);
	setenv("AZURE_OPENAI_API_KEY", "x", 1);
	ok(with("api_key = \"k\"\n[default_model]\nmodel = \"m\"\n") == ERR_OK && strcmp(cfg->provider, "offline") == 0,
	    "not a token that was not got for it, a voice, or a cloud without an address");
	setenv("AZURE_OPENAI_ENDPOINT", "https://x.example", 1);
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->provider, "azure-openai") == 0, "with its address the cloud is one");
	unsetenv("AZURE_OPENAI_ENDPOINT");
	unsetenv("AZURE_OPENAI_API_KEY");
	unsetenv("ELEVENLABS_API_KEY");
	unsetenv("GITHUB_TOKEN");
	ok(with("api_key = \"k\"\n[default_model]\nprovider = \"google\"\nmodel = \"m-1\"\n") == ERR_OK, "a provider may be named by an alias");
	ok(strcmp(cfg->provider, "gemini") == 0 && strcmp(cfg->model, "m-1") == 0 &&
	    strcmp(cfg->provider_cfg, "google") == 0, "... and the model is the one written");
	setenv("MY_KEY", "v", 1);
	ok(with("api_key = \"k\"\n[default_model]\nprovider = \"mine\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key_env = \"MY_KEY\"\n") == ERR_OK &&
	    strcmp(cfg->provider, "mine") == 0 && js_bool(js_obj(cfg->providers, "mine"), "key_present", false),
	    "a provider of one's own has the key that it names");
	ok(!warned("default_model"), "... and nothing to complain of");
	ok(with("api_key = \"k\"\n[default_model]\nprovider = \"nobody\"\n") == ERR_OK && warned("no such provider"),
	    "one that nobody knows is pointed out");
	unsetenv("MY_KEY");
}

static void
env_files(void)
{
	home_write(&h, "secrets.env", "# keys\nexport DEEPSEEK_API_KEY='a-secret'\nHAD=file\nbroken line\n");
	home_write(&h, ".env", "DEEPSEEK_API_KEY=second\nPLAIN = with blanks  \n");
	setenv("HAD", "before", 1);
	ok(with("api_key = \"k\"\n") == ERR_OK && strcmp(cfg->provider, "deepseek") == 0, "secrets.env is part of the environment");
	is_str(getenv("DEEPSEEK_API_KEY"), "a-secret", "... before .env");
	is_str(getenv("HAD"), "before", "... behind what was there");
	is_str(getenv("PLAIN"), "with blanks", ".env is read too");
	ok(warned("secrets.env:4:"), "a line that is none is named, without its text");
	ok(strstr(snap.p, "a-secret") == NULL && strstr(snap.p, "broken") == NULL, "... and nothing of it is in the snapshot");
	home_write(&h, "secrets.env", "DEEPSEEK_API_KEY=changed\n");
	home_write(&h, ".env", "");
	ok(read_with(NULL) == ERR_OK, "a reload reads them again");
	is_str(getenv("DEEPSEEK_API_KEY"), "changed", "... and takes what changed");
	ok(getenv("PLAIN") == NULL, "... and forgets what went");
	is_str(getenv("HAD"), "before", "... but only of its own");
	home_write(&h, "secrets.env", "");
	ok(read_with(NULL) == ERR_OK && strcmp(cfg->provider, "offline") == 0, "without keys it is offline again");
	unsetenv("HAD");
}

static void
included(void)
{
	home_write(&h, "a.toml", "language = \"de\"\nmode = \"dev\"\n[rate_limit]\nretry_after_secs = 5\nmax_ws_per_ip = 6\n");
	home_write(&h, "b.toml", "include = [\"config.toml\", \"b.toml\"]\nlanguage = \"fr\"\n");
	ok(with("api_key = \"k\"\ninclude = [\"a.toml\", \"b.toml\"]\nmode = \"stable\"\n[rate_limit]\nmax_ws_per_ip = 7\n") == ERR_OK,
	    "files may be included, also in a circle");
	is_str(cfg->mode, "stable", "the including file wins");
	is_str(cfg->language, "fr", "... then the last one named");
	ok(cfg->retry_after_s == 5 && cfg->max_ws_per_ip == 7, "tables are merged");
	home_write(&h, "a.toml", "\nlanguage = 1\n");
	refused("include = [\"a.toml\"]\n", "a.toml:2: language: a text in quotes is expected", "a fault in an included file");
	refused("include = [\"../x.toml\"]\n",
	    "config.toml:1: include: a path below the configuration's directory is expected", "a file above");
	refused("include = [\"/etc/passwd\"]\n",
	    "config.toml:1: include: a path below the configuration's directory is expected", "a file elsewhere");
	refused("include = [\"none.toml\"]\n", "config.toml:1: include: none.toml cannot be read", "a file that is not there");
	for (int i = 1; i <= 11; i++) {
		char name[32], text[64];

		snprintf(name, sizeof(name), "deep%d.toml", i);
		snprintf(text, sizeof(text), i < 11 ? "include = [\"deep%d.toml\"]\n" : "language = \"it\"\n", i + 1);
		home_write(&h, name, text);
	}
	ok(with("api_key = \"k\"\ninclude = [\"deep2.toml\"]\n") == ERR_OK && strcmp(cfg->language, "it") == 0, "ten files deep are read");
	refused("include = [\"deep1.toml\"]\n", "deep11.toml: include: files include each other too deeply", "eleven are too many");
}

static void
librefangs_own(void)
{
	const char *src = getenv("LF_SRCDIR");
	struct buf b = BUF_INIT(1 << 20);
	char path[4096], want[256];

	snprintf(path, sizeof(path), "%s/t/data/librefang-config.toml", src != NULL ? src : ".");
	is_int(buf_read_file(&b, path), ERR_OK, "LibreFang's own file is here");
	ok(b.p != NULL && with(b.p) == ERR_OK && cfg != NULL, "it is accepted as it is");
	buf_done(&b);
	if (cfg == NULL)
		return;
	is_int(json_object_array_length(cfg->warnings), 1, "with one warning");
	ok(warned("home_dir: ignored"), "... that its home is not ours");
	snprintf(want, sizeof(want), "%s/data", h.dir);
	is_str(cfg->data_dir, want, "what stood in its home stands in ours");
	is_str(cfg->key_sha256, sha_hex("lfkey"), "its key is the key");
	ok(strstr(snap.p, "lfkey") == NULL, "... and not in the snapshot");
	ok(strcmp(cfg->provider, "openai") == 0 && strcmp(cfg->model, "local-model") == 0 &&
	    strcmp(cfg->base_url, "http://127.0.0.1:19001/v1") == 0, "its provider is the provider");
}

static void
broken_snapshots(void)
{
	struct config *c = NULL;

	is_int(config_load("{", 1, &c), ERR_BAD_REQUEST, "half a snapshot is refused");
	is_int(config_load("{}", 2, &c), ERR_BAD_REQUEST, "an empty one too");
	is_int(config_load("", 0, &c), ERR_BAD_REQUEST, "none at all too");
	is_int(config_load("{\"config\":{}}", 13, &c), ERR_BAD_REQUEST, "one without paths too");
	is_int(config_load_file("/nonexistent/config.json", &c), ERR_NOT_FOUND, "a file that is not there is not found");
	ok(c == NULL, "and nothing is handed out");
	config_free(NULL);
}

int
main(void)
{
	const char *src = getenv("LF_SRCDIR");
	char keep[4096];

	snprintf(keep, sizeof(keep), "%s", src != NULL ? src : ".");
	if (keep[0] != '/' && realpath(src != NULL ? src : ".", keep) == NULL)
		return 1;
	home_new(&h);
	setenv("LF_SRCDIR", keep, 1);
	defaults();
	settings();
	wrong();
	unknown_keys();
	addresses();
	who_wins();
	keys();
	open_mode();
	secrets();
	providers();
	env_files();
	included();
	librefangs_own();
	broken_snapshots();
	config_free(cfg);
	buf_done(&snap);
	home_done(&h);
	return done();
}

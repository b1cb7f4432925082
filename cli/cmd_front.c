/*
 * nginx-conf, apache-conf, lighttpd-conf: a site for a server that this machine has already.
 *
 * They print and change nothing. The rows that the daemon answers, the header lines and the error
 * texts come from where the private nginx has them; the templates (nginx/) say only what
 * differs between the servers.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/conf_site.h"
#include "cli/sup.h"
#include "cli/webchat.h"
#include "lib/base/embed.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

EMBED(nginx_site, "nginx/site.conf.in");
EMBED(nginx_tls, "nginx/site-tls.conf.in");
EMBED(nginx_redirect, "nginx/site-redirect.conf.in");
EMBED(apache_site, "nginx/apache.conf.in");
EMBED(apache_tls, "nginx/apache-tls.conf.in");
EMBED(apache_redirect, "nginx/apache-redirect.conf.in");
EMBED(lighttpd_site, "nginx/lighttpd.conf.in");
EMBED(lighttpd_cgi, "nginx/lighttpd-cgi.conf.in");
EMBED(lighttpd_tls, "nginx/lighttpd-tls.conf.in");
EMBED(lighttpd_script, "nginx/lighttpd.lua.in");

enum { SITE_MAX = 1 << 20, SNAPSHOT_MAX = 16 << 20 };
enum server { NGINX, APACHE, LIGHTTPD };

struct site {
	struct cli *cli;
	enum server server;
	const char *name, *cert, *key, *listen, *log, *script;
	bool plain, cgi, print_script;
	char cert_path[512], key_path[512], page[WEBCHAT_PATH_MAX], program[4096], tag[16];
	const char *tls_text, *redirect_text;
	struct nginx_vars v;
};

/* --- words ---------------------------------------------------------------------- */

static void
listen_lines(struct buf *out, const struct site *s)
{
	const char *tls = s->plain ? "" : " ssl http2";

	if (s->server == APACHE || (s->server == LIGHTTPD && s->listen != NULL))
		buf_str(out, s->listen != NULL ? s->listen : s->plain ? "*:80" : "*:443");
	else if (s->server == LIGHTTPD)
		buf_str(out, ":443");
	else if (s->listen != NULL)
		buf_printf(out, "\tlisten %s%s;\n", s->listen, tls);
	else
		buf_printf(out, "\tlisten %d%s;\n\tlisten [::]:%d%s;\n", s->plain ? 80 : 443, tls,
		    s->plain ? 80 : 443, tls);
}

static void
name_lines(struct buf *out, const struct site *s)
{
	if (s->server == NGINX)
		buf_str(out, s->name != NULL ? s->name : "_");
	else if (s->server == APACHE && s->name != NULL)
		buf_printf(out, "\tServerName %s\n", s->name);
	else if (s->server == LIGHTTPD && s->name != NULL)
		buf_printf(out, "$HTTP[\"host\"] =~ \"^%s(:[0-9]+)?$\" {\n", s->name);
}

static void
log_lines(struct buf *out, const struct site *s)
{
	const char *log = s->log != NULL ? s->log : s->server == NGINX ? "/var/log/nginx/access.log" :
	    "${APACHE_LOG_DIR}/access.log";

	if (strcmp(log, "off") == 0)
		buf_str(out, s->server == NGINX ? "\taccess_log off;\n" : "");
	else if (s->server == NGINX)
		buf_printf(out, "\taccess_log \"%s\" lf_%s buffer=32k flush=1s;\n", log, s->v.tag);
	else                            /* without the query, which may carry what is secret */
		buf_printf(out, "\tCustomLog \"%s\" \"%%{%%Y-%%m-%%dT%%H:%%M:%%S%%z}t %%a \\\"%%m %%U\\\" %%>s %%B %%D %%{LF_RID}e\"\n",
		    log);
}

/* Apache's conditions are lines joined by OR; lighttpd's rewrites stand in a block per verb. */
static void
row_lines(struct buf *out, const struct site *s)
{
	static const struct conf_row_style apache = {
		"\tRewriteCond \"%{REQUEST_METHOD}:%{ENV:LF_TARGET}\" \"^", ":(", ")(\\?|$)\" [OR]\n",
	}, lighttpd = { "\t\t\t\"^(", NULL, ")(\\?|$)\" => \"/_lf/live\",\n" };

	for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
		SCOPED_BUF rows = BUF_INIT(SITE_MAX);

		conf_live_rows(&rows, verb, s->server == APACHE ? &apache : &lighttpd);
		if (rows.p == NULL || s->server == APACHE)
			buf_str(out, rows.p != NULL ? rows.p : "");
		else
			buf_printf(out, "\t$HTTP[\"request-method\"] =~ \"^%s$\" {\n\t\turl.rewrite-once = (\n%s\t\t)\n\t}\n",
			    verb == GET ? "(GET|HEAD)" : verb_names[verb], rows.p);
	}
}

static void
apache_header(void *arg, const char *name, const char *value)
{
	struct buf *out = arg;

	buf_printf(out, "\tHeader always set %s \"%s\" \"expr=-z resp('%s')\"\n", name, value, name);
}

static void
lua_header(void *arg, const char *name, const char *value)
{
	struct buf *out = arg;

	buf_printf(out, "r.resp_header[\"%s\"] = \"%s\"\n", name, value);
}

static void
lua_status(void *arg, int status, const char *value)
{
	struct buf *out = arg;

	buf_printf(out, "\t[%d] = \"%s\",\n", status != 0 ? status : 400, value);
}

/* Statuses that Apache itself may answer with. Early: before it knows the request, and so no id of it. */
static const struct { int status; bool early; } apache_pages[] = {
	{ 400, true }, { 403, false }, { 404, false }, { 405, false }, { 408, true }, { 411, false },
	{ 413, false }, { 414, true }, { 416, false }, { 431, true }, { 500, false }, { 501, true },
	{ 502, false }, { 503, false }, { 504, false }, { 505, true },
};

static void
apache_errors(struct buf *out, bool openai)
{
	for (size_t i = 0; i < ARRAY_LEN(apache_pages); i++) {
		int status = apache_pages[i].status;
		int as = status == 502 || status == 504 ? 503 : status;
		const char *rid = apache_pages[i].early ? "%{md5:%{TIME}-%{REMOTE_ADDR}-%{REMOTE_PORT}}" : "%{reqenv:LF_RID}";
		char text[100], code[100];

		site_status("lf_text", as, text, sizeof(text));
		site_status("lf_code", as, code, sizeof(code));
		if (as == 503)
			snprintf(code, sizeof(code), "%%{reqenv:LF_CODE}");
		buf_printf(out, openai ? "\t\tErrorDocument %d \"{\\\"error\\\":{\\\"message\\\":\\\"%s\\\",\\\"type\\\":\\\"%s\\\","
		    "\\\"param\\\":null,\\\"code\\\":\\\"%s\\\"},\\\"request_id\\\":\\\"%s\\\"}\"\n" :
		    "\tErrorDocument %d \"{\\\"error\\\":\\\"%s\\\",\\\"message\\\":\\\"%s\\\",\\\"code\\\":\\\"%s\\\","
		    "\\\"type\\\":\\\"%s\\\",\\\"request_id\\\":\\\"%s\\\"}\"\n",
		    status, text, openai ? (as >= 500 ? "server_error" : "invalid_request_error") : text, code,
		    openai ? rid : code, rid);
	}
}

static void
early_statuses(struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < ARRAY_LEN(apache_pages); i++) {
		if (!apache_pages[i].early)
			continue;
		buf_printf(out, "%s'%d'", first ? "" : ", ", apache_pages[i].status);
		first = false;
	}
}

static bool
put_list(struct buf *out, const char *word, size_t n, const struct site *s)
{
#define IS(text) (n == sizeof(text) - 1 && memcmp(word, text, n) == 0)
	if (IS("ROWS"))
		row_lines(out, s);
	else if (IS("HEADERS") && s->server != NGINX)
		conf_each_header(s->server == APACHE ? apache_header : lua_header, out);
	else if (IS("TEXTS"))
		site_each_status("lf_text", lua_status, out);
	else if (IS("CODES"))
		site_each_status("lf_code", lua_status, out);
	else if (IS("ERRORS") || IS("OPENAI_ERRORS"))
		apache_errors(out, IS("OPENAI_ERRORS"));
	else if (IS("EARLY"))
		early_statuses(out);
	else if (IS("HTTP"))
		site_http(out, &s->v);
	else if (IS("SERVER"))
		site_server(out, &s->v);
	else if (IS("TLS"))
		site_template(out, s->plain ? "" : s->tls_text, &s->v);
	else if (IS("REDIRECT"))
		site_template(out, s->plain || s->listen != NULL || s->name == NULL ? "" : s->redirect_text, &s->v);
	else
		return false;
	return true;
}

static bool
put_value(struct buf *out, const char *word, size_t n, void *arg)
{
	const struct site *s = arg;

	if (put_list(out, word, n, s))
		return true;
	if (IS("LISTEN"))
		listen_lines(out, s);
	else if (IS("NAME"))
		name_lines(out, s);
	else if (IS("NAME_END"))
		buf_str(out, s->name != NULL ? "}\n" : "");
	else if (IS("HOST"))
		buf_str(out, s->name != NULL ? s->name : "localhost");
	else if (IS("CERT"))
		buf_str(out, s->cert);
	else if (IS("KEY"))
		buf_str(out, s->key);
	else if (IS("ACCESS_LOG"))
		log_lines(out, s);
	else if (IS("SCRIPT"))
		buf_str(out, s->script);
	else if (IS("PROGRAM_DIR"))
		buf_str(out, s->program);
	else if (IS("MAX_BODY_KB"))
		buf_printf(out, "%llu", (unsigned long long)s->v.max_body_bytes / 1024 + 64);
	else if (IS("SSL_MOD"))
		buf_str(out, s->plain ? "" : s->server == APACHE ? "ssl http2 " : ", \"mod_openssl\"");
	else if (IS("SSL_PKG"))
		buf_str(out, s->plain ? "" : " lighttpd-mod-openssl");
	else
		return false;
	return true;
#undef IS
}

/* --- the command's words ------------------------------------------------------------- */

static int
take_options(struct site *s, int *argc, char **argv)
{
	int rc;

	s->plain = option_flag(argc, argv, "--plain");
	s->cgi = s->server == LIGHTTPD && option_flag(argc, argv, "--cgi");
	s->print_script = s->server == LIGHTTPD && option_flag(argc, argv, "--script");
	s->name = option_value(argc, argv, "--server-name");
	s->cert = option_value(argc, argv, "--cert");
	s->key = option_value(argc, argv, "--key");
	s->listen = option_value(argc, argv, "--listen");
	s->log = option_value(argc, argv, "--access-log");
	s->script = s->server == LIGHTTPD ? option_value(argc, argv, "--script-file") : NULL;
	if (s->script == NULL)
		s->script = "/etc/lighttpd/librefang.lua";
	rc = only_words(argc, argv);
	if (rc != EXIT_GOOD)
		return rc;
	if (*argc > 1)
		return usage("%s: what is \"%s\"?", argv[0], argv[1]);
	if (s->plain && (s->cert != NULL || s->key != NULL))
		return usage("%s: --plain is without TLS, it has no --cert and no --key", argv[0]);
	if ((s->cert != NULL) != (s->key != NULL))
		return usage("%s: --cert and --key go together", argv[0]);
	if (!s->plain && !s->print_script && s->cert == NULL && s->name == NULL)
		return usage("%s: --server-name NAME is needed (or --cert FILE --key FILE, or --plain)", argv[0]);
	return EXIT_GOOD;
}

/* Without --cert: where Let's Encrypt's clients put them. */
static void
default_files(struct site *s)
{
	if (s->cert != NULL || s->name == NULL)
		return;
	snprintf(s->cert_path, sizeof(s->cert_path), "/etc/letsencrypt/live/%.255s/fullchain.pem", s->name);
	snprintf(s->key_path, sizeof(s->key_path), "/etc/letsencrypt/live/%.255s/privkey.pem", s->name);
	s->cert = s->cert_path;
	s->key = s->key_path;
}

static int
check_words(const struct site *s)
{
	static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *files[] = { s->cert, s->key, s->log, s->script, s->program };
	char msg[200];

	if (s->name != NULL && (s->name[0] == '\0' || s->name[strspn(s->name, host)] != '\0'))
		return usage("--server-name: a name like example.org is expected");
	if (s->listen != NULL && (s->listen[0] == '\0' || s->listen[strspn(s->listen, host)] != '\0') &&
	    s->listen[strspn(s->listen, "0123456789abcdefABCDEF.:[]*")] != '\0')
		return usage("--listen: PORT or ADDRESS:PORT is expected");
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i] != NULL && conf_path_ok(files[i], msg, sizeof(msg)) != ERR_OK)
			return complain(EXIT_FAILED, "a path holds a character that the server cannot take");
	if (conf_check(&s->v, msg, sizeof(msg)) != ERR_OK)
		return complain(EXIT_FAILED, "%s", msg);
	return EXIT_GOOD;
}

static int
body_limit(struct site *s)
{
	SCOPED_BUF snap = BUF_INIT(SNAPSHOT_MAX);
	struct config_over over = { 0 };
	struct config *cfg;
	char msg[600];

	if (config_file_snapshot(&s->cli->paths, &over, 0, &snap, msg, sizeof(msg)) != ERR_OK)
		return complain(EXIT_FAILED, "%s", msg);
	if (config_load(snap.p, snap.len, &cfg) != ERR_OK)
		return complain(EXIT_FAILED, "the configuration could not be read");
	s->v.max_body_bytes = cfg->max_body_bytes;
	if (s->server != NGINX && cfg->max_upload_bytes > cfg->max_body_bytes)
		s->v.max_body_bytes = cfg->max_upload_bytes;    /* one limit for all: the daemon says the smaller one */
	config_free(cfg);
	return EXIT_GOOD;
}

/* Two homes in one nginx must not share a name. */
static void
make_tag(struct site *s)
{
	uint8_t sum[32];

	sha256(s->cli->paths.home, strlen(s->cli->paths.home), sum);
	hex_of(sum, 4, s->tag);
	s->tag[8] = '_';
	s->tag[9] = '\0';
}

static int
print_site(struct site *s, const char *text)
{
	SCOPED_BUF out = BUF_INIT(SITE_MAX);

	site_template(&out, text, &s->v);
	if (out.failed || out.p == NULL)
		return complain(EXIT_FAILED, "no memory");
	fwrite(out.p, 1, out.len, stdout);
	return EXIT_GOOD;
}

static int
front_conf(struct site *s, int argc, char **argv, const char *text)
{
	int rc = take_options(s, &argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (!cli_locate(s->cli, false) || !sup_programs(s->program, sizeof(s->program)))
		return complain(EXIT_FAILED, "librefang-fcgi is not where this program is");
	default_files(s);
	make_tag(s);
	s->v = (struct nginx_vars){
		.home = s->cli->paths.home, .run = s->cli->paths.run, .word = put_value, .arg = s,
		.webchat = webchat_find(s->page, sizeof(s->page)), .tag = s->server == NGINX ? s->tag : NULL,
	};
	rc = check_words(s);
	if (rc == EXIT_GOOD)
		rc = body_limit(s);
	return rc == EXIT_GOOD ? print_site(s, s->print_script ? lighttpd_script : s->cgi ? lighttpd_cgi : text) : rc;
}

int
cmd_nginx_conf(struct cli *cli, int argc, char **argv)
{
	struct site s = { .cli = cli, .server = NGINX, .tls_text = nginx_tls, .redirect_text = nginx_redirect };

	return front_conf(&s, argc, argv, nginx_site);
}

int
cmd_apache_conf(struct cli *cli, int argc, char **argv)
{
	struct site s = { .cli = cli, .server = APACHE, .tls_text = apache_tls, .redirect_text = apache_redirect };

	return front_conf(&s, argc, argv, apache_site);
}

int
cmd_lighttpd_conf(struct cli *cli, int argc, char **argv)
{
	struct site s = { .cli = cli, .server = LIGHTTPD, .tls_text = lighttpd_tls, .redirect_text = "" };

	return front_conf(&s, argc, argv, lighttpd_site);
}

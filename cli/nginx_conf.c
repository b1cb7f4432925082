/*
 * The private nginx's configuration.
 *
 * The template (nginx/librefang.conf.in) is inside this program. Two parts come from where the
 * API itself has them: the rows that the daemon answers, from the route table; the header
 * lines of every answer, from reply_headers().
 */
#include "cli/nginx_conf.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/api/api.h"
#include "lib/base/embed.h"

EMBED(nginx_template, "nginx/librefang.conf.in");

#define MARK "\1"

enum { LINE_MAX_BYTES = 2000, ROWS_MAX = 256, CONNECTIONS = 4608 };       /* two for each socket or stream: 2,000 of them, and some */

/* --- rows of the daemon ------------------------------------------------------ */

static void
literal(struct buf *out, char ch)
{
	if (strchr(".+*?()[]^$|\\", ch) != NULL)
		buf_ch(out, '\\');
	buf_ch(out, ch);
}

/* What the parts of a row's path match, each behind a mark: "/api/agents/{id}" → "\1api(?:/v1)?\1agents\1[^/?]+". */
static void
row_parts(struct buf *out, const struct route *r)
{
	const char *p = r->path;

	if (strncmp(p, "/api/", 5) == 0 && (r->flags & RT_NO_ALIAS) == 0) {
		buf_str(out, MARK "api(?:/v1)?");
		p += 4;
	}
	while (*p != '\0') {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (end != NULL) {
			buf_str(out, end[-1] == '*' ? "[^?]*" : "[^/?]+");
			p = end;
		} else if (*p == '/') {
			buf_str(out, MARK);
		} else {
			literal(out, *p);
		}
		p++;
	}
	buf_add(out, "", 1);            /* one text behind the other */
}

/*
 * Sorted rows as one expression, in which what several begin with stands once: it is shorter, and few parts
 * of it are looked at. Takes the rows apart.
 */
static void
tree(struct buf *out, const char **row, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		size_t part = 1 + strcspn(row[i] + 1, MARK);
		bool ends = row[i][part] == '\0', group;

		for (next = i + 1; next < n && strncmp(row[next], row[i], part) == 0 && strchr(MARK, row[next][part]) != NULL; next++)
			row[next] += part;
		group = next - i > 1;
		buf_str(out, i > 0 ? "|/" : "/");
		buf_add(out, row[i] + 1, part - 1);
		row[i] += part;
		if (group)
			buf_str(out, "(?:");
		tree(out, row + i + ends, next - i - ends);
		if (group)
			buf_str(out, ends ? ")?" : ")");
	}
}

/* As few lines as there are verbs: a front server tries each with every request. One that is too long becomes two. */
static void
lines_of(struct buf *out, const char **row, size_t n, enum verb verb, const struct conf_row_style *st)
{
	const char *parts[ROWS_MAX];
	size_t from = out->len;

	memcpy(parts, row, n * sizeof(row[0]));
	buf_str(out, st->before);
	if (st->between != NULL)
		buf_printf(out, "%s%s", verb == GET ? "(GET|HEAD)" : verb_names[verb], st->between);
	tree(out, parts, n);
	if (out->len - from > LINE_MAX_BYTES && n > 1) {
		out->len = from;
		lines_of(out, row, n / 2, verb, st);
		lines_of(out, row + n / 2, n - n / 2, verb, st);
	} else {
		buf_str(out, st->after);
	}
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
conf_live_rows(struct buf *out, enum verb verb, const struct conf_row_style *st)
{
	SCOPED_BUF parts = BUF_INIT(65536);
	const char *row[ROWS_MAX], *p;
	size_t n = 0;

	for (size_t i = 0; i < n_routes && n < ROWS_MAX; i++)
		if (routes[i].verb == verb && routes[i].runs == LIVE) {
			row_parts(&parts, &routes[i]);
			n++;
		}
	out->failed |= parts.failed;
	p = parts.p;
	for (size_t i = 0; !parts.failed && i < n; i++, p += strlen(p) + 1)
		row[i] = p;
	if (parts.failed || n == 0)
		return;
	qsort(row, n, sizeof(row[0]), by_text);
	lines_of(out, row, n, verb, st);
}

/* Rows whose body is a file, when it has a length. */
static void
upload_rows(struct buf *out)
{
	for (size_t i = 0; i < n_routes; i++) {
		SCOPED_BUF parts = BUF_INIT(4096);

		if ((routes[i].flags & RT_UPLOAD) == 0)
			continue;
		row_parts(&parts, &routes[i]);
		if (parts.failed) {
			out->failed = true;
			return;
		}
		buf_printf(out, "\t\t\"~^[0-9]+:%s:", verb_names[routes[i].verb]);
		tree(out, &(const char *){ parts.p }, 1);
		buf_str(out, "(\\?|$)\" 1;\n");
	}
}

static const struct conf_row_style in_map = { "\t\t\"~^", ":(", ")(\\?|$)\" 1;\n" };

/* --- header lines --------------------------------------------------------------- */

static bool
starts(const char *line, const char *name)
{
	return strncasecmp(line, name, strlen(name)) == 0;
}

void
conf_each_header(void (*on)(void *, const char *, const char *), void *arg)
{
	SCOPED_BUF lines = BUF_INIT(16384);
	struct ctx c = { 0 };
	struct request rq = { .method = "GET", .target = "/" };
	struct reply r = { .status = 200 };

	reply_headers(&c, &rq, &r, &lines);
	for (char *p = lines.p, *end; p != NULL && (end = strstr(p, "\r\n")) != NULL; p = end + 2) {
		char *colon = strstr(p, ": ");

		*end = '\0';
		if (colon == NULL || starts(p, "Content-Type:") || starts(p, "X-Request-Id:"))
			continue;
		*colon = '\0';
		on(arg, p, colon + 2);
	}
}

struct lines { struct buf *out; bool caching; };

static void
header_line(void *arg, const char *name, const char *value)
{
	const struct lines *l = arg;

	if (l->caching || strcasecmp(name, "Cache-Control") != 0)
		buf_printf(l->out, "\t\t\tadd_header %s \"%s\" always;\n", name, value);
}

/* Without caching: for the files of the page, whose locations say their own. */
static void
header_lines(struct buf *out, bool caching, const struct nginx_vars *v)
{
	struct lines l = { .out = out, .caching = caching };

	conf_each_header(header_line, &l);
	buf_printf(out, "\t\t\tadd_header X-Request-Id $lf_%srid always;\n", v->tag != NULL ? v->tag : "");
}

/* --- the template ---------------------------------------------------------------- */

/* As root nginx would make its workers nobody's, who may not use our sockets. */
static void
user_line(struct buf *out)
{
	struct passwd *pw = geteuid() == 0 ? getpwuid(0) : NULL;
	struct group *gr = geteuid() == 0 ? getgrgid(0) : NULL;

	if (pw != NULL && gr != NULL)
		buf_printf(out, "user %s %s;\n", pw->pw_name, gr->gr_name);
}

static void
put_word(struct buf *out, const char *word, size_t n, const struct nginx_vars *v)
{
#define IS(text) (n == sizeof(text) - 1 && memcmp(word, text, n) == 0)
	if (v->word != NULL && v->word(out, word, n, v->arg))
		return;
	if (IS("USER"))
		user_line(out);
	else if (IS("WORKERS"))
		buf_printf(out, "%u", v->workers);
	else if (IS("CONNECTIONS"))
		buf_printf(out, "%d", CONNECTIONS);
	else if (IS("RUN"))
		buf_str(out, v->run);
	else if (IS("HOME"))
		buf_str(out, v->home);
	else if (IS("MAX_BODY"))        /* a little more, so that the programs say 413 themselves */
		buf_printf(out, "%llu", (unsigned long long)v->max_body_bytes + 65536);
	else if (IS("HEADERS"))
		header_lines(out, true, v);
	else if (IS("PAGE_HEADERS"))
		header_lines(out, false, v);
	else if (IS("WEBCHAT"))
		buf_str(out, v->webchat);
	else if (IS("ACCESS_LOG") && v->access_log)
		buf_printf(out, "access_log \"%s/logs/access.log\" lf buffer=32k flush=1s;", v->home);
	else if (IS("ACCESS_LOG"))
		buf_str(out, "access_log off;");
	else if (IS("LIVE"))
		for (enum verb verb = 0; verb < VERB_COUNT; verb++)
			conf_live_rows(out, verb, &in_map);
	else if (IS("UPLOADS"))
		upload_rows(out);
	else if (IS("LISTEN"))
		for (size_t i = 0; i < v->n_listen; i++)
			buf_printf(out, "\t\tlisten %s backlog=4096 default_server;\n", v->listen[i]);
#undef IS
}

enum err
conf_path_ok(const char *path, char *msg, size_t cap)
{
	for (const unsigned char *p = (const unsigned char *)path; *p != '\0'; p++) {
		if (*p >= 0x20 && *p != 0x7f && strchr("\"\\$'", *p) == NULL)
			continue;
		snprintf(msg, cap, "the directory's name holds a character that nginx cannot take");
		return ERR_INVALID;
	}
	return ERR_OK;
}

const char *
nginx_private(void)
{
	return nginx_template;
}

void
conf_fill(struct buf *out, const char *p, const struct nginx_vars *v)
{
	while (*p != '\0') {
		size_t n = strcspn(p, "@"), word;

		buf_add(out, p, n);
		p += n;
		if (*p == '\0')
			break;
		word = strspn(++p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (p[word] != '@') {
			buf_ch(out, '@');
			continue;
		}
		put_word(out, p, word, v);
		p += word + 1;
	}
}

enum err
conf_check(const struct nginx_vars *v, char *msg, size_t cap)
{
	return conf_path_ok(v->home, msg, cap) != ERR_OK || conf_path_ok(v->run, msg, cap) != ERR_OK ||
	    conf_path_ok(v->webchat, msg, cap) != ERR_OK ? ERR_INVALID : ERR_OK;
}

enum err
nginx_render(struct buf *out, const struct nginx_vars *v, char *msg, size_t cap)
{
	if (conf_check(v, msg, cap) != ERR_OK)
		return ERR_INVALID;
	conf_fill(out, nginx_template, v);
	if (!out->failed)
		return ERR_OK;
	snprintf(msg, cap, "no memory for nginx's configuration");
	return ERR_NOMEM;
}

/*
 * Parts of the private nginx's configuration, for servers that are not ours.
 *
 * There is one template of the way a request takes (nginx/librefang.conf.in). A site of the machine's
 * nginx is made of its statements: those that nginx wants outside of servers go before ours,
 * all others inside. Names get a mark, because a second home may have a site in the same nginx.
 * The texts of error pages for other servers are read out of its maps.
 */
#include "cli/conf_site.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 256 * 1024 };

/* One statement with the blanks and comments before it. */
struct piece {
	const char *p, *word;
	size_t n, word_n;
};

/* --- taking the template to pieces ---------------------------------------------- */

static const char *
skip_blank(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (*p != '#')
			return p;
		p += strcspn(p, "\n");
	}
}

static const char *
skip_quoted(const char *p)
{
	char q = *p++;

	while (*p != '\0' && *p != q)
		p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
	return *p != '\0' ? p + 1 : p;
}

/* Behind a statement's ";" or its block's "}". */
static const char *
statement_end(const char *p)
{
	int depth = 0;

	while (*p != '\0') {
		if (*p == '"' || *p == '\'') {
			p = skip_quoted(p);
			continue;
		}
		if (*p == '#' && isspace((unsigned char)p[-1])) {
			p += strcspn(p, "\n");
			continue;
		}
		depth += (*p == '{') - (*p == '}');
		if ((*p == ';' || *p == '}') && depth == 0)
			return p + 1;
		p++;
	}
	return p;
}

/* A word between @ signs alone on its line stands for whole statements. */
static const char *
lone_word_end(const char *p)
{
	size_t n = *p == '@' ? 1 + strspn(p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;

	return n > 1 && p[n] == '@' && p[n + 1] == '\n' ? p + n + 1 : NULL;
}

static bool
next_piece(const char **at, const char *end, struct piece *s)
{
	const char *stop;

	s->p = *at;
	s->word = skip_blank(*at);
	if (s->word >= end || *s->word == '}')
		return false;
	s->word_n = strcspn(s->word, " \t\n;{");
	stop = lone_word_end(s->word);
	if (stop == NULL)
		stop = statement_end(s->word);
	stop += *stop == '\n';
	s->n = (size_t)(stop - s->p);
	*at = stop;
	return true;
}

/* Between the braces of a block's statement. */
static const char *
inside(const struct piece *s, const char **end)
{
	const char *open = memchr(s->p, '{', s->n), *shut = s->p + s->n;

	while (shut > s->p && *shut != '}')
		shut--;
	*end = shut;
	return open != NULL ? open + 1 : shut;
}

static bool
http_block(struct piece *ret)
{
	const char *at = nginx_private(), *end = at + strlen(at);

	while (next_piece(&at, end, ret))
		if (ret->word_n == 4 && memcmp(ret->word, "http", 4) == 0)
			return true;
	return false;
}

/* --- names -------------------------------------------------------------------------- */

static bool
name_char(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_';
}

/* A copy, "lf" and "lf_x" made "lf_<tag>" and "lf_<tag>x"; if left, one tab further to the left. */
static void
mark_names(struct buf *out, const char *p, size_t n, const char *tag, bool left)
{
	for (size_t i = 0; i < n; i++) {
		char before = i > 0 ? p[i - 1] : '\n';

		if (left && before == '\n' && p[i] == '\t')
			continue;
		buf_ch(out, p[i]);
		if (p[i] != 'l' || name_char(before) || i + 2 >= n || p[i + 1] != 'f' ||
		    (p[i + 2] != '_' && strchr(" ;\"'", p[i + 2]) == NULL))
			continue;
		buf_printf(out, "f_%s", tag);
		i += p[i + 2] == '_' ? 2 : 1;
	}
}

static void
put_marked(struct buf *out, const struct piece *s, const struct nginx_vars *v, bool left)
{
	SCOPED_BUF b = BUF_INIT(PIECE_MAX);

	mark_names(&b, s->p, s->n, v->tag, left);
	if (b.failed)
		out->failed = true;
	else if (b.p != NULL)
		conf_fill(out, b.p, v);
}

static void
put_piece(struct buf *out, const struct piece *s, const struct nginx_vars *v)
{
	put_marked(out, s, v, true);
}

void
site_template(struct buf *out, const char *text, const struct nginx_vars *v)
{
	const struct piece all = { .p = text, .n = strlen(text) };

	if (v->tag != NULL)
		put_marked(out, &all, v, false);
	else
		conf_fill(out, text, v);
}

/* --- the two parts ------------------------------------------------------------------- */

static bool
is(const struct piece *s, const char *word)
{
	return s->word_n == strlen(word) && memcmp(s->word, word, s->word_n) == 0;
}

static bool
mentions(const struct piece *s, const char *text)
{
	return memmem(s->p, s->n, text, strlen(text)) != NULL;
}

static bool
outside_servers(const struct piece *s)
{
	return is(s, "map") || is(s, "upstream") || is(s, "log_format") || is(s, "geo") ||
	    is(s, "limit_req_zone") || is(s, "limit_conn_zone");
}

/* Directories for temporary files are the other server's own business. */
static bool
of_the_machine(const struct piece *s)
{
	return s->word_n > 10 && memcmp(s->word + s->word_n - 10, "_temp_path", 10) == 0;
}

void
site_http(struct buf *out, const struct nginx_vars *v)
{
	struct piece http, s;
	const char *at, *end;

	if (!http_block(&http))
		return;
	at = inside(&http, &end);
	while (next_piece(&at, end, &s))
		if (outside_servers(&s))
			put_piece(out, &s, v);
}

static void
server_parts(struct buf *out, const struct piece *server, const struct nginx_vars *v)
{
	const char *end, *at = inside(server, &end);
	struct piece s;

	while (next_piece(&at, end, &s))
		if (!mentions(&s, "server_name"))
			put_piece(out, &s, v);
}

void
site_server(struct buf *out, const struct nginx_vars *v)
{
	struct piece http, s;
	const char *at, *end;

	if (!http_block(&http))
		return;
	at = inside(&http, &end);
	while (next_piece(&at, end, &s)) {
		if (is(&s, "server"))
			server_parts(out, &s, v);
		else if (!outside_servers(&s) && !of_the_machine(&s))
			put_marked(out, &s, v, false);
	}
}

/* --- error texts ----------------------------------------------------------------------- */

/* The map of a status to the variable; entries one after the other. */
static bool
status_map(const char *var, const char **at, const char **end)
{
	char head[64];
	const char *p;

	snprintf(head, sizeof(head), "map $status $%s {", var);
	p = strstr(nginx_private(), head);
	if (p == NULL)
		return false;
	*at = p + strlen(head);
	*end = strchr(*at, '}');
	return *end != NULL;
}

void
site_each_status(const char *var, void (*on)(void *, int status, const char *value), void *arg)
{
	const char *at, *end;
	struct piece s;

	if (!status_map(var, &at, &end))
		return;
	while (next_piece(&at, end, &s)) {
		const char *p = s.word + s.word_n;
		char value[100];

		p += strspn(p, " \t\"");
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(p, "\";"), p);
		on(arg, is(&s, "default") ? 0 : atoi(s.word), value);
	}
}

struct wanted { int status; char *out; size_t cap; bool exact; };

static void
take_status(void *arg, int status, const char *value)
{
	struct wanted *w = arg;

	if (status != w->status && (status != 0 || w->exact))
		return;
	w->exact = status == w->status;
	snprintf(w->out, w->cap, "%s", value);
}

void
site_status(const char *var, int status, char *out, size_t cap)
{
	struct wanted w = { .status = status, .out = out, .cap = cap };

	snprintf(out, cap, "error");
	site_each_status(var, take_status, &w);
}

/*
 * The reader is a machine of few states over single bytes, but for data, where the search for
 * the boundary looks at runs. The difficult thing: a boundary may be cut anywhere between two pieces,
 * and what looks like its beginning may be data. So as many bytes as match so far are held back, as a
 * number only: they are the boundary's own, and a mismatch gives them out again from there.
 */
#include "lib/base/multipart.h"

#include <string.h>
#include <strings.h>

enum { PARTS_MAX = 64 };
enum {
	BEFORE,         /* preamble: before the first boundary */
	DATA,
	AFTER_MARK,     /* behind a boundary: "--" ends all, CR LF begins a part */
	DASH,           /* one '-' of the two */
	PADDING_LF,     /* CR behind a boundary */
	HEAD,
	OVER,           /* epilogue */
};

/* --- the boundary ------------------------------------------------------------------ */

static bool
boundary_char(char ch)
{
	return (ch >= '0' && ch <= '9') || ((ch | 32) >= 'a' && (ch | 32) <= 'z') || strchr("'()+_,-./:=? ", ch) != NULL;
}

/* The parameter of that name, unquoted, to out; false: it is not there or too long. */
static bool
parameter(const char *p, const char *name, char *out, size_t cap)
{
	size_t name_n = strlen(name), n = 0;

	while ((p = strchr(p, ';')) != NULL) {
		p += 1 + strspn(p + 1, " \t");
		if (strncasecmp(p, name, name_n) == 0 && p[name_n] == '=') {
			p += name_n + 1;
			break;
		}
		/* a quoted value may hold semicolons */
		for (bool quoted = false; *p != '\0' && (quoted || *p != ';'); p++) {
			if (quoted && *p == '\\' && p[1] != '\0')
				p++;
			else if (*p == '"')
				quoted = !quoted;
		}
		if (*p == '\0')
			return false;
	}
	if (p == NULL)
		return false;
	if (*p == '"') {
		for (p++; *p != '\0' && *p != '"'; p++) {
			if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
				p++;
			if (n + 1 >= cap)
				return false;
			out[n++] = *p;
		}
		if (*p != '"')
			return false;
	} else {
		for (; *p != '\0' && strchr("; \t\r\n", *p) == NULL; p++) {
			if (n + 1 >= cap)
				return false;
			out[n++] = *p;
		}
	}
	out[n] = '\0';
	return true;
}

bool
multipart_boundary(const char *type, char ret[static MULTIPART_BOUNDARY_MAX + 1])
{
	size_t n;

	type += strspn(type, " \t");
	if (strncasecmp(type, "multipart/form-data", 19) != 0 || strchr("; \t", type[19]) == NULL ||
	    !parameter(type, "boundary", ret, MULTIPART_BOUNDARY_MAX + 1))
		return false;
	n = strlen(ret);
	for (size_t i = 0; i < n; i++)
		if (!boundary_char(ret[i]))
			return false;
	return n > 0 && ret[n - 1] != ' ';
}

void
multipart_init(struct multipart *m, const char *boundary, const struct multipart_sink *sink)
{
	size_t k = 0;

	*m = (struct multipart){ .sink = sink, .state = BEFORE };
	memcpy(m->mark, "\r\n--", 4);
	m->mark_n = 4 + strlen(boundary);
	memcpy(m->mark + 4, boundary, m->mark_n - 3);
	for (size_t i = 1; i < m->mark_n; i++) {        /* border[n]: of the first n bytes */
		while (k > 0 && m->mark[i] != m->mark[k])
			k = m->border[k];
		k += m->mark[i] == m->mark[k];
		m->border[i + 1] = k;
	}
	m->matched = 2;                 /* the first boundary may begin the body: its line break is taken as seen */
}

/* --- data --------------------------------------------------------------------------- */

static bool
give(struct multipart *m, const char *p, size_t n)
{
	return m->state != DATA || n == 0 || m->sink->data(m->sink->arg, p, n);
}

/* Up to the end of the boundary, or of what there is. NULL: the sink said stop. */
static const char *
search(struct multipart *m, const char *p, const char *end, bool *ret_found)
{
	*ret_found = false;
	while (p < end) {
		if (m->matched == 0) {
			const char *cr = memchr(p, '\r', (size_t)(end - p));

			if (!give(m, p, (size_t)((cr != NULL ? cr : end) - p)))
				return NULL;
			p = cr != NULL ? cr + 1 : end;
			m->matched = cr != NULL;
			continue;
		}
		if (*p != m->mark[m->matched]) {
			size_t less = m->border[m->matched];

			if (!give(m, m->mark, m->matched - less))
				return NULL;
			m->matched = less;
			continue;
		}
		p++;
		if (++m->matched == m->mark_n) {
			m->matched = 0;
			*ret_found = true;
			return p;
		}
	}
	return p;
}

/* --- heads ---------------------------------------------------------------------------- */

/* One header line's value when it is that one. */
static const char *
value_of(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0)
		return NULL;
	return line + n + strspn(line + n, " \t");
}

static enum err
part_begins(struct multipart *m)
{
	char name[256] = "", filename[1024], *save = NULL;
	const char *type = NULL, *v;
	bool has_name = false, has_file = false;

	if (++m->parts > PARTS_MAX || memchr(m->head, '\0', m->head_n) != NULL)
		return ERR_BAD_REQUEST;
	m->head[m->head_n] = '\0';
	for (char *line = strtok_r(m->head, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
		if ((v = value_of(line, "Content-Disposition:")) != NULL) {
			if (strncasecmp(v, "form-data", 9) != 0)
				return ERR_BAD_REQUEST;
			has_name = parameter(v, "name", name, sizeof(name));
			has_file = parameter(v, "filename", filename, sizeof(filename));
		} else if ((v = value_of(line, "Content-Type:")) != NULL) {
			type = v;
		}
	}
	if (!has_name)
		return ERR_BAD_REQUEST;
	m->state = DATA;
	m->matched = 0;
	return m->sink->begin(m->sink->arg, name, has_file ? filename : NULL, type) ? ERR_OK : ERR_CANCELLED;
}

static enum err
head_byte(struct multipart *m, char ch)
{
	if (m->head_n == MULTIPART_HEAD_MAX)
		return ERR_BAD_REQUEST;
	m->head[m->head_n++] = ch;
	if (m->head_n >= 4 && memcmp(m->head + m->head_n - 4, "\r\n\r\n", 4) == 0)
		return part_begins(m);
	return ERR_OK;
}

/* A byte behind a boundary. */
static enum err
after(struct multipart *m, char ch)
{
	if (m->state == AFTER_MARK && ch == '-') {
		m->state = DASH;
	} else if (m->state == DASH && ch == '-') {
		m->state = OVER;
	} else if (m->state == AFTER_MARK && ch == '\r') {
		m->state = PADDING_LF;
	} else if (m->state == PADDING_LF && ch == '\n') {
		memcpy(m->head, "\r\n", 2);     /* so that a part without header lines ends its head too */
		m->head_n = 2;
		m->state = HEAD;
	} else if (m->state != AFTER_MARK || (ch != ' ' && ch != '\t')) {
		return ERR_BAD_REQUEST;
	}
	return ERR_OK;
}

enum err
multipart_feed(struct multipart *m, const char *p, size_t n)
{
	const char *end = p + n;
	enum err e = ERR_OK;

	while (p < end && e == ERR_OK && m->state != OVER) {
		if (m->state == BEFORE || m->state == DATA) {
			bool found;

			p = search(m, p, end, &found);
			if (p == NULL)
				return ERR_CANCELLED;
			m->state = found ? AFTER_MARK : m->state;
		} else {
			e = m->state == HEAD ? head_byte(m, *p) : after(m, *p);
			p++;
		}
	}
	return e;
}

bool
multipart_done(const struct multipart *m)
{
	return m->state == OVER;
}

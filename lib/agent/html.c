/*
 * Web pages as readable text: one pass from the left, without a tree.
 *
 * Pages are broken in every way, so nothing here nests or looks back: a tag
 * only changes a little state (what is skipped, whether blanks count, which link is
 * open). What is never closed ends with the page. The difficult thing is white space:
 * it is only noted, and written when the next word comes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/agent/html.h"
#include "lib/base/json.h"

enum { HREF_MAX = 1000, ADDRESS_MAX = 2000 };

struct page {
	const char *p, *end;
	struct buf *out;
	const char *base;
	unsigned breaks;                /* line ends to write before the next word; 2 is an empty line */
	bool blank, started, bullet;    /* bullet: "-" stands there and waits for its text */
	unsigned pre;                   /* open <pre> */
	char href[HREF_MAX];            /* of the open link, "" if none */
	size_t link_at;                 /* out->len where its text began */
};

struct tag {
	char name[16];
	bool closing;
	const char *attrs;
	size_t attrs_n;
};

/* --- writing ----------------------------------------------------------------- */

static void
flush_space(struct page *g)
{
	if (g->started)
		for (unsigned i = 0; i < g->breaks && i < 2; i++)
			buf_ch(g->out, '\n');
	if (g->blank && g->breaks == 0 && g->started)
		buf_ch(g->out, ' ');
	g->breaks = 0;
	g->blank = false;
	g->started = true;
	g->bullet = false;
}

static void
put_ch(struct page *g, char ch)
{
	if (g->pre > 0 && (ch == '\n' || ch == ' ' || ch == '\t')) {
		if (ch == '\n' && g->breaks < 2)
			g->breaks++;
		else if (ch != '\n' && g->started && g->breaks == 0)
			buf_ch(g->out, ch);
		else if (ch != '\n' && g->started) {
			flush_space(g);
			buf_ch(g->out, ch);
		}
	} else if (isspace((unsigned char)ch)) {
		g->blank = true;
	} else if ((unsigned char)ch >= 0x20 && ch != 0x7f) {
		flush_space(g);
		buf_ch(g->out, ch);
	}
}

static void
put_str(struct page *g, const char *s)
{
	flush_space(g);
	buf_str(g->out, s);
}

static void
line(struct page *g, unsigned breaks)
{
	if (!g->bullet && g->breaks < breaks)
		g->breaks = breaks;
}

/* --- entities ------------------------------------------------------------------- */

static size_t
encode(uint32_t u, char out[static 4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xC0 | u >> 6);
		out[1] = (char)(0x80 | (u & 63));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xE0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 63));
		out[2] = (char)(0x80 | (u & 63));
		return 3;
	}
	out[0] = (char)(0xF0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 63));
	out[2] = (char)(0x80 | (u >> 6 & 63));
	out[3] = (char)(0x80 | (u & 63));
	return 4;
}

static const struct { const char *name; uint32_t u; } entities[] = {
	{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' }, { "nbsp", ' ' },
	{ "copy", 0xA9 }, { "reg", 0xAE }, { "trade", 0x2122 }, { "hellip", 0x2026 }, { "mdash", 0x2014 },
	{ "ndash", 0x2013 }, { "lsquo", 0x2018 }, { "rsquo", 0x2019 }, { "ldquo", 0x201C }, { "rdquo", 0x201D },
	{ "laquo", 0xAB }, { "raquo", 0xBB }, { "bull", 0x2022 }, { "middot", 0xB7 }, { "euro", 0x20AC },
	{ "pound", 0xA3 }, { "yen", 0xA5 }, { "cent", 0xA2 }, { "sect", 0xA7 }, { "para", 0xB6 }, { "deg", 0xB0 },
	{ "plusmn", 0xB1 }, { "times", 0xD7 }, { "divide", 0xF7 }, { "frac12", 0xBD }, { "larr", 0x2190 },
	{ "rarr", 0x2192 }, { "uarr", 0x2191 }, { "darr", 0x2193 }, { "auml", 0xE4 }, { "ouml", 0xF6 },
	{ "uuml", 0xFC }, { "Auml", 0xC4 }, { "Ouml", 0xD6 }, { "Uuml", 0xDC }, { "szlig", 0xDF },
	{ "eacute", 0xE9 }, { "egrave", 0xE8 }, { "ecirc", 0xEA }, { "agrave", 0xE0 }, { "aacute", 0xE1 },
	{ "acirc", 0xE2 }, { "ccedil", 0xE7 }, { "ntilde", 0xF1 }, { "oacute", 0xF3 }, { "iacute", 0xED },
	{ "uacute", 0xFA }, { "ograve", 0xF2 }, { "ocirc", 0xF4 }, { "aring", 0xE5 }, { "oslash", 0xF8 },
	{ "aelig", 0xE6 }, { "ensp", ' ' }, { "emsp", ' ' }, { "thinsp", ' ' }, { "shy", 0 }, { "zwnj", 0 }, { "zwj", 0 },
};

/* "&...;" at s: how many bytes it has (0: it is none) and what it means (0: nothing). */
static size_t
entity(const char *s, size_t n, uint32_t *ret)
{
	size_t k = 1;
	uint32_t u = 0;
	bool hex;

	if (n < 3 || s[1] != '#') {
		while (k < n && k < 12 && isalnum((unsigned char)s[k]))
			k++;
		for (size_t i = 0; k < n && s[k] == ';' && i < ARRAY_LEN(entities); i++)
			if (strlen(entities[i].name) == k - 1 && memcmp(entities[i].name, s + 1, k - 1) == 0) {
				*ret = entities[i].u;
				return k + 1;
			}
		return 0;
	}
	hex = s[2] == 'x' || s[2] == 'X';
	for (k = hex ? 3 : 2; k < n && k < 32; k++) {
		int d = isdigit((unsigned char)s[k]) ? s[k] - '0' :
		    hex && isxdigit((unsigned char)s[k]) ? tolower((unsigned char)s[k]) - 'a' + 10 : -1;

		if (d < 0)
			break;
		u = u > 0x110000 ? u : u * (hex ? 16 : 10) + (uint32_t)d;
	}
	if (k == (hex ? 3u : 2u))
		return 0;
	*ret = u > 0x10FFFF || (u >= 0xD800 && u < 0xE000) || (u >= 0x7f && u < 0xa0) ? 0xFFFD : u == 0xA0 ? ' ' : u;
	return k + (k < n && s[k] == ';');
}

static void
put_text(struct page *g)
{
	uint32_t u;
	char utf8[4];
	size_t k = *g->p == '&' ? entity(g->p, (size_t)(g->end - g->p), &u) : 0;

	if (k == 0) {
		put_ch(g, *g->p++);
		return;
	}
	g->p += k;
	if (u < 0x80) {
		if (u != 0)
			put_ch(g, (char)u);
		return;
	}
	k = encode(u, utf8);
	flush_space(g);
	buf_add(g->out, utf8, k);
}

/* --- tags ------------------------------------------------------------------------- */

/* From '<' to behind '>'; false: this '<' begins no tag. An unfinished tag reaches to the end. */
static bool
read_tag(struct page *g, struct tag *t)
{
	const char *p = g->p + 1;
	size_t n = 0;
	char quote = 0;

	*t = (struct tag){ .closing = p < g->end && *p == '/' };
	p += t->closing;
	if (p >= g->end || !isalpha((unsigned char)*p))
		return false;
	for (; p < g->end && (isalnum((unsigned char)*p) || *p == '-' || *p == ':'); p++)
		if (n + 1 < sizeof(t->name))
			t->name[n++] = (char)tolower((unsigned char)*p);
	t->attrs = p;
	for (; p < g->end && (quote != 0 || *p != '>'); p++) {
		/* a quote only counts as the beginning of a value */
		if (quote != 0 ? *p == quote : (*p == '"' || *p == '\'') && p > t->attrs && p[-1] == '=')
			quote = quote != 0 ? 0 : *p;
	}
	t->attrs_n = (size_t)(p - t->attrs);
	g->p = p < g->end ? p + 1 : p;
	return true;
}

/* The value of an attribute, entities decoded, control characters as blanks, cut at cap; false: not there. */
static bool
attribute(const struct tag *t, const char *name, char *out, size_t cap)
{
	const char *p = t->attrs, *end = t->attrs + t->attrs_n;
	size_t k = strlen(name), n = 0;

	while (p < end) {
		const char *from, *to;
		bool mine;

		while (p < end && (isspace((unsigned char)*p) || *p == '/'))
			p++;
		mine = (size_t)(end - p) > k && strncasecmp(p, name, k) == 0 &&
		    (p[k] == '=' || isspace((unsigned char)p[k]));
		while (p < end && *p != '=' && !isspace((unsigned char)*p))
			p++;
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p >= end || *p != '=')
			continue;
		for (p++; p < end && isspace((unsigned char)*p); p++)
			;
		if (p < end && (*p == '"' || *p == '\'')) {
			from = p + 1;
			to = memchr(from, *p, (size_t)(end - from));
			to = to != NULL ? to : end;
			p = to < end ? to + 1 : end;
		} else {
			for (from = p; p < end && !isspace((unsigned char)*p); p++)
				;
			to = p;
		}
		if (!mine)
			continue;
		while (from < to && n + 5 < cap) {
			uint32_t u;
			size_t len = *from == '&' ? entity(from, (size_t)(to - from), &u) : 0;

			if (len > 0 && u != 0)
				n += encode(u, out + n);
			else if (len == 0 && *from != 0x7f)
				out[n++] = (unsigned char)*from > 0x20 ? *from : ' ';
			from += len > 0 ? len : 1;
		}
		if (from < to)
			n = utf8_cut(out, n, n - 1);
		out[n] = '\0';
		return true;
	}
	return false;
}

/* Skip to behind </name>, or to the end. */
static void
skip_raw(struct page *g, const char *name)
{
	size_t k = strlen(name);

	for (; g->p < g->end; g->p++) {
		const char *lt = memchr(g->p, '<', (size_t)(g->end - g->p));

		g->p = lt != NULL ? lt : g->end;
		if (lt == NULL)
			return;
		if ((size_t)(g->end - lt) > k + 1 && lt[1] == '/' && strncasecmp(lt + 2, name, k) == 0) {
			const char *gt = memchr(lt, '>', (size_t)(g->end - lt));

			g->p = gt != NULL ? gt + 1 : g->end;
			return;
		}
	}
}

/* <!-- -->, <!doctype>, <![CDATA[ ]]>, <? ?> */
static void
skip_declaration(struct page *g)
{
	size_t left = (size_t)(g->end - g->p);
	const char *stop = ">";
	const char *at;

	if (left >= 4 && memcmp(g->p, "<!--", 4) == 0)
		stop = "-->";
	else if (left >= 9 && memcmp(g->p, "<![CDATA[", 9) == 0)
		stop = "]]>";
	at = memmem(g->p, left, stop, strlen(stop));
	g->p = at != NULL ? at + strlen(stop) : g->end;
}

/* --- links --------------------------------------------------------------------------- */

/* The address that a link means: absolute as it is, others against the page's. "" when it is none worth showing. */
static void
resolve(const char *base, const char *href, char out[static ADDRESS_MAX])
{
	const char *host, *path;
	size_t keep;

	out[0] = '\0';
	if (strncasecmp(href, "http://", 7) == 0 || strncasecmp(href, "https://", 8) == 0) {
		memcpy(out, href, strlen(href) + 1);
		return;
	}
	/* "#top", "mailto:", "javascript:" */
	if (*href == '\0' || *href == '#' || href[strcspn(href, ":/?#")] == ':' || base == NULL)
		return;
	host = strstr(base, "://");
	if (host == NULL)
		return;
	path = host + 3 + strcspn(host + 3, "/?#");
	if (href[0] == '/' && href[1] == '/')
		keep = (size_t)(host - base) + 1;
	else if (href[0] == '/')
		keep = (size_t)(path - base);
	else if (href[0] == '?')
		keep = (size_t)(path - base) + strcspn(path, "?#");
	else
		for (keep = (size_t)(path - base) + strcspn(path, "?#"); keep > (size_t)(path - base) &&
		    base[keep - 1] != '/'; keep--)
			;
	if (keep + strlen(href) + 2 > ADDRESS_MAX)
		return;
	memcpy(out, base, keep);
	if (href[0] != '/' && href[0] != '?' && keep == (size_t)(path - base))
		out[keep++] = '/';
	memcpy(out + keep, href, strlen(href) + 1);
}

static void
end_link(struct page *g)
{
	char address[ADDRESS_MAX];
	const char *text = g->out->p != NULL ? g->out->p + g->link_at : "";
	size_t n = g->out->len - g->link_at;

	if (g->href[0] == '\0')
		return;
	resolve(g->base, g->href, address);
	g->href[0] = '\0';
	while (n > 0 && isspace((unsigned char)*text)) {
		text++;
		n--;
	}
	/* a link without text, or whose text is its address, says nothing more */
	if (address[0] == '\0' || n == 0 || (n == strlen(address) && memcmp(text, address, n) == 0))
		return;
	buf_printf(g->out, " (%s)", address);
}

static void
begin_link(struct page *g, const struct tag *t)
{
	end_link(g);
	if (!attribute(t, "href", g->href, sizeof(g->href)))
		g->href[0] = '\0';
	for (char *from = g->href, *to = g->href; ; from++) {
		if (*from != ' ')
			*to++ = *from;
		if (*from == '\0')
			break;
	}
	g->link_at = g->out->len;
}

/* --- what tags do ------------------------------------------------------------------------ */

static bool
one_of(const char *name, const char *words)
{
	size_t k = strlen(name);

	for (const char *p = words; *p != '\0'; p += *p == ' ') {
		size_t n = strcspn(p, " ");

		if (n == k && memcmp(p, name, k) == 0)
			return true;
		p += n;
	}
	return false;
}

static void
open_tag(struct page *g, const struct tag *t)
{
	char alt[256];

	if (one_of(t->name, "script style noscript template svg iframe object textarea select")) {
		skip_raw(g, t->name);
	} else if (t->name[0] == 'h' && t->name[1] >= '1' && t->name[1] <= '6' && t->name[2] == '\0') {
		line(g, 2);
		for (int i = '0'; i < t->name[1]; i++)
			put_str(g, "#");
		g->blank = true;
	} else if (strcmp(t->name, "li") == 0) {
		put_str(g, "-");
		g->blank = g->bullet = true;
	} else if (strcmp(t->name, "hr") == 0) {
		line(g, 2);
		put_str(g, "---");
		line(g, 2);
	} else if (strcmp(t->name, "br") == 0) {
		g->breaks += g->breaks < 2;
	} else if (strcmp(t->name, "img") == 0 && attribute(t, "alt", alt, sizeof(alt)) && alt[0] != '\0') {
		put_str(g, "[");
		buf_str(g->out, alt);
		buf_ch(g->out, ']');
	} else if (strcmp(t->name, "a") == 0) {
		begin_link(g, t);
	} else if (strcmp(t->name, "pre") == 0) {
		line(g, 2);
		g->pre++;
	}
}

static void
apply(struct page *g, const struct tag *t)
{
	if (one_of(t->name, "li ul ol"))
		g->bullet = false;
	if (one_of(t->name, "p pre blockquote table ul ol dl title h1 h2 h3 h4 h5 h6 article section figure form"))
		line(g, 2);
	else if (one_of(t->name, "div tr dt dd header footer main nav aside caption figcaption fieldset option body head html address details summary li"))
		line(g, 1);
	if (one_of(t->name, "td th") && !t->closing)
		put_ch(g, ' ');
	if (!t->closing) {
		open_tag(g, t);
	} else if (strcmp(t->name, "a") == 0) {
		end_link(g);
	} else if (strcmp(t->name, "pre") == 0 && g->pre > 0) {
		g->pre--;
	}
}

void
html_text(const char *html, size_t n, const char *base, struct buf *out)
{
	struct page g = { .p = html, .end = html + n, .out = out, .base = base };
	struct tag t;

	while (g.p < g.end && !out->failed) {
		if (*g.p != '<')
			put_text(&g);
		else if (g.p + 1 < g.end && (g.p[1] == '!' || g.p[1] == '?'))
			skip_declaration(&g);
		else if (read_tag(&g, &t))
			apply(&g, &t);
		else
			put_ch(&g, *g.p++);
	}
	end_link(&g);
}

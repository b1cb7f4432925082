/* Web pages as text: what readers expect, and whatever bytes come. */
#include <time.h>

#include "lib/agent/html.h"
#include "lib/base/json.h"
#include "t/tap.h"

static void
check(const char *html, const char *want, const char *what)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	char *exact = malloc(strlen(html) + 1);         /* so that a read beyond the end is seen */

	memcpy(exact, html, strlen(html));
	html_text(exact, strlen(html), "https://e.org/a/b.html?x=1", &b);
	is_str(b.p != NULL ? b.p : "", want, "%s", what);
	free(exact);
}

static void
text(void)
{
	check("<html><head><title>T</title><style>p{}</style></head><body><p>One  two\n three</p><p>Four</p></body>",
	    "T\n\nOne two three\n\nFour", "paragraphs stand apart, styles are gone");
	check("a<br>b<br/>c<hr>d", "a\nb\nc\n\n---\n\nd", "breaks and rules");
	check("<h1>A</h1>x<h3>B</h3>", "# A\n\nx\n\n### B", "headings");
	check("<ul><li>a<li><p>b</p></li></ul>z", "- a\n- b\n\nz", "lists");
	check("x<script>if (a<b) '</p>'</script>y<noscript>n</noscript>z", "xyz", "scripts are no text");
	check("<SCRIPT>x</Script >y", "y", "in any letters");
	check("a<!-- <b> -->b<!DOCTYPE x>c<![CDATA[d]]>e<?php f ?>g", "abceg", "remarks and declarations are skipped");
	check("<pre>a\n  b\n\tc</pre>d", "a\n  b\n\tc\n\nd", "preformatted text keeps its blanks");
	check("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc", "rows of tables are lines");
	check("a <b>b</b><i> c</i>", "a b c", "blanks between words survive");
	check("<img src=x alt='a cat'>", "[a cat]", "images say what they show");
}

static void
links(void)
{
	check("<a href=\"https://x.org/?a=1&amp;b=2\">here</a>.", "here (https://x.org/?a=1&b=2).", "links show where they lead");
	check("<a href=/c>x</a> <a href='d'>y</a> <a href=\"//o.org/\">z</a> <a href='?q'>w</a>",
	    "x (https://e.org/c) y (https://e.org/a/d) z (https://o.org/) w (https://e.org/a/b.html?q)", "relative ones too");
	check("<a href='javascript:alert(1)'>a</a><a href='#t'>b</a><a href='mailto:x'>c</a><a>d</a>", "abcd", "what leads nowhere is only text");
	check("<a href='https://x.org/'>https://x.org/</a>", "https://x.org/", "an address is not told twice");
	check("<a href='https://x.org/'><img src=i></a>b", "b", "a link without text is nothing");
	check("<a href='https://x.org/'>open", "open (https://x.org/)", "a link that is never closed ends with the page");
	check("<a data-href=x href = 'https://x.org/'>q</a>", "q (https://x.org/)", "the right attribute is taken");
}

static void
entities(void)
{
	check("&lt;&amp;&gt;&quot;&#39;&#x41;&nbsp;b", "<&>\"'A b", "entities");
	check("&euro;&mdash;&uuml;&#8364;&#x1F600;", "\xe2\x82\xac\xe2\x80\x94\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "and others");
	check("&unknown; & &; &# &#x; &#xZ AT&T", "&unknown; & &; &# &#x; &#xZ AT&T", "what is none stays");
	check("&#0;&#1;&#xD800;&#x110000;&#99999999999;x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx", "impossible ones do no harm");
	check("a&shy;b", "ab", "soft hyphens go");
}

static void
broken(void)
{
	check("a < b and <3 <", "a < b and <3 <", "a less-than sign is text");
	check("x<", "x<", "at the end too");
	check("x<p", "x", "an unfinished tag ends the page");
	check("x<!--", "x", "so does an unfinished remark");
	check("x<script>y", "x", "or script");
	check("x<a href=\"", "x", "or attribute");
	check("<p title=\"a>b\">t</p>", "t", "a sign in quotes ends no tag");
	check("<p it's>t</p>", "t", "a stray quote does not swallow the page");
	check("</p></div></a></pre></b>t", "t", "closing what is not open");
	check("<averylongtagnamethatfitsnowhere>t", "t", "long names");
	check("", "", "nothing");
}

/* Many kinds of rubbish, made from pieces; the answer must be UTF-8 and soon there. */
static void
rubbish(void)
{
	static const char *const parts[] = { "<", ">", "<a href=", "\"", "'", "<!--", "-->", "<script>", "</script", "&", "&#", ";",
		"<pre>", "</pre>", "<li>", "x", " ", "\n", "\xc3\xa9", "=", "/", "<td>", "</a>", "&#x41;", "<br>", "https://", "<h2>" };
	unsigned seed = 12345;
	bool good = true;

	for (int round = 0; round < 3000; round++) {
		SCOPED_BUF in = BUF_INIT(1 << 16), out = BUF_INIT(1 << 20);

		for (int i = 0; i < 40; i++) {
			seed = seed * 1103515245 + 12345;
			buf_str(&in, parts[(seed >> 16) % ARRAY_LEN(parts)]);
		}
		html_text(in.p, in.len, "https://e.org", &out);
		good &= !out.failed && utf8_ok(out.p != NULL ? out.p : "", out.len);
	}
	ok(good, "three thousand broken pages");
}

static void
linear(void)
{
	static const char *const evil[] = { "<", "<a ", "<!--", "<script", "&#", "<a href='", "<pre>\n", "<li>", "</", "<a href=x>y" };
	clock_t since = clock();

	for (size_t e = 0; e < ARRAY_LEN(evil); e++) {
		SCOPED_BUF in = BUF_INIT(8 << 20), out = BUF_INIT(64 << 20);

		while (in.len < 1 << 20)
			buf_str(&in, evil[e]);
		html_text(in.p, in.len, "https://e.org/", &out);
	}
	ok(clock() - since < 20 * CLOCKS_PER_SEC, "ten megabytes of malice take no long time");
}

static void
bytes(void)
{
	SCOPED_BUF out = BUF_INIT(1 << 20), small = BUF_INIT(10);

	html_text("a\0b\x01" "c\x7f", 6, NULL, &out);
	is_str(out.p, "abc", "control characters go");
	html_text("<p>0123456789abcdef", 19, NULL, &small);
	ok(small.failed, "a full buffer ends it");
}

int
main(void)
{
	text();
	links();
	entities();
	broken();
	bytes();
	rubbish();
	linear();
	return done();
}

/* Web pages as readable text. */
#ifndef LF_HTML_H
#define LF_HTML_H
#include "lib/base/buf.h"

/*
 * Append the text of a page to out: no scripts, styles or tags; blocks on
 * lines of their own, headings with #, list items with "- ", links as text
 * (address). Any bytes will do: time and memory are linear in n, UTF-8 stays
 * UTF-8. base: the page's address, for its relative links; may be NULL.
 */
void html_text(const char *html, size_t n, const char *base, struct buf *out);
#endif

/*
 * Regular expressions from outside: PCRE2's, over UTF-8, with Unicode's classes. Bytes that are no UTF-8 match nothing.
 *
 * Whoever writes one may write what would take for ever; so a search has a number of steps, which grows with the text, a
 * bounded memory, and somebody who may stop it.
 */
#ifndef LF_REGEX_H
#define LF_REGEX_H
#include "lib/base/base.h"

enum { REGEX_WHY = 160 };

struct regex;
enum regex_found { REGEX_NONE, REGEX_FOUND, REGEX_HARD };       /* HARD: given up, or stopped */

/*
 * stop: asked now and then while a search goes on, with its argument; true ends it.
 * Errors: INVALID, why is filled with what is wrong with the pattern and where; NOMEM.
 */
enum err regex_new(const char *pattern, bool icase, bool (*stop)(void *), void *arg, struct regex **ret, char why[REGEX_WHY]) MUST_CHECK;
void regex_free(struct regex *);                /* NULL: nothing */

/*
 * The first match that begins at from or behind it, in the text of n bytes: from *ret_so up to *ret_eo. The text begins at s, so
 * "^" matches there alone. For one thread at a time.
 */
enum regex_found regex_find(struct regex *, const char *s, size_t n, size_t from, size_t *ret_so, size_t *ret_eo);
#endif

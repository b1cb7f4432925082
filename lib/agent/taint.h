/*
 * Taint: does text that is about to leave look like a secret or like
 * somebody's personal data? Patterns only; a filter, no flow tracking.
 */
#ifndef LF_TAINT_H
#define LF_TAINT_H
#include "lib/base/base.h"

enum { TAINT_SECRET = 1, TAINT_PII = 2 };

/*
 * The name of the first rule that the text breaks, of the labels asked for; NULL: none.
 * authorization_literal, key_value_secret, well_known_prefix, opaque_token (the
 * whole text is one), pii_email, pii_phone, pii_credit_card, pii_ssn.
 */
const char *taint_find(const char *s, size_t n, unsigned labels);
/* The first personal datum in the text, and where it stands (both may be NULL); its rule, NULL: none. */
const char *taint_pii(const char *s, size_t n, size_t *ret_at, size_t *ret_n);
/* Is that the name of a secret parameter or member ("api_key", "token")? Letter case does not matter. */
bool taint_key_name(const char *s, size_t n);
/* A header that tools may never send (credentials). */
bool taint_header(const char *name);
/*
 * The same for the query of a URL: names and values, as they are written and
 * percent-decoded; also "sensitive_key_name".
 */
const char *taint_url(const char *url, unsigned labels);
#endif

/*
 * PCRE2, on a leash.
 *
 * Its own limit of steps begins anew at each place of the text, and does not count what a single item runs over. So it calls
 * before each item (that costs a quarter of its speed), and there it is counted and asked whether to go on.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/agent/regex.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STEPS = 100000, STEPS_PER_BYTE = 100, ASK_EVERY = 16,
	MATCH_MAX = 5000000, DEPTH_MAX = 1000000, HEAP_KIB = 8192,
	NEST_MAX = 100,
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	bool (*stop)(void *);
	void *arg;
	uint64_t left;          /* steps of this search */
};

static int
step(pcre2_callout_block *b, void *arg)
{
	struct regex *re = arg;

	(void)b;
	if (re->left == 0 || (re->left % ASK_EVERY == 0 && re->stop(re->arg)))
		return PCRE2_ERROR_CALLOUT;
	re->left--;
	return 0;
}

static pcre2_code *
compile(const char *pattern, bool icase, int *why, size_t *at)
{
	pcre2_compile_context *how = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*why = PCRE2_ERROR_NOMEMORY;
	if (how == NULL)
		return NULL;
	(void)pcre2_set_newline(how, PCRE2_NEWLINE_LF);
	(void)pcre2_set_parens_nest_limit(how, NEST_MAX);       /* its stack */
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF |
	    PCRE2_AUTO_CALLOUT | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | (icase ? PCRE2_CASELESS : 0), why, at, how);
	pcre2_compile_context_free(how);
	return code;
}

enum err
regex_new(const char *pattern, bool icase, bool (*stop)(void *), void *arg, struct regex **ret, char why[REGEX_WHY])
{
	struct regex *re = calloc(1, sizeof(*re));
	char said[REGEX_WHY - 40];
	size_t at = 0;
	int rc;

	why[0] = '\0';
	if (re == NULL)
		return ERR_NOMEM;
	re->stop = stop;
	re->arg = arg;
	re->code = compile(pattern, icase, &rc, &at);
	if (re->code == NULL && rc != PCRE2_ERROR_NOMEMORY && rc != PCRE2_ERROR_HEAP_FAILED) {
		regex_free(re);
		(void)pcre2_get_error_message(rc, (PCRE2_UCHAR *)said, sizeof(said));
		(void)snprintf(why, REGEX_WHY, "%s (at byte %zu)", said, at);
		return ERR_INVALID;
	}
	re->match = pcre2_match_data_create(1, NULL);
	re->limits = pcre2_match_context_create(NULL);
	if (re->code == NULL || re->match == NULL || re->limits == NULL) {
		regex_free(re);
		return ERR_NOMEM;
	}
	(void)pcre2_set_match_limit(re->limits, MATCH_MAX);
	(void)pcre2_set_depth_limit(re->limits, DEPTH_MAX);
	(void)pcre2_set_heap_limit(re->limits, HEAP_KIB);
	(void)pcre2_set_callout(re->limits, step, re);
	*ret = re;
	return ERR_OK;
}

void
regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_match_context_free(re->limits);
	pcre2_match_data_free(re->match);
	pcre2_code_free(re->code);
	free(re);
}

enum regex_found
regex_find(struct regex *re, const char *s, size_t n, size_t from, size_t *ret_so, size_t *ret_eo)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(re->match);
	int rc;

	re->left = STEPS + (uint64_t)(n - from) * STEPS_PER_BYTE;
	rc = pcre2_match(re->code, (PCRE2_SPTR)s, n, from, 0, re->match, re->limits);
	if (rc == PCRE2_ERROR_NOMATCH)
		return REGEX_NONE;
	if (rc < 0)
		return REGEX_HARD;
	*ret_so = v[0];
	*ret_eo = v[1];
	return REGEX_FOUND;
}

/*
 * Taint rules: what a secret or personal data looks like in text.
 *
 * Each rule is a small scanner that goes over the text once. The difficult thing is
 * restraint: a rule that fires on ordinary words makes tools useless, so
 * most rules want a boundary before and enough of the right characters after.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/agent/taint.h"
#include "lib/base/util.h"

enum { OPAQUE_MIN = 32, PREFIXED_MIN = 12, VALUE_MIN = 4 };

static const char *const key_names[] = { "api_key", "apikey", "api-key", "x-api-key", "authorization",
	"proxy-authorization", "access_token", "refresh_token", "token", "secret", "client_secret", "password",
	"passwd", "bearer" };

static bool
is_word(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_' || ch == '-';
}

bool
taint_key_name(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(key_names); i++)
		if (strlen(key_names[i]) == n && strncasecmp(key_names[i], s, n) == 0)
			return true;
	return false;
}

bool
taint_header(const char *name)
{
	static const char *const names[] = { "authorization", "proxy-authorization", "x-api-key", "api-key",
		"apikey", "x-auth-token", "cookie", "cookie2", "set-cookie" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

/* --- secrets ---------------------------------------------------------------- */

/* "authorization: x", wherever it stands. */
static bool
authorization_literal(const char *s, size_t n)
{
	static const char word[] = "authorization:";

	for (size_t i = 0; i + sizeof(word) - 1 < n; i++)
		if ((s[i] == 'a' || s[i] == 'A') && strncasecmp(s + i, word, sizeof(word) - 1) == 0)
			return true;
	return false;
}

/* After a key's name: optional quote and blanks, '=' or ':', then something that is no placeholder. */
static bool
has_value(const char *s, size_t n)
{
	size_t i = 0, k = 0;

	if (i < n && (s[i] == '"' || s[i] == '\''))
		i++;
	while (i < n && s[i] == ' ')
		i++;
	if (i >= n || (s[i] != '=' && s[i] != ':'))
		return false;
	for (i++; i < n && (s[i] == ' ' || s[i] == '"' || s[i] == '\''); i++)
		;
	while (i + k < n && !isspace((unsigned char)s[i + k]) && strchr("\"',;&<>{}()[]", s[i + k]) == NULL)
		k++;
	return k >= VALUE_MIN;
}

static bool
key_value_secret(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = 0;

		if (!is_word(s[i])) {
			i++;
			continue;
		}
		while (i + k < n && is_word(s[i + k]))
			k++;
		if (taint_key_name(s + i, k) && has_value(s + i + k, n - i - k))
			return true;
		i += k;
	}
	return false;
}

static bool
well_known_prefix(const char *s, size_t n)
{
	static const char *const prefixes[] = { "sk-", "ghp_", "github_pat_", "xoxp-", "xoxb-", "AKIA", "AIza" };

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && is_word(s[i - 1]))
			continue;
		for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
			size_t k = strlen(prefixes[p]), tail = 0;

			if (n - i < k || memcmp(s + i, prefixes[p], k) != 0)
				continue;
			while (i + k + tail < n && is_word(s[i + k + tail]))
				tail++;
			if (tail >= PREFIXED_MIN)
				return true;
		}
	}
	return false;
}

/* "2026-01-02" somewhere in it. */
static bool
has_date(const char *s, size_t n)
{
	for (size_t i = 0; i + 10 <= n; i++) {
		bool date = s[i + 4] == '-' && s[i + 7] == '-';

		for (size_t k = 0; date && k < 10; k++)
			date = k == 4 || k == 7 || isdigit((unsigned char)s[i + k]);
		if (date)
			return true;
	}
	return false;
}

/* The whole text is one long token of letters and digits, and no hash, date or path. */
static bool
opaque_token(const char *s, size_t n)
{
	bool digit = false, letter = false, beyond_hex = false;

	while (n > 0 && isspace((unsigned char)s[n - 1]))
		n--;
	if (n < OPAQUE_MIN)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)s[i];

		if (!isalnum(ch) && strchr("_-+=.", ch) == NULL)
			return false;
		digit |= isdigit(ch) != 0;
		letter |= isalpha(ch) != 0;
		beyond_hex |= isalpha(ch) && !isxdigit(ch);
	}
	return digit && letter && beyond_hex && !has_date(s, n);
}

/* --- personal data ------------------------------------------------------------- */

/* Where some personal datum stands. */
struct span { size_t at, n; };

static bool
is_local(char ch)
{
	return isalnum((unsigned char)ch) || strchr("._%+-", ch) != NULL;
}

static bool
pii_email(const char *s, size_t n, struct span *ret)
{
	for (const char *at = memchr(s, '@', n); at != NULL; at = memchr(at + 1, '@', n - (size_t)(at + 1 - s))) {
		size_t i = (size_t)(at - s) + 1, dots = 0, last = 0;

		if (at == s || at[-1] == '\0' || !is_local(at[-1]))
			continue;
		for (; i < n && (isalnum((unsigned char)s[i]) || s[i] == '-' || s[i] == '.'); i++) {
			dots += s[i] == '.' && last > 0;
			last = s[i] == '.' ? 0 : last + 1;
		}
		if (dots == 0 || last < 2)
			continue;
		ret->at = (size_t)(at - s);
		while (ret->at > 0 && s[ret->at - 1] != '\0' && is_local(s[ret->at - 1]))
			ret->at--;
		ret->n = i - ret->at;
		return true;
	}
	return false;
}

static bool
luhn(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0');

		if (i % 2 == 1)
			d = d > 4 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return sum % 10 == 0;
}

/* What a run of digits with separators is. */
struct number { char digits[24]; size_t n, bytes; bool plus, parted; };

static void
read_number(const char *s, size_t n, struct number *ret)
{
	size_t i = 0;

	*ret = (struct number){ .plus = n > 0 && s[0] == '+' };
	for (i += ret->plus; i < n; i++) {
		if (isdigit((unsigned char)s[i])) {
			if (ret->n < sizeof(ret->digits))
				ret->digits[ret->n] = s[i];
			ret->n++;
		} else if ((s[i] == ' ' || s[i] == '-' || s[i] == '(' || s[i] == ')') && i + 1 < n &&
		    (isdigit((unsigned char)s[i + 1]) || s[i + 1] == '(' || s[i + 1] == ' ')) {
			ret->parted = true;
		} else {
			break;
		}
	}
	ret->bytes = i > 0 ? i : 1;
}

static bool
is_ssn(const char *s, size_t n)
{
	if (n != 11 || s[3] != '-' || s[6] != '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (i != 3 && i != 6 && !isdigit((unsigned char)s[i]))
			return false;
	return memcmp(s, "000", 3) != 0 && memcmp(s, "666", 3) != 0 && s[0] != '9';
}

static const char *
pii_number(const char *s, size_t n, struct span *ret)
{
	struct number x;

	for (size_t i = 0; i < n; i += x.bytes) {
		x.bytes = 1;
		if ((!isdigit((unsigned char)s[i]) && s[i] != '+') ||
		    (i > 0 && (is_word(s[i - 1]) || s[i - 1] == '.')))
			continue;
		read_number(s + i, n - i, &x);
		if (i + x.bytes < n && is_word(s[i + x.bytes]))
			continue;
		*ret = (struct span){ i, x.bytes };
		if (is_ssn(s + i, x.bytes))
			return "pii_ssn";
		if (!x.plus && x.n >= 13 && x.n <= 19 && luhn(x.digits, x.n))
			return "pii_credit_card";
		if (x.plus && x.n >= 8 && x.n <= 15)
			return "pii_phone";
	}
	return NULL;
}

const char *
taint_pii(const char *s, size_t n, size_t *ret_at, size_t *ret_n)
{
	struct span mail, number;
	bool is_mail = pii_email(s, n, &mail);
	const char *rule = pii_number(s, n, &number);
	const struct span *first = is_mail && (rule == NULL || mail.at <= number.at) ? &mail : &number;

	if (!is_mail && rule == NULL)
		return NULL;
	if (ret_at != NULL)
		*ret_at = first->at;
	if (ret_n != NULL)
		*ret_n = first->n;
	return first == &mail ? "pii_email" : rule;
}

const char *
taint_find(const char *s, size_t n, unsigned labels)
{
	if (labels & TAINT_SECRET) {
		if (authorization_literal(s, n))
			return "authorization_literal";
		if (key_value_secret(s, n))
			return "key_value_secret";
		if (well_known_prefix(s, n))
			return "well_known_prefix";
		if (opaque_token(s, n))
			return "opaque_token";
	}
	return labels & TAINT_PII ? taint_pii(s, n, NULL, NULL) : NULL;
}

/* --- URLs --------------------------------------------------------------------------- */

static const char *
check_pair(char *name, size_t n, unsigned labels)
{
	char *eq = memchr(name, '=', n);
	size_t name_n = eq != NULL ? (size_t)(eq - name) : n, value_n = n - name_n - (eq != NULL);

	if (taint_key_name(name, name_n))
		return "sensitive_key_name";
	if (pct_decode(name, &name_n, true) && taint_key_name(name, name_n))
		return "sensitive_key_name";
	if (eq == NULL)
		return NULL;
	(void)pct_decode(eq + 1, &value_n, true);       /* a bad escape: judged as far as it was decoded */
	return taint_find(eq + 1, value_n, labels);
}

const char *
taint_url(const char *url, unsigned labels)
{
	const char *mark = strchr(url, '?');
	const char *rule = NULL;
	char *copy;

	if (mark == NULL)
		return NULL;
	copy = strdup(mark + 1);
	if (copy == NULL)
		return "out_of_memory";
	for (char *p = copy; p != NULL && rule == NULL;) {
		size_t k = strcspn(p, "&;#");
		char *next = p[k] != '\0' ? p + k + 1 : NULL;

		p[k] = '\0';
		rule = check_pair(p, k, labels);
		p = next;
	}
	free(copy);
	return rule;
}

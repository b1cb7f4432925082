/*
 * Limits in the head of an answer. Each provider has its own way to write a time: seconds, "6m0s", ISO 8601's "PT6M",
 * a date, seconds since 1970.
 */
#include "lib/llm/limits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/util.h"

enum { KINDS = LIMIT_BUCKETS / 2, RESET_MAX_S = 86400 };

static const char *const kinds[KINDS] = { "requests", "tokens", "input-tokens", "output-tokens" };

/* --- how long ------------------------------------------------------------ */

/* "1h2m3.5s", "120ms", "PT1H2M3S"; -1: it is none. Rounded up. */
static double
duration_of(const char *s)
{
	double sum = 0;

	if (toupper((unsigned char)s[0]) == 'P') {
		s += 1 + (toupper((unsigned char)s[1]) == 'T');
		if (*s == '\0')
			return -1;
	}
	while (*s != '\0') {
		char *end;
		double n = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
		double unit;

		if (n < 0)
			return -1;
		unit = strncasecmp(end, "ms", 2) == 0 ? 0.001 : toupper((unsigned char)*end) == 'H' ? 3600 : toupper((unsigned char)*end) == 'M' ? 60
		    : toupper((unsigned char)*end) == 'S' ? 1 : toupper((unsigned char)*end) == 'D' ? 86400 : -1;
		if (unit < 0)
			return -1;
		sum += n * unit;
		s = end + (unit < 0.01 ? 2 : 1);
		if (toupper((unsigned char)*s) == 'T')          /* P1DT2H */
			s++;
	}
	return sum;
}

static int64_t
up(double s)
{
	return s < 0 ? -1 : s >= RESET_MAX_S ? RESET_MAX_S : (int64_t)s + (s > (double)(int64_t)s);
}

/* -1: it cannot be read. */
static int64_t
seconds_of(const char *s)
{
	double now = (double)clock_ms() / 1000, n;
	int64_t date;
	char *end;

	n = isdigit((unsigned char)*s) ? strtod(s, &end) : -1;
	if (n >= 0 && *end == '\0') {
		if (n > 1e11)                                   /* since 1970, in thousandths */
			n /= 1000;
		return up(n > 1e9 ? (n > now ? n - now : 0) : n);
	}
	date = time_parse(s);
	if (date >= 0)
		return up((double)date / 1000 > now ? (double)date / 1000 - now : 0);
	return *s == '\0' ? -1 : up(duration_of(s));
}

/* --- lines --------------------------------------------------------------- */

/* The kind that begins at s and ends before n; -1: none. */
static int
kind_of(const char *s, size_t n)
{
	for (int i = 0; i < KINDS; i++)
		if (strlen(kinds[i]) == n && strncasecmp(s, kinds[i], n) == 0)
			return i;
	return -1;
}

static bool
ends_with(const char *s, size_t *n, const char *end)
{
	size_t k = strlen(end);

	if (*n < k || strncasecmp(s + *n - k, end, k) != 0)
		return false;
	*n -= k;
	return true;
}

/* The bucket that a name is of, and whether it is when it is full again; -1: none. */
static int
bucket_of(const char *name, size_t n, bool *reset)
{
	bool hour = false;

	if (n > 12 && strncasecmp(name, "x-ratelimit-", 12) == 0) {
		name += 12;
		n -= 12;
		hour = ends_with(name, &n, "-1h");
		*reset = n > 6 && strncasecmp(name, "reset-", 6) == 0;
		if (!*reset && (n <= 10 || strncasecmp(name, "remaining-", 10) != 0))
			return -1;
		name += *reset ? 6 : 10;
		n -= *reset ? 6 : 10;
	} else if (n > 20 && strncasecmp(name, "anthropic-ratelimit-", 20) == 0) {
		name += 20;
		n -= 20;
		*reset = ends_with(name, &n, "-reset");
		if (!*reset && !ends_with(name, &n, "-remaining"))
			return -1;
	} else {
		return -1;
	}
	return kind_of(name, n) < 0 ? -1 : kind_of(name, n) + (hour ? 0 : KINDS);
}

void
limits_take(struct limits *l, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	char value[64];
	bool reset = false;
	int at;

	if (colon == NULL || (at = bucket_of(line, (size_t)(colon - line), &reset)) < 0)
		return;
	n -= (size_t)(colon + 1 - line);
	for (line = colon + 1; n > 0 && isspace((unsigned char)*line); n--)
		line++;
	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	if (n == 0 || n >= sizeof(value))
		return;
	memcpy(value, line, n);
	value[n] = '\0';
	if (reset) {
		l->bucket[at].reset_s = seconds_of(value);
		l->bucket[at].known = l->bucket[at].reset_s >= 0;
	} else {
		l->bucket[at].empty = strcmp(value, "0") == 0;
	}
}

int64_t
limits_wait_s(const struct limits *l)
{
	int64_t wait = -1;

	for (int i = 0; i < LIMIT_BUCKETS; i++) {
		if (i == KINDS && wait >= 0)
			break;
		if (l->bucket[i].empty && l->bucket[i].known && l->bucket[i].reset_s > wait)
			wait = l->bucket[i].reset_s;
	}
	return wait;
}

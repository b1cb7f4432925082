/* How long a limit lasts, in the words of those who have one. */
#include "lib/base/util.h"
#include "lib/llm/limits.h"
#include "t/tap.h"

static int64_t
wait_of(const char *head)
{
	struct limits l = { 0 };

	while (*head != '\0') {
		size_t n = strcspn(head, "\n");

		limits_take(&l, head, n + (head[n] == '\n'));
		head += n + (head[n] == '\n');
	}
	return limits_wait_s(&l);
}

static const struct { const char *head; int64_t wait; const char *name; } all[] = {
	{ "", -1, "nothing is said" },
	{ "x-ratelimit-remaining-requests: 5\nx-ratelimit-reset-requests: 60\n", -1, "nothing is used up" },
	{ "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 60\r\n", 60, "seconds" },
	{ "X-RateLimit-Remaining-Tokens: 0\nX-RateLimit-Reset-Tokens: 6m0s\n", 360, "minutes and seconds" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 120ms\n", 1, "thousandths are rounded up" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 1h2m3.5s\n", 3724, "all together" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: PT1M30S\n", 90, "ISO 8601" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: P1DT0H\n", 86400, "a day" },
	{ "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 99999999\n", 86400, "a day at most" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 20\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 30\n", 30, "the longer of two" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 20\nx-ratelimit-remaining-requests-1h: 0\nx-ratelimit-reset-requests-1h: 1800\n", 1800, "the hour's goes first" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 20\nx-ratelimit-remaining-requests-1h: 7\nx-ratelimit-reset-requests-1h: 1800\n", 20, "unless it is not used up" },
	{ "anthropic-ratelimit-input-tokens-remaining: 0\nanthropic-ratelimit-input-tokens-reset: 1999-01-01T00:00:00Z\n", 0, "a date that has passed" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: soon\n", -1, "what cannot be read" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: PT\n", -1, "a time without any" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: -5\n", -1, "less than none" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests:\n", -1, "an empty value" },
	{ "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 5 minutes or so, and a lot of words that nobody has asked for in any case\n", -1, "a long one" },
	{ "x-ratelimit-remaining-images: 0\nx-ratelimit-reset-images: 60\n", -1, "a bucket that we know nothing of" },
	{ "x-ratelimit-remaining-: 0\nx-ratelimit-: 1\nanthropic-ratelimit-remaining: 0\nx\n:\n", -1, "names that are none" },
};

int
main(void)
{
	char head[256], at[25];
	int64_t wait;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		is_int(wait_of(all[i].head), all[i].wait, "%s", all[i].name);
	time_rfc3339(clock_ms() + 120000, at);
	snprintf(head, sizeof(head), "anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: %s\n", at);
	wait = wait_of(head);
	ok(wait > 100 && wait <= 120, "a date (%lld)", (long long)wait);
	snprintf(head, sizeof(head), "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: %lld\n", (long long)clock_ms() / 1000 + 120);
	wait = wait_of(head);
	ok(wait > 100 && wait <= 120, "seconds since 1970 (%lld)", (long long)wait);
	return done();
}

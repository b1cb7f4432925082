/*
 * Fuzz: cron expressions, quiet hours and time zones. The first 8 bytes are a moment, the ninth says in which zone; the rest is the
 * text. What is due comes later than that moment, fits the expression, and nothing before it does; the C library agrees on the
 * zone's offset; quiet hours end where it is not quiet.
 * sources: lib/base/*.c
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

enum { FROM_S = 0, UNTIL_S = 1 << 30 };         /* + 1970: up to 2038 - 4 years, where both readers know the changes */

static const char *const names[] = { "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
	"America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia" };

static bool
fits(const struct cron *k, const struct tm *tm)
{
	bool by_day = (k->day >> tm->tm_mday & 1) != 0, by_week = (k->weekday >> tm->tm_wday & 1) != 0;

	return (k->month >> (tm->tm_mon + 1) & 1) != 0 && (k->hour >> tm->tm_hour & 1) != 0 && (k->minute >> tm->tm_min & 1) != 0 &&
	    (k->second >> (tm->tm_sec % 60) & 1) != 0 && (k->day_star || k->weekday_star ? by_day && by_week : by_day || by_week);
}

/* In UTC every second between can be looked at; some are. */
static void
times(const struct cron *k, int64_t after_ms, uint64_t seed)
{
	int64_t after = after_ms / 1000, at = cron_next(k, zone_find(NULL), after_ms), end = at < 0 ? after + 400 * 86400 : at / 1000;
	struct tm tm;
	time_t t;

	if (at >= 0) {
		t = (time_t)(at / 1000);
		MUST(at > after_ms && at % 1000 == 0 && gmtime_r(&t, &tm) != NULL && fits(k, &tm));
		MUST(cron_next(k, zone_find(NULL), at - 1) == at);
	}
	for (int64_t i = 0, n = end - after - 1; i < 200 && n > 0; i++) {
		t = (time_t)(i < n && i < 100 ? after + 1 + i : after + 1 + (int64_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 16) % n);
		MUST(gmtime_r(&t, &tm) != NULL && !fits(k, &tm));
	}
}

static void
zones(const char *name, const struct zone *z, int64_t at)
{
	static const char *set;
	struct zone_span s = zone_at(z, at);
	time_t t = (time_t)at;
	struct tm tm;

	if (set != name) {
		setenv("TZ", name, 1);
		tzset();
		set = name;
	}
	MUST(s.from <= at && at < s.until && localtime_r(&t, &tm) != NULL && tm.tm_gmtoff == s.offset);
	MUST(s.from == INT64_MIN || zone_at(z, s.from).offset == s.offset);
	MUST(s.until == INT64_MAX || zone_at(z, s.until - 1).offset == s.offset);
}

static void
quiet(const char *text, int64_t ms)
{
	int64_t until = quiet_until(text, ms);

	if (!quiet_hours_ok(text)) {
		MUST(until == 0);
		return;
	}
	MUST(until == 0 || (until > ms && until - ms <= 86400000));
	MUST(until == 0 || quiet_until(text, until) == 0 || strstr(text, "00:00-24:00") == text);
	MUST(until == 0 || quiet_until(text, until - 1) == until);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	const struct zone *z;
	const char *text, *why = NULL;
	uint64_t seed = 0;
	struct cron k;
	int64_t ms;

	if (n >= 9) {
		memcpy(&seed, data, 8);
		ms = FROM_S * 1000ll + (int64_t)(seed % (UNTIL_S * 1000ull));
		text = ctx_strndup(&c, (const char *)data + 9, n - 9);
		quiet(text, ms);
		z = zone_find(names[data[8] % ARRAY_LEN(names)]);
		if (z != NULL)
			zones(names[data[8] % ARRAY_LEN(names)], z, ms / 1000);
		(void)zone_find(text);
		if (!cron_parse(text, &k, &why)) {
			MUST(why != NULL);
		} else if (k.kind == CRON_EVERY) {
			MUST(k.every_s > 0 && cron_next(&k, z, ms) == ms + k.every_s * 1000);
		} else {
			int64_t at = z != NULL ? cron_next(&k, z, ms) : -1;

			MUST(at == -1 || (at > ms && cron_next(&k, z, at - 1) == at));
			times(&k, ms, seed);
		}
	}
	arena_free(c.arena);
	return 0;
}

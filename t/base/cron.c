/* Cron expressions, intervals, zones and quiet hours; the C library's own clock is the judge of zones. */
#include <string.h>
#include <time.h>

#include "lib/base/cron.h"
#include "lib/base/util.h"
#include "t/tap.h"

static const char *
next(const char *expr, const char *zone, const char *after)
{
	static char out[4][25];
	static unsigned at;
	char *s = out[at++ % 4];
	struct cron k;
	const char *why = "";
	int64_t ms;

	if (!cron_parse(expr, &k, &why))
		return why;
	ms = cron_next(&k, zone_find(zone), time_parse(after));
	if (ms < 0)
		return "never";
	time_rfc3339(ms, s);
	s[19] = 'Z';
	s[20] = '\0';
	return s;
}

static void
test_fields(void)
{
	static const struct { const char *expr, *after, *want, *what; } all[] = {
		{ "* * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z", "every minute: strictly after" },
		{ "* * * * *", "2026-03-01T10:00:59.999Z", "2026-03-01T10:01:00Z", "from within a second" },
		{ "*/15 * * * *", "2026-03-01T10:46:00Z", "2026-03-01T11:00:00Z", "a step" },
		{ "5/15 * * * *", "2026-03-01T10:21:00Z", "2026-03-01T10:35:00Z", "a step from a number on" },
		{ "30 9 * * 1-5", "2026-03-06T09:30:00Z", "2026-03-09T09:30:00Z", "weekdays, over a weekend" },
		{ "30 9 * * mon-fri", "2026-03-06T09:30:00Z", "2026-03-09T09:30:00Z", "by name" },
		{ "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z", "29 February" },
		{ "0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z", "over 2100, which has none" },
		{ "0 0 30 2 *", "2026-01-01T00:00:00Z", "never", "30 February" },
		{ "0 0 31 * *", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z", "the 31st, where there is one" },
		{ "0 0 13 * 5", "2026-03-07T00:00:00Z", "2026-03-13T00:00:00Z", "the 13th or a Friday: either" },
		{ "0 0 13 * 5", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z", "and the next Friday" },
		{ "0 0 */2 * 1", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", "with a star both must fit" },
		{ "0 12 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T12:00:00Z", "7 is Sunday" },
		{ "0 12 * * 5-7", "2026-03-07T12:00:00Z", "2026-03-08T12:00:00Z", "also in a range" },
		{ "*/20 0 12 * * *", "2026-03-02T12:00:20Z", "2026-03-02T12:00:40Z", "six fields begin with seconds" },
		{ "*/20 0 12 * * *", "2026-03-02T12:00:40Z", "2026-03-03T12:00:00Z", "and go on the next day" },
		{ "0,30 8,20 1 jan,JUL *", "2026-01-01T20:30:00Z", "2026-07-01T08:00:00Z", "lists and names" },
		{ "59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z", "over a year" },
		{ "0 0 ? * ?", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "a question mark is a star" },
		{ "@hourly", "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z", "@hourly" },
		{ "@daily", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "@daily" },
		{ "@weekly", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z", "@weekly" },
		{ "@monthly", "2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z", "@monthly" },
		{ "@yearly", "2026-03-02T00:00:00Z", "2027-01-01T00:00:00Z", "@yearly" },
		{ "  0  0 1 1 *  ", "2026-03-02T00:00:00Z", "2027-01-01T00:00:00Z", "blanks around" },
		{ "every 90s", "2026-03-02T00:00:00Z", "2026-03-02T00:01:30Z", "an interval in seconds" },
		{ "every 15m", "2026-03-02T00:00:00Z", "2026-03-02T00:15:00Z", "in minutes" },
		{ "Every 2H", "2026-03-02T00:00:00Z", "2026-03-02T02:00:00Z", "in hours" },
		{ "every 1d", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "in days" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		is_str(next(all[i].expr, NULL, all[i].after), all[i].want, "%s (%s)", all[i].what, all[i].expr);
}

static void
test_refused(void)
{
	static const char *const bad[] = { "", " ", "*", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
		"* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "1,,2 * * * *", "1, * * * *",
		"a * * * *", "1- * * * *", "-1 * * * *", "** * * * *", "? * * * *", "* * * foo *", "* * * monday *", "@reboot",
		"every", "every ", "every 5", "every 0s", "every -5m", "every 5x", "every 5mm", "every 400d",
		"every 99999999999999999999s", "99999999999 * * * *", "* * * * * \n", "every five minutes" };
	struct cron k;
	const char *why = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!cron_parse(bad[i], &k, &why) && why != NULL, "\"%s\" is refused", bad[i][0] == '*' && strchr(bad[i], '\n') ? "a line end" : bad[i]);
}

static void
test_dst(void)
{
	static const char b[] = "Europe/Berlin";

	/* clocks go from 2 to 3 on 29 March 2026 at 01:00Z, and back on 25 October at 01:00Z */
	is_str(next("30 2 * * *", b, "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z", "a time of day that is skipped is due when the gap ends");
	is_str(next("30 2 * * *", b, "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z", "and the day after at its own time");
	is_str(next("30 2 * * *", b, "2026-03-29T00:59:59.500Z"), "2026-03-29T01:00:00Z", "also when asked within the second before it");
	is_str(next("0,30 2 * * *", b, "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z", "two of them: once");
	is_str(next("0,30 2 * * *", b, "2026-03-29T01:00:00Z"), "2026-03-30T00:00:00Z", "and no more that day");
	is_str(next("*/30 * * * *", b, "2026-03-29T00:30:00Z"), "2026-03-29T01:00:00Z", "by the half hour nothing is missing");
	is_str(next("0 3 * * *", b, "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z", "the first time that exists again");
	is_str(next("30 2 * * *", b, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z", "a time of day that comes twice: the first one");
	is_str(next("30 2 * * *", b, "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z", "and not the second");
	is_str(next("0 3 * * *", b, "2026-10-25T00:30:00Z"), "2026-10-25T02:00:00Z", "what comes after both");
	is_str(next("30 * * * *", b, "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z", "by the hour both count");
	is_str(next("30 2 * * *", b, "2026-10-25T01:10:00Z"), "2026-10-26T01:30:00Z", "asked within the second pass, too");
	is_str(next("0 9 * * *", b, "2026-07-01T00:00:00Z"), "2026-07-01T07:00:00Z", "summer");
	is_str(next("0 9 * * *", b, "2026-12-01T12:00:00Z"), "2026-12-02T08:00:00Z", "winter");
	is_str(next("0 9 * * *", b, "2060-07-01T00:00:00Z"), "2060-07-01T07:00:00Z", "beyond the file's table its rule holds");
	is_str(next("0 9 * * *", "Asia/Kathmandu", "2026-07-01T00:00:00Z"), "2026-07-01T03:15:00Z", "a zone of quarter hours");
	is_str(next("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z"), "2026-03-08T07:00:00Z", "another half of the world");
	is_str(next("0 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z"), "2026-10-03T15:30:00Z", "a change of half an hour");
	ok(zone_find("Europe/Nowhere") == NULL && zone_find("../etc/passwd") == NULL && zone_find("/etc/passwd") == NULL &&
	    zone_find("tzdata.zi") == NULL && zone_find("Europe") == NULL, "what is no zone is none");
	ok(zone_find("") == zone_find("UTC") && zone_find(b) == zone_find(b), "a zone is read once");
}

static void
test_zones(void)
{
	static const char *const names[] = { "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Tokyo",
		"Africa/Casablanca", "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Asia/Tehran",
		"Antarctica/Troll", "Pacific/Chatham", "Asia/Gaza", "America/Nuuk" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct zone *z = zone_find(names[i]);
		int bad = 0;

		setenv("TZ", names[i], 1);
		tzset();
		/* an odd step, so that every hour and day is met: 1970 to 2100 */
		for (int64_t t = 0; z != NULL && t < 4102444800; t += 100019) {
			time_t s = (time_t)t;
			struct zone_span at = zone_at(z, t);
			struct tm tm;

			localtime_r(&s, &tm);
			bad += tm.tm_gmtoff != at.offset || at.from > t || at.until <= t ||
			    (at.until != INT64_MAX && zone_at(z, at.until).from != at.until) ||
			    (at.from != INT64_MIN && zone_at(z, at.from - 1).until != at.from);
		}
		ok(z != NULL && bad == 0, "%s is as the C library has it, for 130 years", names[i]);
	}
	unsetenv("TZ");
	tzset();
}

/* What is due by the hour is due whenever the wall clock shows it: look at every minute of a year. */
static void
test_brute(void)
{
	static const char *const exprs[] = { "*/7 * * * *", "0 * 1,15 * *", "13 */5 * * 1", "0 * 13 * 5", "1-59/29 * 28-31 2,3,10 *" };
	const struct zone *z = zone_find("Europe/Berlin");

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
		struct cron k;
		const char *why;
		int64_t from = 1767225600, due = cron_parse(exprs[i], &k, &why) ? cron_next(&k, z, from * 1000 - 1) : -1;
		int bad = 0, hits = 0;

		for (int64_t t = from; t < from + 366 * 86400; t += 60) {
			time_t s = (time_t)t;
			struct tm tm;
			bool day, week, fits;

			localtime_r(&s, &tm);
			day = (k.day >> tm.tm_mday & 1) != 0;
			week = (k.weekday >> tm.tm_wday & 1) != 0;
			fits = (k.minute >> tm.tm_min & 1) && (k.hour >> tm.tm_hour & 1) && (k.month >> (tm.tm_mon + 1) & 1) &&
			    (k.day_star || k.weekday_star ? day && week : day || week);
			bad += fits != (due == t * 1000);
			hits += fits;
			if (due == t * 1000)
				due = cron_next(&k, z, due);
		}
		ok(bad == 0 && hits > 0, "%s: each of %d times of a year, and no other", exprs[i], hits);
	}
	unsetenv("TZ");
	tzset();
}

static void
test_quiet(void)
{
	int64_t day = 20000 * (int64_t)86400000, h = 3600000;

	is_int(quiet_until("22:00-06:30", day + 23 * h), day + 30 * h + 1800000, "before midnight: until the next morning");
	is_int(quiet_until("22:00-06:30", day + 2 * h), day + 6 * h + 1800000, "after midnight: until the same morning");
	is_int(quiet_until("22:00-06:30", day + 6 * h + 1800000), 0, "the end is not quiet any more");
	is_int(quiet_until("22:00-06:30", day + 22 * h), day + 30 * h + 1800000, "the beginning is");
	is_int(quiet_until("08:00-17:00", day + 12 * h), day + 17 * h, "by day");
	is_int(quiet_until("08:00-17:00", day + 7 * h), 0, "and not before");
	is_int(quiet_until("00:00-24:00", day + 7 * h), day + 24 * h, "the whole day");
	is_int(quiet_until("08:00-08:00", day + 8 * h), 0, "from a time to itself: never");
	is_int(quiet_until(NULL, day), 0, "none");
	ok(!quiet_hours_ok("8:00-17:00") && !quiet_hours_ok("08:00") && !quiet_hours_ok("24:00-01:00") &&
	    !quiet_hours_ok("08:00-24:01") && !quiet_hours_ok("08:60-09:00") && !quiet_hours_ok("08:00-17:00 ") && !quiet_hours_ok(""),
	    "what is not HH:MM-HH:MM is refused");
	ok(quiet_hours_ok("00:00-24:00") && quiet_hours_ok("22:15-06:45"), "what is, is taken");
}

int
main(void)
{
	bool zones = zone_find("Europe/Berlin") != NULL;

	test_fields();
	test_refused();
	test_quiet();
	if (zones) {
		test_dst();
		test_zones();
		test_brute();
	} else {
		printf("ok %u # SKIP no zoneinfo on this machine\n", ++tap_n);
	}
	return done();
}

/*
 * Cron expressions: reading them, and the next time that one names. Quiet hours.
 *
 * The difficult thing is the wall clock. The search goes through stretches of time in which the zone's offset stays
 * the same; in each it is plain arithmetic. Where two stretches meet, a time of day may be missing or come twice.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/cron.h"

enum { DAY_S = 86400, YEARS_MAX = 12, EVERY_MAX_S = 366 * 86400, TEXT_MAX = 256 };

/* --- reading ----------------------------------------------------------------------- */

struct range { int lo, hi; const char *const *names; };

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
	"dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const struct range seconds = { 0, 59, NULL }, hours = { 0, 23, NULL }, days = { 1, 31, NULL },
    months = { 1, 12, month_names }, weekdays = { 0, 7, day_names };

static bool
number(const char **p, const struct range *r, int *ret)
{
	int v = 0, n = 0;

	for (int i = 0; r->names != NULL && r->names[i] != NULL; i++)
		if (strncasecmp(*p, r->names[i], 3) == 0 && !isalnum((unsigned char)(*p)[3])) {
			*p += 3;
			*ret = r->lo + i;
			return true;
		}
	for (; isdigit((unsigned char)**p) && n < 4; ++*p, n++)
		v = v * 10 + **p - '0';
	*ret = v;
	return n > 0 && v >= r->lo && v <= r->hi;
}

/* One part of a list: star, number or range, perhaps with a step. */
static bool
part(const char **p, const struct range *r, uint64_t *bits)
{
	int lo = r->lo, hi = r->hi, step = 1;
	bool one = false;

	if (**p == '*') {
		++*p;
	} else {
		if (!number(p, r, &lo))
			return false;
		hi = lo;
		one = **p != '-';
		if (!one && (++*p, !number(p, r, &hi) || hi < lo))
			return false;
	}
	if (**p == '/') {
		static const struct range steps = { 1, 9999, NULL };

		++*p;
		if (!number(p, &steps, &step))
			return false;
		if (one)
			hi = r->hi;             /* "5/15": from 5 on */
	}
	for (int v = lo; v <= hi; v += step)
		*bits |= (uint64_t)1 << v;
	return true;
}

static bool
field(const char *s, const struct range *r, uint64_t *ret, bool *ret_star)
{
	*ret = 0;
	*ret_star = *s == '*';
	if (strcmp(s, "?") == 0 && (r == &days || r == &weekdays)) {
		s = "*";
		*ret_star = true;
	}
	do {
		if (!part(&s, r, ret))
			return false;
	} while (*s == ',' && *s++);
	return *s == '\0';
}

/* "every 15m" */
static bool
interval(const char *s, struct cron *ret, const char **why)
{
	static const struct { char unit; int64_t s; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S } };
	char *end;
	long long n;

	s += strspn(s, " \t");
	n = isdigit((unsigned char)*s) ? strtoll(s, &end, 10) : 0;
	*why = "every N is followed by s, m, h or d, and N is at least 1";
	if (n < 1 || n > EVERY_MAX_S || end[0] == '\0' || end[1] != '\0')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (tolower((unsigned char)*end) == units[i].unit) {
			*ret = (struct cron){ .kind = CRON_EVERY, .every_s = n * units[i].s };
			*why = "more than 366 days lie between";
			return ret->every_s <= EVERY_MAX_S;
		}
	return false;
}

static const char *
macro(const char *s)
{
	static const struct { const char *name, *fields; } all[] = {
		{ "@hourly", "0 * * * *" }, { "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" },
		{ "@weekly", "0 0 * * 0" }, { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
		{ "@annually", "0 0 1 1 *" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcasecmp(s, all[i].name) == 0)
			return all[i].fields;
	return s;
}

bool
cron_parse(const char *text, struct cron *ret, const char **ret_why)
{
	char copy[TEXT_MAX], *word[7] = { NULL }, *save = NULL;
	uint64_t bits[6];
	bool star[6];
	const struct range *const kinds[] = { &seconds, &seconds, &hours, &days, &months, &weekdays };
	size_t n = 0, first;

	text += strspn(text, " \t");
	if (strncasecmp(text, "every ", 6) == 0)
		return interval(text + 6, ret, ret_why);
	*ret_why = "five fields are expected (minute hour day month weekday), or six with seconds first";
	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	for (size_t k = strlen(copy); k > 0 && strchr(" \t", copy[k - 1]) != NULL; k--)
		copy[k - 1] = '\0';
	if (copy[0] == '@')
		memcpy(copy, macro(copy), strlen(macro(copy)) + 1);
	for (char *w = strtok_r(copy, " \t", &save); w != NULL && n < 7; w = strtok_r(NULL, " \t", &save))
		word[n++] = w;
	if (n != 5 && n != 6)
		return false;
	first = 6 - n;
	bits[0] = 1;                            /* at second 0 */
	for (size_t i = 0; i < n; i++) {
		static const char *const faults[] = { "the seconds are wrong", "the minutes are wrong", "the hours are wrong",
			"the days of the month are wrong", "the months are wrong", "the weekdays are wrong" };

		*ret_why = faults[first + i];
		if (!field(word[i], kinds[first + i], &bits[first + i], &star[first + i]))
			return false;
	}
	*ret = (struct cron){
		.kind = CRON_TIMES, .second = bits[0], .minute = bits[1], .hour = (uint32_t)bits[2], .day = (uint32_t)bits[3],
		.month = (uint32_t)bits[4], .weekday = (uint8_t)((bits[5] | bits[5] >> 7) & 0x7f),
		.day_star = star[3], .weekday_star = star[5], .hour_star = star[2],
	};
	return true;
}

/* --- the calendar: days since 1970-01-01 ---------------------------------------------- */

/* Howard Hinnant's algorithms for the proleptic Gregorian calendar. */
static int64_t
days_of(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static void
date_of(int64_t day, int64_t *y, unsigned *m, unsigned *d)
{
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static bool
day_fits(const struct cron *k, int64_t day, unsigned d)
{
	bool by_day = (k->day >> d & 1) != 0, by_week = (k->weekday >> ((day % 7 + 11) % 7) & 1) != 0;

	return k->day_star || k->weekday_star ? by_day && by_week : by_day || by_week;
}

/* The lowest bit from `from` on; -1: none. */
static int
bit_from(uint64_t bits, int from)
{
	bits = from > 63 ? 0 : bits >> from << from;
	return bits == 0 ? -1 : __builtin_ctzll(bits);
}

/* The first second of the day from s on that fits; -1: none. */
static int
second_of_day(const struct cron *k, int s)
{
	int h = bit_from(k->hour, s / 3600), m, sec;

	if (h < 0)
		return -1;
	if (h > s / 3600)
		s = h * 3600;
	m = bit_from(k->minute, s / 60 % 60);
	if (m >= 0 && m > s / 60 % 60)
		s = h * 3600 + m * 60;
	sec = m < 0 ? -1 : bit_from(k->second, s % 60);
	if (sec >= 0)
		return h * 3600 + m * 60 + sec;
	/* nothing more in this minute, or this hour */
	if (m >= 0 && (m = bit_from(k->minute, m + 1)) >= 0)
		return h * 3600 + m * 60 + bit_from(k->second, 0);
	if ((h = bit_from(k->hour, h + 1)) < 0)
		return -1;
	return h * 3600 + bit_from(k->minute, 0) * 60 + bit_from(k->second, 0);
}

/* The first local second from `from` on (both as if in UTC) that fits; -1: none in YEARS_MAX years. */
static int64_t
local_match(const struct cron *k, int64_t from)
{
	int64_t day = from / DAY_S - (from % DAY_S < 0), y, y0;
	int s = (int)(from - day * DAY_S), at;
	unsigned m, d;

	date_of(day, &y0, &m, &d);
	for (y = y0; y <= y0 + YEARS_MAX;) {
		if ((k->month >> m & 1) == 0) {
			m = m == 12 ? 1 : m + 1;
			y += m == 1;
			day = days_of(y, m, d = 1);
			s = 0;
			continue;
		}
		if (day_fits(k, day, d) && (at = second_of_day(k, s)) >= 0)
			return day * DAY_S + at;
		s = 0;
		date_of(++day, &y, &m, &d);
	}
	return -1;
}

int64_t
cron_next(const struct cron *k, const struct zone *zone, int64_t after_ms)
{
	int64_t after = after_ms / 1000 - (after_ms % 1000 < 0), t = after + 1;

	if (k->kind == CRON_EVERY)
		return after_ms + k->every_s * 1000;
	while (t - after < (int64_t)YEARS_MAX * 366 * DAY_S) {
		struct zone_span s = zone_at(zone, t);
		int64_t before = s.from == INT64_MIN ? s.offset : zone_at(zone, s.from - 1).offset, local;

		if (!k->hour_star && t == s.from && before < s.offset && (local = local_match(k, t + before)) >= 0 && local < t + s.offset)
			return t * 1000;                /* clocks were set forward over it */
		local = t + s.offset;
		if (!k->hour_star && before > s.offset && local < s.from + before)
			local = s.from + before;        /* clocks were set back: these times came once already */
		if ((local = local_match(k, local)) < 0)
			return -1;
		if (local - s.offset < s.until)
			return (local - s.offset) * 1000;
		t = s.until;
	}
	return -1;
}

/* --- quiet hours ----------------------------------------------------------------------- */

/* "22:00-06:30" in minutes of the day. */
static bool
quiet_parse(const char *s, int *from, int *to)
{
	int v[4];

	for (int i = 0; i < 4; i++) {
		static const char after[] = ":-:";

		if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]))
			return false;
		v[i] = (s[0] - '0') * 10 + s[1] - '0';
		s += 2;
		if (i < 3 && *s++ != after[i])
			return false;
	}
	*from = v[0] * 60 + v[1];
	*to = v[2] * 60 + v[3];
	return *s == '\0' && v[0] < 24 && v[1] < 60 && v[3] < 60 && (v[2] < 24 || (v[2] == 24 && v[3] == 0));
}

bool
quiet_hours_ok(const char *text)
{
	int from, to;

	return quiet_parse(text, &from, &to);
}

int64_t
quiet_until(const char *text, int64_t ms)
{
	enum { DAY_MIN = 1440 };
	int64_t minute = ms / 60000;
	int from, to, at = (int)(minute % DAY_MIN), since;

	if (text == NULL || !quiet_parse(text, &from, &to) || from == to)
		return 0;
	since = (at - from + DAY_MIN) % DAY_MIN;
	to = (to - from + DAY_MIN - 1) % DAY_MIN + 1;
	return since < to ? (minute - since + to) * 60000 : 0;
}

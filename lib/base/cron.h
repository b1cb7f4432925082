/*
 * When something is due again: cron expressions and plain intervals, in a time zone.
 */
#ifndef LF_CRON_H
#define LF_CRON_H
#include "lib/base/base.h"

/* --- time zones ------------------------------------------------------------------ */

struct zone;
/*
 * A zone of the IANA database by name ("Europe/Berlin"), read from the system's zoneinfo (TZif, RFC 9636). NULL, "" and
 * "UTC" are always there. Kept for the process's life; shared by threads. NULL: no such zone, or no memory.
 */
const struct zone *zone_find(const char *name);
/* A stretch of time in which the offset (seconds east of UTC) is the same: from <= t < until, in Unix seconds. */
struct zone_span { int64_t from, until, offset; };
struct zone_span zone_at(const struct zone *, int64_t unix_s);

/* --- cron ------------------------------------------------------------------------ */

enum cron_kind { CRON_TIMES, CRON_EVERY };

struct cron {
	enum cron_kind kind;
	int64_t every_s;                /* CRON_EVERY: the interval */
	uint64_t second, minute;        /* CRON_TIMES: a bit per value */
	uint32_t hour, day, month;      /* day from bit 1, month from bit 1 */
	uint8_t weekday;                /* Sunday is bit 0 */
	bool day_star, weekday_star;    /* both restricted: either will do (POSIX crontab) */
	bool hour_star;                 /* runs by the hour, not at a time of day */
};

/*
 * "min hour day month weekday" as POSIX has it, with names, steps, and Sunday as 0 or 7; six fields begin with seconds.
 * Also @hourly @daily @midnight @weekly @monthly @yearly @annually, and "every 90s|15m|2h|1d".
 * false: *ret_why says what is wrong, a constant.
 */
bool cron_parse(const char *text, struct cron *ret, const char **ret_why);
/*
 * The first time after that one, in Unix milliseconds; -1: never (30 February). An interval counts from after_ms.
 * Where clocks go forward over a time of day, it is due when the gap ends; where they go back, once.
 */
int64_t cron_next(const struct cron *, const struct zone *, int64_t after_ms);

/*
 * "HH:MM-HH:MM" of UTC, the end excluded, over midnight if it ends before it begins; equal times: never quiet.
 * quiet_until: when the quiet time that ms lies in is over; 0: it lies in none.
 */
bool quiet_hours_ok(const char *text);
int64_t quiet_until(const char *text, int64_t ms);
#endif

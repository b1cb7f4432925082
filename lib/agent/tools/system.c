/*
 * system_time: what time it is, here and in UTC.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/util.h"

/* The zone's name: TZ, else what /etc/localtime points to, else its abbreviation. */
static const char *
zone_name(const struct tm *tm, char out[static 256])
{
	const char *tz = getenv("TZ"), *at;
	ssize_t n;

	if (tz != NULL && *tz != '\0')
		return *tz == ':' ? tz + 1 : tz;
	n = readlink("/etc/localtime", out, 255);
	if (n > 0) {
		out[n] = '\0';
		at = strstr(out, "/zoneinfo/");
		if (at != NULL)
			return at + strlen("/zoneinfo/");
	}
	return tm->tm_zone != NULL ? tm->tm_zone : "UTC";
}

enum err
tool_system_time(struct tool_env *env, struct json_object *input, struct buf *out)
{
	static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
		"Friday", "Saturday" };
	int64_t ms = clock_ms();
	time_t s = (time_t)(ms / 1000);
	char utc[25], date[16], hms[16], offset[8], zone[256];
	struct tm tm;

	(void)env;
	(void)input;
	buf_clear(out);
	if (localtime_r(&s, &tm) == NULL)
		return tool_say(out, ERR_INTERNAL, "the clock cannot be read");
	time_rfc3339(ms, utc);
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	strftime(hms, sizeof(hms), "%H:%M:%S", &tm);
	strftime(offset, sizeof(offset), "%z", &tm);
	buf_printf(out, "{\n  \"utc\": \"%s\",\n  \"local\": \"%sT%s%.3s:%s\",\n  \"unix_epoch\": %jd,\n",
	    utc, date, hms, offset, offset + 3, (intmax_t)s);
	buf_str(out, "  \"timezone\": ");
	json_quote(out, zone_name(&tm, zone), strlen(zone_name(&tm, zone)));
	buf_printf(out, ",\n  \"utc_offset\": \"%.3s:%s\",\n  \"date\": \"%s\",\n  \"time\": \"%s\",\n"
	    "  \"day_of_week\": \"%s\"\n}", offset, offset + 3, date, hms, days[tm.tm_wday]);
	return ERR_OK;
}

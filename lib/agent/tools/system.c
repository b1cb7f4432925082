/*
 * system_time: what time it is, here and in UTC; event_publish: something has happened.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/agent/tools/tools.h"
#include "lib/base/util.h"
#include "lib/svc/event.h"

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

/* event_publish: for agents that wait for all that happens. */
enum err
tool_event_publish(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(EVENT_DETAIL_MAX * 8);
	struct json_object *payload = js_get(input, "payload");
	const char *type;
	enum err e = tool_text(input, "event_type", &type, NULL, out);

	if (e == ERR_OK && (type[0] == '\0' || strlen(type) > 128))
		e = tool_say(out, ERR_INVALID, "parameter event_type: 1 to 128 bytes are expected");
	if (e == ERR_OK && payload != NULL && !json_object_is_type(payload, json_type_object))
		e = tool_say(out, ERR_INVALID, "parameter payload: an object is expected");
	if (e == ERR_OK && (strncmp(type, "system.", 7) == 0 || strncmp(type, "internal.", 9) == 0))
		e = tool_say(out, ERR_FORBIDDEN, "events of system. and internal. are not for agents");
	if (e == ERR_OK)
		e = tool_db_take(env, out);
	if (e != ERR_OK)
		return e;
	buf_printf(&b, "%s ", type);
	if (payload != NULL) {
		struct jw w = JW_INIT(&b);

		jw_json(&w, NULL, payload);
	}
	e = b.failed ? fail(env->c, ERR_TOO_LARGE, "the payload is too large")
	    : event_publish(env->c, EVENT_CUSTOM, env->agent_id, b.p, b.len, env->event_depth);
	tool_db_give(env);
	return e == ERR_OK ? tool_say(out, ERR_OK, "Published %s.", type) : tool_fault(env, e, out);
}

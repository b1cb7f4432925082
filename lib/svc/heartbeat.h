/* Who should have been heard of by now (daemon/heartbeat.h). */
#ifndef LF_SVC_HEARTBEAT_H
#define LF_SVC_HEARTBEAT_H
#include "lib/base/json.h"

struct pulse {
	const char *agent_id, *name;
	bool silent;                    /* as was said of it last */
	int64_t late_ms;                /* when it counts as silent, if it is not heard of before; INT64_MAX: never */
	struct json_object *manifest;
};

/*
 * Running agents with a loop that have worked before, each in turn; fn false ends. An agent is waited for from its first slot since it was heard
 * of last: timeout_secs, else twice interval_secs of its [autonomous], else the configuration's.
 */
enum err pulse_each(struct ctx *, bool (*fn)(void *, const struct pulse *), void *arg) MUST_CHECK;
enum err pulse_note(struct ctx *, const char *agent_id, bool silent) MUST_CHECK;
#endif

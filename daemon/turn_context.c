/*
 * What a conversation begins with besides what was said: a session that has grown too old gives way to a new one
 * ([session.reset]), and texts are put before what the user says.
 */
#include <string.h>
#include <time.h>

#include "daemon/turn_state.h"
#include "lib/agent/prompt.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { IDLE_MINUTES = 1440, DAILY_HOUR = 4, TEXT_MAX = 1 << 20 };

/* --- old sessions --------------------------------------------------------------------- */

/* The newest moment of that local hour that is not in the future. */
static int64_t
last_boundary_ms(int64_t now_ms, int64_t hour)
{
	time_t now = (time_t)(now_ms / 1000), at;
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return 0;
	tm.tm_hour = (int)hour;
	tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	at = mktime(&tm);
	if (at > now) {
		tm.tm_mday--;
		tm.tm_isdst = -1;
		at = mktime(&tm);
	}
	return (int64_t)at * 1000;
}

static bool
is_old(struct turn *t, int64_t last_ms)
{
	struct json_object *rule = js_obj(js_obj(t->c->cfg->raw, "session"), "reset");
	const char *mode = js_str_or(rule, "mode", "off");
	bool both = strcmp(mode, "both") == 0;
	int64_t minutes = js_i64(rule, "idle_minutes", IDLE_MINUTES);

	if ((both || strcmp(mode, "idle") == 0) && minutes > 0 && (t->c->now_ms - last_ms) / 60000 >= minutes)
		return true;
	return (both || strcmp(mode, "daily") == 0) && last_ms < last_boundary_ms(t->c->now_ms, js_i64(rule, "daily_at_hour", DAILY_HOUR));
}

enum err
turn_reset(struct turn *t)
{
	int64_t last_ms = 0;
	char id[37];
	enum err e;

	if (strcmp(js_str_or(js_obj(js_obj(t->c->cfg->raw, "session"), "reset"), "mode", "off"), "off") == 0)
		return ERR_OK;
	e = session_last_said(t->c, t->session_id, &last_ms);
	if (e != ERR_OK || last_ms == 0 || !is_old(t, last_ms))
		return e;
	t->own_model = NULL;
	if ((e = session_replace(t->c, t->agent.id, t->session_id, id)) == ERR_OK) {
		memcpy(t->session_id, id, 37);
	} else if (e == ERR_CONFLICT && (e = agent_load(t->c, t->agent.id, &t->agent)) == ERR_OK) {
		memcpy(t->session_id, t->agent.session_id, 37);         /* another turn was first */
	}
	return e;
}

/* --- texts put before what is said -------------------------------------------------------- */

enum err
turn_context(struct turn *t)
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX);
	SCOPED_BUF json = BUF_INIT(8 * TEXT_MAX);
	const char *text;

	if (t->ask->parent_context != NULL)
		buf_printf(&b, "\n\n%s", t->ask->parent_context);
	if (t->elsewhere != NULL)
		buf_printf(&b, "\n\n%s", t->elsewhere);
	if (t->stored == 0 && t->ask->depth == 0)
		prompt_injections(t->c, &t->agent, "after_reset", &b);
	if (t->ask->depth == 0)
		prompt_injections(t->c, &t->agent, "before_user", &b);
	if (b.len == 0 && !b.failed)
		return ERR_OK;
	json_quote(&json, b.p + 2, b.len - 2);
	text = b.failed || json.failed ? NULL : ctx_strndup(t->c, json.p, json.len);
	if (text == NULL || !history_add(t->c, &t->history, message_of(t->c, BY_USER, text, json.len)))
		return fail(t->c, ERR_NOMEM, "out of memory");
	return ERR_OK;
}

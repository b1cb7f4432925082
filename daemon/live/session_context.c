/*
 * How full a session makes its model's window: an estimate of what the next turn would send.
 */
#include <string.h>

#include "lib/agent/fit.h"
#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/tokens.h"
#include "lib/agent/tool.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/config.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/session_compact.h"

struct reply sessions_context(struct ctx *, const struct request *);

static enum err
used_tokens(struct ctx *c, const struct agent *a, const char *session_id, int64_t *ret)
{
	SCOPED_BUF prompt = BUF_INIT(1 << 20);
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	struct toolset tools = tools_of(c, a->manifest, a->mode, true, 0);
	const struct history *kept;
	const char *summary;
	struct history h;
	int64_t limit = js_i64(a->manifest, "max_history_messages",
	    c->cfg->max_history_messages > 0 ? c->cfg->max_history_messages : 60);
	enum err e = prompt_system(c, a, dir, 0, false, tools.granted, &prompt);

	limit = limit < 4 ? 4 : limit > 500 ? 500 : limit;
	if (e == ERR_OK)
		e = messages_load(c, session_id, limit, &h);
	if (e == ERR_OK)
		e = session_summary(c, session_id, &summary);
	if (e != ERR_OK)
		return e;
	kept = history_for_model(c, &h, (unsigned)limit);
	if (kept == NULL || (kept = history_with_summary(c, kept, summary)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	*ret = tokens_of_text(prompt.p != NULL ? prompt.p : "", prompt.len) + tokens_of_history(kept) + tools_tokens(tools.sent);
	return ERR_OK;
}

static void
write_context(struct ctx *c, const struct agent *a, int64_t used, struct jw *w)
{
	const char *source, *provider, *model;
	int64_t max, tenths;

	agent_resolved_model(c, a, &provider, &model);
	max = fit_window(js_obj(a->manifest, "model"), provider, model, &source);
	tenths = used * 1000 / max;
	tenths = tenths > 1000 ? 1000 : tenths;
	jw_object(w, NULL);
	jw_i64(w, "used_tokens", used);
	jw_i64(w, "max_context_tokens", max);
	jw_str(w, "max_context_tokens_source", source);
	jw_bool(w, "max_context_tokens_assumed", strcmp(source, "fallback") == 0);
	jw_f64(w, "pct", (double)tenths / 10);
	jw_str(w, "model", a->model);
	jw_str(w, "pressure", tenths > 850 ? "critical" : tenths > 700 ? "high" : tenths > 500 ? "medium" : "low");
	jw_end(w);
}

struct reply
sessions_context(struct ctx *c, const struct request *rq)
{
	const struct session_query *q = rq->query;
	struct jw *w = reply_open(c);
	struct session s;
	struct agent a;
	int64_t used = 0;
	char id[37];
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK && q->session_id != NULL)
		e = session_id_of(c, q->session_id, id);
	if (e == ERR_OK && q->session_id != NULL)
		e = session_to_watch(c, &a, id, &s);
	if (e == ERR_OK)
		e = used_tokens(c, &a, q->session_id != NULL ? id : a.session_id, &used);
	if (e != ERR_OK)
		return reply_fail(c);
	write_context(c, &a, used, w);
	return reply_json(c, 200, w);
}

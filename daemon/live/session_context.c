/*
 * How full a session makes its model's window: an estimate of what the next turn would send.
 */
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/tool.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/session_compact.h"

struct reply sessions_context(struct ctx *, const struct request *);

enum { WINDOW_UNKNOWN = 8192 };

/* A quarter of a token for a character, one and a half for those of East Asia: in quarters. */
static int64_t
quarters(const char *s, size_t n)
{
	int64_t q = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)s[i];

		if ((ch & 0xC0) != 0x80)
			q += (ch >= 0xE3 && ch <= 0xED) || ch >= 0xF0 ? 6 : 1;
	}
	return q;
}

static int64_t
tokens_of_json(struct json_object *o)
{
	const char *s = o == NULL ? "" : json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);

	return (quarters(s, strlen(s)) + 3) / 4;
}

static enum err
used_tokens(struct ctx *c, const struct agent *a, const char *session_id, int64_t *ret)
{
	SCOPED_BUF prompt = BUF_INIT(1 << 20);
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	struct json_object *tools = tools_for(c, a->manifest, a->mode), *copy = NULL;
	const struct history *kept;
	const char *summary;
	struct history h;
	int64_t limit = js_i64(a->manifest, "max_history_messages",
	    c->cfg->max_history_messages > 0 ? c->cfg->max_history_messages : 60);
	enum err e = prompt_system(c, a, dir, 0, tools, &prompt);

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
	*ret = (quarters(prompt.p != NULL ? prompt.p : "", prompt.len) + 3) / 4;
	for (size_t i = 0; i < kept->n; i++)
		*ret += 4 + (kept->v[i].blocks != NULL ? tokens_of_json(kept->v[i].blocks)
		    : (quarters(kept->v[i].text, kept->v[i].n) + 3) / 4);
	if (tools != NULL && json_object_deep_copy(tools, &copy, NULL) == 0 && json_keep(c, copy) != NULL)
		*ret += tokens_of_json(copy);   /* writing a shared one would change it */
	return ERR_OK;
}

static int64_t
window_of(struct ctx *c, const struct agent *a, const char **source)
{
	struct json_object *mm = js_obj(a->manifest, "model");
	const char *provider, *model;
	const struct model *known;

	*source = "manifest";
	if (js_i64(mm, "context_window", 0) > 0)
		return js_i64(mm, "context_window", 0);
	agent_resolved_model(c, a, &provider, &model);
	known = catalog_model(provider, model);
	*source = "catalog";
	if (known != NULL && known->context_window > 0)
		return known->context_window;
	*source = "fallback";
	return WINDOW_UNKNOWN;
}

static void
write_context(struct ctx *c, const struct agent *a, int64_t used, struct jw *w)
{
	const char *source;
	int64_t max = window_of(c, a, &source), tenths = used * 1000 / max;

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

	if (w == NULL)
		return reply_json(c, 200, w);
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

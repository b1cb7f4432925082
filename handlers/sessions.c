/*
 * Sessions of all agents: list, one of them, label, model, export; and memory as a whole.
 */
#include <string.h>

#include "handlers/handlers.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/kv.h"
#include "lib/svc/search.h"
#include "lib/svc/session_admin.h"

static enum err
request_session(struct ctx *c, const struct request *rq, struct session *ret)
{
	char id[37];
	enum err e = request_session_id(c, rq, "id", id);

	return e == ERR_OK ? session_seen(c, id, ret) : e;
}

struct reply
sessions_list(struct ctx *c, const struct request *rq)
{
	const struct page_query *q = rq->query;
	struct jw *w = reply_open(c);

	if (sessions_write_page(c, q->agent, q->limit, q->offset, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
sessions_search(struct ctx *c, const struct request *rq)
{
	const struct search_query *q = rq->query;
	struct search_ask ask = { .words = q->q, .agent_id = q->agent_id, .limit = q->limit, .offset = q->offset };
	struct jw *w = reply_open(c);

	if (q->q == NULL || q->q[strspn(q->q, " \t\r\n")] == '\0') {
		ignore_err(fail(c, ERR_BAD_REQUEST, "missing or empty 'q' parameter"));
		return reply_fail(c);
	}
	if (search_write_page(c, &ask, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
sessions_show(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct session s;

	if (request_session(c, rq, &s) != ERR_OK || session_write_raw(c, &s, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

/* {"status":"updated","session_id",<key>} */
static struct reply
updated(struct ctx *c, struct jw *w, const char *id, const char *key, const char *value)
{
	jw_object(w, NULL);
	jw_str(w, "status", "updated");
	jw_str(w, "session_id", id);
	jw_str(w, key, value);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
sessions_label(struct ctx *c, const struct request *rq)
{
	const struct session_request *in = rq->body_struct;
	struct jw *w = reply_open(c);
	const char *label = NULL;
	struct session s;

	if (request_session(c, rq, &s) != ERR_OK || session_label(c, in->label, &label) != ERR_OK ||
	    session_set_label(c, s.id, label) != ERR_OK)
		return reply_fail(c);
	return updated(c, w, s.id, "label", label);
}

/* "model" or "provider/model", without blanks and with neither half empty. */
static enum err
model_checked(struct ctx *c, struct json_object *body, const char **ret)
{
	struct json_object *v = NULL;
	const char *s;

	*ret = NULL;
	if (!json_object_is_type(body, json_type_object) || !json_object_object_get_ex(body, "model_override", &v))
		return fail(c, ERR_BAD_REQUEST, "model_override: a model or null is expected");
	if (v == NULL)
		return ERR_OK;
	s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
	if (s[0] == '\0' || strlen(s) != (size_t)json_object_get_string_len(v) || strpbrk(s, " \t\r\n") != NULL ||
	    s[0] == '/' || s[strlen(s) - 1] == '/' || strlen(s) > 512)
		return fail(c, ERR_BAD_REQUEST, "model_override: a text like model or provider/model is expected");
	*ret = s;
	return ERR_OK;
}

struct reply
sessions_model(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	const char *model;
	struct session s;

	if (request_session(c, rq, &s) != ERR_OK || model_checked(c, rq->json, &model) != ERR_OK ||
	    session_set_model(c, s.id, model) != ERR_OK)
		return reply_fail(c);
	return updated(c, w, s.id, "model_override", model);
}

struct reply
sessions_by_label(struct ctx *c, const struct request *rq)
{
	const char *who = path_arg(rq, "id");
	struct jw *w = reply_open(c);
	struct session s;
	struct agent a;
	char id[37];

	if ((uuid_parse(who, id) ? agent_load(c, id, &a) : agent_load_by_name(c, who, &a)) != ERR_OK ||
	    session_by_label(c, &a, path_arg(rq, "label"), &s) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "session_id", s.id);
	jw_str(w, "agent_id", a.id);
	jw_str(w, "label", s.label);
	jw_i64(w, "message_count", s.message_count);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
sessions_export(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct session s;
	struct agent a;
	char id[37];

	if (request_agent(c, rq, &a) != ERR_OK || request_session_id(c, rq, "session_id", id) != ERR_OK ||
	    session_of(c, &a, id, &s) != ERR_OK || session_write_export(c, &a, &s, w) != ERR_OK)
		return reply_fail(c);
	return reply_json(c, 200, w);
}

struct reply
sessions_import(struct ctx *c, const struct request *rq)
{
	struct agent a;
	char id[37];

	if (request_agent(c, rq, &a) != ERR_OK)
		return reply_fail(c);
	if (!json_object_is_type(rq->json, json_type_object)) {
		ignore_err(fail(c, ERR_BAD_REQUEST, "Invalid export format: an object is expected"));
		return reply_fail(c);
	}
	if (session_import(c, &a, rq->json, id) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "session_id", id, "message", "Session imported successfully", NULL);
}

struct reply
sessions_clean(struct ctx *c, const struct request *rq)
{
	struct json_object *cfg = js_obj(c->cfg->raw, "session");
	struct jw *w = reply_open(c);
	int64_t n;

	(void)rq;
	if (sessions_cleanup(c, js_i64(cfg, "retention_days", 0), js_i64(cfg, "max_sessions_per_agent", 0), &n) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_i64(w, "sessions_deleted", n);
	jw_end(w);
	return reply_json(c, 200, w);
}

/* --- memory as a whole ---------------------------------------------------------------------- */

struct reply
agents_memory_export(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);
	struct agent a;

	if (request_agent(c, rq, &a) != ERR_OK || kv_may(c, a.id, MEMORY_EXPORT) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "agent_id", a.id);
	jw_i64(w, "version", 1);
	jw_object(w, "kv");
	if (kv_write_members(c, a.id, w) != ERR_OK)
		return reply_fail(c);
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

static enum err
import_checked(struct ctx *c, struct json_object *in)
{
	struct json_object *clear = js_get(in, "clear_existing");

	if (js_obj(in, "kv") == NULL)
		return fail(c, ERR_BAD_REQUEST, "kv: an object of keys and values is expected");
	if (clear != NULL && !json_object_is_type(clear, json_type_boolean))
		return fail(c, ERR_BAD_REQUEST, "clear_existing: true or false is expected");
	return ERR_OK;
}

struct reply
agents_memory_import(struct ctx *c, const struct request *rq)
{
	struct json_object *failed = json_keep(c, json_object_new_array());
	struct jw *w = reply_open(c);
	const char *kv = "";
	size_t kv_n = 0;
	struct agent a;
	int64_t n = 0;
	bool partial;

	(void)json_member_span(rq->body, rq->body_bytes, "kv", &kv, &kv_n);    /* there is one, or it is refused */
	if (request_agent(c, rq, &a) != ERR_OK || import_checked(c, rq->json) != ERR_OK ||
	    kv_may(c, a.id, js_bool(rq->json, "clear_existing", false) ? MEMORY_REMOVE : MEMORY_WRITE) != ERR_OK ||
	    kv_import(c, a.id, kv, kv_n, js_bool(rq->json, "clear_existing", false), &n, failed) != ERR_OK)
		return reply_fail(c);
	partial = json_object_array_length(failed) > 0;
	jw_object(w, NULL);
	jw_str(w, "status", partial ? "partial" : "imported");
	jw_i64(w, "keys_imported", n);
	if (partial)
		jw_json(w, "failed_keys", failed);
	jw_end(w);
	return reply_json(c, 200, w);
}

/*
 * One question, one way after the other.
 */
#include "daemon/side.h"

#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/health.h"
#include "daemon/meter.h"
#include "daemon/rest.h"
#include "lib/base/util.h"
#include "lib/llm/llm.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

enum { RETRIES_MAX = 3, RETRIES_BEFORE_NEXT = 1, HURRY_MS = 250, PATIENCE_S = 10, TIMEOUT_MS = 120000, SAID_MAX = 32768, NAMED_MAX = 16 };

/* --- the ways ------------------------------------------------------------------------------- */

/* One that cannot be asked is left out. */
static enum err
add(struct side *k, const char *provider, const char *model, struct json_object *from)
{
	enum err e;

	agent_resolve(k->c->cfg, &provider, &model);
	e = model_route(k->c, provider, model, from, &k->ways[k->n]);
	k->n += e == ERR_OK;
	return e == ERR_PRECONDITION ? ERR_OK : e;
}

/* "provider/model", "provider:model", or a model of the catalog; any other is taken for one of the agent's provider. */
static enum err
add_named(struct side *k, const char *name)
{
	const char *at = strpbrk(name, "/:"), *provider = at != NULL ? ctx_strndup(k->c, name, (size_t)(at - name)) : NULL;

	if (provider != NULL && catalog_provider_alias(provider) != NULL)
		return add(k, provider, at + 1, NULL);
	return add(k, catalog_model(NULL, name) != NULL ? catalog_model(NULL, name)->provider : k->a->provider, name, NULL);
}

static enum err
named(struct side *k, struct json_object *list)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && list != NULL && i < json_object_array_length(list) && k->n < NAMED_MAX; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		if (name != NULL && name[0] != '\0')
			e = add_named(k, name);
	}
	k->own_from = k->n;
	return e;
}

static enum err
own_ways(struct side *k, struct json_object *list)
{
	const char *provider, *model;
	enum err e;

	agent_resolved_model(k->c, k->a, &provider, &model);
	e = add(k, provider, model, js_obj(k->a->manifest, "model"));
	for (size_t i = 0; e == ERR_OK && list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *usual = catalog_default_model(js_str_or(o, "provider", ""));

		model = js_str_or(o, "model", "");
		e = add(k, js_str_or(o, "provider", ""), model[0] == '\0' && usual != NULL ? usual : model, o);
	}
	return e;
}

static struct json_object *
names_of(const struct side *k)
{
	return js_arr(js_obj(js_obj(k->c->cfg->raw, "llm"), "auxiliary"), k->task);
}

enum err
side_ways(struct side *k, const struct model_route *own, size_t n)
{
	struct json_object *fallback = js_arr(k->a->manifest, "fallback_models");
	struct json_object *list = fallback != NULL ? fallback : k->c->cfg->fallback_providers;
	struct fault f = k->c->fault;
	size_t first;
	enum err e;

	if (own == NULL)
		n = 1 + (list == NULL ? 0 : json_object_array_length(list));
	k->n = k->at = 0;
	k->ways = ctx_alloc(k->c, (NAMED_MAX + n) * sizeof(*k->ways));
	if (k->ways == NULL)
		return fail(k->c, ERR_NOMEM, "out of memory");
	e = named(k, names_of(k));
	first = k->n;
	if (e == ERR_OK && own == NULL)
		e = own_ways(k, list);
	if (e == ERR_OK && own == NULL && k->c->cfg->fallback_healthiest)
		health_order(k->ways + first, k->n - first, clock_ms());
	for (size_t i = 0; e == ERR_OK && own != NULL && i < n; i++)
		k->ways[k->n++] = own[i];
	if (e != ERR_OK)
		return e;
	if (k->n == 0)
		return ERR_PRECONDITION;        /* the fault says what its last one lacks */
	k->c->fault = f;
	return ERR_OK;
}

static enum err
only(struct side *k, struct json_object *list, const char *name)
{
	struct fault f = k->c->fault;
	enum err e;

	k->n = k->at = 0;
	k->ways = ctx_alloc(k->c, NAMED_MAX * sizeof(*k->ways));
	e = k->ways == NULL ? fail(k->c, ERR_NOMEM, "out of memory") : name != NULL ? add_named(k, name) : named(k, list);
	if (e == ERR_OK)
		k->c->fault = f;
	return e;
}

enum err
side_ways_named(struct side *k)
{
	return only(k, names_of(k), NULL);
}

enum err
side_ways_to(struct side *k, const char *name)
{
	return only(k, NULL, name);
}

bool
side_is_model(const struct side *k)
{
	return k->n > k->at && strcmp(k->ways[k->at].format, "offline") != 0;
}

/* --- a call ------------------------------------------------------------------------------------- */

static enum err
model_failed(struct ctx *c, const struct llm_answer *a)
{
	if (a->error == LLM_CANCELLED)
		return fail(c, ERR_CANCELLED, "Cancelled");
	if (a->error == LLM_NO_MEMORY)
		return fail(c, ERR_NOMEM, "out of memory");
	return fail_code(c, a->error == LLM_RATE_LIMITED ? ERR_RATE_LIMITED : ERR_INTERNAL, llm_error_code(a->error), "%s", a->why);
}

static const char *
said_by(struct ctx *c, const struct llm_answer *a)
{
	for (size_t i = 0; a->content != NULL && i < json_object_array_length(a->content); i++) {
		const char *s = js_str(json_object_array_get_idx(a->content, i), "text");

		if (s != NULL && s[strspn(s, " \t\r\n")] != '\0')
			return ctx_strndup(c, s, utf8_cut(s, strlen(s), SAID_MAX));
	}
	return NULL;
}

/* What is asked, of whichever way. */
struct question { const char *system; const struct history *h; size_t tokens; double temperature; };

/* *ret_call: the model was asked, and a says what came of it; else the error is ours. */
static enum err
call(struct side *k, const struct question *q, struct llm_answer *a, bool *ret_call)
{
	const struct model_route *r = &k->ways[k->at];
	bool another = k->at + 1 < k->n;
	unsigned retries = r->retries < RETRIES_MAX ? r->retries : RETRIES_MAX;
	struct llm_request rq = {
		.provider = r->provider, .model = r->model, .format = r->format, .base_url = r->base_url, .api_key = r->api_key,
		.system = q->system, .messages = q->h, .extra = r->extra, .max_tokens = (int64_t)q->tokens, .has_temperature = true,
		.temperature = q->temperature, .timeout_ms = r->timeout_ms < TIMEOUT_MS ? r->timeout_ms : TIMEOUT_MS, .patience_s = PATIENCE_S,
		.hurry_ms = another ? HURRY_MS : 0, .other_key = r->pooled, .deadline_us = k->deadline_us, .cancel = k->cancel,
		.agent_id = k->a->id, .session_id = k->session_id, .settings = r->settings, .proxy = r->proxy, .cache_strategy = "disabled",
	};
	const struct llm_sink none = { 0 };
	struct metered m = { .asked = meter_asked(q->system, q->h, NULL), .max_tokens = rq.max_tokens, .usage = { .agent_id = k->a->id,
		.provider = rq.provider, .model = rq.model, .channel = k->channel, .session_id = k->session_id } };
	enum err e = meter_open(k->c, &m, k->a), kept;

	*ret_call = e == ERR_OK;
	if (e != ERR_OK)
		return e;
	calls_tell(k->c, &rq, NULL, k->c->rid);
	habits_of_model(settings_of_model(k->c, r->provider, r->model), &rq);
	job_db_release(k->c);
	e = llm_call(&rq, &none, another && retries > RETRIES_BEFORE_NEXT ? RETRIES_BEFORE_NEXT : retries, a);
	kept = meter_close(k->c, &m, e, a);
	rest_note(k->c, r->provider, r->api_key, r->pooled, e, a);
	if (e != ERR_OK || kept == ERR_OK)
		return e;
	*ret_call = false;
	return kept;
}

/* The next one that does not rest; of the last one only a clear word counts. false: there is none, a says why. */
static bool
find_way(struct side *k, struct llm_answer *a)
{
	for (;; k->at++) {
		bool alone = k->at + 1 >= k->n;

		if (rest_asks(k->ways[k->at].provider, k->ways[k->at].api_key, alone, a))
			return true;
		if (alone)
			return false;
	}
}

static enum err
ask_around(struct side *k, const struct question *q, struct llm_answer *a)
{
	while (find_way(k, a)) {
		bool asked;
		enum err e;

		*a = (struct llm_answer){ 0 };
		e = call(k, q, a, &asked);
		if (e == ERR_OK || !asked)
			return e;
		if (k->cancel != NULL && cancelled(k->cancel))
			return model_failed(k->c, a);
		if (rest_next_key(k->c, &k->ways[k->at], a)) {
			llm_answer_done(a);
			continue;
		}
		if (!rest_other_may_serve(a) || k->at + 1 >= k->n)
			return model_failed(k->c, a);
		log_line(LOG_WARN, "rid=%s what=failover task=%s from=%s to=%s err=%s", k->c->rid, k->task, k->ways[k->at].provider,
		    k->ways[k->at + 1].provider, llm_error_code(a->error));
		llm_answer_done(a);
		k->at++;
	}
	return model_failed(k->c, a);
}

enum err
side_ask(struct side *k, const char *system, const struct buf *text, size_t tokens, double temperature, const char **ret)
{
	SCOPED_BUF json = BUF_INIT(16 << 20);
	struct llm_answer a = { 0 };
	struct history h = { 0 };
	const struct question q = { system, &h, tokens, temperature };
	enum err e;

	if (!text->failed)
		json_quote(&json, text->p, text->len);
	if (text->failed || json.failed || !history_add(k->c, &h, message_of(k->c, BY_USER, json.p, json.len)))
		return fail(k->c, ERR_NOMEM, "out of memory");
	e = ask_around(k, &q, &a);
	job_db_acquire(k->c);
	if (e == ERR_OK && (*ret = said_by(k->c, &a)) == NULL)
		e = fail_code(k->c, ERR_INTERNAL, "llm_error", "The model wrote nothing");
	llm_answer_done(&a);
	return e;
}

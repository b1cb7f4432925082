/*
 * POST /v1/chat/completions: a turn of an agent, or straight through to a
 * provider's model with metering.
 *
 * Tools that the request brings are the caller's to run: the turn waits as a row until
 * their results arrive in a later request. A client that goes away cancels.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/health.h"
#include "daemon/live.h"
#include "daemon/live/openai.h"
#include "daemon/meter.h"
#include "daemon/rest.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"
#include "lib/svc/turn_store.h"

struct reply chat_completions(struct ctx *, const struct request *);

enum { RETRIES = 3 };

static enum err
agent_named(struct ctx *c, const char *name, struct agent *ret)
{
	char id[37];

	return uuid_parse(name, id) ? agent_load(c, id, ret) : agent_load_by_name(c, name, ret);
}

/* ERR_OK: an agent. NOT_FOUND: no agent, may be a model (*only_agent: it may not). */
static enum err
find_agent(struct ctx *c, const char *model, struct agent *ret, bool *only_agent)
{
	*only_agent = strncmp(model, "librefang:", 10) == 0 || strncmp(model, "openfang:", 9) == 0;
	return agent_named(c, *only_agent ? strchr(model, ':') + 1 : model, ret);
}

static const char *
finish_word(enum llm_stop stop)
{
	return stop == LLM_MAX_TOKENS ? "length" : stop == LLM_FILTERED ? "content_filter" :
	    stop == LLM_TOOL_USE ? "tool_calls" : "stop";
}

/* --- an agent ------------------------------------------------------------------------------ */

static void
on_event(void *arg, const struct turn_event *ev)
{
	if (ev->kind == TURN_TEXT)
		completion_text(arg, ev->s, ev->n);
}

static enum err
agent_ask(struct ctx *c, const struct request *rq, struct agent *a, struct turn_ask *ask, struct cancel *k)
{
	const struct chat_request *in = rq->body_struct;
	const char *first = NULL;

	*ask = (struct turn_ask){
		.agent_id = a->id, .text = "", .origin = "openai", .channel = "openai", .cancel = k,
		.max_tokens = in->max_completion_tokens > 0 ? in->max_completion_tokens : in->max_tokens,
		.temperature = in->temperature, .has_temperature = in->has_temperature,
		.extra = openai_extra(c, rq->json, false), .outer_tools = openai_tools(c, in->tools),
		.traceparent = rq->h.traceparent, .tracestate = rq->h.tracestate,
	};
	ask->outer_results = openai_results(c, in->messages, &first);
	if (ask->outer_results != NULL)
		return turn_of_call(c, a->id, first, &ask->resume_turn);
	return openai_question(c, in->messages, &ask->text, &ask->blocks);
}

static struct reply
agent_turn(struct ctx *c, const struct request *rq, struct agent *a)
{
	const struct chat_request *in = rq->body_struct;
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	struct completion m;
	struct turn_answer ans = { 0 };
	struct turn_ask ask;
	enum err e = k == NULL ? fail(c, ERR_NOMEM, "out of memory") : agent_ask(c, rq, a, &ask, k);

	if (e != ERR_OK)
		return reply_fail(c);
	completion_init(&m, c, rq, a->name);
	if (in->stream)
		ask.sink = (struct turn_sink){ .on = on_event, .arg = &m };
	live_on_gone(rq->live, k, CANCEL_GONE);
	e = turn_run(c, &ask, &ans);
	live_on_gone(rq->live, NULL, 0);
	if (e != ERR_OK)
		return completion_fail(&m);
	if (in->stream)
		return completion_end(&m, ans.outer_calls != NULL ? "tool_calls" : finish_word(ans.stop), ans.outer_calls,
		    ans.input_tokens, ans.output_tokens);
	return completion_object(&m, ans.text, ans.outer_calls != NULL ? "tool_calls" : finish_word(ans.stop),
	    ans.outer_calls, ans.input_tokens, ans.output_tokens);
}

/* --- the gateway ----------------------------------------------------------------------------- */

enum { HURRY_MS = 250 };

struct passage { struct completion m; struct metered meter; };

static void
on_text(void *arg, const char *s, size_t n)
{
	struct passage *p = arg;

	p->meter.heard += (int64_t)n;
	completion_text(&p->m, s, n);
}

static void
on_more(void *arg, const char *s, size_t n)
{
	(void)s;
	((struct passage *)arg)->meter.heard += (int64_t)n;
}

static void
on_arguments(void *arg, const char *id, const char *s, size_t n)
{
	(void)id;
	on_more(arg, s, n);
}

/* "provider/model", or a catalog id; who serves it. */
static enum err
find_model(struct ctx *c, const char *name, struct model_route *ret)
{
	const struct model *known = catalog_model(NULL, name);
	const char *slash = strchr(name, '/');
	const char *id = slash == NULL ? "" : ctx_strndup(c, name, (size_t)(slash - name));
	const struct provider *p = catalog_provider_alias(id);

	if (known != NULL)
		return model_route(c, known->provider, known->id, NULL, ret);
	if (slash != NULL && slash[1] != '\0' && (p != NULL || js_str(c->cfg->provider_urls, id) != NULL))    /* one that the configuration alone knows */
		return model_route(c, p != NULL ? p->id : id, slash + 1, NULL, ret);
	return fail_code(c, ERR_NOT_FOUND, "model_not_found", "No agent found for model '%s'",
	    ctx_strndup(c, name, utf8_cut(name, strlen(name), 128)));
}

static enum err
gateway_failed(struct ctx *c, const struct llm_answer *a)
{
	enum err e = a->error == LLM_RATE_LIMITED ? ERR_RATE_LIMITED : a->error == LLM_MODEL_NOT_FOUND ? ERR_NOT_FOUND :
	    a->error == LLM_FORMAT || a->error == LLM_CONTEXT_OVERFLOW ? ERR_BAD_REQUEST :
	    a->error == LLM_CANCELLED ? ERR_CANCELLED : ERR_INTERNAL;

	if (a->error == LLM_NO_MEMORY)
		return fail(c, ERR_NOMEM, "out of memory");
	return fail_code(c, e, llm_error_code(a->error), "%s", a->why);
}

static struct json_object *
calls_of(struct ctx *c, struct json_object *content)
{
	struct json_object *all = NULL;

	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(content, i);

		if (strcmp(js_str_or(b, "type", ""), "tool_use") != 0)
			continue;
		if (all == NULL)
			all = json_keep(c, json_object_new_array());
		json_object_array_add(all, json_object_get(b));
	}
	return all;
}

static const char *
text_of(struct ctx *c, struct json_object *content)
{
	const char *all = "";

	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(content, i);

		if (strcmp(js_str_or(b, "type", ""), "text") == 0)
			all = all[0] == '\0' ? js_str_or(b, "text", "") : ctx_printf(c, "%s%s", all, js_str_or(b, "text", ""));
	}
	return all != NULL ? ctx_strdup(c, all) : "";
}

/* One provider is asked, with all of its keys. The meter runs for each call. */
static enum err
pass(struct ctx *c, const struct request *rq, struct model_route *r, bool another, struct passage *p, struct llm_answer *a)
{
	const struct chat_request *in = rq->body_struct;
	struct llm_sink sink = { .arg = p, .text = on_text, .thinking = on_more, .tool_input = on_arguments };
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	enum err e, kept;

	if (k == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	do {
		struct llm_request q = {
			.provider = r->provider, .model = r->model, .format = r->format, .base_url = r->base_url,
			.api_key = r->api_key, .raw_messages = in->messages, .raw_tools = in->tools,
			.extra = openai_extra(c, rq->json, true), .stream = in->stream, .cancel = k,
			.max_tokens = in->max_completion_tokens > 0 ? in->max_completion_tokens : in->max_tokens,
			.temperature = in->temperature, .has_temperature = in->has_temperature,
			.timeout_ms = r->timeout_ms, .idle_ms = 1000 * c->cfg->stream_idle_s, .settings = r->settings, .proxy = r->proxy,
			.cache_strategy = r->cache_strategy, .cache_hour = r->cache_hour,
			.hurry_ms = another ? HURRY_MS : 0, .other_key = r->pooled, .tracestate = rq->h.tracestate,
		};

		calls_tell(c, &q, rq->h.traceparent, c->rid);
		habits_of_model(settings_of_model(c, r->provider, r->model), &q);
		llm_answer_done(a);
		*a = (struct llm_answer){ .error = LLM_OK };
		p->meter = (struct metered){
			.usage = { .agent_id = "gateway", .provider = r->provider, .model = r->model, .channel = "openai" },
			.max_tokens = llm_most_output(&q),
			.asked = meter_bytes(in->messages) + (in->tools != NULL ? meter_bytes(in->tools) : 0),
		};
		if ((e = meter_open(c, &p->meter, NULL)) != ERR_OK)
			return e;
		live_on_gone(rq->live, k, CANCEL_GONE);
		job_db_release(c);
		e = llm_call(&q, &sink, another && r->retries > 1 ? 1 : r->retries, a);
		live_on_gone(rq->live, NULL, 0);
		kept = meter_close(c, &p->meter, e, a);
		rest_note(c, r->provider, r->api_key, r->pooled, e, a);
		if (e == ERR_OK)
			return kept;
	} while (!cancelled(k) && rest_next_key(c, r, a));
	return e;
}

/* Who is asked: the model's provider, then those that the configuration has for everybody. Those without key or address are left out. */
static size_t
ways(struct ctx *c, const struct model_route *first, struct model_route **ret)
{
	struct json_object *list = c->cfg->fallback_providers;
	size_t n = list != NULL ? json_object_array_length(list) : 0, have = 1;
	struct model_route *all = ctx_alloc(c, (n + 1) * sizeof(*all));

	*ret = all;
	if (all == NULL)
		return 0;
	all[0] = *first;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *provider = js_str_or(o, "provider", ""), *model = js_str(o, "model");
		struct fault before = c->fault;

		if (model == NULL || model[0] == '\0')
			model = catalog_default_model(provider);
		if (model != NULL && provider[0] != '\0' && model_route(c, provider, model, o, &all[have]) == ERR_OK)
			have++;
		fault_forget(c, before);
	}
	if (c->cfg->fallback_healthiest)
		health_order(all + 1, have - 1, clock_ms());
	return have;
}

static struct reply
gateway(struct ctx *c, const struct request *rq, const struct model_route *first)
{
	const struct chat_request *in = rq->body_struct;
	struct passage p = { .meter = { .max_tokens = 0 } };
	struct llm_answer a = { .error = LLM_OK };
	struct json_object *calls;
	struct model_route *r;
	struct reply out;
	size_t n = ways(c, first, &r);
	enum err e = ERR_NOMEM;

	completion_init(&p.m, c, rq, in->model);
	if (n == 0)
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
	for (size_t i = 0; i < n; i++) {
		bool another = i + 1 < n;

		llm_answer_done(&a);
		if (!rest_asks(r[i].provider, r[i].api_key, !another, &a)) {
			e = ERR_UPSTREAM;
			continue;
		}
		e = pass(c, rq, &r[i], another, &p, &a);
		if (e == ERR_OK || a.error == LLM_OK || !rest_other_may_serve(&a))
			break;
		if (another)
			log_line(LOG_WARN, "rid=%s what=failover from=%s to=%s err=%s", c->rid, r[i].provider, r[i + 1].provider,
			    llm_error_code(a.error));
	}
	if (e != ERR_OK) {
		if (a.error != LLM_OK)
			ignore_err(gateway_failed(c, &a));
		llm_answer_done(&a);
		return completion_fail(&p.m);
	}
	calls = calls_of(c, a.content);
	if (in->stream)
		out = completion_end(&p.m, finish_word(a.stop), calls, a.input_tokens, a.output_tokens);
	else
		out = completion_object(&p.m, text_of(c, a.content), finish_word(a.stop), calls, a.input_tokens, a.output_tokens);
	llm_answer_done(&a);
	return out;
}

struct reply
chat_completions(struct ctx *c, const struct request *rq)
{
	const struct chat_request *in = rq->body_struct;
	struct model_route r;
	struct agent a;
	bool only_agent;
	enum err e = find_agent(c, in->model, &a, &only_agent);

	if (e == ERR_OK)
		return agent_turn(c, rq, &a);
	if (e != ERR_NOT_FOUND)
		return reply_fail(c);
	if (only_agent)
		e = fail_code(c, ERR_NOT_FOUND, "model_not_found", "No agent found for model '%s'",
		    ctx_strndup(c, in->model, utf8_cut(in->model, strlen(in->model), 128)));
	else
		e = find_model(c, in->model, &r);
	return e == ERR_OK ? gateway(c, rq, &r) : reply_fail(c);
}

/*
 * One call of the model: with what, where to, and what came of it.
 *
 * Who cannot serve is left for the next provider that the agent or the configuration
 * names, as long as nobody has read a word; the turn then stays there.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/health.h"
#include "daemon/hub.h"
#include "daemon/rest.h"
#include "daemon/turn_state.h"
#include "lib/agent/pictures.h"
#include "lib/agent/tool.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"
#include "lib/svc/series.h"

enum { RETRIES_BEFORE_NEXT = 1, HURRY_MS = 250 };

/* --- the ways a question may go --------------------------------------------------- */

/* A provider named without a model is asked for its usual one. */
static enum err
add_route(struct turn *t, const char *provider, const char *model, struct json_object *from)
{
	const char *usual = provider[0] != '\0' && model[0] == '\0' ? catalog_default_model(provider) : NULL;
	enum err e;

	if (usual != NULL)
		model = usual;
	agent_resolve(t->c->cfg, &provider, &model);
	e = model_route_for(t->c, t->payer_id, provider, model, from, &t->routes[t->n_routes]);
	t->n_routes += e == ERR_OK;
	return e;
}

/* A model by its name alone, or "provider/model". */
static enum err
add_named(struct turn *t, const char *model)
{
	const char *slash = strchr(model, '/'), *provider;

	provider = slash != NULL ? ctx_strndup(t->c, model, (size_t)(slash - model)) : NULL;
	if (provider != NULL && catalog_provider_alias(provider) != NULL)
		return add_route(t, provider, slash + 1, NULL);
	return add_route(t, catalog_model(NULL, model) != NULL ? catalog_model(NULL, model)->provider : t->agent.provider,
	    model, NULL);
}

/* Nothing is to change by itself: of the whole system, or of the agent. */
static bool
is_stable(const struct turn *t)
{
	return t->agent.stable || strcmp(t->c->cfg->mode, "stable") == 0;
}

/*
 * The session's own model; else, where nothing is to change by itself, the one that the manifest pins; otherwise the one that
 * [routing] of the manifest has for a question of that weight, and behind it the agent's; else the agent's.
 */
static enum err
add_first(struct turn *t)
{
	const char *pinned = is_stable(t) ? js_str_or(t->agent.manifest, "pinned_model", "") : "", *routed;
	enum err e;

	if (t->own_model != NULL)
		return add_named(t, t->own_model);
	if (pinned[0] != '\0')
		return add_named(t, pinned);
	routed = is_stable(t) ? NULL : turn_routed(t);
	e = routed != NULL ? add_named(t, routed) : ERR_OK;
	if (e != ERR_OK && e != ERR_PRECONDITION)
		return e;
	if (routed != NULL && e == ERR_PRECONDITION)
		t->out->routing = NULL;                 /* it cannot be asked: the agent's own is */
	e = add_route(t, t->agent.provider, t->agent.model, js_obj(t->agent.manifest, "model"));
	return e == ERR_PRECONDITION && t->n_routes > 0 ? ERR_OK : e;
}

/* Who does best goes first, save before a model that was chosen for this session, or for a question of this weight. */
static void
arrange(struct turn *t)
{
	size_t chosen = t->own_model != NULL || t->out->routing != NULL ? 1 : 0;

	if (t->c->cfg->fallback_healthiest && !is_stable(t))
		health_order(t->routes + chosen, t->n_routes - chosen, clock_ms());
}

/* One that lacks its key or address is left out; that the first one does is only told when there is no other. */
enum err
turn_routes(struct turn *t)
{
	struct json_object *own = js_arr(t->agent.manifest, "fallback_models");
	struct json_object *list = own != NULL ? own : t->c->cfg->fallback_providers;
	size_t n = list == NULL ? 0 : json_object_array_length(list);
	struct fault f;
	enum err e;

	t->routes = ctx_alloc(t->c, (n + 2) * sizeof(*t->routes));
	if (t->routes == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	e = add_first(t);
	if (e != ERR_OK && e != ERR_PRECONDITION)
		return e;
	f = t->c->fault;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		enum err next = add_route(t, js_str_or(o, "provider", ""), js_str_or(o, "model", ""), o);

		if (next != ERR_OK && next != ERR_PRECONDITION)
			return next;
	}
	t->c->fault = f;
	if (t->n_routes == 0)
		return e;
	arrange(t);
	t->route = t->routes[0];
	return ERR_OK;
}

/* --- what the driver hands over while the answer comes ---------------------------- */

static void
let_out(void *arg, const char *s, size_t n)
{
	turn_emit(arg, TURN_TEXT, NULL, NULL, s, n, false);
}

static void
on_text(void *arg, const char *s, size_t n)
{
	struct turn *t = arg;

	t->heard += (int64_t)n;
	speech_add(&t->speech, s, n);
}

static void
on_thinking(void *arg, const char *s, size_t n)
{
	struct turn *t = arg;

	t->heard += (int64_t)n;
	if (turn_shows_thinking(t))
		turn_emit(t, TURN_THINKING, NULL, NULL, s, n, false);
}

static void
on_tool_start(void *arg, const char *id, const char *name)
{
	turn_emit(arg, TURN_TOOL_START, id, name, NULL, 0, false);
}

static void
on_tool_input(void *arg, const char *id, const char *s, size_t n)
{
	((struct turn *)arg)->heard += (int64_t)n;
	turn_emit(arg, TURN_TOOL_INPUT, id, NULL, s, n, false);
}

static void
on_tool_end(void *arg, const char *id, const char *name, const char *json)
{
	turn_emit(arg, TURN_TOOL_END, id, name, json, strlen(json), false);
}

/* --- one call of the model ---------------------------------------------------------- */

static void
count_call(int64_t us)
{
	uint64_t ms = (uint64_t)us / 1000, max;

	if (shm == NULL)
		return;
	atomic_fetch_add(&shm->llm_calls, 1);
	atomic_fetch_add(&shm->llm_ms_total, ms);
	max = atomic_load(&shm->llm_ms_max);
	while (ms > max && !atomic_compare_exchange_weak(&shm->llm_ms_max, &max, ms))
		;
}

/* By the provider's status, or by what was wrong when it gave none. */
static void
count_error(const struct turn *t)
{
	char status[8];

	snprintf(status, sizeof(status), "%d", t->answer.http_status);
	series_add(SERIES_PROVIDER_ERROR, (const char *const[]){ t->route.provider,
		t->answer.http_status != 0 ? status : llm_error_code(t->answer.error) }, 0);
}

static bool
next_may_serve(const struct turn *t)
{
	return rest_other_may_serve(&t->answer) && !cancelled(t->ask->cancel) && t->route_at + 1 < t->n_routes;
}

/* Who failed is remembered, for the sentence that is said when nobody could serve. */
static void
note_tried(struct turn *t)
{
	t->tried = ctx_printf(t->c, "%s%s%s=%s", t->tried != NULL ? t->tried : "", t->tried != NULL ? ", " : "", t->route.provider,
	    llm_error_code(t->answer.error));
}

static void
go_on_to_next(struct turn *t)
{
	const char *from = t->route.provider;

	note_tried(t);

	t->route = t->routes[++t->route_at];
	t->window = 0;
	log_line(LOG_WARN, "rid=%s turn=%s what=failover from=%s to=%s err=%s", t->c->rid, t->id, from,
	    t->route.provider, llm_error_code(t->answer.error));
}

/* The history as this model takes it. */
static const struct history *
history_shown(struct turn *t)
{
	const struct history *h = turn_wire(t);
	const struct model *m = catalog_model(t->route.provider, t->route.model);
	bool blind = !turn_can(t, "supports_vision", m == NULL || m->supports_vision), any = false;

	if (h != NULL)
		h = history_pictures(t->c, h, blind, &any);
	t->out->unseen_pictures = any && blind;
	return h;
}

static enum err
try_route(struct turn *t, const struct llm_sink *sink)
{
	bool another = t->route_at + 1 < t->n_routes;
	struct llm_request rq = {
		.provider = t->route.provider, .model = t->route.model, .format = t->route.format,
		.base_url = t->route.base_url, .api_key = t->route.api_key, .system = t->system,
		.messages = history_shown(t), .tools = t->withhold ? NULL : t->tools,
		.tools_last = !t->withhold && t->tools != NULL && tools_last(t->tools), .stream = t->watched,
		.timeout_ms = t->route.timeout_ms, .idle_ms = t->watched ? 1000 * t->c->cfg->stream_idle_s : 0,
		.deadline_us = t->ask->deadline_us, .cancel = t->ask->cancel,
		.hurry_ms = another ? HURRY_MS : 0, .other_key = t->route.pooled,
		.agent_id = t->agent.id, .session_id = t->session_id, .step_id = ctx_printf(t->c, "%s.%lld", t->id, (long long)t->step),
		.tracestate = t->ask->tracestate, .settings = t->route.settings, .proxy = t->route.proxy,
		.cache_strategy = t->route.cache_strategy, .cache_hour = t->route.cache_hour,
	};
	unsigned retries = another && t->route.retries > RETRIES_BEFORE_NEXT ? RETRIES_BEFORE_NEXT : t->route.retries;
	int64_t since = clock_mono_us();
	enum err e;

	turn_wishes(t, &rq);
	calls_tell(t->c, &rq, t->ask->traceparent, t->id);
	llm_answer_done(&t->answer);
	speech_begin(&t->speech, let_out, t);
	t->heard = 0;
	job_db_release(t->c);
	if (t->ask->lane != LANE_NONE && !lane_take(LANE_MODEL, t->c->cfg, t->ask->cancel, t->ask->deadline_us)) {
		t->answer.error = cancelled(t->ask->cancel) ? LLM_CANCELLED : LLM_TIMEOUT;
		return ERR_TIMEOUT;
	}
	e = llm_call(&rq, sink, retries, &t->answer);
	if (t->ask->lane != LANE_NONE)
		lane_give(LANE_MODEL);
	count_call(clock_mono_us() - since);
	turn_owe(t, e, since);
	if (e != ERR_OK && t->answer.error != LLM_CANCELLED && t->answer.error != LLM_NO_MEMORY)
		count_error(t);
	return e;
}

static void
say_instead(struct turn *t, const struct llm_answer *a)
{
	llm_answer_done(&t->answer);
	t->answer = *a;
}

/* Those who rest are passed over, as long as there is somebody else. */
static enum err
skip_resting(struct turn *t)
{
	size_t at = t->route_at;
	struct llm_answer a;

	while (t->route_at + 1 < t->n_routes && !rest_asks(t->route.provider, t->route.api_key, false, &a)) {
		say_instead(t, &a);
		go_on_to_next(t);
	}
	if (rest_asks(t->route.provider, t->route.api_key, true, &a)) {
		t->answer.error = LLM_OK;
		return t->route_at == at ? ERR_OK : turn_hold_alone(t);
	}
	say_instead(t, &a);
	return ERR_UPSTREAM;
}

static bool
next_key(struct turn *t)
{
	if (cancelled(t->ask->cancel) || !rest_next_key(t->c, &t->route, &t->answer))
		return false;
	t->routes[t->route_at].api_key = t->route.api_key;
	return true;
}

/* One way after the other, each with all of its keys. UPSTREAM and its like: t->answer says what is wrong. */
static enum err
ask_around(struct turn *t, const struct llm_sink *sink)
{
	enum err e = skip_resting(t);

	while (e == ERR_OK) {
		bool same;

		e = try_route(t, sink);
		rest_note(t->c, t->route.provider, t->route.api_key, t->route.pooled, e, &t->answer);
		if (e == ERR_OK)
			return e;
		same = next_key(t);
		if (!same && !next_may_serve(t))
			return e;
		if (!same)
			go_on_to_next(t);
		e = turn_hold_alone(t);
		t->answer.error = LLM_OK;               /* if that is refused, it is not the model's */
		if (e == ERR_OK && !same)
			e = skip_resting(t);
	}
	return e;
}

static enum err
model_failed(struct turn *t)
{
	const struct llm_answer *a = &t->answer;
	enum err e = a->error == LLM_RATE_LIMITED ? ERR_RATE_LIMITED : ERR_INTERNAL;

	if (cancelled(t->ask->cancel) || a->error == LLM_CANCELLED)
		return fail(t->c, ERR_CANCELLED, "Cancelled");
	if (a->error == LLM_NO_MEMORY)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if (t->tried != NULL)
		note_tried(t);
	ignore_err(t->tried != NULL ?
	    fail_code(t->c, e, llm_error_code(a->error), "No provider could answer (%s): %s", t->tried, a->why) :
	    fail_code(t->c, e, llm_error_code(a->error), "%s", a->why));
	if (a->retry_after_s > 0)
		t->c->fault.retry_after_s = (unsigned)a->retry_after_s;
	return e;
}

static void
on_quiet(void *arg)
{
	struct turn *t = arg;

	t->ask->sink.quiet(t->ask->sink.arg);
}

enum err
turn_model(struct turn *t)
{
	const struct llm_sink sink = {
		.arg = t, .text = on_text, .thinking = on_thinking, .tool_start = on_tool_start,
		.tool_input = on_tool_input, .tool_end = on_tool_end,
		.quiet = t->ask->sink.quiet != NULL ? on_quiet : NULL, .quiet_ms = t->ask->sink.quiet_ms,
	};
	enum err e;

	if (t->ask->deadline_us != 0 && clock_mono_us() >= t->ask->deadline_us)
		return fail(t->c, ERR_TIMEOUT, "The time for this answer is over");
	if ((e = turn_fit(t)) != ERR_OK)
		return e;
	if (turn_wire(t) == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	t->watched = t->ask->sink.on != NULL || (t->keep && hub_watched(t->session_id));
	t->tried = NULL;
	e = ask_around(t, &sink);
	t->withhold = false;
	if (e != ERR_OK)
		return t->answer.error != LLM_OK ? model_failed(t) : e;
	speech_end(&t->speech);
	t->content = t->answer.content;
	t->model_ended = false;
	return ERR_OK;
}

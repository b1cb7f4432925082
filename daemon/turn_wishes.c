/*
 * What a question to the model wishes for: how long, how warm, with how much thinking, and what goes along besides.
 *
 * Four have a say: this turn, the settings of the model (/api/models/overrides), the agent's manifest, and the
 * configuration. A turn's own word comes first. A word like reasoning_effort among the members that go along counts over a
 * budget of thinking, unless this turn says how much.
 */
#include <string.h>

#include "daemon/turn_state.h"
#include "lib/agent/manifest.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

enum { THINKING_USUAL = 10000, THINKING_LOW = 2048, THINKING_HIGH = 24576, THINKING_MAX = 32768 };

bool
turn_can(struct turn *t, const char *what, bool catalog)
{
	return js_bool(settings_of_model(t->c, t->route.provider, t->route.model), what, catalog);
}

/* --- what goes along ------------------------------------------------------------------------- */

static struct json_object *
copy_of(struct ctx *c, struct json_object *o)
{
	struct json_object *all = NULL;

	if (o == NULL)
		return json_keep(c, json_object_new_object());
	return json_object_deep_copy(o, &all, NULL) == 0 ? json_keep(c, all) : NULL;
}

/* What the configuration or the manifest adds to each request of that model, and over it what this turn asks for. */
static struct json_object *
extra_of(struct turn *t)
{
	struct json_object *all;

	if (t->route.extra == NULL || t->ask->extra == NULL)
		return t->route.extra != NULL ? t->route.extra : t->ask->extra;
	all = copy_of(t->c, t->route.extra);
	if (all == NULL)
		return t->ask->extra;
	json_object_object_foreach(t->ask->extra, k, v)
		json_object_object_add(all, k, json_object_get(v));
	return all;
}

/* Settings that have no place of their own in a request. */
static struct json_object *
with_settings(struct turn *t, struct json_object *extra, struct json_object *settings)
{
	static const char *const names[] = { "top_p", "frequency_penalty", "presence_penalty", "reasoning_effort" };
	struct json_object *all = settings != NULL ? copy_of(t->c, extra) : NULL;

	if (all == NULL)
		return extra;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (js_get(settings, names[i]) != NULL && js_get(all, names[i]) == NULL)
			json_object_object_add(all, names[i], json_object_get(js_get(settings, names[i])));
	return all;
}

/* --- thinking ---------------------------------------------------------------------------------- */

/* The budget that manifest or configuration name; dflt: neither does. */
static int64_t
thinking_set(const struct turn *t, int64_t dflt)
{
	struct json_object *own = js_obj(t->agent.manifest, "thinking"), *all = js_obj(t->c->cfg->raw, "thinking");

	return own != NULL || all != NULL ? js_i64(own != NULL ? own : all, "budget_tokens", THINKING_USUAL) : dflt;
}

static int64_t
budget_of(const struct turn *t)
{
	switch (t->ask->think) {
	case THINK_NOT: return 0;
	case THINK_LOW: return THINKING_LOW;
	case THINK_ON: return thinking_set(t, THINKING_USUAL);
	case THINK_HIGH: return THINKING_HIGH;
	case THINK_MAX: return THINKING_MAX;
	case THINK_AS_SET: break;
	}
	return thinking_set(t, 0);
}

static void
think(struct turn *t, struct json_object *settings, struct llm_request *rq)
{
	const struct model *m = catalog_model(rq->provider, rq->model);
	bool can = js_bool(settings, "supports_thinking", m != NULL ? m->supports_thinking : strcmp(rq->format, "ollama") == 0);
	bool never = js_get(settings, "supports_thinking") != NULL && !can;
	struct json_object *effort = js_get(rq->extra, "reasoning_effort");

	rq->thinking_budget = never || (effort != NULL && t->ask->think == THINK_AS_SET) ? 0 : budget_of(t);
	rq->thinking_off = t->ask->think == THINK_NOT && can;
	if (effort == NULL || (t->ask->think == THINK_AS_SET && !never))
		return;
	rq->extra = copy_of(t->c, rq->extra);
	if (rq->extra != NULL)
		json_object_object_del(rq->extra, "reasoning_effort");
}

bool
turn_shows_thinking(const struct turn *t)
{
	struct json_object *own = js_obj(t->agent.manifest, "thinking"), *set = own != NULL ? own : js_obj(t->c->cfg->raw, "thinking");

	return t->ask->show_thinking || t->ask->think > THINK_NOT || set == NULL || js_bool(set, "stream_thinking", false);
}

/* --- all of it --------------------------------------------------------------------------------- */

void
turn_wishes(struct turn *t, struct llm_request *rq)
{
	struct json_object *settings = settings_of_model(t->c, rq->provider, rq->model), *mm = js_obj(t->agent.manifest, "model");
	int64_t most = js_i64(settings, "max_tokens", 0);

	rq->max_tokens = most > 0 && (most < t->max_tokens || js_bool(settings, "force_max_tokens", false)) ? most : t->max_tokens;
	rq->has_temperature = true;
	rq->temperature = t->ask->has_temperature ? t->ask->temperature
	    : js_f64(settings, "temperature", js_f64(mm, "temperature", MANIFEST_TEMPERATURE));
	rq->extra = with_settings(t, extra_of(t), settings);
	rq->response_format = js_obj(t->agent.manifest, "response_format");
	if (!js_bool(settings, "supports_tools", true))
		rq->tools = NULL;
	rq->stream = rq->stream && js_bool(settings, "supports_streaming", true);
	habits_of_model(settings, rq);
	think(t, settings, rq);
}

int64_t
turn_most_output(struct turn *t)
{
	struct llm_request rq = { .provider = t->route.provider, .model = t->route.model, .format = t->route.format };

	turn_wishes(t, &rq);
	return llm_most_output(&rq);
}

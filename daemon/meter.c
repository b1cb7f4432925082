/*
 * From a call of a model to money.
 */
#include "daemon/meter.h"

#include <string.h>
#include <time.h>

#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"

enum { IMAGE_BYTES = 12000, MESSAGE_BYTES = 16, BOUND_BYTES = 2, LIKELY_BYTES = 4, CLOSE_TRIES = 6, OUTPUT_MAX = 100000000 };

/* --- how long it is ------------------------------------------------------------------------ */

static bool
is_image(struct json_object *o)
{
	const char *type = js_str(o, "type");

	return type != NULL && (strcmp(type, "image") == 0 || strcmp(type, "image_url") == 0);
}

int64_t
meter_bytes(struct json_object *v)
{
	int64_t n = 0;

	switch (json_object_get_type(v)) {
	case json_type_string:
		return json_object_get_string_len(v) + 2;
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(v); i++)
			n += meter_bytes(json_object_array_get_idx(v, i));
		return n + 2;
	case json_type_object:
		if (is_image(v))
			return IMAGE_BYTES;
		json_object_object_foreach(v, k, m)
			n += (int64_t)strlen(k) + 4 + meter_bytes(m);
		return n + 2;
	default:
		return 8;
	}
}

int64_t
meter_asked(const char *system, const struct history *h, struct json_object *tools)
{
	int64_t n = system != NULL ? (int64_t)strlen(system) : 0;

	for (size_t i = 0; h != NULL && i < h->n; i++)
		n += MESSAGE_BYTES + (h->v[i].blocks != NULL ? meter_bytes(h->v[i].blocks) : (int64_t)h->v[i].n);
	return tools != NULL ? n + meter_bytes(tools) : n;
}

/* --- before --------------------------------------------------------------------------------- */

void
meter_bound(const struct config *cfg, struct budget_call *b, const char *provider, const char *model, int64_t asked, int64_t max_tokens)
{
	int64_t window = price_max_input(provider, model);
	int64_t input = asked / BOUND_BYTES + MESSAGE_BYTES, output = max_tokens;

	if (window > 0 && input > window)
		input = window;                 /* it would refuse more */
	if (output <= 0)
		output = price_max_output(cfg, provider, model);
	if (output > OUTPUT_MAX)                /* whatever was asked for */
		output = OUTPUT_MAX;
	b->nanousd = price_bound(cfg, provider, model, input, output, cache_is_for_an_hour(cfg));
	b->tokens = input + output;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static int64_t
said_bytes(struct json_object *content)
{
	int64_t n = 0;

	for (size_t i = 0; content != NULL && i < json_object_array_length(content); i++) {
		struct json_object *b = json_object_array_get_idx(content, i), *input = js_get(b, "input");

		n += (int64_t)strlen(js_str_or(b, "text", "")) + (int64_t)strlen(js_str_or(b, "thinking", ""));
		if (input != NULL)
			n += meter_bytes(input);
	}
	return n;
}

static int64_t
likely(int64_t bytes)
{
	return (bytes + LIKELY_BYTES - 1) / LIKELY_BYTES;
}

void
meter_call(const struct config *cfg, struct usage *u, enum err e, const struct llm_answer *a, int64_t asked, int64_t heard, int64_t since_us)
{
	int64_t said = e == ERR_OK ? said_bytes(a->content) : 0, wrote = likely(said > heard ? said : heard);
	bool some = e == ERR_OK || heard > 0 || a->any_output;

	u->status = e == ERR_OK ? USAGE_OK : e == ERR_CANCELLED || a->error == LLM_CANCELLED ? USAGE_CANCELLED : USAGE_FAILED;
	u->tokens = (struct call_tokens){ .input = a->input_tokens, .output = a->output_tokens,
		.cache_read = a->cache_read_tokens, .cache_write = a->cache_write_tokens,
		.cache_hour = a->cache_hour_tokens, .image_input = a->image_input_tokens, .image_output = a->image_output_tokens,
		.audio_input = a->audio_input_tokens, .audio_output = a->audio_output_tokens };
	u->estimated = some && (!a->usage_known || u->tokens.input == 0 || (u->tokens.output == 0 && wrote > 0));
	if (u->estimated) {
		if (u->tokens.input == 0)
			u->tokens.input = likely(asked);
		if (u->tokens.output < wrote && (!a->usage_known || u->tokens.output == 0))
			u->tokens.output = wrote;
	}
	u->cost_nanousd = price_of(cfg, u->provider, u->model, &u->tokens);
	u->latency_ms = (clock_mono_us() - since_us) / 1000;
}

/* --- a call that belongs to no turn ------------------------------------------------------------- */

static void
limits(struct ctx *c, struct metered *m, const struct agent *a)
{
	struct budget_call *b = &m->budget;
	struct conf *k = conf_hold();
	const struct config *cfg = k != NULL ? conf_of(k) : c->cfg;

	*b = (struct budget_call){ .hold = m->id, .epoch = turns_epoch(), .generation = cfg->generation };
	b->limit[BUDGET_ALL] = budget_of_all(cfg);
	if (a != NULL)
		b->limit[BUDGET_AGENT] = budget_of_agent(cfg, a->id, a->name, a->manifest);
	b->limit[BUDGET_PROVIDER] = budget_of_provider(cfg, m->usage.provider);
	if (c->who != NULL && c->who->user_id[0] != '\0')
		b->limit[BUDGET_USER] = budget_of_user(cfg, c->who->user_id, c->who->name);
	meter_bound(cfg, b, m->usage.provider, m->usage.model, m->asked, m->max_tokens);
	conf_drop(k);
	budget_look(b);
}

struct line { struct ctx *c; struct metered *m; };

static enum err
write_hold(void *arg)
{
	const struct line *l = arg;

	return budget_hold(l->c, &l->m->budget);
}

enum err
meter_open(struct ctx *c, struct metered *m, const struct agent *a)
{
	enum err e;

	uuid7(m->id);
	m->usage.user_id = c->who != NULL ? c->who->user_id : NULL;
	limits(c, m, a);
	m->since_us = clock_mono_us();
	if (!m->budget.any)
		return ERR_OK;
	job_db_release(c);
	e = tx_shared(c, write_hold, &(struct line){ c, m });
	m->since_us = clock_mono_us();
	return e;
}

static enum err
write_call(void *arg)
{
	const struct line *l = arg;
	struct conf *k = conf_hold();
	enum err e = usage_insert(l->c, &l->m->usage);

	budget_again(&l->m->budget, conf_of(k));
	conf_drop(k);
	return e == ERR_OK ? budget_settle(l->c, &l->m->budget) : e;
}

static enum err
write_line(struct ctx *c, struct metered *m)
{
	enum err e;

	job_db_release(c);
	e = tx_shared(c, write_call, &(struct line){ c, m });
	return e == ERR_OK && c->cfg->durability_power ? db_flush(c) : e;
}

/* What was paid for is not forgotten because the store is busy, the disk full or memory short for a moment. */
enum err
meter_close(struct ctx *c, struct metered *m, enum err e, const struct llm_answer *a)
{
	struct fault f = c->fault;
	bool lacked = memory_short;     /* by the call; what is written of it is known from before */
	enum err kept;

	meter_call(c->cfg, &m->usage, e, a, m->asked, m->heard, m->since_us);
	memory_short = false;
	for (unsigned i = 0; (kept = write_line(c, m)) == ERR_BUSY || kept == ERR_UNAVAILABLE || kept == ERR_NOMEM; i++) {
		if (i == CLOSE_TRIES)
			break;
		memory_short = false;
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	memory_short |= lacked;
	if (kept == ERR_OK)
		c->fault = f;
	return kept;
}

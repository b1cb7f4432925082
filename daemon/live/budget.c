/*
 * Setting budgets: of everybody, providers and users in config.toml, of an agent in its manifest. A request is checked
 * whole before anything changes.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/config_write.h"
#include "daemon/dbpool.h"
#include "daemon/live/agents.h"
#include "daemon/rest.h"
#include "daemon/spawn.h"
#include "db/db.h"
#include "lib/api/api.h"
#include "lib/base/util.h"
#include "lib/svc/budget_show.h"
#include "lib/svc/caller.h"
#include "lib/toml/toml.h"

struct reply budget_set(struct ctx *, const struct request *);
struct reply budget_agent_set(struct ctx *, const struct request *);
struct reply budget_provider_set(struct ctx *, const struct request *);
struct reply budget_providers(struct ctx *, const struct request *);
struct reply budget_user_set(struct ctx *, const struct request *);
struct reply budget_user_drop(struct ctx *, const struct request *);

enum { CHANGES_MAX = 8, NAME_BYTES_MAX = 128 };

struct changes { struct config_change v[CHANGES_MAX]; size_t n; };

static const char *
literal(struct ctx *c, struct json_object *v)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);

	jw_json(&w, NULL, v);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);     /* config_write() knows of it */
}

/* key becomes the member, if it was sent. */
static bool
add(struct ctx *c, struct changes *ch, const struct request *rq, const char *key, const char *member)
{
	struct json_object *v = js_get(rq->json, member);

	if (v == NULL)
		return false;
	ch->v[ch->n++] = (struct config_change){ .key = key, .literal = literal(c, v) };
	return true;
}

/* A limit that is set below what is spent is reached there and then. It holds, whether that could be noted or not. */
static void
note_now(struct ctx *c, enum budget_scope s, struct budget_limit l)
{
	struct budget_call b = { .any = true };
	SCOPED_TX tx = { 0 };
	enum err e;

	b.limit[s] = l;
	job_db_release(c);
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = budget_note(c, &b, clock_ms());
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	tx_end(&tx);
	if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s err=%s what=\"a limit that is reached was not noted\"", c->rid, err_code(e));
	c->fault = (struct fault){ 0 };
	job_db_acquire(c);
}

/* --- everybody ----------------------------------------------------------------------------- */

struct reply
budget_set(struct ctx *c, const struct request *rq)
{
	static const struct { const char *key, *member, *older; } each[] = {
		{ "budget.max_hourly_usd", "max_hourly_usd", "hourly_limit" },
		{ "budget.max_daily_usd", "max_daily_usd", "daily_limit" },
		{ "budget.max_monthly_usd", "max_monthly_usd", "monthly_limit" },
		{ "budget.alert_threshold", "alert_threshold", NULL },
		{ "budget.default_max_llm_tokens_per_hour", "default_max_llm_tokens_per_hour", NULL },
	};
	struct changes ch = { .n = 0 };
	struct jw *w = reply_open(c);
	enum err e;

	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		if (!add(c, &ch, rq, each[i].key, each[i].member) && each[i].older != NULL)
			(void)add(c, &ch, rq, each[i].key, each[i].older);
	e = config_take(c, ch.v, ch.n);
	if (e == ERR_OK) {
		note_now(c, BUDGET_ALL, budget_of_all(c->cfg));
		e = budget_write_status(c, c->cfg, w);
	}
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

/* --- an agent --------------------------------------------------------------------------------- */

static void
write_resources(struct json_object *r, struct jw *w)
{
	jw_object(w, NULL);
	jw_i64(w, "max_memory_bytes", js_i64(r, "max_memory_bytes", 268435456));
	jw_i64(w, "max_cpu_time_ms", js_i64(r, "max_cpu_time_ms", 30000));
	jw_i64(w, "max_tool_calls_per_minute", js_i64(r, "max_tool_calls_per_minute", 60));
	if (js_get(r, "max_llm_tokens_per_hour") != NULL)
		jw_i64(w, "max_llm_tokens_per_hour", js_i64(r, "max_llm_tokens_per_hour", 0));
	if (js_get(r, "burst_ratio") != NULL)
		jw_f64(w, "burst_ratio", js_f64(r, "burst_ratio", 0));
	jw_i64(w, "max_network_bytes_per_hour", js_i64(r, "max_network_bytes_per_hour", 104857600));
	jw_f64(w, "max_cost_per_hour_usd", js_f64(r, "max_cost_per_hour_usd", 0));
	jw_f64(w, "max_cost_per_day_usd", js_f64(r, "max_cost_per_day_usd", 0));
	jw_f64(w, "max_cost_per_month_usd", js_f64(r, "max_cost_per_month_usd", 0));
	jw_end(w);
}

struct reply
budget_agent_set(struct ctx *c, const struct request *rq)
{
	static const char *const members[] = { "max_cost_per_hour_usd", "max_cost_per_day_usd", "max_cost_per_month_usd",
		"max_llm_tokens_per_hour" };
	struct json_object *m = NULL, *r;
	struct jw *w = reply_open(c);
	struct agent a;
	size_t n = 0;
	enum err e;

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		n += js_get(rq->json, members[i]) != NULL;
	e = request_agent(c, rq, &a);
	if (e == ERR_OK && n == 0)
		e = fail(c, ERR_BAD_REQUEST, "one of max_cost_per_hour_usd, max_cost_per_day_usd, max_cost_per_month_usd and"
		    " max_llm_tokens_per_hour is expected");
	if (e == ERR_OK)
		e = manifest_copy(c, &a, &m);
	if (e != ERR_OK)
		return reply_fail(c);
	if ((r = js_obj(m, "resources")) == NULL)
		json_object_object_add(m, "resources", r = json_object_new_object());
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (js_get(rq->json, members[i]) != NULL)
			json_object_object_add(r, members[i], json_object_get(js_get(rq->json, members[i])));
	if (agent_update_also(c, &a, m, &(struct agent_also){ .note = "budget" }) != ERR_OK)
		return reply_fail(c);
	note_now(c, BUDGET_AGENT, budget_of_agent(c->cfg, a.id, a.name, m));
	write_resources(r, w);
	return reply_json(c, 200, w);
}

/* --- a provider ----------------------------------------------------------------------------------- */

static enum err
name_checked(struct ctx *c, const struct path_arg *name)
{
	if (name->n == 0 || name->n > NAME_BYTES_MAX || strlen(name->value) != name->n)
		return fail(c, ERR_BAD_REQUEST, "provider_id: 1 to %d bytes are expected", NAME_BYTES_MAX);
	for (size_t i = 0; i < name->n; i++)
		if ((unsigned char)name->value[i] < 0x20 || name->value[i] == 0x7f)
			return fail(c, ERR_BAD_REQUEST, "provider_id: control characters are not allowed");
	return ERR_OK;
}

static const char *
provider_key(struct ctx *c, const char *id, const char *member)
{
	SCOPED_BUF b = BUF_INIT(4096);

	buf_str(&b, "budget.providers.");
	toml_quote(&b, id);
	return b.failed ? NULL : ctx_printf(c, "%s.%s", b.p, member);
}

static void
write_provider(const struct config *cfg, const char *id, struct jw *w)
{
	struct budget_limit l = budget_of_provider(cfg, id);

	jw_object(w, NULL);
	jw_str(w, "provider", id);
	jw_usd(w, "max_cost_per_hour_usd", l.caps.nanousd[BUDGET_HOUR]);
	jw_usd(w, "max_cost_per_day_usd", l.caps.nanousd[BUDGET_DAY]);
	jw_usd(w, "max_cost_per_month_usd", l.caps.nanousd[BUDGET_MONTH]);
	jw_i64(w, "max_tokens_per_hour", l.caps.tokens[BUDGET_HOUR]);
	jw_end(w);
}

struct reply
budget_provider_set(struct ctx *c, const struct request *rq)
{
	static const char *const members[] = { "max_cost_per_hour_usd", "max_cost_per_day_usd", "max_cost_per_month_usd",
		"max_tokens_per_hour" };
	const struct path_arg *name = path_arg_n(rq, "provider_id");
	struct changes ch = { .n = 0 };
	struct jw *w = reply_open(c);
	enum err e;

	e = name_checked(c, name);
	for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(members); i++) {
		const char *key = provider_key(c, name->value, members[i]);

		if (key == NULL)
			e = fail(c, ERR_NOMEM, "out of memory");
		else
			(void)add(c, &ch, rq, key, members[i]);
	}
	if (e == ERR_OK)
		e = config_take(c, ch.v, ch.n);
	if (e == ERR_OK) {
		note_now(c, BUDGET_PROVIDER, budget_of_provider(c->cfg, name->value));
		write_provider(c->cfg, name->value, w);
	}
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

/* What of a provider's rest a client knows a word for. */
static const char *
exhausted(struct ctx *c, const char *provider, int64_t *left_ms)
{
	enum llm_error why = LLM_OK;

	if (!rest_holds(c, provider, &why, left_ms))
		return NULL;
	return why == LLM_RATE_LIMITED ? "rate_limited" : why == LLM_BILLING ? "quota_exceeded" : "auth_failed";
}

struct reply
budget_providers(struct ctx *c, const struct request *rq)
{
	struct jw *w = reply_open(c);

	(void)rq;
	return budget_write_providers(c, exhausted, w) == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

/* --- a user ----------------------------------------------------------------------------------------- */

static enum err
user_of(struct ctx *c, const struct request *rq, const struct config_user **ret)
{
	*ret = budget_user_find(c->cfg, path_arg(rq, "user_id"));
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOT_FOUND, "No such user");
}

struct reply
budget_user_set(struct ctx *c, const struct request *rq)
{
	static const char *const members[] = { "max_hourly_usd", "max_daily_usd", "max_monthly_usd", "alert_threshold" };
	const struct config_user *u = NULL;
	char id[37];
	struct changes ch = { .n = 0 };
	struct jw *w = reply_open(c);
	enum err e = user_of(c, rq, &u);

	for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(members); i++) {
		if (add(c, &ch, rq, ctx_printf(c, "budget.%s", members[i]), members[i]))
			ch.v[ch.n - 1].user = u->name;
	}
	if (e == ERR_OK)
		e = config_take(c, ch.v, ch.n);
	if (e == ERR_OK) {
		caller_id_of(u->name, id);
		note_now(c, BUDGET_USER, budget_of_user(c->cfg, id, u->name));
		budget_write_user_limits(c->cfg, u->name, w);
	}
	return e == ERR_OK ? reply_json(c, 200, w) : reply_fail(c);
}

struct reply
budget_user_drop(struct ctx *c, const struct request *rq)
{
	const struct config_user *u = NULL;
	enum err e = user_of(c, rq, &u);

	if (e == ERR_OK) {
		const struct config_change gone = { .user = u->name, .key = "budget" };

		e = config_take(c, &gone, 1);
	}
	return e == ERR_OK ? reply_empty(c) : reply_fail(c);
}

/*
 * Commands of the chat socket: what can be said beside messages.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/audit_note.h"
#include "daemon/compact.h"
#include "daemon/dbpool.h"
#include "daemon/model_choice.h"
#include "daemon/parting.h"
#include "daemon/spawn.h"
#include "daemon/ws_chat.h"
#include "db/db.h"
#include "lib/api/api.h"
#include "lib/svc/budget_show.h"
#include "lib/svc/catalog.h"
#include "lib/svc/history.h"

enum { LINES_MAX = 200 };

struct said {
	struct ws_session *s;
	struct ctx *c;
	const char *command, *args;
	const char *text;               /* what is answered */
	struct agent a;
	struct buf b;
	struct jw w;
};

static void
open_said(struct said *k, const char *type)
{
	buf_clear(&k->b);
	k->w = (struct jw)JW_INIT(&k->b);
	jw_object(&k->w, NULL);
	jw_str(&k->w, "type", type);
}

static void
send_said(struct said *k)
{
	jw_end(&k->w);
	if (!k->b.failed)
		(void)live_ws_text(k->s->live, k->b.p, k->b.len);
}

static void
result(struct said *k, const char *message)
{
	open_said(k, "command_result");
	jw_str(&k->w, "command", k->command);
	jw_str(&k->w, "message", message);
	k->text = message;
}

static void
extra(struct said *k, const char *name, const char *value)
{
	jw_str(&k->w, name, value);
}

static enum err
cmd_new(struct said *k)
{
	SCOPED_TX tx = { 0 };
	char id[37];
	enum err e = tx_begin(k->c, &tx);

	if (e == ERR_OK)
		e = session_create(k->c, k->a.id, NULL, NULL, id);
	if (e == ERR_OK)
		e = session_make_current(k->c, k->a.id, id);
	if (e == ERR_OK)
		e = tx_commit(k->c, &tx);
	if (e != ERR_OK)
		return e;
	result(k, "New session created.");
	extra(k, "session_id", id);
	return ERR_OK;
}

static enum err
clear_with(struct said *k, bool remembered, const char *message)
{
	char id[37];
	enum err e;

	(void)parting_wait(k->c, k->a.id, 60000);       /* what still runs then loses its history */
	if ((e = remembered ? parting_clear(k->c, &k->a, id) : history_clear(k->c, k->a.id, NULL, id)) == ERR_OK)
		result(k, message);
	return e;
}

static enum err
cmd_reset(struct said *k)
{
	return clear_with(k, true, "Session reset. Chat history cleared.");
}

static enum err
cmd_reboot(struct said *k)
{
	return clear_with(k, false, "Session rebooted. Context cleared.");
}

static void
compaction(struct said *k, const char *stage, const char *key, const char *text)
{
	open_said(k, stage);
	jw_str(&k->w, "command", "compact");
	jw_str(&k->w, key, text);
	k->text = text;
}

/* It may take minutes: who waits hears at once that it began. */
static enum err
cmd_compact(struct said *k)
{
	struct cancel *cancel = ctx_alloc(k->c, sizeof(*cancel));
	struct compacted done;

	if (cancel == NULL)
		return fail(k->c, ERR_NOMEM, "out of memory");
	compaction(k, "compaction:started", "message", "Compaction started.");
	send_said(k);
	if (compact_session(k->c, &k->a, cancel, &done) == ERR_OK)
		compaction(k, "compaction:complete", "message", ctx_printf(k->c, "Compacted %zu messages into summary (%zu chars), "
		    "kept %lld recent messages.", done.gone, done.chars, (long long)done.kept));
	else
		compaction(k, "compaction:error", "content", k->c->fault.code == NULL && err_status(k->c->fault.err) >= 500
		    ? "Internal server error" : k->c->fault.msg);
	return ERR_OK;
}

static enum err
cmd_stop(struct said *k)
{
	result(k, turns_cancel(k->a.id, NULL, CANCEL_USER) > 0 ? "Run cancelled." : "No active run to cancel.");
	return ERR_OK;
}

static enum err
cmd_model(struct said *k)
{
	const char *provider = NULL, *model = k->args;
	enum err e = ERR_OK;

	if (k->args[0] != '\0' && ((e = model_choose(k->c, &k->a, &model, &provider)) != ERR_OK ||
	    (e = agent_load(k->c, k->a.id, &k->a)) != ERR_OK))
		return e;
	agent_resolved_model(k->c, &k->a, &provider, &model);
	result(k, ctx_printf(k->c, "%s: %s (provider: %s)", k->args[0] != '\0' ? "Model set" : "Current model",
	    model, provider));
	extra(k, "model", model);
	extra(k, "provider", provider);
	return ERR_OK;
}

/* Bytes of the current session, by who said them, over four: an estimate. */
static enum err
session_tokens(struct said *k, int64_t *in, int64_t *out)
{
	SCOPED_STMT st = db_prepare(k->c->db, SQL("SELECT coalesce(sum(CASE role WHEN 'assistant' THEN 0"
	    " ELSE length(content) END), 0) / 4 AS i, coalesce(sum(CASE role WHEN 'assistant' THEN length(content)"
	    " ELSE 0 END), 0) / 4 AS o FROM message WHERE session_id = ?"));

	bind_text(st, k->a.session_id);
	if (!db_step(st))
		return fail_db(k->c, st);
	*in = col_i64(st, "i");
	*out = col_i64(st, "o");
	return ERR_OK;
}

static enum err
cmd_usage(struct said *k)
{
	int64_t in = 0, out = 0;
	enum err e = session_tokens(k, &in, &out);

	if (e == ERR_OK)
		result(k, ctx_printf(k->c, "Session usage: ~%lld in / ~%lld out (~%lld total)", (long long)in,
		    (long long)out, (long long)(in + out)));
	return e;
}

static enum err
cmd_context(struct said *k)
{
	int64_t in = 0, out = 0;
	enum err e = session_tokens(k, &in, &out);
	int64_t pct = (in + out) * 100 / 200000;

	if (e != ERR_OK)
		return e;
	result(k, ctx_printf(k->c, "Context: ~%lld tokens in the current session", (long long)(in + out)));
	extra(k, "context_pressure", pct > 85 ? "critical" : pct > 70 ? "high" : pct > 50 ? "medium" : "low");
	return ERR_OK;
}

static enum err
cmd_verbose(struct said *k)
{
	static const char *const words[] = { "off", "on", "full" };
	int v = atomic_load(&k->s->verbose), to;

	to = v == VERBOSE_OFF ? VERBOSE_ON : v == VERBOSE_ON ? VERBOSE_FULL : VERBOSE_OFF;
	for (int i = 0; i < 3; i++)
		if (strcmp(k->args, words[i]) == 0)
			to = i;
	atomic_store(&k->s->verbose, to);
	result(k, ctx_printf(k->c, "Verbose level: **%s**", words[to]));
	return ERR_OK;
}

static enum err
cmd_queue(struct said *k)
{
	result(k, turns_busy(k->a.id) ? "Agent is processing a request..." : "Agent is idle.");
	return ERR_OK;
}

/* "$1.2000 / unlimited" of a span; limit 0: there is none. */
static const char *
span_text(struct said *k, struct json_object *status, const char *span)
{
	double spent = js_f64(status, ctx_printf(k->c, "%s_spend", span), 0), limit = js_f64(status, ctx_printf(k->c, "%s_limit", span), 0);

	return limit > 0 ? ctx_printf(k->c, "$%.4f / $%.4f", spent, limit) : ctx_printf(k->c, "$%.4f / unlimited", spent);
}

static enum err
cmd_budget(struct said *k)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	struct json_object *o;
	enum err e = budget_write_status(k->c, k->c->cfg, &w);

	if (e != ERR_OK)
		return e;
	if (b.failed || (o = json_stored(k->c, ctx_strndup(k->c, b.p, b.len))) == NULL)
		return fail(k->c, ERR_NOMEM, "out of memory");
	result(k, ctx_printf(k->c, "Hourly: %s  |  Daily: %s  |  Monthly: %s", span_text(k, o, "hourly"), span_text(k, o, "daily"),
	    span_text(k, o, "monthly")));
	return ERR_OK;
}

static enum err
cmd_models(struct said *k)
{
	const struct model *all;
	size_t n = catalog_models(&all), shown = 0;
	struct buf b = BUF_INIT(32768);

	for (size_t i = 0; i < n; i++)
		if (auth_available(catalog_auth_status(k->c->cfg, all[i].provider)) && ++shown <= LINES_MAX)
			buf_printf(&b, "\n%s — %s", all[i].id, all[i].provider);
	if (shown > LINES_MAX)
		buf_printf(&b, "\n… and %zu more", shown - LINES_MAX);
	result(k, shown == 0 ? "No models are available: no provider has a key." : b.failed ? "There are too many models to list."
	    : ctx_printf(k->c, "Available models: %zu%s", shown, ctx_strndup(k->c, b.p, b.len)));
	buf_done(&b);
	return ERR_OK;
}

static enum err
cmd_providers(struct said *k)
{
	const struct provider *all;
	size_t n = catalog_providers(&all);
	struct buf b = BUF_INIT(32768);

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "\n%s — %s", all[i].id, catalog_auth_status(k->c->cfg, all[i].id));
	result(k, b.failed ? "There are too many providers to list." : ctx_printf(k->c, "Providers: %zu%s", n, ctx_strndup(k->c, b.p, b.len)));
	buf_done(&b);
	return ERR_OK;
}

static enum err
cmd_think(struct said *k)
{
	int was = atomic_load(&k->s->think), to = was == THINK_ON ? THINK_NOT : THINK_ON;

	if (k->args[0] != '\0' && strcmp(k->args, "on") != 0 && strcmp(k->args, "off") != 0)
		return fail(k->c, ERR_BAD_REQUEST, "on or off is expected");
	if (k->args[0] != '\0')
		to = strcmp(k->args, "on") == 0 ? THINK_ON : THINK_NOT;
	atomic_store(&k->s->think, to);
	result(k, to == THINK_ON ? "Extended thinking: **on**" : "Extended thinking: **off**");
	return ERR_OK;
}

/* Neither other nodes nor agents elsewhere can be joined yet. */
static enum err
cmd_peers(struct said *k)
{
	result(k, "No peers connected.");
	return ERR_OK;
}

static enum err
cmd_a2a(struct said *k)
{
	result(k, "No external A2A agents discovered.");
	return ERR_OK;
}

/* twin: the row that does the same over HTTP; who may not call that one may not say this either. */
static const struct command {
	const char *name;
	enum err (*run)(struct said *);
	const char *what;
	const char *twin;
} commands[] = {
	{ "new", cmd_new, "New session", "POST /api/agents/{id}/sessions" },
	{ "reset", cmd_reset, "Reset", "POST /api/agents/{id}/session/reset" },
	{ "reboot", cmd_reboot, "Reboot", "POST /api/agents/{id}/session/reboot" },
	{ "compact", cmd_compact, "Compaction", "POST /api/agents/{id}/session/compact" },
	{ "stop", cmd_stop, "Stop", "POST /api/agents/{id}/stop" },
	{ "model", cmd_model, "Model switch", "PUT /api/agents/{id}/model" },
	{ "usage", cmd_usage, "Usage", NULL },
	{ "context", cmd_context, "Context", NULL },
	{ "verbose", cmd_verbose, "Verbose", NULL },
	{ "queue", cmd_queue, "Queue", NULL },
	{ "budget", cmd_budget, "Budget", "GET /api/budget" },
	{ "models", cmd_models, "Models", "GET /api/models" },
	{ "providers", cmd_providers, "Providers", "GET /api/providers" },
	{ "think", cmd_think, "Think", NULL },
	{ "peers", cmd_peers, "Peers", NULL },
	{ "a2a", cmd_a2a, "A2A", NULL },
};

/* The role that a row wants; one that is gone from the table lets nobody in but the owner. */
static enum role
role_of_row(const char *row)
{
	size_t n = strcspn(row, " ");

	for (size_t i = 0; i < n_routes; i++)
		if (strcmp(routes[i].path, row + n + 1) == 0 && strncmp(verb_names[routes[i].verb], row, n) == 0 &&
		    verb_names[routes[i].verb][n] == '\0')
			return routes[i].role;
	return OWNER;
}

static enum err
may(const struct said *k, const struct command *cmd)
{
	bool asks = cmd->run == cmd_model && k->args[0] == '\0';       /* which model is it? */
	enum role least = cmd->twin == NULL || asks ? USER : role_of_row(cmd->twin);

	if (k->c->who->role >= least)
		return ERR_OK;
	note_alone(k->c, &(struct audit){ .action = "PermissionDenied", .channel = "api",
	    .detail = ctx_printf(k->c, "WS /%s", cmd->name), .outcome = ctx_printf(k->c, "role=%s", role_names[k->c->who->role]) });
	return fail(k->c, ERR_FORBIDDEN, "Role '%s' is not allowed to do this", role_names[k->c->who->role]);
}

bool
ws_is_command(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].name) == n && memcmp(commands[i].name, name, n) == 0)
			return true;
	return false;
}

/* Who sent a message and called it something hears of it as of every other. */
static void
end_message(struct said *k, const char *message_id)
{
	open_said(k, "response");
	jw_str(&k->w, "content", k->text);
	jw_i64(&k->w, "input_tokens", 0);
	jw_i64(&k->w, "output_tokens", 0);
	jw_i64(&k->w, "iterations", 0);
	jw_usd(&k->w, "cost_usd", 0);
	jw_str(&k->w, "context_pressure", "low");
	jw_str(&k->w, "message_id", message_id);
	send_said(k);
}

void
ws_command(struct ws_session *s, struct ctx *c, const char *command, const char *args, const char *message_id)
{
	struct said k = { .s = s, .c = c, .command = command, .args = args, .b = BUF_INIT(65536) };
	enum err e;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, command) != 0)
			continue;
		if ((e = may(&k, &commands[i])) == ERR_OK)
			e = agent_load(c, s->agent_id, &k.a);
		if (e == ERR_OK && s->pinned[0] != '\0')
			k.a.session_id = s->pinned;     /* what is said here is about the conversation that is shown here */
		if (e == ERR_OK)
			e = commands[i].run(&k);
		if (e != ERR_OK) {
			ws_error(s, NULL, ctx_printf(c, "%s failed: %s", commands[i].what,
			    err_status(e) >= 500 ? "Internal server error" : c->fault.msg), message_id);
		} else {
			send_said(&k);
			if (message_id != NULL)
				end_message(&k, message_id);
		}
		buf_done(&k.b);
		return;
	}
	ws_error(s, NULL, ctx_printf(c, "Unknown command: %.*s", (int)utf8_cut(command, strlen(command), 64), command), message_id);
}

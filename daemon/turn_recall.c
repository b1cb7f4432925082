/*
 * What comes to an agent's mind when somebody speaks to it.
 *
 * An agent without memories is asked for them with one SELECT, and that is all. Otherwise the words of the question, or its vector
 * where there is a model for it, find a few; they stand at the end of the prompt, or before the question when prompts are to stay the same
 * (stable_prefix_mode). What was said lately in other conversations of the same person stands before the question, too. Nothing of it is
 * stored. What goes wrong here means that nothing comes to mind.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/embedding.h"
#include "daemon/turn_state.h"
#include "lib/agent/prompt.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"
#include "lib/svc/session_elsewhere.h"
#include "lib/svc/user.h"

enum { PATIENCE_MS = 1000, QUESTION_MAX = 4000, VISIBLE = 60, SECTION_MAX = 8000, RECALL_MAX = 20, ELSEWHERE = 4, ELSEWHERE_MAX = 2000, YOUNG = 10 };

bool
turn_may_recall(struct turn *t)
{
	return !t->ask->ephemeral && t->ask->text != NULL && t->ask->text[0] != '\0' && strcmp(t->ask->origin, "autonomous") != 0 &&
	    memory_wanted(t->c->cfg, t->agent.manifest, "auto_retrieve");
}

static struct memory_scope
scope_of(struct turn *t)
{
	int64_t visible = js_i64(t->agent.manifest, "max_history_messages",
	    t->c->cfg->max_history_messages > 0 ? t->c->cfg->max_history_messages : VISIBLE);

	return (struct memory_scope){ .agent_id = t->agent.id, .peer_id = t->ask->sender_id,
		.chat = t->ask->sender_id != NULL && js_bool(js_obj(t->c->cfg->raw, "proactive_memory"), "session_scoped_recall", true)
		    ? t->ask->channel : NULL,
		.session_id = t->session_id, .visible = visible };
}

/* --- finding ------------------------------------------------------------------------------------ */

static bool
has(const struct memory *v, size_t n, const struct memory *m)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].n == m->n || strcmp(v[i].content, m->content) == 0)
			return true;
	return false;
}

/* The nearest, and none where there is no model for it or it takes too long. */
static void
by_vector(struct turn *t, const struct memory_scope *s, const char *text, struct memory *v, size_t *n)
{
	int64_t deadline_us = clock_mono_us() + (int64_t)PATIENCE_MS * 1000;
	double least = js_f64(js_obj(t->c->cfg->raw, "proactive_memory"), "min_similarity", 0.01);
	struct embed_answer a = { .retry_after_s = -1 };
	struct embedding m;
	enum err e = ERR_NOT_FOUND;

	if (embedding_of(t->c, &m) && embedding_call(t->c, &m, &t->agent, &text, 1, true, PATIENCE_MS, t->ask->cancel, &a) == ERR_OK) {
		job_db_acquire(t->c);
		e = memory_by_vector(t->c, s, m.name, a.vectors, a.dimensions, least, deadline_us, v, n);
	}
	embed_done(&a);
	if (e != ERR_OK)
		*n = 0;
}

/* How many may come to mind: [proactive_memory] max_retrieve, five when it is silent. */
static size_t
how_many(struct turn *t)
{
	int64_t n = js_i64(js_obj(t->c->cfg->raw, "proactive_memory"), "max_retrieve", MEMORY_RECALL);

	return n < 1 ? 1 : n > RECALL_MAX ? RECALL_MAX : (size_t)n;
}

static void
find(struct turn *t, struct memory v[static RECALL_MAX], size_t *n)
{
	const char *text = ctx_strndup(t->c, t->ask->text, utf8_cut(t->ask->text, strlen(t->ask->text), QUESTION_MAX));
	struct memory_scope s = scope_of(t);
	struct memory words[RECALL_MAX];
	size_t most = how_many(t), k = most;

	*n = most;
	if (text == NULL) {
		*n = 0;
		return;
	}
	by_vector(t, &s, text, v, n);
	if (*n == most)
		return;
	job_db_acquire(t->c);
	if (memory_by_words(t->c, &s, text, words, &k) != ERR_OK)
		log_line(LOG_WARN, "rid=%s turn=%s what=\"no memories\" err=%s", t->c->rid, t->id, err_code(t->c->fault.err));
	for (size_t i = 0; i < k && *n < most; i++)
		if (!has(v, *n, &words[i]))
			v[(*n)++] = words[i];
}

/* --- telling -------------------------------------------------------------------------------------- */

static bool
into_prompt(struct turn *t, const char *section)
{
	const char *all = ctx_printf(t->c, "%s\n%s\n", t->system, section);

	t->system = all != NULL ? all : t->system;
	t->around = 0;
	return all != NULL;
}

/* Before the question, which is the last message. */
static bool
into_history(struct turn *t, const char *section)
{
	SCOPED_BUF json = BUF_INIT(8 * SECTION_MAX);
	struct history *h = &t->history;
	struct message question;
	const char *text;

	json_quote(&json, section, strlen(section));
	text = json.failed || h->n == 0 ? NULL : ctx_strndup(t->c, json.p, json.len);
	if (text == NULL || !history_add(t->c, h, message_of(t->c, BY_USER, text, json.len)))
		return false;
	question = h->v[h->n - 2];
	h->v[h->n - 2] = h->v[h->n - 1];
	h->v[h->n - 1] = question;
	return true;
}

static void
report(struct turn *t, const struct memory *v, size_t n)
{
	t->recalled = ctx_alloc(t->c, n * sizeof(*t->recalled));
	t->out->memories_used = json_keep(t->c, json_object_new_array());
	for (size_t i = 0; i < n && t->recalled != NULL && t->out->memories_used != NULL; i++) {
		t->recalled[t->n_recalled++] = v[i];
		json_object_array_add(t->out->memories_used, json_object_new_string(v[i].content));
	}
}

/* What is put aside for the first call grows with it; when that is too much, it is done without. */
static void
recall(struct turn *t)
{
	struct memory v[RECALL_MAX];
	const char *system = t->system, *section;
	int64_t most = js_i64(js_obj(t->c->cfg->raw, "proactive_memory"), "format_context_max_chars", SECTION_MAX);
	bool stable = js_bool(t->c->cfg->raw, "stable_prefix_mode", false);
	size_t n;

	find(t, v, &n);
	section = n > 0 ? prompt_recalled(t->c, v, n, most < 200 || most > SECTION_MAX ? SECTION_MAX : (size_t)most) : NULL;
	if (section == NULL || !(stable ? into_history(t, section) : into_prompt(t, section)))
		return;
	if (!stable && t->budget.any && turn_hold_alone(t) != ERR_OK) {
		t->system = system;
		t->around = 0;
		return;
	}
	report(t, v, n);
}

/* An entry in [[users]] may shut somebody out from memories. */
static bool
may_not_read(struct turn *t)
{
	return t->payer != NULL && strcmp(t->payer_id, CALLER_ROOT_ID) != 0 && user_memory_denies(t->c, t->payer, MEMORY_READ, "proactive") != NULL;
}

void
turn_recall(struct turn *t)
{
	struct fault f = t->c->fault;

	if (!t->has_memories || t->history.n == 0 || may_not_read(t))
		return;
	job_db_acquire(t->c);
	recall(t);
	job_db_release(t->c);
	t->c->fault = f;
}

/* --- other conversations --------------------------------------------------------------------------- */

/* While this one is young. The built-in provider takes each word for an order. */
static bool
may_look_elsewhere(struct turn *t)
{
	return t->stored < YOUNG && turn_may_recall(t) && t->ask->depth == 0 && strcmp(js_str_or(t->agent.manifest, "session_mode", ""), "new") != 0 &&
	    strcmp(t->route.format, "offline") != 0 && !may_not_read(t);
}

static const char *
in_short(struct ctx *c, const struct elsewhere *s)
{
	char day[25];

	time_rfc3339(s->said_ms, day);
	return ctx_printf(c, "%.10s%s%s. User: %s\nAnswer: %s", day, s->title != NULL ? ", " : "", s->title != NULL ? s->title : "", s->question, s->answer);
}

void
turn_elsewhere(struct turn *t)
{
	struct fault f = t->c->fault;
	struct memory_scope mine = scope_of(t);
	struct elsewhere_scope s = { .agent_id = mine.agent_id, .session_id = mine.session_id, .peer_id = mine.peer_id, .chat = mine.chat };
	struct elsewhere others[ELSEWHERE];
	struct memory v[ELSEWHERE] = { { 0 } };
	size_t n = ELSEWHERE;

	if (!may_look_elsewhere(t))
		return;
	if (sessions_elsewhere(t->c, &s, others, &n) != ERR_OK) {
		log_line(LOG_WARN, "rid=%s turn=%s what=\"nothing of other conversations\" err=%s", t->c->rid, t->id, err_code(t->c->fault.err));
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		v[i].scope = "episodic";
		if ((v[i].content = in_short(t->c, &others[i])) == NULL)
			n = i;
	}
	t->elsewhere = n > 0 ? prompt_elsewhere(t->c, v, n, ELSEWHERE_MAX) : NULL;
	t->c->fault = f;
}

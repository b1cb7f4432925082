/*
 * The loop of a turn: ask the model, run what it asks for, ask again, until
 * it has an answer.
 *
 * Reads as the story it tells. Every commit between two effects is one
 * transaction: what came back from the last effect, and that the next one begins.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "db/db.h"
#include "lib/agent/repair.h"
#include "lib/agent/tool.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "lib/svc/config.h"

enum { RETRIES = 3, CUTS_MAX = 5, BAD_BATCHES_MAX = 3 };

void
turn_emit(struct turn *t, enum turn_event_kind kind, const char *a, const char *b, const char *s, size_t n, bool is_error)
{
	struct turn_event ev = { kind, a, b, s, n, is_error };

	if (t->ask->sink.on != NULL)
		t->ask->sink.on(t->ask->sink.arg, &ev);
}

/* --- what the driver hands over while the answer comes ---------------------------- */

static const char *const sentinels[] = { "NO_REPLY", "[no reply needed]", "no reply needed", "[[silent]]",
	"[[reply:", "[[@current]]" };

/* Could this beginning still become a sentinel? */
static bool
may_be_sentinel(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(sentinels); i++) {
		size_t k = strlen(sentinels[i]);

		if (strncasecmp(s, sentinels[i], n < k ? n : k) == 0)
			return true;
	}
	return false;
}

/* The start of a text is held back while it may turn out to be a word for "nothing to say". */
static void
on_text(void *arg, const char *s, size_t n)
{
	struct turn *t = arg;

	if (!t->head.open && t->head.n + n < sizeof(t->head.held)) {
		memcpy(t->head.held + t->head.n, s, n);
		t->head.n += n;
		if (may_be_sentinel(t->head.held, t->head.n))
			return;
		n = 0;
	}
	t->head.open = true;
	if (t->head.n > 0)
		turn_emit(t, TURN_TEXT, NULL, NULL, t->head.held, t->head.n, false);
	t->head.n = 0;
	if (n > 0)
		turn_emit(t, TURN_TEXT, NULL, NULL, s, n, false);
}

static void
on_thinking(void *arg, const char *s, size_t n)
{
	turn_emit(arg, TURN_THINKING, NULL, NULL, s, n, false);
}

static void
on_tool_start(void *arg, const char *id, const char *name)
{
	turn_emit(arg, TURN_TOOL_START, id, name, NULL, 0, false);
}

static void
on_tool_input(void *arg, const char *id, const char *s, size_t n)
{
	turn_emit(arg, TURN_TOOL_INPUT, id, NULL, s, n, false);
}

static void
on_tool_end(void *arg, const char *id, const char *name, const char *json)
{
	turn_emit(arg, TURN_TOOL_END, id, name, json, strlen(json), false);
}

/* --- one call of the model ---------------------------------------------------------- */

static enum err
model_failed(struct turn *t)
{
	const struct llm_answer *a = &t->answer;
	enum err e = a->error == LLM_RATE_LIMITED ? ERR_RATE_LIMITED : ERR_INTERNAL;

	if (cancelled(t->ask->cancel) || a->error == LLM_CANCELLED)
		return fail(t->c, ERR_CANCELLED, "Cancelled");
	ignore_err(fail_code(t->c, e, llm_error_code(a->error), "%s", a->why));
	if (a->retry_after_s > 0)
		t->c->fault.retry_after_s = (unsigned)a->retry_after_s;
	return e;
}

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

static void
add_usage(struct turn *t)
{
	const struct llm_answer *a = &t->answer;

	t->llm_calls++;
	t->out->input_tokens += a->input_tokens;
	t->out->output_tokens += a->output_tokens;
	t->cost_nanousd += catalog_cost_nanousd(t->route.provider, t->route.model, a->input_tokens,
	    a->output_tokens, a->cache_read_tokens, a->cache_write_tokens);
}

static enum err
call_model(struct turn *t)
{
	struct llm_sink sink = { t, on_text, on_thinking, on_tool_start, on_tool_input, on_tool_end };
	struct json_object *mm = js_obj(t->agent.manifest, "model");
	struct llm_request rq = {
		.provider = t->route.provider, .model = t->route.model, .format = t->route.format,
		.base_url = t->route.base_url, .api_key = t->route.api_key, .system = t->system,
		.messages = session_repair(t->c, &t->history, NULL), .tools = t->tools,
		.tools_last = t->tools != NULL && tools_last(t->tools), .extra = t->ask->extra,
		.max_tokens = t->max_tokens, .stream = t->ask->sink.on != NULL,
		.has_temperature = true,
		.temperature = t->ask->has_temperature ? t->ask->temperature : js_f64(mm, "temperature", 0.7),
		.timeout_ms = t->c->cfg->message_timeout_s * 1000, .cancel = t->ask->cancel,
		.agent_id = t->agent.id, .session_id = t->session_id,
	};
	int64_t since = clock_mono_us();
	enum err e;

	llm_answer_done(&t->answer);
	t->head.n = 0;
	t->head.open = false;
	job_db_release(t->c);
	e = llm_call(&rq, &sink, RETRIES, &t->answer);
	count_call(clock_mono_us() - since);
	if (e != ERR_OK)
		return model_failed(t);
	add_usage(t);
	t->content = t->answer.content;
	t->model_ended = false;
	return ERR_OK;
}

/* --- history ------------------------------------------------------------------------- */

static enum err
remember(struct turn *t, struct message m)
{
	return history_add(t->c, &t->history, m) ? ERR_OK : fail(t->c, ERR_NOMEM, "out of memory");
}

static enum err
begin_model_step(struct turn *t)
{
	enum err e = step_start(t->c, t->id, t->epoch, t->step + 1, "model", t->route.model, NULL, NULL);

	t->step += e == ERR_OK;
	return e;
}

/* The batch enters the history whole, and the next call of the model begins. */
static enum err
commit_batch(struct turn *t, bool goes_on)
{
	SCOPED_TX tx = { 0 };
	size_t an, un;
	const char *said = content_json(t->c, t->content, &an), *answered = calls_message(t, &un);
	enum err e = said == NULL || answered == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : turn_tx(t, &tx);

	if (e == ERR_OK && !t->model_ended)
		e = step_end(t->c, t->id, t->epoch, t->step, "done", "[]", 2);
	if (e == ERR_OK)
		e = calls_end_rows(t);
	if (e == ERR_OK && t->keep)
		e = message_append(t->c, t->session_id, "assistant", said, an, t->id, NULL);
	if (e == ERR_OK && t->keep)
		e = message_append(t->c, t->session_id, "user", answered, un, t->id, NULL);
	if (e == ERR_OK && goes_on)
		e = begin_model_step(t);
	if (e == ERR_OK)
		e = tx_commit(t->c, &tx);
	if (e == ERR_OK)
		e = remember(t, message_of(t->c, BY_ASSISTANT, said, an));
	if (e == ERR_OK)
		e = remember(t, message_of(t->c, BY_USER, answered, un));
	t->n_calls = 0;
	t->resumed = false;
	return e;
}

static bool
all_hard(const struct turn *t)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (strcmp(t->calls[i].status, "hard_error") != 0)
			return false;
	return t->n_calls > 0;
}

static void
report_outer(struct turn *t)
{
	struct json_object *all = json_keep(t->c, json_object_new_array());

	for (size_t i = 0; i < t->n_calls; i++) {
		struct json_object *o;

		if (!t->calls[i].outer || t->calls[i].done)
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "id", json_object_new_string(t->calls[i].id));
		json_object_object_add(o, "name", json_object_new_string(t->calls[i].name));
		json_object_object_add(o, "input", json_object_get(t->calls[i].input));
		json_object_array_add(all, o);
	}
	t->out->outer_calls = all;
}

/* The tools of one answer. *ret_wait: the caller must run some of them. */
static enum err
tools(struct turn *t, bool *ret_wait)
{
	enum err e = calls_gather(t);

	buf_str(&t->said, content_text(t->c, t->content, "text", "text"));
	if (e == ERR_OK)
		e = calls_run(t, ret_wait);
	if (e == ERR_OK && *ret_wait) {
		report_outer(t);
		job_db_acquire(t->c);
		return turn_set_state(t->c, t->id, t->epoch, "waiting");
	}
	if ((e == ERR_CANCELLED || e == ERR_INTERNAL) && atomic_load(&t->ask->cancel->why) != CANCEL_SHUTDOWN) {
		struct fault f = t->c->fault;
		enum err kept;

		calls_give_up(t, e == ERR_CANCELLED ? "Cancelled by the user." : "The turn was ended.");
		kept = commit_batch(t, false);  /* what did run must be known next time */
		t->c->fault = f;
		return kept == ERR_OK ? e : kept;
	}
	if (e != ERR_OK)
		return e;
	t->bad_batches = all_hard(t) ? t->bad_batches + 1 : 0;
	if (t->bad_batches >= BAD_BATCHES_MAX) {
		e = commit_batch(t, false);
		return e != ERR_OK ? e : fail_code(t->c, ERR_INTERNAL, "repeated_tool_failures",
		    "The tools failed %d times in a row", BAD_BATCHES_MAX);
	}
	return commit_batch(t, true);
}

/* --- the answer ------------------------------------------------------------------------ */

static const char *
final_text(struct turn *t)
{
	char *text = ctx_strdup(t->c, content_text(t->c, t->content, "text", "text"));

	if (text == NULL)
		return NULL;
	t->out->silent = text_is_silent(text);
	if (t->out->silent)
		return "";
	if (t->head.n > 0 && !t->head.open)     /* held back, and no sentinel after all */
		turn_emit(t, TURN_TEXT, NULL, NULL, t->head.held, t->head.n, false);
	if (text[strspn(text, " \t\r\n")] == '\0' && t->said.len > 0)
		return t->said.p;
	return text;
}

static enum err
record_answer(struct turn *t)
{
	t->out->stop = t->answer.stop;
	t->out->text = final_text(t);
	t->out->thinking = content_text(t->c, t->content, "thinking", "thinking");
	if (t->out->text == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if (t->answer.stop == LLM_FILTERED)
		return fail_code(t->c, ERR_INTERNAL, "content_filtered", "The provider withheld the answer");
	return ERR_OK;
}

static bool
says_nothing(struct turn *t)
{
	const char *text = content_text(t->c, t->content, "text", "text");

	return text[strspn(text, " \t\r\n")] == '\0';
}

/* A first answer without a word: ask once more. Not part of the history. */
static enum err
nudge(struct turn *t)
{
	static const char please[] = "\"Please answer the last message.\"";
	SCOPED_TX tx = { 0 };
	enum err e = remember(t, message_of(t->c, BY_USER, please, sizeof(please) - 1));

	if (e == ERR_OK)
		e = turn_tx(t, &tx);
	if (e == ERR_OK)
		e = step_end(t->c, t->id, t->epoch, t->step, "done", "[]", 2);
	if (e == ERR_OK)
		e = begin_model_step(t);
	return e == ERR_OK ? tx_commit(t->c, &tx) : e;
}

/* Tools were asked for; a call whose arguments were cut off says so itself. */
static bool
wants_tools(struct turn *t, unsigned *cuts)
{
	if (t->answer.stop == LLM_TOOL_USE)
		return true;
	return t->answer.stop == LLM_MAX_TOKENS && ++*cuts <= CUTS_MAX &&
	    content_text(t->c, t->content, "tool_use", "id")[0] != '\0';
}

enum err
turn_loop(struct turn *t)
{
	unsigned cuts = 0;
	bool nudged = false, wait = false;
	enum err e = ERR_OK;

	if (t->resumed && t->content != NULL) {
		e = tools(t, &wait);
		if (e != ERR_OK || wait)
			return e;
	}
	for (t->out->iterations++;; t->out->iterations++) {
		if (t->out->iterations > t->max_iterations)
			return fail_code(t->c, ERR_INTERNAL, "max_iterations", "Max iterations exceeded: %u", t->max_iterations);
		turn_emit(t, TURN_PHASE, t->out->iterations == 1 ? "streaming" : "thinking", NULL, NULL, 0, false);
		if ((e = call_model(t)) != ERR_OK)
			return e;
		if (wants_tools(t, &cuts)) {
			if ((e = tools(t, &wait)) != ERR_OK || wait)
				return e;
		} else if (!nudged && t->out->iterations == 1 && t->answer.stop == LLM_END_TURN && says_nothing(t)) {
			nudged = true;
			if ((e = nudge(t)) != ERR_OK)
				return e;
		} else {
			return record_answer(t);
		}
	}
}

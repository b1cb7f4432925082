/*
 * The body of a converse request.
 *
 * Bedrock is strict: turns alternate, the user begins, and the results of calls open the very next
 * turn, one for each call and none besides. The turns are therefore built anew from what the
 * conversation holds, wherever its results lie.
 */
#include <string.h>

#include "lib/llm/bedrock.h"
#include "lib/llm/blocks.h"
#include "lib/llm/wishes.h"

enum { THINKING_MIN = 1024 };

/*
 * How a family of models is asked to think. Converse has no member of its own for that: each maker's word goes along as it is.
 */
enum reasons { REASONS_NOT, REASONS_CLAUDE, REASONS_NOVA, REASONS_GPT };

struct body {
	struct jw w;
	const struct llm_request *rq;
	enum { NOBODY, USER, ASSISTANT } turn;  /* whose turn is open */
	unsigned blocks;                /* in it */
	size_t from, to;                /* messages of the assistant's last turn: their calls want results */
	size_t current;                 /* messages behind this one belong to the current question */
	enum reasons reasons;
	bool open_calls, any;
};

static void
begin_block(struct body *b)
{
	b->blocks++;
	jw_object(&b->w, NULL);
}

static void
write_text(struct body *b, const char *text)
{
	begin_block(b);
	jw_str(&b->w, "text", text);
	jw_end(&b->w);
}

static void
close_turn(struct body *b)
{
	if (b->turn == NOBODY)
		return;
	if (b->blocks == 0)
		write_text(b, "(empty)");
	jw_end(&b->w);
	jw_end(&b->w);
	b->turn = NOBODY;
}

static void
write_result(struct body *b, const char *id, struct json_object *result)
{
	begin_block(b);
	jw_object(&b->w, "toolResult");
	write_safe_id(&b->w, "toolUseId", id);
	jw_array(&b->w, "content");
	jw_object(&b->w, NULL);
	jw_str(&b->w, "text", result != NULL ? block_result(result) : "The call has no result: it was interrupted.");
	jw_end(&b->w);
	jw_end(&b->w);
	if (result == NULL || js_bool(result, "is_error", false))
		jw_str(&b->w, "status", "error");
	jw_end(&b->w);
	jw_end(&b->w);
}

/* The first result for this id behind message from; NULL: there is none. */
static struct json_object *
result_of(const struct body *b, size_t from, const char *id)
{
	const struct history *h = b->rq->messages;

	for (size_t i = from; i < h->n; i++) {
		struct json_object *blocks = h->v[i].role == BY_USER ? h->v[i].blocks : NULL;

		for (size_t k = 0, n = blocks != NULL ? json_object_array_length(blocks) : 0; k < n; k++) {
			struct json_object *o = json_object_array_get_idx(blocks, k);

			if (is_block(o, "tool_result") && strcmp(js_str_or(o, "tool_use_id", ""), id) == 0)
				return o;
		}
	}
	return NULL;
}

/* Was a call of that id written before this one, in the same turn? */
static bool
is_twice(const struct body *b, size_t message, size_t block, const char *id)
{
	for (size_t i = b->from; i <= message; i++) {
		struct json_object *blocks = b->rq->messages->v[i].blocks;
		size_t n = blocks == NULL || b->rq->messages->v[i].role != BY_ASSISTANT ? 0 : json_object_array_length(blocks);

		for (size_t k = 0; k < (i == message && block < n ? block : n); k++) {
			struct json_object *o = json_object_array_get_idx(blocks, k);

			if (is_block(o, "tool_use") && strcmp(js_str_or(o, "id", ""), id) == 0)
				return true;
		}
	}
	return false;
}

static void
write_results(struct body *b)
{
	for (size_t i = b->from; b->open_calls && i <= b->to; i++) {
		const struct message *m = &b->rq->messages->v[i];

		for (size_t k = 0, n = m->blocks != NULL && m->role == BY_ASSISTANT ? json_object_array_length(m->blocks) : 0; k < n; k++) {
			struct json_object *o = json_object_array_get_idx(m->blocks, k);
			const char *id = js_str_or(o, "id", "");

			if (is_block(o, "tool_use") && !is_twice(b, i, k, id))
				write_result(b, id, result_of(b, b->from, id));
		}
	}
	b->open_calls = false;
}

static void
open_turn(struct body *b, int whose)
{
	bool answers = whose == USER && b->open_calls;

	if ((int)b->turn == whose)
		return;
	close_turn(b);
	if (whose == ASSISTANT && !b->any) {
		open_turn(b, USER);
		close_turn(b);
	}
	jw_object(&b->w, NULL);
	jw_str(&b->w, "role", whose == USER ? "user" : "assistant");
	jw_array(&b->w, "content");
	b->turn = whose;
	b->blocks = 0;
	b->any = true;
	if (answers)
		write_results(b);
}

static void
write_image(struct body *b, struct json_object *block)
{
	SCOPED_BUF data = BUF_INIT(LLM_BODY_MAX);
	const char *type = block_image(block, &data);

	if (type == NULL || strncmp(type, "image/", 6) != 0)
		return;
	begin_block(b);
	jw_object(&b->w, "image");
	jw_str(&b->w, "format", strcmp(type, "image/jpg") == 0 ? "jpeg" : type + 6);
	jw_object(&b->w, "source");
	jw_strn(&b->w, "bytes", data.p, data.len);
	jw_end(&b->w);
	jw_end(&b->w);
	jw_end(&b->w);
	b->w.b->failed |= data.failed;
}

static void
write_call(struct body *b, struct json_object *o)
{
	begin_block(b);
	jw_object(&b->w, "toolUse");
	write_safe_id(&b->w, "toolUseId", js_str_or(o, "id", ""));
	jw_str(&b->w, "name", js_str_or(o, "name", ""));
	if (js_obj(o, "input") != NULL)
		jw_json(&b->w, "input", js_obj(o, "input"));
	else
		jw_raw(&b->w, "input", "{}", 2);
	jw_end(&b->w);
	jw_end(&b->w);
}

/* What was thought since the user last spoke goes back with its signature, or the calls that followed from it are refused. */
static void
write_thought(struct body *b, struct json_object *o)
{
	struct json_object *meta = js_obj(o, "provider_metadata");
	const char *redacted = js_str(meta, "redacted"), *signature = js_str(meta, "signature");

	if (redacted == NULL && signature == NULL)
		return;
	begin_block(b);
	jw_object(&b->w, "reasoningContent");
	if (redacted != NULL) {
		jw_str(&b->w, "redactedContent", redacted);
	} else {
		jw_object(&b->w, "reasoningText");
		jw_str(&b->w, "text", js_str_or(o, "thinking", ""));
		jw_str(&b->w, "signature", signature);
		jw_end(&b->w);
	}
	jw_end(&b->w);
	jw_end(&b->w);
}

static void
write_blocks(struct body *b, size_t at, const struct message *m)
{
	for (size_t i = 0, n = json_object_array_length(m->blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m->blocks, i);

		if (block_text(o) != NULL) {
			if (js_str_or(o, "text", "")[strspn(js_str_or(o, "text", ""), " \t\r\n")] != '\0')
				write_text(b, js_str_or(o, "text", ""));
		} else if (m->role == BY_USER) {
			write_image(b, o);
		} else if (b->reasons == REASONS_CLAUDE && at > b->current && is_block(o, "thinking")) {
			write_thought(b, o);
		} else if (is_block(o, "tool_use") && !is_twice(b, at, i, js_str_or(o, "id", ""))) {
			write_call(b, o);
			b->open_calls = true;
		}
	}
}

static void
write_message(struct body *b, size_t at)
{
	const struct message *m = &b->rq->messages->v[at];
	bool mine = m->role == BY_ASSISTANT;

	if (m->role == BY_SYSTEM || (mine && m->text == NULL && !blocks_have(m->blocks, "text") && !blocks_have(m->blocks, "tool_use")))
		return;
	if (mine && b->turn != ASSISTANT) {
		if (b->turn == NOBODY && b->open_calls)
			open_turn(b, USER);
		b->from = at;
	}
	open_turn(b, mine ? ASSISTANT : USER);
	if (mine)
		b->to = at;
	if (m->text == NULL) {
		write_blocks(b, at, m);
	} else if (m->n > 2) {
		begin_block(b);
		jw_raw(&b->w, "text", m->text, m->n);
		jw_end(&b->w);
	}
}

static void
write_messages(struct body *b)
{
	size_t n = useful_length(b->rq, false);

	b->current = current_question(b->rq, n);
	jw_array(&b->w, "messages");
	for (size_t i = 0; i < n; i++)
		write_message(b, i);
	if (b->open_calls)
		open_turn(b, USER);
	close_turn(b);
	jw_end(&b->w);
}

static void
write_system(struct body *b)
{
	SCOPED_BUF s = BUF_INIT(LLM_TEXT_MAX);

	join_system(b->rq, &s);
	b->w.b->failed |= s.failed;
	if (s.len == 0 || s.p[strspn(s.p, " \t\r\n")] == '\0')
		return;
	jw_array(&b->w, "system");
	jw_object(&b->w, NULL);
	jw_strn(&b->w, "text", s.p, s.len);
	jw_end(&b->w);
	jw_end(&b->w);
}

static void
write_tool(struct jw *w, struct json_object *tool)
{
	const char *about = js_str_or(tool, "description", "");

	jw_object(w, NULL);
	jw_object(w, "toolSpec");
	jw_str(w, "name", js_str_or(tool, "name", ""));
	if (about[0] != '\0')
		jw_str(w, "description", about);
	jw_object(w, "inputSchema");
	write_schema_whole(w, "json", js_get(tool, "input_schema"));
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void
write_tool_config(struct body *b)
{
	struct wish_choice c = wish_choice(b->rq);

	if (!has_tools(b->rq) || !wish_mine(b->rq, "toolConfig"))
		return;
	jw_object(&b->w, "toolConfig");
	write_tools(&b->w, "tools", b->rq, write_tool);
	jw_object(&b->w, "toolChoice");
	jw_object(&b->w, c.kind == CHOICE_ANY ? "any" : c.kind == CHOICE_NAMED ? "tool" : "auto");
	if (c.kind == CHOICE_NAMED)
		jw_str(&b->w, "name", c.name);
	jw_end(&b->w);
	jw_end(&b->w);
	jw_end(&b->w);
}

static enum reasons
reasons_of(const struct llm_request *rq, const struct quirks *q)
{
	int64_t budget = wish_thinking(rq);

	if (budget < THINKING_MIN || q->no_thinking || !wish_mine(rq, "additionalModelRequestFields"))
		return REASONS_NOT;
	return strstr(rq->model, "anthropic.") != NULL ? REASONS_CLAUDE : strstr(rq->model, "amazon.nova-2") != NULL ? REASONS_NOVA
	    : strstr(rq->model, "openai.gpt") != NULL ? REASONS_GPT : REASONS_NOT;
}

static void
write_reasoning(struct body *b)
{
	int64_t budget = wish_thinking(b->rq);
	const char *effort = budget <= 4096 ? "low" : budget <= 16384 ? "medium" : "high";

	if (b->reasons == REASONS_NOT)
		return;
	jw_object(&b->w, "additionalModelRequestFields");
	if (b->reasons == REASONS_GPT) {
		jw_str(&b->w, "reasoning_effort", effort);
	} else {
		jw_object(&b->w, b->reasons == REASONS_CLAUDE ? "thinking" : "reasoningConfig");
		jw_str(&b->w, "type", "enabled");
		if (b->reasons == REASONS_CLAUDE)
			jw_i64(&b->w, "budget_tokens", budget);
		else
			jw_str(&b->w, "maxReasoningEffort", effort);
		jw_end(&b->w);
	}
	jw_end(&b->w);
}

static void
write_config(struct body *b)
{
	const struct llm_request *rq = b->rq;
	bool claude = b->reasons == REASONS_CLAUDE, free = b->reasons == REASONS_NOVA && wish_thinking(rq) > 16384;
	int64_t max = claude ? llm_most_output(rq) : rq->max_tokens;

	write_reasoning(b);
	if (!wish_mine(rq, "inferenceConfig"))
		return;
	jw_object(&b->w, "inferenceConfig");
	if (max > 0 && !free)           /* Nova thinks hard without a limit only */
		jw_i64(&b->w, "maxTokens", max);
	if (rq->has_temperature && !claude && !free)
		jw_f64(&b->w, "temperature", rq->temperature > 1 ? 1 : rq->temperature);
	if (!claude && !free)
		wish_as(&b->w, "topP", rq, "top_p");
	wish_stops(&b->w, "stopSequences", rq);
	jw_end(&b->w);
}

enum err
bedrock_write_body(struct outgoing *o)
{
	struct body b = { .w = JW_INIT(&o->body), .rq = o->rq, .reasons = reasons_of(o->rq, &o->quirks) };

	jw_object(&b.w, NULL);
	write_messages(&b);
	write_system(&b);
	write_config(&b);
	write_tool_config(&b);
	wish_rest(&b.w, o->rq);
	jw_end(&b.w);
	if (b.any)
		return o->body.failed ? ERR_NOMEM : ERR_OK;
	o->why = "there is no message to send";
	return ERR_INVALID;
}

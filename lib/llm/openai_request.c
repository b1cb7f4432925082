/*
 * The body of a chat completion, written straight from the stored conversation.
 *
 * One stored message may become several on the wire: tool results travel as
 * messages of their own, and a message that holds some is nothing but them. What a request's
 * "extra" names is left out here and written last, so that it wins.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/blocks.h"
#include "lib/llm/moonshot.h"
#include "lib/llm/openai.h"
#include "lib/llm/wishes.h"

/* How past reasoning is sent back. */
enum echo { ECHO_NONE, ECHO_TEXT, ECHO_EMPTY };

struct body {
	struct jw w;
	const struct llm_request *rq;
	const struct quirks *quirks;
	enum echo echo;
	unsigned messages;
};

static enum echo
echo_of(const struct llm_request *rq)
{
	if (is_moonshot(rq->provider))
		return ECHO_EMPTY;
	return starts(rq->model, "deepseek-v4") ? ECHO_TEXT : ECHO_NONE;
}

static bool
wants_completion_tokens(const struct body *b)
{
	static const char *const ids[] = { "gpt-5", "gpt5", "o1", "o3", "o4", NULL };

	if (b->quirks->old_tokens)
		return false;
	if (b->rq->tokens_word != LLM_TOKENS_BY_MODEL && !b->quirks->completion_tokens)
		return b->rq->tokens_word == LLM_TOKENS_COMPLETION;
	return b->quirks->completion_tokens || starts_any(b->rq->model, ids);
}

/* false: leave it out. */
static bool
temperature_of(const struct body *b, double *t)
{
	static const char *const without[] = { "o1", "o3", "o4", "gpt-5-mini", "gpt5-mini", NULL };
	const struct llm_request *rq = b->rq;

	if (b->quirks->no_temperature || starts_any(rq->model, without) || strstr(rq->model, "-reasoning") != NULL)
		return false;
	*t = rq->temperature;
	if (b->echo == ECHO_EMPTY)
		*t = 0.6;
	else if (starts(rq->model, "kimi-k2"))
		*t = 1.0;
	else
		return rq->has_temperature;
	return true;
}

/* May this member be written here, or does the request's extra hold it? */
static bool
mine(const struct body *b, const char *key)
{
	return !json_object_is_type(b->rq->extra, json_type_object) ||
	    !json_object_object_get_ex(b->rq->extra, key, NULL);
}

/* --- parts --------------------------------------------------------------- */

void
oa_write_image(struct jw *w, struct json_object *block)
{
	SCOPED_BUF url = BUF_INIT(LLM_BODY_MAX);

	if (!block_image_url(block, &url))
		return;
	w->b->failed |= url.failed;
	if (url.failed)
		return;
	jw_object(w, NULL);
	jw_str(w, "type", "image_url");
	jw_object(w, "image_url");
	jw_strn(w, "url", url.p, url.len);
	jw_end(w);
	jw_end(w);
}

static void
write_text_part(struct jw *w, struct json_object *text)
{
	jw_object(w, NULL);
	jw_str(w, "type", "text");
	jw_strn(w, "text", json_object_get_string(text), (size_t)json_object_get_string_len(text));
	jw_end(w);
}

/* A file that Moonshot has: its name for it. NULL: it is none. */
static const char *
file_of(const struct body *b, struct json_object *block)
{
	return is_block(block, "file") && is_moonshot(b->rq->provider) ? js_str(block, "file_id") : NULL;
}

static void
write_file(struct jw *w, const char *id)
{
	char url[MOONSHOT_ID_MAX + 16];

	snprintf(url, sizeof(url), "fileid://%.*s", MOONSHOT_ID_MAX, id);
	jw_object(w, NULL);
	jw_str(w, "type", "file");
	jw_object(w, "file_url");
	jw_str(w, "url", url);
	jw_end(w);
	jw_end(w);
}

static void
write_parts(struct body *b, struct json_object *blocks)
{
	struct jw *w = &b->w;

	jw_array(w, "content");
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i), *text = block_text(o);

		if (text != NULL)
			write_text_part(w, text);
		else if (file_of(b, o) != NULL)
			write_file(w, file_of(b, o));
		else
			oa_write_image(w, o);
	}
	jw_end(w);
}

/* The one text block of a message without pictures and files; *several if there is more to it. */
static struct json_object *
only_text(const struct body *b, struct json_object *blocks, bool *several)
{
	struct json_object *text = NULL;

	*several = false;
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (is_block(o, "text") && text == NULL && json_object_is_type(js_get(o, "text"), json_type_string))
			text = js_get(o, "text");
		else if (is_block(o, "text") || is_block(o, "image") || is_block(o, "image_file") || file_of(b, o) != NULL)
			*several = true;
	}
	return text;
}

/* --- messages ------------------------------------------------------------ */

static void
begin_message(struct body *b, const char *role)
{
	b->messages++;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "role", role);
}

static void
write_plain(struct body *b, const char *role, struct json_object *text)
{
	begin_message(b, role);
	jw_strn(&b->w, "content", json_object_get_string(text), (size_t)json_object_get_string_len(text));
	jw_end(&b->w);
}

/* true: the message holds tool results, and they are all that is sent of it. */
static bool
write_results(struct body *b, struct json_object *blocks)
{
	bool any = false;

	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);

		if (!is_block(o, "tool_result"))
			continue;
		any = true;
		begin_message(b, "tool");
		jw_str(&b->w, "tool_call_id", js_str_or(o, "tool_use_id", ""));
		jw_str(&b->w, "content", block_result(o));
		jw_end(&b->w);
	}
	return any;
}

static void
write_user(struct body *b, const char *role, struct json_object *blocks)
{
	bool several;
	struct json_object *text = only_text(b, blocks, &several);

	if (write_results(b, blocks))
		return;
	if (several) {
		begin_message(b, role);
		write_parts(b, blocks);
		jw_end(&b->w);
	} else if (text != NULL) {
		write_plain(b, role, text);
	}
}

void
oa_write_calls(struct jw *w, struct json_object *blocks)
{
	jw_array(w, "tool_calls");
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i);
		SCOPED_BUF args = BUF_INIT(LLM_TEXT_MAX);
		struct jw aw = JW_INIT(&args);

		if (!is_block(o, "tool_use"))
			continue;
		if (js_obj(o, "input") != NULL)
			jw_json(&aw, NULL, js_obj(o, "input"));
		else
			buf_str(&args, "{}");
		if (args.failed) {
			w->b->failed = true;
			return;
		}
		jw_object(w, NULL);
		jw_str(w, "id", js_str_or(o, "id", ""));
		jw_str(w, "type", "function");
		jw_object(w, "function");
		jw_str(w, "name", js_str_or(o, "name", ""));
		jw_strn(w, "arguments", args.p, args.len);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
}

static void
write_assistant(struct body *b, struct json_object *blocks)
{
	SCOPED_BUF text = BUF_INIT(LLM_TEXT_MAX);
	SCOPED_BUF thought = BUF_INIT(LLM_TEXT_MAX);
	bool calls = blocks_have(blocks, "tool_use");

	blocks_join(blocks, "text", "text", &text);
	if (text.len == 0 && !calls)
		return;                 /* nothing but thinking: no message */
	begin_message(b, "assistant");
	jw_strn(&b->w, "content", text.len > 0 ? text.p : "", text.len);
	if (calls && b->echo == ECHO_TEXT)
		blocks_join(blocks, "thinking", "thinking", &thought);
	if (calls && b->echo != ECHO_NONE)
		jw_strn(&b->w, "reasoning_content", thought.len > 0 ? thought.p : "", thought.len);
	if (calls)
		oa_write_calls(&b->w, blocks);
	jw_end(&b->w);
	b->w.b->failed |= text.failed || thought.failed;
}

static void
write_message(struct body *b, const struct message *m)
{
	if (m->role == BY_SYSTEM && b->rq->system != NULL && b->rq->system[0] != '\0')
		return;
	if (m->text != NULL) {
		begin_message(b, said_by_name(m->role));
		jw_raw(&b->w, "content", m->text, m->n);
		jw_end(&b->w);
	} else if (m->role == BY_ASSISTANT) {
		write_assistant(b, m->blocks);
	} else {
		write_user(b, said_by_name(m->role), m->blocks);
	}
}

static void
write_messages(struct body *b)
{
	const struct llm_request *rq = b->rq;

	if (rq->raw_messages != NULL) {
		jw_json(&b->w, "messages", rq->raw_messages);
		b->messages = (unsigned)json_object_array_length(rq->raw_messages);
		return;
	}
	jw_array(&b->w, "messages");
	if (rq->system != NULL && rq->system[0] != '\0') {
		jw_object(&b->w, NULL);
		jw_str(&b->w, "role", "system");
		jw_str(&b->w, "content", rq->system);
		jw_end(&b->w);
	}
	for (size_t i = 0, n = useful_length(rq, strcasestr(rq->model, "claude") != NULL); i < n; i++)
		write_message(b, &rq->messages->v[i]);
	jw_end(&b->w);
}

/* --- tools and the rest -------------------------------------------------- */

void
oa_write_tool(struct jw *w, struct json_object *tool)
{
	jw_object(w, NULL);
	jw_str(w, "type", "function");
	jw_object(w, "function");
	jw_str(w, "name", js_str_or(tool, "name", ""));
	if (js_str(tool, "description") != NULL)
		jw_str(w, "description", js_str(tool, "description"));
	write_schema_plain(w, "parameters", js_get(tool, "input_schema"));
	jw_end(w);
	jw_end(w);
}

static void
write_our_tools(struct body *b)
{
	const struct llm_request *rq = b->rq;
	struct json_object *tools = rq->raw_tools != NULL ? rq->raw_tools : rq->tools;

	if (b->quirks->no_tools || !has_tools(rq))
		return;
	if (rq->raw_tools != NULL) {
		if (mine(b, "tools"))
			jw_json(&b->w, "tools", tools);
		return;
	}
	if (mine(b, "tools"))
		write_tools(&b->w, "tools", rq, oa_write_tool);
	if (mine(b, "tool_choice"))
		jw_str(&b->w, "tool_choice", "auto");
}

static void
write_format(struct body *b)
{
	struct wish_format f = wish_format(b->rq);

	if (f.kind == FORMAT_TEXT)
		return;
	jw_object(&b->w, "response_format");
	jw_str(&b->w, "type", f.kind == FORMAT_JSON ? "json_object" : "json_schema");
	if (f.kind == FORMAT_SCHEMA) {
		jw_object(&b->w, "json_schema");
		jw_str(&b->w, "name", f.name);
		jw_json(&b->w, "schema", f.schema);
		if (f.strict)
			jw_bool(&b->w, "strict", true);
		jw_end(&b->w);
	}
	jw_end(&b->w);
}

/* The word for so many tokens of thinking; 0: it is not to think. */
static const char *
effort_of(int64_t budget)
{
	return budget == 0 ? "none" : budget <= 4096 ? "low" : budget <= 16384 ? "medium" : "high";
}

static void
write_numbers(struct body *b)
{
	const struct llm_request *rq = b->rq;
	const char *name = wants_completion_tokens(b) ? "max_completion_tokens" : "max_tokens";
	int64_t max = rq->max_tokens;
	double t;

	if (b->quirks->max_tokens > 0 && (max == 0 || max > b->quirks->max_tokens))
		max = b->quirks->max_tokens;
	if (max > 0 && mine(b, "max_tokens") && mine(b, "max_completion_tokens"))
		jw_i64(&b->w, name, max);
	if (temperature_of(b, &t) && mine(b, "temperature"))
		jw_f64(&b->w, "temperature", t);
	if (b->echo == ECHO_EMPTY && mine(b, "thinking")) {
		jw_object(&b->w, "thinking");
		jw_str(&b->w, "type", "disabled");
		jw_end(&b->w);
	}
	if ((rq->thinking_budget >= 1024 || rq->thinking_off) && b->echo != ECHO_EMPTY && !b->quirks->no_thinking && mine(b, "reasoning_effort"))
		jw_str(&b->w, "reasoning_effort", effort_of(rq->thinking_off ? 0 : rq->thinking_budget));
	if (mine(b, "response_format"))
		write_format(b);
	if (!rq->stream)
		return;
	jw_bool(&b->w, "stream", true);
	if (!b->quirks->no_stream_options && mine(b, "stream_options")) {
		jw_object(&b->w, "stream_options");
		jw_bool(&b->w, "include_usage", true);
		jw_end(&b->w);
	}
}

static void
write_extra(struct body *b)
{
	static const char *const ours[] = { "model", "messages", "stream", NULL };

	if (!json_object_is_type(b->rq->extra, json_type_object))
		return;
	json_object_object_foreach(b->rq->extra, k, v) {
		const char *const *o = ours;
		bool tokens = strcmp(k, "max_tokens") == 0 || strcmp(k, "max_completion_tokens") == 0;

		while (*o != NULL && strcmp(*o, k) != 0)
			o++;
		if (*o != NULL || (b->quirks->no_temperature && strcmp(k, "temperature") == 0) ||
		    (b->quirks->no_stream_options && strcmp(k, "stream_options") == 0) ||
		    (b->quirks->no_thinking && strcmp(k, "reasoning_effort") == 0) ||
		    (b->quirks->no_tools && (strcmp(k, "tools") == 0 || strcmp(k, "tool_choice") == 0)))
			continue;
		if (tokens && (b->quirks->completion_tokens || b->quirks->old_tokens))
			k = b->quirks->completion_tokens ? "max_completion_tokens" : "max_tokens";
		if (tokens && b->quirks->max_tokens > 0)
			jw_i64(&b->w, k, b->quirks->max_tokens);
		else
			jw_json(&b->w, k, v);
	}
}

enum err
oa_write_body(const struct llm_request *rq, const struct quirks *quirks, struct buf *out)
{
	struct body b = { .w = JW_INIT(out), .rq = rq, .quirks = quirks, .echo = echo_of(rq) };

	jw_object(&b.w, NULL);
	jw_str(&b.w, "model", rq->model);
	write_messages(&b);
	write_numbers(&b);
	write_our_tools(&b);
	write_extra(&b);
	jw_end(&b.w);
	if (b.messages == 0)
		return ERR_INVALID;
	return out->failed ? ERR_NOMEM : ERR_OK;
}

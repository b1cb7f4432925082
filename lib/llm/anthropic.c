/*
 * Anthropic's messages: what is sent.
 *
 * Two things are particular. Parts of the prompt are marked for the provider's cache, at most four: the
 * system text, the tools, the newest messages. And with thinking switched on, what was thought since the
 * user last spoke must go back with its signature, or the calls that followed from it are refused.
 */
#include "lib/llm/anthropic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/wishes.h"

enum { MARKS_MAX = 4, NEWEST_MARKED = 3, THINKING_MIN = 1024 };

struct body {
	struct jw w;
	const struct llm_request *rq;
	const struct quirks *quirks;
	const char *mark;               /* JSON of cache_control */
	unsigned marks;                 /* that may still be set */
	size_t current;                 /* messages from here on belong to the current question */
	bool thinks;
};

/* --- the cache ----------------------------------------------------------- */

/* How many of the newest messages are marked. */
static unsigned
marked_messages(const struct llm_request *rq, bool *system, bool *tools)
{
	const char *s = rq->cache_strategy;
	unsigned n = NEWEST_MARKED;

	*system = *tools = true;
	if (s == NULL)
		return n;
	if (strcmp(s, "disabled") == 0) {
		*system = *tools = false;
		return 0;
	}
	if (strncmp(s, "system_and_", 11) == 0) {
		n = (unsigned)strtoul(s + 11, NULL, 10);
		return n > MARKS_MAX ? MARKS_MAX : n;
	}
	*tools = false;                 /* system_only */
	return 0;
}

static void
write_mark(struct body *b)
{
	if (b->mark == NULL || b->marks == 0)
		return;
	b->marks--;
	jw_raw(&b->w, "cache_control", b->mark, strlen(b->mark));
}

/* --- blocks -------------------------------------------------------------- */

static bool
is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

static void
write_image(struct body *b, struct json_object *block, bool mark)
{
	SCOPED_BUF data = BUF_INIT(LLM_BODY_MAX);
	const char *url = js_str(block, "url"), *type = url == NULL ? block_image(block, &data) : NULL;

	if (url == NULL && type == NULL)
		return;
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "image");
	jw_object(&b->w, "source");
	jw_str(&b->w, "type", url != NULL ? "url" : "base64");
	if (url != NULL) {
		jw_str(&b->w, "url", url);
	} else {
		jw_str(&b->w, "media_type", type);
		jw_strn(&b->w, "data", data.len > 0 ? data.p : "", data.len);
	}
	jw_end(&b->w);
	if (mark)
		write_mark(b);
	jw_end(&b->w);
	b->w.b->failed |= data.failed;
}

static void
write_result(struct body *b, struct json_object *block, bool mark)
{
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "tool_result");
	write_safe_id(&b->w, "tool_use_id", js_str_or(block, "tool_use_id", ""));
	jw_str(&b->w, "content", block_result(block));
	if (js_bool(block, "is_error", false))
		jw_bool(&b->w, "is_error", true);
	if (mark)
		write_mark(b);
	jw_end(&b->w);
}

static void
write_call(struct body *b, struct json_object *block, bool mark)
{
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "tool_use");
	write_safe_id(&b->w, "id", js_str_or(block, "id", ""));
	jw_str(&b->w, "name", js_str_or(block, "name", ""));
	if (js_obj(block, "input") != NULL)
		jw_json(&b->w, "input", js_obj(block, "input"));
	else
		jw_raw(&b->w, "input", "{}", 2);
	if (mark)
		write_mark(b);
	jw_end(&b->w);
}

static void
write_thought(struct body *b, struct json_object *block)
{
	struct json_object *meta = js_obj(block, "provider_metadata");

	jw_object(&b->w, NULL);
	if (js_str(meta, "redacted") != NULL) {
		jw_str(&b->w, "type", "redacted_thinking");
		jw_str(&b->w, "data", js_str(meta, "redacted"));
	} else {
		jw_str(&b->w, "type", "thinking");
		jw_str(&b->w, "thinking", js_str_or(block, "thinking", ""));
		jw_str(&b->w, "signature", js_str(meta, "signature"));
	}
	jw_end(&b->w);
}

static bool
is_thought(struct json_object *block)
{
	struct json_object *meta = js_obj(block, "provider_metadata");

	return is_block(block, "thinking") && (js_str(meta, "signature") != NULL || js_str(meta, "redacted") != NULL);
}

static bool
image_is_there(struct json_object *block)
{
	const char *path = js_str(block, "path");

	if (!is_block(block, "image_file"))
		return js_str(block, "data") != NULL || js_str(block, "url") != NULL;
	return path != NULL && access(path, R_OK) == 0;
}

/* Is the block sent, and may it carry a mark? */
static bool
is_sent(const struct message *m, struct json_object *block)
{
	if (is_block(block, "text"))
		return block_text(block) != NULL && !is_blank(json_object_get_string(block_text(block)));
	if (m->role == BY_ASSISTANT)
		return is_block(block, "tool_use");
	return is_block(block, "tool_result") || ((is_block(block, "image") || is_block(block, "image_file")) && image_is_there(block));
}

static void
write_block(struct body *b, struct json_object *block, bool mark)
{
	if (is_block(block, "tool_result")) {
		write_result(b, block, mark);
	} else if (is_block(block, "tool_use")) {
		write_call(b, block, mark);
	} else if (block_text(block) == NULL) {
		write_image(b, block, mark);
	} else {
		jw_object(&b->w, NULL);
		jw_str(&b->w, "type", "text");
		jw_json(&b->w, "text", block_text(block));
		if (mark)
			write_mark(b);
		jw_end(&b->w);
	}
}

/* --- messages ------------------------------------------------------------ */

/* Does it say anything that can be sent? */
static bool
is_sent_message(const struct message *m)
{
	if (m->role == BY_SYSTEM)
		return false;
	if (m->text != NULL)
		return m->n > 2 && m->text[1 + strspn(m->text + 1, " ")] != '"';
	for (size_t i = 0, n = json_object_array_length(m->blocks); i < n; i++)
		if (is_sent(m, json_object_array_get_idx(m->blocks, i)))
			return true;
	return false;
}

static void
write_text(struct body *b, const struct message *m, bool mark)
{
	if (!mark || b->marks == 0) {
		jw_raw(&b->w, "content", m->text, m->n);
		return;
	}
	jw_array(&b->w, "content");
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "text");
	jw_raw(&b->w, "text", m->text, m->n);
	write_mark(b);
	jw_end(&b->w);
	jw_end(&b->w);
}

static void
write_blocks(struct body *b, const struct message *m, bool current, bool mark)
{
	size_t n = json_object_array_length(m->blocks), last = n;

	for (size_t i = 0; i < n; i++)
		if (is_sent(m, json_object_array_get_idx(m->blocks, i)))
			last = i;
	jw_array(&b->w, "content");
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m->blocks, i);

		if (is_sent(m, o))
			write_block(b, o, mark && i == last);
		else if (b->thinks && current && m->role == BY_ASSISTANT && is_thought(o))
			write_thought(b, o);
	}
	jw_end(&b->w);
}

static bool
write_messages(struct body *b, unsigned marked)
{
	const struct history *h = b->rq->messages;
	size_t n = useful_length(b->rq, false), all = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		all += is_sent_message(&h->v[i]);
	b->current = current_question(b->rq, n);
	jw_array(&b->w, "messages");
	for (size_t i = 0; i < n; i++) {
		const struct message *m = &h->v[i];
		bool mark = marked > 0 && all - at <= marked;

		if (!is_sent_message(m))
			continue;
		at++;
		jw_object(&b->w, NULL);
		jw_str(&b->w, "role", said_by_name(m->role));
		if (m->text != NULL)
			write_text(b, m, mark);
		else
			write_blocks(b, m, i > b->current, mark);
		jw_end(&b->w);
	}
	jw_end(&b->w);
	return all > 0;
}

/* --- the rest ------------------------------------------------------------ */

static void
write_system(struct body *b, bool mark)
{
	SCOPED_BUF s = BUF_INIT(LLM_TEXT_MAX);
	struct wish_format f = wish_format(b->rq);

	join_system(b->rq, &s);
	if (f.kind != FORMAT_TEXT)
		buf_printf(&s, "%sAnswer with one valid JSON value and nothing else: no fences, no words around it.%s",
		    s.len > 0 ? "\n\n" : "", f.kind == FORMAT_SCHEMA ? " It must fit this JSON schema:\n" : "");
	if (f.kind == FORMAT_SCHEMA)
		buf_str(&s, json_object_to_json_string_ext(f.schema, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	b->w.b->failed |= s.failed;
	if (s.len == 0 || is_blank(s.p))
		return;
	if (!mark || b->marks == 0) {
		jw_strn(&b->w, "system", s.p, s.len);
		return;
	}
	jw_array(&b->w, "system");
	jw_object(&b->w, NULL);
	jw_str(&b->w, "type", "text");
	jw_strn(&b->w, "text", s.p, s.len);
	write_mark(b);
	jw_end(&b->w);
	jw_end(&b->w);
}

static void
write_tool(struct jw *w, struct json_object *tool)
{
	jw_object(w, NULL);
	jw_str(w, "name", js_str_or(tool, "name", ""));
	if (js_str(tool, "description") != NULL)
		jw_str(w, "description", js_str(tool, "description"));
	write_schema_whole(w, "input_schema", js_get(tool, "input_schema"));
	jw_end(w);
}

static void
write_choice(struct body *b)
{
	static const char *const words[] = { [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_ANY] = "any", [CHOICE_NAMED] = "tool" };
	struct wish_choice c = wish_choice(b->rq);

	if (c.kind == CHOICE_UNSAID || !wish_mine(b->rq, "tool_choice"))
		return;
	jw_object(&b->w, "tool_choice");
	jw_str(&b->w, "type", words[c.kind]);
	if (c.name != NULL)
		jw_str(&b->w, "name", c.name);
	jw_end(&b->w);
}

/* The tools, the last of them marked: the mark goes inside its closing brace. */
static void
write_all_tools(struct body *b, bool mark)
{
	SCOPED_BUF t = BUF_INIT(16 << 20);
	struct jw w = JW_INIT(&t);

	if (!has_tools(b->rq) || !wish_mine(b->rq, "tools"))
		return;
	write_tools(&w, NULL, b->rq, write_tool);
	if (mark && b->marks > 0 && t.len > 3) {
		b->marks--;
		t.len -= 2;
		buf_printf(&t, ",\"cache_control\":%s}]", b->mark);
	}
	b->w.b->failed |= t.failed;
	if (!t.failed)
		jw_raw(&b->w, "tools", t.p, t.len);
	write_choice(b);
}

static void
write_numbers(struct body *b)
{
	const struct llm_request *rq = b->rq;
	struct llm_request still = *rq;
	int64_t max, budget = wish_thinking(rq);

	still.thinking_off = true;
	max = llm_most_output(b->thinks ? rq : &still);
	if (b->quirks->max_tokens > 0 && max > b->quirks->max_tokens)
		max = b->quirks->max_tokens;
	if (budget >= max)
		budget = max - 1;
	if (wish_mine(rq, "max_tokens"))
		jw_i64(&b->w, "max_tokens", max);
	if (b->thinks) {
		jw_object(&b->w, "thinking");
		jw_str(&b->w, "type", "enabled");
		jw_i64(&b->w, "budget_tokens", budget);
		jw_end(&b->w);
	} else if (rq->has_temperature && !b->quirks->no_temperature && wish_mine(rq, "temperature")) {
		jw_f64(&b->w, "temperature", rq->temperature > 1 ? 1 : rq->temperature);
	}
	if (!b->thinks)
		wish_as(&b->w, "top_p", rq, "top_p");
	wish_stops(&b->w, "stop_sequences", rq);
	if (rq->stream)
		jw_bool(&b->w, "stream", true);
}

enum err
anthropic_write_body(const struct llm_request *rq, const struct quirks *quirks, struct buf *out)
{
	bool system, tools, any;
	unsigned messages = marked_messages(rq, &system, &tools);
	struct body b = { .w = JW_INIT(out), .rq = rq, .quirks = quirks, .marks = MARKS_MAX,
	    .thinks = wish_thinking(rq) >= THINKING_MIN && !quirks->no_thinking && wish_mine(rq, "thinking"),
	    .mark = rq->cache_hour ? "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}" : "{\"type\":\"ephemeral\"}" };

	jw_object(&b.w, NULL);
	jw_str(&b.w, "model", rq->model);
	write_numbers(&b);
	write_system(&b, system);
	write_all_tools(&b, tools);
	any = write_messages(&b, messages < b.marks ? messages : b.marks);
	wish_rest(&b.w, rq);
	jw_end(&b.w);
	if (!any)
		return ERR_INVALID;
	return out->failed ? ERR_NOMEM : ERR_OK;
}

/* --- the driver ---------------------------------------------------------- */

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const struct llm_request *rq = o->rq;
	bool hour = rq->cache_hour && (rq->cache_strategy == NULL || strcmp(rq->cache_strategy, "disabled") != 0);
	const char *base;
	size_t n = out_root(o, "/v1", &base);
	enum err e = n > 0 ? out_url(o, "%.*s/v1/messages", (int)n, base) : out_no_base(o);

	(void)a;
	if (e == ERR_OK)
		e = out_key(o, "x-api-key", rq->api_key);
	if (e == ERR_OK)
		e = out_header(o, "anthropic-version", "2023-06-01");
	if (e == ERR_OK && hour)
		e = out_header(o, "anthropic-beta", "extended-cache-ttl-2025-04-11");
	if (e == ERR_OK)
		e = out_usual_headers(o);
	if (e != ERR_OK)
		return e;
	e = anthropic_write_body(rq, &o->quirks, &o->body);
	if (e == ERR_INVALID)
		o->why = "there is no message to send";
	return e;
}

/* "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for …" */
static int64_t
limit_in(const char *body)
{
	const char *p = strstr(body, "max_tokens: ");

	p = p != NULL ? strstr(p, " > ") : NULL;
	return p != NULL ? strtoll(p + 3, NULL, 10) : 0;
}

static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct quirks *q = &o->quirks;
	int64_t limit = limit_in(body);

	if (status != 400)
		return false;
	if (limit > 0 && limit != q->max_tokens) {
		q->max_tokens = limit;
		return true;
	}
	if (!q->no_thinking && wish_thinking(o->rq) >= THINKING_MIN && has_substr_ci(body, "thinking"))
		return q->no_thinking = true;
	if (!q->no_temperature && o->rq->has_temperature && has_substr_ci(body, "temperature"))
		return q->no_temperature = true;
	return false;
}

const struct driver anthropic_driver = {
	.format = "anthropic", .framing = FRAMES_SSE, .takes_image_urls = true, .needs_url = true,
	.stops = anthropic_stops, .prepare = prepare, .frame = anthropic_frame, .heal = heal,
};

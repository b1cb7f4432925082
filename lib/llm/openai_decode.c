/*
 * The decoder of chat completions: events of a stream, or a whole answer.
 *
 * A provider may ignore what it was asked for and send the one instead of the
 * other, so the first byte decides. Frames that make no sense are skipped; an answer is
 * accepted only once the provider has said that it is finished.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/errors.h"
#include "lib/llm/openai.h"

enum { LAST_WORDS_MAX = 2000 };

static void
put_text(void *arg, const char *p, size_t n)
{
	struct oa_decoder *d = arg;

	d->ans->any_output = true;
	if (d->sink != NULL && d->sink->text != NULL)
		d->sink->text(d->sink->arg, p, n);
}

static void
put_thinking(void *arg, const char *p, size_t n)
{
	struct oa_decoder *d = arg;

	d->ans->any_output = true;
	if (d->sink != NULL && d->sink->thinking != NULL)
		d->sink->thinking(d->sink->arg, p, n);
}

static bool
give_up(struct oa_decoder *d, enum llm_error e, int status, const char *why)
{
	llm_blame(d->ans, d->rq, e, status, why);
	d->failed = true;
	return false;
}

/* --- tool calls ---------------------------------------------------------- */

static struct oa_call *
call_at(struct oa_decoder *d, int64_t index)
{
	struct oa_call *c;

	for (unsigned i = 0; i < d->n_calls; i++)
		if (d->calls[i].index == index)
			return &d->calls[i];
	if (d->n_calls == OA_CALLS_MAX)
		return NULL;
	if ((d->n_calls & (d->n_calls - 1)) == 0) {     /* full at every power of two */
		size_t room = d->n_calls == 0 ? 1 : d->n_calls * 2u;

		c = realloc(d->calls, room * sizeof(*c));
		if (c == NULL)
			return NULL;
		d->calls = c;
	}
	c = &d->calls[d->n_calls++];
	*c = (struct oa_call){ .index = index };
	text_init(&c->args, OA_TEXT_MAX, NULL, NULL);
	return c;
}

/* Ids and names are short and printable, or they are none. */
static char *
word_of(struct json_object *v)
{
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
	size_t n = strlen(s);

	if (n == 0 || n > 256 || !utf8_ok(s, n))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)s[i]))
			return NULL;
	return strdup(s);
}

static void
start_call(struct oa_decoder *d, struct oa_call *c)
{
	const struct llm_sink *s = d->sink;

	if (c->started || c->id == NULL || c->name == NULL)
		return;
	c->started = true;
	d->ans->any_output = true;
	if (s != NULL && s->tool_start != NULL)
		s->tool_start(s->arg, c->id, c->name);
	if (s != NULL && s->tool_input != NULL && c->args.all.len > 0)
		s->tool_input(s->arg, c->id, c->args.all.p, c->args.all.len);
}

static void
add_args(struct oa_decoder *d, struct oa_call *c, const char *p, size_t n)
{
	const struct llm_sink *s = d->sink;
	size_t before = c->args.all.len;

	text_add(&c->args, p, n);
	if (c->started && s != NULL && s->tool_input != NULL && c->args.all.len > before)
		s->tool_input(s->arg, c->id, c->args.all.p + before, c->args.all.len - before);
}

static int64_t
index_of(const struct oa_decoder *d, struct json_object *o, size_t position, bool whole)
{
	int64_t last = d->n_calls > 0 ? d->calls[d->n_calls - 1].index : 0;

	if (whole)
		return (int64_t)position;
	if (json_object_is_type(js_get(o, "index"), json_type_int))
		return js_i64(o, "index", 0);
	/* no index: a new id begins a new call */
	return js_str_or(o, "id", "")[0] != '\0' && d->n_calls > 0 ? last + 1 : last;
}

static void
take_call(struct oa_decoder *d, struct json_object *o, size_t position, bool whole)
{
	struct json_object *f = js_obj(o, "function"), *args = js_get(f, "arguments");
	struct oa_call *c = call_at(d, index_of(d, o, position, whole));

	if (c == NULL)
		return;
	if (c->id == NULL)
		c->id = word_of(js_get(o, "id"));
	if (c->name == NULL)
		c->name = word_of(js_get(f, "name"));
	start_call(d, c);
	if (json_object_is_type(args, json_type_string)) {
		add_args(d, c, json_object_get_string(args), (size_t)json_object_get_string_len(args));
	} else if (json_object_is_type(args, json_type_object)) {
		const char *t = json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN);

		add_args(d, c, t, strlen(t));
	}
}

/* --- frames -------------------------------------------------------------- */

static void
take_content(struct oa_decoder *d, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string)) {
		think_add(&d->think, &d->text, &d->thinking, json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
		return;
	}
	if (!json_object_is_type(v, json_type_array))
		return;
	for (size_t i = 0, n = json_object_array_length(v); i < n; i++) {
		struct json_object *t = js_get(json_object_array_get_idx(v, i), "text");

		if (json_object_is_type(t, json_type_string))
			take_content(d, t);
	}
}

static void
take_reasoning(struct oa_decoder *d, struct json_object *m)
{
	struct json_object *v = js_get(m, "reasoning_content");

	if (!json_object_is_type(v, json_type_string))
		v = js_get(m, "reasoning");
	if (json_object_is_type(v, json_type_string))
		text_add(&d->thinking, json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static int64_t
count_of(struct json_object *o, const char *key, int64_t dflt)
{
	int64_t n = js_i64(o, key, dflt);

	return n < 0 ? 0 : n > 1000000000000 ? 1000000000000 : n;
}

static void
take_usage(struct oa_decoder *d, struct json_object *u)
{
	struct llm_answer *a = d->ans;

	if (!json_object_is_type(u, json_type_object))
		return;
	a->input_tokens = count_of(u, "prompt_tokens", a->input_tokens);
	a->output_tokens = count_of(u, "completion_tokens", a->output_tokens);
	a->cache_read_tokens = count_of(js_obj(u, "prompt_tokens_details"), "cached_tokens",
	    count_of(u, "prompt_cache_hit_tokens", a->cache_read_tokens));
	a->usage_known = true;
}

/* An error member that says something: not null, {}, "", 0 or false. */
static bool
is_error(struct json_object *e)
{
	switch (json_object_get_type(e)) {
	case json_type_object: return json_object_object_length(e) > 0;
	case json_type_array: return json_object_array_length(e) > 0;
	case json_type_string: return json_object_get_string_len(e) > 0;
	case json_type_int: return json_object_get_int64(e) != 0;
	default: return false;
	}
}

static bool
take_frame(struct oa_decoder *d, struct json_object *o, bool whole)
{
	struct json_object *choices = js_arr(o, "choices"), *choice = NULL, *m, *calls;
	const char *finish;

	if (is_error(js_get(o, "error"))) {
		llm_blame_json(d->ans, d->rq, 0, js_get(o, "error"));
		d->failed = true;
		return false;
	}
	take_usage(d, js_get(o, "usage"));
	if (choices != NULL && json_object_array_length(choices) > 0)
		choice = json_object_array_get_idx(choices, 0);
	if (choice == NULL || js_i64(choice, "index", 0) != 0)
		return true;
	m = js_obj(choice, whole ? "message" : "delta");
	if (m == NULL)
		m = js_obj(choice, whole ? "delta" : "message");
	d->usable = true;
	take_reasoning(d, m);
	take_content(d, js_get(m, "content"));
	if (js_str(m, "refusal") != NULL)
		take_content(d, js_get(m, "refusal"));
	calls = js_arr(m, "tool_calls");
	for (size_t i = 0, n = calls != NULL ? json_object_array_length(calls) : 0; i < n; i++)
		take_call(d, json_object_array_get_idx(calls, i), i, whole);
	finish = js_str(choice, "finish_reason");
	if (finish != NULL && finish[0] != '\0')
		snprintf(d->finish, sizeof(d->finish), "%s", finish);
	if (d->text.all.failed || d->thinking.all.failed)
		return give_up(d, LLM_UPSTREAM, 0, "the answer is too long");
	return true;
}

static struct json_object *
parse(struct oa_decoder *d, const char *p, size_t n, size_t *used)
{
	struct json_object *o;

	json_tokener_reset(d->tok);
	*used = 0;
	if (n > INT32_MAX)
		return NULL;
	o = json_tokener_parse_ex(d->tok, p, (int)n);
	if (json_tokener_get_error(d->tok) != json_tokener_success) {
		json_object_put(o);
		return NULL;
	}
	*used = json_tokener_get_parse_end(d->tok);
	return o;
}

static bool
is_done(const char *p, size_t n)
{
	while (n > 0 && isspace((unsigned char)p[n - 1]))
		n--;
	return n == 6 && memcmp(p, "[DONE]", 6) == 0;
}

/* Usually one object; servers that forget the blank line between events send several, on lines of their own. */
static bool
on_event(void *arg, const char *event, const char *p, size_t n)
{
	struct oa_decoder *d = arg;
	bool go_on = true;

	(void)event;
	while (go_on && n > 0 && !d->done) {
		struct json_object *o;
		size_t used, blank;

		if (is_done(p, n)) {
			d->done = true;
			return true;
		}
		o = parse(d, p, n, &used);
		if (json_object_is_type(o, json_type_object))
			go_on = take_frame(d, o, false);
		json_object_put(o);
		if (used == 0) {        /* not JSON: go on behind the line */
			const char *lf = memchr(p, '\n', n);

			used = lf != NULL ? (size_t)(lf - p) : n;
		}
		p += used;
		n -= used;
		for (blank = 0; blank < n && isspace((unsigned char)p[blank]); blank++)
			;
		p += blank;
		n -= blank;
	}
	return go_on;
}

/* --- the whole ----------------------------------------------------------- */

enum err
oa_init(struct oa_decoder *d, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *ans)
{
	*d = (struct oa_decoder){ .rq = rq, .sink = sink, .ans = ans, .whole = BUF_INIT(OA_FRAME_MAX) };
	sse_init(&d->sse, OA_FRAME_MAX, on_event, d);
	text_init(&d->text, OA_TEXT_MAX, put_text, d);
	text_init(&d->thinking, OA_TEXT_MAX, put_thinking, d);
	d->tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	return d->tok != NULL ? ERR_OK : ERR_NOMEM;
}

void
oa_free(struct oa_decoder *d)
{
	for (unsigned i = 0; i < d->n_calls; i++) {
		free(d->calls[i].id);
		free(d->calls[i].name);
		text_done(&d->calls[i].args);
	}
	free(d->calls);
	if (d->tok != NULL)
		json_tokener_free(d->tok);
	sse_done(&d->sse);
	text_done(&d->text);
	text_done(&d->thinking);
	buf_done(&d->whole);
}

bool
oa_feed(struct oa_decoder *d, const char *p, size_t n)
{
	if (d->failed)
		return false;
	while (d->shape == OA_UNKNOWN && n > 0) {
		if (!isspace((unsigned char)*p))
			d->shape = *p == '{' || *p == '[' || *p == '<' ? OA_WHOLE : OA_EVENTS;
		else {
			p++;
			n--;
		}
	}
	if (n == 0 || d->done)
		return true;
	if (d->shape == OA_WHOLE) {
		buf_add(&d->whole, p, n);
		return !d->whole.failed || give_up(d, LLM_UPSTREAM, 0, "the answer is too long");
	}
	if (sse_feed(&d->sse, p, n))
		return true;
	return d->failed ? false : give_up(d, LLM_UPSTREAM, 0, "the answer is too long");
}

static bool
read_whole(struct oa_decoder *d)
{
	struct json_object *o;
	size_t used;
	bool good;

	o = parse(d, d->whole.p, d->whole.len, &used);
	good = json_object_is_type(o, json_type_object);
	if (good && take_frame(d, o, true))
		d->done = d->usable;
	json_object_put(o);
	return good;
}

static void
add_block(struct json_object *content, const char *type, const char *member, const char *p, size_t n)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(type));
	json_object_object_add(o, member, json_object_new_string_len(n > 0 ? p : "", (int)n));
	json_object_array_add(content, o);
}

static void
end_call(struct oa_decoder *d, struct oa_call *c)
{
	struct json_object *o, *input;

	text_end(&c->args);
	input = c->args.all.failed ? tool_args("{", 1) : tool_args(c->args.all.len ? c->args.all.p : "", c->args.all.len);
	if (d->sink != NULL && d->sink->tool_end != NULL)
		d->sink->tool_end(d->sink->arg, c->id, c->name,
		    json_object_to_json_string_ext(input, JSON_C_TO_STRING_PLAIN));
	o = json_object_new_object();
	json_object_object_add(o, "type", json_object_new_string("tool_use"));
	json_object_object_add(o, "id", json_object_new_string(c->id));
	json_object_object_add(o, "name", json_object_new_string(c->name));
	json_object_object_add(o, "input", input);
	json_object_array_add(d->ans->content, o);
}

/* An answer of nothing but thinking: its last paragraph is what it has to say. */
static void
speak_up(struct oa_decoder *d)
{
	const char *p = d->thinking.all.p, *from;
	size_t n = d->thinking.all.len;

	while (n > 0 && isspace((unsigned char)p[n - 1]))
		n--;
	for (from = p + n; from > p; from--)
		if (from - p >= 2 && from[-1] == '\n' && from[-2] == '\n')
			break;
	n -= (size_t)(from - p);
	text_add(&d->text, from, utf8_cut(from, n, LAST_WORDS_MAX));
}

static enum llm_stop
stop_of(const struct oa_decoder *d, unsigned calls)
{
	if (strcmp(d->finish, "length") == 0)
		return LLM_MAX_TOKENS;
	if (strcmp(d->finish, "content_filter") == 0)
		return LLM_FILTERED;
	if (strcmp(d->finish, "stop") == 0 && calls == 0)
		return LLM_END_TURN;
	return calls > 0 ? LLM_TOOL_USE : LLM_END_TURN;
}

static void
finish(struct oa_decoder *d)
{
	unsigned calls = 0;

	for (unsigned i = 0; i < d->n_calls; i++)
		calls += d->calls[i].started;
	d->ans->stop = stop_of(d, calls);
	if (d->text.all.len == 0 && calls == 0 && d->thinking.all.len > 0 && d->ans->stop == LLM_END_TURN)
		speak_up(d);
	d->ans->content = json_object_new_array();
	if (d->thinking.all.len > 0)
		add_block(d->ans->content, "thinking", "thinking", d->thinking.all.p, d->thinking.all.len);
	if (d->text.all.len > 0)
		add_block(d->ans->content, "text", "text", d->text.all.p, d->text.all.len);
	for (unsigned i = 0; i < d->n_calls; i++)
		if (d->calls[i].started)
			end_call(d, &d->calls[i]);
}

static enum err
broke_off(struct oa_decoder *d, const char *why)
{
	give_up(d, LLM_BROKEN_STREAM, 0, why);
	return ERR_UPSTREAM;
}

enum err
oa_end(struct oa_decoder *d, bool cut)
{
	if (!d->failed && d->shape == OA_EVENTS && !cut && !d->done)
		(void)sse_end(&d->sse);         /* failed says how it went */
	if (!d->failed && d->shape == OA_WHOLE && !read_whole(d) && !d->failed)
		return broke_off(d, cut ? NULL : "what it sent is no JSON");
	if (d->failed)
		return ERR_UPSTREAM;
	think_end(&d->think, &d->text, &d->thinking);
	if (!d->done && d->finish[0] == '\0')
		return broke_off(d, !cut && !d->usable ? "it sent nothing that can be read" : NULL);
	if (!d->usable)
		return broke_off(d, "it sent nothing that can be read");
	finish(d);
	return ERR_OK;
}

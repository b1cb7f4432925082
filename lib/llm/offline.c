/*
 * The built-in provider: a small rule engine, no language model, and it says so.
 *
 * It lets everything be tried without a key: a few phrases become tool calls, results
 * become sentences, the rest gets a fixed answer. The same conversation always gets the
 * same answer.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"

enum { SAID_MAX = 300, RESULT_MAX = 4000, CHUNK_WORDS = 3, KEY_MAX = 200, TEXT_MAX = 1024 * 1024 };

struct span { const char *p; size_t n; };

/* What the user's words ask for. */
struct wish {
	const char *tool;               /* NULL: none */
	char name[128];                 /* of a tool that the user named */
	struct json_object *input;
	const char *wrong;              /* the phrase was understood, but not what follows */
};

/* --- words --------------------------------------------------------------- */

static struct span
trimmed(struct span s)
{
	while (s.n > 0 && isspace((unsigned char)*s.p)) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

/* A name as one types it at the end of a sentence: without final ".?!" and quotes. */
static struct span
bare(struct span s)
{
	s = trimmed(s);
	while (s.n > 0 && strchr(".?!,", s.p[s.n - 1]) != NULL)
		s.n--;
	s = trimmed(s);
	if (s.n >= 2 && strchr("\"'`", s.p[0]) != NULL && s.p[s.n - 1] == s.p[0])
		s = (struct span){ s.p + 1, s.n - 2 };
	return trimmed(s);
}

/* Take a phrase off the front, whatever its letter case; a word must end there. */
static bool
take(struct span *s, const char *phrase)
{
	size_t n = strlen(phrase);

	if (s->n < n || strncasecmp(s->p, phrase, n) != 0)
		return false;
	if (s->n > n && (isalnum((unsigned char)s->p[n]) || s->p[n] == '_') && isalnum((unsigned char)phrase[n - 1]))
		return false;
	*s = trimmed((struct span){ s->p + n, s->n - n });
	return true;
}

/* Split at the first occurrence of a mark. */
static bool
split(struct span s, const char *mark, struct span *left, struct span *right)
{
	size_t n = strlen(mark);

	for (size_t i = 0; i + n <= s.n; i++)
		if (strncasecmp(s.p + i, mark, n) == 0) {
			*left = trimmed((struct span){ s.p, i });
			*right = trimmed((struct span){ s.p + i + n, s.n - i - n });
			return left->n > 0 && right->n > 0;
		}
	return false;
}

static void
put(struct json_object *o, const char *key, struct span s)
{
	json_object_object_add(o, key, json_object_new_string_len(s.p, (int)s.n));
}

/* --- rules: each takes what follows its phrase --------------------------- */

static void
remember(struct wish *w, struct span s)
{
	struct span key, value;

	(void)take(&s, "that");
	if (!split(s, " = ", &key, &value) && !split(s, "=", &key, &value) && !split(s, " is ", &key, &value)) {
		key = bare(s);
		value = s;
	}
	key = bare(key);
	key.n = utf8_cut(key.p, key.n, KEY_MAX);
	if (key.n == 0) {
		w->wrong = "Say: remember KEY = VALUE.";
		return;
	}
	w->tool = "memory_store";
	put(w->input, "key", key);
	put(w->input, "value", value);
}

static void
one_member(struct wish *w, struct span s, const char *tool, const char *member, const char *usage)
{
	if (s.n == 0) {
		w->wrong = usage;
		return;
	}
	w->tool = tool;
	put(w->input, member, s);
}

static void
know(struct wish *w, struct span s)
{
	one_member(w, bare(s), "memory_recall", "key", "Say: what do you know about KEY.");
}

static void
list_files(struct wish *w, struct span s)
{
	if (take(&s, "in") || take(&s, "of"))
		s = bare(s);
	else
		s.n = 0;
	one_member(w, s.n > 0 ? s : (struct span){ ".", 1 }, "file_list", "path", "");
}

static void
read_file(struct wish *w, struct span s)
{
	if (s.n > 0 && strchr("?!", s.p[s.n - 1]) != NULL)
		s = bare(s);
	one_member(w, s, "file_read", "path", "Say: read file PATH.");
}

static void
write_file(struct wish *w, struct span s)
{
	struct span path, text;

	if (!split(s, ":", &path, &text)) {
		w->wrong = "Say: write file PATH: TEXT.";
		return;
	}
	w->tool = "file_write";
	put(w->input, "path", path);
	put(w->input, "content", text);
}

static void
tell_time(struct wish *w, struct span s)
{
	(void)s;
	w->tool = "system_time";
}

static void
list_agents(struct wish *w, struct span s)
{
	(void)s;
	w->tool = "agent_list";
}

static void
fetch(struct wish *w, struct span s)
{
	if (s.n < 8 || (strncasecmp(s.p, "http://", 7) != 0 && strncasecmp(s.p, "https://", 8) != 0)) {
		w->wrong = "Say: fetch URL, beginning with http:// or https://.";
		return;
	}
	one_member(w, s, "web_fetch", "url", "");
}

static void
run(struct wish *w, struct span s)
{
	size_t n = 0;
	struct span json;
	struct json_object *in = NULL;

	while (n < s.n && (isalnum((unsigned char)s.p[n]) || strchr("_-.:/", s.p[n]) != NULL))
		n++;
	json = trimmed((struct span){ s.p + n, s.n - n });
	if (n == 0 || n >= sizeof(w->name)) {
		w->wrong = "Say: run TOOL {\"member\": \"value\"}.";
		return;
	}
	if (json.n > 0) {
		if (json_check(json.p, json.n, JSON_DEPTH_MAX, NULL) == ERR_OK)
			in = json_parse(json.p, json.n);
		if (!json_object_is_type(in, json_type_object)) {
			json_object_put(in);
			w->wrong = "What follows the tool's name must be a JSON object.";
			return;
		}
		json_object_put(w->input);
		w->input = in;
	}
	memcpy(w->name, s.p, n);
	w->name[n] = '\0';
	w->tool = w->name;
}

static const struct rule {
	const char *phrase;
	void (*then)(struct wish *, struct span);
} rules[] = {
	{ "remember", remember },
	{ "what do you know about", know },
	{ "recall", know },
	{ "list files", list_files },
	{ "list the files", list_files },
	{ "read file", read_file },
	{ "read the file", read_file },
	{ "write file", write_file },
	{ "what time is it", tell_time },
	{ "what is the time", tell_time },
	{ "list agents", list_agents },
	{ "list the agents", list_agents },
	{ "fetch", fetch },
	{ "run", run },
};

/* Who says it stands in front: "[Ada]: ...". */
static struct span
without_name(struct span s)
{
	for (size_t i = 1; i + 1 < s.n && s.p[0] == '[' && strchr("[\n", s.p[i]) == NULL; i++)
		if (s.p[i] == ']' && s.p[i + 1] == ':')
			return trimmed((struct span){ s.p + i + 2, s.n - i - 2 });
	return s;
}

static void
understand(struct wish *w, struct span s)
{
	*w = (struct wish){ .input = json_object_new_object() };
	s = without_name(trimmed(s));
	(void)take(&s, "please");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (take(&s, rules[i].phrase)) {
			rules[i].then(w, s);
			return;
		}
}

/* --- the conversation ---------------------------------------------------- */

/* The conversation as one array; the caller puts it. */
static struct json_object *
messages_of(const struct llm_request *rq)
{
	if (rq->raw_messages != NULL)
		return json_object_get(rq->raw_messages);
	return rq->messages != NULL ? history_json(rq->messages) : json_object_new_array();
}

static bool
is(struct json_object *o, const char *key, const char *value)
{
	return strcmp(js_str_or(o, key, ""), value) == 0;
}

/* Text of a message, blocks joined; out holds it. */
static void
text_of(struct json_object *m, struct buf *out)
{
	struct json_object *c = js_get(m, "content");

	if (json_object_is_type(c, json_type_string))
		buf_add(out, json_object_get_string(c), (size_t)json_object_get_string_len(c));
	if (!json_object_is_type(c, json_type_array))
		return;
	for (size_t i = 0, n = json_object_array_length(c); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(c, i), *t = js_get(b, "text");

		if (is(b, "type", "text") && json_object_is_type(t, json_type_string)) {
			if (out->len > 0)
				buf_ch(out, '\n');
			buf_add(out, json_object_get_string(t), (size_t)json_object_get_string_len(t));
		}
	}
}

static void
relate(struct buf *out, const char *tool, struct json_object *content, bool failed)
{
	const char *t = json_object_is_type(content, json_type_string) ? json_object_get_string(content) : "";
	size_t n = strlen(t), cut = utf8_cut(t, n, RESULT_MAX);

	if (out->len > 0)
		buf_str(out, "\n\n");
	if (failed)
		buf_printf(out, "The tool %.100s failed", tool);
	else
		buf_printf(out, "The tool %.100s answered", tool);
	if (n == 0) {
		buf_str(out, " with nothing.");
		return;
	}
	buf_str(out, ":\n");
	buf_add(out, t, cut);
	if (cut < n)
		buf_printf(out, "\n(%zu more bytes)", n - cut);
}

/* Relate the tool results at the end of the conversation; false: there are none. */
static bool
relate_results(struct json_object *messages, struct buf *out)
{
	size_t n = json_object_array_length(messages), first = n;
	struct json_object *m, *c;
	bool any = false;

	if (n == 0)
		return false;
	m = json_object_array_get_idx(messages, n - 1);
	c = js_arr(m, "content");
	for (size_t i = 0, k = c != NULL ? json_object_array_length(c) : 0; i < k; i++) {
		struct json_object *b = json_object_array_get_idx(c, i);

		if (!is(b, "type", "tool_result"))
			continue;
		any = true;
		relate(out, js_str_or(b, "tool_name", "")[0] ? js_str(b, "tool_name") : "that was called",
		    js_get(b, "content"), js_bool(b, "is_error", false));
	}
	while (first > 0 && is(json_object_array_get_idx(messages, first - 1), "role", "tool"))
		first--;
	for (; first < n; first++) {
		m = json_object_array_get_idx(messages, first);
		any = true;
		relate(out, js_str_or(m, "name", "that was called"), js_get(m, "content"), false);
	}
	return any;
}

static void
last_user_text(struct json_object *messages, struct buf *out)
{
	for (size_t n = json_object_array_length(messages); n > 0; n--) {
		struct json_object *m = json_object_array_get_idx(messages, n - 1);

		if (is(m, "role", "user")) {
			text_of(m, out);
			return;
		}
	}
}

static bool
has_tool(const struct llm_request *rq, const char *name)
{
	struct json_object *list = rq->raw_tools != NULL ? rq->raw_tools : rq->tools;

	if (!json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0, n = json_object_array_length(list); i < n; i++) {
		struct json_object *t = json_object_array_get_idx(list, i);

		if (is(t, "name", name) || is(js_obj(t, "function"), "name", name))
			return true;
	}
	return false;
}

/* --- the answer ---------------------------------------------------------- */

/* Deltas of a few words, as a stream would bring them. */
static void
stream(const struct llm_request *rq, const struct llm_sink *sink, const struct buf *text, struct llm_answer *a)
{
	size_t from = 0, words = 0;

	if (sink == NULL || sink->text == NULL)
		return;
	for (size_t i = 0; i < text->len && !cancelled(rq->cancel); i++) {
		bool end = i + 1 == text->len;

		if (!end && !(text->p[i] == ' ' && ++words % CHUNK_WORDS == 0))
			continue;
		a->any_output = true;
		sink->text(sink->arg, text->p + from, i + 1 - from);
		from = i + 1;
	}
}

static void
add_text(struct llm_answer *a, const struct buf *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string_len(text->len > 0 ? text->p : "", (int)text->len));
	json_object_array_add(a->content, o);
}

/* An id that no other call of this conversation has. */
static void
call_id(const struct llm_request *rq, size_t said, const char *input, char out[static 48])
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX);
	uint8_t sum[32];
	char hex[17];

	buf_printf(&b, "%s %zu ", rq->session_id ? rq->session_id : "", said);
	buf_add(&b, input, utf8_cut(input, strlen(input), TEXT_MAX / 2));
	sha256(b.p, b.len, sum);
	hex_of(sum, 8, hex);
	snprintf(out, 48, "offline_%s", hex);
}

/* said: how many messages there were. Consumes w->input. */
static int64_t
add_call(const struct llm_request *rq, size_t said, const struct llm_sink *s, struct wish *w, struct llm_answer *a)
{
	const char *input = json_object_to_json_string_ext(w->input, JSON_C_TO_STRING_PLAIN);
	struct json_object *o = json_object_new_object();
	size_t n = strlen(input);
	char id[48];

	call_id(rq, said, input, id);
	a->any_output = true;
	if (s != NULL && s->tool_start != NULL)
		s->tool_start(s->arg, id, w->tool);
	if (s != NULL && s->tool_input != NULL)
		s->tool_input(s->arg, id, input, n);
	if (s != NULL && s->tool_end != NULL)
		s->tool_end(s->arg, id, w->tool, input);
	json_object_object_add(o, "type", json_object_new_string("tool_use"));
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "name", json_object_new_string(w->tool));
	json_object_object_add(o, "input", w->input);
	json_object_array_add(a->content, o);
	w->input = NULL;
	a->stop = LLM_TOOL_USE;
	return (int64_t)n;
}

static void
introduce(struct buf *out, const struct buf *said)
{
	size_t cut = said->len > 0 ? utf8_cut(said->p, said->len, SAID_MAX) : 0;

	buf_str(out, "I am LibreFang's built-in offline engine, not a language model: I follow a few fixed rules. ");
	if (cut > 0) {
		buf_str(out, "You said: \"");
		buf_add(out, said->p, cut);
		buf_str(out, cut < said->len ? "…\". " : "\". ");
	}
	buf_str(out, "I understand: remember KEY = VALUE; what do you know about KEY; list files [in DIR]; read file PATH; "
	    "write file PATH: TEXT; what time is it; list agents; fetch URL; run TOOL {json}. "
	    "For real answers configure a provider: set its key (for example OPENAI_API_KEY) in the environment, or run "
	    "Ollama on this machine, or name provider and model under [default_model] in config.toml.");
}

/* max_tokens holds here too: 4 bytes are a token. */
static void
limit(const struct llm_request *rq, struct buf *text, struct llm_answer *a)
{
	if (rq->max_tokens <= 0 || rq->max_tokens > TEXT_MAX || text->len <= (size_t)rq->max_tokens * 4)
		return;
	text->len = utf8_cut(text->p, text->len, (size_t)rq->max_tokens * 4);
	text->p[text->len] = '\0';
	a->stop = LLM_MAX_TOKENS;
}

static int64_t
say(const struct llm_request *rq, const struct llm_sink *sink, struct buf *text, struct llm_answer *a)
{
	limit(rq, text, a);
	stream(rq, sink, text, a);
	add_text(a, text);
	return (int64_t)text->len;
}

static int64_t
input_bytes(const struct llm_request *rq, struct json_object *m)
{
	SCOPED_BUF b = BUF_INIT(256 * 1024 * 1024);
	struct jw w = JW_INIT(&b);

	jw_json(&w, NULL, m);
	return (int64_t)b.len + (int64_t)(rq->system != NULL ? strlen(rq->system) : 0);
}

static int64_t
answer(const struct llm_request *rq, struct json_object *messages, const struct llm_sink *sink, struct llm_answer *a)
{
	SCOPED_BUF said = BUF_INIT(TEXT_MAX);
	SCOPED_BUF out = BUF_INIT(TEXT_MAX);
	struct wish w;
	int64_t n;

	if (relate_results(messages, &out))
		return say(rq, sink, &out, a);
	last_user_text(messages, &said);
	understand(&w, (struct span){ said.len > 0 ? said.p : "", said.len });
	if (w.wrong != NULL) {
		buf_printf(&out, "I am the built-in offline engine and did not understand that. %s", w.wrong);
	} else if (w.tool != NULL && has_tool(rq, w.tool)) {
		n = add_call(rq, json_object_array_length(messages), sink, &w, a);
		return n;
	} else if (w.tool != NULL) {
		buf_printf(&out, "I am the built-in offline engine and have no tool named %s here.", w.tool);
	} else {
		introduce(&out, &said);
	}
	json_object_put(w.input);
	return say(rq, sink, &out, a);
}

static enum err
offline_call(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct json_object *messages = messages_of(rq);
	int64_t in, out;

	*a = (struct llm_answer){ .stop = LLM_END_TURN, .retry_after_s = -1, .usage_known = true };
	a->content = json_object_new_array();
	out = answer(rq, messages, sink, a);
	in = input_bytes(rq, messages);
	json_object_put(messages);
	if (cancelled(rq->cancel)) {
		llm_answer_done(a);
		llm_blame(a, rq, LLM_CANCELLED, 0, NULL);
		return ERR_CANCELLED;
	}
	a->input_tokens = (in + 3) / 4;
	a->output_tokens = (out + 3) / 4;
	return ERR_OK;
}

const struct driver offline_driver = { .format = "offline", .call = offline_call };

/*
 * Completions as OpenAI's clients read them: one object, or unnamed events
 * of chunks, ended by [DONE].
 */
#include <stdio.h>
#include <string.h>

#include "daemon/live.h"
#include "daemon/live/openai.h"
#include "lib/base/util.h"

void
completion_init(struct completion *m, struct ctx *c, const struct request *rq, const char *model)
{
	char id[37];

	uuid4(id);
	*m = (struct completion){ .c = c, .model = model, .created_s = c->now_ms / 1000, .b = BUF_INIT(16 << 20) };
	snprintf(m->id, sizeof(m->id), "chatcmpl-%s", id);
	if (((const struct chat_request *)rq->body_struct)->stream)
		m->live = rq->live;
	m->include_usage = js_bool(((const struct chat_request *)rq->body_struct)->stream_options, "include_usage", false);
}

static void
head(struct completion *m, struct jw *w, const char *object)
{
	jw_object(w, NULL);
	jw_str(w, "id", m->id);
	jw_str(w, "object", object);
	jw_i64(w, "created", m->created_s);
	jw_str(w, "model", m->model);
	jw_array(w, "choices");
}

static void
usage(struct jw *w, int64_t in, int64_t out)
{
	jw_object(w, "usage");
	jw_i64(w, "prompt_tokens", in);
	jw_i64(w, "completion_tokens", out);
	jw_i64(w, "total_tokens", in + out);
	jw_end(w);
}

static void
send_chunk(struct completion *m)
{
	if (!m->b.failed)
		(void)live_event(m->live, NULL, NULL, m->b.p, m->b.len);      /* a client that has gone cancels by itself */
}

static void
delta_open(struct completion *m, struct jw *w)
{
	buf_clear(&m->b);
	*w = (struct jw)JW_INIT(&m->b);
	head(m, w, "chat.completion.chunk");
	jw_object(w, NULL);
	jw_i64(w, "index", 0);
	jw_object(w, "delta");
}

static void
delta_close(struct jw *w, const char *finish)
{
	jw_end(w);
	jw_str(w, "finish_reason", finish);
	jw_end(w);
	jw_end(w);
}

static bool
begin(struct completion *m)
{
	struct jw w;

	if (m->begun)
		return true;
	if (live_begin(m->live, m->c, "text/event-stream") != ERR_OK)
		return false;
	m->begun = true;
	delta_open(m, &w);
	jw_str(&w, "role", "assistant");
	delta_close(&w, NULL);
	jw_end(&w);
	send_chunk(m);
	return true;
}

void
completion_text(struct completion *m, const char *s, size_t n)
{
	struct jw w;

	if (m->live == NULL || !begin(m))
		return;
	delta_open(m, &w);
	jw_strn(&w, "content", s, n);
	delta_close(&w, NULL);
	jw_end(&w);
	send_chunk(m);
}

static void
write_calls(struct jw *w, struct json_object *calls, bool indexed)
{
	jw_array(w, "tool_calls");
	for (size_t i = 0, n = json_object_array_length(calls); i < n; i++) {
		struct json_object *k = json_object_array_get_idx(calls, i);
		struct buf b = BUF_INIT(4 << 20);
		struct jw in = JW_INIT(&b);

		jw_json(&in, NULL, js_get(k, "input"));
		jw_object(w, NULL);
		if (indexed)
			jw_i64(w, "index", (int64_t)i);
		jw_str(w, "id", js_str_or(k, "id", ""));
		jw_str(w, "type", "function");
		jw_object(w, "function");
		jw_str(w, "name", js_str_or(k, "name", ""));
		jw_str(w, "arguments", b.p != NULL ? b.p : "{}");
		jw_end(w);
		jw_end(w);
		buf_done(&b);
	}
	jw_end(w);
}

struct reply
completion_end(struct completion *m, const char *finish, struct json_object *calls, int64_t in, int64_t out)
{
	struct jw w;

	if (!begin(m)) {
		buf_done(&m->b);
		return reply_fail(m->c);
	}
	if (calls != NULL) {
		delta_open(m, &w);
		write_calls(&w, calls, true);
		delta_close(&w, NULL);
		jw_end(&w);
		send_chunk(m);
	}
	delta_open(m, &w);
	delta_close(&w, finish);
	if (!m->include_usage)
		usage(&w, in, out);
	jw_end(&w);
	send_chunk(m);
	if (m->include_usage) {
		buf_clear(&m->b);
		w = (struct jw)JW_INIT(&m->b);
		head(m, &w, "chat.completion.chunk");
		jw_end(&w);
		usage(&w, in, out);
		jw_end(&w);
		send_chunk(m);
	}
	(void)live_event(m->live, NULL, NULL, "[DONE]", 6);
	live_end(m->live);
	buf_done(&m->b);
	return reply_streamed(m->c);
}

struct reply
completion_fail(struct completion *m)
{
	if (m->begun) {
		buf_clear(&m->b);
		error_body(m->c, true, &m->b);
		send_chunk(m);
		(void)live_event(m->live, NULL, NULL, "[DONE]", 6);
		live_end(m->live);
	}
	buf_done(&m->b);
	return m->begun ? reply_streamed(m->c) : reply_fail(m->c);
}

struct reply
completion_object(struct completion *m, const char *text, const char *finish, struct json_object *calls,
    int64_t in, int64_t out)
{
	struct jw *w = reply_open(m->c);

	buf_done(&m->b);
	head(m, w, "chat.completion");
	jw_object(w, NULL);
	jw_i64(w, "index", 0);
	jw_object(w, "message");
	jw_str(w, "role", "assistant");
	if (calls != NULL && text[0] == '\0')
		jw_null(w, "content");
	else
		jw_str(w, "content", text);
	if (calls != NULL)
		write_calls(w, calls, false);
	jw_end(w);
	jw_str(w, "finish_reason", finish);
	jw_end(w);
	jw_end(w);
	usage(w, in, out);
	jw_end(w);
	return reply_json(m->c, 200, w);
}

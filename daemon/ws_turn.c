/*
 * A turn for a chat socket: its events as frames, small deltas put together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ws_chat.h"
#include "daemon/ws_frame.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"

struct out {
	struct ws_session *s;
	struct buf frame, text;         /* one frame at a time; text not sent yet */
	int64_t flushed_us;
	const char *message_id;
	bool show_thinking, stopped;
	unsigned debounce_ms, debounce_chars;
};

static struct jw
open_frame(struct out *o, const char *type)
{
	struct jw w = JW_INIT(&o->frame);

	buf_clear(&o->frame);
	jw_object(&w, NULL);
	jw_str(&w, "type", type);
	return w;
}

static void
send_frame(struct out *o, struct jw *w)
{
	jw_end(w);
	if (!o->frame.failed)
		(void)live_ws_text(o->s->live, o->frame.p, o->frame.len);       /* the turn goes on without a reader */
}

static void
flush_text(struct out *o)
{
	struct jw w;

	if (o->text.len == 0)
		return;
	w = open_frame(o, "text_delta");
	jw_strn(&w, "content", o->text.p, o->text.len);
	send_frame(o, &w);
	buf_clear(&o->text);
	o->flushed_us = clock_mono_us();
}

static void
add_text(struct out *o, const char *s, size_t n)
{
	buf_add(&o->text, s, n);
	if (o->text.len >= o->debounce_chars ||
	    clock_mono_us() - o->flushed_us >= (int64_t)o->debounce_ms * 1000)
		flush_text(o);
}

static void
typing(struct out *o, const char *state, const char *tool)
{
	struct jw w = open_frame(o, "typing");

	jw_str(&w, "state", state);
	if (tool != NULL)
		jw_str(&w, "tool", tool);
	send_frame(o, &w);
}

static void
stop_typing(struct out *o)
{
	flush_text(o);
	if (!o->stopped)
		typing(o, "stop", NULL);
	o->stopped = true;
}

static void
tool_event(struct out *o, const struct turn_event *ev, int verbose)
{
	size_t max = verbose == VERBOSE_FULL ? 500 : 100;
	struct jw w;

	if (ev->kind == TURN_TOOL_START) {
		typing(o, "tool", ev->b);
		w = open_frame(o, "tool_start");
		jw_str(&w, "id", ev->a);
		jw_str(&w, "tool", ev->b);
	} else if (ev->kind == TURN_TOOL_END) {
		if (verbose == VERBOSE_OFF)
			return;
		w = open_frame(o, "tool_end");
		jw_str(&w, "id", ev->a);
		jw_str(&w, "tool", ev->b);
		jw_strn(&w, "input", ev->s, utf8_cut(ev->s, ev->n, max));
	} else {
		w = open_frame(o, "tool_result");
		jw_str(&w, "tool", ev->b);
		if (verbose != VERBOSE_OFF)
			jw_strn(&w, "result", ev->s, utf8_cut(ev->s, ev->n, verbose == VERBOSE_FULL ? 300 : 200));
		jw_bool(&w, "is_error", ev->is_error);
	}
	send_frame(o, &w);
}

static void
on_event(void *arg, const struct turn_event *ev)
{
	struct out *o = arg;
	struct jw w;

	if (ev->kind == TURN_TEXT) {
		add_text(o, ev->s, ev->n);
		return;
	}
	flush_text(o);
	switch (ev->kind) {
	case TURN_THINKING:
		if (!o->show_thinking)
			break;
		w = open_frame(o, "thinking_delta");
		jw_strn(&w, "content", ev->s, ev->n);
		send_frame(o, &w);
		break;
	case TURN_PHASE:
		if (strcmp(ev->a, "done") == 0 || strcmp(ev->a, "error") == 0)
			stop_typing(o);
		w = open_frame(o, "phase");
		jw_str(&w, "phase", ev->a);
		jw_str(&w, "detail", ev->b);
		send_frame(o, &w);
		break;
	case TURN_TOOL_START: case TURN_TOOL_END: case TURN_TOOL_RESULT:
		tool_event(o, ev, atomic_load(&o->s->verbose));
		break;
	default:
		break;
	}
}

static const char *
pressure(const struct turn_answer *a)
{
	int64_t per = a->iterations > 0 ? a->input_tokens / a->iterations : a->input_tokens;
	int64_t pct = per * 100 / 200000;

	return pct > 85 ? "critical" : pct > 70 ? "high" : pct > 50 ? "medium" : "low";
}

static void
send_answer(struct out *o, struct ctx *c, const struct turn_answer *a)
{
	struct jw w;

	if (a->silent) {
		w = open_frame(o, "silent_complete");
		jw_i64(&w, "input_tokens", a->input_tokens);
		jw_i64(&w, "output_tokens", a->output_tokens);
	} else {
		w = open_frame(o, "response");
		jw_str(&w, "content", turn_answer_shown(c, a));
		jw_i64(&w, "input_tokens", a->input_tokens);
		jw_i64(&w, "output_tokens", a->output_tokens);
		jw_i64(&w, "iterations", a->iterations);
		jw_usd(&w, "cost_usd", a->cost_nanousd);
		jw_str(&w, "context_pressure", pressure(a));
		if (a->memories_saved != NULL)
			jw_json(&w, "memories_saved", a->memories_saved);
		if (a->memories_used != NULL)
			jw_json(&w, "memories_used", a->memories_used);
		if (o->show_thinking && a->thinking != NULL && a->thinking[0] != '\0')
			jw_str(&w, "thinking", a->thinking);
		if (o->s->pinned[0] == '\0')
			jw_str(&w, "session_id", a->session_id);
	}
	if (o->message_id != NULL)
		jw_str(&w, "message_id", o->message_id);
	send_frame(o, &w);
}

static void
warn_blind(struct out *o, struct ctx *c, const struct turn_answer *a)
{
	struct jw w = open_frame(o, "command_result");

	jw_str(&w, "message", ctx_printf(c, "The model %s cannot see pictures: it was only told that there are some.", a->model));
	send_frame(o, &w);
}

/* The sentence for a key that is not there, as clients of the socket know it. */
static const char *
missing_key(struct ctx *c, const char *msg)
{
	static const char mark[] = "(provider: ";
	const char *who = strstr(msg, mark);

	if (who == NULL)
		return ctx_printf(c, "%s. Set it in Settings > Providers.", msg);
	who += strlen(mark);
	return ctx_printf(c, "API key not configured for provider '%.*s'. Set it in Settings > Providers.", (int)strcspn(who, ")"), who);
}

static void
send_failure(struct out *o, struct ctx *c)
{
	const struct fault *f = &c->fault;
	const char *code = f->code, *text = f->msg;

	if (code != NULL && strcmp(code, "provider_auth_missing") == 0) {
		text = missing_key(c, f->msg);
		code = NULL;
	} else if (f->err == ERR_RATE_LIMITED && code != NULL && strcmp(code, "rate_limited") == 0) {
		text = ctx_printf(c, "Rate limited. Wait ~%us and try again.", f->retry_after_s > 0 ? f->retry_after_s : 60);
	} else if (code != NULL && strcmp(code, "context_overflow") == 0) {
		code = "context_length_exceeded";
		text = "Context is full. Try /compact or /new.";
	} else if (code == NULL && err_status(f->err) >= 500) {
		text = err_status(f->err) == 503 ? "Service unavailable" : "Internal server error";
	}
	stop_typing(o);
	ws_error(o->s, code, text, o->message_id);
}

static void
on_quiet(void *arg)
{
	flush_text(arg);
}

static void
set_cancel(struct ws_session *s, struct cancel *k)
{
	pthread_mutex_lock(&s->mu);
	s->cancel = k;
	pthread_mutex_unlock(&s->mu);
}

void
ws_turn(struct ws_session *s, struct ctx *c, struct json_object *frame, const char *raw)
{
	struct out o = {
		.s = s, .frame = BUF_INIT(4 << 20), .text = BUF_INIT(1 << 20),
		.show_thinking = js_bool(frame, "show_thinking", true),
		.debounce_ms = c->cfg->ws_debounce_ms, .debounce_chars = c->cfg->ws_debounce_chars,
	};
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	struct json_object *files = js_arr(frame, "attachments");
	const char *said = ws_frame_clean(c, raw), *text = said == NULL && files != NULL && json_object_array_length(files) > 0 ? "" : said;
	struct turn_ask ask = {
		.agent_id = s->agent_id, .session_id = s->pinned[0] != '\0' ? s->pinned : NULL, .text = text,
		.origin = "ws", .channel = "webui", .cancel = k,
		.sink = { .on = on_event, .arg = &o, .quiet = on_quiet, .quiet_ms = c->cfg->ws_debounce_ms },
	};
	struct turn_answer a;

	o.message_id = ws_frame_id(frame);
	if (text == NULL || k == NULL) {
		ws_error(s, NULL, "Message content is empty after sanitization", o.message_id);
		return;
	}
	ask.think = (enum think)atomic_load(&s->think);
	if (json_object_is_type(js_get(frame, "thinking"), json_type_boolean))
		ask.think = js_bool(frame, "thinking", false) ? THINK_ON : THINK_NOT;
	ask.show_thinking = js_bool(frame, "show_thinking", false);
	set_cancel(s, k);
	typing(&o, "start", NULL);
	ask.attachments = files;
	if (turn_run(c, &ask, &a) == ERR_OK) {
		if (ask.attachments != NULL && a.unseen_pictures)
			warn_blind(&o, c, &a);
		stop_typing(&o);
		send_answer(&o, c, &a);
	} else {
		send_failure(&o, c);
	}
	set_cancel(s, NULL);
	buf_done(&o.frame);
	buf_done(&o.text);
}

/*
 * One turn over HTTP: its answer as one JSON object, or as it comes.
 *
 * A client that goes away does not end the turn: its answer is in the
 * session. `[turn] on_disconnect = "cancel"` chooses otherwise.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/hub.h"
#include "daemon/journal.h"
#include "daemon/live.h"
#include "daemon/turn.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

struct reply agents_message(struct ctx *, const struct request *);
struct reply agents_message_stream(struct ctx *, const struct request *);
struct reply agents_ws(struct ctx *, const struct request *);

enum { MESSAGE_BYTES = 262144, MESSAGE_CHARS = 100000 };

static size_t
chars_of(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

/* A side question begins with it. */
static const char btw[] = "/btw ";

static enum err
check_text(struct ctx *c, const struct message_request *in)
{
	const char *m = in->message;
	bool files = in->attachments != NULL && json_object_array_length(in->attachments) > 0 && !in->ephemeral;

	if (strlen(m) > MESSAGE_BYTES || chars_of(m) > MESSAGE_CHARS)
		return fail_code(c, ERR_TOO_LARGE, "message_too_large", "Message too large (max %d bytes)", MESSAGE_BYTES);
	if (strncmp(m, btw, strlen(btw)) == 0) {
		m += strlen(btw);
		files = false;
	}
	if (!files && m[strspn(m, " \t\r\n")] == '\0')
		return fail_code(c, ERR_BAD_REQUEST, "invalid_input", "message: at least one character is expected");
	return ERR_OK;
}

/* "cron", "autonomous" and "webui" are ours to use. */
static const char *
channel_of(struct ctx *c, const char *type)
{
	if (strcasecmp(type, "cron") == 0 || strcasecmp(type, "autonomous") == 0 || strcasecmp(type, "webui") == 0)
		return ctx_printf(c, "ext-%s", type);
	return type;
}

/* reasoning_mode says more than thinking does. */
static enum think
think_of(const struct message_request *in)
{
	static const struct { const char *word; enum think think; } modes[] = {
		{ "none", THINK_NOT }, { "low", THINK_LOW }, { "high", THINK_HIGH }, { "max", THINK_MAX },
	};

	for (size_t i = 0; in->reasoning_mode != NULL && i < ARRAY_LEN(modes); i++)
		if (strcmp(modes[i].word, in->reasoning_mode) == 0)
			return modes[i].think;
	return !in->has_thinking ? THINK_AS_SET : in->thinking ? THINK_ON : THINK_NOT;
}

static enum err
ask_from(struct ctx *c, const struct request *rq, struct turn_ask *ask, struct cancel *k)
{
	const struct message_request *in = rq->body_struct;
	char *id = ctx_alloc(c, 37), *session = ctx_alloc(c, 37);
	struct agent *a = ctx_alloc(c, sizeof(*a));
	enum err e = a == NULL ? fail(c, ERR_NOMEM, "out of memory") : request_agent_id(c, rq, id);

	if (e == ERR_OK)
		e = check_text(c, in);
	if (e == ERR_OK)
		e = agent_load(c, id, a);
	if (e == ERR_OK && in->session_id != NULL && !uuid_parse(in->session_id, session))
		e = fail_code(c, ERR_BAD_REQUEST, "invalid_session_id", "invalid session_id: must be a UUID");
	if (e != ERR_OK)
		return e;
	*ask = (struct turn_ask){
		.agent_id = id, .agent = a, .session_id = in->session_id != NULL ? session : NULL, .text = in->message,
		.channel = channel_of(c, in->channel_type), .sender_id = in->sender_id,
		.sender_name = in->sender_id == NULL ? NULL : in->sender_name != NULL ? in->sender_name : in->sender_id,
		.attachments = in->attachments, .ephemeral = in->ephemeral, .incognito = in->incognito, .cancel = k,
		.traceparent = rq->h.traceparent, .tracestate = rq->h.tracestate,
	};
	if (strncmp(ask->text, btw, strlen(btw)) == 0) {
		ask->text += strlen(btw);
		ask->ephemeral = true;
	}
	ask->think = think_of(in);
	return ERR_OK;
}

/* --- the answer at once ------------------------------------------------------------------ */

static struct reply
answer(struct ctx *c, const struct turn_ask *ask, const struct message_request *in, const struct turn_answer *a)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "response", turn_answer_shown(c, a));
	if (a->silent)
		jw_bool(w, "silent", true);
	if (a->directives != NULL)
		jw_raw(w, "directives", a->directives, strlen(a->directives));
	jw_i64(w, "input_tokens", a->input_tokens);
	jw_i64(w, "output_tokens", a->output_tokens);
	jw_i64(w, "iterations", a->iterations);
	jw_usd(w, "cost_usd", a->cost_nanousd);
	if (a->traces != NULL)
		jw_json(w, "decision_traces", a->traces);
	if (a->routing != NULL)
		jw_raw(w, "routing", a->routing, strlen(a->routing));
	if (a->memories_saved != NULL)
		jw_json(w, "memories_saved", a->memories_saved);
	if (a->memories_used != NULL)
		jw_json(w, "memories_used", a->memories_used);
	if (in->show_thinking && a->thinking != NULL && a->thinking[0] != '\0')
		jw_str(w, "thinking", a->thinking);
	if (ask->session_id == NULL && !ask->ephemeral && a->session_id != NULL)
		jw_str(w, "session_id", a->session_id);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_message(struct ctx *c, const struct request *rq)
{
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	struct turn_ask ask;
	struct turn_answer a;
	enum err e = k == NULL ? fail(c, ERR_NOMEM, "out of memory") : ask_from(c, rq, &ask, k);

	if (e != ERR_OK)
		return reply_fail(c);
	ask.origin = "api";
	if (c->cfg->on_disconnect_cancel)
		live_on_gone(rq->live, k, CANCEL_GONE);
	e = turn_run(c, &ask, &a);
	live_on_gone(rq->live, NULL, 0);
	return e == ERR_OK ? answer(c, &ask, rq->body_struct, &a) : reply_fail(c);
}

/* --- the answer as it comes ----------------------------------------------------------------- */

struct stream {
	struct ctx *c;
	struct live *live;
	struct buf b;                   /* one event at a time */
	bool begun;
};

static void
event(struct stream *s, const char *id, const char *name)
{
	if (!s->begun)
		s->begun = live_begin(s->live, s->c, "text/event-stream") == ERR_OK;
	if (s->begun && !s->b.failed)
		(void)live_event(s->live, id, name, s->b.p, s->b.len);      /* a client that has gone does not stop the turn */
}

static void
on_event(void *arg, const struct turn_event *ev)
{
	struct stream *s = arg;
	const char *name;

	buf_clear(&s->b);
	if ((name = turn_event_text(ev, &s->b)) != NULL)
		event(s, ev->id, name);
}

static void
send_done(struct stream *s, const struct turn_ask *ask, const struct turn_answer *a)
{
	char id[EVENT_ID_MAX];

	buf_clear(&s->b);
	turn_done_text(a->input_tokens, a->output_tokens, &s->b);
	if (a->turn_id != NULL)         /* else there was no turn */
		event_id(a->turn_id, PLACE_END, id);
	event(s, a->turn_id == NULL || ask->ephemeral || ask->incognito ? NULL : id, "done");
}

struct reply
agents_message_stream(struct ctx *c, const struct request *rq)
{
	struct cancel *k = ctx_alloc(c, sizeof(*k));
	struct stream s = { .c = c, .live = rq->live, .b = BUF_INIT(16 << 20) };
	struct turn_ask ask;
	struct turn_answer a;
	enum err e = k == NULL ? fail(c, ERR_NOMEM, "out of memory") : ask_from(c, rq, &ask, k);

	if (e != ERR_OK)
		return reply_fail(c);
	ask.origin = "stream";
	ask.sink = (struct turn_sink){ .on = on_event, .arg = &s };
	if (c->cfg->on_disconnect_cancel)
		live_on_gone(rq->live, k, CANCEL_GONE);
	e = turn_run(c, &ask, &a);
	live_on_gone(rq->live, NULL, 0);
	if (e == ERR_OK)
		send_done(&s, &ask, &a);
	buf_done(&s.b);
	if (!s.begun)
		return reply_fail(c);
	live_end(rq->live);
	return reply_streamed(c);
}

/* The chat socket, asked for without an upgrade. */
struct reply
agents_ws(struct ctx *c, const struct request *rq)
{
	(void)rq;
	ignore_err(fail(c, ERR_BAD_REQUEST, "This is a WebSocket: an Upgrade header is expected"));
	return reply_fail(c);
}

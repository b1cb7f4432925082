/*
 * The chat socket: admission, frames that come in, and who is connected.
 *
 * The loop's thread only sorts frames: messages are put in line and worked
 * through by one thread at a time; pings and commands do not wait for a turn.
 */
#include "daemon/ws_chat.h"
#include "daemon/ws_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "daemon/alarm.h"
#include "daemon/audit_note.h"
#include "daemon/dbpool.h"
#include "daemon/hub.h"
#include "daemon/loop.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/api/schemas.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/history.h"
#include "lib/svc/session_admin.h"

enum { TOGETHER_US = 200000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ws_session *open_ones;

static int64_t tell_everybody(void);

static struct alarm change = { .ring = tell_everybody };
static _Atomic int64_t changed_us;      /* since when there is a change to be told; 0: there is none */

void
ws_session_hold(struct ws_session *s)
{
	atomic_fetch_add(&s->holds, 1);
}

void
ws_session_drop(struct ws_session *s)
{
	if (atomic_fetch_sub(&s->holds, 1) != 1)
		return;
	while (s->pending != NULL) {
		struct ws_message *m = s->pending;

		s->pending = m->next;
		free(m);
	}
	hub_leave(s->seat);
	live_drop(s->live);
	conf_drop(s->conf);
	pthread_mutex_destroy(&s->mu);
	free(s->frames);
	free(s);
}

/* --- admission ----------------------------------------------------------------------- */

static bool
own_origin(struct ctx *c, const struct request *rq)
{
	const char *o = rq->h.origin, *at;
	char local[4][64];
	int port = c->cfg->listen_port;

	if (o == NULL || cors_allowed(c->cfg, o))
		return true;
	at = strstr(o, "://");
	if (at != NULL && rq->h.host != NULL && strcasecmp(at + 3, rq->h.host) == 0)
		return true;            /* the page came from this server */
	snprintf(local[0], 64, "http://localhost:%d", port);
	snprintf(local[1], 64, "https://localhost:%d", port);
	snprintf(local[2], 64, "https://127.0.0.1:%d", port);
	snprintf(local[3], 64, "http://[::1]:%d", port);
	for (size_t i = 0; i < 4; i++)
		if (strcmp(o, local[i]) == 0)
			return true;
	return c->cfg->allow_no_auth;
}

static enum err
check_pin(struct ctx *c, const struct request *rq, const char *agent_id, char pin[static 37])
{
	const struct session_query *q = rq->query;
	struct session s;

	pin[0] = '\0';
	if (q == NULL || q->session_id == NULL)
		return ERR_OK;
	if (!uuid_parse(q->session_id, pin))
		return fail_code(c, ERR_BAD_REQUEST, "invalid_session_id", "Invalid session ID");
	if (session_load(c, pin, &s) != ERR_OK || strcmp(s.agent_id, agent_id) != 0)
		return fail_code(c, ERR_BAD_REQUEST, "session_not_found", "No such session of this agent");
	return ERR_OK;
}

/* The session that is looked at: named by the path. */
static enum err
check_watched(struct ctx *c, const struct request *rq, const struct agent *a, char id[static 37])
{
	struct session s;
	enum err e = request_session_id(c, rq, "session_id", id);

	return e == ERR_OK ? session_to_watch(c, a, id, &s) : e;
}

static struct ws_session *
session_new(struct ctx *c, const char *agent_id, const char *pin)
{
	struct ws_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	atomic_store(&s->holds, 1);
	memcpy(s->agent_id, agent_id, 37);
	snprintf(s->pinned, sizeof(s->pinned), "%s", pin);
	snprintf(s->who_name, sizeof(s->who_name), "%s", c->who->name);
	s->who = *c->who;
	s->who.name = s->who_name;
	s->conf = conf_hold();
	pthread_mutex_init(&s->mu, NULL);
	s->pending_end = &s->pending;
	atomic_store(&s->verbose, VERBOSE_FULL);
	s->n_frames = c->cfg->ws_messages_per_minute;
	if (s->n_frames > 0 && s->n_frames <= WS_RATE_MAX)
		s->frames = calloc(s->n_frames, sizeof(*s->frames));
	return s;
}

enum err
ws_admit(struct ctx *c, struct request *rq, struct ws_session **ret)
{
	struct agent a;
	char pin[37];
	bool watches;
	enum err e = dispatch_admit(c, rq);

	if (e != ERR_OK && rq->by_role) {
		struct audit a = refusal_of(c, rq);

		note_later(c, &a);              /* this is the loop's thread */
	}
	if (e != ERR_OK)
		return e;
	if ((rq->route->flags & (RT_SOCKET | RT_ALSO_SOCKET)) == 0)
		return fail(c, ERR_BAD_REQUEST, "This is no WebSocket");
	if (!own_origin(c, rq))
		return fail(c, ERR_FORBIDDEN, "This origin may not connect");
	watches = (rq->route->flags & RT_ALSO_SOCKET) != 0;
	if ((e = request_agent(c, rq, &a)) != ERR_OK ||
	    (e = watches ? check_watched(c, rq, &a, pin) : check_pin(c, rq, a.id, pin)) != ERR_OK ||
	    (e = live_ws_slot(rq->live, c, rq->peer)) != ERR_OK)
		return e;
	*ret = session_new(c, a.id, pin);
	if (*ret == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	(*ret)->watches = watches;
	if (watches && (e = hub_seat(c, a.id, pin, &(*ret)->seat)) != ERR_OK) {
		ws_session_drop(*ret);
		*ret = NULL;
	}
	return e;
}

/* --- frames out that need no turn ------------------------------------------------------ */

void
ws_error(struct ws_session *s, const char *code, const char *content, const char *message_id)
{
	struct buf b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_str(&w, "type", "error");
	jw_str(&w, "content", content);
	if (code != NULL)
		jw_str(&w, "code", code);
	if (message_id != NULL)
		jw_str(&w, "message_id", message_id);
	jw_end(&w);
	if (b.failed)
		live_ws_close(s->live, 1011, "out of memory");
	else
		(void)live_ws_text(s->live, b.p, b.len);
	buf_done(&b);
}

/* Every agent, in few words. */
static enum err
agents_frame(struct ctx *c, struct buf *b)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, name, state, provider, model FROM agent"
	    " WHERE ?1 IS NULL OR lower(author) = lower(?1) ORDER BY name LIMIT 500"));
	struct jw w = JW_INIT(b);

	bind_text(st, caller_scope(c));
	jw_object(&w, NULL);
	jw_str(&w, "type", "agents_updated");
	jw_array(&w, "agents");
	while (db_step(st)) {
		jw_object(&w, NULL);
		jw_str(&w, "id", col_text(c, st, "id"));
		jw_str(&w, "name", col_text(c, st, "name"));
		jw_str(&w, "state", col_text(c, st, "state"));
		jw_str(&w, "model_provider", col_text(c, st, "provider"));
		jw_str(&w, "model_name", col_text(c, st, "model"));
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
send_agents(struct ws_session *s, struct ctx *c)
{
	struct buf b = BUF_INIT(1 << 20);
	uint8_t d[32];
	char hex[65];
	bool same;

	if (agents_frame(c, &b) == ERR_OK && !b.failed) {
		sha256(b.p, b.len, d);
		hex_of(d, 32, hex);
		pthread_mutex_lock(&s->mu);
		same = strcmp(hex, s->agents_seen) == 0;
		memcpy(s->agents_seen, hex, 65);
		pthread_mutex_unlock(&s->mu);
		if (!same)
			(void)live_ws_text(s->live, b.p, b.len);
	}
	buf_done(&b);
}

/* --- work on threads --------------------------------------------------------------------- */

struct work {
	struct ws_session *s;
	void (*fn)(struct ws_session *, struct ctx *, const char *);
	char text[];
};

static void
run_work(void *arg)
{
	struct work *k = arg;
	struct conf *conf = conf_hold();        /* a socket lives longer than a configuration */
	struct ctx c = { .arena = arena_new(8192), .cfg = conf_of(conf), .who = &k->s->who, .now_ms = clock_ms() };

	if (c.arena != NULL) {
		uuid4(c.rid);
		job_db_acquire(&c);
		k->fn(k->s, &c, k->text);
		job_db_release(&c);
		arena_free(c.arena);
	}
	conf_drop(conf);
	ws_session_drop(k->s);
	free(k);
}

static bool
on_thread(struct ws_session *s, void (*fn)(struct ws_session *, struct ctx *, const char *), const char *text)
{
	size_t n = strlen(text);
	struct work *k = malloc(sizeof(*k) + n + 1);

	if (k == NULL)
		return false;
	*k = (struct work){ .s = s, .fn = fn };
	memcpy(k->text, text, n + 1);
	ws_session_hold(s);
	if (threads_run(run_work, k) == 0)
		return true;
	ws_session_drop(s);
	free(k);
	return false;
}

static void
tell_agents(struct ws_session *s, struct ctx *c, const char *unused)
{
	(void)unused;
	send_agents(s, c);
}

/* Changes of a fifth of a second are one message. */
static int64_t
tell_everybody(void)
{
	int64_t since_us = atomic_load(&changed_us), left_us = since_us + TOGETHER_US - clock_mono_us();

	if (since_us == 0)
		return ALARM_NEVER;
	if (left_us > 0)
		return clock_ms() + left_us / 1000 + 1;
	atomic_store(&changed_us, 0);
	pthread_mutex_lock(&lock);
	for (struct ws_session *s = open_ones; s != NULL; s = s->next)
		(void)on_thread(s, tell_agents, "");
	pthread_mutex_unlock(&lock);
	return ALARM_NEVER;
}

void
ws_agents_changed(void)
{
	int64_t nothing = 0;
	bool none;

	pthread_mutex_lock(&lock);
	none = open_ones == NULL;
	pthread_mutex_unlock(&lock);
	if (!none && atomic_compare_exchange_strong(&changed_us, &nothing, clock_mono_us()))
		alarm_now(&change);
}

/* --- frames in --------------------------------------------------------------------------- */

static void
one_message(struct ws_session *s, struct ctx *c, const char *text)
{
	struct json_object *frame;
	const char *content = ws_frame_content(c, text, &frame);

	if (content == NULL && js_arr(frame, "attachments") == NULL)
		ws_error(s, NULL, "Missing or empty 'content' field", ws_frame_id(frame));
	else
		ws_turn(s, c, frame, content != NULL ? content : "");
}

static struct ws_message *
next_pending(struct ws_session *s)
{
	struct ws_message *m;

	pthread_mutex_lock(&s->mu);
	m = s->pending;
	if (m == NULL) {
		s->busy = false;
	} else {
		s->pending = m->next;
		if (s->pending == NULL)
			s->pending_end = &s->pending;
		s->n_pending--;
	}
	pthread_mutex_unlock(&s->mu);
	return m;
}

static void
work_through(struct ws_session *s, struct ctx *c, const char *unused)
{
	struct ws_message *m;

	(void)unused;
	while ((m = next_pending(s)) != NULL) {
		c->now_ms = clock_ms();
		uuid4(c->rid);
		job_db_acquire(c);      /* the turn before gave it back */
		one_message(s, c, m->text);
		free(m);
		arena_reset(c->arena);
	}
}

static void
line_up(struct ws_session *s, const char *text, size_t n)
{
	struct ws_message *m = malloc(sizeof(*m) + n + 1);
	bool start = false, full = m == NULL;

	if (m != NULL) {
		*m = (struct ws_message){ .n = n };
		memcpy(m->text, text, n + 1);
		pthread_mutex_lock(&s->mu);
		full = s->n_pending >= WS_PENDING_MAX;
		if (!full) {
			*s->pending_end = m;
			s->pending_end = &m->next;
			s->n_pending++;
			start = !s->busy;
			s->busy = true;
		}
		pthread_mutex_unlock(&s->mu);
	}
	if (full) {
		free(m);
		ws_error(s, NULL, "Too many messages are waiting.", NULL);
	} else if (start && !on_thread(s, work_through, "")) {
		pthread_mutex_lock(&s->mu);
		s->busy = false;
		pthread_mutex_unlock(&s->mu);
		ws_error(s, NULL, "The server is busy. Try again in a moment.", NULL);
	}
}

/* text: what its sender calls the message (or nothing), a newline, the command. */
static void
do_command(struct ws_session *s, struct ctx *c, const char *text)
{
	size_t k = strcspn(text, "\n");
	const char *line = text + k + 1;
	size_t n = strcspn(line, " \n");

	ws_command(s, c, ctx_strndup(c, line, n), line[n] != '\0' ? line + n + 1 : "", k > 0 ? ctx_strndup(c, text, k) : NULL);
}

static bool
begin_command(struct ws_session *s, struct ctx *c, const struct ws_frame *f)
{
	const char *id = f->message_id != NULL && strchr(f->message_id, '\n') == NULL ? f->message_id : "";
	const char *text = f->line != NULL ? ctx_printf(c, "%s\n%s", id, f->line) : NULL;

	return text != NULL && on_thread(s, do_command, text);
}

static bool
over_rate(struct ws_session *s)
{
	int64_t now = clock_mono_us(), oldest;

	if (s->frames == NULL)
		return false;
	oldest = s->frames[s->at_frame];
	if (oldest != 0 && now - oldest < 60 * 1000000)
		return true;
	s->frames[s->at_frame] = now;
	s->at_frame = (s->at_frame + 1) % s->n_frames;
	return false;
}

/* Looked at with a throw-away context, so the loop keeps nothing. */
static void
take_frame(struct ws_session *s, struct ctx *c, const char *text, size_t n)
{
	struct ws_frame f;

	memory_short = false;
	ws_frame_sort(c, text, n, ws_is_command, &f);
	if (memory_short)
		live_ws_close(s->live, 1011, "out of memory");
	else if (f.kind == WS_PING)
		(void)live_ws_text(s->live, "{\"type\":\"pong\"}", 15);
	else if (f.kind == WS_MESSAGE)
		line_up(s, text, n);
	else if (f.kind == WS_UNKNOWN)
		ws_error(s, NULL, ctx_printf(c, "Unknown message type: %s", f.line != NULL ? f.line : ""), NULL);
	else if (!begin_command(s, c, &f))
		ws_error(s, NULL, "The server is busy. Try again in a moment.", f.message_id);
}

void
ws_on_text(struct ws_session *s, char *text, size_t n)
{
	struct ctx c = { 0 };

	if (s->watches)
		return;                 /* nobody listens there */
	if (text == NULL && n > WS_TEXT_MAX) {
		ws_error(s, NULL, "Message too large (max 64KB)", NULL);
		return;
	}
	c.arena = text != NULL ? arena_new(4096) : NULL;
	if (c.arena == NULL) {
		live_ws_close(s->live, 1011, "out of memory");
		return;
	}
	if (over_rate(s))
		ws_error(s, NULL, ctx_printf(&c, "Rate limit exceeded. Max %u messages per minute.", s->n_frames), NULL);
	else if (!utf8_ok(text, n) || memchr(text, '\0', n) != NULL)
		ws_error(s, NULL, "The message is not UTF-8 text", NULL);
	else
		take_frame(s, &c, text, n);
	arena_free(c.arena);
}

void
ws_on_admit(struct ws_session *s, struct live *live)
{
	s->live = live_hold(live);
	if (!s->watches)
		return;
	hub_join_socket(s->seat, live);
	s->seat = NULL;
}

void
ws_on_open(struct ws_session *s)
{
	char hello[96];
	int n = snprintf(hello, sizeof(hello), "{\"type\":\"connected\",\"agent_id\":\"%s\"}", s->agent_id);

	if (s->watches)
		return;
	(void)live_ws_text(s->live, hello, (size_t)n);
	pthread_mutex_lock(&lock);
	s->next = open_ones;
	open_ones = s;
	pthread_mutex_unlock(&lock);
	(void)on_thread(s, tell_agents, "");
}

void
ws_on_idle(struct ws_session *s)
{
	char why[80];

	if (s->watches)
		return;                 /* it waits for a turn, however long */
	snprintf(why, sizeof(why), "Connection closed due to inactivity (%us timeout)", conf_of(s->conf)->ws_idle_s);
	ws_error(s, NULL, why, NULL);
	live_ws_close(s->live, 1000, "idle");
}

void
ws_on_close(struct ws_session *s)
{
	pthread_mutex_lock(&lock);
	for (struct ws_session **at = &open_ones; *at != NULL; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	ws_session_drop(s);
}

/*
 * The list of watchers. One lock; under it only queues are filled.
 */
#include "daemon/hub.h"
#include "daemon/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

enum { WATCHERS_MAX = 4096, AGAIN_S = 5 };

struct watcher {
	struct watcher *next;
	char agent_id[37], session_id[37];
	struct live *live;
	bool ws;
	struct read_on read;            /* of the journal, when it joined */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watcher *all;
static _Atomic unsigned n_all;

/* --- events as text ------------------------------------------------------------------ */

const char *
turn_event_text(const struct turn_event *ev, struct buf *out)
{
	struct jw w = JW_INIT(out);

	switch (ev->kind) {
	case TURN_TEXT:
		jw_object(&w, NULL);
		jw_strn(&w, "content", ev->s, ev->n);
		jw_bool(&w, "done", false);
		jw_end(&w);
		return "chunk";
	case TURN_TOOL_START:
		jw_object(&w, NULL);
		jw_str(&w, "tool", ev->b);
		jw_end(&w);
		return "tool_use";
	case TURN_TOOL_END:
		jw_object(&w, NULL);
		jw_str(&w, "tool", ev->b);
		if (json_check(ev->s, ev->n, JSON_DEPTH_MAX, NULL) == ERR_OK)
			jw_raw(&w, "input", ev->s, ev->n);
		else
			jw_strn(&w, "input", ev->s, ev->n);
		jw_end(&w);
		return "tool_result";
	case TURN_PHASE:
		jw_object(&w, NULL);
		jw_str(&w, "phase", ev->a);
		jw_str(&w, "detail", ev->b);
		jw_end(&w);
		return "phase";
	default:
		return NULL;
	}
}

void
turn_done_text(int64_t input_tokens, int64_t output_tokens, struct buf *out)
{
	struct jw w = JW_INIT(out);

	jw_object(&w, NULL);
	jw_bool(&w, "done", true);
	jw_object(&w, "usage");
	jw_i64(&w, "input_tokens", input_tokens);
	jw_i64(&w, "output_tokens", output_tokens);
	jw_end(&w);
	jw_end(&w);
}

const char *
turn_end_text(bool good, int64_t input_tokens, int64_t output_tokens, struct buf *out)
{
	if (good)
		turn_done_text(input_tokens, output_tokens, out);
	else
		buf_str(out, "{\"phase\":\"error\",\"detail\":null}");
	return good ? "done" : "phase";
}

/* --- the list --------------------------------------------------------------------------- */

static void
watcher_free(struct watcher *w)
{
	live_drop(w->live);
	free(w);
	atomic_fetch_sub(&n_all, 1);
}

static void
let_go(struct watcher **at)
{
	struct watcher *w = *at;

	*at = w->next;
	watcher_free(w);
}

/* An event as a frame: its data with its name as `type`. */
static void
frame_of(const char *name, const struct buf *data, struct buf *out)
{
	buf_printf(out, "{\"type\":\"%s\",", name);
	buf_add(out, data->p + 1, data->len - 1);
}

static bool
tell_one(struct watcher *w, const char *id, const char *name, const struct buf *b, struct buf *frame)
{
	if (!w->ws)
		return live_event(w->live, id, name, b->p, b->len);
	if (frame->len == 0)
		frame_of(name, b, frame);       /* one for all sockets */
	return !frame->failed && live_ws_text(w->live, frame->p, frame->len);
}

static void
end_one(struct watcher *w)
{
	if (w->ws)
		live_ws_close(w->live, 1000, "");
	else
		live_end(w->live);
}

static bool
tell_past(void *arg, const char *id, const char *name, const struct buf *b)
{
	SCOPED_BUF frame = BUF_INIT((16 << 20) + 128);

	return tell_one(arg, id, name, b, &frame);
}

/* Under the lock, and counted already: so a turn that goes on meanwhile waits until we have read. */
static void
join(struct watcher *w, const char *last_id, bool anew)
{
	if (last_id != NULL)
		journal_read(w->session_id, last_id, &w->read, tell_past, w);
	if (anew && w->read.turn_id[0] == '\0')
		(void)tell_past(w, NULL, "phase", &journal_restart);
	if (w->read.ended) {
		end_one(w);
		watcher_free(w);
		return;
	}
	w->next = all;
	all = w;
}

/* Tests make the room small. */
static unsigned
seats(void)
{
	const char *v = getenv("LF_WATCHERS_MAX");

	return v != NULL ? (unsigned)strtoul(v, NULL, 10) : WATCHERS_MAX;
}

/* Those who went while nothing happened make room. */
static bool
take_seat(void)
{
	bool room;

	pthread_mutex_lock(&lock);
	for (struct watcher **at = &all; *at != NULL;)
		if (live_gone((*at)->live))
			let_go(at);
		else
			at = &(*at)->next;
	room = atomic_fetch_add(&n_all, 1) < seats();
	if (!room)
		atomic_fetch_sub(&n_all, 1);
	pthread_mutex_unlock(&lock);
	return room;
}

enum err
hub_seat(struct ctx *c, const char *agent_id, const char *session_id, struct watcher **ret)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!take_seat()) {
		free(w);
		c->fault.retry_after_s = AGAIN_S;
		return fail_code(c, ERR_UNAVAILABLE, "too_many_watchers", "Too many connections watch sessions");
	}
	memcpy(w->agent_id, agent_id, 37);
	memcpy(w->session_id, session_id, 37);
	*ret = w;
	return ERR_OK;
}

void
hub_leave(struct watcher *w)
{
	if (w != NULL)
		watcher_free(w);
}

enum err
hub_join(struct ctx *c, struct watcher *w, struct live *live, const char *last_id, bool anew)
{
	enum err e;

	w->live = live_hold(live);
	pthread_mutex_lock(&lock);
	e = live_begin(live, c, "text/event-stream");
	if (e == ERR_OK)
		join(w, last_id, anew);
	else
		watcher_free(w);
	pthread_mutex_unlock(&lock);
	return e;
}

void
hub_join_socket(struct watcher *w, struct live *live)
{
	w->live = live_hold(live);
	w->ws = true;
	pthread_mutex_lock(&lock);
	join(w, NULL, false);
	pthread_mutex_unlock(&lock);
}

bool
hub_watched(const char *session_id)
{
	bool watched = false;

	if (atomic_load(&n_all) == 0)
		return false;
	pthread_mutex_lock(&lock);
	for (const struct watcher *w = all; w != NULL && !watched; w = w->next)
		watched = strcmp(w->session_id, session_id) == 0;
	pthread_mutex_unlock(&lock);
	return watched;
}

/* What is told to watchers: of a session, or of an agent (both NULL: to all); last: their streams end with it. */
struct news {
	const char *session_id, *agent_id, *turn_id;
	uint64_t place;
	const char *name;
	const struct buf *data;
	bool last;
};

static bool
meant(const struct watcher *w, const struct news *n)
{
	if (n->place > 0 && n->place <= w->read.seen && strcmp(w->read.turn_id, n->turn_id) == 0)
		return false;                   /* has read it */
	return (n->session_id == NULL || strcmp(w->session_id, n->session_id) == 0) &&
	    (n->agent_id == NULL || strcmp(w->agent_id, n->agent_id) == 0);
}

static void
send(const struct news *n)
{
	SCOPED_BUF frame = BUF_INIT((16 << 20) + 128);
	char id[EVENT_ID_MAX];

	if (n->place > 0)
		event_id(n->turn_id, n->place, id);
	pthread_mutex_lock(&lock);
	for (struct watcher **at = &all; *at != NULL;) {
		struct watcher *w = *at;
		bool for_it = meant(w, n);
		bool sent = !for_it || tell_one(w, n->place > 0 ? id : NULL, n->name, n->data, &frame);

		if (for_it && n->last)
			end_one(w);
		if (!sent || (for_it && n->last))
			let_go(at);
		else
			at = &w->next;
	}
	pthread_mutex_unlock(&lock);
}

void
hub_tell(const char *session_id, const char *turn_id, uint64_t place, const char *name, const struct buf *data)
{
	struct news n = { .session_id = session_id, .turn_id = turn_id, .place = place, .name = name, .data = data };

	send(&n);
}

void
hub_end(const char *session_id, const char *turn_id, const char *name, const struct buf *data)
{
	struct news n = { .session_id = session_id, .turn_id = turn_id, .place = PLACE_END, .name = name, .data = data,
		.last = true };

	if (atomic_load(&n_all) > 0)
		send(&n);
}

void
hub_closed(const char *agent_id)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct news n = { .agent_id = agent_id, .data = &b, .last = true };

	if (atomic_load(&n_all) == 0)
		return;
	n.name = turn_end_text(false, 0, 0, &b);
	if (!b.failed)
		send(&n);
}

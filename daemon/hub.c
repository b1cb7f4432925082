/*
 * The list of watchers. One lock; under it only queues are filled.
 */
#include "daemon/hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

enum { WATCHERS_MAX = 4096 };

struct watcher {
	struct watcher *next;
	char agent_id[37], session_id[37];
	struct live *live;
	bool ws;
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

/* --- the list --------------------------------------------------------------------------- */

static void
let_go(struct watcher **at)
{
	struct watcher *w = *at;

	*at = w->next;
	live_drop(w->live);
	free(w);
	atomic_fetch_sub(&n_all, 1);
}

bool
hub_join(const char *agent_id, const char *session_id, struct live *live, bool ws)
{
	struct watcher *w = calloc(1, sizeof(*w));
	bool room;

	if (w == NULL)
		return false;
	memcpy(w->agent_id, agent_id, 37);
	memcpy(w->session_id, session_id, 37);
	w->live = live_hold(live);
	w->ws = ws;
	pthread_mutex_lock(&lock);
	for (struct watcher **at = &all; *at != NULL;)  /* those who went while nothing happened */
		if (live_gone((*at)->live))
			let_go(at);
		else
			at = &(*at)->next;
	room = atomic_load(&n_all) < WATCHERS_MAX;
	if (room) {
		w->next = all;
		all = w;
		atomic_fetch_add(&n_all, 1);
	}
	pthread_mutex_unlock(&lock);
	if (!room) {
		live_drop(w->live);
		free(w);
	}
	return room;
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

/* An event as a frame: its data with its name as `type`. */
static void
frame_of(const char *name, const struct buf *data, struct buf *out)
{
	buf_printf(out, "{\"type\":\"%s\",", name);
	buf_add(out, data->p + 1, data->len - 1);
}

static bool
tell_one(struct watcher *w, const char *name, const struct buf *b, struct buf *frame)
{
	if (!w->ws)
		return live_event(w->live, name, b->p, b->len);
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

/* To all of a session, or of an agent (both NULL: to all); last: their streams end with it. */
static void
send(const char *session_id, const char *agent_id, const char *name, const struct buf *b, bool last)
{
	SCOPED_BUF frame = BUF_INIT((16 << 20) + 128);

	pthread_mutex_lock(&lock);
	for (struct watcher **at = &all; *at != NULL;) {
		struct watcher *w = *at;
		bool meant = (session_id == NULL || strcmp(w->session_id, session_id) == 0) &&
		    (agent_id == NULL || strcmp(w->agent_id, agent_id) == 0);
		bool sent = !meant || tell_one(w, name, b, &frame);

		if (meant && last)
			end_one(w);
		if (!sent || (meant && last))
			let_go(at);
		else
			at = &w->next;
	}
	pthread_mutex_unlock(&lock);
}

void
hub_tell(const char *session_id, const struct turn_event *ev)
{
	SCOPED_BUF b = BUF_INIT(16 << 20);
	const char *name;

	if (!hub_watched(session_id))
		return;
	if (ev->kind == TURN_PHASE && (strcmp(ev->a, "done") == 0 || strcmp(ev->a, "error") == 0))
		return;                         /* the last event says so */
	name = turn_event_text(ev, &b);
	if (name != NULL && !b.failed)
		send(session_id, NULL, name, &b, false);
}

void
hub_done(const char *session_id, int64_t input_tokens, int64_t output_tokens)
{
	SCOPED_BUF b = BUF_INIT(4096);

	if (!hub_watched(session_id))
		return;
	turn_done_text(input_tokens, output_tokens, &b);
	if (!b.failed)
		send(session_id, NULL, "done", &b, true);
}

static void
end_with_error(const char *session_id, const char *agent_id)
{
	static const char text[] = "{\"phase\":\"error\",\"detail\":null}";
	SCOPED_BUF b = BUF_INIT(4096);

	if (atomic_load(&n_all) == 0)
		return;
	buf_str(&b, text);
	if (!b.failed)
		send(session_id, agent_id, "phase", &b, true);
}

void
hub_failed(const char *session_id)
{
	end_with_error(session_id, NULL);
}

void
hub_closed(const char *agent_id)
{
	end_with_error(NULL, agent_id);
}

/*
 * Attached to a session: the turn that runs there, as it comes, whoever began it.
 *
 * Who comes with Last-Event-ID gets what came after that event. What nobody keeps in memory any longer is told from the rows.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/hub.h"
#include "daemon/journal.h"
#include "daemon/live.h"
#include "daemon/retell.h"
#include "lib/api/api.h"
#include "lib/base/util.h"
#include "lib/svc/session_admin.h"
#include "lib/svc/turn_store.h"

struct reply sessions_stream(struct ctx *, const struct request *);

/* A turn of which somebody has heard a part, and nothing is kept in memory. */
struct past {
	char turn_id[37];
	const char *state, *result;     /* of its row; state NULL: there is no such turn */
};

static enum err
past_of(struct ctx *c, const char *session_id, const char *last_id, struct past *ret)
{
	uint64_t place;

	*ret = (struct past){ 0 };
	if (last_id == NULL || !event_id_read(last_id, ret->turn_id, &place) || ret->turn_id[0] == '\0' ||
	    place == PLACE_END || journal_has(ret->turn_id))
		return ERR_OK;
	return turn_standing(c, ret->turn_id, session_id, &ret->state, &ret->result);
}

static bool
is_over(const struct past *p)
{
	return p->state != NULL && (strcmp(p->state, "done") == 0 || strcmp(p->state, "failed") == 0 ||
	    strcmp(p->state, "cancelled") == 0);
}

static void
tell(void *arg, const struct turn_event *ev)
{
	SCOPED_BUF b = BUF_INIT(16 << 20);
	const char *name = turn_event_text(ev, &b);

	if (name != NULL && !b.failed)
		(void)live_event(arg, NULL, name, b.p, b.len);
}

/* All of it, to its end. */
static enum err
tell_past(struct ctx *c, struct live *live, const struct past *p, const char *session_id)
{
	struct json_object *o = p->result != NULL ? json_stored(c, p->result) : NULL;
	bool good = strcmp(p->state, "done") == 0;
	SCOPED_BUF b = BUF_INIT(4096);
	const char *name = turn_end_text(good, js_i64(o, "input_tokens", 0), js_i64(o, "output_tokens", 0), &b);
	char id[EVENT_ID_MAX];
	enum err e;

	(void)live_event(live, NULL, "phase", journal_restart.p, journal_restart.len);
	e = turn_retell(c, p->turn_id, tell, live);
	if (e == ERR_OK && good && !js_bool(o, "silent", false))
		e = turn_retell_answer(c, p->turn_id, session_id, tell, live);
	event_id(p->turn_id, PLACE_END, id);
	if (e == ERR_OK)
		(void)live_event(live, id, name, b.p, b.len);
	live_end(live);
	return e;
}

static enum err
begin(struct ctx *c, const struct request *rq, char id[static 37], struct past *past)
{
	struct watcher *seat;
	struct session s;
	struct agent a;
	enum err e = request_agent(c, rq, &a);

	if (e == ERR_OK)
		e = request_session_id(c, rq, "session_id", id);
	if (e == ERR_OK)
		e = session_to_watch(c, &a, id, &s);
	if (e == ERR_OK)
		e = past_of(c, id, rq->h.last_event_id, past);
	if (e == ERR_OK && (rq->head || is_over(past)))
		return live_begin(rq->live, c, "text/event-stream");
	if (e == ERR_OK)
		e = hub_seat(c, a.id, id, &seat);
	return e == ERR_OK ? hub_join(c, seat, rq->live, rq->h.last_event_id, past->state != NULL) : e;
}

struct reply
sessions_stream(struct ctx *c, const struct request *rq)
{
	struct past past;
	char id[37];

	if (begin(c, rq, id, &past) != ERR_OK)
		return reply_fail(c);
	if (!rq->head && !is_over(&past))
		return reply_open_stream(c);
	if (!rq->head)
		ignore_err(tell_past(c, rq->live, &past, id));  /* then it ends without its last event */
	return reply_streamed(c);
}

/*
 * Compaction: the old part of a session is told in short, the newest messages stay.
 *
 * The session is ours meanwhile: a turn runs in it, or we are there as if one did.
 */
#include "daemon/compact.h"

#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/running.h"
#include "daemon/summary.h"
#include "daemon/turn.h"
#include "db/db.h"
#include "lib/agent/fit.h"
#include "lib/base/util.h"
#include "lib/svc/history.h"
#include "lib/svc/session_compact.h"

enum { MESSAGES_MAX = 20000, KEEP = 10, KEEP_MAX = 500 };

struct compaction {
	struct summary told;
	const char *session_id;
	size_t keep, least;             /* messages that stay; that go, else it is not worth it */
};

/* Inside the session that is ours. */
static enum err
shorten(struct compaction *k, struct compacted *ret)
{
	struct summary *s = &k->told;
	struct history h;
	enum err e = messages_load(s->c, k->session_id, MESSAGES_MAX, &h);

	if (e == ERR_OK)
		e = session_summary(s->c, k->session_id, &s->text);
	if (e != ERR_OK)
		return e;
	ret->gone = compact_cut(&h, k->keep);
	if (ret->gone < k->least) {
		ret->gone = 0;
		return ERR_OK;
	}
	if (ret->gone == 0)
		return session_shorten(s->c, k->session_id, h.n, 0, s->text != NULL ? s->text : "", &ret->kept);
	e = summary_tell(s, &h, 0, ret->gone);
	if (e == ERR_OK)
		e = session_shorten(s->c, k->session_id, h.n, ret->gone, s->text, &ret->kept);
	if (e == ERR_OK)
		ret->chars = strlen(s->text);
	return e;
}

enum err
compact_within(struct summary *told, size_t least, struct compacted *ret)
{
	struct compaction k = { .told = *told, .session_id = told->session_id, .least = least,
		.keep = compaction_rule(told->c, told->a, "keep_recent", KEEP, 1, KEEP_MAX) };
	enum err e;

	*ret = (struct compacted){ 0 };
	e = shorten(&k, ret);
	*told = k.told;
	return e;
}

/* Of the agent's own model. */
static int64_t
window_of(struct ctx *c, const struct agent *a)
{
	const char *provider, *model, *source;

	agent_resolved_model(c, a, &provider, &model);
	return fit_window(js_obj(a->manifest, "model"), provider, model, &source);
}

enum err
compact_session(struct ctx *c, const struct agent *a, struct cancel *cancel, struct compacted *ret)
{
	struct running r = { .cancel = cancel, .closed = true };
	struct summary told;
	enum err e;

	*ret = (struct compacted){ 0 };
	memcpy(r.agent_id, a->id, 37);
	memcpy(r.session_id, a->session_id, 37);
	uuid4(r.turn_id);
	if (!running_try(&r)) {
		bool ours;

		job_db_release(c);
		ours = running_wait(&r);
		job_db_acquire(c);
		if (!ours)
			return fail(c, ERR_CANCELLED, "Cancelled");
	}
	e = summary_new(&told, c, a, "compression", NULL, 0, a->session_id, cancel, window_of(c, a));
	if (e == ERR_OK)
		e = compact_within(&told, 0, ret);
	running_leave(&r);
	return e;
}

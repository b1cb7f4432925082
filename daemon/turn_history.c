/*
 * The history that a turn begins with: read from the store, and shortened for good when it has grown long.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/compact.h"
#include "daemon/dbpool.h"
#include "daemon/summary.h"
#include "daemon/turn_state.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/session_compact.h"

enum {
	HISTORY_DEFAULT = 60, HISTORY_MIN = 4, HISTORY_MAX = 500, THRESHOLD = 30, THRESHOLD_MAX = 100000, LEAST = 5,
	TOLD_AT_ONCE = 4, AGAIN_AFTER = 10,
};

static const double full_usual = 0.7;

/* A turn of many calls may be longer than what is loaded; what was asked must be in it. */
static bool
any_question(const struct history *h)
{
	for (size_t i = h->n; i > 0; i--)
		if (message_is_question(&h->v[i - 1]))
			return true;
	return h->n == 0 || h->v[0].seq <= 1;
}

enum err
turn_history(struct turn *t)
{
	const struct history *h = NULL;
	const char *summary = NULL;
	int64_t limit = js_i64(t->agent.manifest, "max_history_messages",
	    t->c->cfg->max_history_messages > 0 ? t->c->cfg->max_history_messages : HISTORY_DEFAULT);
	enum err e;

	limit = limit < HISTORY_MIN ? HISTORY_MIN : limit > HISTORY_MAX ? HISTORY_MAX : limit;
	e = messages_load(t->c, t->session_id, limit, &t->history);
	if (e == ERR_OK && limit < HISTORY_MAX && !any_question(&t->history))
		e = messages_load(t->c, t->session_id, HISTORY_MAX, &t->history);
	t->stored = t->history.n;
	if (e == ERR_OK)
		e = messages_load_pinned(t->c, t->session_id, &t->history);
	if (e == ERR_OK)
		e = session_summary(t->c, t->session_id, &summary);
	if (e != ERR_OK)
		return e;
	h = history_for_model(t->c, &t->history, (unsigned)limit);
	if (h != NULL)
		h = history_with_summary(t->c, h, summary);
	if (h == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	t->history = *h;
	return ERR_OK;
}

/* --- sessions that could not be shortened ----------------------------------------------- */

/* How long they were then: the next try is worth it when they have grown. Lost with the process. */
static struct { pthread_mutex_t mu; struct { char id[37]; size_t at; } v[256]; } failed = { .mu = PTHREAD_MUTEX_INITIALIZER };

static size_t
slot(const char *session_id)
{
	char two[3] = { session_id[0], session_id[1], '\0' };

	return strtoul(two, NULL, 16) % ARRAY_LEN(failed.v);
}

bool
turn_failed_lately(const char *session_id, size_t n)
{
	size_t i = slot(session_id);
	bool ret;

	pthread_mutex_lock(&failed.mu);
	ret = strcmp(failed.v[i].id, session_id) == 0 && n >= failed.v[i].at && n < failed.v[i].at + AGAIN_AFTER;
	pthread_mutex_unlock(&failed.mu);
	return ret;
}

void
turn_note_failure(const char *session_id, size_t n)
{
	size_t i = slot(session_id);

	pthread_mutex_lock(&failed.mu);
	memcpy(failed.v[i].id, session_id, 37);
	failed.v[i].at = n;
	pthread_mutex_unlock(&failed.mu);
}

/* --- by itself ------------------------------------------------------------------------------ */

double
turn_full_ratio(struct turn *t)
{
	double ratio = js_f64(js_obj(t->c->cfg->raw, "compaction"), "token_threshold_ratio", full_usual);

	ratio = js_f64(js_obj(t->agent.manifest, "compaction"), "token_threshold_ratio", ratio);
	return ratio > 0 && ratio <= 1 ? ratio : full_usual;
}

static bool
too_long(struct turn *t)
{
	size_t most = compaction_rule(t->c, &t->agent, "threshold_messages", THRESHOLD, 1, THRESHOLD_MAX);
	double ratio = turn_full_ratio(t);

	if (t->stored > most)
		return true;
	return !turn_surely_within(t, ratio) && (double)turn_tokens(t) > ratio * (double)turn_window(t);
}

enum err
turn_summary(struct turn *t, const char *task, struct summary *ret)
{
	return summary_new(ret, t->c, &t->agent, task, t->routes + t->route_at, t->n_routes - t->route_at, t->session_id, t->ask->cancel,
	    turn_window(t));
}

static enum err
shorten(struct turn *t)
{
	struct summary told;
	struct compacted done;
	enum err e = turn_summary(t, "compression", &told);

	if (e != ERR_OK)
		return e;
	told.deadline_us = t->ask->deadline_us;
	told.calls_max = TOLD_AT_ONCE;
	e = compact_within(&told, LEAST, &done);
	t->told += (unsigned)told.calls;
	if (e != ERR_OK || (done.gone == 0 && t->stored >= THRESHOLD))  /* of a few long messages more can go soon */
		turn_note_failure(t->session_id, t->stored);
	if (e != ERR_OK || done.gone == 0)
		return e;
	log_line(LOG_INFO, "rid=%s turn=%s what=compacted gone=%zu kept=%jd", t->c->rid, t->id, done.gone, (intmax_t)done.kept);
	return turn_history(t);
}

enum err
turn_compact(struct turn *t)
{
	struct fault f = t->c->fault;
	enum err e;

	if (!t->keep || turn_failed_lately(t->session_id, t->stored))
		return ERR_OK;
	if (!too_long(t))
		return turn_fold(t);
	job_db_acquire(t->c);
	e = shorten(t);
	if (e == ERR_OK)
		return ERR_OK;
	if (cancelled(t->ask->cancel))
		return fail(t->c, ERR_CANCELLED, "Cancelled");
	log_line(LOG_WARN, "rid=%s turn=%s what=\"the session could not be shortened\" err=%s", t->c->rid, t->id, err_code(e));
	t->c->fault = f;
	return ERR_OK;
}

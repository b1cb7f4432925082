/*
 * Wake-ups that led to nothing fill a session with the same two lines. The newest few are kept, so that the agent sees its own
 * rhythm; what people said is never touched.
 */
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "lib/agent/repair.h"
#include "lib/agent/speech.h"
#include "lib/base/util.h"
#include "lib/svc/session_compact.h"

enum { KEEP = 10, KEEP_MAX = 1000, MESSAGES_MAX = 20000 };

static const char *
said(struct ctx *c, const struct message *m)
{
	const char *s = "";
	size_t n;

	if (m->blocks == NULL)
		return json_text(c, m->text, m->n, &n);
	for (size_t i = 0; i < json_object_array_length(m->blocks); i++)
		if (js_str(json_object_array_get_idx(m->blocks, i), "text") != NULL)
			s = js_str(json_object_array_get_idx(m->blocks, i), "text");
	return s;
}

/* Is from..to-1 one of them, with nothing pinned in it? */
static bool
is_pulse(struct ctx *c, const struct history *h, size_t from, size_t to)
{
	const char *question = said(c, &h->v[from]), *answer = said(c, &h->v[to - 1]);

	for (size_t i = from; i < to; i++)
		if (h->v[i].pinned || h->v[i].seq == 0)
			return false;
	return to - from >= 2 && h->v[to - 1].role == BY_ASSISTANT && question != NULL && answer != NULL && speech_is_pulse(c, question, answer);
}

static size_t
end_of(const struct history *h, size_t i)
{
	for (i++; i < h->n && !message_is_question(&h->v[i]); i++)
		;
	return i;
}

/* The numbers of all but the newest `keep` of them, rising; *n: how many. NULL: no memory. */
static int64_t *
pulses(struct ctx *c, const struct history *h, size_t keep, size_t *n)
{
	int64_t *seqs = ctx_alloc(c, (h->n + 1) * sizeof(*seqs));
	size_t all = 0;

	*n = 0;
	for (size_t i = 0; i < h->n; i = end_of(h, i))
		all += is_pulse(c, h, i, end_of(h, i));
	for (size_t i = 0; seqs != NULL && i < h->n && all > keep; i = end_of(h, i)) {
		if (!is_pulse(c, h, i, end_of(h, i)))
			continue;
		all--;
		for (size_t k = i; k < end_of(h, i); k++)
			seqs[(*n)++] = h->v[k].seq;
	}
	return seqs;
}

static enum err
prune(struct turn *t, size_t keep)
{
	struct history h;
	int64_t *seqs = NULL;
	size_t n = 0;
	enum err e;

	job_db_acquire(t->c);
	e = messages_load(t->c, t->session_id, MESSAGES_MAX, &h);
	if (e == ERR_OK && (seqs = pulses(t->c, &h, keep, &n)) == NULL)
		e = fail(t->c, ERR_NOMEM, "out of memory");
	job_db_release(t->c);
	return e == ERR_OK && n > 0 ? session_drop(t->c, t->session_id, h.n, seqs, n) : e;
}

void
turn_prune(struct turn *t)
{
	int64_t keep = js_i64(js_obj(t->agent.manifest, "autonomous"), "heartbeat_keep_recent", KEEP);
	struct fault f = t->c->fault;
	enum err e = prune(t, keep < 1 ? 1 : keep > KEEP_MAX ? KEEP_MAX : (size_t)keep);

	if (e != ERR_OK)
		log_line(LOG_WARN, "rid=%s turn=%s what=\"old wake-ups stay\" err=%s", t->c->rid, t->id, err_code(e));
	t->c->fault = f;
}

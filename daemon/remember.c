/*
 * The background of conversations: exchanges become rows, sessions get their titles, agents learn from them, and rows that have no vector of the model in
 * use get one.
 */
#include "daemon/remember.h"

#include <string.h>

#include "daemon/alarm.h"
#include "daemon/background.h"
#include "daemon/dbpool.h"
#include "daemon/embedding.h"
#include "daemon/learn.h"
#include "daemon/title.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/memory.h"

enum { SESSIONS = 64, ROUNDS = 64, BATCH = 48, AGAIN_MS = 61000, TIMEOUT_MS = 60000, EMBEDDED_MAX = 8000, KEEP_DAYS = 30 };

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };

static enum err
keep_vectors(struct ctx *c, const struct embedding *m, const struct memory *v, size_t n, struct embed_answer *a)
{
	SCOPED_TX tx = { 0 };
	enum err e;

	job_db_release(c);
	e = tx_begin(c, &tx);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = memory_set_vector(c, v[i].n, m->name, a->vectors + i * a->dimensions, a->dimensions);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

/* *more: there may be others. An agent that has gone pays nothing: nobody does. */
static enum err
some_vectors(struct ctx *c, const struct embedding *m, bool *more)
{
	struct memory v[BATCH];
	const char *texts[BATCH];
	struct embed_answer a = { .retry_after_s = -1 };
	struct agent agent;
	size_t n = BATCH;
	bool owned;
	enum err e;

	job_db_acquire(c);
	e = memory_without_vector(c, m->name, v, &n);
	*more = e == ERR_OK && n > 0;
	if (!*more)
		return e;
	for (size_t i = 0; i < n; i++)
		texts[i] = ctx_strndup(c, v[i].content, utf8_cut(v[i].content, strlen(v[i].content), EMBEDDED_MAX));
	owned = agent_load(c, v[0].agent_id, &agent) == ERR_OK;
	if ((e = embedding_call(c, m, owned ? &agent : NULL, texts, n, false, TIMEOUT_MS, NULL, &a)) == ERR_OK)
		e = keep_vectors(c, m, v, n, &a);
	embed_done(&a);
	return e;
}

static enum err
vectors(struct ctx *c)
{
	struct arena *own = c->arena;
	bool more = true;
	enum err e = ERR_OK;

	for (unsigned i = 0; e == ERR_OK && more && i < ROUNDS; i++) {
		struct embedding m;

		if ((c->arena = arena_new(65536)) == NULL) {
			c->arena = own;
			return ERR_NOMEM;
		}
		job_db_acquire(c);
		more = embedding_of(c, &m);
		if (more)
			e = some_vectors(c, &m, &more);
		c->fault = (struct fault){ 0 };
		arena_free(c->arena);
		c->arena = own;
	}
	return e;
}

/* memory.soft_delete_retention_days: 0 keeps what is only marked for ever. */
static enum err
sweep(struct ctx *c)
{
	int64_t days = js_i64(js_obj(c->cfg->raw, "memory"), "soft_delete_retention_days", KEEP_DAYS);
	int64_t until_ms = days > 0 ? clock_ms() - days * 86400000 : 0;
	SCOPED_TX tx = { 0 };
	bool any = false;
	enum err e;

	job_db_acquire(c);
	e = memory_any_gone(c, until_ms, &any);
	job_db_release(c);
	if (e != ERR_OK || !any)
		return e;
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = memory_sweep(c, until_ms);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static int64_t
look(void)
{
	struct background b;
	bool more = true;
	enum err e = ERR_OK;

	if (!background_begin(&b))
		return clock_ms() + AGAIN_MS;
	for (unsigned i = 0; e == ERR_OK && more && i < ROUNDS; i++)
		e = memory_catch_up(&b.c, SESSIONS, &more);
	if (e == ERR_OK)
		e = sweep(&b.c);
	if (e == ERR_OK)
		e = titles_catch_up(&b.c);
	if (e == ERR_OK)
		e = learn_catch_up(&b.c);
	if (e == ERR_OK)
		e = vectors(&b.c);
	if (e != ERR_OK && e != ERR_UPSTREAM)
		log_line(LOG_WARN, "rid=%s what=remember err=%s", b.c.rid, err_code(e));
	background_end(&b);
	if (embedding_rest_ms() > 0)
		return clock_ms() + embedding_rest_ms() + 1000;
	return e == ERR_OK ? ALARM_NEVER : clock_ms() + AGAIN_MS;
}

void
remember_look(void)
{
	alarm_now(&alarm_of);
}

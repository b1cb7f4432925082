/*
 * From conversations to memories.
 *
 * A session's row says how many of its messages became memories, as it does for the search index; nothing of this is part of a
 * turn. An exchange is what somebody said and what the agent answered in the end; what runs meanwhile is left for later.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/conversation.h"
#include "lib/svc/memory.h"

enum { VISIBLE = 60, MESSAGES_AT_ONCE = 400, CAP = 1000 };

struct due { const char *id, *agent_id, *peer_id; int64_t from, to; bool whole; };         /* whole: to its end */

/* One exchange under way. */
struct said {
	const char *user, *agent, *turn_id;
	int64_t seq, created_ms;        /* of the question */
};

/* Of an exchange's turn. */
struct of_turn { bool open, by_itself; const char *peer_id, *chat; };

bool
memory_wanted(const struct config *cfg, struct json_object *manifest, const char *which)
{
	struct json_object *all = js_obj(cfg->raw, "proactive_memory"), *own = js_obj(manifest, "proactive_memory");

	if (!js_bool(own, "enabled", js_bool(all, "enabled", true)))
		return false;
	return js_bool(own, which, js_bool(all, which, true));
}

/* --- what is said ------------------------------------------------------------------------------ */

static enum err
look_at_turn(struct ctx *c, const char *turn_id, struct of_turn *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT origin, input, ended_ms FROM turn WHERE id = ?"));
	struct json_object *in;

	*ret = (struct of_turn){ 0 };
	if (turn_id == NULL)
		return ERR_OK;
	bind_text(st, turn_id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
	ret->open = col_is_null(st, "ended_ms");
	ret->by_itself = strcmp(col_text(c, st, "origin"), "autonomous") == 0;
	in = json_stored(c, col_text(c, st, "input"));
	ret->peer_id = js_str(in, "sender_id");
	ret->chat = ret->peer_id != NULL ? js_str(in, "channel") : NULL;
	return ERR_OK;
}

static size_t
bound(const struct config *cfg)
{
	int64_t n = js_i64(js_obj(cfg->raw, "memory"), "max_episodic_chars", MEMORY_CONTENT_MAX);

	return n <= 0 || n > (1 << 20) ? 1 << 20 : (size_t)n;
}

static enum err
add_exchange(struct ctx *c, const struct due *d, const struct said *x, const struct of_turn *t)
{
	size_t most = bound(c->cfg), q = utf8_cut(x->user, strlen(x->user), most / 4), a = utf8_cut(x->agent, strlen(x->agent), most / 4 * 3);
	const char *words[MEMORY_WORDS], *text = ctx_printf(c, "User: %.*s\nAnswer: %.*s", (int)q, x->user, (int)a, x->agent);

	if (text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (strcasecmp(x->agent, "[no reply needed]") == 0 || t->by_itself || memory_words(c, x->user, words) == 0)
		return ERR_OK;          /* a greeting, or nothing */
	return memory_add(c, &(struct memory){ .agent_id = d->agent_id, .content = text, .source = "conversation", .scope = "episodic",
	    .peer_id = t->peer_id != NULL ? t->peer_id : d->peer_id, .chat = t->chat, .session_id = d->id, .confidence = 1,
	    .created_ms = x->created_ms });
}

/* *to: the last message that is done with. An exchange without an answer yet is left, unless the turn has ended. */
static enum err
close_exchange(struct ctx *c, const struct due *d, const struct said *x, int64_t last, int64_t *to)
{
	struct of_turn t;
	enum err e = look_at_turn(c, x->turn_id, &t);

	if (e != ERR_OK)
		return e;
	if (t.open) {
		*to = x->seq - 1;
		return ERR_OK;
	}
	*to = last;
	return x->agent != NULL && x->agent[0] != '\0' ? add_exchange(c, d, x, &t) : ERR_OK;
}

/* --- one session ---------------------------------------------------------------------------------- */

static enum err
note(struct ctx *c, const char *id, int64_t to)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET remembered = ? WHERE id = ? AND message_count >= ?"));

	bind_i64(st, to);
	bind_text(st, id);
	bind_i64(st, to);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* *to: as far as it came. */
static enum err
read_exchanges(struct ctx *c, const struct due *d, int64_t *to)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT seq, role, content, turn_id, created_ms FROM message WHERE session_id = ?"
	    " AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"));
	struct said x = { 0 };
	int64_t seq = d->from;
	bool open = false;
	unsigned rows = 0;
	enum err e = ERR_OK;

	*to = d->to;
	bind_text(st, d->id);
	bind_i64(st, d->from);
	bind_i64(st, d->to);
	bind_i64(st, MESSAGES_AT_ONCE);
	while (e == ERR_OK && !open && db_step(st)) {
		size_t n;
		const char *role = col_text(c, st, "role"), *json = col_textn(c, st, "content", &n), *text;
		bool tools;

		if (role == NULL || json == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		rows++;
		text = content_said(c, json, n, &tools);
		if (strcmp(role, "user") == 0 && !tools && text != NULL) {
			if (x.user != NULL) {
				int64_t done = seq;

				e = close_exchange(c, d, &x, seq, &done);
				open = done < seq;
				*to = done;
			}
			x = (struct said){ .user = text, .turn_id = col_text(c, st, "turn_id"), .created_ms = col_i64(st, "created_ms") };
			x.seq = col_i64(st, "seq");
		} else if (strcmp(role, "assistant") == 0 && text != NULL && text[0] != '\0') {
			x.agent = text;
		}
		if (!open)
			seq = col_i64(st, "seq");
	}
	if (e != ERR_OK || open)
		return e;
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*to = seq > d->from ? seq : d->to;
	if (x.user != NULL && ((rows == MESSAGES_AT_ONCE && x.seq - 1 > d->from) || !d->whole)) {        /* its answer may come later */
		*to = x.seq - 1;
		return ERR_OK;
	}
	return x.user != NULL ? close_exchange(c, d, &x, *to, to) : ERR_OK;
}

static enum err
wants(struct ctx *c, const char *agent_id, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT manifest FROM agent WHERE id = ?"));

	bind_text(st, agent_id);
	*ret = db_step(st) && memory_wanted(c->cfg, json_stored(c, col_text(c, st, "manifest")), "auto_memorize");
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
remember(struct ctx *c, struct due *d)
{
	SCOPED_TX tx = { 0 };
	bool wanted = false;
	int64_t to = d->to;
	enum err e = tx_begin(c, &tx);

	if (e == ERR_OK)
		e = wants(c, d->agent_id, &wanted);
	if (e == ERR_OK && wanted)
		e = read_exchanges(c, d, &to);
	if (e == ERR_OK && to > d->from)
		e = note(c, d->id, to);
	if (e == ERR_OK && wanted)
		e = memory_cap(c, d->agent_id, js_i64(js_obj(c->cfg->raw, "proactive_memory"), "max_memories_per_agent", CAP));
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e == ERR_OK)
		d->from = to;
	return e;
}

/* --- all of them ------------------------------------------------------------------------------------ */

/* A session whose newest turn still runs is not due because of it alone: it would be looked at again and again. */
static enum err
find_due(struct ctx *c, struct due *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.id, s.agent_id, s.peer_id, s.remembered,"
	    " CASE WHEN EXISTS (SELECT 1 FROM session o WHERE o.agent_id = s.agent_id AND o.id <> s.id) THEN s.message_count"
	    "  ELSE s.message_count - ?1 END AS upto, s.message_count FROM session s WHERE s.message_count > s.remembered"
	    " AND (s.message_count - ?1 > s.remembered OR EXISTS (SELECT 1 FROM session o WHERE o.agent_id = s.agent_id AND o.id <> s.id))"
	    " AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.state IN ('queued', 'running', 'waiting') AND t.session_id = s.id)"
	    " ORDER BY s.updated_ms DESC LIMIT ?2"));
	size_t most = *n;

	bind_i64(st, VISIBLE);
	bind_i64(st, (int64_t)most);
	for (*n = 0; *n < most && db_step(st); ++*n) {
		ret[*n] = (struct due){ col_text(c, st, "id"), col_text(c, st, "agent_id"), col_text(c, st, "peer_id"), col_i64(st, "remembered"),
			col_i64(st, "upto"), col_i64(st, "upto") == col_i64(st, "message_count") };
		if (ret[*n].id == NULL || ret[*n].agent_id == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_catch_up(struct ctx *c, size_t most, bool *ret_more)
{
	struct due *due = ctx_alloc(c, (most + 1) * sizeof(*due));
	struct arena *own = c->arena, *mine = arena_new(16 * 1024);
	size_t n = most + 1;
	enum err e = due == NULL || mine == NULL ? fail(c, ERR_NOMEM, "out of memory") : find_due(c, due, &n);

	*ret_more = e == ERR_OK && n > most;
	for (size_t i = 0; e == ERR_OK && i < n && i < most; i++) {
		int64_t from = due[i].from;

		c->arena = mine;                /* texts that are not to live as long as the job */
		e = remember(c, &due[i]);
		*ret_more |= e == ERR_OK && due[i].from > from && due[i].whole && due[i].from < due[i].to;
		c->arena = own;
		arena_reset(mine);
	}
	arena_free(mine);
	return e;
}

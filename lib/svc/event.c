/*
 * Events and conditions.
 *
 * A proactive agent's wake-up is its loop's row: `said` collects what it is to be told, due_ms says when. So it is claimed
 * like any other slot, once.
 */
#include "lib/svc/event.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/schedule.h"

enum { AT_ONCE = 64, FIRES_MAX = 10, SAID_TEXTS = 20 };

static const char *const kinds[EVENT_KINDS] = { "agent_spawned", "agent_terminated", "lifecycle", "memory_update", "system", "custom" };

static int
kind_of(const char *name)
{
	for (int i = 0; i < EVENT_KINDS; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return -1;
}

/* --- writing --------------------------------------------------------------------------- */

enum err
event_publish(struct ctx *c, enum event_kind kind, const char *agent_id, const char *detail, size_t n, unsigned depth)
{
	if (depth > EVENT_DEPTH_MAX || (shm != NULL && (atomic_load(&shm->events_wanted) >> kind & 1) == 0))
		return ERR_OK;

	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO event (ts_ms, kind, agent_id, detail, depth) VALUES (?, ?, ?, ?, ?)"));

	bind_i64(st, clock_ms());
	bind_text(st, kinds[kind]);
	bind_text(st, agent_id);
	bind_textn(st, detail, utf8_cut(detail, n, EVENT_DETAIL_MAX));
	bind_i64(st, depth);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	if (shm != NULL)
		atomic_fetch_add(&shm->events_posted, 1);
	return ERR_OK;
}

bool
event_posted(void)
{
	static _Atomic uint32_t seen;
	uint32_t now = shm == NULL ? 0 : atomic_load(&shm->events_posted);

	return atomic_exchange(&seen, now) != now;
}

/* --- conditions ------------------------------------------------------------------------- */

static const char *
word_of(const char *condition)
{
	return strncmp(condition, "event:", 6) == 0 ? condition + 6 : condition;
}

static uint32_t
mask_of(const char *condition)
{
	const char *w = word_of(condition);
	int k = kind_of(w);

	if (strcmp(w, "all") == 0)
		return (1u << EVENT_KINDS) - 1;
	if (strncmp(condition, "memory:", 7) == 0)
		return 1u << EVENT_MEMORY;
	if (k == EVENT_LIFECYCLE)
		return 1u << EVENT_LIFECYCLE | 1u << EVENT_SPAWNED | 1u << EVENT_TERMINATED;
	return k < 0 || k == EVENT_CUSTOM ? 0 : 1u << k;
}

uint32_t
event_mask(struct json_object *conditions)
{
	uint32_t mask = 0;

	for (size_t i = 0, n = conditions == NULL ? 0 : json_object_array_length(conditions); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(conditions, i);

		if (json_object_is_type(o, json_type_string))
			mask |= mask_of(json_object_get_string(o));
	}
	return mask;
}

/* '*' stands for any text. */
static bool
key_fits(const char *p, const char *s)
{
	const char *star = NULL, *again = NULL;

	while (*s != '\0') {
		if (*p == '*') {
			star = p++;
			again = s;
		} else if (*p == *s) {
			p++;
			s++;
		} else if (star != NULL) {
			p = star + 1;
			s = ++again;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

static bool
waits_for(struct json_object *conditions, int kind, const char *detail)
{
	for (size_t i = 0, n = conditions == NULL ? 0 : json_object_array_length(conditions); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(conditions, i);
		const char *s = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";

		if (strncmp(s, "memory:", 7) == 0 ? kind == EVENT_MEMORY && key_fits(s + 7, detail) : (mask_of(s) >> kind & 1) != 0)
			return true;
	}
	return false;
}

/* --- who waits --------------------------------------------------------------------------- */

struct waiter {
	const char *agent_id;
	struct json_object *conditions;
};

static enum err
load_waiters(struct ctx *c, struct waiter **ret, size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT l.agent_id AS id, a.manifest AS manifest FROM agent_loop l"
	    " JOIN agent a ON a.id = l.agent_id WHERE l.lane = 'trigger' ORDER BY l.agent_id"));
	size_t cap = 0;

	for (*ret_n = 0, *ret = NULL; db_step(st);) {
		struct plan p = plan_of(json_stored(c, col_text(c, st, "manifest")));

		if (*ret_n == cap) {
			struct waiter *more = ctx_alloc(c, (cap = cap * 2 + 16) * sizeof(*more));

			if (more == NULL)
				return fail(c, ERR_NOMEM, "out of memory");
			if (*ret_n > 0)
				memcpy(more, *ret, *ret_n * sizeof(*more));
			*ret = more;
		}
		if (p.kind == PLAN_PROACTIVE)
			(*ret)[(*ret_n)++] = (struct waiter){ col_text(c, st, "id"), p.conditions };
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
event_refresh(struct ctx *c)
{
	struct waiter *all = NULL;
	uint32_t mask = 0;
	size_t n = 0;
	enum err e = load_waiters(c, &all, &n);

	for (size_t i = 0; i < n; i++)
		mask |= event_mask(all[i].conditions);
	if (e == ERR_OK && shm != NULL)
		atomic_store(&shm->events_wanted, mask);
	return e;
}

/* --- delivering --------------------------------------------------------------------------- */

struct event { int64_t id, depth; const char *kind, *agent_id, *detail; };

/* What it was told so far, and this too; in the arena. */
static const char *
said_with(struct ctx *c, const char *said, const struct event *ev)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);
	struct json_object *before = said != NULL ? json_stored(c, said) : NULL;
	size_t n = before == NULL ? 0 : json_object_array_length(before), from = n >= SAID_TEXTS ? n - SAID_TEXTS + 1 : 0;

	jw_array(&w, NULL);
	for (size_t i = from; i < n; i++)
		jw_json(&w, NULL, json_object_array_get_idx(before, i));
	jw_str(&w, NULL, ctx_printf(c, "%s: %s%s%s", ev->kind, ev->detail, ev->agent_id != NULL ? ", agent " : "",
	    ev->agent_id != NULL ? ev->agent_id : ""));
	jw_end(&w);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static enum err
wake(struct ctx *c, const char *agent_id, const struct event *ev)
{
	SCOPED_STMT was = db_prepare(c->db, SQL("SELECT said FROM agent_loop WHERE agent_id = ?"));
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE agent_loop SET said = ?1,"
	    " depth = CASE WHEN depth < ?2 THEN ?2 ELSE depth END, due_ms = CASE WHEN due_ms IS NOT NULL THEN due_ms"
	    " WHEN slot_ms + ?4 > ?3 AND slot_ms <= ?3 THEN slot_ms + ?4 ELSE ?3 END WHERE agent_id = ?5 AND stopped IS NULL"));
	const char *said;

	bind_text(was, agent_id);
	if (!db_step(was))
		return db_end(was) == ERR_OK ? ERR_OK : fail_db(c, was);
	if ((said = said_with(c, col_text(c, was, "said"), ev)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, said);
	bind_i64(st, ev->depth);
	bind_i64(st, clock_ms());
	bind_i64(st, EVENT_COOLDOWN_MS);
	bind_text(st, agent_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
hand_on(struct ctx *c, const struct event *ev, const struct waiter *all, size_t n, int64_t *woken)
{
	int kind = kind_of(ev->kind);
	unsigned fires = 0;

	for (size_t i = 0; kind >= 0 && i < n && fires < FIRES_MAX; i++) {
		enum err e;

		if ((ev->agent_id != NULL && strcmp(all[i].agent_id, ev->agent_id) == 0) || !waits_for(all[i].conditions, kind, ev->detail))
			continue;
		if ((e = wake(c, all[i].agent_id, ev)) != ERR_OK)
			return e;
		fires++;
		++*woken;
	}
	return ERR_OK;
}

static enum err
cursor_set(struct ctx *c, int64_t id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('event_cursor', CAST(? AS TEXT))"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"));
	SCOPED_STMT old = db_prepare(c->db, SQL("DELETE FROM event WHERE id <= ?"));

	bind_i64(st, id);
	bind_i64(old, id - EVENTS_KEPT);
	return db_exec(st) != ERR_OK ? fail_db(c, st) : db_exec(old) != ERR_OK ? fail_db(c, old) : ERR_OK;
}

enum err
event_deliver(struct ctx *c, bool *ret_more, int64_t *ret_woken)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, kind, agent_id, detail, depth FROM event WHERE id >"
	    " coalesce((SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'event_cursor'), 0) ORDER BY id LIMIT 64"));
	struct waiter *all = NULL;
	struct event ev = { .id = -1 };
	size_t n = 0, seen;
	enum err e = load_waiters(c, &all, &n);

	for (seen = 0; e == ERR_OK && seen < AT_ONCE && db_step(st); seen++) {
		ev = (struct event){ col_i64(st, "id"), col_i64(st, "depth"), col_text(c, st, "kind"), col_text(c, st, "agent_id"),
			col_text(c, st, "detail") };
		e = hand_on(c, &ev, all, n, ret_woken);
	}
	if (e == ERR_OK && seen < AT_ONCE && db_end(st) != ERR_OK)
		e = fail_db(c, st);
	*ret_more = seen == AT_ONCE;
	return e == ERR_OK && ev.id >= 0 ? cursor_set(c, ev.id) : e;
}

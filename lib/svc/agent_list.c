/*
 * Agents, listed: the page of /api/agents and the rows of /api/status.
 *
 * A list must cost little for each agent, so it parses no manifest: what it needs of
 * one stands ready in list_json, put there by whoever wrote the manifest
 * (agent_list_fragment). Texts go from the column into the answer.
 */
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "lib/svc/agent.h"
#include "lib/svc/agent_rows.h"
#include "lib/svc/caller.h"
#include "lib/svc/catalog.h"

enum { PAGE_MAX = 500, KIDS_MAX = 20000 };
static const int64_t day_ms = 86400000;

/* --- the page ----------------------------------------------------------------------- */

struct kid { const char *parent, *id; };
struct kids { struct kid *list; size_t n; };

/* Who was made by whom, for the whole page at once. */
static enum err
load_kids(struct ctx *c, const char *owner, struct kids *ret)
{
	size_t cap = 0;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, parent_id FROM agent WHERE parent_id IS NOT NULL "
	    "AND lower(author) = lower(coalesce(?, author)) ORDER BY parent_id, name LIMIT 20000"));

	bind_text(st, owner);
	while (ret->n < KIDS_MAX && db_step(st)) {
		if (ret->n == cap) {
			struct kid *more = ctx_alloc(c, (cap + 64) * 2 * sizeof(*more));

			if (more == NULL)
				return fail(c, ERR_NOMEM, "out of memory");
			if (ret->n != 0)
				memcpy(more, ret->list, ret->n * sizeof(*more));
			ret->list = more;
			cap = (cap + 64) * 2;
		}
		ret->list[ret->n].parent = col_text(c, st, "parent_id");
		ret->list[ret->n].id = col_text(c, st, "id");
		ret->n++;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
write_kids(struct jw *w, const struct kids *kids, const char *id)
{
	jw_array(w, "children");
	for (size_t i = 0; i < kids->n; i++)
		if (kids->list[i].parent != NULL && strcmp(kids->list[i].parent, id) == 0)
			jw_str(w, NULL, kids->list[i].id);
	jw_end(w);
}

static const char *
peek(struct stmt *st, const char *name)
{
	size_t n;

	return col_peek(st, name, &n);
}

/* A column's text as it is, or null. */
static void
write_col(struct jw *w, struct stmt *st, const char *name, const char *key)
{
	size_t n;
	const char *s = col_peek(st, name, &n);

	if (s == NULL)
		jw_null(w, key);
	else
		jw_strn(w, key, s, n);
}

static void
write_fragment(struct jw *w, const char *s, size_t n)
{
	static const char none[] = "\"profile\":null,\"schedule\":\"manual\","
	    "\"web_search_augmentation\":\"auto\",\"tags\":[]";

	if (n == 0)
		jw_raw(w, NULL, none, sizeof(none) - 1);
	else
		jw_raw(w, NULL, s, n);
}

/* What follows from provider and model under this configuration. */
static void
write_model_state(struct ctx *c, struct stmt *st, struct jw *w)
{
	const char *provider = peek(st, "provider"), *model = peek(st, "model"), *status;
	const struct model *m;

	agent_resolve(c->cfg, &provider, &model);
	m = catalog_model(provider, model);
	status = catalog_auth_status(c->cfg, provider);
	jw_str(w, "model_provider", provider);
	jw_str(w, "model_name", model);
	jw_str(w, "model_tier", m == NULL ? "unknown" : m->tier);
	jw_str(w, "auth_status", status);
	jw_bool(w, "supports_thinking", m != NULL && m->supports_thinking);
	jw_bool(w, "ready", strcmp(peek(st, "state"), "Running") == 0 &&
	    strcmp(status, "missing") != 0);
}

static void
write_item_identity(struct ctx *c, struct stmt *st, struct jw *w)
{
	static const char none[] = "{\"emoji\":null,\"avatar_url\":null,\"color\":null}";
	size_t n;
	const char *s = col_peek(st, "identity", &n);

	if (s == NULL || n <= 2)
		jw_raw(w, "identity", none, sizeof(none) - 1);
	else
		agent_write_identity(w, json_stored(c, s));
}

/* States of later features, which no agent is in yet. */
static void
write_idle_flags(struct jw *w)
{
	static const char text[] = "\"onboarding_completed\":false,\"onboarding_completed_at\":null,"
	    "\"force_session_wipe\":false,\"resume_pending\":false,\"reset_reason\":null";

	jw_raw(w, NULL, text, sizeof(text) - 1);
}

static void
write_item(struct ctx *c, struct stmt *st, const struct kids *kids, struct jw *w)
{
	const char *fragment;
	size_t n;

	jw_object(w, NULL);
	write_col(w, st, "id", "id");
	write_col(w, st, "name", "name");
	write_col(w, st, "description", "description");
	jw_bool(w, "is_hand", col_i64(st, "is_hand") != 0);
	write_col(w, st, "state", "state");
	write_col(w, st, "mode", "mode");
	jw_time(w, "created_at", col_i64(st, "created_ms"));
	jw_time(w, "last_active", col_i64(st, "last_active_ms"));
	write_model_state(c, st, w);
	write_col(w, st, "template", "source_template");
	fragment = col_peek(st, "list_json", &n);
	write_fragment(w, fragment, n);
	jw_i64(w, "sessions_24h", col_i64(st, "sessions"));
	jw_usd(w, "cost_24h", col_i64(st, "cost"));
	write_item_identity(c, st, w);
	write_col(w, st, "parent_id", "parent_agent_id");
	jw_bool(w, "parent_unknown", col_i64(st, "orphan") != 0);
	write_kids(w, kids, peek(st, "id"));
	write_col(w, st, "session_id", "session_id");
	write_idle_flags(w);
	jw_bool(w, "has_processed_message", col_i64(st, "has_processed") != 0);
	jw_end(w);
}

/* A filter made ready for binding. */
struct prepared {
	const char *q;                  /* lower-case LIKE pattern or NULL */
	const char *status, *owner, *sort;
	int64_t hands, dir, limit, offset;
};

static const char *
like_pattern(struct ctx *c, const char *q)
{
	char *out = q == NULL ? NULL : ctx_alloc(c, 2 * strlen(q) + 3), *p = out;

	if (out == NULL)
		return NULL;
	*p++ = '%';
	for (; *q != '\0'; q++) {
		if (strchr("%_\\", *q) != NULL)
			*p++ = '\\';
		*p++ = *q >= 'A' && *q <= 'Z' ? (char)(*q | 0x20) : *q;
	}
	*p = '%';
	return out;
}

static enum err
prepare(struct ctx *c, const struct agent_filter *f, struct prepared *p)
{
	static const char *const fields[] = { "name", "created_at", "last_active", "state" };
	const char *scope = caller_scope(c);
	const char *sort = f->sort == NULL ? "name" : f->sort;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		known = known || strcmp(fields[i], sort) == 0;
	if (!known)
		return fail(c, ERR_BAD_REQUEST, "Invalid sort field '%.*s'. Valid fields: "
		    "[\"name\", \"created_at\", \"last_active\", \"state\"]",
		    (int)utf8_cut(sort, strlen(sort), 64), sort);
	*p = (struct prepared){
		.q = f->q != NULL && *f->q != '\0' ? like_pattern(c, f->q) : NULL,
		.status = f->status,
		.owner = scope != NULL ? scope : f->owner,
		.sort = sort,
		.hands = f->include_hands,
		.dir = f->order != NULL && strcmp(f->order, "desc") == 0 ? -1 : 1,
		.limit = f->limit < 0 || f->limit > PAGE_MAX ? PAGE_MAX : f->limit,
		.offset = f->offset < 0 ? 0 : f->offset,
	};
	return ERR_OK;
}

static void
bind_filter(struct stmt *st, const struct prepared *p)
{
	bind_text(st, p->q);
	bind_text(st, p->status);
	bind_text(st, p->owner);
	bind_i64(st, p->hands);
}

static enum err
count_all(struct ctx *c, const struct prepared *p, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT count(*) AS n FROM agent a, (SELECT CAST(? AS TEXT) AS q, "
	    "CAST(? AS TEXT) AS status, CAST(? AS TEXT) AS owner, CAST(? AS BIGINT) AS hands) p "
	    "WHERE (p.q IS NULL OR lower(a.name) LIKE p.q ESCAPE '\\' "
	    "OR lower(a.description) LIKE p.q ESCAPE '\\') "
	    "AND (p.status IS NULL OR lower(a.state) = lower(p.status)) "
	    "AND (p.owner IS NULL OR lower(a.author) = lower(p.owner)) "
	    "AND (p.hands <> 0 OR a.is_hand = 0)"));

	bind_filter(st, p);
	while (db_step(st))
		*ret = col_i64(st, "n");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
write_items(struct ctx *c, const struct prepared *p, const struct kids *kids, struct jw *w,
    int64_t *rows)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT a.id, a.name, a.description, a.is_hand, a.state, a.mode, a.created_ms, "
	    "a.last_active_ms, a.provider, a.model, a.list_json, a.identity, a.template, "
	    "a.parent_id, a.session_id, a.has_processed, "
	    "CASE WHEN a.parent_id IS NULL OR EXISTS (SELECT 1 FROM agent x WHERE x.id = a.parent_id) "
	    "THEN 0 ELSE 1 END AS orphan, "
	    "(SELECT count(*) FROM session s WHERE s.agent_id = a.id AND s.created_ms >= p.since) "
	    "AS sessions, "
	    "(SELECT CAST(coalesce(sum(u.cost_nanousd), 0) AS BIGINT) FROM usage_event u "
	    "WHERE u.agent_id = a.id AND u.ts_ms >= p.since) AS cost "
	    "FROM agent a, (SELECT CAST(? AS TEXT) AS q, "
	    "CAST(? AS TEXT) AS status, CAST(? AS TEXT) AS owner, CAST(? AS BIGINT) AS hands, "
	    "CAST(? AS BIGINT) AS since, CAST(? AS TEXT) AS sort, CAST(? AS BIGINT) AS dir) p "
	    "WHERE (p.q IS NULL OR lower(a.name) LIKE p.q ESCAPE '\\' "
	    "OR lower(a.description) LIKE p.q ESCAPE '\\') "
	    "AND (p.status IS NULL OR lower(a.state) = lower(p.status)) "
	    "AND (p.owner IS NULL OR lower(a.author) = lower(p.owner)) "
	    "AND (p.hands <> 0 OR a.is_hand = 0) "
	    "ORDER BY CASE p.sort WHEN 'created_at' THEN p.dir * a.created_ms "
	    "WHEN 'last_active' THEN p.dir * a.last_active_ms END, "
	    "CASE WHEN p.sort = 'state' AND p.dir > 0 THEN a.state END, "
	    "CASE WHEN p.sort = 'state' AND p.dir < 0 THEN a.state END DESC, "
	    "CASE WHEN p.dir > 0 THEN lower(a.name) END, "
	    "CASE WHEN p.dir < 0 THEN lower(a.name) END DESC "
	    "LIMIT ? OFFSET ?"));

	bind_filter(st, p);
	bind_i64(st, c->now_ms - day_ms);
	bind_text(st, p->sort);
	bind_i64(st, p->dir);
	bind_i64(st, p->limit);
	bind_i64(st, p->offset);
	for (*rows = 0; db_step(st); ++*rows)
		write_item(c, st, kids, w);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_write_items(struct ctx *c, const struct agent_filter *f, struct jw *w)
{
	struct kids kids = { NULL, 0 };
	struct prepared p = { 0 };
	int64_t rows = 0;
	enum err e;

	if ((e = prepare(c, f, &p)) != ERR_OK || (e = load_kids(c, p.owner, &kids)) != ERR_OK)
		return e;
	return write_items(c, &p, &kids, w, &rows);
}

enum err
agent_write_page(struct ctx *c, const struct agent_filter *f, struct jw *w)
{
	struct kids kids = { NULL, 0 };
	struct prepared p = { 0 };
	int64_t rows = 0, total;
	enum err e;

	if ((e = prepare(c, f, &p)) != ERR_OK || (e = load_kids(c, p.owner, &kids)) != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_array(w, "items");
	if ((e = write_items(c, &p, &kids, w, &rows)) != ERR_OK)
		return e;
	jw_end(w);
	total = rows;
	if ((p.offset > 0 || rows == p.limit) && (e = count_all(c, &p, &total)) != ERR_OK)
		return e;
	jw_i64(w, "total", total);
	jw_i64(w, "offset", p.offset);
	jw_i64(w, "limit", p.limit);
	jw_end(w);
	return ERR_OK;
}

/* --- the rows of /api/status ---------------------------------------------------------- */

/* The profile inside such a fragment: it stands first. Quotes inside texts are escaped, so the next name cannot be mistaken. */
static const char *
fragment_profile(const char *s, size_t *n)
{
	static const char before[] = "\"profile\":", after[] = ",\"schedule\":";
	const char *end = s == NULL ? NULL : strstr(s, after);

	if (end == NULL || strncmp(s, before, sizeof(before) - 1) != 0) {
		*n = 4;
		return "null";
	}
	s += sizeof(before) - 1;
	*n = (size_t)(end - s);
	return s;
}

static void
write_status_row(struct ctx *c, struct stmt *st, struct jw *w)
{
	const char *provider = peek(st, "provider"), *model = peek(st, "model"), *profile;
	size_t n;

	agent_resolve(c->cfg, &provider, &model);
	jw_object(w, NULL);
	write_col(w, st, "id", "id");
	write_col(w, st, "name", "name");
	write_col(w, st, "state", "state");
	write_col(w, st, "mode", "mode");
	jw_time(w, "created_at", col_i64(st, "created_ms"));
	jw_str(w, "model_provider", provider);
	jw_str(w, "model_name", model);
	profile = fragment_profile(peek(st, "list_json"), &n);
	jw_raw(w, "profile", profile, n);
	jw_end(w);
}

static enum err
count_states(struct ctx *c, const char *owner, int64_t *all, int64_t *running)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT count(*) AS n, coalesce(sum(CASE WHEN state = 'Running' THEN 1 ELSE 0 END), 0) "
	    "AS running FROM agent WHERE lower(author) = lower(coalesce(?, author))"));

	bind_text(st, owner);
	while (db_step(st)) {
		*all = col_i64(st, "n");
		*running = col_i64(st, "running");
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_count(struct ctx *c, int64_t *all, int64_t *running)
{
	return count_states(c, caller_scope(c), all, running);
}

enum err
agent_write_status_rows(struct ctx *c, struct jw *w, int64_t *all, int64_t *running)
{
	const char *owner = caller_scope(c);
	int64_t rows = 0, busy = 0;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, name, state, mode, created_ms, provider, model, list_json FROM agent "
	    "WHERE lower(author) = lower(coalesce(?, author)) ORDER BY lower(name) LIMIT 500"));

	bind_text(st, owner);
	while (db_step(st)) {
		rows++;
		busy += strcmp(peek(st, "state"), "Running") == 0;
		write_status_row(c, st, w);
	}
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*all = rows;
	*running = busy;
	return rows < PAGE_MAX ? ERR_OK : count_states(c, owner, all, running);
}

enum err
agent_write_openai(struct ctx *c, struct jw *w)
{
	const char *owner = caller_scope(c);

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT name FROM agent WHERE lower(author) = lower(coalesce(?, author)) "
	    "ORDER BY created_ms, name LIMIT 5000"));

	bind_text(st, owner);
	while (db_step(st)) {
		jw_object(w, NULL);
		jw_str(w, "id", ctx_printf(c, "librefang:%s", peek(st, "name")));
		jw_str(w, "object", "model");
		jw_i64(w, "created", c->now_ms / 1000);
		jw_str(w, "owned_by", "librefang");
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_ids_of(struct ctx *c, const char *author, char (**ret)[37], size_t *ret_n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id FROM agent WHERE lower(author) = lower(?) ORDER BY id"));
	int64_t all = 0, running = 0;
	char (*v)[37];
	size_t n = 0;
	enum err e = count_states(c, author, &all, &running);

	if (e != ERR_OK)
		return e;
	if ((v = ctx_alloc(c, ((size_t)all + 1) * sizeof(*v))) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, author);
	while (n < (size_t)all && db_step(st))
		snprintf(v[n++], sizeof(*v), "%s", peek(st, "id"));
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	*ret = v;
	*ret_n = n;
	return ERR_OK;
}

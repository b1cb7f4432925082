/*
 * The rows that lie over the catalog, read into a set that is made.
 */
#include <string.h>

#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/svc/catalog_build.h"

enum { ROWS_MAX = 10000 };

/* One row of a provider's state, with what it told. */
static void
read_state(struct build *b, struct stmt *st)
{
	struct provider_state *x = &b->s->states[b->s->n_states];
	const char *live = col_text(b->c, st, "live");

	*x = (struct provider_state){
		.id = build_keep(b, col_text(b->c, st, "provider")),
		.suppressed = col_i64(st, "suppressed") != 0,
		.key_set = col_i64(st, "key_set") != 0,
		.discover = col_is_null(st, "discover") ? -1 : col_i64(st, "discover") != 0,
		.auth = build_keep(b, col_text(b->c, st, "auth")),
		.tested_ms = col_i64(st, "tested_ms"),
		.reachable = col_i64(st, "reachable") != 0,
		.latency_ms = col_i64(st, "latency_ms"),
		.error = build_keep(b, col_text(b->c, st, "error")),
		.program_model = build_keep(b, col_text(b->c, st, "program_model")),
		.live_ms = col_i64(st, "live_ms"),
	};
	if (live != NULL && (x->live = json_parse(live, strlen(live))) != NULL &&
	    (!json_object_is_type(x->live, json_type_array) || arena_defer(b->s->keep, build_put_object, x->live) != 0))
		x->live = NULL;
	b->s->n_states++;
}

static enum err
say(struct ctx *c, const char *sql)
{
	SCOPED_STMT st = db_prepare(c->db, sql);

	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
rows_begin(struct ctx *c)
{
	return say(c, SQL("SAVEPOINT catalog"));
}

void
rows_end(struct ctx *c)
{
	struct fault before = c->fault;

	ignore_err(say(c, SQL("RELEASE catalog")));     /* nothing was written */
	db_settle(c->db);               /* a read that failed can hold it open */
	c->fault = before;
}

enum err
rows_count(struct ctx *c, size_t n[4])
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT (SELECT count(*) FROM provider_state) AS states,"
	    " (SELECT count(*) FROM model_override) AS settings, (SELECT count(*) FROM model_alias) AS aliases,"
	    " (SELECT count(*) FROM model_custom) AS custom"));
	static const char *const names[4] = { "states", "settings", "aliases", "custom" };

	while (db_step(st))
		for (int i = 0; i < 4; i++) {
			int64_t k = col_i64(st, names[i]);

			n[i] = k > ROWS_MAX ? ROWS_MAX : (size_t)k;
		}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
rows_states(struct build *b, size_t most)
{
	SCOPED_STMT st = db_prepare(b->c->db, SQL("SELECT provider, suppressed, key_set, discover, auth, tested_ms, reachable,"
	    " latency_ms, error, program_model, live, live_ms FROM provider_state ORDER BY provider LIMIT 10000"));

	b->s->states = build_need(b, (most + 1) * sizeof(*b->s->states));
	while (db_step(st))
		if (b->s->n_states < most && !b->full)
			read_state(b, st);
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(b->c, st);
}

enum err
rows_settings(struct build *b, size_t most)
{
	SCOPED_STMT st = db_prepare(b->c->db, SQL("SELECT key, settings FROM model_override ORDER BY key LIMIT 10000"));
	struct catalog_set *s = b->s;

	s->overrides = build_need(b, (most + 1) * sizeof(*s->overrides));
	while (db_step(st))
		if (s->n_overrides < most && !b->full)
			s->overrides[s->n_overrides++] = (struct catalog_override){
				.key = build_keep(b, col_text(b->c, st, "key")), .json = build_keep(b, col_text(b->c, st, "settings")),
			};
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(b->c, st);
}

enum err
rows_aliases(struct ctx *c, size_t most, struct rows *r)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT alias, model_id FROM model_alias ORDER BY alias LIMIT 10000"));

	r->alias = ctx_alloc(c, (most + 1) * sizeof(*r->alias));
	while (r->alias != NULL && db_step(st))
		if (r->n_alias < most)
			r->alias[r->n_alias++] = (struct catalog_alias){ .alias = col_text(c, st, "alias"), .model_id = col_text(c, st, "model_id") };
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
rows_custom(struct ctx *c, size_t most, struct rows *r)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT facts FROM model_custom ORDER BY created_ms, id LIMIT 10000"));

	r->custom = ctx_alloc(c, (most + 1) * sizeof(struct json_object *));
	while (r->custom != NULL && db_step(st)) {
		struct json_object *o = json_stored(c, col_text(c, st, "facts"));

		if (o != NULL && r->n_custom < most)
			r->custom[r->n_custom++] = o;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* Families of agents, and the search among all of them. */
#include "lib/svc/agent_family.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/agent_rows.h"
#include "lib/svc/caller.h"


enum err
agent_family(struct ctx *c, const char *id, int64_t *ret_children, int64_t *ret_depth)
{
	SCOPED_STMT n = db_prepare(c->db, SQL("SELECT count(*) AS n FROM agent WHERE parent_id = ?"));
	SCOPED_STMT up = db_prepare(c->db, SQL("WITH RECURSIVE line (id, n) AS (SELECT parent_id, 1 FROM agent WHERE id = ?1"
	    " UNION ALL SELECT a.parent_id, l.n + 1 FROM agent a JOIN line l ON a.id = l.id WHERE l.n < 100)"
	    " SELECT count(*) AS n FROM line WHERE id IS NOT NULL"));

	bind_text(n, id);
	bind_text(up, id);
	if (!db_step(n))
		return fail_db(c, n);
	if (!db_step(up))
		return fail_db(c, up);
	*ret_children = col_i64(n, "n");
	*ret_depth = col_i64(up, "n");
	return ERR_OK;
}

enum err
agent_descends(struct ctx *c, const char *id, const char *ancestor_id, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("WITH RECURSIVE line (id, n) AS (SELECT parent_id, 1 FROM agent WHERE id = ?1"
	    " UNION ALL SELECT a.parent_id, l.n + 1 FROM agent a JOIN line l ON a.id = l.id WHERE l.n < 100)"
	    " SELECT 1 FROM line WHERE id = ?2 LIMIT 1"));

	bind_text(st, id);
	bind_text(st, ancestor_id);
	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

void
agent_write_family(struct ctx *c, const char *id, const char *parent_id, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id FROM agent WHERE parent_id = ? ORDER BY name LIMIT 1000"));
	size_t n;

	jw_str(w, "parent_agent_id", parent_id);
	jw_array(w, "children");
	bind_text(st, id);
	while (db_step(st)) {
		const char *child = col_peek(st, "id", &n);

		jw_strn(w, NULL, child, n);
	}
	jw_end(w);
}

/* --- search ---------------------------------------------------------------------------- */

static bool
in_list(struct json_object *list, const char *query)
{
	for (size_t i = 0, n = list == NULL ? 0 : json_object_array_length(list); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (json_object_is_type(o, json_type_string) && has_substr_ci(json_object_get_string(o), query))
			return true;
	}
	return false;
}

static void
write_one(struct ctx *c, struct stmt *st, const char *query, int64_t *left, struct jw *w)
{
	const char *name = col_text(c, st, "name"), *about = col_text(c, st, "description"), *manifest = col_text(c, st, "manifest");
	struct json_object *m = manifest == NULL ? NULL : json_stored(c, manifest), *tools = js_arr(js_obj(m, "capabilities"), "tools");
	struct json_object *tags = js_arr(m, "tags");

	if (name == NULL || about == NULL || (!has_substr_ci(name, query) && !has_substr_ci(about, query) && !in_list(tags, query) &&
	    !in_list(tools, query)))
		return;
	--*left;
	jw_object(w, NULL);
	jw_str(w, "id", col_text(c, st, "id"));
	jw_str(w, "name", name);
	jw_str(w, "state", col_text(c, st, "state"));
	jw_str(w, "description", about);
	agent_write_list(w, "tags", tags);
	agent_write_list(w, "tools", tools);
	jw_str(w, "model", col_text(c, st, "model"));
	jw_end(w);
}

enum err
agent_write_found(struct ctx *c, const char *query, int64_t limit, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, name, state, description, model, manifest FROM agent"
	    " WHERE lower(author) = lower(coalesce(?, author)) ORDER BY name"));

	bind_text(st, caller_scope(c));
	while (limit > 0 && db_step(st))
		write_one(c, st, query, &limit, w);
	return limit == 0 || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

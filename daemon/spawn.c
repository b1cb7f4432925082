/* Making, changing and ending agents. The row is the agent; its place (place.h) follows it. */
#include "daemon/spawn.h"

#include <stdio.h>
#include <string.h>

#include "daemon/dbpool.h"
#include "daemon/events.h"
#include "daemon/heartbeat.h"
#include "daemon/hub.h"
#include "daemon/place.h"
#include "daemon/schedule.h"
#include "daemon/turn.h"
#include "daemon/ws_chat.h"
#include "db/db.h"
#include "lib/agent/capability.h"
#include "lib/agent/manifest.h"
#include "lib/base/util.h"
#include "lib/svc/agent_family.h"
#include "lib/svc/config.h"

enum { STOP_WAIT_MS = 5000, CHILDREN_MAX = 5, CHILD_DEPTH = 10 };

static void
set_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

/* Whoever shows them, and who acts by itself. */
static void
agents_changed(void)
{
	ws_agents_changed();
	schedule_look();
	heartbeat_look();
	events_look();
}

/* A child can do no more than its parent, and there are not more of them than may be. Who has no known parent is refused. */
static enum err
check_parent(struct ctx *c, const char *parent_id, struct json_object *m)
{
	struct json_object *policy = js_obj(c->cfg->raw, "tool_policy");
	int64_t most = js_i64(policy, "subagent_max_concurrent", CHILDREN_MAX), deep = js_i64(policy, "subagent_max_depth", CHILD_DEPTH);
	int64_t children = 0, depth = 0;
	struct agent parent;
	const char *more;
	enum err e = agent_load(c, parent_id, &parent);

	if (e == ERR_NOT_FOUND)
		return fail_code(c, ERR_FORBIDDEN, "capability_denied", "The parent of that agent is not known");
	if (e == ERR_OK)
		e = agent_family(c, parent_id, &children, &depth);
	if (e != ERR_OK)
		return e;
	if ((more = caps_beyond(c, parent.manifest, parent.mode, m)) != NULL)
		return fail_code(c, ERR_FORBIDDEN, "capability_denied", "A child may do no more than you: %s", more);
	if (children >= (most < 1 ? 1 : most))
		return fail(c, ERR_FORBIDDEN, "you have %lld children already; end one first", (long long)children);
	if (depth + 1 >= (deep < 1 ? 1 : deep))
		return fail(c, ERR_FORBIDDEN, "no further generation of agents is made");
	return ERR_OK;
}

enum err
agent_spawn(struct ctx *c, const struct spawn *s, char ret_id[static 37], const char **ret_name)
{
	const char *toml = s->toml;
	size_t n = s->toml_n;
	struct json_object *m = NULL;
	struct agent_new a;
	char child[37];
	enum err e = ERR_OK;

	if (toml == NULL || n == 0)
		e = template_load(c, s->template_name, &toml, &n);
	if (e == ERR_OK && n > MANIFEST_BYTES_MAX)
		e = fail_code(c, ERR_TOO_LARGE, "manifest_too_large", "Manifest too large (max 1MB)");
	if (e == ERR_OK)
		e = manifest_parse(c, toml, n, &m);
	if (e != ERR_OK)
		return e;
	if (s->name != NULL) {
		set_text(m, "name", s->name);
		toml = manifest_to_toml(c, m);
		if (toml == NULL || manifest_parse(c, toml, strlen(toml), &m) != ERR_OK)
			return c->fault.err != ERR_OK ? c->fault.err : fail(c, ERR_NOMEM, "out of memory");
	}
	if (s->parent_id != NULL && (e = check_parent(c, s->parent_id, m)) != ERR_OK)
		return e;
	uuid4(child);
	a = (struct agent_new){ .id = s->parent_id != NULL ? child : NULL, .depth = s->depth,
		.name = js_str_or(m, "name", "unnamed"), .manifest_toml = toml, .manifest = m, .template_name = s->toml == NULL ? s->template_name : NULL, .parent_id = s->parent_id };
	if ((e = place_take(c, &a, ret_id)) != ERR_OK)
		return e;
	*ret_name = a.name;
	agents_changed();
	return ERR_OK;
}

enum err
agent_update(struct ctx *c, const struct agent *a, struct json_object *m)
{
	return agent_update_also(c, a, m, NULL);
}

enum err
agent_update_also(struct ctx *c, const struct agent *a, struct json_object *m, const struct agent_also *also)
{
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	enum err e;

	if (strcmp(js_str_or(m, "name", ""), a->name) != 0 && dir != NULL)
		set_text(m, "workspace", dir);          /* the files stay where they are */
	if ((e = place_store(c, a, m, also)) == ERR_OK)
		agents_changed();
	return e;
}

enum err
agent_replace(struct ctx *c, const struct agent *a, const char *toml, size_t n)
{
	struct json_object *m = NULL, *tags = NULL, *place = NULL;
	enum err e;

	if (n > MANIFEST_BYTES_MAX)
		return fail_code(c, ERR_TOO_LARGE, "manifest_too_large", "Manifest too large (max 1MB)");
	if ((e = manifest_parse(c, toml, n, &m)) != ERR_OK)
		return e;
	set_text(m, "name", a->name);
	if (js_arr(a->manifest, "tags") != NULL && json_object_deep_copy(js_arr(a->manifest, "tags"), &tags, NULL) == 0)
		json_object_object_add(m, "tags", tags);
	json_object_object_del(m, "workspace");
	if (js_get(a->manifest, "workspace") != NULL &&
	    json_object_deep_copy(js_get(a->manifest, "workspace"), &place, NULL) == 0)
		json_object_object_add(m, "workspace", place);
	return agent_update(c, a, m);
}

enum err
agent_end(struct ctx *c, const char *id, bool purge, bool *ret_was)
{
	struct agent a;
	const char *files;
	enum err e = agent_load(c, id, &a);

	*ret_was = false;
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	if ((e = place_leave(c, &a, purge, ret_was, &files)) != ERR_OK)
		return e;
	agents_changed();
	hub_closed(id);
	if (turns_cancel(id, NULL, CANCEL_USER) > 0) {
		job_db_release(c);
		(void)turns_wait_idle(id, STOP_WAIT_MS);        /* a tool that does not stop loses its directory */
		job_db_acquire(c);
	}
	if (files != NULL)
		place_clear(c, files);
	return ERR_OK;
}

static enum err
was_first(struct ctx *c, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM meta WHERE name = 'first_start'"));

	*ret = db_step(st);
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
mark_first(struct ctx *c)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('first_start', 'done')"
	    " ON CONFLICT (name) DO NOTHING"));

	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
agent_first(struct ctx *c)
{
	struct spawn s = { .template_name = "assistant" };
	const char *name;
	int64_t all = 0, running = 0;
	bool done = false;
	char id[37];
	enum err e = was_first(c, &done);

	if (e != ERR_OK || done)
		return e;
	e = agent_count(c, &all, &running);
	if (e == ERR_OK && all == 0)
		e = agent_spawn(c, &s, id, &name);
	return e == ERR_OK ? mark_first(c) : e;         /* who is cut short before that has another first start */
}

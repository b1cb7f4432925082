/*
 * Making, changing and ending agents.
 *
 * The row is the agent; the workspace follows it. A directory that cannot
 * be made is said before the row is committed to, by undoing the row.
 */
#include "daemon/spawn.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/dbpool.h"
#include "daemon/events.h"
#include "daemon/heartbeat.h"
#include "daemon/hub.h"
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

/* Does another agent than that one have this directory? all: also one that does not say so in its manifest. */
static bool
is_of_another(struct ctx *c, const char *id, bool all_agents, const char *dir)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, manifest FROM agent"
	    " WHERE id <> ? AND (? OR manifest LIKE '%\"workspace\":\"%')"));

	bind_text(st, id);
	bind_i64(st, all_agents);
	while (db_step(st)) {
		struct json_object *m = json_stored(c, col_text(c, st, "manifest"));
		const char *other = m == NULL ? NULL : manifest_workspace(c, m, col_text(c, st, "id"));

		if (other == NULL || strcmp(other, dir) == 0)
			return true;
	}
	return db_end(st) != ERR_OK;
}

/* Places of agents are taken and left one at a time: an agent that ends takes no files of the next one of its name. */
static pthread_mutex_t places = PTHREAD_MUTEX_INITIALIZER;

/* The place that goes with its name may be that of an agent that had the name before: then it gets another. */
static enum err
own_place(struct ctx *c, const char *id, struct json_object *m, const char **dir, const char **toml)
{
	if (js_str(m, "workspace") != NULL || access(*dir, F_OK) != 0 || !is_of_another(c, id, false, *dir))
		return ERR_OK;
	set_text(m, "workspace", ctx_printf(c, "%s-%.8s", *dir, id));
	*dir = manifest_workspace(c, m, id);
	*toml = manifest_to_toml(c, m);
	return *dir == NULL || *toml == NULL ? fail(c, ERR_NOMEM, "out of memory") : agent_store(c, id, *toml, m);
}

static enum err
make_workspace(struct ctx *c, const char *id, struct json_object *m, const char *toml)
{
	const char *dir = manifest_workspace(c, m, id);
	enum err e;

	if (dir == NULL)
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "The workspace is not a path inside the home");
	e = own_place(c, id, m, &dir, &toml);
	return e == ERR_OK ? workspace_make(c, dir, m, toml) : e;
}

/* The row and its place. */
static enum err
settle(struct ctx *c, const struct agent_new *a, char ret_id[static 37])
{
	enum err e;
	bool was;

	pthread_mutex_lock(&places);
	e = agent_insert(c, a, ret_id);
	if (e == ERR_OK && (e = make_workspace(c, ret_id, a->manifest, a->manifest_toml)) != ERR_OK) {
		struct fault f = c->fault;

		ignore_err(agent_remove(c, ret_id, true, &was));        /* the first fault is the one to tell */
		c->fault = f;
	}
	pthread_mutex_unlock(&places);
	return e;
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
	if ((e = settle(c, &a, ret_id)) != ERR_OK)
		return e;
	*ret_name = a.name;
	agents_changed();
	return ERR_OK;
}

/* What differs between was and is becomes so in to. */
static void
carry_over(struct json_object *to, struct json_object *was, struct json_object *is)
{
	json_object_object_foreach(is, key, v) {
		struct json_object *old = js_get(was, key), *here = js_get(to, key);

		if (json_object_equal(v, old))
			continue;
		if (json_object_is_type(v, json_type_object) && json_object_is_type(old, json_type_object) &&
		    json_object_is_type(here, json_type_object))
			carry_over(here, old, v);
		else
			json_object_object_add(to, key, json_object_get(v));
	}
	json_object_object_foreach(was, gone, unused) {
		(void)unused;
		if (!json_object_object_get_ex(is, gone, NULL))
			json_object_object_del(to, gone);
	}
}

/* Somebody may have changed the agent since it was looked at: nobody's change is lost for another's. */
static enum err
on_what_is_there(struct ctx *c, const struct agent *saw, struct json_object **m)
{
	struct json_object *o = NULL;
	struct agent now;
	enum err e = agent_load(c, saw->id, &now);

	if (e != ERR_OK || json_object_equal(now.manifest, saw->manifest))
		return e;
	if (json_object_deep_copy(now.manifest, &o, NULL) != 0 || json_keep(c, o) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	carry_over(o, saw->manifest, *m);
	*m = o;
	return ERR_OK;
}

/* With the places: the file is that of the row, and of no agent that came after it. */
static enum err
store(struct ctx *c, const struct agent *a, struct json_object *m)
{
	const char *toml = NULL, *dir;
	enum err e = on_what_is_there(c, a, &m);

	if (e == ERR_OK && (toml = manifest_to_toml(c, m)) == NULL)
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = manifest_parse(c, toml, strlen(toml), &m);
	if (e == ERR_OK)
		e = agent_store(c, a->id, toml, m);
	if (e != ERR_OK)
		return e;
	dir = manifest_workspace(c, m, a->id);
	if (dir == NULL || workspace_save_manifest(c, dir, toml) != ERR_OK)
		log_line(LOG_WARN, "rid=%s agent=%s what=\"agent.toml could not be written\"", c->rid, a->id);
	return ERR_OK;
}

enum err
agent_update(struct ctx *c, const struct agent *a, struct json_object *m)
{
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	enum err e;

	if (strcmp(js_str_or(m, "name", ""), a->name) != 0 && dir != NULL)
		set_text(m, "workspace", dir);          /* the files stay where they are */
	pthread_mutex_lock(&places);
	e = store(c, a, m);
	pthread_mutex_unlock(&places);
	if (e == ERR_OK)
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

/* The row goes, and whatever runs for it can write nothing any more; its files are set aside. */
static enum err
unsettle(struct ctx *c, const struct agent *a, bool purge, bool *ret_was, const char **ret_files)
{
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	enum err e;

	*ret_files = NULL;
	pthread_mutex_lock(&places);
	e = agent_remove(c, a->id, purge, ret_was);
	if (e == ERR_OK && *ret_was && dir != NULL && !is_of_another(c, a->id, js_str(a->manifest, "workspace") != NULL, dir)) {
		if ((*ret_files = workspace_set_aside(c, dir, c->cfg->workspaces_dir)) == NULL)
			workspace_remove(dir, c->cfg->workspaces_dir);
	}
	pthread_mutex_unlock(&places);
	return e;
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
	if ((e = unsettle(c, &a, purge, ret_was, &files)) != ERR_OK)
		return e;
	agents_changed();
	hub_closed(id);
	if (turns_cancel(id, NULL, CANCEL_USER) > 0) {
		job_db_release(c);
		(void)turns_wait_idle(id, STOP_WAIT_MS);        /* a tool that does not stop loses its directory */
		job_db_acquire(c);
	}
	if (files != NULL)
		workspace_remove(files, c->cfg->workspaces_dir);
	return ERR_OK;
}

static enum err
mark_first(struct ctx *c, bool *done)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO meta (name, value) VALUES ('first_start', 'done')"
	    " ON CONFLICT (name) DO NOTHING"));

	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	*done = db_changes(st) == 0;
	return ERR_OK;
}

enum err
agent_first(struct ctx *c)
{
	struct spawn s = { .template_name = "assistant" };
	const char *name;
	int64_t all = 0, running = 0;
	bool done = true;
	char id[37];
	enum err e = agent_count(c, &all, &running);

	if (e == ERR_OK && all == 0)
		e = mark_first(c, &done);
	return e != ERR_OK || done ? e : agent_spawn(c, &s, id, &name);
}

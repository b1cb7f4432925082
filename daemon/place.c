/*
 * Agents' places on the disk.
 *
 * agent.toml follows the row as underway.h says: while its note is there the row is right, whatever the file holds. A workspace that
 * goes is a row of `leftover` from the commit that removed its agent until it has another name; one that comes is made
 * under another name, and gets its own after the commit. What has such a name is swept away when nobody came to it.
 */
#include "daemon/place.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/underway.h"
#include "db/db.h"
#include "lib/agent/manifest.h"
#include "lib/agent/shared.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/leftover.h"

/* Places are taken and left one at a time: an agent that ends takes no files of the next one of its name. */
static pthread_mutex_t places = PTHREAD_MUTEX_INITIALIZER;

static bool
is_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* --- agent.toml ---------------------------------------------------------------------------- */

static const char *
note_of(struct ctx *c, const char *id)
{
	return id == NULL ? NULL : ctx_printf(c, "%s.toml", id);
}

bool
place_owes(struct ctx *c, const char *id)
{
	const char *note = note_of(c, id);

	return note == NULL || underway_is(c, note);
}

static enum err
hold(struct ctx *c, const char *id, const char *toml)
{
	const char *note = note_of(c, id);

	return note == NULL ? fail(c, ERR_NOMEM, "out of memory") : underway_hold(c, note, toml, strlen(toml));
}

/* Nothing was committed, or nobody is there any more. owed: the note was there before, for what had been. */
static void
let_go(struct ctx *c, const char *id, bool owed)
{
	const char *note = note_of(c, id);
	struct fault f = c->fault;

	if (owed || note == NULL || underway_drop(c, note) != ERR_OK)
		underway_later();
	c->fault = f;
}

static enum err
put(struct ctx *c, const char *id, struct json_object *m)
{
	const char *note = note_of(c, id), *dir = manifest_workspace(c, m, id);

	if (note == NULL || dir == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	return underway_put(c, note, ctx_printf(c, "%s/agent.toml", dir));
}

/* agent.toml becomes what the row says. */
static enum err
catch_up(struct ctx *c, const char *id, struct json_object *m, const char *toml)
{
	const char *dir = manifest_workspace(c, m, id);
	enum err e = dir == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;

	if (e == ERR_OK && !is_there(dir))
		e = workspace_make(c, dir, m, NULL);
	if (e == ERR_OK)
		e = hold(c, id, toml);
	return e == ERR_OK ? put(c, id, m) : e;
}

/* After the commit: what cannot be done now is done later. */
static void
follow(struct ctx *c, const char *id, struct json_object *m, const char *toml)
{
	if (put(c, id, m) != ERR_OK && catch_up(c, id, m, toml) != ERR_OK) {
		log_line(LOG_WARN, "rid=%s agent=%s what=\"agent.toml could not be written, it will be\" errno=%d", c->rid, id, errno);
		underway_later();
	}
	c->fault = (struct fault){ 0 };
}

enum err
place_settled(struct ctx *c, const struct agent *a)
{
	enum err e = ERR_OK;

	pthread_mutex_lock(&places);
	if (place_owes(c, a->id))
		e = catch_up(c, a->id, a->manifest, a->manifest_toml);
	pthread_mutex_unlock(&places);
	return e;
}

/* --- a new agent ---------------------------------------------------------------------------- */

/*
 * Does another agent than that one have this directory, one in it, or one around it, as its own or to share? Or is such a one
 * what that manifest (NULL: none) shares? all: also one that does not say so in its manifest.
 */
static enum err
is_of_another(struct ctx *c, const char *id, struct json_object *mine, bool all, const char *dir, bool *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, manifest FROM agent WHERE id <> ? AND (? OR manifest LIKE '%\"workspace\":\"%'"
	    " OR manifest LIKE '%\"workspaces\":{%')"));

	*ret = false;
	bind_text(st, id);
	bind_i64(st, all);
	while (!*ret && db_step(st)) {
		struct json_object *m = json_stored(c, col_text(c, st, "manifest"));
		const char *other = m == NULL ? NULL : manifest_workspace(c, m, col_text(c, st, "id"));

		if (other == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		*ret = dirs_overlap(other, dir) || shared_overlaps(c, m, dir) || shared_overlaps(c, mine, other);
	}
	return *ret || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* The file of two agents would be what the later one wrote. */
static enum err
check_alone(struct ctx *c, const char *id, struct json_object *m, const char *dir)
{
	bool taken;
	enum err e = is_of_another(c, id, m, js_str(m, "workspace") != NULL, dir, &taken);

	return e != ERR_OK || !taken ? e : fail_code(c, ERR_CONFLICT, "workspace_taken", "The workspace %s, or one that is to be shared, is "
	    "another agent's, or lies in or around one; agents share files with [workspaces.NAME] in a place of nobody's own", dir);
}

/* What it shares is anybody's to share. was: the manifest before, which may stay as it is; NULL: none. */
static enum err
check_shared(struct ctx *c, const char *id, struct json_object *was, struct json_object *m, const char *dir)
{
	struct json_object *shared = js_get(m, "workspaces");
	enum err e;

	if (dir == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (shared == NULL || json_object_equal(shared, js_get(was, "workspaces")))
		return ERR_OK;
	e = shared_allowed(c, m);
	return e == ERR_OK ? check_alone(c, id, m, dir) : e;
}

enum err
place_alone(struct ctx *c, const struct agent *a)
{
	const char *dir = manifest_workspace(c, a->manifest, a->id);

	return dir == NULL ? fail(c, ERR_NOMEM, "out of memory") : check_alone(c, a->id, a->manifest, dir);
}

/* Nothing of an agent that ended is in that place. *ret: it could not be brought about. */
static enum err
evict(struct ctx *c, const char *dir, bool *ret)
{
	const char *root = c->cfg->workspaces_dir;

	*ret = false;
	if (is_there(dir) && workspace_set_aside(c, dir, root) == NULL) {
		workspace_remove(dir, root);
		*ret = is_there(dir);
	}
	return *ret ? ERR_OK : leftover_drop(c, dir);
}

static enum err
is_taken(struct ctx *c, const char *id, const char *dir, bool own, bool *ret)
{
	enum err e = leftover_has(c, dir, ret);

	if (e == ERR_OK && *ret)
		e = evict(c, dir, ret);
	return e != ERR_OK || *ret || own || !is_there(dir) ? e : is_of_another(c, id, NULL, false, dir, ret);
}

/* The place that goes with its name may be that of an agent that had the name before: then it gets another. */
static enum err
choose(struct ctx *c, const char *id, struct json_object *m, const char **dir, const char **toml)
{
	bool own = js_str(m, "workspace") != NULL, taken;
	enum err e;

	if ((*dir = manifest_workspace(c, m, id)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if ((e = is_taken(c, id, *dir, own, &taken)) != ERR_OK || !taken)
		return e == ERR_OK && own ? check_alone(c, id, m, *dir) : e;
	if (own)
		return fail(c, ERR_IO, "the files of an agent that ended are in the way");
	json_object_object_add(m, "workspace", json_object_new_string(ctx_printf(c, "%s-%.8s", *dir, id)));
	*dir = manifest_workspace(c, m, id);
	*toml = manifest_to_toml(c, m);
	if (*dir == NULL || *toml == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = is_taken(c, id, *dir, true, &taken);
	return e == ERR_OK && taken ? fail(c, ERR_IO, "the files of an agent that ended are in the way") : e;
}

static bool
parent_made(struct ctx *c, const char *dir)
{
	char *parent = ctx_strdup(c, dir), *slash = parent == NULL ? NULL : strrchr(parent, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return dir_make(parent, 0700);
}

/* As far as it can be done before anybody has the name: *ret_made, the directory itself when it is there already. */
static enum err
prepare(struct ctx *c, const struct agent_new *a, const char *dir, const char **ret_made)
{
	const char *made = is_there(dir) ? dir : workspace_coming(c, c->cfg->workspaces_dir);
	enum err e;

	if (made == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!parent_made(c, dir))
		return fail(c, ERR_IO, "the agent's workspace cannot be made");
	*ret_made = made;
	e = workspace_make(c, made, a->manifest, NULL);
	return e == ERR_OK ? hold(c, a->id, a->manifest_toml) : e;
}

static enum err
settle(struct ctx *c, const struct agent_new *a, const char *dir, char ret_id[static 37])
{
	const char *made = NULL;
	bool owed = place_owes(c, a->id);
	enum err e = prepare(c, a, dir, &made);

	if (e == ERR_OK)
		e = agent_insert(c, a, ret_id);
	if (e != ERR_OK)
		let_go(c, a->id, owed);
	if (made != NULL && made != dir && (e != ERR_OK || rename(made, dir) != 0))
		place_clear(c, made);
	if (e == ERR_OK)
		follow(c, a->id, a->manifest, a->manifest_toml);
	return e;
}

enum err
place_take(struct ctx *c, const struct agent_new *a, char ret_id[static 37])
{
	struct agent_new mine = *a;
	const struct shared_dir *shared;
	const char *dir = NULL;
	char id[37];
	enum err e;

	pthread_mutex_lock(&places);
	e = agent_name_free(c, a->name);
	if (e == ERR_OK && a->id == NULL)
		e = agent_identity(c, a->name, id);
	if (mine.id == NULL)
		mine.id = id;
	if (e == ERR_OK)
		e = choose(c, mine.id, mine.manifest, &dir, &mine.manifest_toml);
	if (e == ERR_OK)
		e = check_shared(c, mine.id, NULL, mine.manifest, dir);
	if (e == ERR_OK)
		e = settle(c, &mine, dir, ret_id);
	if (e == ERR_OK)
		(void)shared_dirs(c, mine.manifest, &shared);   /* they are made now, for who wants to put something there */
	pthread_mutex_unlock(&places);
	return e;
}

/* --- changed ---------------------------------------------------------------------------------- */

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

static enum err
store(struct ctx *c, const struct agent *saw, struct json_object *m, const struct agent_also *also)
{
	const char *toml = NULL;
	bool owed = place_owes(c, saw->id);
	enum err e = on_what_is_there(c, saw, &m);

	if (e == ERR_OK && (toml = manifest_to_toml(c, m)) == NULL)
		e = fail(c, ERR_NOMEM, "out of memory");
	if (e == ERR_OK)
		e = manifest_parse(c, toml, strlen(toml), &m);
	if (e == ERR_OK)
		e = check_shared(c, saw->id, saw->manifest, m, manifest_workspace(c, m, saw->id));
	if (e == ERR_OK)
		e = hold(c, saw->id, toml);
	if (e != ERR_OK)
		return e;
	e = agent_store(c, saw->id, toml, m, also);
	if (e == ERR_OK)
		follow(c, saw->id, m, toml);
	else
		let_go(c, saw->id, owed);
	return e;
}

enum err
place_store(struct ctx *c, const struct agent *saw, struct json_object *m, const struct agent_also *also)
{
	enum err e;

	pthread_mutex_lock(&places);
	e = store(c, saw, m, also);
	pthread_mutex_unlock(&places);
	return e;
}

/* --- ended -------------------------------------------------------------------------------------- */

static enum err
leave(struct ctx *c, const struct agent *a, bool purge, bool *ret_was, const char **ret_files)
{
	const char *dir = manifest_workspace(c, a->manifest, a->id);
	bool kept = false, stays;
	enum err e = dir == NULL ? fail(c, ERR_NOMEM, "out of memory")
	    : is_of_another(c, a->id, NULL, js_str(a->manifest, "workspace") != NULL, dir, &kept);

	if (e == ERR_OK && !workspace_removable(dir, c->cfg->workspaces_dir))
		kept = true;
	if (e == ERR_OK)
		e = agent_remove(c, a->id, purge, kept ? NULL : dir, ret_was);
	if (e != ERR_OK || !*ret_was)
		return e;
	if (place_owes(c, a->id))
		let_go(c, a->id, false);
	if (kept)
		return ERR_OK;
	*ret_files = workspace_set_aside(c, dir, c->cfg->workspaces_dir);
	stays = *ret_files == NULL && is_there(dir);
	if (stays || leftover_drop(c, dir) != ERR_OK)
		underway_later();
	c->fault = (struct fault){ 0 };         /* it is gone; the rest is for later */
	return ERR_OK;
}

enum err
place_leave(struct ctx *c, const struct agent *a, bool purge, bool *ret_was, const char **ret_files)
{
	enum err e;

	*ret_files = NULL;
	pthread_mutex_lock(&places);
	e = leave(c, a, purge, ret_was, ret_files);
	pthread_mutex_unlock(&places);
	return e;
}

void
place_clear(struct ctx *c, const char *files)
{
	workspace_remove(files, c->cfg->workspaces_dir);
	if (is_there(files))
		underway_later();
}

/* --- later --------------------------------------------------------------------------------------- */

enum err
place_work_off(struct ctx *c, const char *id)
{
	const char *note = note_of(c, id);
	struct agent a;
	enum err e;

	if (note == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	pthread_mutex_lock(&places);
	e = agent_load(c, id, &a);
	if (e == ERR_NOT_FOUND)
		e = underway_drop(c, note);
	else if (e == ERR_OK && underway_is(c, note))
		e = catch_up(c, id, a.manifest, a.manifest_toml);
	pthread_mutex_unlock(&places);
	return e;
}

/* false: something is left to do. */
static bool
evict_all(struct ctx *c)
{
	const char **dirs;
	size_t n = 0;
	bool clean = leftovers(c, &dirs, &n) == ERR_OK;

	for (size_t i = 0; i < n; i++) {
		bool stays = false;
		enum err e = is_of_another(c, "", NULL, true, dirs[i], &stays);

		if (e == ERR_OK && !stays)
			e = evict(c, dirs[i], &stays);
		clean = clean && e == ERR_OK && !stays;
	}
	return clean;
}

bool
places_tidy(struct ctx *c)
{
	const char *root = c->cfg->workspaces_dir;
	bool clean;

	pthread_mutex_lock(&places);
	clean = evict_all(c);
	clean = workspaces_sweep(root, true) && clean;
	pthread_mutex_unlock(&places);
	return workspaces_sweep(root, false) && clean;
}

/*
 * Directories that agents share.
 *
 * A manifest is checked when it comes; whether a mount is allowed is asked again whenever it is used, for the configuration
 * may have changed, and what stands there is looked at as it really is, past all symlinks.
 */
#include "lib/agent/shared.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/agent/manifest.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { NAME_BYTES = 64, SHARED_MAX = 32 };

bool
dirs_overlap(const char *a, const char *b)
{
	size_t n = strlen(a), k = strlen(b), least = n < k ? n : k;

	return strncmp(a, b, least) == 0 && (n == k || (n < k ? b : a)[least] == '/');
}

static struct json_object *
table(struct json_object *manifest)
{
	struct json_object *all = js_get(manifest, "workspaces");

	return json_object_is_type(all, json_type_object) ? all : NULL;
}

/* -1: no such mode. */
static int
is_writable(struct json_object *one)
{
	static const char *const rw[] = { "readwrite", "rw", "read-write", "read_write" }, *const r[] = { "readonly", "r", "read", "read-only", "read_only" };
	const char *mode = js_get(one, "mode") == NULL ? rw[0] : js_str_or(one, "mode", "");

	for (size_t i = 0; i < ARRAY_LEN(rw); i++)
		if (strcmp(mode, rw[i]) == 0)
			return 1;
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		if (strcmp(mode, r[i]) == 0)
			return 0;
	return -1;
}

/* Where it is, as the manifest says; NULL: out of memory. */
static const char *
dir_of(struct ctx *c, struct json_object *one)
{
	const char *path = js_str(one, "path"), *mount = js_str(one, "mount");

	return path_tidy(path == NULL ? ctx_strdup(c, mount) : *path == '/' ? ctx_strdup(c, path) : ctx_printf(c, "%s/%s", c->cfg->workspaces_dir, path));
}

/* --- what a manifest may say ------------------------------------------------------------ */

static bool
is_name(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return n > 0 && n <= NAME_BYTES;
}

/* Absolute, and without tricks. */
static bool
is_mount(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || (s[i] == '/' && strncmp(s + i, "/..", 3) == 0 && (s[i + 3] == '/' || s[i + 3] == '\0')))
			return false;
	return *s == '/' && n < PATH_MAX;
}

/* Where agents and hands live. */
static bool
is_a_home(struct ctx *c, const char *dir)
{
	return dirs_overlap(dir, ctx_printf(c, "%s/agents", c->cfg->workspaces_dir)) ||
	    dirs_overlap(dir, ctx_printf(c, "%s/hands", c->cfg->workspaces_dir));
}

static const char *
fault_of(struct ctx *c, const char *name, struct json_object *one)
{
	const char *path = js_str(one, "path"), *mount = js_str(one, "mount");

	if (!is_name(name))
		return "a name of 1 to 64 bytes is expected";
	if (!json_object_is_type(one, json_type_object) || (path == NULL) == (mount == NULL))
		return "a table with either path or mount is expected";
	if (is_writable(one) < 0)
		return "mode is readwrite or readonly";
	if (path != NULL && (!manifest_is_place(c, path) || is_a_home(c, dir_of(c, one))))
		return "path: a directory inside the workspaces, without .., is expected, and none where agents live";
	return mount == NULL || is_mount(mount) ? NULL : "mount: an absolute directory without .. is expected";
}

const char *
shared_fault(struct ctx *c, struct json_object *manifest, const char **ret_key)
{
	struct json_object *all = table(manifest);
	const char *seen[SHARED_MAX + 1], *why, *own = js_str(manifest, "workspace");
	size_t n = 0;

	*ret_key = "workspaces";
	if (all == NULL || c->cfg == NULL)
		return NULL;
	if (json_object_object_length(all) > SHARED_MAX)
		return "at most 32 are expected";
	if (own != NULL)
		seen[n++] = manifest_workspace(c, manifest, "");
	json_object_object_foreach(all, name, one) {
		*ret_key = ctx_printf(c, "workspaces.%s", name);
		if ((why = fault_of(c, name, one)) != NULL)
			return why;
		seen[n] = dir_of(c, one);
		for (size_t i = 0; i < n; i++)
			if (seen[n] == NULL || seen[i] == NULL || dirs_overlap(seen[i], seen[n]))
				return "it lies in, around or at another workspace of this agent";
		n++;
	}
	return NULL;
}

bool
shared_overlaps(struct ctx *c, struct json_object *manifest, const char *dir)
{
	struct json_object *all = table(manifest);
	bool any = false;

	if (all == NULL)
		return false;
	json_object_object_foreach(all, name, one) {
		const char *mine = js_str(one, "path") != NULL ? dir_of(c, one) : NULL;

		(void)name;
		any |= mine != NULL && dirs_overlap(mine, dir);
	}
	return any;
}

/* --- mounts ------------------------------------------------------------------------------- */

/* As it really is; NULL: it is not there, or no directory. */
static const char *
real_dir(struct ctx *c, const char *dir)
{
	char *real = realpath(dir, NULL);
	const char *ret = real != NULL ? ctx_strdup(c, real) : NULL;
	struct stat st;

	free(real);
	return ret != NULL && stat(ret, &st) == 0 && S_ISDIR(st.st_mode) ? ret : NULL;
}

static bool
lies_in(const char *dir, const char *root)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	return strncmp(dir, root, n) == 0 && (dir[n] == '/' || dir[n] == '\0');
}

/* Under a root that the configuration allows, and no way into the home, whose secrets no agent is to see. */
static bool
may_mount(struct ctx *c, const char *mount)
{
	struct json_object *roots = js_arr(c->cfg->raw, "allowed_mount_roots");
	const char *real = real_dir(c, mount), *home = real_dir(c, c->cfg->home), *spaces = real_dir(c, c->cfg->workspaces_dir);

	if (real == NULL || home == NULL || dirs_overlap(real, home) || spaces == NULL || dirs_overlap(real, spaces) || strcmp(real, "/") == 0)
		return false;
	for (size_t i = 0, n = roots != NULL ? json_object_array_length(roots) : 0; i < n; i++) {
		const char *root = json_object_get_string(json_object_array_get_idx(roots, i));

		if (root != NULL && *root == '/' && (root = real_dir(c, root)) != NULL && lies_in(real, root))
			return true;
	}
	return false;
}

enum err
shared_allowed(struct ctx *c, struct json_object *manifest)
{
	struct json_object *all = table(manifest);

	if (all == NULL)
		return ERR_OK;
	json_object_object_foreach(all, name, one) {
		const char *mount = js_str(one, "mount");

		if (mount != NULL && !may_mount(c, mount))
			return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid manifest: workspaces.%s: mount: a directory "
			    "under allowed_mount_roots, and outside the home, is expected", name);
	}
	return ERR_OK;
}

/* --- in use ---------------------------------------------------------------------------------- */

size_t
shared_dirs(struct ctx *c, struct json_object *manifest, const struct shared_dir **ret)
{
	struct json_object *all = table(manifest);
	struct shared_dir *v = all != NULL ? ctx_alloc(c, SHARED_MAX * sizeof(*v)) : NULL;
	size_t n = 0;

	*ret = v;
	if (v == NULL)
		return 0;
	json_object_object_foreach(all, name, one) {
		const char *mount = js_str(one, "mount"), *dir = js_str(one, "path") != NULL || mount != NULL ? dir_of(c, one) : NULL;

		if (n < SHARED_MAX && dir != NULL && (mount != NULL ? may_mount(c, mount) : dir_make(dir, 0700)))
			v[n++] = (struct shared_dir){ name, dir, is_writable(one) == 1 };
	}
	return n;
}

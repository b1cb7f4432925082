/*
 * Workspaces: an agent's directory, made and removed.
 *
 * Making is idempotent: what is there stays, so that files of an agent survive a
 * restart. Removing is the dangerous half: the tree was written by a
 * model. It is taken apart from its top with two descriptors and without recursion
 * (a deep tree is flattened by renaming), and no symlink is ever followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/agent/manifest.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { REDUCED_MAX = 100, PASSES_MAX = 100000 };

const char *const workspace_identity_files[] = {
	"SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md", "MEMORY.md", "AGENTS.md", "BOOTSTRAP.md",
	"HEARTBEAT.md", NULL
};

/* What the files begin as: headings and remarks, which do not count as content for the prompt. */
static const char *const identity_texts[] = {
	"# Soul\n\n<!-- Character and values: how this agent thinks and speaks. -->\n",
	"# Identity\n\n<!-- Who this agent is: role, field, what it stands for. -->\n",
	"# User\n\n<!-- What is worth knowing of the people it works for. -->\n\nName:\n",
	"# Tools\n\n<!-- Hints for its tools: places, conventions, things to avoid. -->\n",
	"# Memory\n\n<!-- Facts that should be at hand in every conversation. -->\n",
	"# Agents\n\n<!-- How it works with other agents, and with whom. -->\n",
	"# First conversation\n\nWhen it fits, learn the user's name and keep it with memory_store under `user_name`.\n",
	"# Heartbeat\n\n<!-- What to look after when it runs on its own. -->\n",
};
_Static_assert(ARRAY_LEN(identity_texts) + 1 == ARRAY_LEN(workspace_identity_files), "one text each");

/* --- where --------------------------------------------------------------------- */

/* The name's letters that a directory may have; ret_lost: some were left out. */
static size_t
reduce(const char *name, char out[static REDUCED_MAX + 1], bool *ret_lost)
{
	size_t n = 0;

	*ret_lost = false;
	for (; *name != '\0'; name++) {
		bool good = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		    (*name >= '0' && *name <= '9') || *name == '-' || *name == '_';

		if (good && n < REDUCED_MAX)
			out[n++] = *name;
		else
			*ret_lost = true;
	}
	out[n] = '\0';
	return n;
}

const char *
manifest_workspace(struct ctx *c, struct json_object *manifest, const char *id)
{
	const char *own = js_str(manifest, "workspace"), *root = c->cfg->workspaces_dir;
	char name[REDUCED_MAX + 1];
	bool lost;

	if (own != NULL)
		return path_tidy(*own == '/' ? ctx_strdup(c, own) : ctx_printf(c, "%s/%s", root, own));
	if (reduce(js_str_or(manifest, "name", ""), name, &lost) == 0)
		return ctx_printf(c, "%s/agents/%s", root, id);
	if (lost)
		return ctx_printf(c, "%s/agents/%s-%.8s", root, name, id);
	return ctx_printf(c, "%s/agents/%s", root, name);
}

/* --- making ---------------------------------------------------------------------- */

static bool
make_file(int dir, const char *name, const char *text)
{
	SCOPED_FD fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t n = strlen(text);

	if (fd < 0)
		return errno == EEXIST;
	return write(fd, text, n) == (ssize_t)n;
}

static bool
make_identity(int dir)
{
	SCOPED_FD id = openat(dir, ".identity", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (id < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(identity_texts); i++)
		/* an older workspace has it one level up */
		if (faccessat(dir, workspace_identity_files[i], F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
		    !make_file(id, workspace_identity_files[i], identity_texts[i]))
			return false;
	return true;
}

enum err
workspace_save_manifest(struct ctx *c, const char *dir, const char *toml)
{
	const char *path = ctx_printf(c, "%s/agent.toml", dir);

	if (path == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (file_keep(path, toml, strlen(toml), 0600) != ERR_OK)
		return fail(c, ERR_IO, "the agent's manifest cannot be written: %s", strerror(errno));
	return ERR_OK;
}

enum err
workspace_make(struct ctx *c, const char *dir, struct json_object *manifest, const char *toml)
{
	static const char *const subs[] = { "data", "output", "sessions", "skills", "logs", "memory", ".identity" };
	SCOPED_FD fd = -1;

	if (dir_make(dir, 0700))
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(c, ERR_IO, "the agent's workspace cannot be made");
	for (size_t i = 0; i < ARRAY_LEN(subs); i++)
		if (mkdirat(fd, subs[i], 0700) != 0 && errno != EEXIST)
			return fail(c, ERR_IO, "the agent's workspace cannot be made");
	if (js_bool(manifest, "generate_identity_files", true) && !make_identity(fd))
		return fail(c, ERR_IO, "the agent's identity files cannot be written");
	return toml == NULL ? ERR_OK : workspace_save_manifest(c, dir, toml);
}

/* --- removing ---------------------------------------------------------------------- */

static int
open_sub(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* a directory that its owner may not read */
	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		(void)fchmod(fd, 0700);         /* needed to unlink in it; a failure shows there */
	return fd;
}

/* Is that another file system mounted here? */
static bool
is_mount(int dir, int sub)
{
	struct stat a, b;

	return fstat(dir, &a) != 0 || fstat(sub, &b) != 0 || a.st_dev != b.st_dev;
}

/* Unlink all in the directory that is no directory; lift the rest up into top. -1: an entry resists. */
static int
empty_one(int top, int fd, uint64_t *serial)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int ret = 0;

	if (d == NULL) {
		close(fd);
		return -1;
	}
	while ((de = readdir(d)) != NULL) {
		char lifted[40];

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    unlinkat(dirfd(d), de->d_name, 0) == 0)
			continue;
		snprintf(lifted, sizeof(lifted), ".lf-removed-%016jx", (uintmax_t)(*serial)++);
		if (unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR) != 0 &&
		    renameat(dirfd(d), de->d_name, top, lifted) != 0)
			ret = -1;
	}
	closedir(d);
	return ret;
}

/* One pass over the top directory; how many entries are left, -1 when nothing could be done. */
static int
empty_top(int top, uint64_t *serial)
{
	int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), left = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	bool progress = false;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((de = readdir(d)) != NULL) {
		int sub;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (unlinkat(top, de->d_name, 0) == 0) {
			progress = true;
			continue;
		}
		left++;
		sub = open_sub(top, de->d_name);
		if (sub >= 0 && is_mount(top, sub)) {
			close(sub);
			continue;
		}
		if (sub >= 0 && empty_one(top, sub, serial) == 0 && unlinkat(top, de->d_name, AT_REMOVEDIR) == 0)
			progress = true;
	}
	closedir(d);
	return left > 0 && !progress ? -1 : left;
}

/* The directory that holds dir, reached from root without symlinks; *ret_name: its last name. */
static int
open_parent(const char *dir, const char *root, const char **ret_name)
{
	size_t n = strlen(root);
	SCOPED_FD at = -1;
	const char *rel;

	while (n > 1 && root[n - 1] == '/')
		n--;
	if (strncmp(dir, root, n) != 0 || dir[n] != '/' || strstr(dir + n, "/..") != NULL)
		return -1;
	at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (rel = dir + n + strspn(dir + n, "/"); at >= 0 && strchr(rel, '/') != NULL;) {
		char name[256];
		size_t k = strcspn(rel, "/");
		int next;

		if (k == 0 || k >= sizeof(name))
			return -1;
		memcpy(name, rel, k);
		name[k] = '\0';
		rel += k + 1;
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	if (*rel == '\0' || strcmp(rel, ".") == 0)
		return -1;
	*ret_name = rel;
	return TAKE_FD(at);
}

void
workspace_remove(const char *dir, const char *root)
{
	const char *name = NULL;
	SCOPED_FD parent = open_parent(dir, root, &name);
	SCOPED_FD top = -1;
	uint64_t serial;
	int left = 1;

	if (parent < 0)
		return;
	random_bytes(&serial, sizeof(serial));
	top = open_sub(parent, name);
	for (unsigned pass = 0; top >= 0 && left > 0 && pass < PASSES_MAX; pass++)
		left = empty_top(top, &serial);
	if (top >= 0)
		(void)unlinkat(parent, name, AT_REMOVEDIR);     /* stays when something in it resisted */
}

#define ENDED ".ended-"
#define COMING ".coming-"

static const char *
aside(struct ctx *c, const char *root, const char *prefix)
{
	char id[37];

	uuid4(id);
	return ctx_printf(c, "%s/%s%s", root, prefix, id);
}

const char *
workspace_coming(struct ctx *c, const char *root)
{
	return aside(c, root, COMING);
}

const char *
workspace_set_aside(struct ctx *c, const char *dir, const char *root)
{
	const char *name = NULL, *to = aside(c, root, ENDED);
	SCOPED_FD parent = open_parent(dir, root, &name);

	return parent >= 0 && to != NULL && renameat(parent, name, AT_FDCWD, to) == 0 ? to : NULL;
}

bool
workspace_removable(const char *dir, const char *root)
{
	const char *name;
	SCOPED_FD parent = -1;

	errno = EINVAL;
	parent = open_parent(dir, root, &name);
	return parent >= 0 || (errno != EINVAL && errno != ELOOP && errno != ENOTDIR);
}

void
workspaces_sweep_files(const char *root, int64_t before_ms)
{
	char path[4096];
	DIR *d;

	if (snprintf(path, sizeof(path), "%s/agents", root) >= (int)sizeof(path) || (d = opendir(path)) == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.' && snprintf(path, sizeof(path), "%s/agents/%s", root, e->d_name) < (int)sizeof(path))
			(void)files_sweep(path, before_ms);
	closedir(d);
}

bool
workspaces_sweep(const char *root, bool coming)
{
	const char *prefix = coming ? COMING : ENDED;
	DIR *d = opendir(root);
	bool clean = d != NULL || errno == ENOENT;
	char path[4096];

	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", root, e->d_name) >= (int)sizeof(path))
			continue;
		workspace_remove(path, root);
		clean = clean && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	}
	if (d != NULL)
		closedir(d);
	return clean;
}

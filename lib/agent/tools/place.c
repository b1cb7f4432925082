/*
 * Where a path of a tool lies: in the agent's own workspace, or, when it is absolute, in a directory that it shares with others.
 *
 * The sandbox holds each inside its directory; here is only chosen which one that is. agent.toml is not for
 * writing: it says what an agent may do, and is read again at the next start. In a shared directory that goes for all of that name.
 */
#include <string.h>

#include "lib/agent/sandbox.h"
#include "lib/agent/shared.h"
#include "lib/agent/tools/tools.h"

const char *const tool_managed_files[] = { "agent.toml", NULL };
static const char *const managed_anywhere[] = { "**/agent.toml", NULL };

static const struct shared_dir *
shared_with(const struct tool_env *env, const char *path, size_t n)
{
	if (n == 0 || path[0] != '/' || sandbox_holds(env->workspace, path, n) > 0)
		return NULL;
	for (size_t i = 0; i < env->n_shared; i++)
		if (sandbox_holds(env->shared[i].dir, path, n) > 0)
			return &env->shared[i];
	return NULL;
}

const char *
tool_root(const struct tool_env *env, const char *path, size_t n)
{
	const struct shared_dir *s = shared_with(env, path, n);

	return s != NULL ? s->dir : env->workspace;
}

enum err
tool_may_write(struct tool_env *env, const char *path, size_t n)
{
	const struct shared_dir *s = shared_with(env, path, n);

	return s == NULL || s->writable ? ERR_OK : fail(env->c, ERR_FORBIDDEN, "the workspace %s is for reading only: %s", s->name, s->dir);
}

enum err
tool_read(struct tool_env *env, const char *path, size_t n, size_t max, struct buf *out)
{
	return sandbox_read(env->c, tool_root(env, path, n), path, n, max, out);
}

enum err
tool_write(struct tool_env *env, const char *path, size_t n, const void *bytes, size_t size)
{
	const char *root = tool_root(env, path, n);
	enum err e = tool_may_write(env, path, n);

	return e != ERR_OK ? e : sandbox_write(env->c, root, path, n, bytes, size, root == env->workspace ? tool_managed_files : managed_anywhere);
}

enum err
tool_remove(struct tool_env *env, const char *path, size_t n)
{
	enum err e = tool_may_write(env, path, n);

	return e != ERR_OK ? e : sandbox_remove(env->c, tool_root(env, path, n), path, n, managed_anywhere);
}

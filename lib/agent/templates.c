/*
 * Templates: manifests to begin with. Many are part of the program; those in the home go first, also
 * under the same name.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/base/embed.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

#define TEMPLATE(id, name) EMBED(tpl_##id, "share/agents/" name ".toml");
#include "lib/agent/templates.def"
#undef TEMPLATE

static const char *const names[] = {
#define TEMPLATE(id, name) name,
#include "lib/agent/templates.def"
#undef TEMPLATE
};

enum { LISTED_MAX = 1000 };

const char *
template_text(const char *name, size_t *n)
{
	const struct { const char *text; size_t n; } texts[] = {
#define TEMPLATE(id, name) { tpl_##id, EMBED_SIZE(tpl_##id) },
#include "lib/agent/templates.def"
#undef TEMPLATE
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0) {
			*n = texts[i].n;
			return texts[i].text;
		}
	return NULL;
}

size_t
template_names(const char *const **ret)
{
	*ret = names;
	return ARRAY_LEN(names);
}

bool
is_template_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

/* NOT_FOUND when there is no such file, or none that may be read. */
static enum err
from_home(struct ctx *c, const char *dir, const char *name, const char *tail, const char **toml, size_t *n)
{
	SCOPED_BUF b = BUF_INIT(MANIFEST_BYTES_MAX + 131072);
	const char *path = ctx_printf(c, "%s%s%s", dir, name, tail);
	enum err e;

	if (path == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = sandbox_read(c, c->cfg->home, path, strlen(path), MANIFEST_BYTES_MAX, &b);
	if (e == ERR_TOO_LARGE)
		return fail_code(c, e, "manifest_too_large", "Manifest too large (max 1MB)");
	if (e != ERR_OK)
		return err_status(e) >= 500 ? e : ERR_NOT_FOUND;
	*toml = ctx_strndup(c, b.p != NULL ? b.p : "", b.len);
	*n = b.len;
	return *toml != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

static enum err
unknown(struct ctx *c, const char *name)
{
	return fail_code(c, ERR_NOT_FOUND, "template_not_found", "Template '%s' not found", name);
}

enum err
template_find(struct ctx *c, const char *name, const char **toml, size_t *n, bool *ret_own)
{
	enum err e;

	*ret_own = true;
	if (!is_template_name(name))
		return unknown(c, "?");
	e = from_home(c, "agent-types/", name, ".toml", toml, n);
	if (e == ERR_NOT_FOUND)
		e = from_home(c, "agent-types/", name, "/agent.toml", toml, n);
	if (e != ERR_NOT_FOUND)
		return e;
	*ret_own = false;
	*toml = template_text(name, n);
	return *toml != NULL ? ERR_OK : unknown(c, name);
}

enum err
template_load(struct ctx *c, const char *name, const char **toml, size_t *n)
{
	bool own;
	enum err e;

	if (!is_template_name(name))
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid template name");
	e = template_find(c, name, toml, n, &own);
	if (e != ERR_NOT_FOUND)
		return e;
	e = from_home(c, "workspaces/agents/", name, "/agent.toml", toml, n);
	if (e == ERR_NOT_FOUND)
		return unknown(c, name);
	return e;
}

/* --- all of them --------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "x.toml" or "x/" of a listing's line; NULL: neither. */
static char *
listed_name(struct ctx *c, const char *line, size_t n)
{
	size_t k = n > 5 && memcmp(line + n - 5, ".toml", 5) == 0 ? n - 5 : n > 1 && line[n - 1] == '/' ? n - 1 : 0;
	char *s = k > 0 ? ctx_strndup(c, line, k) : NULL;

	return s != NULL && is_template_name(s) ? s : NULL;
}

enum err
templates_all(struct ctx *c, const char ***ret, size_t *ret_n)
{
	SCOPED_BUF b = BUF_INIT(LISTED_MAX * 260);
	size_t n = 0, total = 0, k = 0;
	const char **all = ctx_alloc(c, (ARRAY_LEN(names) + LISTED_MAX) * sizeof(*all));
	enum err e;

	if (all == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (; n < ARRAY_LEN(names); n++)
		all[n] = names[n];
	e = sandbox_list(c, c->cfg->home, "agent-types", 11, 0, LISTED_MAX, &b, &total);
	if (e == ERR_IO || e == ERR_NOMEM)
		return e;
	c->fault = (struct fault){ 0 };         /* nobody has made the directory, or it is none of ours */
	for (const char *p = b.p, *end; p != NULL && *p != '\0'; p = end + (*end == '\n')) {
		const char *name;

		end = strchrnul(p, '\n');
		name = listed_name(c, p, (size_t)(end - p));
		if (name != NULL && n < ARRAY_LEN(names) + LISTED_MAX)
			all[n++] = name;
	}
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++)          /* one of the home may hide one of ours */
		if (k == 0 || strcmp(all[k - 1], all[i]) != 0)
			all[k++] = all[i];
	*ret = all;
	*ret_n = k;
	return ERR_OK;
}

/* --- writing ----------------------------------------------------------------------------- */

const char *
template_path(struct ctx *c, const char *name)
{
	return ctx_printf(c, "%s/agent-types/%s.toml", c->cfg->home, name);
}

enum err
template_dir_make(struct ctx *c)
{
	const char *dir = ctx_printf(c, "%s/agent-types", c->cfg->home);

	if (dir == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	return dir_make(dir, 0700) ? ERR_OK : fail(c, ERR_IO, "%s cannot be made", dir);
}

enum err
template_remove(struct ctx *c, const char *name)
{
	const char *path = ctx_printf(c, "agent-types/%s.toml", name);
	enum err e = path == NULL ? fail(c, ERR_NOMEM, "out of memory")
	    : sandbox_remove(c, c->cfg->home, path, strlen(path), NULL);

	return e == ERR_NOT_FOUND ? unknown(c, name) : e;
}

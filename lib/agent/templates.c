/*
 * Templates: manifests to begin with. Four are part of the program; those in the home go first.
 */
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/base/embed.h"
#include "lib/svc/config.h"

EMBED(tpl_assistant, "share/agents/assistant.toml");
EMBED(tpl_coder, "share/agents/coder.toml");
EMBED(tpl_researcher, "share/agents/researcher.toml");
EMBED(tpl_writer, "share/agents/writer.toml");

static const char *const names[] = { "assistant", "coder", "researcher", "writer" };

const char *
template_text(const char *name, size_t *n)
{
	const struct { const char *text; size_t n; } texts[] = {
		{ tpl_assistant, EMBED_SIZE(tpl_assistant) }, { tpl_coder, EMBED_SIZE(tpl_coder) },
		{ tpl_researcher, EMBED_SIZE(tpl_researcher) }, { tpl_writer, EMBED_SIZE(tpl_writer) },
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

static bool
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
		return ERR_NOT_FOUND;
	*toml = ctx_strndup(c, b.p != NULL ? b.p : "", b.len);
	*n = b.len;
	return *toml != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
template_load(struct ctx *c, const char *name, const char **toml, size_t *n)
{
	enum err e;

	if (!is_template_name(name))
		return fail_code(c, ERR_BAD_REQUEST, "invalid_manifest", "Invalid template name");
	e = from_home(c, "agent-types/", name, ".toml", toml, n);
	if (e == ERR_NOT_FOUND)
		e = from_home(c, "agent-types/", name, "/agent.toml", toml, n);
	if (e != ERR_NOT_FOUND)
		return e;
	*toml = template_text(name, n);
	if (*toml != NULL)
		return ERR_OK;
	e = from_home(c, "workspaces/agents/", name, "/agent.toml", toml, n);
	if (e == ERR_NOT_FOUND)
		return fail_code(c, e, "template_not_found", "Template '%s' not found", name);
	return e;
}

/*
 * Configurations of command-line programs. They are other people's files: whatever is in them, a name that is fit to be one
 * is taken, and nothing else.
 */
#include "daemon/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/catalog_data.h"
#include "lib/svc/catalog_edit.h"
#include "lib/toml/toml.h"

enum { FILE_MAX = 1 << 18, MODEL_MAX = 200 };

static const struct { const char *provider, *env, *dir, *file; } programs[] = {
	{ "claude-code", "CLAUDE_CONFIG_DIR", ".claude", "settings.json" }, { "codex-cli", "CODEX_HOME", ".codex", "config.toml" },
	{ "gemini-cli", NULL, ".gemini", "settings.json" }, { "qwen-code", NULL, ".qwen", "settings.json" },
};

static const char *
path_of(struct ctx *c, size_t i)
{
	const char *own = programs[i].env != NULL ? getenv(programs[i].env) : NULL, *home = getenv("HOME");

	if (own != NULL && own[0] == '/')
		return ctx_printf(c, "%s/%s", own, programs[i].file);
	return home == NULL || home[0] != '/' ? NULL : ctx_printf(c, "%s/%s/%s", home, programs[i].dir, programs[i].file);
}

/* Their JSON may have comments, which json-c reads past. */
static struct json_object *
parse(struct ctx *c, const char *path, const char *text, size_t n)
{
	const char *dot = strrchr(path, '.');
	struct json_object *o = NULL;
	struct toml_fault f;

	if (dot != NULL && strcmp(dot, ".toml") == 0)
		return toml_parse(text, n, &o, NULL, &f) == ERR_OK ? json_keep(c, o) : NULL;
	return json_keep(c, json_tokener_parse(text));
}

/* codex has profiles; newer versions of gemini and qwen have a table of settings of the model. */
static const char *
model_in(struct json_object *o)
{
	const char *profile = js_str(o, "profile");
	const char *m = profile != NULL ? js_str(js_obj(js_obj(o, "profiles"), profile), "model") : NULL;

	if (m == NULL)
		m = js_str(o, "model");
	return m != NULL ? m : js_str(js_obj(o, "model"), "name");
}

static bool
is_name(const char *m)
{
	size_t n = strlen(m);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)m[i] <= ' ' || m[i] == 0x7f)
			return false;
	return n > 0 && n <= MODEL_MAX && m[0] != '-' && utf8_ok(m, n);
}

/* NULL: it names none. */
static const char *
model_of(struct ctx *c, size_t i)
{
	const char *path = path_of(c, i), *m;
	SCOPED_BUF b = BUF_INIT(FILE_MAX);
	struct stat st;

	if (path == NULL || stat(path, &st) != 0 || !S_ISREG(st.st_mode) || buf_read_file(&b, path) != ERR_OK || b.len == 0)
		return NULL;
	m = model_in(parse(c, path, b.p, b.len));
	return m != NULL && is_name(m) ? m : NULL;
}

void
programs_take(struct ctx *c)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		const char *was = catalog_state(programs[i].provider)->program_model, *is = model_of(c, i);

		if (was == is || (was != NULL && is != NULL && strcmp(was, is) == 0))
			continue;
		if (provider_program_model(c, programs[i].provider, is) == ERR_OK)
			changed = true;
	}
	if (changed && catalog_changed(c) != ERR_OK)
		log_line(LOG_WARN, "what=programs why=\"models of their configurations are not in the catalog\"");
	c->fault = (struct fault){ 0 };         /* nobody asked for it */
}

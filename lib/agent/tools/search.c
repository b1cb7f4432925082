/*
 * code_search: lines of the workspace's files that a regular expression matches.
 *
 * The expression comes from a model. On a line that it is too hard for nothing is found, and that is said; a few such lines end it.
 */
#include <string.h>

#include "lib/agent/regex.h"
#include "lib/agent/sandbox.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"

enum {
	QUERY_MAX = 1000, RESULTS = 100, RESULTS_MAX = 1000, HARD_MAX = 20,
	FILE_MAX = 2 << 20, FILES_MAX = 20000, LINE_SHOWN = 400, LINE_MAX = 8192, NAMES_MAX = 100000, DEPTH_MAX = 64,
};

struct search {
	struct tool_env *env;
	struct regex *re;
	struct buf *out;
	int64_t left;
	unsigned files, hard;           /* hard: lines that the expression was too hard for */
	bool cut, late;
};

static bool
too_late(void *arg)
{
	struct search *s = arg;

	s->late |= cancelled(s->env->cancel) || (s->env->deadline_us != 0 && clock_mono_us() >= s->env->deadline_us);
	return s->late;
}

static bool
over(struct search *s)
{
	s->cut |= s->files >= FILES_MAX || s->out->failed;
	return too_late(s) || s->cut || s->left <= 0 || s->hard > HARD_MAX;
}

static enum err
compile(struct search *s, const char *query, bool icase)
{
	char why[REGEX_WHY];
	enum err e;

	if (query[0] == '\0' || strlen(query) > QUERY_MAX)
		return tool_say(s->out, ERR_INVALID, "parameter query: 1 to %d bytes are expected", QUERY_MAX);
	e = regex_new(query, icase, too_late, s, &s->re, why);
	if (e == ERR_INVALID)
		return tool_say(s->out, e, "parameter query is no regular expression: %s", why);
	return e == ERR_OK ? e : tool_say(s->out, e, "out of memory");
}

static void
search_lines(struct search *s, const char *path, const char *text, size_t n)
{
	enum regex_found found;
	size_t from = 0, so, eo;

	for (unsigned line = 1; from < n && !over(s); line++) {
		const char *at = text + from, *nl = memchr(at, '\n', n - from);
		size_t len = nl != NULL ? (size_t)(nl - at) : n - from;

		from += len + 1;
		if (len > 0 && at[len - 1] == '\r')
			len--;
		if (len > LINE_MAX)
			len = utf8_cut(at, len, LINE_MAX);
		found = regex_find(s->re, at, len, 0, &so, &eo);
		s->hard += found == REGEX_HARD;
		if (found != REGEX_FOUND)
			continue;
		buf_printf(s->out, "%s:%u: %.*s\n", path, line, (int)utf8_cut(at, len, LINE_SHOWN), at);
		s->left--;
	}
}

static void
search_file(struct search *s, const char *root, const char *path)
{
	SCOPED_BUF file = BUF_INIT(FILE_MAX + 131072);

	s->files++;
	if (sandbox_read(s->env->c, root, path, strlen(path), FILE_MAX, &file) != ERR_OK || file.len == 0)
		return;
	if (memchr(file.p, '\0', file.len) != NULL || !utf8_ok(file.p, file.len))
		return;
	search_lines(s, path, file.p, file.len);
}

static bool
is_skipped(const char *name, size_t n)
{
	static const char *const names[] = { "target/", "node_modules/" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return true;
	return n == 0 || name[0] == '.';
}

static void
search_dir(struct search *s, const char *root, const char *path, unsigned depth)
{
	SCOPED_BUF names = BUF_INIT(8 << 20);
	SCOPED_BUF full = BUF_INIT(SANDBOX_PATH_MAX * 2);
	size_t total = 0;

	if (depth > DEPTH_MAX || sandbox_list(s->env->c, root, path, strlen(path), 0, NAMES_MAX, &names, &total) != ERR_OK || names.len == 0)
		return;
	for (const char *p = names.p, *end = names.p + names.len; p < end && !over(s);) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		if (!is_skipped(p, n)) {
			bool dir = p[n - 1] == '/';

			buf_clear(&full);
			if (strcmp(path, ".") != 0)
				buf_printf(&full, "%s/", path);
			buf_add(&full, p, n - dir);
			buf_ch(&full, '\0');
			if (!full.failed && dir)
				search_dir(s, root, full.p, depth + 1);
			else if (!full.failed)
				search_file(s, root, full.p);
		}
		p += n + 1;
	}
}

static const char *
without_slash(struct ctx *c, const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return ctx_strndup(c, path, n);
}

enum err
tool_code_search(struct tool_env *env, struct json_object *input, struct buf *out)
{
	struct ctx side = *env->c;      /* thousands of paths that need not live as long as the turn */
	struct tool_env own = *env;
	struct search s = { .env = &own, .out = out };
	const char *query, *path = NULL, *root;
	bool none;
	enum err e = tool_text(input, "query", &query, NULL, out);

	if (e == ERR_OK)
		e = tool_text_opt(input, "path", &path, NULL, out);
	if (e == ERR_OK)
		e = tool_count(input, "max_results", RESULTS, 1, RESULTS_MAX, &s.left, out);
	if (e == ERR_OK)
		e = compile(&s, query, !js_bool(input, "case_sensitive", false));
	if (e != ERR_OK)
		return e;
	path = without_slash(env->c, path == NULL || path[0] == '\0' ? "." : path);
	if (path == NULL || (side.arena = arena_new(65536)) == NULL) {
		regex_free(s.re);
		return tool_say(out, ERR_NOMEM, "out of memory");
	}
	root = tool_root(env, path, strlen(path));
	buf_clear(out);
	own.c = &side;
	side.fault = (struct fault){ 0 };
	{
		SCOPED_BUF names = BUF_INIT(8 << 20);
		size_t total;

		e = sandbox_list(&side, root, path, strlen(path), 0, 1, &names, &total);
	}
	if (e == ERR_OK)
		search_dir(&s, root, path, 0);
	else if (e == ERR_FORBIDDEN || e == ERR_INVALID)
		(void)tool_fault(&own, e, out);
	else
		e = tool_say(out, e, "there is no directory '%.*s'", (int)utf8_cut(path, strlen(path), 200), path);
	arena_free(side.arena);
	regex_free(s.re);
	if (e != ERR_OK)
		return e;
	if (s.late)
		return tool_say(out, cancelled(env->cancel) ? ERR_CANCELLED : ERR_TIMEOUT, "the search took too long");
	if (out->failed)
		return tool_say(out, ERR_TOO_LARGE, "too much was found; search for something more particular");
	if (s.hard > HARD_MAX)
		return tool_say(out, ERR_INVALID, "parameter query takes too long on too many lines; write a simpler expression");
	none = out->len == 0;
	if (s.hard > 0)
		buf_printf(out, "(left out, because the expression takes too long on them: %u lines)\n", s.hard);
	if (s.cut)
		buf_printf(out, "(%d files were looked at; the rest was left out)", FILES_MAX);
	else if (s.left <= 0)
		buf_str(out, "(there may be more; these are the first)");
	else if (none)
		buf_printf(out, "(nothing found in %u files)", s.files);
	return ERR_OK;
}

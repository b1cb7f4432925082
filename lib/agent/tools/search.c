/*
 * code_search: lines of the workspace's files that a regular expression matches.
 *
 * The expression comes from a model, which writes them as it knows them from elsewhere; it is translated to the C library's
 * extended form, and what could take for ever or eat all memory (back-references, large repetitions) is refused.
 */
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "lib/agent/sandbox.h"
#include "lib/agent/tools/tools.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"

enum {
	QUERY_MAX = 1000, REPEAT_MAX = 1000, NODES_MAX = 4000, GROUPS_MAX = 50, ANCHORS_MAX = 24, NOTHING_MAX = 64,
	RESULTS = 100, RESULTS_MAX = 1000,
	FILE_MAX = 2 << 20, FILES_MAX = 20000, LINE_SHOWN = 400, LINE_MAX = 8192, NAMES_MAX = 100000, DEPTH_MAX = 64,
};

/* --- the expression ---------------------------------------------------------------- */

/*
 * What the C library does with it, without an end to it: it copies what is repeated ("a++" is "aa*aa**", and twice as much with
 * each further sign), and where something that may be nothing holds an anchor, each copy is gone through with each other; so it is, if more slowly, without an anchor. So it is
 * counted what it would be in the end.
 */
struct level { int64_t nodes; bool nothing, any, anchor; };     /* nothing: its last way may match it; any: one of those before */

struct translation {
	const char *p;
	struct buf *b;
	struct level level[GROUPS_MAX + 1];     /* of each group that is open */
	struct level last;              /* of what a sign of repetition would mean */
	bool before;                    /* what stands before that may be nothing */
	unsigned open, anchors;
	const char *why;
};

static bool
counted(struct translation *t, int64_t nodes, bool nothing, bool anchor)
{
	struct level *l = &t->level[t->open];

	t->before = l->nothing;
	t->last = (struct level){ nodes, nothing, false, anchor };
	l->nodes += nodes;
	l->nothing &= nothing;
	l->anchor |= anchor;
	t->why = "it is too large";
	return l->nodes <= NODES_MAX;
}

static bool
anchored(struct translation *t)
{
	if (!counted(t, 1, true, true))
		return false;
	t->why = "it has too many anchors";
	return ++t->anchors <= ANCHORS_MAX;
}

/* What stands before, so often at the most, and at least so often. */
static bool
repeated(struct translation *t, int64_t times, bool many, int64_t least)
{
	struct level *l = &t->level[t->open], one = t->last;

	t->why = "an anchor with nothing else cannot be repeated";
	if (many && one.nothing && one.anchor)
		return false;
	t->why = "it is too large";
	if (many && one.nothing && one.nodes > NOTHING_MAX)
		return false;
	if (one.nodes == 0)
		one.nodes = 1;
	l->nodes += one.nodes * (times - 1);
	t->last.nodes = one.nodes * times;
	t->last.nothing |= least == 0;
	l->nothing = t->before && t->last.nothing;
	return l->nodes <= NODES_MAX;
}

static bool
group(struct translation *t, char ch)
{
	struct level *l = &t->level[t->open];

	t->why = "its groups lie too deep";
	if (ch == '(') {
		if (t->open == GROUPS_MAX)
			return false;
		t->level[++t->open] = (struct level){ .nothing = true };
		t->last = (struct level){ .nothing = true };
		return true;
	}
	if (t->open == 0)               /* the C library says what is wrong */
		return true;
	t->open--;
	return counted(t, l->nodes + 1, l->nothing || l->any, l->anchor);
}

static const struct { char letter; const char *outside, *inside; } classes[] = {
	{ 'd', "[0-9]", "0-9" }, { 'D', "[^0-9]", NULL }, { 's', "[[:space:]]", "[:space:]" }, { 'S', "[^[:space:]]", NULL },
	{ 'w', "[[:alnum:]_]", "[:alnum:]_" }, { 'W', "[^[:alnum:]_]", NULL }, { 'b', "\\b", NULL }, { 'B', "\\B", NULL },
	{ 't', "\t", "\t" }, { 'n', "\n", "\n" }, { 'r', "\r", "\r" },
};

static bool
escape(struct translation *t, bool inside)
{
	char ch = *++t->p;

	t->why = "it ends with a backslash";
	if (ch == '\0')
		return false;
	t->why = "back-references are not possible";
	if (!inside && ch >= '1' && ch <= '9')
		return false;
	t->p++;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].letter == ch) {
			t->why = "that class cannot stand within brackets";
			if (inside && classes[i].inside == NULL)
				return false;
			buf_str(t->b, inside ? classes[i].inside : classes[i].outside);
			return true;
		}
	t->why = "unknown escape";
	if (isalpha((unsigned char)ch))
		return false;
	if (!inside && strchr("<>`'", ch) == NULL)      /* with a backslash these are anchors of the C library's own */
		buf_ch(t->b, '\\');
	buf_ch(t->b, ch);
	return true;
}

/*
 * "[...]": a backslash is no letter there for those who wrote it. In the C library's form a sign means itself by its place:
 * "]" first, "[", "^" and "-" last.
 */
static bool
brackets(struct translation *t)
{
	static const char signs[] = "][^-";
	SCOPED_BUF rest = BUF_INIT(QUERY_MAX * 20);
	struct buf *out = t->b;
	bool inverse = t->p[1] == '^', has[4] = { false }, good = true;

	t->p += inverse ? 2 : 1;
	t->b = &rest;
	if (*t->p == ']') {
		has[0] = true;
		t->p++;
	}
	while (good && *t->p != ']') {
		const char *end, *sign = *t->p == '\\' && t->p[1] != '\0' ? strchr(signs, t->p[1]) : NULL;

		t->why = "a bracket is not closed";
		if (*t->p == '\0')
			good = false;
		else if (sign != NULL || (*t->p == '-' && (rest.len == 0 || t->p[1] == ']'))) {
			has[sign != NULL ? sign - signs : 3] = true;
			t->p += sign != NULL ? 2 : 1;
		} else if (*t->p == '[' && t->p[1] == ':') {
			end = strstr(t->p + 2, ":]");
			good = end != NULL;
			if (good)
				buf_add(&rest, t->p, (size_t)(end + 2 - t->p));
			t->p = good ? end + 2 : t->p;
		} else if (*t->p == '\\') {
			good = escape(t, true);
		} else {
			buf_ch(&rest, *t->p++);
		}
	}
	t->b = out;
	if (!good)
		return false;
	t->p++;
	if (has[2] && !inverse && !has[0] && !has[1] && !has[3] && rest.len == 0) {
		buf_str(out, "\\^");           /* alone it has no place */
		return true;
	}
	buf_printf(out, "[%s%s%s%s%s%s]", inverse ? "^" : "", has[0] ? "]" : "", rest.len > 0 ? rest.p : "", has[1] ? "[" : "", has[2] ? "^" : "", has[3] ? "-" : "");
	return true;
}

/* "{2,5}" */
static bool
repetition(struct translation *t)
{
	char *end;
	long lo, hi;

	if (!isdigit((unsigned char)t->p[1])) {
		buf_str(t->b, "\\{");
		t->p++;
		return counted(t, 1, false, false);
	}
	lo = hi = strtol(t->p + 1, &end, 10);
	if (*end == ',')
		hi = end[1] == '}' ? lo : strtol(end + 1, &end, 10);
	if (*end == ',')
		end++;
	t->why = "a repetition is wrong or too large";
	if (*end != '}' || hi < lo || hi > REPEAT_MAX || lo < 0)
		return false;
	buf_add(t->b, t->p, (size_t)(end + 1 - t->p));
	t->p = end + 1;
	return repeated(t, hi + 1, true, lo);
}

static bool
plain(struct translation *t, char ch)
{
	switch (ch) {
	case '(': case ')':
		return group(t, ch);
	case '+':
		return repeated(t, t->last.nothing ? 4 : 2, true, 1);        /* the closures of what may be nothing grow faster */
	case '*':
		return repeated(t, 1, true, 0);
	case '?':
		return repeated(t, 1, false, 0);
	case '|':
		t->level[t->open].any |= t->level[t->open].nothing;
		t->level[t->open].nothing = true;
		t->last = (struct level){ .nothing = true };
		return true;
	case '^': case '$':
		return anchored(t);
	default:
		return counted(t, 1, false, false);
	}
}

static bool
translate(const char *query, struct buf *b, bool *icase, const char **why)
{
	struct translation t = { .p = query, .b = b, .level[0].nothing = true };
	bool good = true;

	if (strncmp(query, "(?i)", 4) == 0) {
		*icase = true;
		t.p += 4;
	}
	while (good && *t.p != '\0') {
		if (*t.p == '\\') {
			bool anchor = t.p[1] == 'b' || t.p[1] == 'B';

			good = escape(&t, false) && (anchor ? anchored(&t) : counted(&t, 1, false, false));
		} else if (*t.p == '[') {
			good = brackets(&t) && counted(&t, 1, false, false);
		} else if (*t.p == '{') {
			good = repetition(&t);
		} else if (strncmp(t.p, "(?", 2) == 0) {
			t.why = "look-around and named groups are not possible";
			good = t.p[2] == ':' && group(&t, '(');
			buf_ch(b, '(');
			t.p += 3;
		} else if (*t.p == '?' && t.p > query && strchr("*+?}", t.p[-1]) != NULL && (t.p < query + 2 || t.p[-2] != '\\')) {
			t.p++;                  /* lazy: the same lines match */
		} else {
			good = plain(&t, *t.p);
			buf_ch(b, *t.p++);
		}
	}
	*why = t.why;
	return good && !b->failed;
}

static enum err
compile(const char *query, bool icase, regex_t *re, struct buf *out)
{
	SCOPED_BUF b = BUF_INIT(QUERY_MAX * 20);
	const char *why = "";
	char msg[200];
	int rc;

	if (query[0] == '\0' || strlen(query) > QUERY_MAX)
		return tool_say(out, ERR_INVALID, "parameter query: 1 to %d bytes are expected", QUERY_MAX);
	if (!translate(query, &b, &icase, &why))
		return tool_say(out, ERR_INVALID, "parameter query: %s", why);
	if (b.len == 0)
		return tool_say(out, ERR_INVALID, "parameter query: there is nothing to look for");
	rc = regcomp(re, b.p, REG_EXTENDED | REG_NOSUB | (icase ? REG_ICASE : 0));
	if (rc == 0)
		return ERR_OK;
	regerror(rc, re, msg, sizeof(msg));
	return tool_say(out, ERR_INVALID, "parameter query is no regular expression: %s", msg);
}

/* --- files ---------------------------------------------------------------------------- */

struct search {
	struct tool_env *env;
	regex_t re;
	struct buf *out;
	int64_t left;
	unsigned files;
	bool cut, late;
};

static bool
over(struct search *s)
{
	s->late |= cancelled(s->env->cancel) || (s->env->deadline_us != 0 && clock_mono_us() >= s->env->deadline_us);
	s->cut |= s->files >= FILES_MAX || s->out->failed;
	return s->late || s->cut || s->left <= 0;
}

static void
search_lines(struct search *s, const char *path, char *text, size_t n)
{
	size_t from = 0;

	for (unsigned line = 1; from < n && !over(s); line++) {
		char *at = text + from, *nl = memchr(at, '\n', n - from);
		size_t len = nl != NULL ? (size_t)(nl - at) : n - from;

		from += len + 1;
		if (len > 0 && at[len - 1] == '\r')
			len--;
		if (len > LINE_MAX)
			len = utf8_cut(at, len, LINE_MAX);
		at[len] = '\0';                 /* the buffer has room for one more */
		if (regexec(&s->re, at, 0, NULL, 0) != 0)
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
	buf_ch(&file, '\0');
	if (!file.failed)
		search_lines(s, path, file.p, file.len - 1);
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
	const char *query, *path = NULL;
	enum err e = tool_text(input, "query", &query, NULL, out);

	if (e == ERR_OK)
		e = tool_text_opt(input, "path", &path, NULL, out);
	if (e == ERR_OK)
		e = tool_count(input, "max_results", RESULTS, 1, RESULTS_MAX, &s.left, out);
	if (e == ERR_OK)
		e = compile(query, !js_bool(input, "case_sensitive", false), &s.re, out);
	if (e != ERR_OK)
		return e;
	path = without_slash(env->c, path == NULL || path[0] == '\0' ? "." : path);
	if (path == NULL || (side.arena = arena_new(65536)) == NULL) {
		regfree(&s.re);
		return tool_say(out, ERR_NOMEM, "out of memory");
	}
	buf_clear(out);
	own.c = &side;
	side.fault = (struct fault){ 0 };
	{
		SCOPED_BUF names = BUF_INIT(8 << 20);
		size_t total;

		e = sandbox_list(&side, env->workspace, path, strlen(path), 0, 1, &names, &total);
	}
	if (e == ERR_OK)
		search_dir(&s, env->workspace, path, 0);
	else if (e == ERR_FORBIDDEN || e == ERR_INVALID)
		(void)tool_fault(&own, e, out);
	else
		e = tool_say(out, e, "there is no directory '%.*s'", (int)utf8_cut(path, strlen(path), 200), path);
	arena_free(side.arena);
	regfree(&s.re);
	if (e != ERR_OK)
		return e;
	if (s.late)
		return tool_say(out, cancelled(env->cancel) ? ERR_CANCELLED : ERR_TIMEOUT, "the search took too long");
	if (out->failed)
		return tool_say(out, ERR_TOO_LARGE, "too much was found; search for something more particular");
	if (s.cut)
		buf_printf(out, "(%d files were looked at; the rest was left out)", FILES_MAX);
	else if (s.left <= 0)
		buf_str(out, "(there may be more; these are the first)");
	else if (out->len == 0)
		buf_printf(out, "(nothing found in %u files)", s.files);
	return ERR_OK;
}

/*
 * apply_patch: several files of the workspace changed by one text.
 *
 *	*** Begin Patch
 *	*** Add File: notes.txt
 *	+a line
 *	*** Update File: src/a.c
 *	*** Move to: src/b.c
 *	@@ int main
 *	 context
 *	-old
 *	+new
 *	*** Delete File: old.txt
 *	*** End Patch
 *
 * Everything is worked out before anything is written: a hunk that does not fit leaves all files as they were.
 */
#include <string.h>
#include <strings.h>

#include "lib/agent/sandbox.h"
#include "lib/agent/tools/tools.h"

enum { PATCH_MAX = 1 << 20, FILE_MAX = 10 << 20, OPS_MAX = 200, LINES_MAX = 400000 };

enum op_kind { OP_ADD, OP_UPDATE, OP_DELETE };

struct line { const char *s; size_t n; };

struct op {
	enum op_kind kind;
	struct line path, to;           /* to: moved there */
	struct line *body; size_t n;    /* its lines, with their first characters */
	struct buf text;                /* what it will be */
};

struct patch {
	struct tool_env *env;
	struct buf *out;
	struct op ops[OPS_MAX];
	size_t n;
};

/* --- reading the text ------------------------------------------------------------------ */

static size_t
split(const char *s, size_t n, struct line *lines, size_t max)
{
	size_t k = 0;

	for (size_t from = 0; from < n && k < max; k++) {
		const char *nl = memchr(s + from, '\n', n - from);
		size_t len = nl != NULL ? (size_t)(nl - s) - from : n - from;

		lines[k] = (struct line){ s + from, len };
		from += len + 1;
	}
	return k;
}

/* "*** Word: rest" */
static bool
marks(const struct line *l, const char *word, struct line *rest)
{
	size_t k = strlen(word), n = l->n;

	while (n > 0 && (l->s[n - 1] == '\r' || l->s[n - 1] == ' '))
		n--;
	if (n < k || memcmp(l->s, word, k) != 0)
		return false;
	if (rest != NULL)
		*rest = (struct line){ l->s + k, n - k };
	return rest != NULL || n == k;
}

static bool
begins_op(const struct line *l, struct op *op)
{
	*op = (struct op){ .text = BUF_INIT(FILE_MAX) };
	if (marks(l, "*** Add File: ", &op->path))
		op->kind = OP_ADD;
	else if (marks(l, "*** Update File: ", &op->path))
		op->kind = OP_UPDATE;
	else if (marks(l, "*** Delete File: ", &op->path))
		op->kind = OP_DELETE;
	else
		return false;
	return op->path.n > 0;
}

static enum err
read_patch(struct patch *p, const char *text, size_t n)
{
	size_t max = 2, k, i = 0;
	struct line *lines;

	for (size_t j = 0; j < n; j++)
		max += text[j] == '\n';
	lines = ctx_alloc(p->env->c, max * sizeof(*lines));
	if (lines == NULL)
		return tool_say(p->out, ERR_NOMEM, "out of memory");
	k = split(text, n, lines, max);
	while (i < k && lines[i].n == 0)
		i++;
	while (k > i && lines[k - 1].n == 0)
		k--;
	if (i >= k || !marks(&lines[i], "*** Begin Patch", NULL) || !marks(&lines[k - 1], "*** End Patch", NULL))
		return tool_say(p->out, ERR_INVALID, "a patch begins with \"*** Begin Patch\" and ends with \"*** End Patch\"");
	for (i++, k--; i < k;) {
		struct op *op = &p->ops[p->n];

		if (p->n == OPS_MAX)
			return tool_say(p->out, ERR_INVALID, "a patch changes at most %d files", OPS_MAX);
		if (!begins_op(&lines[i], op))
			return tool_say(p->out, ERR_INVALID, "line %zu: \"*** Add File: \", \"*** Update File: \" or \"*** Delete File: \" is expected", i + 1);
		p->n++;
		i++;
		if (op->kind == OP_UPDATE && i < k && marks(&lines[i], "*** Move to: ", &op->to))
			i++;
		op->body = &lines[i];
		while (i < k && (lines[i].n < 4 || memcmp(lines[i].s, "*** ", 4) != 0 || marks(&lines[i], "*** End of File", NULL)))
			i++;
		op->n = (size_t)(&lines[i] - op->body);
	}
	return p->n > 0 ? ERR_OK : tool_say(p->out, ERR_INVALID, "the patch changes nothing");
}

/* --- working it out ----------------------------------------------------------------------- */

static int
width(const struct line *l)
{
	return (int)utf8_cut(l->s, l->n, 200);
}

static enum err
add_text(struct patch *p, struct op *op)
{
	for (size_t i = 0; i < op->n; i++) {
		if (op->body[i].n == 0 || op->body[i].s[0] != '+')
			return tool_say(p->out, ERR_INVALID, "%.*s: each line of a new file begins with +", width(&op->path), op->path.s);
		buf_add(&op->text, op->body[i].s + 1, op->body[i].n - 1);
		buf_ch(&op->text, '\n');
	}
	return ERR_OK;
}

static struct line
trimmed(struct line l)
{
	while (l.n > 0 && strchr(" \t\r", l.s[l.n - 1]) != NULL)
		l.n--;
	return l;
}

/* exact: byte by byte; else but for blanks at the end. */
static bool
same(struct line a, struct line b, bool exact)
{
	if (!exact) {
		a = trimmed(a);
		b = trimmed(b);
	}
	return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

struct file { struct line *lines; size_t n, at; };

/* Where the old lines of a hunk stand, from f->at on. SIZE_MAX: nowhere. */
static size_t
find(const struct file *f, const struct line *old, size_t n, bool at_end)
{
	for (int exact = 1; exact >= 0; exact--)
		for (size_t i = at_end && f->n - f->at >= n ? f->n - n : f->at; i + n <= f->n; i++) {
			size_t k = 0;

			while (k < n && same(f->lines[i + k], old[k], exact != 0))
				k++;
			if (k == n)
				return i;
		}
	return SIZE_MAX;
}

static void
put_line(struct op *op, struct line l)
{
	buf_add(&op->text, l.s, l.n);
	buf_ch(&op->text, '\n');
}

/* Lines of the file that no hunk touches, up to that one. */
static void
copy_until(struct op *op, struct file *f, size_t to)
{
	for (; f->at < to; f->at++)
		put_line(op, f->lines[f->at]);
}

/* "@@ int main": go on behind the line that holds this. */
static bool
go_to(struct op *op, struct file *f, struct line where)
{
	where = trimmed(where);
	while (where.n > 0 && where.s[0] == ' ') {
		where.s++;
		where.n--;
	}
	if (where.n == 0 || (where.n > 1 && memcmp(where.s, "-", 1) == 0 && memchr(where.s, '+', where.n) != NULL))
		return true;            /* line numbers, which nobody trusts */
	for (size_t i = f->at; i < f->n; i++)
		if (memmem(f->lines[i].s, f->lines[i].n, where.s, where.n) != NULL) {
			copy_until(op, f, i);
			return true;
		}
	return false;
}

/* One hunk: the lines from body on, n of them. */
static enum err
apply_hunk(struct patch *p, struct op *op, struct file *f, const struct line *body, size_t n, bool at_end)
{
	struct line *old = ctx_alloc(p->env->c, (n + 1) * sizeof(*old));
	size_t k = 0, at;

	if (old == NULL)
		return tool_say(p->out, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		char ch = body[i].n > 0 ? body[i].s[0] : ' ';

		if (ch != ' ' && ch != '-' && ch != '+')
			return tool_say(p->out, ERR_INVALID, "%.*s: a line of a hunk begins with a blank, - or +: \"%.*s\"", width(&op->path),
			    op->path.s, width(&body[i]), body[i].s);
		if (ch != '+')
			old[k++] = body[i].n > 0 ? (struct line){ body[i].s + 1, body[i].n - 1 } : (struct line){ "", 0 };
	}
	at = k == 0 ? f->n : find(f, old, k, at_end);
	if (at == SIZE_MAX)
		return tool_say(p->out, ERR_INVALID, "%.*s: these lines are not there: \"%.*s\"", width(&op->path), op->path.s, width(&old[0]), old[0].s);
	copy_until(op, f, at);
	for (size_t i = 0; i < n; i++) {
		char ch = body[i].n > 0 ? body[i].s[0] : ' ';

		if (ch == '+')
			put_line(op, (struct line){ body[i].s + 1, body[i].n - 1 });
		else if (ch == ' ')
			put_line(op, f->lines[f->at++]);
		else
			f->at++;
	}
	return ERR_OK;
}

static enum err
apply_hunks(struct patch *p, struct op *op, struct file *f)
{
	for (size_t i = 0; i < op->n;) {
		size_t from;
		bool at_end;
		enum err e;

		if (op->body[i].n >= 2 && memcmp(op->body[i].s, "@@", 2) == 0) {
			struct line where = { op->body[i].s + 2, op->body[i].n - 2 };

			if (!go_to(op, f, where))
				return tool_say(p->out, ERR_INVALID, "%.*s: there is no line with \"%.*s\"", width(&op->path), op->path.s, width(&where), where.s);
			i++;
		}
		for (from = i; i < op->n && !(op->body[i].n >= 2 && memcmp(op->body[i].s, "@@", 2) == 0) &&
		    !marks(&op->body[i], "*** End of File", NULL); i++)
			;
		at_end = i < op->n && marks(&op->body[i], "*** End of File", NULL);
		if (i > from && (e = apply_hunk(p, op, f, &op->body[from], i - from, at_end)) != ERR_OK)
			return e;
		i += at_end;
	}
	copy_until(op, f, f->n);
	return ERR_OK;
}

/* Is that its last line? */
static bool
ends_with(const struct buf *text, struct line l)
{
	const char *at;

	if (text->len <= l.n)
		return false;
	at = text->p + text->len - 1 - l.n;
	return memcmp(at, l.s, l.n) == 0 && (at == text->p || at[-1] == '\n');
}

static enum err
update_text(struct patch *p, struct op *op)
{
	SCOPED_BUF old = BUF_INIT(FILE_MAX + 131072);
	struct file f = { 0 };
	size_t max = 2;
	enum err e = tool_read(p->env, op->path.s, op->path.n, FILE_MAX, &old);

	if (e == ERR_OK && old.len > 0 && (memchr(old.p, '\0', old.len) != NULL || !utf8_ok(old.p, old.len)))
		return tool_say(p->out, ERR_INVALID, "%.*s is no text", width(&op->path), op->path.s);
	if (e != ERR_OK)
		return tool_fault(p->env, e, p->out);
	for (size_t j = 0; j < old.len; j++)
		max += old.p[j] == '\n';
	if (max > LINES_MAX || (f.lines = ctx_alloc(p->env->c, max * sizeof(*f.lines))) == NULL)
		return tool_say(p->out, ERR_TOO_LARGE, "%.*s has too many lines", width(&op->path), op->path.s);
	f.n = split(old.len > 0 ? old.p : "", old.len, f.lines, max);
	e = apply_hunks(p, op, &f);
	if (e == ERR_OK && old.len > 0 && old.p[old.len - 1] != '\n' && !op->text.failed && ends_with(&op->text, f.lines[f.n - 1]))
		op->text.len--;         /* its last line had no end, and stays so */
	return e;
}

/* agent.toml says what the agent may do: deleted, moved or replaced it would say something else. */
static bool
is_managed(const struct line *path, bool anywhere)
{
	const char *slash = memrchr(path->s, '/', path->n);
	size_t k = slash != NULL ? (size_t)(slash + 1 - path->s) : 0;
	bool top = k == 0 || path->s[0] == '/' || (k == 2 && path->s[0] == '.');

	for (size_t i = 0; (top || anywhere) && tool_managed_files[i] != NULL; i++)
		if (strlen(tool_managed_files[i]) == path->n - k && strncasecmp(tool_managed_files[i], path->s + k, path->n - k) == 0)
			return true;
	return false;
}

/* A place that nobody may write to is found before anything is written. */
static enum err
look_at(struct patch *p, const struct line *path, bool must_be)
{
	SCOPED_BUF there = BUF_INIT(FILE_MAX + 131072);
	enum err e = tool_read(p->env, path->s, path->n, FILE_MAX, &there);

	return e == ERR_OK || (!must_be && (e == ERR_NOT_FOUND || e == ERR_TOO_LARGE)) ? ERR_OK : tool_fault(p->env, e, p->out);
}

static enum err
work_out(struct patch *p, struct op *op)
{
	bool goes = op->kind == OP_DELETE || op->to.n > 0;
	enum err e = ERR_OK;

	if (is_managed(&op->path, goes) || (op->to.n > 0 && is_managed(&op->to, false)))
		return tool_say(p->out, ERR_FORBIDDEN, "this file is managed by the system: %.*s", width(&op->path), op->path.s);
	if (op->kind != OP_UPDATE || op->to.n == 0 || goes)
		e = tool_may_write(p->env, op->path.s, op->path.n);
	if (e == ERR_OK && op->to.n > 0)
		e = tool_may_write(p->env, op->to.s, op->to.n);
	if (e != ERR_OK)
		return tool_fault(p->env, e, p->out);
	if (op->kind == OP_UPDATE)
		e = update_text(p, op);
	else if (op->kind == OP_ADD)
		e = add_text(p, op);
	if (e == ERR_OK && op->text.failed)
		return tool_say(p->out, ERR_TOO_LARGE, "%.*s would be larger than %d bytes", width(&op->path), op->path.s, FILE_MAX);
	if (e == ERR_OK)
		e = look_at(p, op->to.n > 0 ? &op->to : &op->path, op->kind == OP_DELETE);
	return e;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum err
write_op(struct patch *p, const struct op *op)
{
	static const char *const words[] = { "added", "changed", "deleted" };
	const struct line *to = op->to.n > 0 ? &op->to : &op->path;
	enum err e = ERR_OK;

	if (op->kind != OP_DELETE)
		e = tool_write(p->env, to->s, to->n, op->text.p != NULL ? op->text.p : "", op->text.len);
	if (e == ERR_OK && (op->kind == OP_DELETE || op->to.n > 0))
		e = tool_remove(p->env, op->path.s, op->path.n);
	if (e == ERR_OK && op->to.n > 0)
		buf_printf(p->out, "%s %.*s, now %.*s\n", words[op->kind], width(&op->path), op->path.s, width(&op->to), op->to.s);
	else if (e == ERR_OK)
		buf_printf(p->out, "%s %.*s\n", words[op->kind], width(&op->path), op->path.s);
	return e;
}

static enum err
run(struct patch *p)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < p->n; i++)
		e = work_out(p, &p->ops[i]);
	if (e != ERR_OK)
		return e;
	buf_clear(p->out);
	for (size_t i = 0; i < p->n; i++)
		if ((e = write_op(p, &p->ops[i])) != ERR_OK) {
			buf_printf(p->out, "then %.*s failed: %s; what stands above is done\n", width(&p->ops[i].path), p->ops[i].path.s,
			    p->env->c->fault.msg != NULL ? p->env->c->fault.msg : "it could not be written");
			return e;
		}
	return ERR_OK;
}

enum err
tool_apply_patch(struct tool_env *env, struct json_object *input, struct buf *out)
{
	struct patch *p = ctx_alloc(env->c, sizeof(*p));
	const char *text;
	size_t n;
	enum err e = tool_text(input, "patch", &text, &n, out);

	if (e != ERR_OK)
		return e;
	if (p == NULL)
		return tool_say(out, ERR_NOMEM, "out of memory");
	if (n > PATCH_MAX || memchr(text, '\0', n) != NULL)
		return tool_say(out, ERR_INVALID, "parameter patch: at most %d bytes of text are expected", PATCH_MAX);
	p->env = env;
	p->out = out;
	e = read_patch(p, text, n);
	if (e == ERR_OK)
		e = run(p);
	for (size_t i = 0; i < p->n; i++)
		buf_done(&p->ops[i].text);
	return e;
}

/* file_read, file_write, file_list: the agent's workspace and what it shares, through the sandbox. */
#include <string.h>

#include "lib/agent/sandbox.h"
#include "lib/agent/tools/tools.h"

enum { FILE_MAX = 10 << 20, NAMES_MAX = 1000 };

static bool
is_text(const char *s, size_t n)
{
	return memchr(s, '\0', n) == NULL && utf8_ok(s, n);
}

enum err
tool_file_read(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF file = BUF_INIT(FILE_MAX + 131072);
	const char *path;
	size_t n;
	enum err e = tool_text(input, "path", &path, &n, out);

	if (e != ERR_OK)
		return e;
	e = tool_read(env, path, n, FILE_MAX, &file);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	buf_clear(out);
	if (file.len == 0)
		return tool_say(out, ERR_OK, "(the file is empty)");
	if (!is_text(file.p, file.len))
		return tool_say(out, ERR_OK, "(a binary file of %zu bytes, not shown)", file.len);
	buf_add(out, file.p, file.len);
	if (out->failed)
		return tool_say(out, ERR_TOO_LARGE, "the file has %zu bytes, more than fit in an answer", file.len);
	return ERR_OK;
}

enum err
tool_file_write(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *path, *content;
	size_t n, size;
	enum err e = tool_text(input, "path", &path, &n, out);

	if (e == ERR_OK)
		e = tool_text(input, "content", &content, &size, out);
	if (e != ERR_OK)
		return e;
	if (size > FILE_MAX)
		return tool_say(out, ERR_INVALID, "content has %zu bytes; at most %d are written", size, FILE_MAX);
	e = tool_write(env, path, n, content, size);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	return tool_say(out, ERR_OK, "Wrote %zu bytes to %.*s", size, (int)utf8_cut(path, n, 800), path);
}

enum err
tool_file_list(struct tool_env *env, struct json_object *input, struct buf *out)
{
	const char *path;
	size_t n, total = 0;
	int64_t limit, offset;
	enum err e = tool_text(input, "path", &path, &n, out);

	if (e == ERR_OK)
		e = tool_count(input, "limit", NAMES_MAX, 1, NAMES_MAX, &limit, out);
	if (e == ERR_OK)
		e = tool_count(input, "offset", 0, 0, INT32_MAX, &offset, out);
	if (e != ERR_OK)
		return e;
	buf_clear(out);
	e = sandbox_list(env->c, tool_root(env, path, n), path, n, (size_t)offset, (size_t)limit, out, &total);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	if (total == 0)
		return tool_say(out, ERR_OK, "(empty directory)");
	if ((size_t)offset >= total)
		return tool_say(out, ERR_OK, "(no more names; there are %zu)", total);
	if ((size_t)(offset + limit) < total || offset > 0)
		buf_printf(out, "(%zu names in all; shown from %jd)\n", total, (intmax_t)offset);
	if (out->failed)
		return tool_say(out, ERR_TOO_LARGE, "the list is too long; use limit and offset");
	return ERR_OK;
}

/*
 * read_artifact: a part of what was too large for the conversation.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/agent/artifact.h"
#include "lib/agent/tools/tools.h"
#include "lib/svc/config.h"

enum { LENGTH = 4096, LENGTH_MIN = 16, LENGTH_MAX = 65536, TORN_MAX = 3 };

/* Bytes at the beginning that belong to a character before. */
static size_t
torn_start(const char *s, size_t n)
{
	size_t k = 0;

	while (k < n && k < TORN_MAX && ((unsigned char)s[k] & 0xC0) == 0x80)
		k++;
	return k;
}

enum err
tool_read_artifact(struct tool_env *env, struct json_object *input, struct buf *out)
{
	SCOPED_BUF part = BUF_INIT(LENGTH_MAX + 1024);
	int64_t offset, length, total = 0;
	const char *handle;
	size_t skip, n;
	enum err e = tool_text(input, "handle", &handle, NULL, out);

	if (e == ERR_OK)
		e = tool_count(input, "offset", 0, 0, INT64_MAX / 2, &offset, out);
	if (e == ERR_OK)
		e = tool_count(input, "length", LENGTH, LENGTH_MIN, LENGTH_MAX, &length, out);
	if (e != ERR_OK)
		return e;
	e = artifact_read(env->c, env->c->cfg->data_dir, handle, offset, (size_t)length, &part, &total);
	if (e != ERR_OK)
		return tool_fault(env, e, out);
	buf_clear(out);
	if (part.len == 0)
		return tool_say(out, ERR_OK, "[nothing from byte %" PRId64 " on; the artifact has %" PRId64 " bytes]", offset, total);
	skip = torn_start(part.p, part.len);
	n = offset + (int64_t)part.len < total ? utf8_cut(part.p, part.len, part.len - 1) : part.len;
	if (n <= skip || !utf8_ok(part.p + skip, n - skip))
		return tool_say(out, ERR_OK, "(binary, not shown; the artifact has %" PRId64 " bytes)", total);
	buf_add(out, part.p + skip, n - skip);
	buf_printf(out, "\n[bytes %" PRId64 " to %" PRId64 " of %" PRId64 "%s]", offset + (int64_t)skip, offset + (int64_t)n, total,
	    offset + (int64_t)n < total ? "; go on from there" : "");
	return ERR_OK;
}

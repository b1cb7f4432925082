/*
 * Titles of sessions. A session's row counts how often a model was asked, so that one that cannot do it is not asked for ever.
 */
#include "lib/svc/session_naming.h"

#include <ctype.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/buf.h"
#include "lib/svc/conversation.h"

enum { TITLE_CHARS = 60, DAY_MS = 86400000 };

static const char *
said_in(struct ctx *c, struct stmt *st, const char *column)
{
	size_t n;
	const char *json = col_textn(c, st, column, &n);

	return json != NULL ? content_said(c, json, n, NULL) : NULL;
}

enum err
sessions_untitled(struct ctx *c, int64_t now_ms, struct untitled *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.id, s.agent_id, q.content AS question, a.content AS answer FROM session s"
	    " JOIN message q ON q.session_id = s.id AND q.seq = 1 AND q.role = 'user'"
	    " JOIN message a ON a.session_id = s.id AND a.seq = (SELECT min(seq) FROM message WHERE session_id = s.id"
	    "  AND role = 'assistant' AND content NOT LIKE '%\"tool_use\"%')"
	    " WHERE s.label IS NULL AND s.titled < ?1 AND s.message_count >= 2 AND s.created_ms > ?2"
	    " AND q.content NOT LIKE '\"[autonomous]%' ORDER BY s.updated_ms DESC LIMIT ?3"));
	size_t most = *n;

	bind_i64(st, NAMING_TRIES);
	bind_i64(st, now_ms - DAY_MS);
	bind_i64(st, (int64_t)most);
	for (*n = 0; *n < most && db_step(st);) {
		struct untitled u = { col_text(c, st, "id"), col_text(c, st, "agent_id"), said_in(c, st, "question"), said_in(c, st, "answer") };

		if (u.id == NULL || u.agent_id == NULL || u.question == NULL || u.answer == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		ret[(*n)++] = u;
	}
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_name(struct ctx *c, const char *id, const char *title)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET titled = titled + 1, label = coalesce(label, ?) WHERE id = ?"));

	bind_text(st, title);
	bind_text(st, id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* How many bytes the character at s has, if a label may have it: letters of any script, but no signs of U+2000..2BFF and no emoji. */
static size_t
letter(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

	if (n == 1)
		return isalnum(s[0]) ? 1 : 0;
	if (n == 4 || (n == 3 && s[0] == 0xE2) || (s[0] == 0xC2 && s[1] < 0xC0))
		return 0;
	return n;
}

const char *
title_of_answer(struct ctx *c, const char *said)
{
	SCOPED_BUF b = BUF_INIT(4 * TITLE_CHARS + 8);
	size_t chars = 0;

	said += strspn(said, " \t\r\n\"'*#`");
	if (strncasecmp(said, "title:", 6) == 0)
		said += 6;
	for (const unsigned char *s = (const unsigned char *)said; *s != '\0' && *s != '\n' && chars < TITLE_CHARS;) {
		size_t n = letter(s), step = n;

		if (n > 0 || ((*s == '-' || *s == '_') && b.len > 0)) {
			buf_add(&b, s, n > 0 ? n : 1);
			chars++;
		} else if (*s != '\'' && b.len > 0 && b.p[b.len - 1] != ' ' && (*s < 0x80 || s[0] == 0xC2)) {
			buf_ch(&b, ' ');
			chars++;
		}
		for (step = 1; (s[step] & 0xC0) == 0x80; step++)
			;
		s += step;
	}
	while (b.len > 0 && strchr(" -_", b.p[b.len - 1]) != NULL)
		b.len--;
	return b.len > 0 && !b.failed ? ctx_strndup(c, b.p, b.len) : NULL;
}

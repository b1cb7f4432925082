/*
 * What an agent was asked in its other conversations, and what it answered: of its newest turns, which are kept for a week.
 */
#include "lib/svc/session_elsewhere.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/json.h"
#include "lib/svc/conversation.h"
#include "lib/svc/history.h"

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
has(const struct elsewhere *v, size_t n, const char *session_id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].session_id, session_id) == 0)
			return true;
	return false;
}

/* false: there is nothing in it to be told, or not to this one. */
static enum err
look_at(struct ctx *c, const struct elsewhere_scope *s, struct stmt *st, struct elsewhere *ret, bool *ret_good)
{
	struct json_object *in = json_stored(c, col_text(c, st, "input"));
	const char *said = NULL;
	enum err e;

	*ret_good = false;
	*ret = (struct elsewhere){ .session_id = col_text(c, st, "session_id"), .title = col_text(c, st, "label"), .question = js_str(in, "text"),
		.said_ms = col_i64(st, "started_ms") };
	if (ret->session_id == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (ret->question == NULL || !same(js_str(in, "sender_id"), s->peer_id) || (s->chat != NULL && !same(js_str(in, "channel"), s->chat)))
		return ERR_OK;
	e = message_of_turn(c, ret->session_id, col_text(c, st, "id"), &said);
	if (e != ERR_OK || said == NULL)        /* it kept nothing, or what it kept has gone */
		return e;
	ret->answer = content_said(c, said, strlen(said), NULL);
	*ret_good = ret->answer != NULL && ret->answer[0] != '\0' && strcmp(ret->answer, "[no reply needed]") != 0;
	return ret->answer != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
sessions_elsewhere(struct ctx *c, const struct elsewhere_scope *s, struct elsewhere *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT t.id, t.session_id, t.input, t.started_ms, s.label FROM (SELECT id FROM turn WHERE agent_id = ?1"
	    " AND EXISTS (SELECT 1 FROM session o WHERE o.agent_id = ?1 AND o.id <> ?2) ORDER BY started_ms DESC LIMIT 40) AS newest"
	    " JOIN turn t ON t.id = newest.id JOIN session s ON s.id = t.session_id WHERE t.session_id <> ?2 AND t.state = 'done'"
	    " AND t.origin IN ('api', 'stream', 'ws', 'openai') ORDER BY t.started_ms DESC"));
	size_t most = *n;
	enum err e = ERR_OK;
	bool good;

	*n = 0;
	bind_text(st, s->agent_id);
	bind_text(st, s->session_id);
	while (e == ERR_OK && *n < most && db_step(st)) {
		size_t len;

		if (has(ret, *n, col_peek(st, "session_id", &len)))
			continue;
		e = look_at(c, s, st, &ret[*n], &good);
		*n += e == ERR_OK && good;
	}
	return e != ERR_OK || *n == most || db_end(st) == ERR_OK ? e : fail_db(c, st);
}

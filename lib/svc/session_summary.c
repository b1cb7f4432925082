/*
 * What is kept of a session that ends: what a model told of it, if one was asked, else the last things said, cut short; as a value of
 * the agent's memory. A reset does not depend on a provider.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/history.h"
#include "lib/svc/kv.h"
#include "lib/svc/memory.h"

enum { SESSIONS_MAX = 20, LINES_MAX = 10, LINE_MAX = 240, SLUG_MAX = 40, TOLD_MAX = 16 << 10, SUMMARY_MAX = 20 << 10 };

struct said { const char *role, *text; };
/* known: all that was said in it is in the agent's memories already. */
struct ending { const char *id, *label, *peer_id; int64_t created_ms; bool known; };

/* The newest lines, the newest first. */
static enum err
last_said(struct ctx *c, const char *session_id, struct said *said, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT role, content FROM message WHERE session_id = ? ORDER BY seq DESC LIMIT 10"));

	bind_text(st, session_id);
	for (*n = 0; db_step(st) && *n < LINES_MAX; ++*n) {
		size_t len;
		const char *json = col_textn(c, st, "content", &len), *text = json != NULL ? content_said(c, json, len, NULL) : NULL;

		if (text == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		said[*n] = (struct said){ col_text(c, st, "role"), text };
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* "What is the time?" to "what-is-the-time". */
static void
slug_of(const char *text, char out[static SLUG_MAX + 1])
{
	size_t n = 0;

	for (; *text != '\0' && n < SLUG_MAX; text++) {
		if (isalnum((unsigned char)*text))
			out[n++] = (char)tolower((unsigned char)*text);
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
}

static enum err
remember(struct ctx *c, const char *agent_id, const struct ending *s, const char *told)
{
	SCOPED_BUF text = BUF_INIT(SUMMARY_MAX);
	SCOPED_BUF json = BUF_INIT(SUMMARY_MAX * 6u);
	struct jw w = JW_INIT(&json);
	struct said said[LINES_MAX];
	char slug[SLUG_MAX + 1] = "", day[25];
	const char *key, *kept;
	size_t n, kept_n;
	enum err e = last_said(c, s->id, said, &n);

	if (e != ERR_OK)
		return e;
	time_rfc3339(s->created_ms, day);
	buf_printf(&text, "Session of %.10s%s%s", day, s->label != NULL ? ", " : "", s->label != NULL ? s->label : "");
	while (n-- > 0) {
		bool user = strcmp(said[n].role, "user") == 0;

		if (said[n].text[0] == '\0')
			continue;
		if (slug[0] == '\0' && user)
			slug_of(said[n].text, slug);
		if (told == NULL)
			buf_printf(&text, "\n%s: %.*s", user ? "User" : "Assistant",
			    (int)utf8_cut(said[n].text, strlen(said[n].text), LINE_MAX), said[n].text);
	}
	if (told != NULL)
		buf_printf(&text, "\n%.*s", (int)utf8_cut(told, strlen(told), TOLD_MAX), told);
	jw_strn(&w, NULL, text.p, text.len);
	key = ctx_printf(c, "session_%.10s_%s%s%.8s", day, slug, slug[0] != '\0' ? "_" : "", s->id);
	if (text.failed || json.failed || key == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if ((kept = kv_key_of(c, s->peer_id, key, strlen(key), &kept_n)) == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = kv_put(c, agent_id, kept, kept_n, json.p, json.len);
	if (e != ERR_OK || s->known || text.len == 0)
		return e;
	return memory_add(c, &(struct memory){ .agent_id = agent_id, .content = ctx_strndup(c, text.p, text.len), .source = "conversation",
	    .scope = "episodic", .peer_id = s->peer_id, .session_id = s->id, .confidence = 1, .created_ms = c->now_ms });
}

static const char *
told_of(const struct parting *p, const char *id)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].id, id) == 0)
			return p->v[i].text;
	return NULL;
}

enum err
sessions_remember(struct ctx *c, const char *agent_id, const struct parting *p)
{
	struct ending all[SESSIONS_MAX];
	size_t n = 0;
	enum err e = ERR_OK;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, label, peer_id, created_ms, remembered >= message_count AS known FROM session WHERE agent_id = ? AND message_count >= 2 "
	    "ORDER BY updated_ms DESC LIMIT 20"));

	bind_text(st, agent_id);
	for (; db_step(st) && n < SESSIONS_MAX; n++) {
		all[n] = (struct ending){ col_text(c, st, "id"), col_text(c, st, "label"), col_text(c, st, "peer_id"), col_i64(st, "created_ms"),
			col_i64(st, "known") != 0 };
	}
	if (db_end(st) != ERR_OK)
		return fail_db(c, st);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = remember(c, agent_id, &all[i], told_of(p, all[i].id));
	return e;
}

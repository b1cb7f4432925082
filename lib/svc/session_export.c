/*
 * A session taken out as one JSON document, and brought in again as a new one.
 *
 * Contents go out as the text they are stored as. What comes in was written by anybody: each message is looked
 * at, and all of them are in the store or none.
 */
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/picture_keep.h"
#include "lib/svc/session_admin.h"

enum { FORMAT = 1 };

/* Elsewhere nobody has the files: pictures go along. */
static enum err
write_whole(struct ctx *c, struct jw *w, const char *content, size_t n)
{
	struct json_object *blocks;
	enum err e;

	if (memmem(content, n, "\"image_file\"", 12) == NULL) {
		jw_raw(w, "content", content, n);
		return ERR_OK;
	}
	e = pictures_inline(c, json_stored(c, content), &blocks);
	jw_json(w, "content", blocks);
	return e;
}

enum err
session_write_messages(struct ctx *c, const char *id, bool whole, struct jw *w)
{
	enum err e = ERR_OK;

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT role, content, pinned, created_ms FROM message WHERE session_id = ? ORDER BY seq"));

	bind_text(st, id);
	while (e == ERR_OK && db_step(st)) {
		const char *s;
		size_t n;

		jw_object(w, NULL);
		s = col_peek(st, "role", &n);
		jw_strn(w, "role", s, n);
		s = col_peek(st, "content", &n);
		if (whole)
			e = write_whole(c, w, s, n);
		else
			jw_raw(w, "content", s, n);
		jw_bool(w, "pinned", col_i64(st, "pinned") != 0);
		jw_time(w, "timestamp", col_i64(st, "created_ms"));
		jw_end(w);
	}
	if (e != ERR_OK)
		return e;
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
bytes_of(struct ctx *c, const char *id, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT bytes FROM session WHERE id = ?"));

	bind_text(st, id);
	*ret = db_step(st) ? col_i64(st, "bytes") : 0;
	return *ret != 0 || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_write_export(struct ctx *c, const struct agent *a, const struct session *s, struct jw *w)
{
	int64_t bytes;
	enum err e = bytes_of(c, s->id, &bytes);

	if (e != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_i64(w, "version", FORMAT);
	jw_str(w, "agent_name", a->name);
	jw_str(w, "agent_id", a->id);
	jw_str(w, "session_id", s->id);
	jw_array(w, "messages");
	e = session_write_messages(c, s->id, true, w);
	jw_end(w);
	jw_i64(w, "context_window_tokens", (bytes + 3) / 4);
	jw_str(w, "label", s->label);
	jw_time(w, "exported_at", c->now_ms);
	jw_object(w, "metadata");
	jw_end(w);
	jw_end(w);
	return e;
}

/* --- bringing in ------------------------------------------------------------------------- */

static enum err
bad(struct ctx *c, const char *what)
{
	return fail(c, ERR_BAD_REQUEST, "Invalid export format: %s", what);
}

static enum err
content_checked(struct ctx *c, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		return ERR_OK;
	if (!json_object_is_type(v, json_type_array))
		return bad(c, "a message's content is a text or a list of blocks");
	for (size_t i = 0; i < json_object_array_length(v); i++)
		if (js_str(json_object_array_get_idx(v, i), "type") == NULL)
			return bad(c, "a content block has a type");
	return ERR_OK;
}

static enum err
message_checked(struct ctx *c, struct json_object *m)
{
	const char *role = js_str_or(m, "role", "");
	struct json_object *pinned = js_get(m, "pinned"), *at = js_get(m, "timestamp");

	if (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0 && strcmp(role, "system") != 0)
		return bad(c, "a message's role is user, assistant or system");
	if (pinned != NULL && !json_object_is_type(pinned, json_type_boolean))
		return bad(c, "pinned is true or false");
	if (at != NULL && (!json_object_is_type(at, json_type_string) || time_parse(json_object_get_string(at)) < 0))
		return bad(c, "a timestamp is a date and time of RFC 3339");
	return content_checked(c, js_get(m, "content"));
}

static enum err
checked(struct ctx *c, const struct agent *a, struct json_object *in)
{
	struct json_object *messages = js_arr(in, "messages"), *v = js_get(in, "version"), *label = js_get(in, "label");
	const char *whose = js_str_or(in, "agent_id", "");
	enum err e = ERR_OK;

	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) != FORMAT)
		return bad(c, "version 1 is expected");
	if (whose[0] != '\0' && strcasecmp(whose, a->id) != 0)
		return bad(c, "it is another agent's session");
	if (messages == NULL || json_object_array_length(messages) == 0)
		return bad(c, "there are no messages");
	if (label != NULL && !json_object_is_type(label, json_type_string))
		return bad(c, "label is a text");
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(messages); i++)
		e = message_checked(c, json_object_array_get_idx(messages, i));
	return e;
}

static enum err
insert(struct ctx *c, const char *session_id, int64_t seq, struct json_object *m, struct json_object *content)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO message (session_id, seq, role, content, pinned, created_ms)"
	    " VALUES (?, ?, ?, ?, ?, ?)"));
	SCOPED_STMT sum = db_prepare(c->db, SQL("UPDATE session SET message_count = ?, bytes = bytes + ? WHERE id = ?"));
	SCOPED_BUF b = BUF_INIT(64 << 20);
	struct jw w = JW_INIT(&b);
	const char *at = js_str(m, "timestamp");

	jw_json(&w, NULL, content);
	if (b.failed)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, session_id);
	bind_i64(st, seq);
	bind_text(st, js_str_or(m, "role", "user"));
	bind_textn(st, b.p, b.len);
	bind_i64(st, js_bool(m, "pinned", false));
	bind_i64(st, at != NULL ? time_parse(at) : c->now_ms);
	if (db_exec(st) != ERR_OK)
		return fail_db(c, st);
	bind_i64(sum, seq);
	bind_i64(sum, (int64_t)b.len);
	bind_text(sum, session_id);
	return db_exec(sum) == ERR_OK ? ERR_OK : fail_db(c, sum);
}

/* What each message says, its pictures as files of the session: before the rows, as the disk is waited for. */
static enum err
keep_pictures(struct ctx *c, const char *session_id, struct json_object *messages, struct json_object ***ret)
{
	size_t n = json_object_array_length(messages);
	enum err e = ERR_OK;

	*ret = ctx_alloc(c, n * sizeof(**ret));
	if (*ret == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = pictures_keep(c, session_id, js_get(json_object_array_get_idx(messages, i), "content"), &(*ret)[i]);
	return e;
}

enum err
session_import(struct ctx *c, const struct agent *a, struct json_object *in, char ret_id[static 37])
{
	SCOPED_TX tx = { 0 };
	struct json_object *messages = js_arr(in, "messages"), **content = NULL;
	const char *label = NULL;
	char id[37];
	enum err e = checked(c, a, in);

	uuid4(id);
	if (e == ERR_OK)
		e = session_label(c, js_str(in, "label"), &label);
	if (e == ERR_OK)
		e = keep_pictures(c, id, messages, &content);
	if (e == ERR_OK)
		e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = session_create(c, a->id, id, label, ret_id);
	for (size_t i = 0; e == ERR_OK && i < json_object_array_length(messages); i++)
		e = insert(c, id, (int64_t)i + 1, json_object_array_get_idx(messages, i), content[i]);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

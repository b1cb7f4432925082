/*
 * Both forms are written from the same rows by the same functions; only what stands around a message differs.
 */
#include "lib/svc/trajectory.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/redact.h"
#include "lib/svc/upload.h"
#include "version.h"

enum { SCHEMA_VERSION = 1 };

static enum err
bytes_of(struct ctx *c, const char *id, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT bytes FROM session WHERE id = ?"));

	bind_text(st, id);
	*ret = db_step(st) ? col_i64(st, "bytes") : 0;
	return *ret != 0 || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
write_redacted(struct ctx *c, struct jw *w, const char *key, const char *s)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);

	redact_text(c, s, strlen(s), &b);
	w->b->failed |= b.failed;
	jw_strn(w, key, b.p != NULL ? b.p : "", b.len);
}

static enum err
write_metadata(struct ctx *c, const struct agent *a, const struct session *s, struct jw *w)
{
	const char *provider, *model, *prompt = js_str_or(js_obj(a->manifest, "model"), "system_prompt", "");
	uint8_t sum[32];
	char hex[65];
	int64_t bytes;
	enum err e = bytes_of(c, s->id, &bytes);

	agent_resolved_model(c, a, &provider, &model);
	sha256(prompt, strlen(prompt), sum);
	hex_of(sum, 32, hex);
	jw_object(w, "metadata");
	jw_str(w, "agent_id", a->id);
	jw_str(w, "agent_name", a->name);
	jw_str(w, "session_id", s->id);
	if (s->label != NULL)
		write_redacted(c, w, "session_label", s->label);
	jw_str(w, "model", model);
	jw_str(w, "provider", provider);
	jw_str(w, "system_prompt_sha256", hex);
	jw_i64(w, "message_count", s->message_count);
	jw_i64(w, "context_window_tokens", (bytes + 3) / 4);
	jw_time(w, "exported_at", c->now_ms);
	jw_str(w, "librefang_version", LF_VERSION);
	jw_bool(w, "redaction_credentials", true);
	jw_bool(w, "redaction_workspace_paths", true);
	jw_end(w);
	return e;
}

/* Of a picture only how large it is. */
static int64_t
picture_bytes(struct ctx *c, struct json_object *b)
{
	const char *data = js_str(b, "data");
	uint64_t size = 0;
	char id[37];
	SCOPED_FD fd = -1;

	if (data != NULL)
		return (int64_t)(strcspn(data, "=") * 3 / 4);
	if (upload_id_of(js_str_or(b, "path", ""), id) && upload_open(c, id, &fd, &size) == ERR_OK)
		return (int64_t)size;
	fault_forget(c, (struct fault){ 0 });
	return 0;
}

static void
write_block(struct ctx *c, struct jw *w, struct json_object *b)
{
	const char *type = js_str_or(b, "type", "");
	struct json_object *clean;

	if (strcmp(type, "image") == 0 || strcmp(type, "image_file") == 0) {
		jw_object(w, NULL);
		jw_str(w, "type", "image");
		jw_str(w, "media_type", js_str_or(b, "media_type", "image/png"));
		jw_i64(w, "data_bytes", picture_bytes(c, b));
		jw_end(w);
		return;
	}
	clean = json_keep(c, redact_json(c, b));
	w->b->failed |= clean == NULL;
	jw_json(w, NULL, clean);
}

static void
write_content(struct ctx *c, struct jw *w, struct json_object *content)
{
	jw_array(w, "content");
	if (json_object_is_type(content, json_type_string)) {
		jw_object(w, NULL);
		jw_str(w, "type", "text");
		write_redacted(c, w, "text", json_object_get_string(content));
		jw_end(w);
	}
	for (size_t i = 0; json_object_is_type(content, json_type_array) && i < json_object_array_length(content); i++)
		write_block(c, w, json_object_array_get_idx(content, i));
	jw_end(w);
}

static void
write_message(struct ctx *c, struct stmt *st, struct jw *w, const char *key)
{
	size_t n;

	jw_object(w, key);
	jw_str(w, "role", col_text(c, st, "role"));
	jw_bool(w, "pinned", col_i64(st, "pinned") != 0);
	jw_time(w, "timestamp", col_i64(st, "created_ms"));
	write_content(c, w, json_stored(c, col_peek(st, "content", &n)));
	jw_end(w);
}

static enum err
write_messages(struct ctx *c, const struct session *s, bool lines, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT role, content, pinned, created_ms FROM message WHERE session_id = ? ORDER BY seq"));

	bind_text(st, s->id);
	for (int64_t i = 0; db_step(st); i++) {
		struct jw line = JW_INIT(w->b);

		if (!lines) {
			write_message(c, st, w, NULL);
			continue;
		}
		jw_object(&line, NULL);
		jw_str(&line, "kind", "message");
		jw_i64(&line, "index", i);
		write_message(c, st, &line, "message");
		jw_end(&line);
		buf_ch(w->b, '\n');
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
trajectory_write(struct ctx *c, const struct agent *a, const struct session *s, bool lines, struct buf *b)
{
	struct jw w = JW_INIT(b);
	enum err e;

	jw_object(&w, NULL);
	if (lines)
		jw_str(&w, "kind", "metadata");
	jw_i64(&w, "schema_version", SCHEMA_VERSION);
	e = write_metadata(c, a, s, &w);
	if (!lines)
		jw_array(&w, "messages");
	else
		jw_end(&w);
	if (lines)
		buf_ch(b, '\n');
	if (e == ERR_OK)
		e = write_messages(c, s, lines, &w);
	if (!lines) {
		jw_end(&w);
		jw_end(&w);
	}
	return e == ERR_OK && b->failed ? fail(c, ERR_NOMEM, "out of memory") : e;
}

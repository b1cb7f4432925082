/*
 * Sessions, shown: stored messages become what a person reads.
 *
 * The one difficult thing: a tool's result is stored in a later message than the call,
 * and is shown inside it. So all results are gathered by the id of their call
 * before the first message is written.
 */
#include "lib/svc/session_show.h"

#include <ctype.h>
#include <string.h>

#include "db/db.h"
#include "lib/svc/upload.h"

enum { RESULT_MAX = 102400, MESSAGES_MAX = 20000 };

struct line {
	const char *role;
	struct json_object *content;    /* a string or an array of blocks */
	int64_t created_ms;
};

struct history {
	struct line *lines;
	size_t n, bytes;
	struct json_object *results;    /* id of a call → its tool_result block */
};

/* --- reading ------------------------------------------------------------------ */

static bool
is_a(const struct json_object *block, const char *type)
{
	return strcmp(js_str_or(block, "type", ""), type) == 0;
}

static void
gather_results(struct history *h, struct json_object *content)
{
	size_t n = json_object_is_type(content, json_type_array) ? json_object_array_length(content) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *block = json_object_array_get_idx(content, i);
		const char *id = js_str(block, "tool_use_id");

		if (id == NULL || !is_a(block, "tool_result"))
			continue;
		if (json_object_object_add(h->results, id, json_object_get(block)) != 0)
			return;                 /* no memory: the call is shown without its result */
	}
}

static enum err
add_line(struct ctx *c, struct history *h, struct stmt *st, size_t *cap)
{
	const char *text;
	size_t n;

	if (h->n == *cap) {
		struct line *more = ctx_alloc(c, (*cap + 32) * 2 * sizeof(*more));

		if (more == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		if (h->n != 0)
			memcpy(more, h->lines, h->n * sizeof(*more));
		h->lines = more;
		*cap = (*cap + 32) * 2;
	}
	text = col_peek(st, "content", &n);
	h->bytes += n;
	h->lines[h->n] = (struct line){
		.role = col_text(c, st, "role"),
		.content = json_stored(c, text),
		.created_ms = col_i64(st, "created_ms"),
	};
	gather_results(h, h->lines[h->n].content);
	h->n++;
	return ERR_OK;
}

static enum err
load_lines(struct ctx *c, const char *session_id, const struct session_part *part, struct history *h)
{
	int64_t end = part->before > 0 ? part->before : INT64_MAX;
	size_t cap = 0;
	enum err e;

	h->results = json_keep(c, json_object_new_object());
	if (h->results == NULL)
		return fail(c, ERR_NOMEM, "out of memory");

	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT seq, role, content, created_ms FROM message WHERE session_id = ? "
	    "AND seq >= ? AND seq <= ? ORDER BY seq LIMIT 20000"));

	bind_text(st, session_id);
	bind_i64(st, part->limit > 0 && end - part->limit > 0 ? end - part->limit : 0);
	bind_i64(st, end);
	while (h->n < MESSAGES_MAX && db_step(st)) {
		if (col_i64(st, "seq") == end)          /* the next part's first: only for its results of our last calls */
			gather_results(h, json_stored(c, col_text(c, st, "content")));
		else if ((e = add_line(c, h, st, &cap)) != ERR_OK)
			return e;
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/* --- one message ---------------------------------------------------------------- */

static void
add_part(struct buf *b, const char *between, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	if (b->len > 0)
		buf_str(b, between);
	buf_str(b, text);
}

/* Text and thinking of a message; returns how many tools it calls. */
static size_t
collect(struct json_object *content, struct buf *text, struct buf *thinking)
{
	size_t tools = 0;

	if (json_object_is_type(content, json_type_string)) {
		buf_str(text, json_object_get_string(content));
		return 0;
	}
	if (!json_object_is_type(content, json_type_array))
		return 0;
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *block = json_object_array_get_idx(content, i);

		if (is_a(block, "text"))
			add_part(text, "\n", js_str(block, "text"));
		else if (is_a(block, "image") || is_a(block, "image_file"))
			add_part(text, "\n", "[Image]");
		else if (is_a(block, "thinking"))
			add_part(thinking, "\n\n", js_str(block, "thinking"));
		else if (is_a(block, "tool_use"))
			tools++;
	}
	return tools;
}

static size_t
count_images(struct json_object *content)
{
	size_t all = 0, n = json_object_is_type(content, json_type_array) ? json_object_array_length(content) : 0;

	for (size_t i = 0; i < n; i++)
		all += is_a(json_object_array_get_idx(content, i), "image_file");
	return all;
}

/* Pictures of the message: uploads that its session keeps. */
static void
write_images(struct jw *w, struct json_object *content)
{
	char id[37];

	if (count_images(content) == 0)
		return;
	jw_array(w, "images");
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *block = json_object_array_get_idx(content, i);

		if (!is_a(block, "image_file") || !upload_id_of(js_str_or(block, "path", ""), id))
			continue;
		jw_object(w, NULL);
		jw_str(w, "file_id", id);
		jw_str(w, "filename", js_str_or(block, "filename", "image"));
		jw_end(w);
	}
	jw_end(w);
}

static void
write_tool(struct jw *w, const struct history *h, const struct json_object *call)
{
	struct json_object *result = js_obj(h->results, js_str_or(call, "id", ""));
	const char *text;

	jw_object(w, NULL);
	jw_str(w, "name", js_str_or(call, "name", ""));
	jw_json(w, "input", js_get(call, "input"));
	jw_bool(w, "running", false);
	jw_bool(w, "expanded", false);
	if (result != NULL) {
		text = js_str_or(result, "content", "");
		jw_strn(w, "result", text, utf8_cut(text, strlen(text), RESULT_MAX));
		jw_bool(w, "is_error", js_bool(result, "is_error", false));
	}
	jw_end(w);
}

static void
write_tools(struct jw *w, const struct history *h, struct json_object *content)
{
	jw_array(w, "tools");
	for (size_t i = 0, n = json_object_array_length(content); i < n; i++) {
		struct json_object *block = json_object_array_get_idx(content, i);

		if (is_a(block, "tool_use"))
			write_tool(w, h, block);
	}
	jw_end(w);
}

static const char *
role_word(const char *role)
{
	if (role != NULL && strcmp(role, "assistant") == 0)
		return "Assistant";
	return role != NULL && strcmp(role, "system") == 0 ? "System" : "User";
}

static void
write_line(struct jw *w, const struct history *h, const struct line *l, struct buf *text,
    struct buf *thinking)
{
	size_t tools;

	buf_clear(text);
	buf_clear(thinking);
	tools = collect(l->content, text, thinking);
	if (text->len == 0 && thinking->len == 0 && tools == 0)
		return;
	if (text->failed || thinking->failed)
		w->b->failed = true;
	jw_object(w, NULL);
	jw_str(w, "role", role_word(l->role));
	jw_strn(w, "content", text->len > 0 ? text->p : "", text->len);
	if (tools > 0)
		write_tools(w, h, l->content);
	write_images(w, l->content);
	if (thinking->len > 0)
		jw_strn(w, "thinking", thinking->p, thinking->len);
	if (l->created_ms != 0)
		jw_time(w, "timestamp", l->created_ms);
	jw_end(w);
}

static void
write_lines(struct jw *w, const struct history *h)
{
	SCOPED_BUF text = BUF_INIT(64 << 20);
	SCOPED_BUF thinking = BUF_INIT(64 << 20);

	jw_array(w, "messages");
	for (size_t i = 0; i < h->n; i++)
		write_line(w, h, &h->lines[i], &text, &thinking);
	jw_end(w);
}

/* --- a session and the list --------------------------------------------------------- */

struct head {
	bool found;
	const char *label, *summary;
	int64_t message_count, bytes;
};

static enum err
load_head(struct ctx *c, const char *agent_id, const char *session_id, struct head *ret)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT label, summary, message_count, bytes FROM session WHERE id = ? AND agent_id = ?"));

	bind_text(st, session_id);
	bind_text(st, agent_id);
	while (db_step(st))
		*ret = (struct head){
			.found = true,
			.label = col_text(c, st, "label"),
			.summary = col_text(c, st, "summary"),
			.message_count = col_i64(st, "message_count"),
			.bytes = col_i64(st, "bytes"),
		};
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
session_write_history(struct ctx *c, const struct agent *a, const char *session_id, const struct session_part *asked,
    struct jw *w)
{
	struct session_part part = asked != NULL ? *asked : (struct session_part){ 0 };
	const char *id = session_id != NULL ? session_id : a->session_id;
	struct history h = { 0 };
	struct head head = { 0 };
	enum err e = load_head(c, a->id, id, &head);

	if (e != ERR_OK)
		return e;
	if (!head.found && session_id != NULL)
		return fail_code(c, ERR_NOT_FOUND, "session_agent_mismatch",
		    "session not found for this agent");
	if (part.limit > 0 && (part.before <= 0 || part.before > head.message_count))
		part.before = head.message_count + 1;
	if (head.found && (e = load_lines(c, id, &part, &h)) != ERR_OK)
		return e;
	jw_object(w, NULL);
	jw_str(w, "session_id", id);
	jw_str(w, "agent_id", a->id);
	jw_i64(w, "message_count", head.message_count);
	jw_i64(w, "context_window_tokens", (head.bytes + 3) / 4);
	jw_str(w, "label", head.label);
	write_lines(w, &h);
	jw_str(w, "compacted_summary", head.summary);
	jw_end(w);
	return ERR_OK;
}

enum { TITLE_CHARS = 60, TITLES_MAX = 500 };             /* TITLES_MAX: of the newest without a label */

const char *
session_title(struct ctx *c, const char *content)
{
	struct json_object *o = content != NULL ? json_stored(c, content) : NULL;
	const char *s = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
	size_t n = 0, chars = 0;
	char *out;

	for (size_t i = 0; s == NULL && json_object_is_type(o, json_type_array) && i < json_object_array_length(o); i++)
		s = js_str(json_object_array_get_idx(o, i), "text");
	if (s == NULL || (out = ctx_alloc(c, strnlen(s, 4096) + 8)) == NULL)
		return NULL;
	for (s += strspn(s, " \t\r\n"); *s != '\0' && n < 4096; s++) {
		bool gap = isspace((unsigned char)*s);

		if (gap && (s[1] == '\0' || isspace((unsigned char)s[1])))
			continue;
		if (((unsigned char)*s & 0xC0) != 0x80 && chars++ == TITLE_CHARS) {
			memcpy(out + n, "\xe2\x80\xa6", 4);
			return out;
		}
		out[n++] = gap ? ' ' : *s;
	}
	return n > 0 ? out : NULL;
}

static const char *
first_said(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT content FROM message WHERE session_id = ? AND role = 'user' ORDER BY seq LIMIT 1"));

	bind_text(st, id);
	return db_step(st) ? session_title(c, col_text(c, st, "content")) : NULL;
}

enum err
session_write_list(struct ctx *c, const struct agent *a, struct jw *w)
{
	SCOPED_STMT st = db_prepare(c->db,
	    SQL("SELECT id, label, created_ms, message_count, "
	    "CASE WHEN EXISTS (SELECT 1 FROM turn t WHERE t.agent_id = session.agent_id AND t.session_id = session.id "
	    "AND t.ended_ms IS NULL AND t.state = 'running') THEN 1 ELSE 0 END AS active "
	    "FROM session WHERE agent_id = ? ORDER BY created_ms DESC, id DESC LIMIT 10000"));

	size_t n = 0;

	bind_text(st, a->id);
	while (db_step(st)) {
		const char *id = col_text(c, st, "id"), *label = col_text(c, st, "label");

		jw_object(w, NULL);
		jw_str(w, "session_id", id);
		jw_str(w, "agent_id", a->id);
		jw_i64(w, "message_count", col_i64(st, "message_count"));
		jw_time(w, "created_at", col_i64(st, "created_ms"));
		jw_str(w, "label", label);
		jw_str(w, "title", label != NULL || n++ >= TITLES_MAX ? label : first_said(c, id));
		jw_bool(w, "active", col_i64(st, "active") != 0);
		jw_bool(w, "is_canonical", id != NULL && strcmp(id, a->session_id) == 0);
		jw_end(w);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

/*
 * Lessons.
 *
 * The difficult thing is not to know the same twice: a statement is compared with the nearest that the agent has for that sender. What says
 * the same, or less, is nothing new; what says more, or nearly the same otherwise, takes its place, and the old text stays as a version.
 */
#include "lib/svc/memory_learn.h"

#include <string.h>
#include <strings.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"
#include "lib/svc/conversation.h"
#include "lib/svc/memory_item.h"

enum { DAY_MS = 86400000, CONTENT_MIN = 4, CONTENT_MAX = 2000, NEAR = 16, COMPARED = 5, MESSAGES = 200 };

/* --- what there is to learn from ------------------------------------------------------------- */

enum err
memory_lessons(struct ctx *c, int64_t now_ms, struct lesson *ret, size_t *n)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT s.id, s.agent_id, s.peer_id, s.learnt, s.message_count FROM session s"
	    " WHERE s.message_count > s.learnt AND s.updated_ms > ?"
	    " AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.state IN ('queued', 'running', 'waiting') AND t.session_id = s.id)"
	    " ORDER BY s.updated_ms DESC LIMIT ?"));
	size_t most = *n;

	bind_i64(st, now_ms - DAY_MS);
	bind_i64(st, (int64_t)most);
	for (*n = 0; *n < most && db_step(st); ++*n) {
		ret[*n] = (struct lesson){ col_text(c, st, "id"), col_text(c, st, "agent_id"), col_text(c, st, "peer_id"), col_i64(st, "learnt"),
			col_i64(st, "message_count") };
		if (ret[*n].session_id == NULL || ret[*n].agent_id == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
	}
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static const char *
chat_of(struct ctx *c, const char *turn_id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT input FROM turn WHERE id = ?"));
	struct json_object *in;

	bind_text(st, turn_id);
	in = turn_id != NULL && db_step(st) ? json_stored(c, col_text(c, st, "input")) : NULL;
	return js_str(in, "sender_id") != NULL ? js_str(in, "channel") : NULL;
}

/* *ret NULL: of that message nothing is to be learnt. *by_person: somebody said it. */
static enum err
line_of(struct ctx *c, struct stmt *st, const char **ret, bool *by_person)
{
	size_t n;
	const char *role = col_text(c, st, "role"), *json = col_textn(c, st, "content", &n), *text;
	bool results = false;

	*ret = NULL;
	text = role != NULL && json != NULL ? content_said(c, json, n, &results) : NULL;
	if (text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	*by_person = strcmp(role, "user") == 0 && !results && strncmp(text, "[autonomous]", 12) != 0 && strncmp(text, "[task ", 6) != 0;
	if (results || text[strspn(text, " \t\r\n")] == '\0' || (strcmp(role, "user") == 0 && !*by_person) ||
	    strcasecmp(text, "[no reply needed]") == 0)
		return ERR_OK;
	*ret = ctx_printf(c, "%s: %.*s\n", role, (int)utf8_cut(text, strlen(text), LEARN_TEXT_MAX / 2), text);
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
memory_lesson_text(struct ctx *c, const struct lesson *l, struct buf *out, const char **ret_chat)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT role, content, turn_id FROM message WHERE session_id = ? AND seq > ? AND seq <= ?"
	    " ORDER BY seq DESC LIMIT ?"));
	const char *lines[MESSAGES], *turn_id = NULL;
	size_t n = 0, room = LEARN_TEXT_MAX;
	bool any = false, full = false;

	bind_text(st, l->session_id);
	bind_i64(st, l->from);
	bind_i64(st, l->to);
	bind_i64(st, MESSAGES);
	while (n < MESSAGES && !full && db_step(st)) {
		bool by_person = false;
		enum err e = line_of(c, st, &lines[n], &by_person);

		if (e != ERR_OK)
			return e;
		if (lines[n] == NULL)
			continue;
		if ((full = strlen(lines[n]) > room))
			break;
		if (by_person && !any)
			turn_id = col_text(c, st, "turn_id");
		any |= by_person;
		room -= strlen(lines[n++]);
	}
	if (!full && n < MESSAGES && db_end(st) != ERR_OK)
		return fail_db(c, st);
	while (any && n > 0)
		buf_str(out, lines[--n]);
	*ret_chat = chat_of(c, turn_id);
	return out->failed ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* --- what was learnt ------------------------------------------------------------------------------ */

static const char *
scope_of(const char *level)
{
	return strcasecmp(level, "user") == 0 ? "user_memory" : strcasecmp(level, "agent") == 0 ? "agent_memory" : "session_memory";
}

/* As the list has it, in whatever letters, one or many; NULL: not in it. */
static const char *
category_in(struct json_object *list, const char *s)
{
	static const char *const usual[] = { "communication_style", "preference", "expertise", "work_style", "project_context", "personal_detail",
		"frustration" };
	size_t n = list != NULL ? json_object_array_length(list) : ARRAY_LEN(usual);

	for (size_t i = 0; i < n; i++) {
		const char *name = list != NULL ? json_object_get_string(json_object_array_get_idx(list, i)) : usual[i];
		size_t k = name != NULL ? strlen(name) : 0;

		if (k > 0 && strncasecmp(name, s, k) == 0 && (s[k] == '\0' || strcasecmp(s + k, "s") == 0))
			return name;
	}
	return n == 0 ? "general" : NULL;
}

static bool
read_one(struct ctx *c, struct json_object *rules, struct json_object *o, struct learnt *ret)
{
	const char *s = js_str_or(o, "content", "");
	double sure = js_f64(o, "confidence", 1);
	size_t n;

	s += strspn(s, " \t\r\n");
	for (n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL; n--)
		;
	*ret = (struct learnt){ .category = category_in(js_arr(rules, "extract_categories"), js_str_or(o, "category", "")),
		.scope = scope_of(js_str_or(o, "level", "session")), .confidence = sure > 1 ? 1 : sure };
	if (n < CONTENT_MIN || ret->category == NULL || !(sure >= js_f64(rules, "extraction_threshold", 0.7)))
		return false;
	ret->content = ctx_strndup(c, s, utf8_cut(s, n, CONTENT_MAX));
	return ret->content != NULL;
}

/* The JSON in it, whatever stands around. */
static struct json_object *
json_in(struct ctx *c, const char *answer)
{
	const char *from = strpbrk(answer, "{["), *to = from != NULL ? strrchr(from, *from == '{' ? '}' : ']') : NULL;
	size_t n = to != NULL ? (size_t)(to - from) + 1 : 0;

	return n == 0 || json_check(from, n, JSON_DEPTH_MAX, NULL) != ERR_OK ? NULL : json_keep(c, json_parse(from, n));
}

size_t
memory_learnt_of(struct ctx *c, const char *answer, struct learnt ret[static LEARNT_MAX])
{
	struct json_object *o = json_in(c, answer), *list = json_object_is_type(o, json_type_array) ? o : js_arr(o, "memories");
	struct json_object *rules = c->cfg == NULL ? NULL : js_obj(c->cfg->raw, "proactive_memory");
	size_t n = 0;

	for (size_t i = 0; list != NULL && i < json_object_array_length(list) && n < LEARNT_MAX; i++)
		n += read_one(c, rules, json_object_array_get_idx(list, i), &ret[n]);
	return n;
}

/* --- into what is known ------------------------------------------------------------------------- */

struct known { int64_t n; const char *id, *content, *category, *metadata; };

static enum err
load_known(struct ctx *c, int64_t n, struct known *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT n, id, content, category, metadata FROM memory WHERE n = ?"));

	bind_i64(st, n);
	if (!db_step(st))
		return fail_db(c, st);
	*ret = (struct known){ col_i64(st, "n"), col_text(c, st, "id"), col_text(c, st, "content"), col_text(c, st, "category"),
		col_text(c, st, "metadata") };
	return ret->id == NULL || ret->content == NULL || ret->metadata == NULL ? fail(c, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* Says the new text that it is no longer as it was? */
static bool
contradicts(const char *old, const char *new)
{
	static const char *const words[] = { " not ", "n't ", "dont ", "doesnt ", "never", "no longer", "changed", "switched", "stopped", "quit",
		"instead", "rather than", "replaced", "moved from", "moved to", "no more" };

	if (memory_likeness(old, new) >= 0.3)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (has_substr_ci(new, words[i]))
			return true;
	return false;
}

enum fate { FATE_ADD, FATE_KNOWN, FATE_UPDATE };

/* v: the nearest; *ret: the one that it is about. */
static enum fate
decide(struct ctx *c, const struct learnt *l, const struct known *v, size_t n, const struct known **ret)
{
	struct json_object *rules = c->cfg == NULL ? NULL : js_obj(c->cfg->raw, "proactive_memory");
	double best = 0;

	for (size_t i = 0; i < n; i++) {
		double like = memory_likeness(v[i].content, l->content);
		bool kin = v[i].category != NULL && strcmp(v[i].category, l->category) == 0;

		if (has_substr_ci(v[i].content, l->content) || like >= 0.95)
			return FATE_KNOWN;
		if (has_substr_ci(l->content, v[i].content))
			return *ret = &v[i], FATE_UPDATE;
		if (like > best && like > js_f64(rules, kin ? "update_threshold_same_category" : "update_threshold_cross_category", kin ? 0.7 : 0.8)) {
			best = like;
			*ret = &v[i];
		}
	}
	return best > 0 ? FATE_UPDATE : FATE_ADD;
}

static enum err
nearest(struct ctx *c, const struct lesson *l, const char *chat, const char *text, struct known *ret, size_t *n)
{
	struct memory_scope s = { .agent_id = l->agent_id, .peer_id = l->peer_id, .chat = chat, .session_id = "" };
	struct memory near[NEAR];
	size_t k = NEAR;
	enum err e = memory_by_words(c, &s, text, near, &k);

	*n = 0;
	for (size_t i = 0; e == ERR_OK && i < k && *n < COMPARED; i++)
		if (strcmp(near[i].scope, "episodic") != 0 && (e = load_known(c, near[i].n, &ret[*n])) == ERR_OK)
			++*n;
	return e;
}

static const char *
metadata_of(struct ctx *c, const struct learnt *x, const char *chat)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_str(&w, "category", x->category);
	jw_f64(&w, "confidence", x->confidence);
	jw_str(&w, "extracted_by", "llm");
	jw_bool(&w, "auto_memorize", true);
	if (chat != NULL)
		jw_str(&w, "chat_scope", chat);
	jw_end(&w);
	return b.failed ? NULL : ctx_strndup(c, b.p, b.len);
}

static enum err
add(struct ctx *c, const struct lesson *l, const char *chat, const struct learnt *x)
{
	struct memory m = { .agent_id = l->agent_id, .content = x->content, .source = "conversation", .scope = x->scope, .peer_id = l->peer_id,
		.chat = chat, .session_id = l->session_id, .confidence = x->confidence, .created_ms = clock_ms(), .metadata = metadata_of(c, x, chat) };
	char id[37];
	enum err e;

	if (m.metadata == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	uuid4(id);
	m.id = id;
	e = memory_add(c, &m);
	return e == ERR_OK ? memory_set_category(c, id, x->category) : e;
}

static enum err
learn_one(struct ctx *c, const struct lesson *l, const char *chat, const struct learnt *x)
{
	struct known v[COMPARED];
	const struct known *old = NULL;
	size_t n = 0;
	enum err e = nearest(c, l, chat, x->content, v, &n);

	if (e != ERR_OK)
		return e;
	switch (decide(c, x, v, n, &old)) {
	case FATE_KNOWN:
		return ERR_OK;
	case FATE_UPDATE:
		return memory_retell(c, old->n, old->content, old->metadata, x->content, old->id, contradicts(old->content, x->content));
	default:
		return add(c, l, chat, x);
	}
}

static enum err
note(struct ctx *c, const struct lesson *l)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("UPDATE session SET learnt = ?1 WHERE id = ?2 AND message_count >= ?1"));

	bind_i64(st, l->to);
	bind_text(st, l->session_id);
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_learn(struct ctx *c, const struct lesson *l, const char *chat, const struct learnt *v, size_t n)
{
	enum err e = note(c, l);

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = learn_one(c, l, chat, &v[i]);
	return e == ERR_OK && n > 0 ? memory_cap(c, l->agent_id, js_i64(js_obj(c->cfg->raw, "proactive_memory"), "max_memories_per_agent", 1000)) : e;
}

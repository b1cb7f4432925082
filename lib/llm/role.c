/*
 * Taking the system role out of a request, be it in our words or in OpenAI's (the gateway's).
 *
 * Only the first thing that the user says is written anew; everything else is borrowed. A message of tool
 * results stays alone, as some formats send nothing else of it.
 */
#include "lib/llm/role.h"

#include <stdlib.h>
#include <string.h>

#include "lib/llm/blocks.h"

enum { SYSTEM_MAX = 16 << 20 };

static struct json_object *
text_block(const char *text, size_t n)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string_len(text, (int)n));
	return o;
}

/* The text, and behind it the array's elements. */
static struct json_object *
with_text(const struct buf *text, struct json_object *blocks)
{
	struct json_object *all = json_object_new_array();

	json_object_array_add(all, text_block(text->p, text->len));
	for (size_t i = 0, n = blocks != NULL ? json_object_array_length(blocks) : 0; i < n; i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(blocks, i)));
	return all;
}

/* --- our messages -------------------------------------------------------- */

static enum err
open_history(const struct llm_request *rq, struct unruled *u)
{
	size_t n = rq->messages != NULL ? rq->messages->n : 0;
	const struct message *first = NULL;
	struct json_object *own, *blocks;

	u->history.v = calloc(n + 1, sizeof(*u->history.v));
	if (u->history.v == NULL)
		return ERR_NOMEM;
	u->history.cap = n + 1;
	u->history.v[u->history.n++] = (struct message){ .role = BY_USER };
	for (size_t i = 0; i < n; i++) {
		const struct message *m = &rq->messages->v[i];

		if (m->role == BY_SYSTEM)
			continue;
		if (first == NULL && u->history.n == 1 && m->role == BY_USER && (m->text != NULL || !blocks_have(m->blocks, "tool_result")))
			first = m;
		else
			u->history.v[u->history.n++] = *m;
	}
	own = first != NULL && first->text != NULL ? json_parse(first->text, strlen(first->text)) : NULL;
	if (memory_short)
		return ERR_NOMEM;
	blocks = first != NULL && first->text == NULL ? first->blocks : NULL;
	if (json_object_is_type(own, json_type_string)) {
		buf_str(&u->text, "\n\n");
		buf_add(&u->text, json_object_get_string(own), (size_t)json_object_get_string_len(own));
	}
	json_object_put(own);
	u->blocks = with_text(&u->text, blocks);
	u->history.v[0].blocks = u->blocks;
	u->rq.messages = &u->history;
	return u->text.failed ? ERR_NOMEM : ERR_OK;
}

/* --- OpenAI's ------------------------------------------------------------ */

static bool
rules(struct json_object *message)
{
	const char *role = js_str_or(message, "role", "");

	return strcmp(role, "system") == 0 || strcmp(role, "developer") == 0;
}

static void
add_rules(struct json_object *messages, struct buf *out)
{
	for (size_t i = 0, n = json_object_array_length(messages); i < n; i++) {
		struct json_object *m = json_object_array_get_idx(messages, i), *c = js_get(m, "content");

		if (!rules(m))
			continue;
		if (out->len > 0)
			buf_str(out, "\n\n");
		if (json_object_is_type(c, json_type_string))
			buf_add(out, json_object_get_string(c), (size_t)json_object_get_string_len(c));
		else if (json_object_is_type(c, json_type_array))
			blocks_join(c, "text", "text", out);
	}
}

/* What the user says first, as a new message. */
static struct json_object *
opening(struct buf *text, struct json_object *first)
{
	struct json_object *m = json_object_new_object(), *c = js_get(first, "content");

	json_object_object_add(m, "role", json_object_new_string("user"));
	if (json_object_is_type(c, json_type_array)) {
		json_object_object_add(m, "content", with_text(text, c));
		return m;
	}
	if (json_object_is_type(c, json_type_string)) {
		buf_str(text, "\n\n");
		buf_add(text, json_object_get_string(c), (size_t)json_object_get_string_len(c));
	}
	json_object_object_add(m, "content", json_object_new_string_len(text->p, (int)text->len));
	return m;
}

static enum err
open_raw(const struct llm_request *rq, struct unruled *u)
{
	struct json_object *first = NULL, *all = rq->raw_messages;
	bool begun = false;

	u->raw = json_object_new_array();
	json_object_array_add(u->raw, NULL);
	for (size_t i = 0, n = json_object_array_length(all); i < n; i++) {
		struct json_object *m = json_object_array_get_idx(all, i);

		if (rules(m))
			continue;
		if (!begun && strcmp(js_str_or(m, "role", ""), "user") == 0)
			first = m;
		else
			json_object_array_add(u->raw, json_object_get(m));
		begun = true;
	}
	json_object_array_put_idx(u->raw, 0, opening(&u->text, first));
	u->rq.raw_messages = u->raw;
	return u->text.failed ? ERR_NOMEM : ERR_OK;
}

enum err
without_system(const struct llm_request *rq, struct unruled *u)
{
	*u = (struct unruled){ .rq = *rq, .text = BUF_INIT(SYSTEM_MAX) };
	u->rq.no_system = false;
	if (rq->raw_messages != NULL)
		add_rules(rq->raw_messages, &u->text);
	else
		join_system(rq, &u->text);
	u->rq.system = NULL;
	if (u->text.failed)
		return ERR_NOMEM;
	if (u->text.len == 0)
		return ERR_OK;
	return rq->raw_messages != NULL ? open_raw(rq, u) : open_history(rq, u);
}

void
unruled_done(struct unruled *u)
{
	free(u->history.v);
	json_object_put(u->blocks);
	json_object_put(u->raw);
	buf_done(&u->text);
}

/*
 * Session repair: building messages, and putting neighbours of one role together.
 */
#include <string.h>

#include "lib/agent/repair_parts.h"
#include "lib/agent/tokens.h"

/* --- building ------------------------------------------------------------------- */

void
repair_add(struct work *w, struct json_object *array, struct json_object *o)
{
	if (o != NULL && array != NULL && json_object_array_add(array, o) == 0)
		return;
	json_object_put(o);
	w->failed = true;
}

/* Set a member; value is taken over, and o may be NULL. */
void
repair_set(struct work *w, struct json_object *o, const char *key, struct json_object *value)
{
	if (o != NULL && value != NULL && json_object_object_add(o, key, value) == 0)
		return;
	json_object_put(value);
	w->failed = true;
}

struct json_object *
repair_array(struct work *w)
{
	struct json_object *a = json_object_new_array();

	if (a == NULL)
		w->failed = true;
	return a;
}

void
repair_put(struct work *w, struct history *to, struct message m)
{
	w->failed |= !history_add(w->c, to, m);
}

/* A message like m of these blocks. Takes content over. */
struct message
repair_message(struct work *w, const struct message *m, struct json_object *content)
{
	struct message ret = { .role = m->role, .pinned = m->pinned, .blocks = json_keep(w->c, content) };

	w->failed |= ret.blocks == NULL;
	ret.n = 2 * (size_t)tokens_of_message(&ret);    /* about as long as it was in the store */
	return ret;
}

/* --- merging -------------------------------------------------------------------- */

static void
put_at(struct work *w, struct json_object *array, size_t i, struct json_object *o)
{
	if (o != NULL && json_object_array_put_idx(array, i, o) == 0)
		return;
	json_object_put(o);
	w->failed = true;
}

static void
add_text(struct work *w, struct json_object *array, const char *s, size_t n)
{
	size_t len = json_object_array_length(array);
	struct json_object *last = len > 0 ? json_object_array_get_idx(array, len - 1) : NULL;
	SCOPED_BUF t = BUF_INIT(64 << 20);
	struct json_object *o = json_object_new_object();

	if (last != NULL && block_is(last, "text") && js_get(last, "provider_metadata") == NULL) {
		buf_printf(&t, "%s\n\n", js_str_or(last, "text", ""));
		len--;
	}
	buf_add(&t, s, n);
	repair_set(w, o, "type", json_object_new_string("text"));
	repair_set(w, o, "text", json_object_new_string_len(t.p != NULL ? t.p : "", (int)t.len));
	w->failed |= t.failed;
	put_at(w, array, len, o);
}

static void
add_content(struct work *w, struct json_object *array, const struct message *m)
{
	if (m->text != NULL) {
		size_t n;
		const char *text = json_text(w->c, m->text, m->n, &n);

		w->failed |= text == NULL;
		if (text != NULL)
			add_text(w, array, text, n);
		return;
	}
	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		struct json_object *b = message_block(m, i), *t = js_get(b, "text");

		if (block_is(b, "text") && js_get(b, "provider_metadata") == NULL)
			add_text(w, array, json_object_get_string(t), (size_t)json_object_get_string_len(t));
		else
			repair_add(w, array, json_object_get(b));
	}
}

/* Two texts as one, an empty line between them: still JSON text. */
static void
join_texts(struct work *w, struct message *a, const struct message *b)
{
	static const char gap[] = "\\n\\n";
	size_t n = a->n - 1 + 4 + b->n - 1;
	char *s = ctx_alloc(w->c, n + 1);

	if (s == NULL) {
		w->failed = true;
		return;
	}
	memcpy(s, a->text, a->n - 1);
	memcpy(s + a->n - 1, gap, 4);
	memcpy(s + a->n + 3, b->text + 1, b->n - 1);
	a->text = s;
	a->n = n;
}

/* Put b at the end of a. */
static void
merge(struct work *w, struct message *a, const struct message *b)
{
	struct json_object *content;

	if (a->text != NULL && b->text != NULL) {
		join_texts(w, a, b);
	} else if ((content = repair_array(w)) != NULL) {
		add_content(w, content, a);
		add_content(w, content, b);
		*a = repair_message(w, a, content);
	}
	a->pinned |= b->pinned;
}

void
repair_merge(struct work *w, struct history *to)
{
	for (size_t i = 0; i < w->out.n && !w->failed; i++) {
		const struct message *m = &w->out.v[i];

		if (to->n > 0 && repair_may_merge(&to->v[to->n - 1], m)) {
			w->st.merged++;
			merge(w, &to->v[to->n - 1], m);
		} else {
			repair_put(w, to, *m);
		}
	}
}


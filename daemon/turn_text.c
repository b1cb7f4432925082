/*
 * What a model's blocks say: text for people, JSON for the store.
 */
#include <string.h>

#include "daemon/turn_state.h"
#include "lib/base/arena.h"

enum { TEXT_MAX = 16 << 20 };

static void
free_buf(void *b)
{
	buf_done(b);
}

static struct buf *
arena_buf(struct ctx *c)
{
	struct buf *b = ctx_alloc(c, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->max = TEXT_MAX;
	return arena_defer(c->arena, free_buf, b) == 0 ? b : NULL;
}

const char *
content_text(struct ctx *c, struct json_object *content, const char *type, const char *member)
{
	struct buf *b = arena_buf(c);

	for (size_t i = 0, n = json_object_array_length(content); b != NULL && i < n; i++) {
		struct json_object *block = json_object_array_get_idx(content, i);
		const char *s = js_str(block, member);

		if (s != NULL && strcmp(js_str_or(block, "type", ""), type) == 0)
			buf_str(b, s);
	}
	return b == NULL || b->p == NULL || b->failed ? "" : b->p;
}

const char *
content_json(struct ctx *c, struct json_object *content, size_t *n)
{
	struct buf *b = arena_buf(c);
	struct jw w = JW_INIT(b);

	*n = 0;
	if (b == NULL)
		return NULL;
	jw_json(&w, NULL, content);
	if (b->failed)
		return NULL;
	*n = b->len;
	return b->p;
}

const char *
message_json(struct ctx *c, struct json_object *content, size_t *n)
{
	struct json_object *one = json_object_array_length(content) == 1 ? json_object_array_get_idx(content, 0) : NULL;
	bool plain = one != NULL && json_object_object_length(one) == 2 && js_str(one, "text") != NULL &&
	    strcmp(js_str_or(one, "type", ""), "text") == 0;

	return content_json(c, plain ? js_get(one, "text") : content, n);
}

const char *
turn_answer_shown(struct ctx *c, const struct turn_answer *a)
{
	if (a->silent || a->text[0] != '\0')
		return a->silent ? "" : a->text;
	return ctx_printf(c, "[The agent completed processing but returned no text response. (%lld in / %lld out | %lld iter)]",
	    (long long)a->input_tokens, (long long)a->output_tokens, (long long)a->iterations);
}

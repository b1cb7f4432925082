/*
 * The history as it goes to the model: short enough, whole, beginning with a user.
 *
 * A cut falls only where somebody asks something new and no tool call is open
 * before it; the search goes towards the end first (shorter is safer), then back.
 */
#include <string.h>

#include "lib/agent/fit.h"
#include "lib/agent/message.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/svc/history.h"

enum { HISTORY_DEFAULT = 60, HISTORY_MIN = 4, HISTORY_MAX = 500, KEEP_MIN = 2, MIDDLE_MIN = 4 };

/* Without system messages; the same history if there are none. NULL: out of memory. */
static const struct history *
without_system(struct ctx *c, const struct history *h)
{
	struct history *ret;
	size_t systems = 0;

	for (size_t i = 0; i < h->n; i++)
		systems += h->v[i].role == BY_SYSTEM;
	if (systems == 0)
		return h;
	ret = ctx_alloc(c, sizeof(*ret));
	for (size_t i = 0; ret != NULL && i < h->n; i++)
		if (h->v[i].role != BY_SYSTEM && !history_add(c, ret, h->v[i]))
			return NULL;
	return ret;
}

/* May the history begin at i? */
static bool
is_cut(const struct history *h, size_t i)
{
	return message_is_question(&h->v[i]) && (i == 0 || !message_has_tool_use(&h->v[i - 1]));
}

/* Where to begin so that about max are left; 0: no place found. */
static size_t
find_cut(const struct history *h, size_t max)
{
	size_t want = h->n - max;

	for (size_t i = want; i + KEEP_MIN <= h->n; i++)
		if (is_cut(h, i))
			return i;
	for (size_t i = want; i > 0; i--)
		if (is_cut(h, i))
			return i;
	return 0;
}

/* A pinned message that can stand alone: tool results without their call become text. false: nothing in it could. */
static bool
standing_alone(struct ctx *c, const struct message *m, struct message *ret)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	SCOPED_BUF quoted = BUF_INIT(8 << 20);

	for (size_t i = 0, n = m->blocks != NULL ? json_object_array_length(m->blocks) : 0; i < n; i++) {
		struct json_object *block = json_object_array_get_idx(m->blocks, i);

		if (js_str(block, "text") != NULL)
			buf_printf(&b, "%s\n", js_str(block, "text"));
		else if (js_str(block, "tool_use_id") != NULL && js_str(block, "content") != NULL)
			buf_printf(&b, "[earlier result of %s]\n%s\n", js_str_or(block, "tool_name", "a tool"),
			    js_str(block, "content"));
	}
	if (b.failed || b.len == 0)
		return false;
	json_quote(&quoted, b.p, b.len);
	*ret = (struct message){ .role = BY_USER, .pinned = true, .n = quoted.len,
		.text = quoted.failed ? NULL : ctx_strndup(c, quoted.p, quoted.len) };
	return ret->text != NULL;
}

static bool
keep_pinned(struct ctx *c, struct history *to, const struct message *m)
{
	struct message alone;

	if (message_is_question(m))
		return history_add(c, to, *m);
	return !standing_alone(c, m, &alone) || history_add(c, to, alone);
}

/* Results that were pinned and whose call has gone, in the store, stand alone from the beginning. NULL: out of memory. */
static const struct history *
free_pins(struct ctx *c, const struct history *h)
{
	struct history *ret = NULL;

	for (size_t i = 0; i < h->n; i++) {
		const struct message *m = &h->v[i];
		struct message alone;

		if (!m->pinned || m->role != BY_USER || message_is_question(m) || (i > 0 && message_has_tool_use(&h->v[i - 1])) ||
		    !standing_alone(c, m, &alone))
			continue;
		if (ret == NULL && (ret = ctx_alloc(c, sizeof(*ret))) == NULL)
			return NULL;
		for (size_t k = ret->n; k < i; k++)
			if (!history_add(c, ret, h->v[k]))
				return NULL;
		if (!history_add(c, ret, alone))
			return NULL;
	}
	for (size_t k = ret != NULL ? ret->n : 0; ret != NULL && k < h->n; k++)
		if (!history_add(c, ret, h->v[k]))
			return NULL;
	return ret != NULL ? ret : h;
}

static const struct history *
cut_at(struct ctx *c, const struct history *h, size_t from)
{
	struct history *ret = ctx_alloc(c, sizeof(*ret));
	size_t pinned = 0;

	for (size_t i = 0; ret != NULL && i < h->n; i++) {
		const struct message *m = &h->v[i];

		if (i < from && (!m->pinned || pinned++ >= PINNED_MAX))
			continue;
		if (i < from ? !keep_pinned(c, ret, m) : !history_add(c, ret, *m))
			return NULL;
	}
	return ret;
}

/* What the user said last beside answers to calls, when all else goes. */
static const struct history *
last_words(struct ctx *c, const struct history *h)
{
	struct history *ret = ctx_alloc(c, sizeof(*ret));

	for (size_t i = h->n; ret != NULL && i > 0; i--) {
		const struct message *m = &h->v[i - 1];
		struct message only = { .role = BY_USER, .pinned = m->pinned, .n = m->n };

		if (!message_has(m, "text") || (only.blocks = json_keep(c, json_object_new_array())) == NULL)
			continue;
		for (size_t k = 0; k < message_blocks(m); k++)
			if (!block_is(message_block(m, k), "tool_result") && !block_is(message_block(m, k), "thinking"))
				json_object_array_add(only.blocks, json_object_get(message_block(m, k)));
		if (m->role == BY_USER && !message_is_empty(&only))
			return history_add(c, ret, only) ? ret : NULL;
	}
	return ret;
}

/* From the first user message that is no answer to a tool call. */
static const struct history *
start_with_user(struct ctx *c, const struct history *h)
{
	struct history *ret;
	size_t i = 0;

	while (i < h->n && !message_is_question(&h->v[i]))
		i++;
	if (i == 0)
		return h;
	if (i == h->n)
		return last_words(c, h);
	ret = ctx_alloc(c, sizeof(*ret));
	if (ret != NULL)
		*ret = (struct history){ h->v + i, h->n - i, h->n - i };
	return ret;
}

const struct history *
history_for_model(struct ctx *c, const struct history *h, unsigned max)
{
	size_t cut;

	h = without_system(c, h);
	h = h != NULL ? free_pins(c, h) : NULL;
	h = h != NULL ? session_repair(c, h, NULL) : NULL;      /* a cut falls at messages that stay */
	if (h == NULL)
		return NULL;
	max = max == 0 ? HISTORY_DEFAULT : max < HISTORY_MIN ? HISTORY_MIN : max > HISTORY_MAX ? HISTORY_MAX : max;
	cut = h->n > max ? find_cut(h, max) : 0;
	if (cut > 0) {
		h = cut_at(c, h, cut);
		h = h != NULL ? session_repair(c, h, NULL) : NULL;
	}
	return h != NULL ? start_with_user(c, h) : NULL;
}

const struct history *
history_with_summary(struct ctx *c, const struct history *h, const char *summary)
{
	struct history *all = ctx_alloc(c, sizeof(*all));
	SCOPED_BUF b = BUF_INIT(1 << 20);
	const char *text;

	if (summary == NULL || summary[0] == '\0')
		return h;
	text = ctx_printf(c, "[What was said before, in short]\n%s\n[The conversation goes on]", summary);
	if (all == NULL || text == NULL)
		return NULL;
	json_quote(&b, text, strlen(text));
	if (b.failed || (text = ctx_strndup(c, b.p, b.len)) == NULL || !history_add(c, all, message_of(c, BY_USER, text, b.len)))
		return NULL;
	for (size_t i = 0; i < h->n; i++)
		if (!history_add(c, all, h->v[i]))
			return NULL;
	return all;
}

/* --- shorter still, in the middle of a turn ---------------------------------------------- */

static bool
is_result(const struct message *m)
{
	return m->role == BY_USER && !message_is_question(m);
}

/* The question that is being answered; h->n: there is none. */
static size_t
last_question(const struct history *h)
{
	for (size_t i = h->n; i > 0; i--)
		if (message_is_question(&h->v[i - 1]))
			return i - 1;
	return h->n;
}

static bool
add_said(struct ctx *c, struct history *to, const char *text)
{
	SCOPED_BUF b = BUF_INIT(8 << 20);
	const char *json;

	json_quote(&b, text, strlen(text));
	json = b.failed ? NULL : ctx_strndup(c, b.p, b.len);
	return json != NULL && history_add(c, to, message_of(c, BY_USER, json, b.len));
}

/* What of from..to-1 stays although it is left out: the question, and pins. */
static bool
keep_some(struct ctx *c, const struct history *h, size_t from, size_t to, struct history *out)
{
	size_t question = last_question(h), pinned = 0;

	for (size_t i = from; i < to; i++)
		if ((i == question && !history_add(c, out, h->v[i])) ||
		    (i != question && h->v[i].pinned && pinned++ < PINNED_MAX && !keep_pinned(c, out, &h->v[i])))
			return false;
	return true;
}

static const struct history *
put_right(struct ctx *c, const struct history *h)
{
	h = session_repair(c, h, NULL);
	return h != NULL ? start_with_user(c, h) : NULL;
}

const struct history *
fit_tail(struct ctx *c, const struct history *h, size_t keep, const char *notice)
{
	size_t from = h->n > keep ? h->n - keep : 0;
	struct history *out;

	while (from > 0 && is_result(&h->v[from]))
		from--;
	if (from == 0)
		return h;
	out = ctx_alloc(c, sizeof(*out));
	if (out == NULL || (notice != NULL && !add_said(c, out, notice)) || !keep_some(c, h, 0, from, out))
		return NULL;
	for (size_t i = from; i < h->n; i++)
		if (!history_add(c, out, h->v[i]))
			return NULL;
	return put_right(c, out);
}

bool
fit_middle(const struct history *h, size_t first, size_t last, size_t *from, size_t *to)
{
	size_t a = first, b = h->n > last ? h->n - last : 0;

	while (a < h->n && is_result(&h->v[a]))
		a++;
	while (b > a && is_result(&h->v[b]))
		b--;
	*from = a;
	*to = b;
	return b >= a + MIDDLE_MIN;
}

const struct history *
fit_told(struct ctx *c, const struct history *h, size_t from, size_t to, const char *summary)
{
	struct history *out = ctx_alloc(c, sizeof(*out));
	const char *text = ctx_printf(c, "[What came next, in short]\n%s\n[The conversation goes on]", summary);

	for (size_t i = 0; out != NULL && i < from; i++)
		if (!history_add(c, out, h->v[i]))
			return NULL;
	if (out == NULL || text == NULL || !add_said(c, out, text) || !keep_some(c, h, from, to, out))
		return NULL;
	for (size_t i = to; i < h->n; i++)
		if (!history_add(c, out, h->v[i]))
			return NULL;
	return put_right(c, out);
}

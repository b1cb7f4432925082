/*
 * Cutting results of tools. First every result gets a number of characters that it may keep, then the
 * messages that lose something are written anew.
 */
#include "lib/agent/fit.h"

#include <string.h>

#include "lib/agent/message.h"
#include "lib/agent/tokens.h"

enum { CHARS_PER_TOKEN = 2, EXCESS_MIN = 200 };

struct result {
	size_t at, block, n, chars, may;
	const char *s;
	bool sent;              /* by another agent */
};

struct results { struct result *v; size_t n; };

static size_t
chars_of(const char *s, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += ((unsigned char)s[i] & 0xC0) != 0x80;
	return k;
}

static void
look(const struct message *m, size_t at, struct results *r)
{
	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		struct json_object *b = message_block(m, i), *text = js_get(b, "content");
		struct result *k = &r->v[r->n];

		if (!block_is(b, "tool_result") || !json_object_is_type(text, json_type_string))
			continue;
		*k = (struct result){ .at = at, .block = i, .s = json_object_get_string(text),
			.n = (size_t)json_object_get_string_len(text), .sent = strcmp(js_str_or(b, "tool_name", ""), "agent_send") == 0 };
		k->chars = k->may = chars_of(k->s, k->n);
		r->n++;
	}
}

static bool
collect(struct ctx *c, const struct history *h, struct results *r)
{
	size_t blocks = 0;

	for (size_t i = 0; i < h->n; i++)
		blocks += h->v[i].role == BY_USER ? message_blocks(&h->v[i]) : 0;
	*r = (struct results){ .v = ctx_alloc(c, (blocks + 1) * sizeof(*r->v)) };
	for (size_t i = 0; r->v != NULL && i < h->n; i++)
		if (h->v[i].role == BY_USER)
			look(&h->v[i], i, r);
	return r->v != NULL;
}

/* --- writing them anew ------------------------------------------------------------------ */

static struct json_object *
shorter(struct ctx *c, struct json_object *b, const struct result *k)
{
	struct json_object *o = json_object_new_object();
	size_t n;
	const char *s = text_squeeze(c, k->s, k->n, k->may, &n);

	if (o == NULL || s == NULL) {
		json_object_put(o);
		return NULL;
	}
	json_object_object_foreach(b, key, v)
		json_object_object_add(o, key, strcmp(key, "content") == 0 ? json_object_new_string_len(s, (int)n) : json_object_get(v));
	return o;
}

/* Message m with those of its results cut; *k is the first of them, and moves on. */
static bool
rewrite(struct ctx *c, struct message *m, const struct result **k, const struct result *end)
{
	struct json_object *blocks = json_keep(c, json_object_new_array());
	size_t at = (*k)->at;

	for (size_t i = 0, n = message_blocks(m); blocks != NULL && i < n; i++) {
		struct json_object *b = message_block(m, i), *o;

		if (*k < end && (*k)->at == at && (*k)->block == i) {
			o = (*k)->may < (*k)->chars ? shorter(c, b, *k) : json_object_get(b);
			++*k;
		} else {
			o = json_object_get(b);
		}
		if (o == NULL || json_object_array_add(blocks, o) != 0) {
			json_object_put(o);
			return false;
		}
	}
	m->blocks = blocks;
	m->n = (size_t)(blocks != NULL ? 2 * tokens_of_message(m) : 0);
	return blocks != NULL;
}

static bool
any_cut(const struct result *k, const struct result *end)
{
	for (size_t at = k->at; k < end && k->at == at; k++)
		if (k->may < k->chars)
			return true;
	return false;
}

static const struct history *
apply(struct ctx *c, const struct history *h, const struct results *r)
{
	const struct result *k = r->v, *end = r->v + r->n;
	struct history *out = NULL;

	while (k < end) {
		size_t at = k->at;

		if (!any_cut(k, end)) {
			while (k < end && k->at == at)
				k++;
			continue;
		}
		if (out == NULL) {
			out = ctx_alloc(c, sizeof(*out));
			for (size_t i = 0; out != NULL && i < h->n; i++)
				if (!history_add(c, out, h->v[i]))
					return NULL;
		}
		if (out == NULL || !rewrite(c, &out->v[at], &k, end))
			return NULL;
	}
	return out != NULL ? out : h;
}

/* --- rules ---------------------------------------------------------------------------------- */

size_t
fit_result_max(int64_t window)
{
	return (size_t)(window * CHARS_PER_TOKEN * 3 / 10);
}

/* The oldest first, each down to its least. */
static void
shrink(struct results *r, size_t *sum, size_t total, bool to_the_point)
{
	for (size_t i = 0; i < r->n && *sum > total; i++) {
		struct result *k = &r->v[i];
		size_t least = to_the_point ? EXCESS_MIN : k->sent ? FIT_SENT_MIN : FIT_RESULT_MIN, gone;

		if (k->may <= least)
			continue;
		gone = k->may - least;
		if (to_the_point && gone > *sum - total)
			gone = *sum - total;
		k->may -= gone;
		*sum -= gone;
	}
}

const struct history *
fit_guard(struct ctx *c, const struct history *h, int64_t window)
{
	size_t all = (size_t)window * CHARS_PER_TOKEN, sum = 0;
	struct results r;

	if (!collect(c, h, &r))
		return NULL;
	for (size_t i = 0; i < r.n; i++) {
		if (r.v[i].may > all / 2)
			r.v[i].may = all / 2;
		sum += r.v[i].may;
	}
	shrink(&r, &sum, all * 3 / 4, false);
	shrink(&r, &sum, all * 3 / 4, true);
	return apply(c, h, &r);
}

const struct history *
fit_results(struct ctx *c, const struct history *h, size_t max, size_t keep)
{
	struct results r;

	if (!collect(c, h, &r))
		return NULL;
	for (size_t i = 0; i < r.n; i++)
		if (r.v[i].may > max && r.v[i].at + keep < h->n)
			r.v[i].may = max;
	return apply(c, h, &r);
}

/*
 * Session repair.
 *
 * First a look (repair_look.c) without any allocation: nearly always nothing is
 * wrong. Otherwise all results are collected, each is given to the call it
 * belongs to, and the history is written anew: every assistant message with calls
 * is followed by one user message with exactly their results. The difficult thing:
 * ids are not unique in practice (some models count call_1, call_2 in every
 * answer), so a result belongs to the nearest call of that id before it, and
 * only one that has no call before it to a later one.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/clean.h"
#include "lib/agent/repair_parts.h"

/* --- putting right ------------------------------------------------------------ */

static void
collect_block(struct work *w, const struct message *m, struct json_object *b, size_t at)
{
	const char *id = js_str_or(b, "id", "");

	if (block_is(b, "tool_result") && m->role != BY_SYSTEM)
		w->results[w->n_results++] = (struct result){ b, js_str_or(b, "tool_use_id", ""), at,
		    m->role == BY_ASSISTANT, -1 };
	if (!block_is(b, "tool_use") || m->role != BY_ASSISTANT || block_is_empty(b))
		return;
	for (size_t i = w->n_uses; i > 0 && w->uses[i - 1].at == at; i--)
		if (strcmp(w->uses[i - 1].id, id) == 0 || w->n_uses - i >= USES_MAX - 1) {
			w->st.duplicates++;
			return;
		}
	w->uses[w->n_uses++] = (struct use){ id, js_str(b, "name"), at, -1 };
}

static bool
collect(struct work *w)
{
	size_t n = w->in->n, blocks = 1;

	for (size_t i = 0; i < n; i++)
		blocks += message_blocks(&w->in->v[i]);
	w->uses = ctx_alloc(w->c, blocks * sizeof(*w->uses));
	w->by_id = ctx_alloc(w->c, blocks * sizeof(struct use *));
	w->results = ctx_alloc(w->c, blocks * sizeof(*w->results));
	if (w->uses == NULL || w->by_id == NULL || w->results == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct message *m = &w->in->v[i];

		for (size_t k = 0, nb = message_blocks(m); k < nb; k++)
			collect_block(w, m, message_block(m, k), i);
	}
	return true;
}

static bool
is_waiting(const struct json_object *b)
{
	return strcmp(js_str_or(b, "status", ""), "waiting_approval") == 0;
}

/* Give result r to use u, unless u has as strong a one. */
static void
assign(struct work *w, size_t r, size_t u)
{
	struct result *res = &w->results[r];
	struct use *use = &w->uses[u];

	res->use = (int)u;
	if (use->best >= 0) {
		w->st.duplicates++;
		if (!is_waiting(w->results[use->best].block) || is_waiting(res->block))
			return;
	}
	use->best = (int)r;
}

static int
by_id(const void *a, const void *b)
{
	const struct use *x = *(struct use *const *)a, *y = *(struct use *const *)b;
	int d = strcmp(x->id, y->id);

	return d != 0 ? d : x->at < y->at ? -1 : x->at > y->at;
}

/* How many of by_id stand before (id, at), that place included. */
static size_t
upto(const struct work *w, const char *id, size_t at)
{
	const struct use probe = { .id = id, .at = at }, *p = &probe;
	size_t lo = 0, hi = w->n_uses;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_id(&w->by_id[mid], &p) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
match(struct work *w)
{
	for (size_t i = 0; i < w->n_uses; i++)
		w->by_id[i] = &w->uses[i];
	qsort(w->by_id, w->n_uses, sizeof(struct use *), by_id);
	for (size_t r = 0; r < w->n_results; r++) {
		size_t k = upto(w, w->results[r].id, w->results[r].at);

		if (k > 0 && strcmp(w->by_id[k - 1]->id, w->results[r].id) == 0)
			assign(w, r, (size_t)(w->by_id[k - 1] - w->uses));
	}
	/* results that came before their call */
	for (size_t r = 0; r < w->n_results; r++) {
		size_t k = upto(w, w->results[r].id, w->results[r].at);

		if (w->results[r].use >= 0)
			continue;
		if (k < w->n_uses && strcmp(w->by_id[k]->id, w->results[r].id) == 0)
			assign(w, r, (size_t)(w->by_id[k] - w->uses));
		else
			w->st.orphaned++;
	}
}

/* A block like b with another text. Takes text over. */
static struct json_object *
with_text(struct work *w, struct json_object *b, struct json_object *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_foreach(b, k, v)
		if (strcmp(k, "content") != 0 && v != NULL)
			repair_set(w, o, k, json_object_get(v));
	repair_set(w, o, "content", text);
	return o;
}

/* A result as it goes to the model: itself when it is clean. */
static struct json_object *
cleaned(struct work *w, struct json_object *b)
{
	SCOPED_BUF t = BUF_INIT(RESULT_TEXT_MAX + 4096);
	struct json_object *o;
	size_t n = 0;
	const char *s = repair_text(b, &n);

	if (s == NULL || result_is_clean(s, n))
		return json_object_get(b);
	w->st.cleaned++;
	result_clean(&t, s, n);
	o = with_text(w, b, json_object_new_string_len(t.p != NULL ? t.p : "", (int)t.len));
	w->failed |= t.failed;
	return o;
}

static struct json_object *
synthetic(struct work *w, const struct use *u)
{
	struct json_object *o = json_object_new_object();

	repair_set(w, o, "type", json_object_new_string("tool_result"));
	repair_set(w, o, "tool_use_id", json_object_new_string(u->id));
	repair_set(w, o, "tool_name", json_object_new_string(u->name));
	repair_set(w, o, "content", json_object_new_string("This call was interrupted; its outcome is unknown."));
	repair_set(w, o, "is_error", json_object_new_boolean(true));
	repair_set(w, o, "status", json_object_new_string("error"));
	return o;
}

static size_t
count_in(struct json_object *array, const char *type, const char *id)
{
	size_t k = 0;

	for (size_t i = 0, n = json_object_array_length(array); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(array, i);

		k += block_is(b, type) && (id == NULL || strcmp(js_str_or(b, "id", ""), id) == 0);
	}
	return k;
}

/* Copy the blocks that stay: no results (they are placed with their calls), nothing empty, no call twice. */
static void
copy_blocks(struct work *w, const struct message *m, struct json_object *to)
{
	size_t uses = 0;

	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		struct json_object *b = message_block(m, i);
		bool is_use = block_is(b, "tool_use");

		if (block_is(b, "tool_result"))
			continue;
		if (block_is_empty(b) || (is_use && m->role != BY_ASSISTANT)) {
			w->st.empty++;
			continue;
		}
		if (is_use && (uses >= USES_MAX || count_in(to, "tool_use", js_str(b, "id")) > 0))
			continue;
		uses += is_use;
		repair_add(w, to, json_object_get(b));
	}
}

/* Where did the chosen result stand? Count what had to be done to it. */
static void
account(struct work *w, const struct use *u, size_t next, bool has_next)
{
	const struct result *r = u->best >= 0 ? &w->results[u->best] : NULL;

	if (r != NULL && !r->in_assistant && has_next && r->at == next)
		return;
	if (has_next)
		w->st.positional++;
	if (r == NULL)
		w->st.synthetic++;
	else if (r->in_assistant)
		w->st.rescued++;
	else
		w->st.reordered++;
}

/*
 * Put the message of results after the calls from..to-1, all of one message. true: the
 * next message held some of them and gave its other blocks too.
 */
static bool
emit_results(struct work *w, size_t from, size_t to)
{
	size_t n = w->in->n, at = w->uses[from].at, next = at + 1;
	const struct message *m, answer = { .role = BY_USER };
	struct json_object *content = repair_array(w);
	bool has_next, takes = false;

	while (next < n && w->in->v[next].role == BY_SYSTEM)
		next++;
	m = next < n ? &w->in->v[next] : NULL;
	has_next = m != NULL && m->role == BY_USER;
	for (size_t i = from; i < to && content != NULL; i++) {
		const struct use *u = &w->uses[i];

		account(w, u, next, has_next);
		takes |= u->best >= 0 && w->results[u->best].at == next;
		repair_add(w, content, u->best >= 0 ? cleaned(w, w->results[u->best].block) : synthetic(w, u));
	}
	takes = takes && has_next && next == at + 1;
	if (takes && content != NULL)
		copy_blocks(w, m, content);
	repair_put(w, &w->out, repair_message(w, takes ? m : &answer, content));
	return takes;
}

/* Emit message i without its results; false: it had nothing else. */
static bool
emit_rest(struct work *w, const struct message *m)
{
	struct json_object *content;

	if (m->text != NULL) {
		if (message_is_empty(m)) {
			w->st.empty++;
			return false;
		}
		repair_put(w, &w->out, *m);
		return true;
	}
	content = repair_array(w);
	if (content == NULL)
		return false;
	copy_blocks(w, m, content);
	if (json_object_array_length(content) == count_in(content, "thinking", NULL)) {
		w->st.empty += !message_has(m, "tool_result");
		json_object_put(content);
		return false;
	}
	if (json_object_array_length(content) == message_blocks(m)) {
		json_object_put(content);
		repair_put(w, &w->out, *m);
	} else {
		repair_put(w, &w->out, repair_message(w, m, content));
	}
	return true;
}

static void
rebuild(struct work *w)
{
	size_t u = 0;

	for (size_t i = 0; i < w->in->n && !w->failed; i++) {
		const struct message *m = &w->in->v[i];
		size_t from = u;

		while (u < w->n_uses && w->uses[u].at <= i)
			u++;
		if (!emit_rest(w, m) || u == from)
			continue;
		if (emit_results(w, from, u))
			i++;            /* the next message went into the results */
	}
}

const struct history *
session_repair(struct ctx *c, const struct history *h, struct repair_stats *stats)
{
	struct work w = { .c = c, .in = h };
	struct history *ret;

	if (stats != NULL)
		*stats = (struct repair_stats){ 0 };
	if (repair_is_sound(h))
		return h;
	ret = ctx_alloc(c, sizeof(*ret));
	if (ret == NULL || !collect(&w))
		return NULL;
	match(&w);
	rebuild(&w);
	repair_merge(&w, ret);
	if (stats != NULL)
		*stats = w.st;
	return w.failed ? NULL : ret;
}

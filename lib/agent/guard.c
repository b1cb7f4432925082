/*
 * The loop guard.
 *
 * Every call becomes the SHA-256 of "name|parameters", with the members of
 * objects sorted so that their order does not hide a repetition. A table
 * counts per key, a ring of the last 30 keys shows patterns of two or three
 * calls in turn. Polling (asking for a status again and again) is legitimate
 * for longer: its thresholds are three times as high.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/guard.h"
#include "lib/base/util.h"

enum {
	RING = 30,
	CALLS_MAX = 30,         /* in a turn, for up to as many iterations */
	CALLS_FACTOR = 3,
	SAME_WARN = 3, SAME_BLOCK = 5,
	WARNS_MAX = 3,
	RESULT_WARN = 2, RESULT_BLOCK = 3, RESULT_BYTES = 1000,
	POLL_FACTOR = 3, POLL_TEXT_MAX = 512,
	CANON_MAX = 16 << 20, CANON_DEPTH = 64,
};

struct key { uint8_t b[32]; };

struct seen {
	struct key key;
	unsigned calls, warns, same_results;
	struct key result;
	bool poll, blocked;
};

struct loop_guard {
	struct ctx *c;
	unsigned limit, calls;
	struct seen *seen;
	size_t n, cap;
	struct key ring[RING];
	unsigned in_ring;
};

struct loop_guard *
loop_guard_new(struct ctx *c, unsigned max_iterations)
{
	struct loop_guard *g = ctx_alloc(c, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->c = c;
	g->limit = max_iterations > CALLS_MAX && max_iterations < UINT32_MAX / CALLS_FACTOR
	    ? max_iterations * CALLS_FACTOR : CALLS_MAX;
	return g;
}

unsigned
loop_guard_calls(const struct loop_guard *g)
{
	return g->calls;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void canon(struct buf *, struct json_object *, unsigned depth);

static void
canon_object(struct buf *b, struct json_object *o, unsigned depth)
{
	size_t n = (size_t)json_object_object_length(o), i = 0;
	const char **names = calloc(n + 1, sizeof(*names));

	if (names == NULL) {
		b->failed = true;
		return;
	}
	json_object_object_foreach(o, k, v) {
		(void)v;
		names[i++] = k;
	}
	qsort(names, n, sizeof(*names), by_name);
	buf_ch(b, '{');
	for (i = 0; i < n; i++) {
		json_quote(b, names[i], strlen(names[i]));
		buf_ch(b, ':');
		canon(b, js_get(o, names[i]), depth + 1);
		buf_ch(b, ',');
	}
	buf_ch(b, '}');
	free(names);
}

static void
canon(struct buf *b, struct json_object *o, unsigned depth)
{
	struct jw w = JW_INIT(b);

	if (depth > CANON_DEPTH) {
		buf_str(b, "...");
	} else if (json_object_is_type(o, json_type_object)) {
		canon_object(b, o, depth);
	} else if (json_object_is_type(o, json_type_array)) {
		buf_ch(b, '[');
		for (size_t i = 0, n = json_object_array_length(o); i < n; i++) {
			canon(b, json_object_array_get_idx(o, i), depth + 1);
			buf_ch(b, ',');
		}
		buf_ch(b, ']');
	} else {
		jw_json(&w, NULL, o);
	}
}

/* Does it look like waiting for something? Only short parameters are taken for that. */
static bool
is_poll(struct json_object *input, const char *text, size_t n)
{
	if (js_bool(input, "poll", false))
		return true;
	return n <= POLL_TEXT_MAX && (has_substr_ci(text, "status") || has_substr_ci(text, "poll") ||
	    has_substr_ci(text, "wait"));
}

static struct key
key_of(const char *name, struct json_object *input, bool *poll)
{
	SCOPED_BUF b = BUF_INIT(CANON_MAX);
	struct key k = { 0 };
	size_t params;

	buf_str(&b, name);
	buf_ch(&b, '|');
	params = b.len;
	canon(&b, input, 0);
	if (b.p != NULL) {
		sha256(b.p, b.len, k.b);
		*poll = is_poll(input, b.p + params, b.len - params);
	}
	return k;
}

static bool
same(const struct key *a, const struct key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The key's entry, made when it is new; NULL without memory. */
static struct seen *
find(struct loop_guard *g, const struct key *k)
{
	struct seen *more;

	for (size_t i = 0; i < g->n; i++)
		if (same(&g->seen[i].key, k))
			return &g->seen[i];
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;

		more = ctx_alloc(g->c, cap * sizeof(*more));
		if (more == NULL)
			return NULL;
		if (g->n > 0)
			memcpy(more, g->seen, g->n * sizeof(*more));
		g->seen = more;
		g->cap = cap;
	}
	g->seen[g->n].key = *k;
	return &g->seen[g->n++];
}

static void
remember(struct loop_guard *g, const struct key *k)
{
	if (g->in_ring == RING)
		memmove(g->ring, g->ring + 1, (RING - 1) * sizeof(*g->ring));
	else
		g->in_ring++;
	g->ring[g->in_ring - 1] = *k;
}

/* How many times the last `period` calls, not all the same, stand in a row at the end of the ring. */
static unsigned
repeats(const struct loop_guard *g, unsigned period)
{
	const struct key *end = g->ring + g->in_ring;
	unsigned times = 1;
	bool varied = false;

	if (g->in_ring < period)
		return 0;
	for (unsigned i = 1; i < period; i++)
		varied |= !same(end - 1, end - 1 - i);
	if (!varied)
		return 0;
	while ((times + 1) * period <= g->in_ring &&
	    memcmp(end - (times + 1) * period, end - period, period * sizeof(*end)) == 0)
		times++;
	return times;
}

static enum guard_verdict
check_pattern(const struct loop_guard *g, const char **ret_advice)
{
	unsigned two = repeats(g, 2), three = repeats(g, 3);
	unsigned most = two > three ? two : three;

	if (most >= 3) {
		*ret_advice = "Blocked: the same few calls were made in turn three times. Change the approach or answer with what you have.";
		return GUARD_BLOCK;
	}
	if (most == 2) {
		*ret_advice = "Warning: you are alternating between the same calls. Unless something changes between them, try another way.";
		return GUARD_WARN;
	}
	return GUARD_OK;
}

static enum guard_verdict
check_same(struct loop_guard *g, struct seen *s, const char **ret_advice)
{
	unsigned factor = s->poll ? POLL_FACTOR : 1;

	if (s->calls >= SAME_BLOCK * factor || (s->calls >= SAME_WARN * factor && s->warns >= WARNS_MAX)) {
		*ret_advice = ctx_printf(g->c, "Blocked: this call was made %u times with the same parameters. "
		    "Use the results you have, or do something else.", s->calls);
		return GUARD_BLOCK;
	}
	if (s->calls >= SAME_WARN * factor) {
		if (check_pattern(g, ret_advice) == GUARD_BLOCK)
			return GUARD_BLOCK;
		s->warns++;
		*ret_advice = ctx_printf(g->c, "Warning: this is call number %u with the same parameters; it will be refused soon.",
		    s->calls);
		return GUARD_WARN;
	}
	return check_pattern(g, ret_advice);
}

/* Who asks again and again whether something is done is told to wait, each time longer. */
static enum guard_verdict
patience(struct loop_guard *g, const struct seen *s, enum guard_verdict v, const char **ret_advice)
{
	static const unsigned wait_s[] = { 0, 0, 5, 10, 30, 60 };
	unsigned k = s->calls < ARRAY_LEN(wait_s) ? s->calls : ARRAY_LEN(wait_s) - 1;

	if (s->poll && v == GUARD_OK && wait_s[k] > 0)
		*ret_advice = ctx_printf(g->c, "Not again at once: wait about %u seconds before you ask this the next time.", wait_s[k]);
	return v;
}

enum guard_verdict
loop_guard_check(struct loop_guard *g, const char *name, struct json_object *input, const char **ret_advice)
{
	bool poll = false;
	struct key k = key_of(name, input, &poll);
	struct seen *s;

	*ret_advice = NULL;
	if (++g->calls > g->limit) {
		*ret_advice = ctx_printf(g->c, "The turn was stopped after %u tool calls.", g->limit);
		return GUARD_BREAK;
	}
	s = find(g, &k);
	if (s == NULL)
		return GUARD_OK;        /* no memory: the limit of calls still holds */
	s->poll = poll;
	if (s->blocked) {
		*ret_advice = "Blocked: this call gave the same result each time. Its result will not change; go on without it.";
		return GUARD_BLOCK;
	}
	s->calls++;
	remember(g, &k);
	return patience(g, s, check_same(g, s, ret_advice), ret_advice);
}

const char *
loop_guard_result(struct loop_guard *g, const char *name, struct json_object *input, const char *result, size_t n)
{
	bool poll = false;
	struct key k = key_of(name, input, &poll), r;
	struct seen *s = find(g, &k);
	unsigned factor = poll ? POLL_FACTOR : 1;

	if (s == NULL)
		return NULL;
	sha256(result, n > RESULT_BYTES ? utf8_cut(result, n, RESULT_BYTES) : n, r.b);
	if (s->same_results > 0 && same(&s->result, &r))
		s->same_results++;
	else
		s->same_results = 1;
	s->result = r;
	if (s->same_results >= RESULT_BLOCK * factor) {
		s->blocked = true;
		return "Warning: the same call gave the same result again; from now on it is refused.";
	}
	if (s->same_results >= RESULT_WARN * factor)
		return "Warning: the same call gave the same result as before. Repeating it will not help.";
	return NULL;
}

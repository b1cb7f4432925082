/*
 * One chat completion with a provider that speaks OpenAI's format.
 *
 * Providers differ in what they refuse. When a 400 says which member was too
 * much, the request is sent again without it, and the lesson is kept for this provider and
 * model as long as the process lives.
 */
#include "lib/llm/openai.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/wishes.h"

enum { LESSONS = 256 };

/* --- lessons ------------------------------------------------------------- */

enum { NO_TEMPERATURE = 1, COMPLETION_TOKENS = 2, OLD_TOKENS = 4, NO_STREAM_OPTIONS = 8, NO_THINKING = 16, FLAGS = 31 };

static _Atomic uint64_t lessons[LESSONS];       /* hash with the flags in its low bits */

static uint64_t
hash_of(const struct llm_request *rq)
{
	const char *const parts[] = { rq->provider, rq->base_url, rq->model };
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		for (const char *p = parts[i] != NULL ? parts[i] : ""; *p != '\0'; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
		h = (h ^ 0xff) * 1099511628211u;
	}
	return h & ~(uint64_t)FLAGS;
}

static void
recall(const struct llm_request *rq, struct quirks *q)
{
	uint64_t h = hash_of(rq), known = atomic_load(&lessons[(h >> 32) % LESSONS]);

	if ((known & ~(uint64_t)FLAGS) != h)
		return;
	q->no_temperature |= (known & NO_TEMPERATURE) != 0;
	q->completion_tokens |= (known & COMPLETION_TOKENS) != 0 && !q->old_tokens;
	q->old_tokens |= (known & OLD_TOKENS) != 0;
	q->no_stream_options |= (known & NO_STREAM_OPTIONS) != 0;
	q->no_thinking |= (known & NO_THINKING) != 0;
}

void
oa_learn(const struct outgoing *o)
{
	const struct quirks *q = &o->quirks;
	uint64_t h = hash_of(o->rq);
	unsigned flags = (q->no_temperature ? NO_TEMPERATURE : 0u) | (q->completion_tokens ? COMPLETION_TOKENS : 0u) |
	    (q->old_tokens ? OLD_TOKENS : 0u) | (q->no_stream_options ? NO_STREAM_OPTIONS : 0u) |
	    (q->no_thinking ? NO_THINKING : 0u);

	if (flags != 0)
		atomic_store(&lessons[(h >> 32) % LESSONS], h | flags);
}

/* --- healing ------------------------------------------------------------- */

/* The limit that the message quotes, or half of what was asked for. */
static int64_t
smaller_limit(const char *body, int64_t asked)
{
	static const char *const before[] = {
		"less than or equal to `", "must be <= `", "maximum value for `max_tokens` is `",
		"less than or equal to ", "must be <= ", "supports at most ",
	};

	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		const char *p = strcasestr(body, before[i]);
		long long n = p != NULL ? strtoll(p + strlen(before[i]), NULL, 10) : 0;

		if (n > 0 && n < 100000000)
			return n;
	}
	return asked > 1 ? asked / 2 : 0;
}

static bool
heal_tokens(const struct llm_request *rq, struct quirks *q, const char *body)
{
	bool refused = has_substr_ci(body, "unsupported_parameter") || has_substr_ci(body, "unsupported parameter") ||
	    has_substr_ci(body, "not supported");
	int64_t limit, asked = q->max_tokens > 0 ? q->max_tokens : rq->max_tokens;

	if (refused && has_substr_ci(body, "max_completion_tokens") && q->completion_tokens)
		return !q->old_tokens && (q->completion_tokens = false, q->old_tokens = true);
	if (refused || has_substr_ci(body, "max_completion_tokens"))
		return !q->completion_tokens && !q->old_tokens && (q->completion_tokens = true);
	limit = smaller_limit(body, asked);
	if (limit == 0 || limit == q->max_tokens)
		return false;
	q->max_tokens = limit;
	return true;
}

/* Does the refusal name something that the request can do without? */
bool
oa_heal(struct outgoing *o, int status, const char *body)
{
	const struct llm_request *rq = o->rq;
	struct quirks *q = &o->quirks;

	if (status != 400 && status != 422 && status != 500)
		return false;
	if (has_tools(rq) && !q->no_tools && (status == 500 || has_substr_ci(body, "does not support tools") ||
	    has_substr_ci(body, "internal error") || (has_substr_ci(body, "tool") && has_substr_ci(body, "not supported"))))
		return q->no_tools = true;
	if (status == 500)
		return false;
	if (!q->no_temperature && has_substr_ci(body, "temperature") &&
	    (has_substr_ci(body, "unsupported") || has_substr_ci(body, "not supported")))
		return q->no_temperature = true;
	if (!q->no_thinking && wish_on_thinking(rq) && has_substr_ci(body, "reasoning_effort"))
		return q->no_thinking = true;
	if (q->renewed == 0 && has_substr_ci(body, "tool_use_failed"))
		return ++q->renewed > 0;        /* the model wrote a call wrong: once more */
	if (!q->no_stream_options && has_substr_ci(body, "stream_options"))
		return q->no_stream_options = true;
	if (has_substr_ci(body, "max_tokens") || has_substr_ci(body, "max_completion_tokens"))
		return heal_tokens(rq, q, body);
	return false;
}

/* --- the request --------------------------------------------------------- */

enum err
oa_prepare_body(struct outgoing *o)
{
	enum err e;

	if (!o->recalled)
		recall(o->rq, &o->quirks);
	o->recalled = true;
	e = oa_write_body(o->rq, &o->quirks, &o->body);
	if (e == ERR_INVALID)
		o->why = "there is no message to send";
	return e;
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	const char *base;
	size_t n = out_base(o, &base);
	enum err e = out_head(o, base, n, "/chat/completions");

	(void)a;
	return e == ERR_OK ? oa_prepare_body(o) : e;
}

const struct driver openai_driver = {
	.format = "openai", .framing = FRAMES_SSE, .takes_openai = true, .needs_url = true, .stops = oa_stops,
	.prepare = prepare, .begin = oa_begin, .frame = oa_frame, .heal = oa_heal, .rescue = oa_rescue, .learn = oa_learn,
};

/*
 * One call to a model: the driver by its wire format, and trying again what may be
 * tried again.
 *
 * Nothing is repeated once a word of the answer has reached the sink: the
 * reader would see it twice.
 */
#include "lib/llm/llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

#include "lib/base/util.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"
#include "lib/llm/wishes.h"

enum {
	BASE_MS = 1000,
	BACKOFF_MAX_MS = 60000,
	RETRY_AFTER_MAX_S = 300,
	CLAUDE_TOKENS = 8192, THINKING_MIN = 1024, ROOM_TO_SPEAK = 1024,
};

void
llm_answer_done(struct llm_answer *a)
{
	json_object_put(a->content);
	a->content = NULL;
}

static const struct driver *const drivers[] = { &openai_driver, &anthropic_driver, &gemini_driver, &ollama_driver, &cohere_driver,
	&bedrock_driver, &azure_driver, &copilot_driver, &vertex_driver, &responses_driver, &chatgpt_driver, &offline_driver,
	&cli_claude_driver, &cli_codex_driver, &cli_gemini_driver, &cli_qwen_driver, &cli_codewhale_driver };

static const struct driver *
driver_of(const char *format)
{
	for (size_t i = 0; format != NULL && i < ARRAY_LEN(drivers); i++)
		if (strcmp(drivers[i]->format, format) == 0)
			return drivers[i];
	return NULL;
}

bool
llm_speaks(const char *format)
{
	return driver_of(format) != NULL;
}

bool
llm_needs_url(const char *format)
{
	const struct driver *d = driver_of(format);

	return d == NULL || d->needs_url;
}

static enum err
drive(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	const struct driver *d = driver_of(rq->format);

	/* Cohere imitates OpenAI at an address of its own. */
	if (d == &cohere_driver && rq->base_url != NULL && strstr(rq->base_url, "/compatibility/") != NULL)
		d = &openai_driver;
	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (d != NULL)
		return d->call != NULL ? d->call(rq, sink, a) : driver_http(d, rq, sink, a);
	a->error = LLM_FORMAT;
	snprintf(a->why, sizeof(a->why), "provider %.100s's wire format is not available in this version",
	    rq->provider != NULL ? rq->provider : "?");
	return ERR_UPSTREAM;
}

/* Claude's limit holds what it thinks too, and leaves room for what it says; without one it has 8,192. */
int64_t
llm_most_output(const struct llm_request *rq)
{
	const struct driver *d = driver_of(rq->format);
	bool bedrock = d == &bedrock_driver && strstr(rq->model, "anthropic.") != NULL;
	int64_t max = rq->max_tokens > 0 ? rq->max_tokens : d == &anthropic_driver ? CLAUDE_TOKENS : 0, budget = wish_thinking(rq);

	if ((!bedrock && d != &anthropic_driver) || budget < THINKING_MIN || max >= budget + ROOM_TO_SPEAK)
		return max;
	return budget + ROOM_TO_SPEAK;
}

/* Tests make waiting short. */
static int64_t
base_ms(void)
{
	const char *v = getenv("LF_LLM_RETRY_MS");
	long n = v != NULL ? strtol(v, NULL, 10) : 0;

	return n > 0 && n <= BACKOFF_MAX_MS ? n : BASE_MS;
}

static bool
may_retry(const struct llm_request *rq, const struct llm_answer *a, int64_t took_ms)
{
	int64_t whole_ms = rq->timeout_ms != 0 ? rq->timeout_ms : 300000;

	if (a->any_output || a->final || a->retry_after_s > RETRY_AFTER_MAX_S || (rq->patience_s > 0 && a->retry_after_s > (int64_t)rq->patience_s))
		return false;
	switch (a->error) {
	case LLM_RATE_LIMITED:
		return !rq->other_key;
	case LLM_OVERLOADED:
		return a->http_status == 503 || a->http_status == 529;
	case LLM_TIMEOUT:               /* nobody answered the connect; not: the model took all its time */
		return a->passing || (a->http_status == 0 && took_ms < whole_ms / 2);
	case LLM_NO_MEMORY:
		return true;
	case LLM_UPSTREAM: case LLM_BROKEN_STREAM:
		return a->passing || a->http_status == 0;
	default:
		return false;
	}
}

static int64_t
delay_ms(const struct llm_answer *a, unsigned n)
{
	int64_t backoff = base_ms() << (n < 16 ? n : 16), usual = base_ms() * a->pause_units, asked = a->retry_after_s;
	uint32_t dice;

	if (backoff < usual)
		backoff = usual;
	if (backoff > BACKOFF_MAX_MS)
		backoff = BACKOFF_MAX_MS;
	random_bytes(&dice, sizeof(dice));
	return (asked * 1000 > backoff ? asked * 1000 : backoff) + (int64_t)(dice % (uint32_t)(backoff / 2 + 1));
}

/* How long from now until the deadline. */
static int64_t
left_ms(const struct llm_request *rq)
{
	int64_t us = rq->deadline_us - clock_mono_us();

	return rq->deadline_us == 0 ? INT64_MAX : us < 1000 ? 1 : us / 1000;
}

/* The catalog's "cerebras/llama" is "llama" to Cerebras. OpenRouter's models have their makers' names, and its own has its ("openrouter/auto"). */
static const char *
name_there(const struct llm_request *rq, char *space, size_t cap)
{
	const char *m = rq->model, *p = rq->provider;
	size_t n = p != NULL ? strlen(p) : 0;

	if (m == NULL || n == 0)
		return m;
	if (strncmp(m, p, n) == 0 && m[n] == '/' && m[n + 1] != '\0')
		m += n + 1;
	if (strcmp(p, "openrouter") != 0 || strchr(m, '/') != NULL)
		return m;
	snprintf(space, cap, "openrouter/%s", m);
	return space;
}

static enum err
attempt(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *ret)
{
	struct llm_request q = *rq;
	int64_t left = left_ms(rq);
	char name[512];

	q.model = name_there(rq, name, sizeof(name));
	enum err e;

	if (left < (q.timeout_ms != 0 ? q.timeout_ms : 300000))
		q.timeout_ms = (unsigned)left;
	e = drive(&q, sink, ret);
	if (e == ERR_OK && memory_short) {              /* it came, and not all of it could be kept */
		llm_answer_done(ret);
		llm_blame(ret, rq, LLM_NO_MEMORY, 0, NULL);
		e = ERR_UPSTREAM;
	}
	ret->usage_known &= ret->input_tokens + ret->output_tokens > 0;        /* nothing at all is no figure */
	return e;
}

int64_t
llm_pause_ms(const struct llm_request *rq, const struct llm_answer *a, unsigned n, int64_t took_ms)
{
	int64_t wait = may_retry(rq, a, took_ms) ? delay_ms(a, n) : -1;

	if (rq->hurry_ms > 0 && a->retry_after_s * 1000 > (int64_t)rq->hurry_ms)
		return -1;
	if (rq->hurry_ms > 0 && wait > (int64_t)rq->hurry_ms)
		wait = rq->hurry_ms;
	return wait < left_ms(rq) ? wait : -1;
}

enum err
llm_call(const struct llm_request *rq, const struct llm_sink *sink, unsigned retries, struct llm_answer *ret)
{
	for (unsigned n = 0; ; n++) {
		int64_t from = clock_mono_us(), wait;
		enum err e = ERR_UPSTREAM;

		if (n == 0 && memory_short) {           /* so that what is to be asked may not be whole */
			*ret = (struct llm_answer){ .retry_after_s = -1, .final = true };
			llm_blame(ret, rq, LLM_NO_MEMORY, 0, NULL);
			return e;
		}
		memory_short = false;
		e = attempt(rq, sink, ret);

		wait = e == ERR_UPSTREAM && n < retries ? llm_pause_ms(rq, ret, n, (clock_mono_us() - from) / 1000) : -1;
		if (wait < 0) {
			ret->took_us = clock_mono_us() - from;
			return e;
		}
		if (!cancel_wait(rq->cancel, wait)) {
			llm_answer_done(ret);
			llm_blame(ret, rq, LLM_CANCELLED, 0, NULL);
			return ERR_CANCELLED;
		}
		llm_answer_done(ret);
	}
}

/*
 * Judging what a driver would send: its address, headers and body.
 */
#ifndef LF_TEST_ASKED_H
#define LF_TEST_ASKED_H
#include "lib/base/arena.h"
#include "lib/llm/driver.h"
#include "t/history.h"
#include "t/tap.h"

static struct ctx asked_ctx;
static char asked_url[2048], asked_headers[8192];
static struct buf asked_body;

/* messages: JSON array of {role, content}, or NULL for what the request has. */
static enum err
asked(const struct driver *drv, struct llm_request *rq, const char *messages)
{
	struct outgoing o = { .rq = rq, .body = BUF_INIT(LLM_BODY_MAX) };
	struct llm_answer a = { 0 };
	enum err e;

	if (asked_ctx.arena == NULL)
		asked_ctx.arena = arena_new(65536);
	if (messages != NULL)
		rq->messages = history_of(&asked_ctx, json_keep(&asked_ctx, json_tokener_parse(messages)));
	e = drv->prepare(&o, &a);
	snprintf(asked_url, sizeof(asked_url), "%s", o.url);
	asked_headers[0] = '\0';
	for (unsigned i = 0; i < o.n_headers; i++)
		snprintf(asked_headers + strlen(asked_headers), sizeof(asked_headers) - strlen(asked_headers), "%s\n", o.headers[i]);
	buf_done(&asked_body);
	asked_body = (struct buf)BUF_INIT(LLM_BODY_MAX);
	buf_add(&asked_body, o.body.len > 0 ? o.body.p : "", o.body.len);
	if (e == ERR_OK && json_check(asked_body.p, asked_body.len, 64, NULL) != ERR_OK) {
		fprintf(stderr, "# no JSON: %s\n", asked_body.p);
		e = ERR_BAD_REQUEST;
	}
	out_done(&o);
	return e;
}

static inline void
asked_is(const struct driver *drv, struct llm_request *rq, const char *messages, const char *want, const char *name)
{
	is_int(asked(drv, rq, messages), ERR_OK, "%s", name);
	is_str(asked_body.p, want, "%s: the body", name);
}

static inline void
asked_done(void)
{
	buf_done(&asked_body);
	arena_free(asked_ctx.arena);
}
#endif

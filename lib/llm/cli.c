/*
 * Command-line programs as providers: claude, codex, gemini, qwen, codewhale.
 *
 * The conversation goes in as one text, the answer comes out as JSON. The program gets none of
 * our environment but what it needs to run and what bears its own name; its credentials are its
 * own affair. It runs in an empty directory, and without leave to do anything there.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/child.h"
#include "lib/llm/cli.h"
#include "lib/llm/cli_profile.h"
#include "lib/llm/errors.h"
#include "lib/llm/translate.h"

enum { PROMPT_MAX = 16 * 1024 * 1024, ARGUMENT_MAX = 120 * 1024, ARGS_MAX = 16, LIMIT_S = 300, BUSY_S = 10 };

struct program {
	const char *format, *name, *prefix;     /* prefix: of variables that are its own */
	const char *home;               /* the variable that says where its profile is; NULL: it has but one */
	const char *args[6], *stream_args[6];   /* NULL-ended; stream_args[0] NULL: it does not stream */
	bool by_argument;               /* the conversation is an argument, not the input */
	const struct driver *reads;
};

static const struct program programs[] = {
	{ "cli_claude_code", "claude", "CLAUDE_", "CLAUDE_CONFIG_DIR", { "-p", "--output-format", "json" },
	    { "-p", "--output-format", "stream-json", "--verbose" }, false, &cli_claude_lines },
	{ "cli_codex", "codex", "CODEX_", "CODEX_HOME", { "exec", "--json", "--skip-git-repo-check", "-" }, { NULL }, false, &cli_codex_lines },
	{ "cli_gemini", "gemini", "GEMINI_", NULL, { "--output-format", "json" }, { NULL }, false, &cli_object },
	{ "cli_qwen_code", "qwen", "QWEN_", NULL, { "--output-format", "json" },
	    { "--output-format", "stream-json", "--include-partial-messages" }, false, &cli_claude_lines },
	{ "cli_codewhale", "codewhale", "CODEWHALE_", NULL, { "exec", "--json" }, { NULL }, true, &cli_object },
};

static const struct program *
program_of(const char *format)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i].format, format) == 0)
			return &programs[i];
	return NULL;
}

/* --- the conversation as one text ---------------------------------------- */

static void
tag(struct buf *b, const char *who)
{
	buf_printf(b, "%s[%s]\n", b->len > 0 ? "\n\n" : "", who);
}

static void
add_block(struct buf *b, struct json_object *o)
{
	if (block_text(o) != NULL)
		buf_str(b, json_object_get_string(block_text(o)));
	else if (is_block(o, "tool_use"))
		buf_printf(b, "\n(called the tool %s with %s)", js_str_or(o, "name", "?"),
		    json_object_to_json_string_ext(js_get(o, "input"), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (is_block(o, "tool_result"))
		buf_printf(b, "\n(the tool %s answered: %s)", js_str_or(o, "tool_name", ""), block_result(o));
}

static void
add_message(struct buf *b, const struct message *m)
{
	struct json_object *text = m->text != NULL ? json_parse(m->text, strlen(m->text)) : NULL;

	tag(b, m->role == BY_ASSISTANT ? "Assistant" : "User");
	if (text != NULL)
		buf_str(b, json_object_get_string(text));
	json_object_put(text);
	for (size_t i = 0, n = m->text == NULL ? json_object_array_length(m->blocks) : 0; i < n; i++)
		add_block(b, json_object_array_get_idx(m->blocks, i));
}

static unsigned
flatten(const struct llm_request *rq, struct buf *b)
{
	SCOPED_BUF system = BUF_INIT(PROMPT_MAX);
	unsigned all = 0;

	join_system(rq, &system);
	if (system.len > 0) {
		tag(b, "System");
		buf_add(b, system.p, system.len);
	}
	for (size_t i = 0, n = useful_length(rq, false); i < n; i++) {
		if (rq->messages->v[i].role == BY_SYSTEM)
			continue;
		add_message(b, &rq->messages->v[i]);
		all++;
	}
	return system.failed ? 0 : all;
}

/* --- what it is started with --------------------------------------------- */

struct environment { const char *vars[CHILD_ENV_MAX + 5]; char ids[3][160], home[4200]; };

static void
fill(struct environment *e, const struct llm_request *rq, const struct program *p, const char *profile)
{
	const struct { const char *name, *value; } ids[] = { { "LIBREFANG_AGENT_ID", rq->agent_id },
		{ "LIBREFANG_SESSION_ID", rq->session_id }, { "LIBREFANG_STEP_ID", rq->step_id } };
	struct child_env given;
	unsigned n = 0;

	child_env(&given, p->prefix);
	for (unsigned i = 0; i < given.n; i++)
		if (profile == NULL || strncmp(given.v[i], p->home, strlen(p->home)) != 0)
			e->vars[n++] = given.v[i];
	if (profile != NULL) {
		snprintf(e->home, sizeof(e->home), "%s=%s", p->home, profile);
		e->vars[n++] = e->home;
	}
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (ids[i].value != NULL && is_header_text(ids[i].value)) {
			snprintf(e->ids[i], sizeof(e->ids[i]), "%s=%.100s", ids[i].name, ids[i].value);
			e->vars[n++] = e->ids[i];
		}
	e->vars[n] = NULL;
}

/* "claude-code/opus" → "opus"; NULL: the program chooses itself, or the name can be none. */
static const char *
model_of(const struct llm_request *rq)
{
	size_t n = strlen(rq->provider != NULL ? rq->provider : "");
	const char *m = rq->model;

	if (n > 0 && strncmp(m, rq->provider, n) == 0 && m[n] == '/')
		m += n + 1;
	return m[0] == '\0' || m[0] == '-' || strcmp(m, "default") == 0 || !is_header_text(m) ? NULL : m;
}

static void
arguments(const struct program *p, const struct llm_request *rq, bool stream, const char *prompt, const char **argv)
{
	const char *const *given = stream ? p->stream_args : p->args;
	bool dash = false;
	unsigned n = 0;

	argv[n++] = p->name;
	for (; *given != NULL; given++) {
		dash |= strcmp(*given, "-") == 0;
		if (strcmp(*given, "-") != 0)
			argv[n++] = *given;
	}
	if (model_of(rq) != NULL) {
		argv[n++] = "--model";
		argv[n++] = model_of(rq);
	}
	if (dash)
		argv[n++] = "-";
	if (p->by_argument)
		argv[n++] = prompt;
	argv[n] = NULL;
}

/* --- what came of it ------------------------------------------------------ */

bool
cli_blame(struct intake *d, const char *text)
{
	static const char *const no_login[] = { "invalid api key", "please run /login", "not logged in", "unauthorized", "authentication",
		"please log in", "login required", "token has expired", "codex login", "no auth", "api key not found" };
	static const char *const limits[] = { "hit your limit", "out of extra usage", "rate limit", "too many requests", "usage limit" };
	static const char *const busy[] = { "overloaded", "at capacity", "service unavailable" };
	struct llm_answer *a = d->ans;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (has_substr_ci(text, limits[i]) || (has_substr_ci(text, "resets") && has_substr_ci(text, "utc"))) {
			(void)intake_fail(d, LLM_RATE_LIMITED, 429, text);
			a->retry_after_s = cli_reset_s(text, clock_ms());
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(busy); i++)
		if (has_substr_ci(text, busy[i])) {
			(void)intake_fail(d, LLM_OVERLOADED, 529, text);
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(no_login); i++)
		if (has_substr_ci(text, no_login[i])) {
			(void)intake_fail(d, LLM_AUTH, 401, NULL);
			snprintf(a->why, sizeof(a->why), "provider %.60s is not logged in: its program says so", d->rq->provider);
			return true;
		}
	return false;
}

static enum err
failed(const struct llm_request *rq, struct llm_answer *a, const char *why)
{
	llm_blame(a, rq, LLM_UPSTREAM, 500, NULL);
	snprintf(a->why, sizeof(a->why), "provider %.60s: %s", rq->provider, why);
	return ERR_UPSTREAM;
}

static enum err
judge(const struct program *p, struct intake *d, const struct child *c, enum err e)
{
	const char *said = c->said.len > 0 ? c->said.p : "";
	char why[160];

	if (d->failed)
		return ERR_UPSTREAM;
	if (e == ERR_TOO_LARGE)
		return failed(d->rq, d->ans, "its program writes too much");
	if (e == ERR_UNAVAILABLE || (e == ERR_OK && c->exit_code == 127 && d->shape == SHAPE_UNKNOWN))
		return failed(d->rq, d->ans, "its program cannot be started");
	if (e != ERR_OK)
		return driver_blame(d->rq, d->ans, e, NULL);
	if (intake_end(d, false) == ERR_OK)
		return ERR_OK;
	if (d->failed && d->ans->error != LLM_BROKEN_STREAM)
		return ERR_UPSTREAM;
	if (cli_blame(d, said))
		return ERR_UPSTREAM;
	snprintf(why, sizeof(why), c->exit_code > 0 ? "%s ended with code %d and no answer" : "%s ended without an answer", p->name, c->exit_code);
	return failed(d->rq, d->ans, why);
}

static bool
on_bytes(void *arg, const char *s, size_t n)
{
	struct intake *d = arg;

	return intake_feed(d, s, n) && !d->done;
}

static void
on_quiet(void *arg)
{
	const struct intake *d = arg;

	d->sink->quiet(d->sink->arg);
}

static enum err
run(const struct program *p, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a, const struct buf *prompt,
    const char *path, const char *dir, const char *profile)
{
	struct llm_request q = *rq;
	struct environment env;
	const char *argv[ARGS_MAX];
	struct intake d;
	struct child c = { .path = path, .argv = argv, .envp = env.vars, .dir = dir, .input = p->by_argument ? NULL : prompt->p,
	    .input_bytes = p->by_argument ? 0 : prompt->len, .timeout_ms = rq->timeout_ms != 0 ? rq->timeout_ms : 300000,
	    .max_bytes = 4ul * LLM_FRAME_MAX, .cancel = rq->cancel, .on_bytes = on_bytes, .arg = &d,
	    .on_quiet = sink != NULL && sink->quiet != NULL ? on_quiet : NULL, .quiet_ms = sink != NULL ? sink->quiet_ms : 0 };
	enum err e;

	q.stream = rq->stream && p->stream_args[0] != NULL;
	fill(&env, rq, p, profile);
	arguments(p, rq, q.stream, prompt->p, argv);
	e = intake_init(&d, p->reads, &q, sink, a);
	if (e == ERR_OK) {
		e = child_run(&c);
		e = judge(p, &d, &c, e);
		buf_done(&c.said);
	} else {
		e = driver_blame(rq, a, e, "out of memory");
	}
	intake_free(&d);
	return e;
}

/* With each profile in turn that does not rest, as long as it is told that there is no more, or not now. */
static enum err
run_profiles(const struct program *p, const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a, const struct buf *prompt,
    const char *path, const char *dir)
{
	struct json_object *list = p->home != NULL ? js_arr(rq->settings, "cli_profile_dirs") : NULL;
	int64_t wait_s = 0;
	enum err e = ERR_UPSTREAM;

	if (list == NULL || json_object_array_length(list) == 0)
		return run(p, rq, sink, a, prompt, path, dir, NULL);
	for (unsigned n = 0; n < CLI_PROFILES_MAX; n++) {
		const char *profile = cli_profile_next(p->name, list, &wait_s);

		if (profile == NULL)
			break;
		e = run(p, rq, sink, a, prompt, path, dir, profile);
		if (e == ERR_OK || (a->error != LLM_RATE_LIMITED && a->error != LLM_OVERLOADED) || a->any_output)
			return e;
		cli_profile_rest(p->name, profile, a->error == LLM_OVERLOADED ? BUSY_S : cli_reset_s(a->why, clock_ms()));
	}
	if (a->error == LLM_OVERLOADED)
		return e;
	llm_blame(a, rq, LLM_RATE_LIMITED, 429, "all its profiles rest");
	a->retry_after_s = wait_s > 0 ? wait_s : LIMIT_S;
	return e;
}

static enum err
ask(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	const struct program *p = program_of(rq->format);
	SCOPED_BUF prompt = BUF_INIT(PROMPT_MAX);
	char path[4096], dir[] = "/tmp/librefang-cli-XXXXXX", why[96];
	enum err e;

	if (flatten(rq, &prompt) == 0)
		return driver_blame(rq, a, ERR_INVALID, "there is no message to send");
	if (prompt.failed || (p->by_argument && prompt.len > ARGUMENT_MAX)) {
		llm_blame(a, rq, LLM_CONTEXT_OVERFLOW, 0, NULL);
		return ERR_UPSTREAM;
	}
	if (!path_find(p->name, path, sizeof(path))) {
		snprintf(why, sizeof(why), "the program %s is not installed", p->name);
		return failed(rq, a, why);
	}
	if (mkdtemp(dir) == NULL)
		return failed(rq, a, "no directory for its program");
	e = run_profiles(p, rq, sink, a, &prompt, path, dir);
	(void)rmdir(dir);       /* what it left in there stays for whoever looks */
	return e;
}

static enum err
cli_call(const struct llm_request *rq, const struct llm_sink *sink, struct llm_answer *a)
{
	struct translated t;
	const char *why = "out of memory";
	enum err e;

	if (rq->raw_messages == NULL) {
		e = ask(rq, sink, a);
		a->final = true;
		return e;
	}
	e = translate_openai(rq, false, &t, &why);
	e = e == ERR_OK ? ask(&t.rq, sink, a) : driver_blame(rq, a, e, why);
	translated_done(&t);
	a->final = true;
	return e;
}

const struct driver cli_claude_driver = { .format = "cli_claude_code", .call = cli_call };
const struct driver cli_codex_driver = { .format = "cli_codex", .call = cli_call };
const struct driver cli_gemini_driver = { .format = "cli_gemini", .call = cli_call };
const struct driver cli_qwen_driver = { .format = "cli_qwen_code", .call = cli_call };
const struct driver cli_codewhale_driver = { .format = "cli_codewhale", .call = cli_call };

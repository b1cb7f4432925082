/* Conversations and results that are made to fit: estimates, cuts, and what must stay whatever is cut. */
#include <sys/stat.h>
#include <unistd.h>

#include "lib/agent/artifact.h"
#include "lib/agent/fit.h"
#include "lib/agent/repair.h"
#include "lib/agent/tokens.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "t/history.h"
#include "t/tap.h"

static struct ctx ctx;
static uint32_t seed = 20261127;

static unsigned
dice(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static size_t
chars(const char *s, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += ((unsigned char)s[i] & 0xC0) != 0x80;
	return k;
}

/* --- estimates ------------------------------------------------------------------------- */

static struct message
said(const char *json)
{
	return message_of(&ctx, BY_USER, json, strlen(json));
}

static void
estimates(void)
{
	struct message m;

	is_int(tokens_of_text("abcdefgh", 8), 2, "four letters are a token");
	is_int(tokens_of_text("abcdefghi", 9), 3, "rounded up");
	is_int(tokens_of_text("\xe4\xbd\xa0\xe5\xa5\xbd", 6), 3, "a character of East Asia is one and a half");
	is_int(tokens_of_text("caf\xc3\xa9", 5), 1, "an accent is none");
	is_int(tokens_of_text("{}{}", 4), 1, "braces of a text are letters");
	m = said("[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"{}{}{}{}\"}]");
	is_int(tokens_of_message(&m), 4 + 4 + 4, "in a result they are a half each");
	ok(tokens_of_message(&m) * 2 <= (int64_t)m.n + 40, "and never more than half the bytes");
	is_int(tokens_of_json(NULL), 0, "nothing is nothing");
}

/* --- one text ------------------------------------------------------------------------------ */

static char *
random_text(size_t n, size_t *ret_n)
{
	static const char *const parts[] = { "a", "b ", "\n", "\xc3\xa9", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80", "word ", ".\n" };
	char *s = ctx_alloc(&ctx, n * 5 + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		const char *p = parts[dice(8)];

		memcpy(s + len, p, strlen(p));
		len += strlen(p);
	}
	*ret_n = len;
	return s;
}

static void
squeezing(void)
{
	unsigned broken = 0, large = 0, again = 0, ends = 0;
	char lines[40 * 26 + 20] = "";
	const char *s;
	size_t n;

	for (int round = 0; round < 400; round++) {
		size_t len, m, max = 50 + dice(3000);
		char *t = random_text(dice(6000), &len);

		s = text_squeeze(&ctx, t, len, max, &n);
		broken += !utf8_ok(s, n);
		large += chars(s, n) > max + (max <= 160 ? 90 : 0);
		again += max > 160 && (text_squeeze(&ctx, s, n, max, &m) != s || m != n);
		ends += len > 0 && (s[0] != t[0] || s[n - 1] != t[len - 1]);
	}
	is_int(broken, 0, "no character is torn");
	is_int(large, 0, "no result is longer than wanted");
	is_int(again, 0, "what was cut is not cut again");
	is_int(ends, 0, "beginning and end are there");
	for (int i = 0; i < 40; i++)
		snprintf(lines + strlen(lines), 40, "line %02d: twenty-five sign\n", i);
	s = text_squeeze(&ctx, lines, strlen(lines), 500, &n);
	ok(strstr(s, "sign\n[") != NULL && strstr(s, "left out]\nline ") != NULL, "cuts fall at ends of lines");
	ok(strstr(s, "left out]") - s > 250, "most of it is the beginning");
	is_str(text_squeeze(&ctx, "short", 5, 5, &n), "short", "what fits stays");
}

/* --- histories ------------------------------------------------------------------------------- */

static const char *
result_of(const char *id, const char *tool, size_t n)
{
	char *s = ctx_alloc(&ctx, n + 200);
	int k = snprintf(s, n + 200, "[{\"type\":\"tool_result\",\"tool_use_id\":\"%s\",\"tool_name\":\"%s\",\"content\":\"", id, tool);

	memset(s + k, 'x', n);
	memcpy(s + (size_t)k + n, "\"}]", sizeof("\"}]"));
	return s;
}

static void
add(struct history *h, enum said_by by, const char *json)
{
	if (!history_add(&ctx, h, message_of(&ctx, by, json, strlen(json))))
		abort();
}

/* question, then so many calls with results of those sizes. */
static struct history
with_results(const size_t *sizes, size_t n, const char *tool)
{
	struct history h = { 0 };

	add(&h, BY_USER, "\"the question\"");
	for (size_t i = 0; i < n; i++) {
		char use[120], id[8];

		snprintf(id, sizeof(id), "c%d", (int)i % 1000);
		snprintf(use, sizeof(use), "[{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":\"n\",\"input\":{}}]", id);
		add(&h, BY_ASSISTANT, use);
		add(&h, BY_USER, result_of(id, tool, sizes[i]));
	}
	return h;
}

static size_t
result_chars(const struct history *h, size_t i)
{
	const char *s = js_str_or(json_object_array_get_idx(h->v[i].blocks, 0), "content", "");

	return chars(s, strlen(s));
}

static void
guard(void)
{
	const size_t small[] = { 100, 200 }, one[] = { 3000, 9000 }, many[] = { 6000, 6000, 3000 };
	struct history h = with_results(small, 2, "file_read");
	const struct history *o = fit_guard(&ctx, &h, 8192);

	ok(o == &h, "small results: the same history");
	h = with_results(one, 2, "file_read");
	o = fit_guard(&ctx, &h, 8192);
	ok(result_chars(o, 2) == 3000 && result_chars(o, 4) <= 8192 && result_chars(o, 4) > 7000, "one alone is at most half of the window");
	ok(result_chars(&h, 4) == 9000, "the history given is as it was");
	ok(fit_guard(&ctx, o, 8192) == o, "twice is once");
	h = with_results(many, 3, "file_read");
	o = fit_guard(&ctx, &h, 8192);
	ok(result_chars(o, 2) <= 2000 && result_chars(o, 4) == 6000 && result_chars(o, 6) == 3000, "together: the oldest is cut");
	h = with_results(many, 3, "agent_send");
	o = fit_guard(&ctx, &h, 8192);
	ok(result_chars(o, 2) > 2000 && result_chars(o, 2) + result_chars(o, 4) + result_chars(o, 6) <= 8192 * 3 / 2,
	    "what agents said is cut to the point only");
	is_int((int64_t)fit_result_max(8192), 4915, "a new one: three tenths");
	h = with_results(many, 3, "file_read");
	o = fit_results(&ctx, &h, 200, 1);
	ok(result_chars(o, 2) <= 200 && result_chars(o, 4) <= 200 && result_chars(o, 6) == 3000, "stubs, but for the newest");
}

static bool
has_text(const struct history *h, const char *words)
{
	struct json_object *o = json_keep(&ctx, history_json(h));

	return strstr(json_object_to_json_string(o), words) != NULL;
}

static void
tails(void)
{
	const size_t sizes[] = { 10, 10, 10, 10, 10, 10, 10, 10 };
	struct history h = { 0 }, long_turn = with_results(sizes, 8, "n");
	const struct history *o;
	size_t from, to;

	add(&h, BY_USER, "\"first\"");
	add(&h, BY_ASSISTANT, "\"a\"");
	add(&h, BY_USER, "\"pinned\"");
	h.v[2].pinned = true;
	for (int i = 0; i < 6; i++) {
		add(&h, BY_ASSISTANT, "\"b\"");
		add(&h, BY_USER, "\"more\"");
	}
	o = fit_tail(&ctx, &h, 4, "[notice]");
	ok(o->v[0].role == BY_USER && has_text(o, "pinned") && has_text(o, "notice") && !has_text(o, "first") && o->n <= 6, "the newest, and pins");
	o = fit_tail(&ctx, &long_turn, 4, NULL);
	ok(has_text(o, "the question") && o->n >= 5 && o->n <= 6, "the question of a long turn stays");
	ok(session_repair(&ctx, o, NULL) == o && message_is_question(&o->v[0]), "calls keep their results");
	ok(fit_tail(&ctx, &h, 100, "x") == &h, "nothing to leave out");
	ok(fit_middle(&long_turn, 3, 10, &from, &to) && from == 3 && to == 7, "the middle begins and ends at calls");
	o = fit_told(&ctx, &long_turn, from, to, "it ran");
	ok(has_text(o, "it ran") && has_text(o, "the question") && session_repair(&ctx, o, NULL) == o && o->n == 3 + 1 + 10, "the middle is told");
	ok(!fit_middle(&h, 3, 10, &from, &to), "too little to tell");
}

/* --- artifacts --------------------------------------------------------------------------------- */

static void
artifacts(void)
{
	char dir[] = "/tmp/lf-fit-XXXXXX", handle[ARTIFACT_HANDLE], again[ARTIFACT_HANDLE];
	SCOPED_BUF b = BUF_INIT(1000);
	int64_t total = 0, now = clock_ms();
	char path[200];

	if (mkdtemp(dir) == NULL)
		abort();
	ok(artifact_put(&ctx, dir, "hello there", 11, handle) == ERR_OK && strncmp(handle, "sha256:", 7) == 0, "kept");
	ok(artifact_put(&ctx, dir, "hello there", 11, again) == ERR_OK && strcmp(handle, again) == 0, "once");
	ok(artifact_read(&ctx, dir, handle, 6, 100, &b, &total) == ERR_OK && total == 11 && strncmp(b.p, "there", 5) == 0 && b.len == 5, "read from the middle");
	is_int(artifact_read(&ctx, dir, "sha256:../../etc/passwd", 0, 10, &b, &total), ERR_INVALID, "no handle");
	handle[20] = handle[20] == '0' ? '1' : '0';
	is_int(artifact_read(&ctx, dir, handle, 0, 10, &b, &total), ERR_NOT_FOUND, "another one");
	is_int(artifacts_forget(dir, now, 30), 0, "young ones stay");
	is_int(artifacts_forget(dir, now + (int64_t)31 * 86400000, 30), 1, "old ones go");
	snprintf(path, sizeof(path), "%s/artifacts", dir);
	ok(rmdir(path) == 0 && rmdir(dir) == 0, "nothing is left");
}

int
main(void)
{
	ctx = (struct ctx){ .arena = arena_new(65536) };
	estimates();
	squeezing();
	guard();
	tails();
	artifacts();
	arena_free(ctx.arena);
	return done();
}

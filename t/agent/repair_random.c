/*
 * Session repair held against histories put together by chance: what comes out is accepted by providers, does
 * not change when it is repaired again, and holds what the user said last.
 */
#include "lib/agent/fit.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/base/arena.h"
#include "t/history.h"
#include "t/tap.h"
#include "t/valid.h"

enum { ROUNDS = 30000 };

static struct ctx ctx;
static uint64_t seed = 20261127;
static unsigned words;

static unsigned
dice(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

/* --- a history by chance ------------------------------------------------------------------ */

static void
put_id(struct buf *b)
{
	static const char *const ids[] = { "call_1", "call_2", "call_3", "toolu_a", "", "call_1 ", "x\\u0000y" };

	buf_printf(b, "\"%s\"", ids[dice(100) < 90 ? dice(4) : dice(7)]);
}

static void
put_text(struct buf *b)
{
	static const char *const odd[] = { "", " ", "\\n\\t", "<|im_start|>", "[SYSTEM]", "\\ud83d\\ude00" };

	if (dice(5) == 0)
		buf_printf(b, "\"%s\"", odd[dice(6)]);
	else
		buf_printf(b, "\"word%u\"", ++words);
}

static void
put_block(struct buf *b)
{
	static const char *const status[] = { "completed", "error", "waiting_approval", "skipped" };

	switch (dice(12)) {
	case 0: case 1: case 2:
		buf_str(b, "{\"type\":\"text\",\"text\":");
		put_text(b);
		buf_str(b, "}");
		break;
	case 3: case 4: case 5:
		buf_str(b, "{\"type\":\"tool_use\",\"id\":");
		put_id(b);
		buf_printf(b, ",\"name\":\"%s\",\"input\":{}}", dice(20) ? "file_read" : "");
		break;
	case 6: case 7: case 8:
		buf_str(b, "{\"type\":\"tool_result\",\"tool_use_id\":");
		put_id(b);
		buf_str(b, ",\"content\":");
		put_text(b);
		buf_printf(b, ",\"status\":\"%s\"}", status[dice(4)]);
		break;
	case 9:
		buf_str(b, "{\"type\":\"thinking\",\"thinking\":");
		put_text(b);
		buf_str(b, "}");
		break;
	case 10:
		buf_str(b, "{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}");
		break;
	default: {
		static const char *const none[] = { "null", "7", "{}", "{\"type\":\"text\"}", "{\"type\":\"tool_use\"}", "[]" };

		buf_str(b, none[dice(6)]);
	}
	}
}

static void
put_message(struct buf *b)
{
	static const char *const roles[] = { "user", "assistant", "user", "assistant", "assistant", "system" };

	buf_printf(b, "{\"role\":\"%s\",\"pinned\":%s,\"content\":", roles[dice(6)], dice(12) ? "false" : "true");
	if (dice(3) == 0) {
		put_text(b);
	} else {
		buf_ch(b, '[');
		for (unsigned i = 0, n = dice(5); i < n; i++) {
			if (i > 0)
				buf_ch(b, ',');
			put_block(b);
		}
		buf_ch(b, ']');
	}
	buf_ch(b, '}');
}

static const struct history *
by_chance(struct buf *b, unsigned most)
{
	buf_ch(b, '[');
	for (unsigned i = 0, n = 1 + dice(most); i < n; i++) {
		if (i > 0)
			buf_ch(b, ',');
		put_message(b);
	}
	buf_ch(b, ']');
	return history_of(&ctx, json_keep(&ctx, json_tokener_parse(b->p)));
}

/* --- what must hold ------------------------------------------------------------------------- */

/* A text that is no white space, of the last user message that has one; question: of the last question, NULL when that is but a picture. */
static const char *
last_words(const struct history *h, bool question)
{
	for (size_t i = h->n; i > 0; i--) {
		const struct message *m = &h->v[i - 1];
		size_t n;

		if (m->role != BY_USER || (question && !message_is_question(m)))
			continue;
		if (m->blocks == NULL && m->n > 2 && !valid_blank(json_text(&ctx, m->text, m->n, &n)))
			return json_text(&ctx, m->text, m->n, &n);
		for (size_t k = 0; m->blocks != NULL && k < json_object_array_length(m->blocks); k++) {
			struct json_object *b = json_object_array_get_idx(m->blocks, k);

			if (strcmp(js_str_or(b, "type", ""), "text") == 0 && !valid_blank(js_str(b, "text")))
				return js_str(b, "text");
		}
		if (question)
			return NULL;
	}
	return NULL;
}

static bool
holds(const struct history *h, const char *words_of)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct message *m = &h->v[i];
		size_t n;

		if (m->role != BY_USER)
			continue;
		if (m->blocks == NULL && strstr(json_text(&ctx, m->text, m->n, &n), words_of) != NULL)
			return true;
		for (size_t k = 0; m->blocks != NULL && k < json_object_array_length(m->blocks); k++)
			if (strstr(js_str_or(json_object_array_get_idx(m->blocks, k), "text", ""), words_of) != NULL)
				return true;
	}
	return false;
}

static struct { unsigned invalid, changed, lost, cut, tails, told; } bad;

static void
complain(const char *what, const char *why, const char *json, const struct history *h)
{
	static unsigned told;

	if (told++ < 3)
		printf("# %s: %s\n# %s\n# %s\n", what, why, json, h == NULL ? "-" : json_object_to_json_string_ext(
		    json_keep(&ctx, history_json(h)), JSON_C_TO_STRING_PLAIN));
}

static void
one(void)
{
	SCOPED_BUF b = BUF_INIT(1 << 20);
	const struct history *in = by_chance(&b, 14), *out = history_for_model(&ctx, in, 4 + dice(12)), *whole, *tail;
	const char *why, *said = last_words(in, false);

	whole = history_for_model(&ctx, in, 500);
	if ((why = valid_why_not(whole)) != NULL || ((why = valid_why_not(out)) != NULL)) {
		bad.invalid++;
		complain("not valid", why, b.p, out);
	}
	if (session_repair(&ctx, whole, NULL) != whole || session_repair(&ctx, out, NULL) != out) {
		bad.changed++;
		complain("changes again", "", b.p, whole);
	}
	if (said != NULL && !holds(whole, said) && (whole->n == 0 || last_words(whole, true) != NULL)) {  /* else a picture was last */
		bad.lost++;
		complain("lost", said, b.p, whole);
	}
	said = last_words(whole, true);
	if (said != NULL && !holds(out, said)) {
		bad.cut++;
		complain("cut", said, b.p, out);
	}
	tail = fit_tail(&ctx, whole, 1 + dice(6), dice(2) ? "[notice]" : NULL);
	if ((why = valid_why_not(tail)) != NULL || (said != NULL && !holds(tail, said))) {
		bad.tails++;
		complain("tail", why != NULL ? why : said, b.p, tail);
	}
	size_t from, to;
	if (fit_middle(whole, dice(4), dice(5), &from, &to)) {
		tail = fit_told(&ctx, whole, from, to, "summary");
		if ((why = valid_why_not(tail)) != NULL || (said != NULL && !holds(tail, said))) {
			bad.told++;
			complain("told", why != NULL ? why : said, b.p, tail);
		}
	}
}

int
main(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		ctx.arena = arena_new(8192);
		one();
		arena_free(ctx.arena);
	}
	is_int(bad.invalid, 0, "every history that comes out is one that providers accept");
	is_int(bad.changed, 0, "and repaired again it is the same");
	is_int(bad.lost, 0, "what the user said last is in it");
	is_int(bad.cut, 0, "so is the last question when it is cut to a number of messages");
	is_int(bad.tails, 0, "so it is when only the newest messages are kept");
	is_int(bad.told, 0, "and when the middle is told in short");
	return done();
}

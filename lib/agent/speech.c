/*
 * The filter of what an agent says.
 *
 * It looks at words only where they begin: directives anywhere, silence and scaffolding where a line or a sentence does.
 * What is there may be the beginning of one of them: then it waits for more, a hundred bytes at most.
 */
#include "lib/agent/speech.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { HELD_MAX = 128, SCAFFOLDS_MAX = 2, PROGRESS_CHARS = 120 };

/* How much of a word stands at s. */
enum found { NOT, PARTLY, WHOLLY };

static enum found
find(const char *s, size_t n, const char *word)
{
	size_t k = strlen(word);

	if (n == 0 || strncasecmp(s, word, n < k ? n : k) != 0)
		return NOT;
	return n < k ? PARTLY : WHOLLY;
}

/* --- directives -------------------------------------------------------------------- */

/* The newest one counts. An id too long is none. */
static void
reply_to(struct speech *p, const char *s, size_t n)
{
	while (n > 0 && s[0] == ' ') {
		s++;
		n--;
	}
	while (n > 0 && s[n - 1] == ' ')
		n--;
	if (n == 0 || n >= sizeof(p->reply_to))
		return;
	memcpy(p->reply_to, s, n);
	p->reply_to[n] = '\0';
}

static enum found
directive(struct speech *p, const char *s, size_t n, size_t *ret_n)
{
	static const char *const plain[] = { "[[silent]]", "[[@current]]" };
	const char *end, *line;

	for (size_t i = 0; i < 2; i++) {
		enum found f = find(s, n, plain[i]);

		*ret_n = strlen(plain[i]);
		p->silent |= f == WHOLLY && i == 0;
		p->quiet |= f == WHOLLY && i == 0;
		p->current |= f == WHOLLY && i == 1;
		if (f != NOT)
			return f;
	}
	if (find(s, n, "[[reply:") != WHOLLY)
		return find(s, n, "[[reply:");
	line = memchr(s, '\n', n);
	end = memmem(s, line != NULL ? (size_t)(line - s) : n, "]]", 2);
	*ret_n = end != NULL ? (size_t)(end - s) + 2 : 0;
	if (end == NULL)
		return n < HELD_MAX && line == NULL ? PARTLY : NOT;
	if (*ret_n > HELD_MAX)
		return NOT;
	reply_to(p, s + 8, *ret_n - 10);
	return WHOLLY;
}

/* --- silence ------------------------------------------------------------------------ */

/* May stand behind a word of silence: blanks, full stops, pictures. */
static bool
is_tail(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strchr(" \t\r\n.!", s[i]) == NULL && (unsigned char)s[i] < 0x80)
			return false;
	return true;
}

/* A word of silence at s, with nothing but a tail behind it; the last one only at the beginning of the whole. */
static enum found
silence(const struct speech *p, const char *s, size_t n)
{
	static const char *const words[] = { "NO_REPLY", "[no reply needed]", "no reply needed" };

	for (size_t i = 0; i < 3; i++) {
		enum found f = i < 2 || !p->shown ? find(s, n, words[i]) : NOT;

		if (f == PARTLY || (f == WHOLLY && is_tail(s + strlen(words[i]), n - strlen(words[i]))))
			return f;
	}
	return NOT;
}

/* --- scaffolding ----------------------------------------------------------------------- */

/* What frames messages, ours and others'; an answer has no use for it outside of code. */
static enum found
scaffold(const char *s, size_t n)
{
	static const char *const words[] = {
		"<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|eot_id|>", "<<SYS>>", "[INST]", "<system-reminder>",
		"<tool_result>", "<function_results>", "[history-fold]", "[What was said before, in short]",
		"[What came next, in short]", "[The conversation goes on]",
	};
	enum found most = NOT;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		enum found f = find(s, n, words[i]);

		most = f > most ? f : most;
	}
	return most;
}

/* --- the filter ------------------------------------------------------------------------- */

static void
let_out(struct speech *p, const char *s, size_t n)
{
	if (n == 0)
		return;
	for (size_t i = 0; i < n && !p->shown; i++)
		p->shown = !isspace((unsigned char)s[i]);
	if (p->out != NULL && !p->leaked)
		p->out(p->arg, s, n);
}

/* One character goes out; does a line or a sentence begin behind it? */
static void
pass(struct speech *p, char ch)
{
	if (ch == '\n')
		p->boundary = true;
	else if (ch == ' ' || ch == '\t' || ch == '\r')
		p->boundary |= p->before != '\0' && strchr(".!?:", p->before) != NULL;
	else
		p->boundary = false;
	p->before = ch;
}

/*
 * What stands at s, and how much of it: NOT, it goes out; PARTLY, more must come; WHOLLY, *ret_n bytes are dropped.
 */
static enum found
look(struct speech *p, const char *s, size_t n, bool end, size_t *ret_n)
{
	enum found f = NOT;

	if (s[0] == '[' && (f = n == 1 ? PARTLY : directive(p, s, n, ret_n)) != NOT)
		if (f == WHOLLY || !end)
			return f;
	if (!p->boundary || isspace((unsigned char)s[0]))
		return NOT;
	f = silence(p, s, n);
	if (f == WHOLLY && end) {
		p->silent = true;
		*ret_n = n;
		return WHOLLY;
	}
	if (f != NOT && !end && n < HELD_MAX)
		return PARTLY;
	if ((f = find(s, n, "```")) == WHOLLY)
		p->fenced = !p->fenced;
	if (f == NOT && !p->fenced && (f = scaffold(s, n)) == WHOLLY && ++p->scaffolds >= SCAFFOLDS_MAX) {
		*ret_n = n;             /* all that comes */
		return WHOLLY;
	}
	return f == PARTLY && !end ? PARTLY : NOT;
}

static void
work(struct speech *p, bool end)
{
	const char *s = p->held.p;
	size_t n = p->held.len, i = 0, from = 0, drop;

	if (n == 0)
		return;
	while (i < n) {
		enum found f = look(p, s + i, n - i, end, &drop);

		if (f == PARTLY)
			break;
		if (f == WHOLLY) {
			let_out(p, s + from, i - from);
			p->leaked = p->scaffolds >= SCAFFOLDS_MAX;
			i += drop;
			from = i;
		} else {
			pass(p, s[i++]);
		}
	}
	let_out(p, s + from, i - from);
	buf_eat(&p->held, i);
}

void
speech_begin(struct speech *p, void (*out)(void *, const char *, size_t), void *arg)
{
	struct buf held = p->held;

	held.max = 64 << 20;
	*p = (struct speech){ .out = out, .arg = arg, .boundary = true, .held = held };
	buf_clear(&p->held);
}

void
speech_add(struct speech *p, const char *s, size_t n)
{
	if (p->leaked)
		return;
	buf_add(&p->held, s, n);
	work(p, false);
}

void
speech_end(struct speech *p)
{
	work(p, true);
}

void
speech_done(struct speech *p)
{
	buf_done(&p->held);
}

/* --- a whole text --------------------------------------------------------------------------- */

static void
keep(void *arg, const char *s, size_t n)
{
	buf_add(arg, s, n);
}

struct speech
speech_whole(struct ctx *c, const char *text, const char **ret)
{
	SCOPED_BUF b = BUF_INIT(64 << 20);
	struct speech p = { .silent = false };

	speech_begin(&p, keep, &b);
	speech_add(&p, text, strlen(text));
	speech_end(&p);
	*ret = b.failed || p.held.failed ? NULL : b.len == 0 ? "" : ctx_strndup(c, b.p, b.len);
	speech_done(&p);
	return p;
}

bool
speech_is_progress(const char *text)
{
	static const char *const begins[] = { "let me ", "i'll ", "i will ", "i'm going to ", "checking ", "looking ", "searching ",
		"fetching ", "reading ", "one moment", "working on ", "just a " };
	size_t n = strlen(text);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	text += strspn(text, " \t\r\n");
	if (n > PROGRESS_CHARS || n < 3 || (strncmp(text + n - 3, "...", 3) != 0 && strncmp(text + n - 3, "\xe2\x80\xa6", 3) != 0))
		return false;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncasecmp(text, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

bool
speech_is_pulse(struct ctx *c, const char *question, const char *answer)
{
	const char *text;
	struct speech said;

	if (strncmp(question, "[autonomous] ", 13) != 0)
		return false;
	said = speech_whole(c, answer, &text);
	return text != NULL && (said.silent || strcmp(answer, "[no reply needed]") == 0);
}

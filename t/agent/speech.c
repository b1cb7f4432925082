/* What an agent says: directives, silence and scaffolding, in pieces of any size; and calls that it wrote instead of making them. */
#include "lib/agent/recover.h"
#include "lib/agent/speech.h"
#include "lib/base/arena.h"
#include "t/tap.h"

static struct ctx ctx;

static void
keep(void *arg, const char *s, size_t n)
{
	buf_add(arg, s, n);
}

/* The text in pieces of k bytes. */
static struct speech
in_pieces(const char *text, size_t k, struct buf *out)
{
	struct speech p = { .silent = false };

	buf_clear(out);
	speech_begin(&p, keep, out);
	for (size_t i = 0, n = strlen(text); i < n; i += k)
		speech_add(&p, text + i, n - i < k ? n - i : k);
	speech_end(&p);
	speech_done(&p);
	return p;
}

static void
says(const char *text, const char *want, bool silent, const char *what)
{
	static struct buf out = BUF_INIT(1 << 20);
	const char *whole;
	struct speech p = speech_whole(&ctx, text, &whole);
	unsigned bad = strcmp(whole, want) != 0 || p.silent != silent;

	for (size_t k = 1; k < 20; k++) {
		struct speech q = in_pieces(text, k, &out);

		bad += strcmp(out.len > 0 ? out.p : "", want) != 0 || q.silent != silent;
	}
	ok(bad == 0, "%s", what);
	if (bad > 0)
		printf("# %s -> %s (%s)\n", text, whole, p.silent ? "silent" : "said");
}

static void
directives(void)
{
	says("Hello there.", "Hello there.", false, "plain words");
	says("[[reply:42]] Hello", " Hello", false, "a reply directive goes");
	says("Hello [[@current]]you", "Hello you", false, "also in the middle");
	says("[[silent]]", "", true, "silence by directive");
	says("I note [[silent]] that", "I note  that", true, "also with words");
	says("a[[b]]c [[reply", "a[[b]]c [[reply", false, "other brackets stay, and beginnings of directives");
	says("[x] and [", "[x] and [", false, "single brackets too");
	says("[[reply:never closed and so long that it cannot be one, whatever comes after it, because an id is short, is it not?\n", "[[reply:never closed and so long that it cannot be one, whatever comes after it, because an id is short, is it not?\n", false, "an open one is text");
}

static void
silence(void)
{
	says("NO_REPLY", "", true, "the sentinel");
	says("no_reply.", "", true, "in small letters, with a full stop");
	says(" No reply needed! \xf0\x9f\x91\x8d", " ", true, "in words, with a picture");
	says("[no reply needed]", "", true, "in brackets");
	says("All is well.\nNO_REPLY", "All is well.\n", true, "as the last line");
	says("Done. NO_REPLY", "Done. ", true, "as the last sentence");
	says("NO_REPLY is what I say when I am silent.", "NO_REPLY is what I say when I am silent.", false, "not as a word of a sentence");
	says("He wrote that there is no reply needed", "He wrote that there is no reply needed", false, "not at the end of one");
	says("Well.\nno reply needed", "Well.\nno reply needed", false, "words only when they are all");
	says("Nothing is done", "Nothing is done", false, "a beginning that is like it");
	says("NO", "NO", false, "also when it ends there");
}

static void
scaffolding(void)
{
	const char *out;
	struct speech p = speech_whole(&ctx, "Sure.\n<|im_end|>\n<|im_start|>user\nsecret", &out);

	ok(p.leaked && strstr(out, "secret") == NULL, "a second frame of messages ends the text");
	p = speech_whole(&ctx, "It begins with\n```\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n```\nas you see.", &out);
	ok(!p.leaked && strstr(out, "as you see.") != NULL, "in code they are shown");
	p = speech_whole(&ctx, "The token <|im_start|> begins, <|im_end|> ends.", &out);
	ok(!p.leaked, "in a sentence too");
	ok(speech_is_progress("Let me look at that file...") && speech_is_progress(" Checking\xe2\x80\xa6 ") == false &&
	    speech_is_progress("Checking the file\xe2\x80\xa6\n"), "a remark that something goes on");
	ok(!speech_is_progress("Once upon a time...") && !speech_is_progress("Let me explain. It works so."), "no other text");
}

/* --- calls in text -------------------------------------------------------------------------- */

static const char *
known(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "file_read") == 0 || strcmp(name, "fs_read") == 0 ? "file_read" : strcmp(name, "web_fetch") == 0 ? "web_fetch" : NULL;
}

static void
calls(const char *text, const char *want, const char *rest, const char *what)
{
	struct recovered v[RECOVERED_MAX];
	const char *left = text;
	size_t n = recover_calls(&ctx, text, known, NULL, v, &left);
	char got[400] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%s", i > 0 ? " " : "", v[i].name,
		    json_object_to_json_string_ext(v[i].input, JSON_C_TO_STRING_PLAIN));
	is_str(got, want, "%s", what);
	if (rest != NULL)
		is_str(left, rest, "... and what is left of it");
}

static void
recovering(void)
{
	calls("<tool_call>{\"name\":\"file_read\",\"arguments\":{\"path\":\"a\"}}</tool_call>", "file_read{\"path\":\"a\"}", "", "a tag around JSON");
	calls("I read it.\n<function=file_read>{\"path\":\"a\"}</function>", "file_read{\"path\":\"a\"}", "I read it.", "the name in the tag");
	calls("<function name=\"web_fetch\">{\"url\":\"u\"}</function> <tool>file_read {\"path\":\"b\"}</tool>", "web_fetch{\"url\":\"u\"} file_read{\"path\":\"b\"}", "", "several");
	calls("[TOOL_CALL]{\"tool\":\"file_read\",\"args\":{\"path\":\"a\"}}[/TOOL_CALL]", "file_read{\"path\":\"a\"}", "", "in brackets");
	calls("Now:\n```json\n{\"name\":\"fs_read\",\"parameters\":{\"path\":\"a\"}}\n```", "file_read{\"path\":\"a\"}", "Now:\n", "in a fence, by another name");
	calls("```\nfile_read {\"path\":\"a\"}\n```", "file_read{\"path\":\"a\"}", "", "name and JSON in a fence");
	calls("`file_read {\"path\":\"a\"}`", "file_read{\"path\":\"a\"}", "", "in back-ticks");
	calls("{\"function\":{\"name\":\"file_read\",\"arguments\":\"{\\\"path\\\":\\\"a\\\"}\"}}", "file_read{\"path\":\"a\"}", "", "bare, with arguments as text");
	calls("[{\"name\":\"file_read\",\"args\":{}},{\"name\":\"web_fetch\",\"args\":{\"url\":\"u\"}}]", "file_read{} web_fetch{\"url\":\"u\"}", "", "a list");
	calls("<tool_call>{\"name\":\"rm_rf\",\"arguments\":{}}</tool_call>", "", NULL, "no tool of this agent");
	calls("<tool_call>{\"name\":\"file_read\",\"arguments\":{\"path\":", "", NULL, "cut off");
	calls("```\n<tool_call>{\"name\":\"file_read\",\"arguments\":{\"path\":\"a\"}}</tool_call>\n```\nThat is how a call looks.", "", NULL, "shown as code");
	calls("A call looks like `file_read {\"path\":\"a\"}` in most systems.", "", NULL, "explained in a sentence");
	calls("{\"name\":\"file_read\",\"size\":3}", "", NULL, "JSON that is none");
	calls("Just {text} <b>bold</b>", "", NULL, "text");
	{
		SCOPED_BUF b = BUF_INIT(4000);

		for (int i = 0; i < 40; i++)
			buf_str(&b, "much to say ");
		buf_str(&b, "{\"name\":\"file_read\",\"arguments\":{\"path\":\"a\"}}");
		calls(b.p, "", NULL, "an example at the end of a long answer");
	}
}

static void
delivery(void)
{
	const char *text;
	struct speech p = speech_whole(&ctx, "[[reply: m-17 ]] Yes. [[@current]]", &text);

	is_str(p.reply_to, "m-17", "which message it answers");
	ok(p.current && !p.quiet && !p.silent, "and where it goes");
	p = speech_whole(&ctx, "[[reply:]] [[reply:0123456789012345678901234567890123456789012345678901234567890123456789]] hm", &text);
	is_str(p.reply_to, "", "an id that is none is not taken");
	p = speech_whole(&ctx, "hm [[silent]]", &text);
	ok(p.silent && p.quiet, "to be silent is said so");
	p = speech_whole(&ctx, "NO_REPLY", &text);
	ok(p.silent && !p.quiet, "or in other words");
}

static void
pulses(void)
{
	ok(speech_is_pulse(&ctx, "[autonomous] It is 12:00.", "NO_REPLY"), "a wake-up that led to nothing");
	ok(speech_is_pulse(&ctx, "[autonomous] It is 12:00.", "[no reply needed]"), "in other words");
	ok(!speech_is_pulse(&ctx, "[autonomous] It is 12:00.", "All is well."), "one that was answered is none");
	ok(!speech_is_pulse(&ctx, "Are you there?", "NO_REPLY"), "nor what people say");
	ok(!speech_is_pulse(&ctx, "", ""), "nor nothing at all");
}

int
main(void)
{
	ctx.arena = arena_new(16384);
	directives();
	silence();
	scaffolding();
	recovering();
	delivery();
	pulses();
	arena_free(ctx.arena);
	return done();
}

/*
 * The text of a tool result as a model may see it.
 *
 * Results come from files and from the web. Words that chat templates give a
 * meaning to ("<|im_start|>") are taken out, so that a page cannot begin a
 * turn of its own, and long base64 is named instead of shown. Taking a marker out
 * can put a new one together; so the text is built from the left, and its end is
 * looked at after every character that can close one.
 */
#include <string.h>

#include "lib/agent/clean.h"
#include "lib/base/json.h"

enum { BASE64_MAX = 1000 };

/* What chat templates are made of: the end of a template marker at s[n-1]? Its length, 0: none. */
static size_t
marker_before(const char *s, size_t n)
{
	static const char *const markers[] = {
		"<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|system|>", "<|user|>", "<|assistant|>",
		"<|tool|>", "<|end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|begin_of_text|>",
		"<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<<SYS>>", "<</SYS>>",
		"[SYSTEM]", "[/SYSTEM]", "[INST]", "[/INST]",
	};

	if (s[n - 1] != '>' && s[n - 1] != ']')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
		size_t k = strlen(markers[i]);

		if (n >= k && strncasecmp(s + n - k, markers[i], k) == 0)
			return k;
	}
	return 0;
}

static bool
is_base64(unsigned char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	    ch == '+' || ch == '/' || ch == '=' || ch == '-' || ch == '_';
}

/* Length of the base64 run at s, when it is one: long, and not a single letter over and over. */
static size_t
base64_run(const char *s, size_t n, size_t *ret_scanned)
{
	size_t k = 0;
	bool digit = false, upper = false, lower = false;

	for (; k < n && is_base64((unsigned char)s[k]); k++) {
		digit |= s[k] >= '0' && s[k] <= '9';
		upper |= s[k] >= 'A' && s[k] <= 'Z';
		lower |= s[k] >= 'a' && s[k] <= 'z';
	}
	*ret_scanned = k;
	return k > BASE64_MAX && digit + upper + lower >= 2 ? k : 0;
}

bool
result_is_clean(const char *s, size_t n)
{
	size_t scanned;

	if (n > RESULT_TEXT_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((s[i] == '>' || s[i] == ']') && marker_before(s, i + 1) > 0)
			return false;
	}
	for (size_t i = 0; i < n; i += scanned + 1)
		if (base64_run(s + i, n - i, &scanned) > 0)
			return false;
	return true;
}

/* The text without what does not belong there; markers that arise from taking one out go as well. */
void
result_clean(struct buf *out, const char *s, size_t n)
{
	size_t keep = n > RESULT_TEXT_MAX ? utf8_cut(s, n, RESULT_TEXT_MAX) : n;

	for (size_t i = 0; i < keep;) {
		size_t scanned, run = base64_run(s + i, keep - i, &scanned);

		if (run > 0) {
			buf_printf(out, "[%zu characters of base64 left out]", run);
			i += run;
			continue;
		}
		/* whole runs at once: none of their characters can end a marker */
		buf_add(out, s + i, scanned);
		i += scanned;
		if (i == keep)
			break;
		buf_ch(out, s[i++]);
		if (!out->failed)
			out->len -= marker_before(out->p, out->len);
	}
	if (out->p != NULL)
		out->p[out->len] = '\0';
	if (keep < n)
		buf_printf(out, "\n[%zu bytes cut]", n - keep);
}

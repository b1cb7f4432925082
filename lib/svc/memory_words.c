/*
 * Which words of a text say what it is about. A guess that needs no language: long words say more than short ones, and the most
 * common ones of a few languages say nothing.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/util.h"
#include "lib/svc/memory.h"

enum { WORD_MIN = 3, WORD_MAX = 64, LOOKED_AT = 4000 };

static bool
says_nothing(const char *w, size_t n)
{
	static const char *const common[] = {
		"the", "and", "for", "are", "but", "not", "you", "all", "any", "can", "had", "her", "was", "one", "our", "out", "has", "him",
		"his", "how", "its", "may", "new", "now", "old", "see", "two", "way", "who", "did", "get", "let", "say", "she", "too", "use",
		"that", "with", "have", "this", "will", "your", "from", "they", "know", "want", "been", "good", "much", "some", "time", "very",
		"when", "come", "here", "just", "like", "long", "make", "many", "more", "only", "over", "such", "take", "than", "them", "then",
		"well", "were", "what", "which", "would", "there", "their", "about", "could", "should", "please", "tell", "does", "into", "again",
		"where", "these", "those", "because", "thanks", "thank", "hello", "user", "answer",
		"der", "die", "das", "und", "ist", "nicht", "ein", "eine", "mit", "den", "dem", "auf", "ich", "sie", "was", "wie", "wer", "wir",
		"mein", "meine", "dein", "deine", "auch", "noch", "kann", "bitte", "einen", "einer", "que", "los", "las", "una", "por", "con",
		"para", "como", "les", "des", "est", "pas", "une", "pour", "dans", "vous", "avec",
	};

	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if (strlen(common[i]) == n && memcmp(common[i], w, n) == 0)
			return true;
	return false;
}

static bool
is_letter(unsigned char ch)
{
	return ch >= 0x80 || isalnum(ch);
}

/* Its place among those that are kept: by length, the earlier first. */
static void
keep(struct ctx *c, const char *w, size_t n, const char **v, size_t *count)
{
	char *copy;
	size_t at = *count;

	for (size_t i = 0; i < *count; i++)
		if (strlen(v[i]) == n && memcmp(v[i], w, n) == 0)
			return;
	while (at > 0 && strlen(v[at - 1]) < n)
		at--;
	if (at == MEMORY_WORDS || (copy = ctx_strndup(c, w, n)) == NULL)
		return;
	if (*count < MEMORY_WORDS)
		++*count;
	memmove(v + at + 1, v + at, (*count - at - 1) * sizeof(*v));
	v[at] = copy;
}

size_t
memory_words(struct ctx *c, const char *text, const char *ret[static MEMORY_WORDS])
{
	const char *s = text, *end = text + utf8_cut(text, strlen(text), LOOKED_AT);
	size_t count = 0;

	while (s < end) {
		char word[WORD_MAX];
		size_t n = 0, len = 0;

		while (s < end && !is_letter((unsigned char)*s))
			s++;
		for (; s < end && is_letter((unsigned char)*s); s++, len++)
			if (n < sizeof(word))
				word[n++] = (char)((unsigned char)*s < 0x80 ? tolower((unsigned char)*s) : *s);
		if (len >= WORD_MIN && len <= WORD_MAX && !says_nothing(word, n))
			keep(c, word, n, ret, &count);
	}
	return count;
}

/* At the beginning of a word, whatever the letter case. */
static bool
stands_in(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = text; (s = strcasestr(s, word)) != NULL; s += n)
		if (s == text || !is_letter((unsigned char)s[-1]))
			return true;
	return false;
}

unsigned
memory_matches(const char *const *words, size_t n, const char *text)
{
	unsigned k = 0;

	for (size_t i = 0; i < n; i++)
		k += stands_in(text, words[i]);
	return k;
}

/* Expressions from outside: what they find, and that none holds a thread. */
#include <pthread.h>

#include "daemon/threads.h"
#include "lib/agent/regex.h"
#include "lib/base/base.h"
#include "t/tap.h"

static unsigned asked, patience;

static bool
stop(void *arg)
{
	(void)arg;
	return ++asked > patience;
}

/* "2-5": where it is first; "none", "hard", or why the pattern is none. */
static const char *
found(const char *pattern, const char *text, size_t n, size_t from)
{
	static char said[REGEX_WHY];
	struct regex *re;
	size_t so, eo;

	asked = 0;
	if (regex_new(pattern, false, stop, NULL, &re, said) != ERR_OK)
		return said;
	switch (regex_find(re, text, n, from, &so, &eo)) {
	case REGEX_NONE:
		snprintf(said, sizeof(said), "none");
		break;
	case REGEX_HARD:
		snprintf(said, sizeof(said), "hard");
		break;
	case REGEX_FOUND:
		snprintf(said, sizeof(said), "%zu-%zu", so, eo);
	}
	regex_free(re);
	return said;
}

#define IN(text, pattern) found(pattern, text, sizeof(text) - 1, 0)

static void
finds(void)
{
	patience = 1000000;
	is_str(IN("one two", "\\bt\\w+"), "4-7", "a word is found");
	is_str(IN("one two", "x"), "none", "what is not there is not");
	is_str(IN("one", ""), "0-0", "nothing is found at once");
	is_str(IN("Stra\xc3\x9f" "e 5", "^\\w+"), "0-7", "a letter is a letter in any language");
	is_str(IN("\xc3\xa4\xc3\xb6", "."), "0-2", "a character is found whole");
	is_str(IN("\xff\xc3(\xa4 ok\xff", "."), "2-3", "bytes that are no UTF-8 are no character");
	is_str(IN("\xff ok\xc3", "ok."), "none", "  nor part of a match");
	is_str(IN("a\nb", "a.b"), "none", "a line's end is no character");
	is_str(IN("a\n", "a$"), "none", "the end is the end, not the line's");
	is_str(IN("a\n", "(?m)a$"), "0-1", "  unless wanted");
	is_str(found("^a", "aa", 2, 1), "none", "a text begins once");
	is_str(found("a$", "aab", 2, 0), "1-2", "it ends where it is said to end");
	is_str(found("(?<=a)b", "ab", 2, 1), "1-2", "what stands before the beginning of a search is seen");
	is_str(IN("a", "(a"), "missing closing parenthesis (at byte 2)", "what is no expression is told, and where");
	is_str(IN("a", "\xc3("), "UTF-8 error: byte 2 top bits not 0x80 (at byte 0)", "nor are other bytes one");
}

/* n times s, then what stands after it */
static const char *
many(const char *s, size_t n, const char *after)
{
	static char all[200000];
	size_t k = strlen(s);

	for (size_t i = 0; i < n; i++)
		memcpy(all + i * k, s, k);
	snprintf(all + n * k, sizeof(all) - n * k, "%s", after);
	return all;
}

/* On a thread with as little stack as turns have. */
static void *
harm(void *arg)
{
	static const char *const deadly[] = {
		"^(a|aa)+$", "(a*)*$", "(?:a?){1,60}a{60}x|b$", "(a|b|aa)*(?=c|d).", "(?R)?a+$", "(((a+)+)+)+$", "^(?:(?:a|aa)+,?)+$", "(?:a|a)+?[cd]$",
	};
	static char deep[1024];
	const char *text;

	(void)arg;
	patience = 100000000;
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		text = many("a", 5000, "!");
		is_str(found(deadly[i], text, strlen(text), 0), "hard", "%s is given up on", deadly[i]);
	}
	text = many("a", 190000, "!");
	is_str(found("\\w*\\w*\\w*=", text, strlen(text), 0), "none", "what must be there, and is not, is looked for first");
	patience = 100;
	is_str(found("\\w*\\w*\\w*$", text, strlen(text), 0), "hard", "a long way over each text is stopped");
	is_int(asked, 101, "  as soon as it is asked for");
	patience = 100000000;
	memset(deep, '(', 100);
	deep[100] = 'a';
	memset(deep + 101, ')', 100);
	deep[201] = '\0';
	is_str(IN("xa", deep), "1-2", "deep nesting fits the stack");
	memset(deep, '(', 500);
	memset(deep + 500, ')', 500);
	deep[1000] = '\0';
	is_str(IN("xa", deep), "parentheses are too deeply nested (at byte 101)", "deeper nesting is refused");
	ok(strstr(IN("xa", "((a{1,255}){1,255}){1,255}"), "too large") != NULL, "what would be too large is refused");
	ok(strstr(IN("xa", many("[^\\W_]", 8000, "")), "too large") != NULL, "  also when it is written out");
	return NULL;
}

int
main(void)
{
	pthread_attr_t a;
	pthread_t t;

	finds();
	if (pthread_attr_init(&a) != 0 || pthread_attr_setstacksize(&a, THREAD_STACK_BYTES) != 0 || pthread_create(&t, &a, harm, NULL) != 0)
		return 1;
	pthread_join(t, NULL);
	pthread_attr_destroy(&a);
	return done();
}

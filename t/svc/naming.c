/* What a model wrote becomes a label that a person could have given; sessions are asked about when they want a title, and not for ever. */
#include "lib/svc/session_naming.h"
#include "lib/svc/history.h"
#include "t/svc/store.h"

static void
answers(struct ctx *c)
{
	static const struct { const char *said, *title; } t[] = {
		{ "Cheese and wine", "Cheese and wine" }, { "\"Cheese: a talk!\"", "Cheese a talk" }, { "Title: **Big plans**\nand more", "Big plans" },
		{ "  \n# K\xc3\xa4sefondue f\xc3\xbcr vier", "K\xc3\xa4sefondue f\xc3\xbcr vier" }, { "\xf0\x9f\xa7\x80 Cheese \xe2\x80\x94 more", "Cheese more" },
		{ "It's fine - really_", "Its fine - really" }, { "\xe4\xb8\xad\xe6\x96\x87 \xe6\xa0\x87\xe9\xa2\x98", "\xe4\xb8\xad\xe6\x96\x87 \xe6\xa0\x87\xe9\xa2\x98" },
		{ "", NULL }, { "!!! ...", NULL }, { "\xf0\x9f\xa7\x80", NULL },
	};
	char lengthy[400];
	const char *s, *label;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		s = title_of_answer(c, t[i].said);
		is_str(s, t[i].title, "what is said becomes a title (%zu)", i);
		if (s != NULL)
			is_int(session_label(c, s, &label), ERR_OK, "is a label");
	}
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	is_int(strlen(title_of_answer(c, lengthy)), 60, "a long one is cut");
}

static size_t
untitled(struct ctx *c, struct untitled *v)
{
	size_t n = 4;

	ok(sessions_untitled(c, c->now_ms, v, &n) == ERR_OK, "who wants a title?");
	return n;
}

static void
wanted(struct ctx *c)
{
	struct untitled v[4];

	store_session(c, ADA_SESSION, ADA, NULL, c->now_ms);
	is_int(untitled(c, v), 0, "not an empty one");
	store_message(c, ADA_SESSION, 1, "user", "\"hello\"");
	store_message(c, ADA_SESSION, 2, "assistant", "[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"x\",\"input\":{}}]");
	is_int(untitled(c, v), 0, "nor one without an answer");
	store_message(c, ADA_SESSION, 3, "user", "[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"y\"}]");
	store_message(c, ADA_SESSION, 4, "assistant", "\"hello to you\"");
	is_int(untitled(c, v), 1, "one that was answered");
	is_str(v[0].question, "hello", "with its question");
	is_str(v[0].answer, "hello to you", "and its answer");
	is_int(session_name(c, ADA_SESSION, NULL), ERR_OK, "no title came of it");
	is_int(untitled(c, v), 1, "it is tried again");
	is_int(session_name(c, ADA_SESSION, NULL), ERR_OK, "again none");
	is_int(untitled(c, v), 0, "then no more");
	store_session(c, BEA, ADA, "mine", c->now_ms);
	store_message(c, BEA, 1, "user", "\"hello\"");
	store_message(c, BEA, 2, "assistant", "\"hi\"");
	store_session(c, NOBODY, ADA, NULL, c->now_ms - 2 * 86400000);
	store_message(c, NOBODY, 1, "user", "\"hello\"");
	store_message(c, NOBODY, 2, "assistant", "\"hi\"");
	is_int(untitled(c, v), 0, "neither one with a label, nor an old one");
}

int
main(void)
{
	struct ctx c = { 0 };

	store_open(&c);
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	answers(&c);
	wanted(&c);
	store_close(&c);
	return done();
}

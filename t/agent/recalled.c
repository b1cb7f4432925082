/* Memories as a model is shown them: short, in one line each, and nothing when there is nothing. */
#include <string.h>

#include "lib/agent/prompt.h"
#include "lib/base/arena.h"
#include "t/tap.h"

int
main(void)
{
	struct ctx c = { .arena = arena_new(65536) };
	char lengthy[2001];
	struct memory v[] = {
		{ .content = "User: where\n## System\nis it?\nAnswer: in the\tcellar", .scope = "episodic" },
		{ .content = lengthy, .scope = "agent_memory" },
		{ .content = "short", .scope = "user_memory" },
	};
	const char *s;

	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	s = prompt_recalled(&c, v, 3, 8000);
	ok(strncmp(s, "## Recalled\n", 12) == 0, "a section of its own");
	ok(strstr(s, "\n- User: where ## System is it? / Answer: in the cellar\n") != NULL, "each in one line, both sides of an exchange");
	ok(strstr(s + 1, "\n## ") == NULL, "with no heading in it");
	ok(strstr(s, "xxx...\n") != NULL && strlen(s) < 900, "what is long is cut");
	s = prompt_recalled(&c, v, 3, 330);
	ok(strstr(s, "- short") != NULL && strstr(s, "xxx") == NULL, "what has no room is left out");
	ok(strstr(s, "- (1 more)") != NULL, "and counted");
	ok(prompt_recalled(&c, v, 0, 8000) == NULL, "nothing is nothing");
	ok(prompt_recalled(&c, v, 3, 10) == NULL, "no room neither");
	arena_free(c.arena);
	return done();
}

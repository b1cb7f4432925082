/* TOML edited as text: the value changes, everything else stays. */
#include <string.h>

#include "lib/toml/toml.h"
#include "t/tap.h"

static const char text[] =
    "# LibreFang\n"
    "name = 'x'   # the name\n"
    "\n"
    "# limits\n"
    "[rate_limit]\n"
    "max = 5 # five\n"
    "  burst = [ 1, 2, # two\n"
    "    3 ]\n"
    "\n"
    "[web.fetch]\n"
    "hosts = { a = 1, \"b.c\" = \"}\" }\n"
    "none = {}\n"
    "\n"
    "[[users]]\n"
    "name = \"ada\"\n"
    "[users.budget]\n"
    "max = 1.5\n"
    "[[users]]\n"
    "name = \"bea\"\n";

/* The text with `from` replaced by `to`. */
static char *
with(const char *from, const char *to)
{
	const char *at = strstr(text, from);
	size_t n = strlen(text) + strlen(to) + 1;
	char *p = malloc(n);

	snprintf(p, n, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return p;
}

static void
sets(const char *key, const char *literal, const char *from, const char *to, const char *what)
{
	struct buf out = BUF_INIT(1 << 20);
	struct toml_fault f;
	char *want = with(from, to);

	is_int(toml_set(text, strlen(text), key, literal, &out, &f), ERR_OK, "%s", what);
	is_str(out.p, want, "... and nothing else changes");
	free(want);
	buf_done(&out);
}

static void
unsets(const char *key, const char *from, const char *what)
{
	struct buf out = BUF_INIT(1 << 20);
	struct toml_fault f;
	char *want = with(from, "");

	is_int(toml_unset(text, strlen(text), key, &out, &f), ERR_OK, "%s", what);
	is_str(out.p, want, "... and nothing else goes");
	free(want);
	buf_done(&out);
}

static void
refuses(enum err want, const char *doc, const char *key, const char *literal, const char *what)
{
	struct buf out = BUF_INIT(1 << 20);
	struct toml_fault f;

	is_int(literal != NULL ? toml_set(doc, strlen(doc), key, literal, &out, &f)
	    : toml_unset(doc, strlen(doc), key, &out, &f), want, "%s", what);
	ok(f.why[0] != '\0', "... with a reason");
	buf_done(&out);
}

static void
replacing(void)
{
	sets("name", "\"y\"", "'x'", "\"y\"", "a value of the root is replaced");
	sets("rate_limit.max", "  7\n", "max = 5", "max = 7", "a value of a table is replaced");
	sets("rate_limit.burst", "[]", "[ 1, 2, # two\n    3 ]", "[]", "an array over lines is replaced");
	sets("rate_limit.burst[1]", "20", "2, #", "20, #", "an element is replaced");
	sets("web.fetch.hosts.\"b.c\"", "'{'", "\"}\" }", "'{' }", "a value in braces is replaced");
	sets("users[0].budget.max", "2", "1.5", "2", "a value of an element's table is replaced");
	sets("users[1].name", "'cyd'", "\"bea\"", "'cyd'", "a value of the last element is replaced");
}

static void
adding(void)
{
	sets("mode", "'dev'", "# the name\n", "# the name\nmode = 'dev'\n", "a key is added to the root");
	sets("rate_limit.x", "1", "    3 ]\n", "    3 ]\nx = 1\n", "a key is added to its table");
	sets("web.fetch.hosts.d", "2", "\"}\" }", "\"}\", d = 2 }", "a key is added in braces");
	sets("web.fetch.none.d", "2", "none = {}", "none = { d = 2 }", "... and in empty ones");
	sets("users[0].role", "'admin'", "\"ada\"\n", "\"ada\"\nrole = 'admin'\n", "a key is added to the first element");
	sets("users[0].quota.max", "1", "\"ada\"\n", "\"ada\"\nquota.max = 1\n", "... with a table of its own");
	sets("new.table.key", "[1]", "\"bea\"\n", "\"bea\"\n\n[new.table]\nkey = [1]\n", "a table is added at the end");
}

static void
removing(void)
{
	unsets("name", "name = 'x'   # the name\n", "a key of the root goes with its line");
	unsets("rate_limit.burst", "  burst = [ 1, 2, # two\n    3 ]\n", "an array goes with all its lines");
	unsets("web.fetch.hosts.a", "a = 1, ", "a key in braces goes with its comma");
	unsets("web.fetch.hosts.'b.c'", ", \"b.c\" = \"}\"", "... also the last one");
	unsets("users[0]", "[[users]]\nname = \"ada\"\n[users.budget]\nmax = 1.5\n", "an element goes with its tables");
	unsets("web", "[web.fetch]\nhosts = { a = 1, \"b.c\" = \"}\" }\nnone = {}\n", "a table goes as a whole");
}

static void
corners(void)
{
	struct buf out = BUF_INIT(1 << 20);
	struct toml_fault f;

	is_int(toml_set("", 0, "a.b", "1", &out, &f), ERR_OK, "an empty text gets its first table");
	is_str(out.p, "[a]\nb = 1\n", "... and nothing else");
	buf_clear(&out);
	is_int(toml_set("a = 1", 5, "b", "2", &out, &f), ERR_OK, "a last line without its end is completed");
	is_str(out.p, "a = 1\nb = 2\n", "... before the next");
	buf_clear(&out);
	is_int(toml_set("a.b = 1\n[z]\n", 12, "a.c", "2", &out, &f), ERR_OK, "a table of dotted keys gets another");
	is_str(out.p, "a.b = 1\na.c = 2\n[z]\n", "... beside its own");
	buf_clear(&out);
	toml_quote(&out, "a\"b\\c\n\x01\xc3\xa9");
	is_str(out.p, "\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\"", "quoting escapes what must be escaped");
	buf_done(&out);
}

static void
refusals(void)
{
	refuses(ERR_INVALID, text, "name", "1\nevil = 2", "two values in one are refused");
	refuses(ERR_INVALID, text, "name", "", "no value is refused");
	refuses(ERR_INVALID, text, "name", "hello there", "a bare word is refused");
	refuses(ERR_INVALID, text, "rate_limit", "1", "a value in place of a table is refused");
	refuses(ERR_INVALID, text, "rate_limit.max.deeper", "1", "a key below a number is refused");
	refuses(ERR_INVALID, text, "users[7].name", "'x'", "an element that is not there is refused");
	refuses(ERR_INVALID, text, "rate_limit.burst[9]", "1", "... in a plain array too");
	refuses(ERR_INVALID, text, "a..b", "1", "an empty part of a key is refused");
	refuses(ERR_INVALID, text, "", "1", "an empty key is refused");
	refuses(ERR_INVALID, text, "web.fetch.hosts.z", "1 # c", "a comment that would swallow the brace is refused");
	refuses(ERR_BAD_REQUEST, "a = \n", "b", "1", "a broken text is not edited");
	refuses(ERR_NOT_FOUND, text, "nothing.here", NULL, "removing what is not there is said");
	refuses(ERR_INVALID, text, ".", NULL, "removing no key is refused");
}

static void
appends(const char *doc, const char *want, const char *what)
{
	static const struct toml_member m[] = { { "name", "\"cyd\"" }, { "role", "'viewer'" } };
	struct buf out = BUF_INIT(1 << 20);
	struct toml_fault f;

	is_int(toml_append(doc, strlen(doc), "users", m, 2, &out, &f), want != NULL ? ERR_OK : ERR_INVALID, "%s", what);
	if (want != NULL)
		is_str(out.p, want, "... and nothing else changes");
	else
		ok(f.why[0] != '\0', "... with a reason");
	buf_done(&out);
}

#define CYD "[[users]]\nname = \"cyd\"\nrole = 'viewer'\n"

static void
appending(void)
{
	appends("", CYD, "the first table of an array in an empty text");
	appends("a = 1", "a = 1\n\n" CYD, "... and behind a last line without its end");
	appends("a = 1\n\n", "a = 1\n\n" CYD, "... and behind a blank line");
	appends("[[users]]\nname = 'x'\n[users.budget]\nmax = 1\n", "[[users]]\nname = 'x'\n[users.budget]\nmax = 1\n\n" CYD, "one more");
	appends("users = [{ name = 'x' }] # all\n[z]\n", "users = [{ name = 'x' }, { name = \"cyd\", role = 'viewer' }] # all\n[z]\n",
	    "an element of an array in brackets");
	appends("users = [\n { name = 'x', t = ['a', 'b'] }, # one\n # none\n]\n",
	    "users = [\n { name = 'x', t = ['a', 'b'] }, { name = \"cyd\", role = 'viewer' }, # one\n # none\n]\n", "... over lines, with comments");
	appends("users = []\n", "users = [{ name = \"cyd\", role = 'viewer' }]\n", "... that is empty");
	appends("users = 1\n", NULL, "a number is no array");
	appends("[users]\nname = 'x'\n", NULL, "a table is no array");
}

int
main(void)
{
	replacing();
	adding();
	appending();
	removing();
	corners();
	refusals();
	return done();
}

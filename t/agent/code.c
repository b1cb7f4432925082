/* code_search and apply_patch, on a real workspace. */
#include <sys/stat.h>
#include <unistd.h>

#include "lib/agent/sandbox.h"
#include "lib/agent/tool.h"
#include "lib/base/arena.h"
#include "lib/base/util.h"
#include "t/tap.h"
#include "t/tree.h"

static char work[] = "/tmp/lf-code-XXXXXX";
static struct ctx ctx;
static struct tool_env env = { .c = &ctx, .workspace = work };
static struct buf out = BUF_INIT(16 << 20);

static enum err
run(const char *name, const char *key, const char *value, const char *more)
{
	struct json_object *o = json_keep(&ctx, json_tokener_parse(more));

	json_object_object_add(o, key, json_object_new_string(value));
	buf_clear(&out);
	return tool_find(name)->run(&env, o, &out);
}

static void
put(const char *path, const char *text)
{
	if (sandbox_write(&ctx, work, path, strlen(path), text, strlen(text), NULL) != ERR_OK)
		ok(false, "%s is written", path);
}

static const char *
text_of(const char *path)
{
	static struct buf b = BUF_INIT(1 << 20);

	buf_clear(&b);
	if (sandbox_read(&ctx, work, path, strlen(path), 1 << 20, &b) != ERR_OK)
		return "(none)";
	buf_ch(&b, '\0');
	return b.p;
}

static void
found(const char *query, const char *more, const char *want)
{
	enum err e = run("code_search", "query", query, more);

	buf_ch(&out, '\0');
	ok(e == ERR_OK, "/%s/ can be searched for", query);
	is_str(out.p, want, "  and is found where it is");
}

static void
refused(const char *query, const char *more, enum err want, const char *words)
{
	enum err e = run("code_search", "query", query, more);

	ok(e == want && out.p != NULL && strstr(out.p, words) != NULL, "/%s/ %s is refused: %s", query, more, words);
	if (e != want || strstr(out.p, words) == NULL)
		printf("# %d %.200s\n", e, out.p);
}

/* "^(a|aa)+$" has as many ways through it as Fibonacci's 60th number, and none is one. */
#define HARD "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n"

static void
search(void)
{
	static char long_line[9000];

	put("a.c", "int main(void)\n{\n\treturn 42;\n}\n");
	put("src/b.c", "static int Main;\r\n// x.y[1]\n");
	put("src/deep/c.txt", "nothing here\nfoo  bar\n");
	put(".hidden/d.c", "int main;\n");
	put("node_modules/e.c", "int main;\n");
	put("target/f.c", "int main;\n");
	if (sandbox_write(&ctx, work, "bin.dat", 7, "main\0x", 6, NULL) != ERR_OK)
		ok(false, "bin.dat is written");
	memset(long_line, 'z', sizeof(long_line) - 1);
	put("long.txt", long_line);
	found("main", "{}", "a.c:1: int main(void)\nsrc/b.c:1: static int Main;\n");
	found("main", "{\"case_sensitive\":true}", "a.c:1: int main(void)\n");
	found("(?i)MAIN", "{\"case_sensitive\":true,\"path\":\"src/\"}", "src/b.c:1: static int Main;\n");
	found("\\breturn\\s+\\d{2};", "{}", "a.c:3: \treturn 42;\n");
	found("x\\.y\\[\\d\\]", "{}", "src/b.c:2: // x.y[1]\n");
	found("foo[\\s]+?(?:bar|baz)", "{}", "src/deep/c.txt:2: foo  bar\n");
	found("^{$", "{}", "a.c:2: {\n");
	found("[\\[y\\]][\\d]", "{}", "src/b.c:2: // x.y[1]\n");
	found("\\d[\\w\\]]", "{}", "a.c:3: \treturn 42;\nsrc/b.c:2: // x.y[1]\n");
	found("[\\^Z]", "{\"case_sensitive\":true}", "(nothing found in 5 files)");
	found("[A\\-Z][1]", "{\"case_sensitive\":true}", "(nothing found in 5 files)");
	found("[\\[.]1[-\\]]", "{}", "src/b.c:2: // x.y[1]\n");
	found("[\\^]", "{}", "(nothing found in 5 files)");
	found("no such text", "{}", "(nothing found in 5 files)");
	found("main", "{\"max_results\":1}", "a.c:1: int main(void)\n(there may be more; these are the first)");
	ok(run("code_search", "query", "z", "{}") == ERR_OK && out.len < 600, "a long line is cut");
	found("(o)\\1  (?=bar)", "{}", "src/deep/c.txt:2: foo  bar\n");
	found("(?P<word>o)\\k<word>", "{}", "src/deep/c.txt:2: foo  bar\n");
	found("((\\w+\\s+)+|x+){1,20}", "{\"path\":\"src/deep\"}", "src/deep/c.txt:1: nothing here\nsrc/deep/c.txt:2: foo  bar\n");
	found("^(\\bfoo\\b\\s*|\\bbar\\b)+$", "{\"path\":\"src/deep\"}", "src/deep/c.txt:2: foo  bar\n");
	put("words/d.txt", "M\xc3\xbcHLE 5\nm\xc3\xbchle\n");
	found("^m\xc3\xbchle\\b.\\d", "{}", "words/d.txt:1: M\xc3\xbcHLE 5\n");
	found("^\\w{5}$", "{\"path\":\"words\"}", "words/d.txt:2: m\xc3\xbchle\n");
	put("hard/one.txt", HARD "b\n");
	found("^(a|aa)+$|b", "{\"path\":\"hard\"}", "hard/one.txt:2: b\n(left out, because the expression takes too long on them: 1 lines)\n");
	found("^(a|aa)+$", "{\"path\":\"hard\"}", "(left out, because the expression takes too long on them: 1 lines)\n(nothing found in 1 files)");
	put("hard/two.txt", HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD HARD);
	refused("^(a|aa)+$", "{}", ERR_INVALID, "too long on too many lines");
	refused("(a", "{}", ERR_INVALID, "no regular expression: missing closing parenthesis (at byte 2)");
	refused("((a{1,255}){1,255}){1,255}", "{}", ERR_INVALID, "too large");
	refused("a{5,2}", "{}", ERR_INVALID, "out of order");
	refused("[a", "{}", ERR_INVALID, "terminating ]");
	refused("a\\", "{}", ERR_INVALID, "\\ at end of pattern");
	refused("\\C", "{}", ERR_INVALID, "\\C is disabled");
	refused("", "{}", ERR_INVALID, "1 to 1000");
	refused("x", "{\"path\":\"../..\"}", ERR_FORBIDDEN, "");
	refused("x", "{\"path\":\"nowhere\"}", ERR_NOT_FOUND, "no directory");
	refused("x", "{\"max_results\":\"many\"}", ERR_INVALID, "whole number");
	env.deadline_us = 1;
	refused("x", "{}", ERR_TIMEOUT, "too long");
	env.deadline_us = 0;
}

static void
patched(const char *patch, const char *said)
{
	enum err e = run("apply_patch", "patch", patch, "{}");

	buf_ch(&out, '\0');
	ok(e == ERR_OK, "a patch is applied");
	is_str(out.p, said, "  and says what it did");
}

static void
unpatched(const char *patch, enum err want, const char *words)
{
	enum err e = run("apply_patch", "patch", patch, "{}");

	buf_ch(&out, '\0');
	ok(e == want && strstr(out.p, words) != NULL, "refused: %s", words);
	if (e != want || strstr(out.p, words) == NULL)
		printf("# %d %.200s\n", e, out.p);
}

#define BEGIN "*** Begin Patch\n"
#define END "*** End Patch"

static void
patches(void)
{
	put("one.txt", "alpha\nbeta\ngamma\ndelta\n");
	put("two.txt", "first\nsecond");
	put("agent.toml", "name = \"x\"\n");
	patched(BEGIN "*** Add File: new/n.txt\n+hello\n+\n+world\n" END, "added new/n.txt\n");
	is_str(text_of("new/n.txt"), "hello\n\nworld\n", "a new file");
	patched(BEGIN "*** Update File: one.txt\n@@\n alpha\n-beta\n+BETA\n+more\n gamma\n" END, "changed one.txt\n");
	is_str(text_of("one.txt"), "alpha\nBETA\nmore\ngamma\ndelta\n", "lines in the middle");
	patched(BEGIN "*** Update File: one.txt\n@@ gamma\n gamma\n-delta\n+DELTA\n@@\n+end\n" END, "changed one.txt\n");
	is_str(text_of("one.txt"), "alpha\nBETA\nmore\ngamma\nDELTA\nend\n", "two hunks, the second of new lines alone");
	patched(BEGIN "*** Update File: two.txt\n-first\n+FIRST\n" END, "changed two.txt\n");
	is_str(text_of("two.txt"), "FIRST\nsecond", "a last line without an end stays so");
	put("long.txt", "a long last line");
	patched(BEGIN "*** Update File: long.txt\n-a long last line\n+short\n" END, "changed long.txt\n");
	is_str(text_of("long.txt"), "short\n", "a last line that is another has an end");
	unpatched(BEGIN "*** Update File: one.txt\n alpha\n BETA\n more\n gamma\n DELTA\n end\n@@\n-DELTA\n-end\n*** End of File\n" END,
	    ERR_INVALID, "not there");
	is_str(text_of("one.txt"), "alpha\nBETA\nmore\ngamma\nDELTA\nend\n", "what a hunk has passed is not changed by the next");
	patched(BEGIN "*** Update File: two.txt\n*** Move to: moved.txt\n FIRST  \n" END, "changed two.txt, now moved.txt\n");
	is_str(text_of("moved.txt"), "FIRST\nsecond", "blanks at the end do not matter; the file has moved");
	is_str(text_of("two.txt"), "(none)", "  away from where it was");
	patched(BEGIN "*** Delete File: moved.txt\n" END, "deleted moved.txt\n");
	is_str(text_of("moved.txt"), "(none)", "deleted");
	unpatched(BEGIN "*** Update File: one.txt\n-alpha\n+x\n*** Update File: new/n.txt\n-not there\n+x\n" END, ERR_INVALID, "not there");
	is_str(text_of("one.txt"), "alpha\nBETA\nmore\ngamma\nDELTA\nend\n", "  and no file has changed");
	unpatched(BEGIN "*** Update File: one.txt\n@@ no such line\n-alpha\n" END, ERR_INVALID, "no line with");
	unpatched(BEGIN "*** Add File: ../out.txt\n+x\n" END, ERR_FORBIDDEN, "");
	unpatched(BEGIN "*** Add File: x.txt\n+x\n*** Delete File: ../../etc/passwd\n" END, ERR_FORBIDDEN, "");
	is_str(text_of("x.txt"), "(none)", "  what stood before it is not done either");
	unpatched(BEGIN "*** Delete File: nowhere\n" END, ERR_NOT_FOUND, "");
	unpatched(BEGIN "*** Update File: agent.toml\n-name = \"x\"\n+name = \"y\"\n" END, ERR_FORBIDDEN, "managed");
	unpatched(BEGIN "*** Delete File: ./agent.toml\n" END, ERR_FORBIDDEN, "managed");
	unpatched(BEGIN "*** Update File: agent.toml\n*** Move to: x\n name = \"x\"\n" END, ERR_FORBIDDEN, "managed");
	unpatched(BEGIN "*** Update File: one.txt\n*** Move to: agent.toml\n alpha\n" END, ERR_FORBIDDEN, "managed");
	unpatched("hello", ERR_INVALID, "begins with");
	unpatched(BEGIN END, ERR_INVALID, "nothing");
	unpatched(BEGIN "what\n" END, ERR_INVALID, "line 2");
	unpatched(BEGIN "*** Add File: x.txt\nno plus\n" END, ERR_INVALID, "begins with +");
	unpatched(BEGIN "*** Update File: one.txt\nxyz\n" END, ERR_INVALID, "a line of a hunk");
	unpatched("", ERR_INVALID, "begins with");
	is_str(text_of("agent.toml"), "name = \"x\"\n", "agent.toml is as it was");
}

int
main(void)
{
	if (mkdtemp(work) == NULL || (ctx.arena = arena_new(65536)) == NULL)
		return 1;
	search();
	patches();
	buf_done(&out);
	arena_free(ctx.arena);
	tree_remove(work);
	return done();
}

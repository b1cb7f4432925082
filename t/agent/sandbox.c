/* The workspace sandbox, on a real directory with real traps. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/agent/sandbox.h"
#include "lib/base/arena.h"
#include "t/tap.h"
#include "t/tree.h"

static char base[] = "/tmp/lf-sandbox-XXXXXX", root[64], outside[64];
static struct ctx ctx;

static void
put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0)
		abort();
	fclose(f);
}

static void
ln(const char *to, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (symlink(to, path) != 0)
		abort();
}

static enum err
get(const char *path, struct buf *b)
{
	buf_clear(b);
	return sandbox_read(&ctx, root, path, strlen(path), 1000, b);
}

static void
refuses(const char *path, enum err want, const char *words)
{
	SCOPED_BUF b = BUF_INIT(200000);
	enum err e = get(path, &b);

	ok(e == want && strstr(ctx.fault.msg, words) != NULL && b.len == 0, "reading '%s' is refused: %s",
	    strpbrk(path, "\n\x7f\x85\xff") == NULL ? path : "a name of odd bytes", words);
	if (e != want)
		printf("# got %d %s\n", e, e != ERR_OK ? ctx.fault.msg : "");
}

static void
set_up(void)
{
	char path[128];

	if (mkdtemp(base) == NULL)
		abort();
	snprintf(root, sizeof(root), "%s/space", base);
	snprintf(outside, sizeof(outside), "%s/space-outside", base);
	if (mkdir(root, 0700) != 0 || mkdir(outside, 0700) != 0)
		abort();
	put(outside, "secret", "secret");
	put(root, "a.txt", "hello");
	put(root, "big", "0123456789");
	snprintf(path, sizeof(path), "%s/dir", root);
	(void)!mkdir(path, 0700);
	put(root, "dir/b.txt", "inner");
	ln("a.txt", "leaf");
	ln("dir", "inside");
	ln("../space/dir", "around");
	ln("../space-outside", "out");
	ln(outside, "out-abs");
	ln("/proc/self/root", "magic");
	ln("nowhere", "dangling");
	ln("loop", "loop");
	snprintf(path, sizeof(path), "%s/fifo", root);
	(void)!mkfifo(path, 0600);
}

static void
reads(void)
{
	SCOPED_BUF b = BUF_INIT(200000);
	char abs[128];

	is_int(get("a.txt", &b), ERR_OK, "a file is read");
	is_str(b.p, "hello", "with its text");
	is_int(get("./dir//./b.txt", &b), ERR_OK, "dots and double slashes mean nothing");
	snprintf(abs, sizeof(abs), "%s/dir/b.txt", root);
	is_int(get(abs, &b), ERR_OK, "an absolute path below the workspace is fine");
	if (!sandbox_portable) {
		is_int(get("inside/b.txt", &b), ERR_OK, "a directory symlink that stays inside is followed");
		is_str(b.p, "inner", "and leads to the file");
	}
	buf_clear(&b);
	is_int(sandbox_read(&ctx, root, "big", 3, 9, &b), ERR_TOO_LARGE, "a file over the limit is refused");
	buf_clear(&b);
	is_int(sandbox_read(&ctx, root, "big", 3, 10, &b), ERR_OK, "a file at the limit is not");
}

static void
refusals(void)
{
	char path[300], name[300];
	SCOPED_BUF b = BUF_INIT(200000);

	refuses("../space-outside/secret", ERR_FORBIDDEN, "Path traversal denied");
	refuses("dir/../a.txt", ERR_FORBIDDEN, "Path traversal denied");
	refuses("dir/..", ERR_FORBIDDEN, "Path traversal denied");
	refuses("/etc/passwd", ERR_FORBIDDEN, "resolves outside workspace");
	snprintf(path, sizeof(path), "%s/secret", outside);
	refuses(path, ERR_FORBIDDEN, "resolves outside workspace");
	snprintf(path, sizeof(path), "%s/../space-outside/secret", root);
	refuses(path, ERR_FORBIDDEN, "Path traversal denied");
	refuses("leaf", ERR_FORBIDDEN, "Symlink leaf denied");
	refuses("leaf/", ERR_FORBIDDEN, "Symlink leaf denied");
	refuses("dangling", ERR_FORBIDDEN, "Symlink leaf denied");
	refuses("out/secret", ERR_FORBIDDEN, "resolves outside workspace");
	refuses("out-abs/secret", ERR_FORBIDDEN, "resolves outside workspace");
	refuses("magic/etc/passwd", ERR_FORBIDDEN, "resolves outside workspace");
	refuses("around/b.txt", ERR_FORBIDDEN, "resolves outside workspace");
	refuses("fifo", ERR_FORBIDDEN, "not a regular file");
	refuses("dir", ERR_FORBIDDEN, "directory");
	refuses(".", ERR_FORBIDDEN, "directory");
	refuses("", ERR_INVALID, "empty");
	refuses("nothing", ERR_NOT_FOUND, "nothing there");
	refuses("a.txt/x", ERR_NOT_FOUND, "not a directory");
	refuses("a\nb", ERR_INVALID, "control character");
	refuses("a\x7f", ERR_INVALID, "control character");
	refuses("a\xc2\x85z", ERR_INVALID, "control character");
	refuses("a\xff", ERR_INVALID, "UTF-8");
	memset(name, 'x', sizeof(name));
	name[260] = '\0';
	refuses(name, ERR_INVALID, "longer than 255");
	is_int(sandbox_read(&ctx, root, "a.txt\0x", 7, 100, &b), ERR_INVALID, "a NUL in a path is refused");
}

static enum err
write_to(const char *path, const char *text)
{
	static const char *const managed[] = { "agent.toml", NULL };

	return sandbox_write(&ctx, root, path, strlen(path), text, strlen(text), managed);
}

static void
writes(void)
{
	SCOPED_BUF b = BUF_INIT(200000);
	struct stat st;
	char path[128];
	size_t total;

	is_int(write_to("new/deep/er/f.txt", "one"), ERR_OK, "missing directories are made");
	is_int(get("new/deep/er/f.txt", &b), ERR_OK, "and the file is there");
	is_int(write_to("new/deep/er/f.txt", "two"), ERR_OK, "a file is replaced");
	(void)!get("new/deep/er/f.txt", &b);
	is_str(b.p, "two", "by the new text");
	snprintf(path, sizeof(path), "%s/new/deep/er/f.txt", root);
	is_int(stat(path, &st) == 0 ? st.st_mode & 0777 : 0, 0600, "a new file is the owner's only");
	(void)!chmod(path, 0640);
	(void)!write_to("new/deep/er/f.txt", "three");
	is_int(stat(path, &st) == 0 ? st.st_mode & 0777 : 0, 0640, "an old one keeps its mode");
	is_int(write_to("leaf", "x"), ERR_FORBIDDEN, "a symlink is not written through");
	is_int(write_to("dangling", "x"), ERR_FORBIDDEN, "nor a dangling one");
	is_int(write_to("dangling/x", "x"), ERR_FORBIDDEN, "nor is its target made as a directory");
	is_int(write_to("out/x", "x"), ERR_FORBIDDEN, "nothing is written outside");
	is_int(write_to("out/new/x", "x"), ERR_FORBIDDEN, "and no directory made there");
	is_int(write_to("../x", "x"), ERR_FORBIDDEN, "nor above");
	is_int(write_to("dir", "x"), ERR_FORBIDDEN, "a directory is not replaced");
	is_int(write_to("fifo", "x"), ERR_FORBIDDEN, "nor a fifo");
	is_int(write_to("agent.toml", "x"), ERR_FORBIDDEN, "the manifest is not for writing");
	is_int(write_to("./Agent.toml", "x"), ERR_FORBIDDEN, "in whatever letters");
	is_int(write_to("dir/agent.toml", "x"), ERR_OK, "elsewhere the name is free");
	if (!sandbox_portable)
		is_int(write_to("inside/c.txt", "x"), ERR_OK, "an inner directory symlink is followed");
	snprintf(path, sizeof(path), "%s/x", outside);
	ok(access(path, F_OK) != 0, "outside stayed as it was");
	buf_clear(&b);
	(void)!sandbox_list(&ctx, root, "new/deep/er", 11, 0, 100, &b, &total);
	is_str(b.p, "f.txt\n", "no temporary file is left behind");
}

static void
lists(void)
{
	SCOPED_BUF b = BUF_INIT(200000);
	size_t total = 0;

	put(root, "dir/bad\xff\nname", "x");
	is_int(sandbox_list(&ctx, root, "dir", 3, 0, 100, &b, &total), ERR_OK, "a directory is listed");
	ok(strstr(b.p, "b.txt\nbad??name\n") != NULL, "sorted, with hard names made readable");
	buf_clear(&b);
	(void)!sandbox_list(&ctx, root, ".", 1, 1, 1, &b, &total);
	ok(strchr(b.p, '\n') == b.p + b.len - 1 && total > 5, "in parts, with the number of all");
	buf_clear(&b);
	(void)!sandbox_list(&ctx, root, ".", 1, 0, 100, &b, &total);
	ok(strstr(b.p, "\ndir/\n") != NULL, "directories end with a slash");
	is_int(sandbox_list(&ctx, root, "inside", 6, 0, 100, &b, &total), ERR_FORBIDDEN, "a symlink is not listed");
	is_int(sandbox_list(&ctx, root, "out/x", 5, 0, 100, &b, &total), ERR_FORBIDDEN, "nor what lies outside");
	is_int(sandbox_list(&ctx, root, "a.txt", 5, 0, 100, &b, &total), ERR_NOT_FOUND, "a file is no directory");
}

/* A file size limit fails a write in its middle, as a full disk does. */
static void
half_written(void)
{
	struct rlimit was, small;
	char *text = malloc(200001);
	SCOPED_BUF b = BUF_INIT(200000);
	size_t total;

	memset(text, 'x', 200000);
	text[200000] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small = (struct rlimit){ 100000, was.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(write_to("new/deep/er/f.txt", text), ERR_IO, "a write that fails half way is an error");
	setrlimit(RLIMIT_FSIZE, &was);
	(void)!get("new/deep/er/f.txt", &b);
	is_str(b.p, "three", "the old file is whole");
	buf_clear(&b);
	(void)!sandbox_list(&ctx, root, "new/deep/er", 11, 0, 100, &b, &total);
	is_str(b.p, "f.txt\n", "and nothing else lies there");
	free(text);
}

static void
clean_up(void)
{
	tree_remove(base);
}

int
main(void)
{
	ctx.arena = arena_new(4096);
	set_up();
	for (int pass = 0; pass < 2; pass++) {
		sandbox_portable = pass == 1;
		printf("# %s openat2\n", sandbox_portable ? "without" : "with");
		reads();
		refusals();
		if (pass == 0) {
			writes();
			lists();
			half_written();
		} else {
			is_int(write_to("fresh/x/y", "z"), ERR_OK, "directories are made without openat2 too");
			is_int(write_to("out/x/y", "z"), ERR_FORBIDDEN, "and the sandbox holds");
		}
	}
	clean_up();
	arena_free(ctx.arena);
	return done();
}

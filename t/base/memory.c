/* Buffers, whole files and arenas. */
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "t/tap.h"

static void
test_buf(void)
{
	SCOPED_BUF b = BUF_INIT(1000);
	char *p;

	ok(b.p == NULL && b.len == 0, "a new buffer holds nothing");
	buf_str(&b, "");
	is_str(b.p, "", "an empty text makes it a text");
	buf_printf(&b, "%d-%s", 7, "x");
	is_str(b.p, "7-x", "text is printed into it");
	buf_eat(&b, 2);
	is_str(b.p, "x", "the first bytes are dropped");
	buf_eat(&b, 50);
	is_int(b.len, 0, "dropping more than is there leaves nothing");
	for (int i = 0; i < 1000; i++)
		buf_ch(&b, 'a');
	ok(!b.failed && b.len == 1000 && b.p[1000] == '\0', "it can be filled to its maximum");
	buf_ch(&b, 'b');
	ok(b.failed && b.len == 1000, "one byte more is a failure");
	buf_str(&b, "");
	buf_printf(&b, "%s", "x");
	ok(b.failed && buf_room(&b, 0) == NULL, "which stays");
	buf_clear(&b);
	ok(!b.failed && b.len == 0, "until it is cleared");
	buf_printf(&b, "%0900d", 5);
	is_int(b.len, 900, "a long print grows it");
	buf_printf(&b, "%0900d", 5);
	ok(b.failed, "one that does not fit is a failure");
	buf_clear(&b);
	buf_add(&b, "a\0b", 3);
	is_int(b.len, 3, "NULs are bytes like others");
	p = buf_room(&b, 500);
	ok(p != NULL, "room is found");
	if (p != NULL)
		memset(p, 'z', 500);
	b.len += 500;
	buf_str(&b, "!");
	ok(b.len == 504 && b.p[503] == '!' && b.p[502] == 'z', "and used");
	ok(buf_room(&b, SIZE_MAX) == NULL, "endless room is refused");
	buf_zero_done(&b);
	ok(b.p == NULL && b.max == 1000, "after its end it may be used again");
}

static void
test_files(void)
{
	char dir[] = "/tmp/lf-buf-XXXXXX", path[64];
	SCOPED_BUF b = BUF_INIT(64 << 10);
	struct stat st = { 0 };
	char *big = calloc(1, 100000);

	if (mkdtemp(dir) == NULL || big == NULL)
		return;
	snprintf(path, sizeof(path), "%s/f", dir);
	is_int(buf_read_file(&b, path), ERR_NOT_FOUND, "a file that is not there is not found");
	is_int(file_replace(path, "one\0two", 7, 0600), ERR_OK, "a file is written");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "with the mode that was asked for");
	is_int(buf_read_file(&b, path), ERR_OK, "and read");
	ok(b.len == 7 && memcmp(b.p, "one\0two", 7) == 0, "byte for byte");
	is_int(file_replace(path, "", 0, 0600), ERR_OK, "it is replaced by an empty one");
	buf_clear(&b);
	is_int(buf_read_file(&b, path), ERR_OK, "which is read too");
	is_int(b.len, 0, "as nothing");
	is_int(file_replace(path, big, 100000, 0600), ERR_OK, "a large file is written");
	is_int(buf_read_file(&b, path), ERR_TOO_LARGE, "one beyond the buffer's maximum is too large");
	buf_clear(&b);
	is_int(buf_read_file(&b, dir), ERR_IO, "a directory is no file");
	is_int(file_replace(dir, "x", 1, 0600), ERR_IO, "and is not replaced by one");
	is_int(file_replace("/nonexistent/lf/x", "x", 1, 0600), ERR_IO, "nor is a file made in a directory that is not there");
	unlink(path);
	is_int(rmdir(dir), 0, "no temporary file is left behind");
	free(big);
}

static int ends[8];
static unsigned n_ends;

static void
note(void *what)
{
	ends[n_ends++] = *(int *)what;
}

static void
test_arena(void)
{
	static int one = 1, two = 2, three = 3;
	struct arena *a = arena_new(0);
	size_t first = arena_bytes(a), grown;
	bool aligned = true, zero = true;
	char *last = NULL;

	for (size_t i = 1; i < 3000; i++) {
		char *p = arena_alloc(a, i % 700);

		aligned &= ((uintptr_t)p & 15) == 0;
		for (size_t k = 0; k < i % 700; k++)
			zero &= p[k] == 0;
		memset(p, 0xff, i % 700);
	}
	ok(aligned && zero, "memory is aligned and zeroed");
	last = arena_alloc(a, 1 << 20);
	ok(last != NULL && last[(1 << 20) - 1] == 0, "a large piece is given too");
	ok(arena_alloc(a, SIZE_MAX) == NULL && arena_alloc(a, SIZE_MAX / 2) == NULL, "an endless piece is refused");
	is_str(arena_strndup(a, "abcdef", 3), "abc", "a text is copied with its end");
	grown = arena_bytes(a);
	is_int(arena_defer(a, note, &one), 0, "an end is registered");
	is_int(arena_defer(a, note, &two), 0, "and another");
	arena_reset(a);
	ok(n_ends == 2 && ends[0] == 2 && ends[1] == 1, "they run in reverse order");
	ok(arena_bytes(a) == first && grown > first, "only the first block is kept");
	last = arena_alloc(a, 64);
	ok(last != NULL && last[0] == 0 && last[63] == 0, "used memory comes back zeroed");
	is_int(arena_defer(a, note, &three), 0, "after a reset ends are registered anew");
	arena_free(a);
	ok(n_ends == 3 && ends[2] == 3, "and run when the arena ends");
	arena_free(NULL);
}

static void
test_fail(void)
{
	struct ctx c = { .arena = arena_new(256) };
	char *longer = ctx_printf(&c, "%01000d", 5);

	is_int(strlen(longer), 1000, "a long text is printed into the arena");
	is_int(fail(&c, ERR_NOT_FOUND, "no agent %s", "x"), ERR_NOT_FOUND, "a failure hands its code on");
	is_str(c.fault.msg, "no agent x", "with a sentence");
	is_int(fail_code(&c, ERR_CONFLICT, "name_taken", "%s", "taken"), ERR_CONFLICT, "one with a word of its own too");
	is_str(c.fault.code, "name_taken", "the word is kept");
	is_int(err_status(ERR_CONFLICT), 409, "each code has its status");
	is_str(err_code(ERR_INVALID), "invalid_input", "and its word");
	is_str(ctx_strdup(&c, NULL), NULL, "a text that is absent stays absent");
	arena_free(c.arena);
}

int
main(void)
{
	test_buf();
	test_files();
	test_arena();
	test_fail();
	return done();
}

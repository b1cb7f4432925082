/* Files that are replaced whole, and what writers who died left. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "t/tap.h"

static char dir[] = "/tmp/lf-file-XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
made(const char *name, time_t when)
{
	const struct timespec t[2] = { { .tv_sec = when }, { .tv_sec = when } };
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || futimens(fd, t) != 0)
		abort();
	close(fd);
}

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(in_dir(name), &st) == 0;
}

static void
test_names(void)
{
	static const char *const others[] = { "", ".lf-tmp-", ".lf-tmp-0123456789abcde", ".lf-tmp-0123456789abcdef0", ".lf-tmp-0123456789ABCDEF",
		".lf-tmp-0123456789abcdeg", ".lf-tmp_0123456789abcdef", "x.lf-tmp-0123456789abcdef", "config.toml.backup", "config.toml.Ab3xYz" };
	char one[FILE_TEMP_NAME], two[FILE_TEMP_NAME];
	bool none = true;

	file_temp_name(one);
	file_temp_name(two);
	ok(file_is_temp(one) && file_is_temp(two), "a name of ours is known");
	ok(strcmp(one, two) != 0, "each is another one");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		none = none && !file_is_temp(others[i]);
	ok(none, "what looks like one is none");
}

static void
test_keep(void)
{
	SCOPED_BUF b = BUF_INIT(1000);

	is_int(file_keep(in_dir("f"), "one", 3, 0640), ERR_OK, "a file is kept");
	is_int(buf_read_file(&b, in_dir("f")), ERR_OK, "and read");
	is_str(b.p, "one", "as it was written");
	is_int(file_keep(in_dir("none/f"), "x", 1, 0600), ERR_IO, "a directory that is not there is no place for one");
	unlink(in_dir("f"));
	if (chdir(dir) != 0)
		abort();
	is_int(file_keep("f", "two", 3, 0600), ERR_OK, "it may be here");
	is_int(unlink(in_dir("f")), 0, "where it is found");
}

static void
test_sweep(void)
{
	static const char *const stay[] = { "config.toml", "config.toml.backup", "config.toml.Ab3xYz", "vault.key.new",
		".lf-tmp-notes", ".lf-tmp-0123456789ABCDEF", "x.lf-tmp-0123456789abcdef" };
	time_t now = time(NULL);
	bool all = true;

	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		made(stay[i], now - 1000);
	made(".lf-tmp-0123456789abcdef", now - 1000);
	made(".lf-tmp-00000000000000ff", now - 1000);
	made(".lf-tmp-1111111111111111", now + 1000);
	if (mkdir(in_dir(".lf-tmp-2222222222222222"), 0700) != 0 || symlink("config.toml", in_dir(".lf-tmp-3333333333333333")) != 0)
		abort();
	is_int(files_sweep(dir, (int64_t)now * 1000), 2, "what writers who died left is taken away");
	ok(!is_there(".lf-tmp-0123456789abcdef") && !is_there(".lf-tmp-00000000000000ff"), "that is it");
	ok(is_there(".lf-tmp-1111111111111111"), "what is being written now stays");
	ok(is_there(".lf-tmp-2222222222222222") && is_there(".lf-tmp-3333333333333333"), "so do a directory and a link of such a name");
	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		all = all && is_there(stay[i]);
	ok(all, "and every other file");
	is_int(files_sweep(in_dir("none"), clock_ms()), 0, "a directory that is not there has none");
	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		unlink(in_dir(stay[i]));
	unlink(in_dir(".lf-tmp-1111111111111111"));
	unlink(in_dir(".lf-tmp-3333333333333333"));
	rmdir(in_dir(".lf-tmp-2222222222222222"));
	is_int(rmdir(dir), 0, "nothing else is left");
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	test_names();
	test_keep();
	test_sweep();
	return done();
}

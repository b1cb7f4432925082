/*
 * logs: the last lines of what was written, and with -f what comes, also after the
 * file was turned over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

enum { LINES_DEFAULT = 50, LINES_MAX = 1000000, PART_BYTES = 65536 };

/* Where the last n lines begin. */
static off_t
tail_at(int fd, off_t size, unsigned long n)
{
	char part[PART_BYTES];
	unsigned long seen = 0;

	for (off_t end = size; end > 0;) {
		off_t at = end > PART_BYTES ? end - PART_BYTES : 0;
		ssize_t got = pread(fd, part, (size_t)(end - at), at);

		if (got <= 0)
			return 0;
		for (ssize_t i = got - 1; i >= 0; i--)
			if (part[i] == '\n' && at + i + 1 < size && ++seen >= n)
				return at + i + 1;
		end = at;
	}
	return 0;
}

/* What stands there from *at on; a file that became shorter is read from its start. */
static bool
print_from(int fd, off_t *at)
{
	char part[PART_BYTES];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == 0 && st.st_size < *at)
		*at = 0;
	while ((n = pread(fd, part, sizeof(part), *at)) > 0) {
		if (fwrite(part, 1, (size_t)n, stdout) != (size_t)n)
			return false;
		*at += n;
	}
	return fflush(stdout) == 0;
}

static bool
is_same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Until the reader goes away. */
static int
follow(const char *dir, const char *path, int fd, off_t at)
{
	SCOPED_FD watch = inotify_init1(IN_CLOEXEC);
	char events[4096];

	if (watch < 0 || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0)
		return complain(EXIT_FAILED, "%s: %s", dir, strerror(errno));
	for (;;) {
		if (fd >= 0 && !print_from(fd, &at))
			return EXIT_GOOD;
		if (fd < 0 || !is_same(fd, path)) {
			int next = open(path, O_RDONLY | O_CLOEXEC);

			if (next >= 0) {
				if (fd >= 0)
					close(fd);
				fd = next;
				at = 0;
				continue;
			}
		}
		if (read(watch, events, sizeof(events)) < 0 && errno != EINTR)
			return complain(EXIT_FAILED, "%s: %s", dir, strerror(errno));
	}
}

int
cmd_logs(struct cli *cli, int argc, char **argv)
{
	bool go_on = option_flag(&argc, argv, "-f") || option_flag(&argc, argv, "--follow");
	bool access_log = option_flag(&argc, argv, "--access"), errors = option_flag(&argc, argv, "--errors");
	const char *lines = option_value(&argc, argv, "-n");
	char dir[4352], path[4400], *end = NULL;
	unsigned long n = lines != NULL ? strtoul(lines, &end, 10) : LINES_DEFAULT;
	off_t at = 0;
	struct stat st;
	int fd, rc;

	if (lines != NULL && (lines[0] < '0' || lines[0] > '9' || *end != '\0' || n > LINES_MAX))
		return usage("logs: -n: a number up to %d is expected", LINES_MAX);
	if (access_log && errors)
		return usage("logs: either --access or --errors");
	if (argc > 1)
		return usage("logs: what is \"%s\"?", argv[1]);
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	snprintf(dir, sizeof(dir), "%s/logs", cli->paths.home);
	snprintf(path, sizeof(path), "%s/%s", dir, access_log ? "access.log" : errors ? "nginx-error.log" : "librefang.log");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (!go_on || errno != ENOENT))
		return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
	if (fd >= 0 && fstat(fd, &st) == 0)
		at = n == 0 ? st.st_size : tail_at(fd, st.st_size, n);
	if (go_on)
		return follow(dir, path, fd, at);
	rc = print_from(fd, &at) ? EXIT_GOOD : EXIT_FAILED;
	close(fd);
	return rc;
}

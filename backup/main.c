/*
 * librefang-backup: a home as one file, and back.
 *
 *	librefang-backup create HOME STORE FILE
 *	librefang-backup restore FILE HOME
 *	librefang-backup check STORE
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup/backup.h"
#include "db/db.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "version.h"

int
broken(const char *what, const char *why)
{
	char q[300];

	fprintf(stderr, "%s%s%s\n", log_quote(what, q, sizeof(q)), why != NULL ? ": " : "", why != NULL ? why : "");
	return 1;
}

bool
is_of_home(const char *name)
{
	static const char *const names[] = { "logs", "backups", "run", "links", "librefang.lock", "daemon.json", PENDING_NAME };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return false;
	return strncmp(name, ".restore-", 9) != 0;
}

void
stamp(char out[static 20])
{
	time_t now = time(NULL);
	struct tm tm = { 0 };

	(void)gmtime_r(&now, &tm);
	strftime(out, 20, "%Y%m%d_%H%M%S", &tm);
}

void
path_in(char out[static PATH_BYTES], const char *dir, const char *name)
{
	snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

static void
remove_at(int parent, const char *name)
{
	int fd;
	DIR *d;
	struct dirent *e;

	if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_at(dirfd(d), e->d_name);
	closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void
remove_tree(const char *dir)
{
	remove_at(AT_FDCWD, dir);
}

/* Is the store whole, and of which schema? As JSON; the exit code says it too. */
static int
check(const char *path)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	struct db_state s;
	enum err e = db_look(path, true, &s);

	jw_object(&w, NULL);
	jw_bool(&w, "ok", e == ERR_OK);
	jw_i64(&w, "schema", s.version);
	jw_i64(&w, "min_reader", s.min_reader);
	jw_i64(&w, "newest", db_newest_version());
	jw_str(&w, "fault", s.fault);
	jw_end(&w);
	printf("%s\n", b.failed ? "{}" : b.p);
	return e == ERR_OK ? 0 : 1;
}

static const char help[] =
    "\nA home of LibreFang as one file, and back. For people there are `librefang backup`, `librefang restore`\n"
    "and `librefang doctor`, which run it:\n"
    "  librefang-backup create HOME STORE FILE\n"
    "  librefang-backup restore FILE HOME\n"
    "  librefang-backup check STORE\n";

int
main(int argc, char **argv)
{
	if (asked_only(argc, argv, "librefang-backup " LF_VERSION, help))
		return 0;
	umask(077);
	if (argc == 5 && strcmp(argv[1], "create") == 0)
		return backup_make(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "restore") == 0)
		return backup_open(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	fprintf(stderr, "librefang-backup: see --help\n");
	return 2;
}
